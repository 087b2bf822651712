"""Report: the parts of each recording become its reports.

The scores of a recording are joined, smoothed and turned into events and reports. Parts are only read, so deciding
again with other settings needs no inference. Results have the same bytes however the job was cut; no clock is read.
In an account, a worker reports the recordings of one task and stores the outcome of each (:mod:`.stored_outcomes`), so
that a worker that runs again writes no report twice.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path

from anemonefish.errors import AnemonefishError, DamagedPart, Failure, FunctionFailed, MissingParts
from anemonefish.jobs.job import Job
from anemonefish.jobs.parts import read_scores
from anemonefish.jobs.plan import Plan, PlannedRecording, RangeTask
from anemonefish.jobs.report_tasks import ReportTask
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.results.decide import decide
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.report_formats import REPORTS, write_report
from anemonefish.results.stored_outcomes import StoredOutcomes
from anemonefish.results.summary import Outcome
from anemonefish.stores import Kind
from anemonefish.stores.temporary import temporary_folder

__all__ = ["Reported", "report_recording", "report_task", "store_file", "with_range_failure", "write_reports"]

_RECORDINGS_AT_ONCE = 4
"""Recordings reported at once in a remote store, where most of the time is spent waiting."""

_WINDOWS_IN_MEMORY = 10_000
"""Reports of up to this many windows are made in memory, a few megabytes each; longer ones in a file."""

Observe = Callable[[PlannedRecording], AbstractContextManager[None]]
"""Returns the context in which a recording is reported; an error leaves it as it is raised."""

Draw = Callable[[Job, RecordingResult], None]
"""Called with each result while it has its scores, after its reports were written."""


def _draw_nothing(job: Job, result: RecordingResult) -> None:
    """Draw no picture."""


@dataclass(frozen=True, slots=True)
class Reported:
    """Counts of the recordings of one worker.

    Attributes
    ----------
    recordings : int
        Recordings that it was given.
    written : int
        Recordings whose reports it wrote; those of the others existed.
    failed : int
        Recordings that failed; their reason was stored.
    """

    recordings: int
    written: int
    failed: int


def report_task(
    job: Job,
    task: ReportTask,
    models: ModelRepository,
    observe: Observe = lambda _: nullcontext(),
    draw: Draw = _draw_nothing,
) -> Reported:
    """Report the recordings of one worker; one that fails does not stop the others.

    Parameters
    ----------
    job : Job
    task : ReportTask
    models : ModelRepository
    observe, draw : callable

    Raises
    ------
    AnemonefishError
        An error that a retry may avoid, after all recordings were tried.
    InvalidRequest
        The job was not planned, or has fewer recordings.
    """
    plan = job.read_plan(task)
    worker = _Worker(job, plan, models.spec(plan.model), observe, draw)
    numbers = [number for number, windows in enumerate(plan.windows()) if windows is not None]
    with ThreadPoolExecutor(min(_RECORDINGS_AT_ONCE, job.store.at_once)) as pool:
        # A copy of the context for each, so that the lines of its log have the keys of this call.
        futures = [pool.submit(copy_context().run, worker.report, number) for number in numbers]
    outcomes = [future.result() for future in futures]
    for outcome in outcomes:
        if isinstance(outcome, AnemonefishError):
            raise outcome
    return Reported(len(numbers), outcomes.count("written"), outcomes.count("failed"))


class _Worker:
    """Reports recordings of a plan and stores their outcomes."""

    def __init__(self, job: Job, plan: Plan, spec: ModelSpec, observe: Observe, draw: Draw) -> None:
        self._job = job
        self._plan = plan
        self._spec = spec
        self._observe = observe
        self._draw = draw
        self._stored = StoredOutcomes(job, plan)

    def report(self, number: int) -> str | AnemonefishError:
        """Return ``"written"``, ``"failed"`` or ``"exists"``, or an error that a retry may avoid."""
        recording = self._plan.recordings[number]
        try:
            if self._stored.reported(recording):
                return "exists"
            with self._observe(recording):
                outcome = report_recording(self._job, self._plan, self._spec, number, self._draw)
            self._stored.write(recording, outcome)
        except AnemonefishError as error:
            if error.retryable:
                return error
            self._stored.write_failure(recording, Failure.of(error))
            return "failed"
        except Exception as error:  # memory, a full disk, a defect: the other recordings continue
            reason = f"{recording.name}: its reports could not be written: {type(error).__name__}: {error}"
            self._stored.write_failure(recording, Failure(FunctionFailed.__name__, reason))
            return "failed"
        return "failed" if outcome.failed else "written"


def report_recording(job: Job, plan: Plan, spec: ModelSpec, number: int, draw: Draw = _draw_nothing) -> Outcome:
    """Decide one recording of a plan and write its reports; return its outcome.

    A recording with a failed range or a damaged part has failed, and its outcome has the reason.

    Raises
    ------
    MissingParts
        A range has neither a part nor the reason of a failure.
    StorageError
        The store did not answer; try again.
    """
    recording, tasks = plan.recordings[number], list(plan.tasks_of(number))
    if recording.failure is not None or recording.analysis is None:
        return Outcome(recording)
    try:
        stored = read_scores(job, spec, tasks)
    except MissingParts:
        scored = {task.name for task in tasks if job.store.exists(job.part_key(task))}
        recording = with_range_failure(job, recording, tasks, scored)
        if recording.failure is None:  # the part was written in the meantime
            return report_recording(job, plan, spec, number, draw)
        return Outcome(recording)
    except DamagedPart as error:
        return Outcome(replace(recording, failure=Failure.of(error)))
    result = decide(
        recording, spec, plan.model, plan.settings, stored.scores, stored.observed, stored.levels, plan.calibration
    )
    outcome = write_reports(job, result)
    draw(job, result)
    return replace(outcome, parts=stored.hashes)


def with_range_failure(
    job: Job, recording: PlannedRecording, tasks: Sequence[RangeTask], scored: set[str]
) -> PlannedRecording:
    """Return the recording with the reason of its first failed range, if it has one.

    A range with a part and a reason failed once and was scored later, so its part is used.

    Raises
    ------
    MissingParts
        A range has neither.
    """
    absent = [task for task in tasks if task.name not in scored]
    for task in absent:
        if (failure := job.read_range_failure(task)) is not None:
            return replace(recording, failure=failure)
    if absent:
        raise MissingParts(
            f"{recording.name}: {len(absent)} of {len(tasks)} ranges have no scores and no reason, "
            f"the first begins at window {absent[0].windows.start}; resume the job"
        )
    return recording


def write_reports(job: Job, result: RecordingResult) -> Outcome:
    """Write the reports of a recording in the formats of its settings; return its outcome, without scores."""
    write = _write_small if len(result.scores) <= _WINDOWS_IN_MEMORY else _write_large
    names = {form: f"{result.recording.name}{REPORTS[form].suffix}" for form in result.settings.formats}
    files = {name: write(job, name, form, result) for form, name in names.items()}
    return Outcome(result.recording, len(result.scores), result.without_scores(), files)


def _write_small(job: Job, name: str, form: str, result: RecordingResult) -> str:
    buffer = io.BytesIO()
    REPORTS[form].write(buffer, result)
    data = buffer.getvalue()
    job.store.write(job.result_key(name), data, Kind.RESULT)
    return hashlib.sha256(data).hexdigest()


def _write_large(job: Job, name: str, form: str, result: RecordingResult) -> str:
    with temporary_folder() as folder:
        path = folder / "report"
        write_report(form, path, result)
        return store_file(job, name, path, Kind.RESULT)


def store_file(job: Job, name: str, path: Path, kind: Kind | None = None) -> str:
    """Store a result file; return its SHA-256."""
    job.store.upload(job.result_key(name), path, kind)
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
