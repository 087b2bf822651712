"""Selection tables and labels: the files of Raven and Audacity.

Owns both text formats, the one way a sample index is printed as seconds, and that no frequency lies outside of what a
recording holds. A table without selections still has its header; texts are safe in a spreadsheet
(:mod:`anemonefish.cells`). Never decides what a selection is.

Sources: Raven Pro 1.6 User's Manual, "Selection tables"; Audacity Manual, "Importing and exporting labels".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TextIO

from anemonefish.cells import escape

__all__ = [
    "RAVEN_COLUMNS",
    "Selection",
    "SoundFile",
    "format_seconds",
    "seconds",
    "within_nyquist",
    "write_audacity",
    "write_raven",
]

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
    "Begin UTC",
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
    utc : str or None
        When it begins, where that is known.
    """

    start: int
    stop: int
    label: str
    low_hz: float
    high_hz: float
    score: float | None = None
    utc: str | None = None


def _microseconds(samples: int, sample_rate: int) -> int:
    """Return the nearest whole number of microseconds, halves away from zero."""
    return (2 * samples * _MICRO + sample_rate) // (2 * sample_rate)


def format_seconds(samples: int, sample_rate: int) -> str:
    """Print a sample index as seconds with six decimals, rounded by integer arithmetic."""
    whole, rest = divmod(_microseconds(samples, sample_rate), _MICRO)
    return f"{whole}.{rest:06d}"


def _format_fraction(time: Fraction) -> str:
    """Print seconds with six decimals, rounded as :func:`format_seconds` rounds."""
    return format_seconds(time.numerator, time.denominator)


def seconds(samples: int, sample_rate: int) -> float:
    """Return a sample index as seconds, the float nearest to six decimals: never 606.7000000000694."""
    return _microseconds(samples, sample_rate) / _MICRO


def within_nyquist(band: tuple[float, float], sample_rate: int) -> tuple[float, float]:
    """Return the part of a band that a recording can hold; all that it holds, where no part of the band is in it.

    Parameters
    ----------
    band : (float, float)
        Lowest and highest frequency, in Hz.
    sample_rate : int
        Samples per second of the recording itself, before any resampling.
    """
    nyquist = sample_rate / 2
    low, high = max(0.0, band[0]), min(band[1], nyquist)
    return (low, high) if low < high else (0.0, nyquist)


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A recording as a selection table sees it.

    Attributes
    ----------
    path, name : str
        Raven opens the sound by them.
    sample_rate : int
        Samples per second of its selections' indices.
    channel : int
        Counted from 1.
    before : Fraction
        Seconds of sound in the files before it, where several are opened as one.
    """

    path: str
    name: str
    sample_rate: int
    channel: int = 1
    before: Fraction = Fraction(0)

    def time(self, sample: int) -> str:
        """Return a sample's time from the start of the first file."""
        return _format_fraction(self.before + Fraction(sample, self.sample_rate))


def write_raven(file: TextIO, parts: Iterable[tuple[SoundFile, Iterable[Selection]]]) -> None:
    """Write a Raven selection table over one file, or over several that are opened as one sequence.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    parts : iterable of (SoundFile, iterable of Selection)
        In the order of the sound. ``Begin Time (s)`` counts from the start of the first file, ``File Offset (s)`` from
        that of the selection's own.
    """
    file.write("\t".join(RAVEN_COLUMNS) + "\n")
    rows = (_raven_fields(sound, selection) for sound, selections in parts for selection in selections)
    for number, fields in enumerate(rows, start=1):
        file.write("\t".join((str(number), *fields)) + "\n")


def _raven_fields(sound: SoundFile, selection: Selection) -> tuple[str, ...]:
    """Return a row without its number."""
    return (
        "Spectrogram 1",
        str(sound.channel),
        sound.time(selection.start),
        sound.time(selection.stop),
        format_seconds(selection.stop - selection.start, sound.sample_rate),
        f"{selection.low_hz:.1f}",
        f"{selection.high_hz:.1f}",
        escape(sound.path),
        format_seconds(selection.start, sound.sample_rate),
        escape(sound.name),
        escape(selection.label),
        "" if selection.score is None else f"{selection.score:.6f}",
        selection.utc or "",
    )


def write_audacity(file: TextIO, selections: Iterable[Selection], *, sample_rate: int) -> None:
    """Write an Audacity label track: ``start<TAB>end<TAB>label``; the format has no header."""
    for selection in selections:
        start, stop = format_seconds(selection.start, sample_rate), format_seconds(selection.stop, sample_rate)
        file.write(f"{start}\t{stop}\t{escape(selection.label)}\n")
