"""Selection tables and labels: the files of Raven and Audacity.

Owns both text formats and the one way a sample index is printed as seconds. A table without selections still
has its header. Never decides what a selection is.

Sources: Raven Pro 1.6 User's Manual, "Selection tables"; Audacity Manual, "Importing and exporting labels".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TextIO

__all__ = ["RAVEN_COLUMNS", "Selection", "format_seconds", "seconds", "write_audacity", "write_raven"]

_MICRO = 1_000_000

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
)


@dataclass(frozen=True, slots=True)
class Selection:
    """A labelled rectangle of time and frequency.

    Attributes
    ----------
    start, stop : int
        First sample and the first one after.
    label : str
    low_hz, high_hz : float
    score : float or None
        None for labels that were drawn or simulated.
    """

    start: int
    stop: int
    label: str
    low_hz: float
    high_hz: float
    score: float | None = None


def _microseconds(samples: int, sample_rate: int) -> int:
    """Return the nearest whole number of microseconds, halves away from zero."""
    return (2 * samples * _MICRO + sample_rate) // (2 * sample_rate)


def format_seconds(samples: int, sample_rate: int) -> str:
    """Print a sample index as seconds with six decimals, rounded by integer arithmetic."""
    whole, rest = divmod(_microseconds(samples, sample_rate), _MICRO)
    return f"{whole}.{rest:06d}"


def seconds(samples: int, sample_rate: int) -> float:
    """Return a sample index as seconds, the float nearest to six decimals: never 606.7000000000694."""
    return _microseconds(samples, sample_rate) / _MICRO


def write_raven(
    file: TextIO, selections: Iterable[Selection], *, sample_rate: int, begin_path: str, begin_file: str
) -> None:
    """Write a Raven selection table.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    selections : iterable of Selection
        In the order of the table.
    sample_rate : int
        Samples per second of the selections' indices.
    begin_path, begin_file : str
        Path and name of the recording; Raven opens the sound by them.
    """
    file.write("\t".join(RAVEN_COLUMNS) + "\n")
    for number, selection in enumerate(selections, start=1):
        begin = format_seconds(selection.start, sample_rate)
        row = (
            str(number),
            "Spectrogram 1",
            "1",
            begin,
            format_seconds(selection.stop, sample_rate),
            format_seconds(selection.stop - selection.start, sample_rate),
            f"{selection.low_hz:.1f}",
            f"{selection.high_hz:.1f}",
            begin_path,
            begin,
            begin_file,
            selection.label,
            "" if selection.score is None else f"{selection.score:.6f}",
        )
        file.write("\t".join(row) + "\n")


def write_audacity(file: TextIO, selections: Iterable[Selection], *, sample_rate: int) -> None:
    """Write an Audacity label track: ``start<TAB>end<TAB>label``; the format has no header."""
    for selection in selections:
        start, stop = format_seconds(selection.start, sample_rate), format_seconds(selection.stop, sample_rate)
        file.write(f"{start}\t{stop}\t{selection.label}\n")
