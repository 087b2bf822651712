"""Run a job on one machine: processes instead of functions, a folder instead of a bucket.

The ranges of a job are spread over processes. Each range succeeds or fails by itself; a worker process that crashes
fails its range and not the job. Planning, scoring, reporting and aggregating are those of the workflow in AWS, so
results have the same bytes.
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
from anemonefish.results.effort_table import EFFORT
from anemonefish.results.report_formats import REPORTS
from anemonefish.results.summary import COMBINED_EVENTS, COMBINED_SELECTIONS, SUMMARY, Outcome
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.stores.folder import local_path
from anemonefish.workflow.aggregate import report_and_aggregate
from anemonefish.workflow.content_hashes import with_contents
from anemonefish.workflow.planner import plan_job, with_runnable_engine, without_transcodes
from anemonefish.workflow.results_folder import JOURNAL, ResultsFolder
from anemonefish.workflow.score import score_range
from anemonefish.workflow.transcode import transcode_task

__all__ = ["Progress", "Review", "detect", "report_names", "score", "shared_job"]

_RANGE_SECONDS = 60.0
"""Audio per range on a laptop, so that the progress bar moves and an interruption costs little."""

_CALLS_PER_WORKER = 4
"""Calls of each process where there are enough recordings, so that all processes end at about the same time."""

_T = TypeVar("_T", RangeTask, TranscodeTask)

Progress = Callable[[int, int], None]
"""Called with the number of windows that are done, and of all windows."""

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
) -> tuple[Plan, tuple[Outcome, ...]]:
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
        Reports are written here and replace those of the run before (:class:`.ResultsFolder`); parts, plans and
        manifests are below ``.anemonefish`` in it. Scores are stored by the content of the recording, the model and the
        settings that change scores, and are used again by every job in this folder.
    processes : int, optional
        Number of processes; one per core unless given.
    progress : callable, optional
    review : callable, optional
        Makes clips and pictures of the finished job in a folder; its files become results like the reports.
    not_looked_at : sequence of str, optional
        Other files that were found beside the recordings; written into the folder's manifest.

    Returns
    -------
    plan : Plan
    outcomes : tuple of Outcome
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
        outcomes = report_and_aggregate(job, models)
        try:
            if review is not None:
                review(job, folder.new)
        finally:
            if not isinstance(sys.exception(), KeyboardInterrupt):  # reports are kept where clips fail
                folder.publish(_hashes(outcomes), not_looked_at)
    return plan, outcomes


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
    """Score recordings and keep the scores in a folder, without writing reports.

    Parameters
    ----------
    requests, reference, settings, models_uri, processes, progress
        As in :func:`detect`.
    folder : Path
        Where scores are stored; a temporary folder that only this process uses.

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
    """One job on this machine, from the recordings to their scores."""

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
            max_range_seconds=min(self.settings.max_range_seconds, _RANGE_SECONDS),
        )
        return plan_job(self.requests, self.reference, settings, self.models, self.shared, for_account=False)

    def transcode(self, planned: Plan) -> Plan:
        """Transcode the recordings that need it, and return the plan of all recordings."""
        transcodes = self.shared.transcodes(planned)
        if not transcodes:
            return planned
        transcode = partial(_transcode_one, self.shared.store.uri)
        calls = [[task] for task in transcodes]
        reasons = {task.path: failure for task, failure in _run_all(transcode, calls, self.workers) if failure}
        return without_transcodes(self.plan(), reasons)

    def score(self, plan: Plan, results: str) -> tuple[Job, Plan]:
        """Score the ranges without scores; return the job, whose results go below a prefix, and its plan."""
        scored = self.shared.scored()
        if not all(task.name in scored for task in plan.tasks()):
            plan = with_runnable_engine(plan, self.models, for_account=False)
        job = Job(self.shared.store, f"{JOURNAL}/plans/{plan.identity}", results, shared=JOURNAL)
        job.write_plan(plan)
        _score(job, plan, self.models.store.uri, self.workers, self.progress)
        return job, plan


def report_names(recordings: Sequence[PlannedRecording], formats: Sequence[str]) -> Iterator[str]:
    """Yield the names of the result files of recordings, as far as they are known before scoring."""
    for recording in recordings:
        if recording.failure is None:
            yield from (f"{recording.name}{REPORTS[form].suffix}" for form in formats)
    yield from (SUMMARY, EFFORT)
    if len(recordings) > 1:
        yield from (COMBINED_EVENTS,) if "csv" in formats else ()
        yield from (COMBINED_SELECTIONS,) if "raven" in formats else ()


def _hashes(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {name: sha256 for outcome in outcomes for name, sha256 in outcome.files.items()}


def _score(job: Job, plan: Plan, models_uri: str, workers: int, progress: Progress | None) -> None:
    """Score the ranges of a plan without a part; store the reason of each that fails.

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
    """Group ranges into calls: short recordings share a call, and every worker gets several calls."""
    share = sum(len(task.windows) for task in tasks) // (_CALLS_PER_WORKER * workers)
    return list(batched(tasks, min(windows, share)))


def _run_all(
    work: Callable[[_T], Failure | None], calls: Sequence[Sequence[_T]], workers: int
) -> Iterator[tuple[_T, Failure | None]]:
    """Yield each task with None or the reason why it failed, as the calls finish.

    A process that crashes breaks its whole pool. The call that it ran is among the first unfinished ones, because calls
    begin in order. The tasks of these are run one by one, to find the one that crashes; the others in another pool.
    """
    while calls:
        unfinished = yield from _run_in_pool(work, calls, min(workers, len(calls)))
        suspects, calls = unfinished[: 2 * workers + 1], unfinished[2 * workers + 1 :]
        yield from _run_one_by_one(work, [task for call in suspects for task in call])


def _run_in_pool(
    work: Callable[[_T], Failure | None], calls: Sequence[Sequence[_T]], workers: int
) -> Generator[tuple[_T, Failure | None], None, list[Sequence[_T]]]:
    """Yield the tasks of each call that finishes; return the unfinished calls in order."""
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
    """Yield each task as :func:`_run_all` does; a task that crashes a new process has failed."""
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
    """Run the tasks of one call, in a worker process."""
    return [work(task) for task in call]


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Open a pool of new processes; forked ones would inherit the threads of the caller."""
    others = set(active_children())
    with starting_workers():  # the first pool also starts a helper process of Python
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_worker)
    try:
        yield pool
    except BaseException:  # Ctrl-C, a full disk: the results of the workers are not needed any more
        for child in set(active_children()) - others:
            child.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin_worker() -> None:
    """Close a worker's standard error: LiteRT writes messages there, which would disturb the progress bar.

    The errors of a worker are returned as data.
    """
    as_worker()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _score_one(store_uri: str, models_uri: str, model: PinnedModel, task: RangeTask) -> Failure | None:
    """Score one range in a worker process; return None or the reason of its failure, without an exception."""
    return _reason(task, lambda: score_range(shared_job(store_uri), task, ready_model(models_uri, model)))


def _transcode_one(store_uri: str, task: TranscodeTask) -> Failure | None:
    """Transcode one recording in a worker process; return None or the reason, without an exception."""
    return _reason(task, lambda: transcode_task(shared_job(store_uri), task))


def shared_job(store_uri: str) -> Job:
    """Return the job that stands for what all jobs of a folder share: scores and transcoded recordings."""
    return Job(open_store(store_uri), "", "", shared=JOURNAL)


def _reason(task: RangeTask | TranscodeTask, work: Callable[[], object]) -> Failure | None:
    try:
        work()
    except AnemonefishError as error:
        return Failure.of(error)
    except Exception as error:  # any other error (memory, a defect of the package) fails the task, not the process
        return Failure("RangeFailed", f"{task.path}: {type(error).__name__}: {error}")
    return None
