"""Aggregate: parts become results, and the manifest is written last.

The parts of each recording are joined, smoothed and turned into events and reports, with a summary of all recordings. A
recording with a failed range is listed with its reason, and the others are finished. Parts are only read, so deciding
again with other settings needs no inference. Results have the same bytes however the job was cut; no clock is read.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from anemonefish.canonical import dump_json
from anemonefish.errors import MissingParts
from anemonefish.jobs.job import Job
from anemonefish.jobs.parts import read_scores
from anemonefish.jobs.plan import Plan, PlannedRecording, RangeTask
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.results.decide import decide
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.report_formats import REPORTS, write_report
from anemonefish.results.summary import Outcome, write_job_files
from anemonefish.stores import Kind
from anemonefish.stores.temporary import temporary_folder
from anemonefish.workflow.planner import check_recordings

__all__ = ["Aggregate", "aggregate_job", "finished_recordings", "write_reports", "write_summaries"]

_RECORDINGS_AT_ONCE = 4
"""Recordings finished at once in a remote store, where most of the time is spent waiting. More would need more memory
for scores."""

_WINDOWS_IN_MEMORY = 10_000
"""Reports of up to this many windows are made in memory, a few megabytes each; longer ones in a file."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The outcome of a job."""

    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> int:
        """Number of recordings that could not be analysed."""
        return sum(outcome.failed for outcome in self.outcomes)

    @property
    def events(self) -> int:
        """Number of events in all recordings."""
        return sum(len(outcome.events) for outcome in self.outcomes)


def aggregate_job(job: Job, models: ModelRepository) -> Aggregate:
    """Turn the parts of a job into reports, ``summary.csv`` and ``manifest.json``.

    Raises
    ------
    RecordingError, RangeFailed
        The only recording failed; this is its error.
    EveryRecordingFailed
        All of several recordings failed.
    MissingParts
        A range has neither a part nor the reason of a failure.
    DamagedPart
        A part does not fit its range.
    """
    plan = job.read_plan()
    spec = models.spec(plan.model)
    recordings = finished_recordings(job, plan)
    tasks = [list(plan.tasks_of(number)) for number in range(len(recordings))]
    parts: dict[str, str] = {}
    finished = partial(_finish, job, plan, spec, parts)
    if job.store.at_once == 1:
        outcomes = tuple(map(finished, recordings, tasks))
    else:
        with ThreadPoolExecutor(min(_RECORDINGS_AT_ONCE, job.store.at_once)) as pool:
            outcomes = tuple(pool.map(finished, recordings, tasks))
    overview = write_summaries(job, outcomes, plan.settings.formats)
    job.store.write(job.manifest_key, _manifest(plan, outcomes, parts, overview))
    return Aggregate(outcomes)


def finished_recordings(job: Job, plan: Plan) -> list[PlannedRecording]:
    """Return the recordings of a job that was scored; those with a failed range carry its reason.

    Raises
    ------
    AnemonefishError
        As in :func:`aggregate_job`: no recording is left, or a range has neither a part nor a reason.
    """
    scored, reasons = job.scored(), job.failed()
    recordings = [
        _with_range_failure(job, recording, list(plan.tasks_of(number)), scored, reasons)
        for number, recording in enumerate(plan.recordings)
    ]
    check_recordings(recordings)
    return recordings


def _with_range_failure(
    job: Job, recording: PlannedRecording, tasks: Sequence[RangeTask], scored: set[str], reasons: set[str]
) -> PlannedRecording:
    """Return the recording with the reason of its first failed range, if it has one.

    A range with a part and a reason failed once and was scored later, so its part is used.
    """
    absent = [task for task in tasks if task.name not in scored]
    for task in absent:
        if task.reason_name in reasons:
            return replace(recording, failure=job.read_range_failure(task))
    if absent:
        raise MissingParts(
            f"{recording.name}: {len(absent)} of {len(tasks)} ranges have no scores and no reason, "
            f"the first begins at window {absent[0].windows.start}; resume the job"
        )
    return recording


def _finish(
    job: Job,
    plan: Plan,
    spec: ModelSpec,
    parts: dict[str, str],
    recording: PlannedRecording,
    tasks: Sequence[RangeTask],
) -> Outcome:
    if recording.failure is not None or recording.analysis is None:
        return Outcome(recording)
    stored = read_scores(job, spec, tasks)
    parts.update(stored.hashes)
    return write_reports(job, decide(recording, spec, plan.model, plan.settings, stored.scores, stored.observed))


def write_reports(job: Job, result: RecordingResult) -> Outcome:
    """Write the reports of a recording in the formats of its settings; return its outcome, without scores."""
    files = _write_formats(job, result)
    scores = result.scores
    return Outcome(result.recording, len(scores), replace(result, scores=scores[:0], smoothed=scores[:0]), files)


def _write_formats(job: Job, result: RecordingResult) -> dict[str, str]:
    """Write the reports of a recording; return the SHA-256 of each by its name."""
    write = _write_small if len(result.scores) <= _WINDOWS_IN_MEMORY else _write_large
    names = {form: f"{result.recording.name}{REPORTS[form].suffix}" for form in result.settings.formats}
    return {name: write(job, name, form, result) for form, name in names.items()}


def _write_small(job: Job, name: str, form: str, result: RecordingResult) -> str:
    buffer = io.BytesIO()
    REPORTS[form].write(buffer, result)
    data = buffer.getvalue()
    job.store.write(job.result_key(name), data, Kind.RESULT)
    return hashlib.sha256(data).hexdigest()


def _write_large(job: Job, name: str, form: str, result: RecordingResult) -> str:
    with temporary_folder() as folder:
        path = Path(folder, "report")
        write_report(form, path, result)
        return _store(job, name, path, Kind.RESULT)


def write_summaries(job: Job, outcomes: Sequence[Outcome], formats: Sequence[str]) -> dict[str, str]:
    """Write the summary and the tables of all recordings; return the SHA-256 of each by its name."""
    with temporary_folder() as folder:
        return {path.name: _store(job, path.name, path) for path in write_job_files(Path(folder), outcomes, formats)}


def _store(job: Job, name: str, path: Path, kind: Kind | None = None) -> str:
    """Store a result file; return its SHA-256."""
    job.store.upload(job.result_key(name), path, kind)
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _manifest(plan: Plan, outcomes: Sequence[Outcome], parts: dict[str, str], overview: dict[str, str]) -> bytes:
    return dump_json(
        {
            "model": plan.model.to_dict(),
            "settings": plan.settings.to_dict(),
            "overview": overview,
            "recordings": [
                {
                    "name": outcome.recording.name,
                    "status": outcome.summary.status,
                    "events": None if outcome.failed else len(outcome.events),
                    "failure": None if outcome.recording.failure is None else asdict(outcome.recording.failure),
                    "notes": [asdict(note) for note in outcome.recording.notes],
                    "results": outcome.files,
                }
                for outcome in outcomes
            ],
            "parts": dict(sorted(parts.items())),
        }
    )
