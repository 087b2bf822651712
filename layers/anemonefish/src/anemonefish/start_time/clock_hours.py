"""Divide time into the hours and days that a clock of a time zone shows.

Times are whole microseconds since 1970 in UTC. A day in which clocks are set forward has 23 hours, and one in which
they are set back has 25: the repeated hour has the same name twice and is two hours here. Clocks that change by half an
hour (Lord Howe Island) or lie half an hour beside UTC are divided at their own full hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

__all__ = ["HOUR", "ClockHour", "HourClock", "microseconds_since_1970"]

HOUR = 3_600_000_000
"""Microseconds of an hour."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, order=True)
class ClockHour:
    """One hour that a clock shows; it is shorter than an hour where the clock is changed within it.

    Attributes
    ----------
    begins, ends : int
        Microseconds since 1970 in UTC, half-open.
    date : date
        What the calendar beside the clock says.
    hour : int
        0 to 23.
    """

    begins: int
    ends: int
    date: date = field(compare=False)
    hour: int = field(compare=False)


def microseconds_since_1970(moment: datetime) -> int:
    """Return a time with a time zone as whole microseconds since 1970 in UTC."""
    return (moment - _EPOCH) // _MICROSECOND


class HourClock:
    """The hours of one time zone.

    Parameters
    ----------
    zone : tzinfo

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> spring = microseconds_since_1970(datetime(2024, 3, 31, tzinfo=ZoneInfo("Europe/Paris")))
    >>> autumn = microseconds_since_1970(datetime(2024, 10, 27, tzinfo=ZoneInfo("Europe/Paris")))
    >>> clock = HourClock(ZoneInfo("Europe/Paris"))
    >>> [hour.hour for hour in clock.hours(spring, spring + 4 * HOUR)]
    [0, 1, 3, 4]
    >>> [hour.hour for hour in clock.hours(autumn, autumn + 4 * HOUR)]
    [0, 1, 2, 2]
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._last: ClockHour | None = None

    def hour_of(self, moment: int) -> ClockHour:
        """Return the hour that the clock shows at a time."""
        last = self._last
        if last is None or not last.begins <= moment < last.ends:
            last = self._last = self._find(moment)
        return last

    def hours(self, begin: int, end: int) -> Iterator[ClockHour]:
        """Yield the hours of the interval ``[begin, end)`` in order; the first and the last may reach beyond it."""
        while begin < end:
            hour = self.hour_of(begin)
            yield hour
            begin = hour.ends

    def day_of(self, day: date) -> tuple[int, int]:
        """Return when a day begins and ends: its midnights, in microseconds since 1970."""
        midnights = (datetime.combine(each, time(), self._zone) for each in (day, day + timedelta(days=1)))
        begin, end = (microseconds_since_1970(midnight) for midnight in midnights)
        return begin, end

    def _find(self, moment: int) -> ClockHour:
        local = self._local(moment)
        begins = moment - ((local.minute * 60 + local.second) * 1_000_000 + local.microsecond)
        ends = begins + HOUR
        if self._offset(begins) != self._offset(moment):
            begins = self._change(begins, moment)
        if self._offset(ends - 1) != self._offset(moment):
            ends = self._change(moment, ends - 1)
        return ClockHour(begins, ends, local.date(), local.hour)

    def _change(self, before: int, after: int) -> int:
        """Return the first time after ``before`` with the offset of ``after``; the clock is changed once between."""
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == self._offset(before):
                before = middle
            else:
                after = middle
        return after

    def _local(self, moment: int) -> datetime:
        return (_EPOCH + timedelta(microseconds=moment)).astimezone(self._zone)

    def _offset(self, moment: int) -> timedelta | None:
        return self._local(moment).utcoffset()
