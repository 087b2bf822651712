"""Stored outcomes: what became of each recording of a job, small enough to read those of ten thousand.

A worker that has written the reports of a recording stores its outcome last: notes, events, and the hashes of its
reports and parts, without scores. The job-level files are made of the outcomes alone. An outcome also has a
fingerprint of everything that the reports depend on, so a worker that runs again knows which reports exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, replace
from functools import partial
from typing import Any

import numpy as np

from anemonefish.canonical import digest
from anemonefish.errors import Failure, MissingParts
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Analysis, Plan, PlannedRecording
from anemonefish.jobs.score_calibration import fitting
from anemonefish.models.bundle import ModelSpec
from anemonefish.notes import Note
from anemonefish.results.events import Event
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.summary import Outcome

__all__ = ["StoredOutcomes"]


class StoredOutcomes:
    """The outcomes of the recordings of one job.

    Parameters
    ----------
    job : Job
    plan : Plan
        With all recordings, or some.
    """

    def __init__(self, job: Job, plan: Plan) -> None:
        self._job = job
        self._plan = plan

    def reported(self, recording: PlannedRecording) -> bool:
        """Say whether the reports of a recording exist.

        Reports of another plan are about to be replaced, so their outcome is made invalid.
        """
        document = self._document(recording)
        if document is None or document.get("failure") is not None:
            return False
        if document.get("fingerprint") == self._fingerprint(recording):
            return True
        self._job.store.write(self._job.outcome_key(recording.name), b"{}")
        return False

    def write(self, recording: PlannedRecording, outcome: Outcome) -> None:
        """Store the outcome of a planned recording, after its reports."""
        failure = outcome.recording.failure
        document = {
            "fingerprint": self._fingerprint(recording),
            "failure": None if failure is None else asdict(failure),
            "notes": [asdict(note) for note in outcome.recording.notes],
            "events": [astuple(event) for event in outcome.events],
            "files": outcome.files,
            "parts": outcome.parts,
        }
        data = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        self._job.store.write(self._job.outcome_key(recording.name), data)

    def write_failure(self, recording: PlannedRecording, failure: Failure) -> None:
        """Store why a recording has no reports."""
        self.write(recording, Outcome(replace(recording, failure=failure)))

    def write_missing_failures(self, failure: Failure) -> None:
        """Store why recordings have no reports.

        Those with reports or with another reason are unchanged; an only recording gets the new reason.
        """
        recordings = [each for each in self._plan.recordings if each.failure is None and each.analysis is not None]
        for recording in recordings:
            document = self._document(recording) or {}
            stored = document.get("fingerprint") == self._fingerprint(recording)
            if not stored or (len(recordings) == 1 and document["failure"] is not None):
                self.write_failure(recording, failure)

    def read_all(self, spec: ModelSpec) -> Iterator[Outcome]:
        """Yield the outcomes of all recordings in order; a few are read ahead.

        Raises
        ------
        MissingParts
            An outcome was not stored, or ranges of a recording are missing.
        """
        at_once = self._job.store.at_once
        with ThreadPoolExecutor(at_once) as pool:
            for first in range(0, len(self._plan.recordings), at_once):
                yield from pool.map(partial(self._read, spec), self._plan.recordings[first : first + at_once])

    def _read(self, spec: ModelSpec, recording: PlannedRecording) -> Outcome:
        if recording.failure is not None or recording.analysis is None:
            return Outcome(recording)
        document = self._document(recording) or {}
        if document.get("fingerprint") != self._fingerprint(recording):
            raise MissingParts(
                f"{recording.name}: its reports were not written, and there is no reason; resume the job"
            )
        return self._outcome(spec, recording, recording.analysis, document)

    def _outcome(
        self, spec: ModelSpec, recording: PlannedRecording, analysis: Analysis, document: dict[str, Any]
    ) -> Outcome:
        if document["failure"] is not None:
            failure = Failure(**document["failure"])
            if failure.error == MissingParts.__name__:
                raise failure.to_error()
            return Outcome(replace(recording, failure=failure))
        recording = replace(recording, notes=Note.list_from(document["notes"]))
        names = Event.__dataclass_fields__
        result = RecordingResult(
            recording=recording,
            analysis=analysis,
            spec=spec,
            model=self._plan.model,
            settings=spec.decided(self._plan.settings),
            scores=(none := np.empty((0, len(spec.classes)), np.float32)),
            smoothed=none,
            events=tuple(Event(**dict(zip(names, values, strict=False))) for values in document["events"]),
            class_runs=(),
            calibration=fitting(self._plan.calibration, spec, self._plan.model, self._plan.settings),
        )
        return Outcome(recording, analysis.grid.n_windows, result, document["files"], document["parts"])

    def _document(self, recording: PlannedRecording) -> dict[str, Any] | None:
        try:
            document: dict[str, Any] = json.loads(self._job.store.read(self._job.outcome_key(recording.name)))
        except FileNotFoundError:
            return None
        return document

    def _fingerprint(self, recording: PlannedRecording) -> str:
        """Return 16 hexadecimal digits that depend on everything the reports and the outcome depend on."""
        plan = self._plan
        calibration = [] if plan.calibration is None else [plan.calibration.id]
        facts = [plan.model.to_dict(), plan.settings.to_dict(), plan.windows_per_range, asdict(recording)]
        return digest([*facts, *calibration])
