"""The four verbs on one machine: processes instead of functions, a folder instead of a bucket.

Owns spreading the ranges of a job over processes. Each range is its own success or reason; a worker process
that dies takes its range with it, not the job. Uses the same plan, score and aggregate as the workflow, so the
results are the same bytes. Nothing here decides a result.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from anemonefish.aggregate import Aggregate, aggregate_job
from anemonefish.containers import AUDIO_EXTENSIONS
from anemonefish.contents import with_contents
from anemonefish.errors import AnemonefishError, Failure, RecordingNotFound
from anemonefish.jobs import Job
from anemonefish.models.repository import ModelRepository, PinnedModel, ready_model
from anemonefish.plan import plan_job, without_transcodes
from anemonefish.planned import Plan, RangeTask, TranscodeTask
from anemonefish.request import RecordingRequest, recordings_below
from anemonefish.score import score_range
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.transcode import transcode_task

__all__ = ["detect", "find_recordings", "job_of"]

_RANGE_SECONDS = 60.0
"""Audio per range on a laptop: a progress bar that moves, and little to lose when it is interrupted."""

_NO_HURRY = 86_400.0
"""A target that every cut meets, so that a recording is always cut alike: its parts serve every job it is in."""

_KEPT = ".anemonefish"
"""The journal of a folder of results: parts and plans."""

_T = TypeVar("_T", RangeTask, TranscodeTask)

Progress = Callable[[int, int], None]
"""Called with windows done and windows in all."""


def find_recordings(paths: Iterable[str]) -> list[RecordingRequest]:
    """Turn files, folders and S3 URIs into recordings; a folder means every recording below it.

    Raises
    ------
    RecordingNotFound
        A folder holds no recording.
    """
    found: list[RecordingRequest] = []
    for path in paths:
        if path.startswith("s3://") and path.endswith("/"):
            found.extend(recordings_below(path))
        elif path.startswith("s3://"):
            found.append(RecordingRequest.from_dict({"uri": path}))
        elif Path(path).is_dir():
            found.extend(_in_folder(Path(path)))
        else:
            found.append(_request(Path(path), Path(path).name))
    return found


def _in_folder(folder: Path) -> Iterator[RecordingRequest]:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in AUDIO_EXTENSIONS and file.is_file())
    if not files:
        raise RecordingNotFound(
            f"{folder}: no recording in this folder; it looks for {' '.join(sorted(AUDIO_EXTENSIONS))}"
        )
    for file in files:
        yield _request(file, file.relative_to(folder).as_posix())


def _request(file: Path, name: str) -> RecordingRequest:
    """Ask for a local file; what tables and terminals cannot show in its name becomes an underscore."""
    absolute = str(file.resolve())
    return RecordingRequest(absolute, _printable(name), _printable(absolute))


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "_" for letter in text).replace("\\", "_")


def detect(
    requests: Sequence[RecordingRequest],
    reference: str,
    settings: Settings,
    *,
    models_uri: str,
    out: Path,
    processes: int | None = None,
    progress: Progress | None = None,
) -> tuple[Plan, Aggregate]:
    """Find events in recordings and write the reports to a folder.

    Parameters
    ----------
    requests : sequence of RecordingRequest
    reference : str
        The model: ``name``, ``name@alias`` or ``name@version``.
    settings : Settings
    models_uri : str
        Folder or ``s3://bucket`` of the models.
    out : Path
        Reports go here; parts, plans and manifests below ``.anemonefish`` in it. What is scored there is not
        scored again, for this job or another: it is found by the content of the recording, the model and the
        settings that change scores.
    processes : int, optional
        How many at once; one per core unless given.
    progress : callable, optional

    Returns
    -------
    plan : Plan
    aggregate : Aggregate
        Recordings that failed carry their reason.

    Raises
    ------
    AnemonefishError
        Nothing could be analysed, and why.
    """
    workers = processes or os.cpu_count() or 1
    cut = replace(
        settings,
        max_concurrency=workers,
        target_seconds=_NO_HURRY,
        max_range_seconds=min(settings.max_range_seconds, _RANGE_SECONDS),
    )
    models = ModelRepository(open_store(models_uri))
    shared = _shared(str(out))
    plan = plan_job(requests, reference, cut, models, shared)
    if transcodes := shared.transcodes(plan):
        transcode = partial(_transcode_one, shared.store.uri)
        reasons = {task.path: failure for task, failure in _run_all(transcode, transcodes, workers) if failure}
        plan = without_transcodes(plan_job(requests, reference, cut, models, shared), reasons)
    plan = with_contents(plan, out / _KEPT / "contents.json")
    job = job_of(plan, out)
    job.write_plan(plan)
    tasks = list(plan.tasks())
    done, total = 0, sum(len(task.windows) for task in tasks)
    score = partial(_score_one, job.store.uri, models_uri, plan.model)
    for task, outcome in _run_all(score, tasks, workers):
        if outcome is not None:
            job.write_range_failure(task, outcome)
        done += len(task.windows)
        if progress is not None:
            progress(done, total)
    return plan, aggregate_job(job, models)


def job_of(plan: Plan, out: Path) -> Job:
    """Return the job of a plan in a folder of results.

    Plans that differ do not meet, even in one folder at one time; all of them share the parts.
    """
    return Job(open_store(str(out)), f"{_KEPT}/plans/{plan.identity}", "", shared=_KEPT)


def _run_all(
    work: Callable[[_T], Failure | None], tasks: Sequence[_T], workers: int
) -> Iterator[tuple[_T, Failure | None]]:
    """Yield each task with None or the reason it was not done, as they finish."""
    unfinished: list[_T] = []
    with _pool(min(workers, max(1, len(tasks)))) as pool:
        futures = {pool.submit(work, task): task for task in tasks}
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool:
                unfinished.append(futures[future])
    # A dead process breaks the whole pool; whose fault it was shows when each task has a process of its own.
    for task in unfinished:
        with _pool(1) as pool:
            try:
                yield task, pool.submit(work, task).result()
            except BrokenProcessPool:
                yield task, Failure("RangeFailed", f"{task.path}: the process died; is memory short?")


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of fresh processes; forked ones would inherit the threads of whoever calls us."""
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_without_greetings)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _without_greetings() -> None:
    """Silence a worker's standard error: LiteRT greets there in C, in the middle of a progress bar.

    A worker's own errors come back as data.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _score_one(store_uri: str, models_uri: str, model: PinnedModel, task: RangeTask) -> Failure | None:
    """Score one range in a worker process; the answer is None or the reason, never an exception."""
    return _reason(task, lambda: score_range(_shared(store_uri), task, ready_model(models_uri, model)))


def _transcode_one(store_uri: str, task: TranscodeTask) -> Failure | None:
    """Transcode one recording in a worker process; the answer is None or the reason, never an exception."""
    return _reason(task, lambda: transcode_task(_shared(store_uri), task))


def _shared(store_uri: str) -> Job:
    return Job(open_store(store_uri), "", "", shared=_KEPT)


def _reason(task: RangeTask | TranscodeTask, work: Callable[[], object]) -> Failure | None:
    try:
        work()
    except AnemonefishError as error:
        return Failure.of(error)
    except Exception as error:  # whatever else befalls a task (memory, a defect of ours) is its reason, not a crash
        return Failure("RangeFailed", f"{task.path}: {type(error).__name__}: {error}")
    return None
