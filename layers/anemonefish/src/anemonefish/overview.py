"""What tells of a whole job: the summary of its recordings, and the tables over all of them.

Owns three files beside the reports of each recording::

    summary.csv               one line per recording: done, partial or failed, and why, and its notes
    combined.events.csv       the events of all recordings, in their order
    combined.selections.txt   the same as one Raven selection table over all files, opened as one sequence of sound

In the selection table ``Begin Time (s)`` counts over *all* files before, those without an event and those that failed
while they were scored included; a file that could not even be opened is no part of the sequence. Knows no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from anemonefish.cells import write_rows
from anemonefish.errors import Failure
from anemonefish.events import Event
from anemonefish.notes import is_partial
from anemonefish.planned import PlannedRecording
from anemonefish.report import EVENT_COLUMNS, RecordingResult, event_rows
from anemonefish.tables import Selection, SoundFile, write_raven

__all__ = ["COMBINED_EVENTS", "COMBINED_SELECTIONS", "SUMMARY", "SUMMARY_COLUMNS", "Outcome", "write_overview"]

SUMMARY = "summary.csv"
COMBINED_EVENTS = "combined.events.csv"
COMBINED_SELECTIONS = "combined.selections.txt"
SUMMARY_COLUMNS = ("recording", "status", "windows", "events", "error", "message", "notes")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recording; small, because a job may have thousands.

    Attributes
    ----------
    recording : PlannedRecording
        With its failure, if it failed.
    n_windows : int
    result : RecordingResult or None
        Without its scores; None when it failed.
    files : dict of str to str
        SHA-256 of each result file by its key below the results prefix.
    """

    recording: PlannedRecording
    n_windows: int = 0
    result: RecordingResult | None = None
    files: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the recording could not be analysed."""
        return self.recording.failure is not None

    @property
    def status(self) -> str:
        """``failed``, ``partial`` where recorded sound is missing from the analysis, or ``done``."""
        if self.failed:
            return "failed"
        return "partial" if is_partial(self.recording.notes) else "done"

    @property
    def events(self) -> tuple[Event, ...]:
        """What was found."""
        return () if self.result is None else self.result.events

    @property
    def duration(self) -> Fraction:
        """Length of the recording in seconds; 0 where it could not be opened."""
        how = self.recording.analysis
        return Fraction(0) if how is None else Fraction(how.audio.frames, how.audio.sample_rate)


def write_overview(folder: Path, outcomes: Sequence[Outcome], formats: Iterable[str]) -> list[Path]:
    """Write the files that tell of a whole job; the combined tables where there are several recordings.

    Parameters
    ----------
    folder : Path
    outcomes : sequence of Outcome
        In the order of the job.
    formats : iterable of str
        Formats of the reports: a combined table is written where its kind is among them.
    """
    paths = [folder / SUMMARY]
    _write_rows(paths[0], SUMMARY_COLUMNS, map(_summary, outcomes))
    if len(outcomes) > 1 and "csv" in formats:
        paths.append(folder / COMBINED_EVENTS)
        results = (outcome.result for outcome in outcomes if outcome.result is not None)
        _write_rows(paths[-1], EVENT_COLUMNS, (row for result in results for row in event_rows(result)))
    if len(outcomes) > 1 and "raven" in formats:
        paths.append(folder / COMBINED_SELECTIONS)
        with paths[-1].open("w", encoding="utf-8", newline="") as file:
            write_raven(file, _sequence(outcomes))
    return paths


def _write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, [columns])
        write_rows(file, rows)


def _summary(outcome: Outcome) -> tuple[object, ...]:
    failure = outcome.recording.failure or Failure("", "")
    counts = ("", "") if outcome.failed else (outcome.n_windows, len(outcome.events))
    notes = "; ".join(f"{note.code}: {note.message}" for note in outcome.recording.notes)
    return outcome.recording.name, outcome.status, *counts, failure.error, failure.message, notes


def _sequence(outcomes: Sequence[Outcome]) -> Iterator[tuple[SoundFile, Iterator[Selection]]]:
    """Yield each recording with its selections and the seconds of sound before it."""
    before = Fraction(0)
    for outcome in outcomes:
        if (result := outcome.result) is not None:
            yield result.sound_file(before), result.selections(result.events)
        before += outcome.duration
