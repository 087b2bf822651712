"""Measure reports and aggregate of large jobs: the time and the memory of their largest functions.

Plans a job from sparse recordings, writes synthetic parts (random scores with runs above the threshold), and runs each
report task and then the aggregate in a process of its own, as the workflow does. Nothing is scored or asserted.

    python -m bench.aggregate --recordings 30 --seconds 86400
    python -m bench.aggregate --recordings 10000 --seconds 60 --together    all report tasks in one process
    python -m bench.aggregate --recordings 30 --seconds 86400 --tasks 3    only the first three report tasks
    python -m bench.aggregate --recordings 1000 --seconds 60 --review      with timelines, clips and spectrograms
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from anemonefish.audio.health import Observed
from anemonefish.jobs.job import Job
from anemonefish.jobs.parts import part_to_bytes
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.report_tasks import ReportTask
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.profiles.band_levels import BandLevels, cells_per_window
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.report_formats import REPORTS
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.workflow.aggregate import aggregate_job
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.report import report_task
from anemonefish.workflow.review import store_review
from anemonefish.workflow.timelines import store_timeline
from docs.make_cost_table import write_silence

REPOSITORY = Path(__file__).parents[1]
MODELS = str(REPOSITORY / "models")
_RATE = 48_000
_CALL_WINDOWS, _CALL_EVERY = 6, 300
"""A run of windows above the threshold in every minute."""


def main() -> None:
    """Run the measurement and print one line for the reports and one for the aggregate."""
    options = _options()
    if options.run:
        _run(Path(options.run), options.task)
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        plan, tasks = prepare(folder, options.recordings, options.seconds, review=options.review)
        hours = options.recordings * options.seconds / 3600
        print(f"{options.recordings} recordings of {options.seconds} s, {plan.quote.windows} windows, {hours:g} hours")
        floor = _measure(folder, "nothing")
        print(f"  a process that does nothing: {floor['seconds']:.1f} s, {floor['mib']:.0f} MiB")
        if options.together:
            measured = [_measure(folder, "all")]
        else:
            measured = [_measure(folder, str(number)) for number in range(len(tasks))[: options.tasks]]
        longest, largest = (max(each[key] for each in measured) for key in ("seconds", "mib"))
        total = sum(each["seconds"] for each in measured)
        print(
            f"  report: {len(tasks)} tasks in {len(measured)} processes, longest {longest:.1f} s of CPU, "
            f"{largest:.0f} MiB; {1000 * total / options.recordings:.1f} ms a recording"
        )
        if options.tasks is None:
            joined = _measure(folder, "aggregate")
            print(
                f"  aggregate: {joined['seconds']:.1f} s of CPU (1/{total / joined['seconds']:.0f} of the reports), "
                f"{joined['mib']:.0f} MiB, {(joined['mib'] - floor['mib']) * 1024 / options.recordings:.1f} KiB a "
                f"recording"
            )
            if options.review:
                reviewed = _measure(folder, "review")
                print(f"  review: {reviewed['seconds']:.1f} s of CPU, {reviewed['mib']:.0f} MiB")
        _print_sizes(folder, plan)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=30)
    parser.add_argument("--seconds", type=int, default=86_400, help="length of each recording")
    parser.add_argument("--tasks", type=int, help="measure the first report tasks only, and no aggregate")
    parser.add_argument("--together", action="store_true", help="run all report tasks in one process")
    parser.add_argument("--review", action="store_true", help="draw timelines, and measure the review too")
    parser.add_argument("--folder", help="where the job is written; the folder for temporary files unless given")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(folder: Path, recordings: int, seconds: int, *, review: bool = False) -> tuple[Plan, list[str]]:
    """Plan a job of sparse recordings and write its parts; return the plan and the lines of ``reports.jsonl``."""
    audio = folder / "audio"
    audio.mkdir()
    names = [f"{number:05d}.wav" for number in range(recordings)]
    for name in names:
        write_silence(audio / name, seconds * _RATE)
    requests = [RecordingRequest(str(audio / name), name, f"/deployment/{name}") for name in names]
    job, models = _job(folder), ModelRepository(open_store(MODELS))
    settings = Settings.load({"review": ["clips", "pictures"] if review else []}, {})
    plan = plan_job(requests, "reef", settings, models)
    job.write_plan(plan)
    classes, random = len(models.spec(plan.model).classes), np.random.default_rng(1)
    for task in plan.tasks():
        scores = random.uniform(0.0, 0.4, (len(task.windows), classes)).astype(np.float32)
        for start in range(0, len(scores), _CALL_EVERY):
            scores[start : start + _CALL_WINDOWS] += 0.55
        cells = random.integers(80, 160, (len(task.windows), cells_per_window(task.grid, _RATE)), np.uint8)
        levels = BandLevels(cells, random.integers(400, 1_400, len(task.windows), np.uint16))
        job.store.write(job.part_key(task), part_to_bytes(scores, Observed(), levels))
    return plan, job.store.read(job.reports_key).decode().splitlines()


def _job(folder: Path) -> Job:
    return Job(open_store(str(folder / "store")), "jobs/lab/1", "jobs/lab/1/results")


def _measure(folder: Path, task: str) -> dict[str, float]:
    """Run a task, the aggregate, or nothing but the imports in a new process."""
    command = [sys.executable, "-m", "bench.aggregate", "--run", str(folder), "--task", task]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    return dict(json.loads(answer.stdout))


def _run(folder: Path, task: str) -> None:
    """Run as a function of the workflow does; print its CPU seconds and its peak memory."""
    job, models = _job(folder), ModelRepository(open_store(MODELS))
    began = time.process_time()
    if task == "aggregate":
        aggregate_job(job, job.read_plan(), models)
    elif task == "review":
        store_review(job, models)
    elif task != "nothing":
        lines = job.store.read(job.reports_key).decode().splitlines()
        for line in lines if task == "all" else [lines[int(task)]]:
            report_task(job, ReportTask.from_dict(json.loads(line)), models, draw=_draw)
    print(json.dumps({"seconds": time.process_time() - began, "mib": _peak_mib()}))


def _peak_mib() -> float:
    """Return the peak memory of this process. On Linux ``ru_maxrss`` may be that of the parent, ``VmHWM`` is not."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def _draw(job: Job, result: RecordingResult) -> None:
    if "pictures" in result.settings.review:
        store_timeline(job, result)


def _print_sizes(folder: Path, plan: Plan) -> None:
    """Print the bytes of every format per window and class, and of the outcomes per recording."""
    results, classes = folder / "store/jobs/lab/1/results", 3
    reported = [
        recording
        for recording in plan.recordings
        if recording.analysis and (results / f"{recording.name}.json").exists()
    ]
    cells = classes * sum(recording.analysis.grid.n_windows for recording in reported if recording.analysis)
    for form in plan.settings.formats:
        size = sum((results / f"{recording.name}{REPORTS[form].suffix}").stat().st_size for recording in reported)
        print(f"  {form}: {size / cells:.2f} bytes for a window and class")
    outcomes = list((folder / "store/jobs/lab/1/outcomes").iterdir())
    print(f"  outcomes: {sum(path.stat().st_size for path in outcomes) / len(outcomes):.0f} bytes for a recording")


if __name__ == "__main__":
    main()
