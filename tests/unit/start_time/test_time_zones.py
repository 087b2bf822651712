"""Time zones are parsed, and clock changes make some local times errors."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.errors import InvalidSettings, UnsupportedRecording
from anemonefish.start_time.start import find_start
from anemonefish.start_time.time_zones import format_utc, parse_time_zone, utc_of
from tests.unit.start_time.start_times import MOMENTS, guano


@pytest.mark.parametrize(
    ("zone", "hour", "utc"),
    [
        ("Europe/Paris", "20191027_013000", "2019-10-26T23:30:00.000000Z"),
        ("Europe/Paris", "20191027_030000", "2019-10-27T02:00:00.000000Z"),
        ("Europe/Paris", "20190331_015959", "2019-03-31T00:59:59.000000Z"),
        ("Europe/Paris", "20190331_030000", "2019-03-31T01:00:00.000000Z"),
        ("Australia/Brisbane", "20191006_023000", "2019-10-05T16:30:00.000000Z"),  # no summer time there
        ("Asia/Tokyo", "20230210_000001", "2023-02-09T15:00:01.000000Z"),
    ],
)
def test_local_time_of_a_place_becomes_utc(zone: str, hour: str, utc: str) -> None:
    start = find_start(f"reef_{hour}.wav", time_zone=zone).utc
    assert start is not None
    assert format_utc(start) == utc


@pytest.mark.parametrize(
    ("zone", "hour", "word", "offsets"),
    [
        ("Europe/Paris", "20191027_020000", "twice", "+02:00 or +01:00"),
        ("Europe/Paris", "20191027_025959", "twice", "+02:00 or +01:00"),
        ("Europe/Paris", "20190331_020000", "did not exist", "+01:00 or +02:00"),
        ("America/Los_Angeles", "20190310_023000", "did not exist", "-08:00 or -07:00"),
        ("Australia/Sydney", "20190407_023000", "twice", "+11:00 or +10:00"),
        ("Australia/Lord_Howe", "20191006_021500", "did not exist", "+10:30 or +11:00"),
        ("Pacific/Apia", "20111230_120000", "did not exist", "-10:00 or +14:00"),
    ],
)
def test_repeated_or_skipped_hour_is_an_error(zone: str, hour: str, word: str, offsets: str) -> None:
    name = f"reef_{hour}.wav"
    with pytest.raises(UnsupportedRecording) as caught:
        find_start(name, time_zone=zone)
    assert word in str(caught.value)
    assert name in str(caught.value)
    assert f"--set time_zone={offsets}" in str(caught.value)
    for offset in offsets.split(" or "):
        assert find_start(name, time_zone=offset).utc is not None


def test_repeated_hour_is_accepted_if_the_zone_is_not_needed() -> None:
    name = "reef_20191027_023000.wav"
    assert find_start(name, guano("2019-10-27T02:30:00+01:00"), time_zone="Europe/Paris").utc is not None
    assert find_start(name, time_zone="Europe/Paris", start="2019-10-27T02:30:00+01:00").utc is not None


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("UTC", "00:00"), ("Z", "00:00"), ("+10:00", "10:00"), ("UTC+10", "10:00"), ("GMT+1", "01:00"),
        ("utc", "00:00"), ("GMT", "00:00"), ("\u221203:30", "-03:30"), ("UTC+5.5", "05:30"),
        ("-03:30", "-03:30"), ("UTC-3:30", "-03:30"), ("+0545", "05:45"), ("+14:00", "14:00"), ("Asia/Tokyo", "09:00"),
    ],
)  # fmt: skip
def test_time_zone_is_parsed(text: str, offset: str) -> None:
    sign = -1 if offset.startswith("-") else 1
    hours, minutes = (int(part) for part in offset.lstrip("-").split(":"))
    moment = datetime(2020, 1, 1, tzinfo=parse_time_zone(text))
    assert moment.utcoffset() == sign * timedelta(hours=hours, minutes=minutes)


@pytest.mark.parametrize(
    "text",
    ["", "local", "EST", "CET", "10", "+15:00", "+10:60", "UTC+100", "Europe/Pariss", "Europe", "Europe/", "../UTC",
     "/etc/localtime", "Europe/../Europe/Paris", "Asia/Tokyo\0"],
)  # fmt: skip
def test_invalid_time_zone_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings, match="time_zone"):
        find_start("20200101_000000.wav", time_zone=text)


def test_missing_time_zone_database_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoneinfo

    zoneinfo.ZoneInfo.clear_cache()
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=[])
    try:
        with pytest.raises(InvalidSettings, match=r"no time zone database.*offset such as"):
            parse_time_zone("Europe/Paris")
        assert parse_time_zone("+10:00") is not None
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()


def test_time_of_a_sample() -> None:
    start = datetime(2019, 9, 20, 0, 42, 48, tzinfo=UTC)
    assert format_utc(utc_of(start, 0, 32_000)) == "2019-09-20T00:42:48.000000Z"
    assert format_utc(utc_of(start, 16_001, 32_000)) == "2019-09-20T00:42:48.500031Z"  # …031.25
    assert format_utc(utc_of(start, 1, 2_000_000)) == "2019-09-20T00:42:48.000001Z"  # half a microsecond
    assert format_utc(utc_of(start.astimezone(timezone(timedelta(hours=10))), 32_000, 32_000)).endswith(
        "00:42:49.000000Z"
    )


@given(MOMENTS, st.integers(0, 2**45), st.integers(1, 2**20))
def test_time_of_a_sample_is_within_half_a_microsecond(moment: datetime, sample: int, rate: int) -> None:
    start = moment.replace(tzinfo=UTC)
    try:
        passed = utc_of(start, sample, rate) - start
    except OverflowError:  # past the year 9999
        return
    micro = passed // timedelta(microseconds=1)
    assert abs(2 * (micro * rate - sample * 1_000_000)) <= rate


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        utc_of(datetime(2020, 1, 1), 0, 1)
    with pytest.raises(ValueError, match="zone"):
        format_utc(datetime(2020, 1, 1))
