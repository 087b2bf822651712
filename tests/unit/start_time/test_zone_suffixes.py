"""Abbreviations of time zones behind a time are read, or reported as ambiguous."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.start_time.start import find_start
from anemonefish.start_time.time_zones import format_utc, parse_time_zone
from anemonefish.start_time.zone_suffixes import ABBREVIATIONS, offset_text
from tests.unit.start_time.start_times import settings_in


@pytest.mark.parametrize(
    ("name", "utc"),
    [
        ("rpi_orcasound_lab_2020_09_27_12_05_55_PDT.wav", "2020-09-27T19:05:55.000000Z"),
        ("20200927_120555PDT.wav", "2020-09-27T19:05:55.000000Z"),
        ("20200927_120555-PDT.wav", "2020-09-27T19:05:55.000000Z"),
        ("20200927_120555 (PDT) left.wav", "2020-09-27T19:05:55.000000Z"),
        ("rpi_2020_09_27_12_05_55_pdt.wav", "2020-09-27T19:05:55.000000Z"),
        ("20200927T120555_AEST.wav", "2020-09-27T02:05:55.000000Z"),
        ("2020-09-27_12-05-55_AEDT_x.wav", "2020-09-27T01:05:55.000000Z"),
        ("20200927_120555.125_CET.wav", "2020-09-27T11:05:55.125000Z"),
        ("6075.200927120555_NZDT.wav", "2020-09-26T23:05:55.000000Z"),
        ("x_200927120555_HST.wav", "2020-09-27T22:05:55.000000Z"),
        ("200927_120555_WITA.wav", "2020-09-27T04:05:55.000000Z"),
        ("reef_202009271205_JST.wav", "2020-09-27T03:05:00.000000Z"),
        ("0222.DSG_RAWD_HMS_12_ 5_ 0__DMY_27_ 9_20_CEST.wav", "2020-09-27T10:05:00.000000Z"),
        ("2022-11-21-birdnet-16:09:08 CET.wav", "2022-11-21T15:09:08.000000Z"),
        ("20200927_120555_ChST.wav", "2020-09-27T02:05:55.000000Z"),
    ],
)
def test_abbreviation_behind_the_time_is_its_zone(name: str, utc: str) -> None:
    alone = find_start(name)
    assert alone.utc is not None, alone.reason
    assert (format_utc(alone.utc), alone.notes) == (utc, ())
    # A given time zone does not replace it; a note says that it was not used.
    beside = find_start(name, time_zone="-05:45")
    assert beside.utc == alone.utc
    assert [note.code for note in beside.notes] == ["start"]
    assert "although time_zone is -05:45" in beside.notes[0].message
    assert name not in beside.notes[0].message


AMBIGUOUS = [text for text, abbreviation in ABBREVIATIONS.items() if abbreviation.offset() is None]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_ambiguous_abbreviation_is_reported_with_settings_that_decide_it(text: str) -> None:
    name = f"reef_20200115_120555_{text}.wav"
    # A given offset that is none of its meanings does not replace it.
    for zone in (None, "-11:45"):
        start = find_start(name, time_zone=zone)
        assert (start.utc, start.local) == (None, datetime(2020, 1, 15, 12, 5, 55))
        assert text in start.reason
        options = settings_in(start.reason)
        zones = [value for key, value in options if key == "time_zone"]
        meanings = ABBREVIATIONS[text].meanings
        assert zones == [offset_text(offset) for offset, _ in meanings]
        for answer, (offset, _) in zip(zones, meanings, strict=True):
            assert find_start(name, time_zone=answer).utc == datetime(
                2020, 1, 15, 12, 5, 55, tzinfo=timezone(timedelta(minutes=offset))
            )
        (pattern,) = (value for key, value in options if key == "name_pattern")
        assert find_start(name, time_zone="-11:45", pattern=pattern).utc == datetime(
            2020, 1, 15, 23, 50, 55, tzinfo=UTC
        )


@pytest.mark.parametrize(
    ("hour", "zone", "utc"),
    [
        ("20231105_013000_PDT", "America/Los_Angeles", "2023-11-05T08:30:00.000000Z"),
        ("20231105_013000_PST", "America/Los_Angeles", "2023-11-05T09:30:00.000000Z"),
        ("20230312_023000_PST", "America/Los_Angeles", "2023-03-12T10:30:00.000000Z"),  # a clock that stayed on PST
        ("20231105_013000_CDT", "America/Chicago", "2023-11-05T06:30:00.000000Z"),
        ("20231105_013000_CST", "America/Chicago", "2023-11-05T07:30:00.000000Z"),
        ("20230601_120000_CST", "Asia/Shanghai", "2023-06-01T04:00:00.000000Z"),
        ("20230601_120000_PST", "Asia/Manila", "2023-06-01T04:00:00.000000Z"),
        ("20230601_120000_EST", "Australia/Brisbane", "2023-06-01T02:00:00.000000Z"),
        ("20230101_120000_EST", "Australia/Sydney", "2023-01-01T01:00:00.000000Z"),  # summer time had the same letters
        ("20230101_120000_EST", "America/New_York", "2023-01-01T17:00:00.000000Z"),
        ("20230601_120000_BST", "Europe/London", "2023-06-01T11:00:00.000000Z"),
        ("20230601_120000_IST", "Asia/Kolkata", "2023-06-01T06:30:00.000000Z"),
        ("20230601_120000_WEST", "Europe/Lisbon", "2023-06-01T11:00:00.000000Z"),
        ("20230601_120000_AST", "Asia/Riyadh", "2023-06-01T09:00:00.000000Z"),
        ("20120601_120000_MSK", "Europe/Moscow", "2012-06-01T08:00:00.000000Z"),
        ("20191027_023000_CEST", "Europe/Paris", "2019-10-27T00:30:00.000000Z"),
        ("20191027_023000_CET", "Europe/Paris", "2019-10-27T01:30:00.000000Z"),
    ],
)
def test_given_place_decides_an_ambiguous_abbreviation(hour: str, zone: str, utc: str) -> None:
    start = find_start(f"reef_{hour}.wav", time_zone=zone)
    assert start.utc is not None, start.reason
    assert (format_utc(start.utc), start.notes) == (utc, ())


def test_place_with_another_abbreviation_at_that_time_does_not_decide() -> None:
    assert find_start("reef_20230701_120000_PST.wav", time_zone="America/Los_Angeles").utc is None
    # Both of Sydney's clocks were called EST in the hour that happened twice.
    assert find_start("reef_20190407_023000_EST.wav", time_zone="Australia/Sydney").utc is None


def test_abbreviations_need_no_time_zone_database(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoneinfo

    zoneinfo.ZoneInfo.clear_cache()
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=[])
    try:
        start = find_start("x_2020_09_27_12_05_55_PDT.wav")
        assert start.utc == datetime(2020, 9, 27, 19, 5, 55, tzinfo=UTC)
        assert find_start("x_2020_09_27_12_05_55_PST.wav", time_zone="-08:00").utc is not None
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()


def test_every_meaning_is_an_offset_of_its_place() -> None:
    """Compared with the time zone database: each place had each offset at some time since 1990."""
    for text, abbreviation in ABBREVIATIONS.items():
        for offset, place in abbreviation.meanings:
            clocks = parse_time_zone(place)
            days = (datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=20 * step) for step in range(670))
            assert any(day.astimezone(clocks).utcoffset() == timedelta(minutes=offset) for day in days), (text, place)


def test_table_has_every_offset_of_its_abbreviations() -> None:
    """Compared with every place of the time zone database since 1991."""
    import zoneinfo

    for place in zoneinfo.available_timezones():
        clocks = zoneinfo.ZoneInfo(place)
        for step in range(0, 430):
            local = (datetime(1991, 1, 1, tzinfo=UTC) + timedelta(days=30 * step)).astimezone(clocks)
            abbreviation = ABBREVIATIONS.get((local.tzname() or "").upper())
            if abbreviation is not None:
                offset = local.utcoffset() / timedelta(minutes=1)
                assert offset in {meaning for meaning, _ in abbreviation.meanings}, (place, local)


@given(
    st.datetimes(datetime(1995, 1, 1), datetime(2060, 12, 31)).map(lambda moment: moment.replace(microsecond=0)),
    st.sampled_from(["America/Los_Angeles", "America/New_York", "Europe/Berlin", "Australia/Adelaide", "Asia/Tokyo"]),
)
def test_name_with_the_abbreviation_of_a_place_is_read_back(wall: datetime, place: str) -> None:
    moment = wall.replace(tzinfo=UTC)
    local = moment.astimezone(parse_time_zone(place))
    assert find_start(f"clip_{local:%Y_%m_%d_%H_%M_%S_%Z}.wav", time_zone=place).utc == moment
