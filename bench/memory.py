"""Section ``memory``: peak memory of one worker for recordings of several lengths.

Writes recordings of several lengths, scores each in one range in a new process, and reports the process's peak resident
memory and its speed in seconds of audio per second. Nothing is asserted.

    python -m bench.memory --hours 0.1 1 6
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from anemonefish.jobs.job import Job
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene
from anemonefish.stores import open_store
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.score import score_range
from bench.rows import Row, figure, missing

RATE = 48_000
REPOSITORY = Path(__file__).parents[1]

_HOURS = (1 / 6, 1.0, 12.0)
_QUICK_HOURS = (1 / 60, 1 / 6)
_WANTED_RATIO = 1.1
_BYTES_PER_HOUR = 3600 * RATE * 2


@dataclass(frozen=True, slots=True)
class Scored:
    """Result for one recording: file size in bytes, windows, peak memory in MiB, seconds of audio per second."""

    size: int
    windows: int
    peak: float
    speed: float


def rows(quick: bool) -> Iterator[Row]:
    """Yield the peak for every length, and the ratio of the longest to the shortest."""
    build = REPOSITORY / ".build"
    wanted = _QUICK_HOURS if quick else _HOURS
    room = shutil.disk_usage(build).free / 2
    peaks: dict[float, float] = {}
    for hours in wanted:
        if hours * _BYTES_PER_HOUR > room:
            yield missing("memory", f"reef, {hours:g} h", f"{build} has no room for twice such a recording")
            continue
        scored = measure(hours, str(REPOSITORY / "models"), "reef@1.1.0", build)
        peaks[hours] = scored.peak
        yield figure("memory", f"reef, {_title(hours)}, {scored.size / 1e6:,.0f} MB in one range", scored.peak, "MiB")
    shortest, longest = min(peaks), max(peaks)
    ratio = peaks[longest] / peaks[shortest]
    what = f"reef, {_title(longest)} against {_title(shortest)}"
    limit = f"≤ {_WANTED_RATIO} ×"
    yield Row("memory", what, peaks[longest], "MiB", peaks[shortest], ratio, limit, ratio <= _WANTED_RATIO)


def _title(hours: float) -> str:
    return f"{hours:g} h" if hours >= 1 else f"{60 * hours:g} min"


def measure(hours: float, models_uri: str, model: str, folder: Path | None = None) -> Scored:
    """Write a recording and score it in one range in a new process."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path = Path(name, "recording.wav")
        write_recording(path, hours)
        windows = plan_one_range(Path(name), path, models_uri, model)
        command = [sys.executable, "-m", "bench.memory", "--worker", name, "--models", models_uri]
        began = time.perf_counter()
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        speed = hours * 3600 / (time.perf_counter() - began)
        return Scored(path.stat().st_size, windows, float(answer.stdout), speed)


def write_recording(path: Path, hours: float) -> None:
    """Write a 16-bit mono recording that repeats a minute of a simulated reef."""
    minute = np.concatenate(list(scene(60, seed=1, sample_rate=RATE).blocks(RATE)))
    left = int(hours * 3600 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16", format="WAV") as file:
        while left > 0:
            file.write(minute[:left])
            left -= len(minute)


def plan_one_range(folder: Path, path: Path, models_uri: str, model: str) -> int:
    """Plan the recording as one range and return its number of windows."""
    settings = Settings.load({"max_range_seconds": 86_400, "target_seconds": 86_400}, {})
    models = ModelRepository(open_store(models_uri))
    plan = plan_job([RecordingRequest(str(path), path.name, path.name)], model, settings, models)
    Job(open_store(str(folder)), "job", "job/results").write_plan(plan)
    assert plan.quote.ranges == 1, "the recording was split, so the figure would not depend on its length"
    return plan.quote.windows


def score_as_worker(folder: str, models_uri: str) -> None:
    """Score the only range as a worker, and print the peak memory in MiB."""
    job = Job(open_store(folder), "job", "job/results")
    plan = job.read_plan()
    score_range(job, next(plan.tasks()), ready_model(models_uri, plan.model))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, nargs="+", default=[0.1, 1, 6])
    parser.add_argument("--model", default="reef@production")
    parser.add_argument("--models", default=str(REPOSITORY / "models"))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        score_as_worker(options.worker, options.models)
        return
    print(f"{'hours':>6} {'file MB':>8} {'windows':>8} {'peak MiB':>9} {'x real time':>12}")
    for hours in options.hours:
        one = measure(hours, options.models, options.model)
        print(f"{hours:6.1f} {one.size / 1e6:8.0f} {one.windows:8d} {one.peak:9.0f} {one.speed:12.0f}")


if __name__ == "__main__":
    main()
