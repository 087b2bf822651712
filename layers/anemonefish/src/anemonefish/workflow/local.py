"""The four verbs on one machine: processes instead of functions, a folder instead of a bucket.

Owns spreading the ranges of a job over processes. Each range is its own success or reason; a worker process
that dies takes its range with it, not the job. Uses the same plan, score and aggregate as the workflow, so the
results are the same bytes. Nothing here decides a result.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TypeVar

from anemonefish.errors import AnemonefishError, Failure
from anemonefish.interrupts import as_worker, starting_workers
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan, PlannedRecording, RangeTask, TranscodeTask, batched
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, PinnedModel, ready_model
from anemonefish.results.report_formats import REPORTS
from anemonefish.results.summary import COMBINED_EVENTS, COMBINED_SELECTIONS, SUMMARY
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.stores.folder import local_path
from anemonefish.workflow.aggregate import Aggregate, aggregate_job
from anemonefish.workflow.content_hashes import with_contents
from anemonefish.workflow.planner import plan_job, with_runnable_engine, without_transcodes
from anemonefish.workflow.results_folder import JOURNAL, ResultsFolder
from anemonefish.workflow.score import score_range
from anemonefish.workflow.transcode import transcode_task

__all__ = ["Progress", "Review", "detect", "report_names", "score", "shared_job"]

_RANGE_SECONDS = 60.0
"""Audio per range on a laptop: a progress bar that moves, and little to lose when it is interrupted."""

_CALLS_PER_WORKER = 4
"""Calls that each process gets where there are recordings enough, so that all processes end at about one time."""

_NO_HURRY = 86_400.0
"""A target that every cut meets, so that a recording is always cut alike: its parts serve every job it is in."""

_T = TypeVar("_T", RangeTask, TranscodeTask)

Progress = Callable[[int, int], None]
"""Called with windows done and windows in all."""

Review = Callable[[Job, Path], object]
"""Called with a finished job and the folder for clips and pictures."""


def detect(
    requests: Sequence[RecordingRequest],
    reference: str,
    settings: Settings,
    *,
    models_uri: str,
    out: Path,
    processes: int | None = None,
    progress: Progress | None = None,
    review: Review | None = None,
    not_looked_at: Sequence[str] = (),
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
        Reports go here, in the place of those of the run before (:class:`.ResultsFolder`);
        parts, plans and manifests below ``.anemonefish`` in it. What is scored there is not scored again, for this job
        or another: it is found by the content of the recording, the model and the settings that change scores.
    processes : int, optional
        How many at once; one per core unless given.
    progress : callable, optional
    review : callable, optional
        Makes clips and pictures of the finished job, in a folder whose files become results with the reports.
    not_looked_at : sequence of str, optional
        Files that were found beside the recordings; kept in the folder's manifest.

    Returns
    -------
    plan : Plan
    aggregate : Aggregate
        Recordings that failed carry their reason.

    Raises
    ------
    StorageError
        Another run writes to the folder, or a file of the user's would be overwritten.
    AnemonefishError
        Nothing could be analysed, and why.
    """
    models = ModelRepository(open_store(models_uri))
    run = _Run(requests, reference, settings, models, shared_job(str(out)), processes or os.cpu_count() or 1, progress)
    planned = run.plan()
    with ResultsFolder(out) as folder:
        folder.check_inputs(local_path(each.uri) for each in planned.recordings if not each.uri.startswith("s3://"))
        folder.check_free(report_names(planned.recordings, planned.settings.formats))
        plan = with_contents(run.transcode(planned), out / JOURNAL / "contents.json")
        job, plan = run.score(plan, folder.new_prefix)
        aggregate = aggregate_job(job, models)
        try:
            if review is not None:
                review(job, folder.new)
        finally:
            if not isinstance(sys.exception(), KeyboardInterrupt):  # without clips there are reports still
                folder.publish(_hashes(aggregate), not_looked_at)
    return plan, aggregate


def score(
    requests: Sequence[RecordingRequest],
    reference: str,
    settings: Settings,
    *,
    models_uri: str,
    folder: Path,
    processes: int | None = None,
    progress: Progress | None = None,
) -> tuple[Job, Plan]:
    """Score recordings, write no report, and keep the scores in a folder of their own.

    Parameters
    ----------
    requests, reference, settings, models_uri, processes, progress
        As in :func:`detect`.
    folder : Path
        Where scores go; a temporary folder, which this process alone uses.

    Raises
    ------
    AnemonefishError
        Nothing could be analysed, and why.
    """
    models = ModelRepository(open_store(models_uri))
    shared = shared_job(str(folder))
    run = _Run(requests, reference, settings, models, shared, processes or os.cpu_count() or 1, progress)
    return run.score(run.transcode(run.plan()), "results")


@dataclass(frozen=True, slots=True)
class _Run:
    """One job on this machine: from the recordings to their scores."""

    requests: Sequence[RecordingRequest]
    reference: str
    settings: Settings
    models: ModelRepository
    shared: Job
    workers: int
    progress: Progress | None

    def plan(self) -> Plan:
        """Plan the job with ranges for this machine."""
        settings = replace(
            self.settings,
            max_concurrency=self.workers,
            target_seconds=_NO_HURRY,
            max_range_seconds=min(self.settings.max_range_seconds, _RANGE_SECONDS),
        )
        return plan_job(self.requests, self.reference, settings, self.models, self.shared)

    def transcode(self, planned: Plan) -> Plan:
        """Transcode the recordings of a plan that need it, and return the plan of all."""
        transcodes = self.shared.transcodes(planned)
        if not transcodes:
            return planned
        transcode = partial(_transcode_one, self.shared.store.uri)
        calls = [[task] for task in transcodes]
        reasons = {task.path: failure for task, failure in _run_all(transcode, calls, self.workers) if failure}
        return without_transcodes(self.plan(), reasons)

    def score(self, plan: Plan, results: str) -> tuple[Job, Plan]:
        """Score what has no scores yet; return the job, whose results go below a prefix, and its plan."""
        scored = self.shared.scored()
        if not all(task.name in scored for task in plan.tasks()):
            plan = with_runnable_engine(plan, self.models)
        job = Job(self.shared.store, f"{JOURNAL}/plans/{plan.identity}", results, shared=JOURNAL)
        job.write_plan(plan)
        _score(job, plan, self.models.store.uri, self.workers, self.progress)
        return job, plan


def report_names(recordings: Sequence[PlannedRecording], formats: Sequence[str]) -> Iterator[str]:
    """Yield what the results of recordings are called, as far as that is known before they are scored."""
    for recording in recordings:
        if recording.failure is None:
            yield from (f"{recording.name}{REPORTS[form].suffix}" for form in formats)
    yield SUMMARY
    if len(recordings) > 1:
        yield from (COMBINED_EVENTS,) if "csv" in formats else ()
        yield from (COMBINED_SELECTIONS,) if "raven" in formats else ()


def _hashes(aggregate: Aggregate) -> dict[str, str]:
    return {name: sha256 for outcome in aggregate.outcomes for name, sha256 in outcome.files.items()}


def _score(job: Job, plan: Plan, models_uri: str, workers: int, progress: Progress | None) -> None:
    """Score the ranges of a plan that have no part yet; keep the reason of each that fails.

    Where every range has its part, no process is started and no model is loaded.
    """
    scored = job.scored()
    tasks = [task for task in plan.tasks() if task.name not in scored]
    total = plan.quote.windows
    done = total - sum(len(task.windows) for task in tasks)
    score = partial(_score_one, job.store.uri, models_uri, plan.model)
    for task, outcome in _run_all(score, _calls(tasks, plan.windows_per_range, workers), workers):
        if outcome is not None:
            job.write_range_failure(task, outcome)
        done += len(task.windows)
        if progress is not None:
            progress(done, total)


def _calls(tasks: Sequence[RangeTask], windows: int, workers: int) -> list[list[RangeTask]]:
    """Return the ranges of each call of a worker: short recordings share one, and every worker gets several calls."""
    share = sum(len(task.windows) for task in tasks) // (_CALLS_PER_WORKER * workers)
    return list(batched(tasks, min(windows, share)))


def _run_all(
    work: Callable[[_T], Failure | None], calls: Sequence[Sequence[_T]], workers: int
) -> Iterator[tuple[_T, Failure | None]]:
    """Yield each task with None or the reason it was not done, as the calls finish.

    A process that dies breaks its whole pool. The call it ran is among the first that are unfinished, because calls
    begin in their order: the tasks of those run one by one, so that the one that kills is known, the others in another
    pool.
    """
    while calls:
        unfinished = yield from _run_in_pool(work, calls, min(workers, len(calls)))
        suspects, calls = unfinished[: 2 * workers + 1], unfinished[2 * workers + 1 :]
        yield from _run_one_by_one(work, [task for call in suspects for task in call])


def _run_in_pool(
    work: Callable[[_T], Failure | None], calls: Sequence[Sequence[_T]], workers: int
) -> Generator[tuple[_T, Failure | None], None, list[Sequence[_T]]]:
    """Yield the tasks of each call that finishes; return the calls that do not, in their order."""
    finished = set()
    with _pool(workers) as pool:
        with starting_workers():
            numbers = {pool.submit(_run_call, work, call): number for number, call in enumerate(calls)}
        for future in as_completed(numbers):
            number = numbers[future]
            try:
                outcomes = future.result()
            except BrokenProcessPool:
                continue
            finished.add(number)
            yield from zip(calls[number], outcomes, strict=True)
    return [call for number, call in enumerate(calls) if number not in finished]


def _run_one_by_one(work: Callable[[_T], Failure | None], tasks: Sequence[_T]) -> Iterator[tuple[_T, Failure | None]]:
    """Yield each task as :func:`_run_all` does; one with which a fresh process dies is the reason of its death."""
    waiting = deque(tasks)
    while waiting:
        with _pool(1) as pool:
            fresh = True
            while waiting:
                try:
                    with starting_workers():
                        future = pool.submit(work, waiting[0])
                    outcome = future.result()
                except BrokenProcessPool:
                    if fresh:
                        task = waiting.popleft()
                        yield task, Failure("RangeFailed", f"{task.path}: the process died; is memory short?")
                    break
                fresh = False
                yield waiting.popleft(), outcome


def _run_call(work: Callable[[_T], Failure | None], call: Sequence[_T]) -> list[Failure | None]:
    """Do the tasks of one call, in a worker process."""
    return [work(task) for task in call]


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of fresh processes; forked ones would inherit the threads of whoever calls us."""
    others = set(active_children())
    with starting_workers():  # the first pool starts a process of Python's own
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_worker)
    try:
        yield pool
    except BaseException:  # Ctrl-C, a full disk: nobody waits for what the workers are doing
        for child in set(active_children()) - others:
            child.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin_worker() -> None:
    """Silence a worker's standard error: LiteRT greets there in C, in the middle of a progress bar.

    A worker's own errors come back as data.
    """
    as_worker()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _score_one(store_uri: str, models_uri: str, model: PinnedModel, task: RangeTask) -> Failure | None:
    """Score one range in a worker process; the answer is None or the reason, never an exception."""
    return _reason(task, lambda: score_range(shared_job(store_uri), task, ready_model(models_uri, model)))


def _transcode_one(store_uri: str, task: TranscodeTask) -> Failure | None:
    """Transcode one recording in a worker process; the answer is None or the reason, never an exception."""
    return _reason(task, lambda: transcode_task(shared_job(store_uri), task))


def shared_job(store_uri: str) -> Job:
    """Return what all jobs of a folder share: its scores and transcoded recordings."""
    return Job(open_store(store_uri), "", "", shared=JOURNAL)


def _reason(task: RangeTask | TranscodeTask, work: Callable[[], object]) -> Failure | None:
    try:
        work()
    except AnemonefishError as error:
        return Failure.of(error)
    except Exception as error:  # whatever else befalls a task (memory, a defect of ours) is its reason, not a crash
        return Failure("RangeFailed", f"{task.path}: {type(error).__name__}: {error}")
    return None
