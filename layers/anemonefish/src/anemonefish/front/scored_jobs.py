"""The scores of a job on this machine, and the results that are made of them."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import MissingParts, StorageError
from anemonefish.front.detections import Detections
from anemonefish.front.recording_detections import RecordingDetections
from anemonefish.front.scores import Scores
from anemonefish.jobs.job import Job
from anemonefish.jobs.parts import StoredScores, read_scores
from anemonefish.jobs.plan import Plan
from anemonefish.models.bundle import ModelSpec
from anemonefish.profiles.band_levels import BandLevels
from anemonefish.results.decide import decide
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.summary import Outcome
from anemonefish.settings import Settings
from anemonefish.stores import Store
from anemonefish.workflow.aggregate import finished_recordings
from anemonefish.workflow.review import Review

__all__ = ["JobScores", "ScoredJob", "TemporaryFolder"]


@dataclass(frozen=True, slots=True)
class JobScores:
    """The scores of one recording among the parts of a job.

    Attributes
    ----------
    scored : ScoredJob
    number : int
        Which recording of the plan.
    """

    scored: ScoredJob
    number: int

    @property
    def store(self) -> Store:
        """Where the job lies."""
        return self.scored.job.store

    def read_scores(self) -> NDArray[np.float32]:
        """Return the raw scores, shape (n_windows, n_classes)."""
        return self._stored().scores

    def read_levels(self) -> BandLevels | None:
        """Return the band levels of the windows; None where an older version scored them."""
        return self._stored().levels

    def result(self, settings: Settings) -> RecordingResult:
        """Decide the recording with other settings."""
        job, stored = self.scored, self._stored()
        plan, recording = job.plan, job.plan.recordings[self.number]
        return decide(
            recording, job.spec, plan.model, settings, stored.scores, stored.observed, stored.levels, plan.calibration
        )

    def _stored(self) -> StoredScores:
        try:
            return read_scores(self.scored.job, self.scored.spec, list(self.scored.plan.tasks_of(self.number)))
        except MissingParts:
            name = self.scored.plan.recordings[self.number].name
            raise StorageError(f"{name}: its scores are gone from {self.store.uri}; detect again") from None


@dataclass(frozen=True, slots=True)
class ScoredJob:
    """A job that was scored on this machine.

    Attributes
    ----------
    job : Job
        Where its parts lie.
    plan : Plan
    spec : ModelSpec
    settings : Settings
        As the caller gave them; those of the plan cut the work for this machine.
    folder : TemporaryFolder or None
        What is deleted with the last of the results.
    """

    job: Job
    plan: Plan
    spec: ModelSpec
    settings: Settings
    folder: TemporaryFolder | None = None

    def outcomes(self) -> Iterator[Outcome]:
        """Yield what became of each recording, without its scores."""
        for number, recording in enumerate(finished_recordings(self.job, self.plan)):
            if recording.failure is not None:
                yield Outcome(recording)
            else:
                result = JobScores(self, number).result(self.plan.settings)
                yield Outcome(result.recording, len(result.scores), result.without_scores())

    def detections(
        self, outcomes: Iterable[Outcome], not_looked_at: tuple[str, ...], review: Review | None = None
    ) -> Detections:
        """Return the results of the recordings that were decided."""
        settings = self.spec.decided(self.settings)
        planned, recordings = [], []
        for number, outcome in enumerate(outcomes):
            planned.append(outcome.recording)
            if outcome.result is not None:
                recordings.append(
                    RecordingDetections.build(
                        outcome.recording,
                        self.spec.classes,
                        self.plan.model,
                        settings,
                        outcome.events,
                        JobScores(self, number),
                        outcome.result.calibration,
                    )
                )
        card = self.spec.card.line
        return Detections(self.plan.model, settings, tuple(planned), tuple(recordings), not_looked_at, review, card)

    def scores(self) -> Scores:
        """Return the scores of all recordings."""
        tables, failed = [], {}
        for number, recording in enumerate(finished_recordings(self.job, self.plan)):
            if recording.failure is not None:
                failed[recording.name] = recording.failure.to_error()
            else:
                result = JobScores(self, number).result(self.plan.settings)
                how, notes = result.analysis, result.recording.notes
                tables.append(
                    Scores.on_grid(recording.name, self.spec.classes, result.scores, how.grid, how.sample_rate, notes)
                )
        return Scores.joined(tables, self.spec.classes, failed)


class TemporaryFolder:
    """A temporary folder that is deleted with this object, and at once when its block fails."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="anemonefish-"))
        self._delete = weakref.finalize(self, rmtree, self.path, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._delete()
