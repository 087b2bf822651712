"""Peak memory of one worker against the length of a recording.

Writes recordings of several lengths, scores each in one range by one fresh process, and prints that process's
peak resident memory and its speed in seconds of audio per second. Nothing is asserted: figures are read.

    python bench/memory.py --hours 0.1 1 6
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from anemonefish.jobs import Job
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.plan import plan_job
from anemonefish.request import RecordingRequest
from anemonefish.score import score_range
from anemonefish.settings import Settings
from anemonefish.simulate import scene
from anemonefish.stores import open_store

RATE = 48_000
REPOSITORY = Path(__file__).parents[1]


def write_recording(path: Path, hours: float) -> None:
    """Write a minute of a simulated reef again and again, 16-bit mono."""
    minute = np.concatenate(list(scene(60, seed=1, sample_rate=RATE).blocks(RATE)))
    left = int(hours * 3600 * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16", format="WAV") as file:
        while left > 0:
            file.write(minute[:left])
            left -= len(minute)


def plan_one_range(folder: Path, path: Path, models_uri: str, model: str) -> int:
    """Plan the whole recording as one range; return its number of windows."""
    settings = Settings.load({"max_range_seconds": 86_400, "target_seconds": 86_400}, {})
    models = ModelRepository(open_store(models_uri))
    plan = plan_job([RecordingRequest(str(path), path.name, path.name)], model, settings, models)
    Job(open_store(str(folder)), "job", "job/results").write_plan(plan)
    assert plan.quote.ranges == 1, "the recording was cut; the figure would not be about its length"
    return plan.quote.windows


def score_as_worker(folder: str, models_uri: str) -> None:
    """Be the worker: score the only range, print peak memory in MiB."""
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
        with tempfile.TemporaryDirectory() as name:
            folder, path = Path(name), Path(name, "recording.wav")
            write_recording(path, hours)
            windows = plan_one_range(folder, path, options.models, options.model)
            command = [sys.executable, __file__, "--worker", name, "--models", options.models]
            began = time.perf_counter()
            answer = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ))
            speed = hours * 3600 / (time.perf_counter() - began)
            megabytes, peak = path.stat().st_size / 1e6, float(answer.stdout)
            print(f"{hours:6.1f} {megabytes:8.0f} {windows:8d} {peak:9.0f} {speed:12.0f}")


if __name__ == "__main__":
    main()
