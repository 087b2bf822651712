"""Effort by hour, by day and by hour of the day, of all recordings of a job or of one folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction

from anemonefish.results.effort_sums import NO_TIME, Sums
from anemonefish.sample_times import MICROSECONDS
from anemonefish.start_time.clock_hours import ClockHour, HourClock

__all__ = ["EffortByTime", "Interval"]

Interval = tuple[Fraction, Fraction]
"""Microseconds since 1970 in UTC, half-open."""


class EffortByTime:
    """Effort by hour, by day and by hour of the day.

    Parameters
    ----------
    clock : HourClock
    hours : mapping of ClockHour to Sums
        The hours with recordings.
    sounding : iterable of (Fraction, Fraction)
        When there is sound, of every recording.

    Attributes
    ----------
    hours : dict of ClockHour to Sums
        In order; an hour without a recording is not in it.
    days : dict of date to Sums
        In order; a day without a recording is not in it.
    hours_of_day : list of Sums
        24 hours of the clock, those without a recording included.
    deployment : (Fraction, Fraction) or None
        From the first to the last sound.
    covered, deployment_seconds : Fraction
        Seconds with sound, and from the first to the last.
    """

    def __init__(self, clock: HourClock, hours: Mapping[ClockHour, Sums], sounding: Iterable[Interval]) -> None:
        self.hours = {hour: _copy(hours[hour]) for hour in sorted(hours)}
        self.days: dict[date, Sums] = {hour.date: Sums() for hour in self.hours}
        self.hours_of_day = [Sums() for _ in range(24)]
        union = _union(sounding)
        self.deployment: Interval | None = (union[0][0], union[-1][1]) if union else None
        self.covered = sum((end - begin for begin, end in union), NO_TIME) / MICROSECONDS
        self.deployment_seconds = (union[-1][1] - union[0][0]) / MICROSECONDS if union else NO_TIME
        for interval in union:
            for hour, seconds in _split(clock, interval):
                if hour in self.hours:
                    self.hours[hour].covered += seconds
        if self.deployment is not None:
            for hour, seconds in _split(clock, self.deployment):
                self._add_deployment(hour, seconds)
        self._of_day: dict[date, list[Sums]] = defaultdict(list)
        self._of_hour: dict[int, list[Sums]] = defaultdict(list)
        for hour, sums in self.hours.items():
            self._of_day[hour.date].append(sums)
            self._of_hour[hour.hour].append(sums)
            self.days[hour.date].add(sums)
            self.hours_of_day[hour.hour].add(sums)

    def _add_deployment(self, hour: ClockHour, seconds: Fraction) -> None:
        if hour in self.hours:
            self.hours[hour].deployment += seconds
            return
        self.hours_of_day[hour.hour].deployment += seconds
        if hour.date in self.days:
            self.days[hour.date].deployment += seconds

    def hours_of(self, day: date) -> list[Sums]:
        """Return the hours of a day that have recordings."""
        return self._of_day[day]

    def days_of(self, hour: int) -> list[Sums]:
        """Return an hour of the clock on every day on which it has recordings."""
        return self._of_hour[hour]


def _copy(sums: Sums) -> Sums:
    copy = Sums()
    copy.add(sums)
    return copy


def _split(clock: HourClock, interval: Interval) -> Iterable[tuple[ClockHour, Fraction]]:
    """Yield the hours of an interval, and how many seconds of it lie in each."""
    begin, end = interval
    for hour in clock.hours(int(begin), -int(-end // 1)):
        yield hour, (min(end, Fraction(hour.ends)) - max(begin, Fraction(hour.begins))) / MICROSECONDS


def _union(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the union of intervals in order, those that touch joined."""
    union: list[Interval] = []
    for begin, end in sorted(intervals):
        if union and begin <= union[-1][1]:
            union[-1] = union[-1][0], max(end, union[-1][1])
        else:
            union.append((begin, end))
    return union
