"""Aggregate: the outcomes of all recordings become the job-level files, and the manifest is written last.

:mod:`.report` has written the reports of each recording before. The outcomes are small, so the time and the memory of
this step hardly depend on how long the recordings are. On a laptop, both steps run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from anemonefish.canonical import dump_json
from anemonefish.errors import Failure
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan, PlannedRecording
from anemonefish.jobs.score_calibration import fitting
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.results.stored_outcomes import StoredOutcomes
from anemonefish.results.summary import Outcome, write_job_files
from anemonefish.settings import Settings
from anemonefish.stores.temporary import temporary_folder
from anemonefish.workflow.planner import check_failures, check_recordings
from anemonefish.workflow.report import report_recording, store_file, with_range_failure

__all__ = ["Totals", "aggregate_job", "finished_recordings", "report_and_aggregate", "write_summaries"]


@dataclass(slots=True)
class Totals:
    """How many recordings a job has, and what became of them.

    Attributes
    ----------
    recordings : int
    failed : int
        Recordings that could not be analysed.
    events : int
        Events in all recordings.
    """

    recordings: int = 0
    failed: int = 0
    events: int = 0


def aggregate_job(
    job: Job, plan: Plan, models: ModelRepository, tell: Callable[[Outcome], None] = lambda _: None
) -> Totals:
    """Write the summary, the tables and ``manifest.json`` of a job from the stored outcomes of its recordings.

    Parameters
    ----------
    job : Job
    plan : Plan
    models : ModelRepository
    tell : callable
        Gets the outcome of each recording.

    Raises
    ------
    RecordingError, RangeFailed, FunctionFailed, DamagedPart
        The only recording failed; this is its error.
    EveryRecordingFailed
        All of several recordings failed.
    MissingParts
        A recording has neither an outcome nor the reason of a failure, or ranges of it are missing.
    """
    spec = models.spec(plan.model)
    return _aggregate(job, plan, spec, _told(StoredOutcomes(job, plan).read_all(spec), tell))


def _told(outcomes: Iterable[Outcome], tell: Callable[[Outcome], None]) -> Iterator[Outcome]:
    for outcome in outcomes:
        tell(outcome)
        yield outcome


def report_and_aggregate(job: Job, models: ModelRepository) -> tuple[Outcome, ...]:
    """Write the reports of all recordings and the job-level files, on this machine; return the outcomes.

    Raises
    ------
    AnemonefishError
        As :func:`aggregate_job`.
    """
    plan = job.read_plan()
    spec = models.spec(plan.model)
    outcomes = tuple(report_recording(job, plan, spec, number) for number in range(len(plan.recordings)))
    _aggregate(job, plan, spec, outcomes)
    return outcomes


def finished_recordings(job: Job, plan: Plan) -> list[PlannedRecording]:
    """Return the recordings of a job that was scored; those with a failed range carry its reason.

    Raises
    ------
    AnemonefishError
        As in :func:`aggregate_job`: no recording is left, or a range has neither a part nor a reason.
    """
    scored = job.scored()
    recordings = [
        with_range_failure(job, recording, list(plan.tasks_of(number)), scored)
        for number, recording in enumerate(plan.recordings)
    ]
    check_recordings(recordings)
    return recordings


def write_summaries(
    job: Job, outcomes: Iterable[Outcome], settings: Settings, *, recordings: int, model_card: str, calibrated: bool
) -> dict[str, str]:
    """Write the summary, the effort and the tables of all recordings; return the SHA-256 of each by its name.

    Nothing is stored when the outcomes raise an error.
    """
    with temporary_folder() as folder:
        paths = write_job_files(
            folder, outcomes, settings, several=recordings > 1, model_card=model_card, calibrated=calibrated
        )
        return {path.name: store_file(job, path.name, path) for path in paths}


def _aggregate(job: Job, plan: Plan, spec: ModelSpec, outcomes: Iterable[Outcome]) -> Totals:
    manifest = _Manifest(len(plan.recordings))
    overview = write_summaries(
        job,
        manifest.collect(outcomes),
        plan.settings,
        recordings=len(plan.recordings),
        model_card=spec.card.line,
        calibrated=fitting(plan.calibration, spec, plan.model, plan.settings) is not None,
    )
    job.store.write(job.manifest_key, manifest.to_json(plan, overview))
    return manifest.totals


@dataclass(slots=True)
class _Manifest:
    """What the manifest says about the recordings."""

    recordings: int
    totals: Totals = field(default_factory=Totals)
    entries: list[dict[str, Any]] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)

    def collect(self, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Yield the outcomes and note what the manifest says about them; raise an error if all have failed."""
        failures: list[Failure] = []
        for outcome in outcomes:
            failure = outcome.recording.failure
            if failure is not None:
                failures.append(failure)
            self.totals.recordings += 1
            self.totals.failed += outcome.failed
            self.totals.events += len(outcome.events)
            self.parts.update(outcome.parts)
            self.entries.append(_entry(outcome))
            yield outcome
        check_failures(failures, self.recordings)

    def to_json(self, plan: Plan, overview: dict[str, str]) -> bytes:
        """Return ``manifest.json``."""
        return dump_json(
            {
                "model": plan.model.to_dict(),
                "settings": plan.settings.to_dict(),
                **({} if plan.calibration is None else {"calibration": plan.calibration.summary()}),
                "overview": overview,
                "recordings": self.entries,
                "parts": dict(sorted(self.parts.items())),
            }
        )


def _entry(outcome: Outcome) -> dict[str, Any]:
    return {
        "name": outcome.recording.name,
        "status": outcome.summary.status,
        "events": None if outcome.failed else len(outcome.events),
        "calls": outcome.calls,
        "failure": None if outcome.recording.failure is None else asdict(outcome.recording.failure),
        "notes": [asdict(note) for note in outcome.recording.notes],
        "results": outcome.files,
    }
