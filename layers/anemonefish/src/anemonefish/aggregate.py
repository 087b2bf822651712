"""Aggregate: parts become results, and the manifest is written last.

Owns putting a job together: the parts of each recording in order, smoothing, events, reports, the summary of
all recordings and the manifest. A recording with a failed range is reported with its reason and the others
finish. Parts are only read, so deciding again with other settings is another aggregate and no inference.
Promises the same bytes whatever the number of ranges and whoever scored them; no clock is read.
"""

from __future__ import annotations

import csv
import hashlib
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from anemonefish.decide import decide, read_scores
from anemonefish.errors import MissingParts
from anemonefish.events import Event
from anemonefish.jobs import Failure, Job, Plan, PlannedRecording, RangeTask, dump_json
from anemonefish.models.bundle import ModelSpec, sha256
from anemonefish.models.repository import ModelRepository
from anemonefish.plan import check_recordings
from anemonefish.report import REPORTS, RecordingResult, write_report

__all__ = ["Aggregate", "Outcome", "aggregate_job"]

SUMMARY = "summary.csv"

_RECORDINGS_AT_ONCE = 4
"""Recordings finished at once: most of the time is spent waiting for the store. More would hold more scores."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recording; small, because a job may have thousands.

    Attributes
    ----------
    recording : PlannedRecording
        With its failure, if it failed.
    n_windows : int
    events : tuple of Event
    files : dict of str to str
        SHA-256 of each result file by its key below the results prefix.
    """

    recording: PlannedRecording
    n_windows: int = 0
    events: tuple[Event, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the recording could not be analysed."""
        return self.recording.failure is not None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What became of a job."""

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
        The only recording failed; the error is its own.
    EveryRecordingFailed
        All of several recordings failed.
    MissingParts
        A range has neither a part nor a reason.
    DamagedPart
        A part does not fit its range.
    """
    plan = job.read_plan()
    spec = models.spec(plan.model)
    tasks = [list(plan.tasks_of(number)) for number in range(len(plan.recordings))]
    scored, reasons = job.scored(), job.failed()
    recordings = [
        _with_range_failure(job, recording, of_it, scored, reasons)
        for recording, of_it in zip(plan.recordings, tasks, strict=True)
    ]
    check_recordings(recordings)
    parts: dict[str, str] = {}
    with ThreadPoolExecutor(_RECORDINGS_AT_ONCE) as pool:
        outcomes = tuple(
            pool.map(
                lambda recording, of_it: _finish(job, plan, spec, recording, of_it, parts),
                recordings,
                tasks,
            )
        )
    summary = _write_summary(job, outcomes)
    job.store.write(job.manifest_key, _manifest(plan, outcomes, parts, summary))
    return Aggregate(outcomes)


def _with_range_failure(
    job: Job, recording: PlannedRecording, tasks: Sequence[RangeTask], scored: set[str], reasons: set[str]
) -> PlannedRecording:
    """Return the recording with the reason of its first failed range, if it has one.

    A part outweighs a reason: the range failed once and was scored later.
    """
    absent = [task for task in tasks if task.name not in scored]
    for task in absent:
        if task.name in reasons:
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
    recording: PlannedRecording,
    tasks: Sequence[RangeTask],
    parts: dict[str, str],
) -> Outcome:
    if recording.failure is not None or recording.analysis is None:
        return Outcome(recording)
    scores, hashes = read_scores(job, spec, tasks)
    parts.update(hashes)
    result = decide(recording, spec, plan.model, plan.settings, scores)
    return Outcome(recording, len(scores), result.events, _write_reports(job, result))


def _write_reports(job: Job, result: RecordingResult) -> dict[str, str]:
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in result.settings.formats:
            file = f"{result.recording.name}{REPORTS[name].suffix}"
            path = Path(folder, "report")
            write_report(name, path, result)
            job.store.upload(job.result_key(file), path)
            with path.open("rb") as content:
                files[file] = hashlib.file_digest(content, "sha256").hexdigest()
    return files


def _write_summary(job: Job, outcomes: Sequence[Outcome]) -> str:
    """Write one line per recording, so that a folder of results says what became of each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, SUMMARY)
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("recording", "status", "windows", "events", "error", "message"))
            for outcome in outcomes:
                failure = outcome.recording.failure or Failure("", "")
                counts = ("", "") if outcome.failed else (outcome.n_windows, len(outcome.events))
                status = "failed" if outcome.failed else "done"
                rows.writerow((outcome.recording.name, status, *counts, failure.error, failure.message))
        job.store.upload(job.result_key(SUMMARY), path)
        return sha256(path.read_bytes())


def _manifest(plan: Plan, outcomes: Sequence[Outcome], parts: dict[str, str], summary: str) -> bytes:
    return dump_json(
        {
            "model": plan.model.to_dict(),
            "settings": plan.settings.to_dict(),
            "summary": {SUMMARY: summary},
            "recordings": [
                {
                    "name": outcome.recording.name,
                    "status": "failed" if outcome.failed else "done",
                    "events": None if outcome.failed else len(outcome.events),
                    "failure": None if outcome.recording.failure is None else asdict(outcome.recording.failure),
                    "results": outcome.files,
                }
                for outcome in outcomes
            ],
            "parts": dict(sorted(parts.items())),
        }
    )
