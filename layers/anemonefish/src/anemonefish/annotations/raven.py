"""Write Raven selection tables: over one recording, or over several that Raven opens as one sequence.

A table without selections still has its header, and texts are escaped so that a spreadsheet does not run them as
formulas (:mod:`anemonefish.csv_cells`). :mod:`.tables` reads the tables back.

Source: Raven Pro 1.6 User's Manual, "Selection tables".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from anemonefish.annotations.selections import AudioReference, Selection
from anemonefish.csv_cells import escape
from anemonefish.sample_times import format_seconds

__all__ = ["RAVEN_COLUMNS", "RavenTable", "write_raven"]

RAVEN_COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Delta Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Begin Path",
    "File Offset (s)",
    "Begin File",
    "Class",
    "Score",
    "Begin UTC",
)
_PROBABILITY = "Probability"


def write_raven(
    file: TextIO, parts: Iterable[tuple[AudioReference, Iterable[Selection]]], *, probability: bool = False
) -> None:
    """Write a Raven selection table over one recording, or over several that are opened as one sequence.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    parts : iterable of (AudioReference, iterable of Selection)
        The recordings in the order of the sequence. ``Begin Time (s)`` counts from the start of the first recording,
        ``File Offset (s)`` from the start of the recording that holds the selection.
    probability : bool
        Whether the last column is that of the selections' probabilities.
    """
    table = RavenTable(file, probability=probability)
    for recording, selections in parts:
        table.add(recording, selections)


class RavenTable:
    """A Raven selection table that is written recording by recording.

    Parameters
    ----------
    file, probability
        As in :func:`write_raven`.
    """

    def __init__(self, file: TextIO, *, probability: bool = False) -> None:
        self._file = file
        self._probability = probability
        self._rows = 0
        file.write("\t".join((*RAVEN_COLUMNS, *([_PROBABILITY] if probability else ()))) + "\n")

    def add(self, recording: AudioReference, selections: Iterable[Selection]) -> None:
        """Write the selections of the next recording."""
        for selection in selections:
            self._rows += 1
            fields = [str(self._rows), *_fields(recording, selection)]
            if self._probability:
                fields.append("" if selection.probability is None else f"{selection.probability:.6f}")
            self._file.write("\t".join(fields) + "\n")


def _fields(recording: AudioReference, selection: Selection) -> tuple[str, ...]:
    """Return the fields of a row without its number."""
    return (
        "Spectrogram 1",
        str(recording.channel),
        recording.format_time(selection.start),
        recording.format_time(selection.stop),
        format_seconds(selection.stop - selection.start, recording.sample_rate),
        f"{selection.low_hz:.1f}",
        f"{selection.high_hz:.1f}",
        escape(recording.path),
        format_seconds(selection.start, recording.sample_rate),
        escape(recording.file_name),
        escape(selection.label),
        "" if selection.score is None else f"{selection.score:.6f}",
        selection.utc or "",
    )
