"""Time is divided into the hours and days that a clock shows, clock changes included."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.start_time.clock_hours import HOUR, HourClock, microseconds_since_1970

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Paris", date(2024, 3, 31), 23),
        ("Europe/Paris", date(2024, 10, 27), 25),
        ("Europe/Paris", date(2024, 6, 1), 24),
        ("Australia/Brisbane", date(2024, 10, 6), 24),  # Queensland has no summer time
        ("Australia/Sydney", date(2024, 10, 6), 23),
        ("Australia/Lord_Howe", date(2024, 10, 6), 23.5),  # clocks change by half an hour
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # at midnight
    ],
)
def test_day_has_the_hours_that_its_clock_shows(zone: str, day: date, hours: float) -> None:
    clock = HourClock(ZoneInfo(zone))
    begin, end = clock.day_of(day)
    assert (end - begin) / HOUR == hours
    parts = list(clock.hours(begin, end))
    assert {part.date for part in parts} == {day}
    assert sum(part.ends - part.begins for part in parts) == end - begin


def test_hour_that_happens_twice_is_two_hours_of_the_same_name() -> None:
    clock = HourClock(PARIS)
    counts = Counter(hour.hour for hour in clock.hours(*clock.day_of(date(2024, 10, 27))))
    assert counts[2] == 2
    assert set(counts.values()) == {1, 2}


def test_hours_of_a_zone_that_lies_beside_the_hour() -> None:
    clock = HourClock(timezone(timedelta(hours=5, minutes=45)))
    hour = clock.hour_of(microseconds_since_1970(datetime(2024, 1, 1, 0, 14, 59, 999_999, tzinfo=UTC)))
    assert (hour.date, hour.hour, hour.ends - hour.begins) == (date(2024, 1, 1), 5, HOUR)
    assert hour.ends == microseconds_since_1970(datetime(2024, 1, 1, 0, 15, tzinfo=UTC))


@given(
    zone=st.sampled_from(["UTC", "Europe/Paris", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata"]),
    begin=st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),
    hours=st.floats(0, 60),
)
def test_hours_cover_an_interval_without_holes_and_overlaps(zone: str, begin: datetime, hours: float) -> None:
    clock, info = HourClock(ZoneInfo(zone)), ZoneInfo(zone)
    start = microseconds_since_1970(begin.replace(tzinfo=UTC))
    stop = start + int(hours * HOUR)
    parts = list(clock.hours(start, stop))
    for part, following in pairwise(parts):
        assert part.ends == following.begins
    if parts:
        assert parts[0].begins <= start
        assert parts[-1].begins < stop <= parts[-1].ends
    for part in parts:
        for moment in (part.begins, part.ends - 1):
            local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)).astimezone(info)
            assert (local.date(), local.hour) == (part.date, part.hour)
