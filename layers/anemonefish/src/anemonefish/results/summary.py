"""The job-level files of a job: the summary of its recordings, and the tables over all of them.

There are three, besides the reports of each recording::

    summary.csv               one line per recording: done, partial or failed, and why, and its notes
    combined.events.csv       the events of all recordings, in their order
    combined.selections.txt   the same as one Raven selection table, for recordings opened in Raven as one sequence

In the selection table, ``Begin Time (s)`` counts from the beginning of the first recording. Recordings without an event
and recordings that failed while they were scored are part of the sequence. A file that could not be opened is not.
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
    "write_job_files",
    "write_summary",
]

SUMMARY = "summary.csv"
COMBINED_EVENTS = "combined.events.csv"
COMBINED_SELECTIONS = "combined.selections.txt"
SUMMARY_COLUMNS = ("recording", "status", "windows", "events", "error", "message", "notes")


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """The line of one recording in ``summary.csv``.

    Attributes
    ----------
    name : str
    windows, events : int or None
        None where the recording failed.
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
        """``failed``, ``partial`` where a part of the recorded sound was not analysed, or ``done``."""
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
    """The outcome of one recording of a job; it holds no scores, because a job may have thousands of recordings.

    Attributes
    ----------
    recording : PlannedRecording
        With its failure, if it failed.
    n_windows : int
    result : RecordingResult or None
        The result without its scores; None where the recording failed.
    files : dict of str to str
        SHA-256 of each result file, by its key below the prefix of the results.
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
        """The line of the recording in ``summary.csv``."""
        recording = self.recording
        return SummaryRow(
            name=recording.name,
            windows=self.n_windows,
            events=len(self.events),
            failure=recording.failure,
            notes=recording.notes,
        )

    @property
    def events(self) -> tuple[Event, ...]:
        """The events of the recording."""
        return () if self.result is None else self.result.events

    @property
    def duration(self) -> Fraction:
        """Length of the recording in seconds; 0 where it could not be opened."""
        analysis = self.recording.analysis
        return Fraction(0) if analysis is None else Fraction(analysis.audio.frames, analysis.audio.sample_rate)


def write_job_files(folder: Path, outcomes: Sequence[Outcome], formats: Iterable[str]) -> list[Path]:
    """Write the job-level files and return their paths.

    Parameters
    ----------
    folder : Path
    outcomes : sequence of Outcome
        In the order of the job.
    formats : iterable of str
        Formats of the reports. With several recordings, ``csv`` and ``raven`` also have a combined table.
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
    """Yield each recording with its selections; its reference holds the length of all recordings before it."""
    seconds_before = Fraction(0)
    for outcome in outcomes:
        if (result := outcome.result) is not None:
            yield result.audio_reference(seconds_before), result.selections(result.events)
        seconds_before += outcome.duration
