"""Seconds of effort and counts of events that can be added, and their rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction

from anemonefish.results.rate_interval import FEWEST_UNITS, dispersion, rate_interval
from anemonefish.results.recording_effort import RecordingEffort

__all__ = ["NO_TIME", "Rate", "Sums", "measured", "rate_of"]

NO_TIME = Fraction(0)


@dataclass(slots=True)
class Sums:
    """Seconds and counts of some time, or of some recordings.

    Attributes
    ----------
    deployment : Fraction
        The part of this time between the first and the last sample of all recordings.
    covered : Fraction
        The part of this time in which at least one recording has sound.
    recorded : Fraction
        Sound in the recordings; several at the same time are added.
    analysed : Fraction
        Sound that the model heard: the effort.
    failed, damaged, silent, unscored : Fraction
        Recorded sound that it did not hear: in recordings that failed, not decodable, of one constant value, or in no
        window. With ``analysed`` they add up to ``recorded``.
    doubtful : Fraction
        The part of ``analysed`` in recordings with a note of :data:`.DOUBTFUL`.
    missing : Fraction
        Sound that headers promise beyond the ends of their files.
    recordings, failed_recordings, events : int
        Those that begin in this time.
    calls : int
        Calls of these events.
    uncounted_events : int
        Events whose calls are not known.
    """

    deployment: Fraction = NO_TIME
    covered: Fraction = NO_TIME
    recorded: Fraction = NO_TIME
    analysed: Fraction = NO_TIME
    failed: Fraction = NO_TIME
    damaged: Fraction = NO_TIME
    silent: Fraction = NO_TIME
    unscored: Fraction = NO_TIME
    doubtful: Fraction = NO_TIME
    missing: Fraction = NO_TIME
    recordings: int = 0
    failed_recordings: int = 0
    events: int = 0
    calls: int = 0
    uncounted_events: int = 0

    def add(self, other: Sums) -> None:
        """Add another time."""
        for name in _NAMES:
            if value := getattr(other, name):
                setattr(self, name, getattr(self, name) + value)

    @property
    def hours(self) -> float:
        """The effort in hours."""
        return self.analysed.numerator / (self.analysed.denominator * 3600)


_NAMES = tuple(each.name for each in fields(Sums))


@dataclass(frozen=True, slots=True)
class Rate:
    """Events per hour of effort.

    Attributes
    ----------
    value, low, high : float
        The rate, and its interval of 90 %.
    method : str
        ``poisson``, or the units whose variance was used: ``days``, ``hours`` or ``recordings``.
    """

    value: float
    low: float
    high: float
    method: str


def measured(effort: RecordingEffort, start: int, stop: int) -> Sums:
    """Return the seconds of the samples ``[start, stop)`` of a recording."""
    recorded = effort.seconds_of(effort.recorded, start, stop)
    missing = effort.seconds_of(effort.missing, start, stop)
    if effort.failed:
        return Sums(recorded=recorded, failed=recorded, missing=missing)
    readable, scored, heard = (
        effort.seconds_of(stretches, start, stop) for stretches in (effort.readable, effort.scored, effort.heard)
    )
    return Sums(
        recorded=recorded,
        analysed=heard,
        damaged=recorded - readable,
        silent=scored - heard,
        unscored=readable - scored,
        doubtful=heard if effort.doubtful else NO_TIME,
        missing=missing,
    )


def rate_of(sums: Sums, units: Sequence[tuple[str, Sequence[Sums]]] = ()) -> Rate | None:
    """Return the events per hour of effort; None without effort.

    Parameters
    ----------
    sums : Sums
    units : sequence of (str, sequence of Sums)
        The same time in parts, the longest first. The variance of the first with enough parts is used.
    """
    if not sums.analysed:
        return None
    hours = sums.hours
    for name, parts in units:
        heard = [(part.events, part.hours) for part in parts if part.analysed]
        if len(heard) >= FEWEST_UNITS:
            return Rate(sums.events / hours, *rate_interval(sums.events, hours, dispersion(heard)), name)
    return Rate(sums.events / hours, *rate_interval(sums.events, hours), "poisson")
