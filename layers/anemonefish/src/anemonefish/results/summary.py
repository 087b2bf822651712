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

from anemonefish.annotations.raven import write_raven
from anemonefish.annotations.selections import AudioReference, Selection
from anemonefish.csv_cells import write_rows
from anemonefish.errors import Failure
from anemonefish.jobs.plan import PlannedRecording
from anemonefish.notes import Note, is_partial
from anemonefish.results.csv_tables import EVENT_COLUMNS, event_rows
from anemonefish.results.events import Event
from anemonefish.results.recording_result import RecordingResult

__all__ = [
    "COMBINED_EVENTS",
    "COMBINED_SELECTIONS",
    "SUMMARY",
    "SUMMARY_COLUMNS",
    "Outcome",
    "SummaryRow",
    "write_overview",
    "write_summary",
]

SUMMARY = "summary.csv"
COMBINED_EVENTS = "combined.events.csv"
COMBINED_SELECTIONS = "combined.selections.txt"
SUMMARY_COLUMNS = ("recording", "status", "windows", "events", "error", "message", "notes")


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One recording in ``summary.csv``.

    Attributes
    ----------
    name : str
    windows, events : int or None
        None where it failed.
    failure : Failure or None
    notes : tuple of Note
    """

    name: str
    windows: int | None
    events: int | None
    failure: Failure | None = None
    notes: tuple[Note, ...] = ()

    @property
    def status(self) -> str:
        """``failed``, ``partial`` where recorded sound is missing from the analysis, or ``done``."""
        if self.failure is not None:
            return "failed"
        return "partial" if is_partial(self.notes) else "done"

    def cells(self) -> tuple[object, ...]:
        """Return the values under :data:`SUMMARY_COLUMNS`."""
        failure = self.failure or Failure("", "")
        counts = ("", "") if self.failure else (self.windows, self.events)
        notes = "; ".join(f"{note.code}: {note.message}" for note in self.notes)
        return self.name, self.status, *counts, failure.error, failure.message, notes


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
    def summary(self) -> SummaryRow:
        """Its line in the summary."""
        of = self.recording
        return SummaryRow(of.name, self.n_windows, len(self.events), of.failure, of.notes)

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
    write_summary(paths[0], [outcome.summary for outcome in outcomes])
    if len(outcomes) > 1 and "csv" in formats:
        paths.append(folder / COMBINED_EVENTS)
        results = (outcome.result for outcome in outcomes if outcome.result is not None)
        _write_rows(paths[-1], EVENT_COLUMNS, (row for result in results for row in event_rows(result)))
    if len(outcomes) > 1 and "raven" in formats:
        paths.append(folder / COMBINED_SELECTIONS)
        with paths[-1].open("w", encoding="utf-8", newline="") as file:
            write_raven(file, _sequence(outcomes))
    return paths


def write_summary(path: Path, rows: Iterable[SummaryRow]) -> None:
    """Write ``summary.csv``."""
    _write_rows(path, SUMMARY_COLUMNS, (row.cells() for row in rows))


def _write_rows(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, [columns])
        write_rows(file, rows)


def _sequence(outcomes: Sequence[Outcome]) -> Iterator[tuple[AudioReference, Iterator[Selection]]]:
    """Yield each recording with its selections and the seconds of sound before it."""
    before = Fraction(0)
    for outcome in outcomes:
        if (result := outcome.result) is not None:
            yield result.audio_reference(before), result.selections(result.events)
        before += outcome.duration
