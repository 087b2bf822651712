"""Selections: labelled rectangles of time and frequency, and the recording that they belong to.

The writers of this package (:mod:`.raven`, :mod:`.audacity`, :mod:`.kaleidoscope`) all take these two classes. Detected
events and simulated calls are both written as selections.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from anemonefish.sample_times import format_seconds

__all__ = ["AudioReference", "Selection", "within_nyquist"]


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
    probability : float or None
        That it is what its label says, where scores are calibrated.
    """

    start: int
    stop: int
    label: str
    low_hz: float
    high_hz: float
    score: float | None = None
    utc: str | None = None
    probability: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioReference:
    """How a table of selections refers to its recording.

    Attributes
    ----------
    path : str
        Where the recording lies; Raven and Kaleidoscope open it from there.
    name : str
        What the recording is called in its job: the end of the path, with the folders below the deployment's folder.
    sample_rate : int
        Samples per second of the selections' indices.
    channel : int
        Counted from 1.
    seconds_before : Fraction
        Duration of the recordings before it, where several are opened as one sequence.
    """

    path: str
    name: str
    sample_rate: int
    channel: int = 1
    seconds_before: Fraction = Fraction(0)

    @property
    def file_name(self) -> str:
        """The last part of the path."""
        return self.path.replace("\\", "/").rpartition("/")[2]

    def format_time(self, sample: int) -> str:
        """Return a sample's time from the start of the first recording, in seconds with six decimals."""
        time = self.seconds_before + Fraction(sample, self.sample_rate)
        return format_seconds(time.numerator, time.denominator)


def within_nyquist(band: tuple[float, float], sample_rate: int) -> tuple[float, float]:
    """Return the part of a frequency band that a recording can hold.

    A band that lies wholly above the Nyquist frequency becomes the whole spectrum of the recording.

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
