"""The job-level files of a job: the summary of its recordings, and the tables over all of them.

There are four, besides the reports of each recording::

    summary.csv               one line per recording: done, partial or failed, and why, and its notes
    effort.csv                for how long the job listened, by time and by recording (:mod:`.effort_table`)
    combined.events.csv       the events of all recordings, in their order
    combined.selections.txt   the same as one Raven selection table, for recordings opened in Raven as one sequence

In the selection table, ``Begin Time (s)`` counts from the beginning of the first recording. Recordings without an event
and recordings that failed while they were scored are part of the sequence. A file that could not be opened is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from anemonefish.annotations.raven import RavenTable
from anemonefish.csv_cells import write_rows
from anemonefish.errors import Failure
from anemonefish.jobs.plan import PlannedRecording
from anemonefish.notes import Note, is_partial
from anemonefish.results.csv_tables import EVENT_COLUMNS, PROBABILITY, event_rows
from anemonefish.results.effort import Effort
from anemonefish.results.effort_table import EFFORT, write_effort
from anemonefish.results.event_levels import total_calls
from anemonefish.results.events import Event
from anemonefish.results.recording_result import RecordingResult
from anemonefish.settings import Settings

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
SUMMARY_COLUMNS = ("recording", "status", "windows", "events", "calls", "error", "message", "notes", "model_card")


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryRow:
    """The line of one recording in ``summary.csv``.

    Attributes
    ----------
    name : str
    windows, events : int or None
        None where the recording failed.
    calls : int or None
        Calls in the events; None where the recording failed or its scores were stored without band levels.
    failure : Failure or None
    notes : tuple of Note
    """

    name: str
    windows: int | None
    events: int | None
    calls: int | None = None
    failure: Failure | None = None
    notes: tuple[Note, ...] = ()

    @property
    def status(self) -> str:
        """``failed``, ``partial`` where a part of the recorded sound was not analysed, or ``done``."""
        if self.failure is not None:
            return "failed"
        return "partial" if is_partial(self.notes) else "done"

    def cells(self, model_card: str) -> tuple[object, ...]:
        """Return the values under :data:`SUMMARY_COLUMNS`; the last is the line of the model's card."""
        failure = self.failure or Failure("", "")
        calls = "" if self.calls is None else self.calls
        counts = ("", "", "") if self.failure else (self.windows, self.events, calls)
        notes = "; ".join(f"{note.code}: {note.message}" for note in self.notes)
        return self.name, self.status, *counts, failure.error, failure.message, notes, model_card


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
    parts : dict of str to str
        SHA-256 of each part that the scores were read from, by the part's name.
    """

    recording: PlannedRecording
    n_windows: int = 0
    result: RecordingResult | None = None
    files: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)

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
            calls=self.calls,
            failure=recording.failure,
            notes=recording.notes,
        )

    @property
    def events(self) -> tuple[Event, ...]:
        """The events of the recording."""
        return () if self.result is None else self.result.events

    @property
    def calls(self) -> int | None:
        """The number of calls in the events; None where it is not known."""
        return None if self.result is None else total_calls(self.result.events)

    @property
    def duration(self) -> Fraction:
        """Length of the recording in seconds; 0 where it could not be opened."""
        analysis = self.recording.analysis
        return Fraction(0) if analysis is None else Fraction(analysis.audio.frames, analysis.audio.sample_rate)


def write_job_files(
    folder: Path,
    outcomes: Iterable[Outcome],
    settings: Settings,
    *,
    several: bool,
    model_card: str,
    calibrated: bool = False,
) -> list[Path]:
    """Write the job-level files and return their paths; one outcome is held at a time, and the effort of each.

    Parameters
    ----------
    folder : Path
    outcomes : iterable of Outcome
        In the order of the job.
    settings : Settings
        With the formats of the reports and the time zone of effort.
    several : bool
        Whether the job has several recordings. Then ``csv`` and ``raven`` also have a combined table.
    calibrated : bool
        Whether events have a probability.
    model_card : str
        The line of the model's card (:attr:`.ModelCard.line`).
    """
    formats = settings.formats
    names = [
        SUMMARY,
        EFFORT,
        *([COMBINED_EVENTS] if several and "csv" in formats else ()),
        *([COMBINED_SELECTIONS] if several and "raven" in formats else ()),
    ]
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / name).open("w", encoding="utf-8", newline="")) for name in names}
        write_rows(files[SUMMARY], [SUMMARY_COLUMNS])
        if events := files.get(COMBINED_EVENTS):
            write_rows(events, [(*EVENT_COLUMNS, *([PROBABILITY] if calibrated else ()))])
        table = files.get(COMBINED_SELECTIONS)
        selections = None if table is None else RavenTable(table, probability=calibrated)
        seconds_before, effort = Fraction(0), Effort.in_zone_of(settings)
        for outcome in outcomes:
            effort.add(outcome.recording, ((event.start, event.calls) for event in outcome.events))
            write_rows(files[SUMMARY], [outcome.summary.cells(model_card)])
            if (result := outcome.result) is not None:
                if events:
                    write_rows(events, event_rows(result))
                if selections:
                    selections.add(result.audio_reference(seconds_before), result.selections(result.events))
            seconds_before += outcome.duration
        write_effort(files[EFFORT], effort)
    return [folder / name for name in names]


def write_summary(path: Path, rows: Iterable[SummaryRow], model_card: str) -> None:
    """Write ``summary.csv``."""
    with path.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, [SUMMARY_COLUMNS])
        write_rows(file, (row.cells(model_card) for row in rows))
