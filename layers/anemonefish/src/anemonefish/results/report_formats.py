"""The formats in which the result of a recording is written, by their names in the settings.

Each file names the model and the settings that made it, where its format allows it, and a recording without events has
a table with a header only. The same result has the same bytes on every machine, because no clock, host name or storage
location is written. Text is written row by row, and Parquet in groups of rows, so that long recordings need little
memory.

============  ==========================  ====================================================
format        file                        content
============  ==========================  ====================================================
json          ``NAME.json``               the lab's API: predictions, events, metadata
csv           ``NAME.events.csv``         one row per event
scores        ``NAME.scores.csv``         one row per window: raw scores, smoothed target score
raven         ``NAME.selections.txt``     events as a Raven selection table
audacity      ``NAME.audacity.txt``       events as Audacity labels
classes       ``NAME.classes.txt``        runs of equal class as Audacity labels, without noise
kaleidoscope  ``NAME.kaleidoscope.csv``   events as Kaleidoscope lists them
longterm      ``NAME.longterm.csv``       one row per minute: windows above the threshold, scores, events
parquet       ``NAME.scores.parquet``     one row per window: exact scores
============  ==========================  ====================================================
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from anemonefish.annotations.audacity import write_audacity
from anemonefish.annotations.kaleidoscope import write_kaleidoscope
from anemonefish.annotations.raven import write_raven
from anemonefish.results.csv_tables import write_events, write_long_term, write_scores
from anemonefish.results.lab_json import write_lab_json
from anemonefish.results.parquet_scores import write_parquet_scores
from anemonefish.results.recording_result import RecordingResult

__all__ = ["REPORTS", "ReportFormat", "write_report"]


@dataclass(frozen=True, slots=True)
class ReportFormat:
    """One format of a report.

    Attributes
    ----------
    suffix : str
        Appended to the name of the recording.
    write : callable
        Writes a result into an open binary file.
    """

    suffix: str
    write: Callable[[BinaryIO, RecordingResult], None]


def write_report(name: str, path: Path, result: RecordingResult) -> None:
    """Write one report; text is UTF-8 with line feeds on every operating system."""
    with path.open("wb") as file:
        REPORTS[name].write(file, result)


def _text_format(suffix: str, write: Callable[[TextIO, RecordingResult], None]) -> ReportFormat:
    """Return a format that is written as text."""

    def write_text(file: BinaryIO, result: RecordingResult) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            write(text, result)
        finally:
            text.detach()  # flushes the text and leaves the caller's file open

    return ReportFormat(suffix, write_text)


def _write_raven(file: TextIO, result: RecordingResult) -> None:
    parts = [(result.audio_reference(), result.selections(result.events))]
    write_raven(file, parts, probability=result.calibration is not None)


def _write_audacity(file: TextIO, result: RecordingResult) -> None:
    write_audacity(file, result.selections(result.events), sample_rate=result.sample_rate)


def _write_kaleidoscope(file: TextIO, result: RecordingResult) -> None:
    write_kaleidoscope(file, result.audio_reference(), result.selections(result.events))


def _write_classes(file: TextIO, result: RecordingResult) -> None:
    write_audacity(file, result.selections(result.class_runs), sample_rate=result.sample_rate)


REPORTS: dict[str, ReportFormat] = {
    "json": _text_format(".json", write_lab_json),
    "csv": _text_format(".events.csv", write_events),
    "scores": _text_format(".scores.csv", write_scores),
    "raven": _text_format(".selections.txt", _write_raven),
    "audacity": _text_format(".audacity.txt", _write_audacity),
    "classes": _text_format(".classes.txt", _write_classes),
    "kaleidoscope": _text_format(".kaleidoscope.csv", _write_kaleidoscope),
    "longterm": _text_format(".longterm.csv", write_long_term),
    "parquet": ReportFormat(".scores.parquet", write_parquet_scores),
}
"""Every format by its name in the settings."""
