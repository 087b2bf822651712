"""Read the results of a job, decide again with other settings, and write files on demand.

Events of other settings are found in the stored scores; no window is scored again. The key of a file contains the id of
its decision, which depends on the settings only, so an existing file can be returned as it is::

    {work}/results/{recording}{suffix}                 written by the aggregate
    {work}/decisions/{decision}/settings.json          the settings of a decision
    {work}/decisions/{decision}/{recording}{suffix}    written on demand
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from anemonefish.canonical import dump_json
from anemonefish.errors import (
    DecisionNotFound,
    Failure,
    MissingParts,
    RecordingNotFound,
    ScoresDeleted,
    WrongState,
    short_repr,
)
from anemonefish.jobs.job import Job
from anemonefish.jobs.parts import StoredScores, read_scores
from anemonefish.jobs.plan import Plan, PlannedRecording
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.notes import Note
from anemonefish.results.decide import decide
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.report_formats import REPORTS, write_report
from anemonefish.results.review_state import ReviewedEvent, read_reviewed_events
from anemonefish.settings import Settings
from anemonefish.stores import Kind
from anemonefish.stores.temporary import temporary_folder
from anemonefish.workflow.planner import check_settings

__all__ = ["JobResults", "RecordingSummary"]

_MOST_REVIEWED = 1_500
"""Largest number of clips and plots in an answer. A link has 2 kB or more, because it contains the session token of a
role, and Lambda answers with at most six megabytes. ``files?all=true`` lists all files in pages."""


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """The outcome of one recording."""

    name: str
    windows: int | None
    events: int | None
    calls: int | None
    failure: Failure | None
    status: str
    notes: tuple[Note, ...]


class JobResults:
    """The results of one job that has a manifest.

    Parameters
    ----------
    job : Job
    models : ModelRepository
    attempt : int
        The attempt that succeeded: a resume may add results of recordings that failed by the system.
    score_days : int, optional
        Days for which the stack keeps scores; None where they are not deleted.
    """

    def __init__(self, job: Job, models: ModelRepository, attempt: int = 1, score_days: int | None = None) -> None:
        self._job = job
        self._attempt = attempt
        self._score_days = score_days
        self._models = models
        self._plan, self._spec, self._manifest = _read_job(job, models, attempt)

    @property
    def job(self) -> Job:
        """The job."""
        return self._job

    @property
    def plan(self) -> Plan:
        """Its plan."""
        return self._plan

    @property
    def spec(self) -> ModelSpec:
        """The model that made the results."""
        return self._spec

    @property
    def attempt(self) -> int:
        """The attempt that succeeded."""
        return self._attempt

    def recordings(self) -> list[RecordingSummary]:
        """Return the outcome of each recording, from the manifest."""
        return [
            RecordingSummary(
                outcome["name"],
                None if planned.analysis is None or outcome["failure"] else planned.analysis.grid.n_windows,
                outcome["events"],
                outcome.get("calls"),  # manifests of older versions have none
                None if outcome["failure"] is None else Failure(**outcome["failure"]),
                outcome["status"],
                Note.list_from(outcome.get("notes", ())),  # manifests of older versions have no notes
            )
            for outcome, planned in zip(self._manifest["recordings"], self._plan.recordings, strict=True)
        ]

    def decide(self, number: int, changes: Mapping[str, Any]) -> tuple[str, RecordingResult]:
        """Decide again and store the settings; return the decision's id and the result.

        Raises
        ------
        RecordingNotFound, InvalidSettings
            There is no such recording, or a setting is invalid.
        """
        settings = self._settings(changes)
        result = self.result(number, settings)
        decision = _decision_id(settings)
        self._job.store.write(f"{self._folder(decision)}/settings.json", dump_json(dict(changes)))
        return decision, result

    def settings_of(self, decision: str | None) -> Settings:
        """Return the settings of a decision, or the job's own; raise :class:`DecisionNotFound`."""
        if decision is None:
            return self._spec.decided(self._plan.settings)
        try:
            changes = json.loads(self._job.store.read(f"{self._folder(decision)}/settings.json"))
        except FileNotFoundError:
            raise DecisionNotFound(
                f"there is no decision {short_repr(decision)} of this execution; decide first"
            ) from None
        return self._settings(changes)

    def result(self, number: int, settings: Settings) -> RecordingResult:
        """Return one recording's result under the settings.

        Raises
        ------
        RecordingNotFound
            There is no such recording.
        RecordingError
            It could not be analysed; this is its error.
        ScoresDeleted
            Its scores have been deleted after their time.
        """
        planned = self._planned(number)
        failure = self.recordings()[number].failure
        if failure is not None:
            raise failure.to_error()
        try:
            stored = _read_scores(self._job, self._models, self._attempt, number)
        except MissingParts:
            raise self.scores_deleted(number) from None
        plan = self._plan
        return decide(
            planned, self._spec, plan.model, settings, stored.scores, stored.observed, stored.levels, plan.calibration
        )

    def scores_deleted(self, number: int) -> ScoresDeleted:
        """Return the error that says that the scores of a recording were deleted after their time."""
        days = "" if self._score_days is None else f", which are kept for {self._score_days} days,"
        return ScoresDeleted(
            f"the scores of recording {number}{days} have been deleted; the files that were written are still "
            f"there (request them with format); for others, upload the recording again and start a new execution"
        )

    def decided_key(self, name: str) -> str:
        """Return the key of a file that is made on demand from the job's own results."""
        return f"{self._folder(_decision_id(self.settings_of(None)))}/{name}"

    def file(self, number: int, form: str, decision: str | None) -> tuple[str, str]:
        """Return key and file name of a report; it is written unless it exists."""
        settings = self.settings_of(decision)
        name = f"{self._planned(number).name}{REPORTS[form].suffix}"
        key = self._job.result_key(name)
        if decision is not None or form not in settings.formats:
            key = f"{self._folder(_decision_id(settings))}/{name}"
        if not self._job.store.exists(key):
            self._make(key, form, self.result(number, settings))
        return key, name.rpartition("/")[2]

    def files(self) -> list[tuple[str, str]]:
        """Return key and name of each job-level file: summary, combined tables, and the clips and plots written so far.

        The number of clips and plots is limited, because an answer must hold the links.
        """
        prefix = self._job.result_key("")
        reviewed = islice(self._job.store.keys(f"{prefix}review/"), _MOST_REVIEWED)
        return [
            (key, key.removeprefix(prefix))
            for key in (*(prefix + name for name in self._manifest["overview"]), *reviewed)
        ]

    def reviewed(self, number: int) -> dict[tuple[int, int, str], ReviewedEvent]:
        """Return the events of a recording that have a clip, by start, stop and class; decisions share them."""
        name = self._planned(number).name
        return {
            (event.start, event.stop, event.label): event
            for event in self._reviewed_events()
            if event.recording == name
        }

    def key_of(self, name: str) -> str:
        """Return the key of a file by its name among the results."""
        return self._job.result_key(name)

    def _reviewed_events(self) -> list[ReviewedEvent]:
        return read_reviewed_events(self._job) if self._plan.settings.review else []

    def _planned(self, number: int) -> PlannedRecording:
        if not 0 <= number < len(self._plan.recordings):
            last = len(self._plan.recordings) - 1
            raise RecordingNotFound(f"this execution has recordings 0 to {last}, not {number}")
        return self._plan.recordings[number]

    def _make(self, key: str, form: str, result: RecordingResult) -> None:
        with temporary_folder() as folder:
            path = Path(folder, "report")
            write_report(form, path, result)
            self._job.store.upload(key, path, Kind.RESULT)

    def _settings(self, changes: Mapping[str, Any]) -> Settings:
        settings = Settings.load({**self._plan.settings.to_dict(), **changes}, environment={})
        check_settings(self._spec, settings)
        return self._spec.decided(settings)

    def _folder(self, decision: str) -> str:
        return f"{self._job.work}/decisions/{decision}"


def _decision_id(settings: Settings) -> str:
    text = json.dumps(settings.decision(), sort_keys=True)
    return f"d-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@lru_cache(maxsize=16)
def _read_job(job: Job, models: ModelRepository, _attempt: int) -> tuple[Plan, ModelSpec, dict[str, Any]]:
    """Return plan, model and manifest, cached: they do not change after an attempt that succeeded."""
    plan = job.read_plan()
    try:
        manifest: dict[str, Any] = json.loads(job.store.read(job.manifest_key))
    except FileNotFoundError:
        raise WrongState(f"{job.work} has no results yet; wait until it has ended") from None
    return plan, models.spec(plan.model), manifest


@lru_cache(maxsize=2)
def _read_scores(job: Job, models: ModelRepository, attempt: int, number: int) -> StoredScores:
    """Return the scores of a recording, cached for the next decision with another threshold."""
    plan, spec, _ = _read_job(job, models, attempt)
    return read_scores(job, spec, list(plan.tasks_of(number)))
