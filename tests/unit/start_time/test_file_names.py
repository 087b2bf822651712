"""Times are read from the file names of many recorders and programs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.start_time.name_patterns import PATTERNS
from anemonefish.start_time.start import find_start, parse_start
from anemonefish.start_time.time_zones import format_utc
from tests.conftest import REPOSITORY
from tests.unit.start_time.start_times import MOMENTS, OFFSETS, guano

WITH_ZONE = [
    ("AMAR173.4.20190920T004248Z.wav", "iso", "2019-09-20T00:42:48.000000Z"),
    ("AMAR613.20190604T182000Z.wav", "iso", "2019-06-04T18:20:00.000000Z"),
    ("ICLISTENHF1251_20130813T063620.983Z.wav", "iso", "2013-08-13T06:36:20.983000Z"),
    ("ICLISTENHF6016_20250101T000000.000Z.flac", "iso", "2025-01-01T00:00:00.000000Z"),
    ("ICLISTENHF1560_20181004T235903.000Z-spect.png", "iso", "2018-10-04T23:59:03.000000Z"),
    ("20230210T000001+1000_reef.wav", "iso", "2023-02-09T14:00:01.000000Z"),
    ("20230210T000001-0330_reef.wav", "iso", "2023-02-10T03:30:01.000000Z"),
    ("Queens_20230502_010000_Z.WAV", "date_time", "2023-05-02T01:00:00.000000Z"),
    ("reef_20230210_000001_UTC.wav", "date_time", "2023-02-10T00:00:01.000000Z"),
    ("reef_20230210_000001_UTC+10.wav", "date_time", "2023-02-09T14:00:01.000000Z"),
    ("2024_02_24_19_56_18_000000+0100.wav", "separated", "2024-02-24T18:56:18.000000Z"),
    ("2024_02_24_20_56_58_250000+0200.wav", "separated", "2024-02-24T18:56:58.250000Z"),
    ("2019-09-20T00:42:48Z.wav", "separated", "2019-09-20T00:42:48.000000Z"),
    ("SanctSound_CI01_181112T190000Z.wav", "short_date", "2018-11-12T19:00:00.000000Z"),
    ("5E90A4D4.WAV", "audiomoth_hex", "2020-04-10T16:54:44.000000Z"),
    ("deployment 3/5A8DC6AA.WAV", "audiomoth_hex", "2018-02-21T19:21:14.000000Z"),
    ("reef_20230210_000001_UTC-3.wav", "date_time", "2023-02-10T03:00:01.000000Z"),
    ("R_20210830_203542_UTC-5.wav", "date_time", "2021-08-31T01:35:42.000000Z"),
    ("R_20210830_203542_UTC-05:00.wav", "date_time", "2021-08-31T01:35:42.000000Z"),
    ("R_20210830_203542_UTC\u22125.wav", "date_time", "2021-08-31T01:35:42.000000Z"),
    ("R_20210830_203542_GMT+2.wav", "date_time", "2021-08-30T18:35:42.000000Z"),
    ("R_20210830_203542_UTC+5:30.wav", "date_time", "2021-08-30T15:05:42.000000Z"),
    ("R_20210830_203542_UTC+5.5.wav", "date_time", "2021-08-30T15:05:42.000000Z"),
    ("R_20210830_203542_UTC+05.wav", "date_time", "2021-08-30T15:35:42.000000Z"),
    ("R_20210830_203542_(UTC-10).wav", "date_time", "2021-08-31T06:35:42.000000Z"),
    ("R_20210830_203542 gmt-0330.wav", "date_time", "2021-08-31T00:05:42.000000Z"),
    ("r_20210830_203542_utc.wav", "date_time", "2021-08-30T20:35:42.000000Z"),
    ("r_20210830T203542z.wav", "iso", "2021-08-30T20:35:42.000000Z"),
    ("20230210T000001+10.wav", "iso", "2023-02-09T14:00:01.000000Z"),
    ("20201107T000000+1100_REC_-30.1228+145.4222.flac", "iso", "2020-11-06T13:00:00.000000Z"),
    ("20190508T020000+1000_REC [-27.3 152.7].flac", "iso", "2019-05-07T16:00:00.000000Z"),
    ("201905 8T020000+1000_REC.flac", "iso", "2019-05-07T16:00:00.000000Z"),
    ("2019 5 8T 2 0 0+1000_REC.flac", "iso", "2019-05-07T16:00:00.000000Z"),
    ("201905_8T020000+1000_REC.flac", "iso", "2019-05-07T16:00:00.000000Z"),
    (
        "S20240815T091156.982648+1000_E20240815T091251.967555+1000_-12.34567+78.98102.wav",
        "frontier_labs",
        "2024-08-14T23:11:56.982648Z",
    ),
    (
        "S20210205T035946676+1000_E20210205T040446501+1000_-08.0000+000.0000.wav",
        "frontier_labs",
        "2021-02-04T17:59:46.676000Z",
    ),
    ("6075.220210084905Z.wav", "soundtrap", "2022-02-10T08:49:05.000000Z"),
    ("SanctSound_181112190000_UTC+1.wav", "compact", "2018-11-12T18:00:00.000000Z"),
]


LOCAL = [
    ("2022-11-21-birdnet-16:09:08.wav", "birdnet_pi", "2022-11-21 16:09:08"),
    ("2022-11-21-birdnet-RTSP_1-16:09:08.wav", "birdnet_pi", "2022-11-21 16:09:08"),
    ("Parus_major-84-2022-11-21-birdnet-16:09:08.mp3", "birdnet_pi", "2022-11-21 16:09:08"),
    ("2022-11-21-birdnet-16_09_08.wav", "birdnet_pi", "2022-11-21 16:09:08"),
    ("2022-11-21-birdnet-16\uf03a09\uf03a08.wav", "birdnet_pi", "2022-11-21 16:09:08"),
    ("2022-11-21-birdnet-16%3A09%3A08.wav", "birdnet_pi", "2022-11-21 16:09:08"),
    ("2021-09-01-birdnet-04:09:08pm.wav", "birdnet_pi", "2021-09-01 16:09:08"),
    ("2021-09-01-birdnet-12:09am.wav", "birdnet_pi", "2021-09-01 00:09:00"),
    ("20230210_000001_MAR.wav", "date_time", "2023-02-10 00:00:01"),
    ("20230210_000001_ACT_03.wav", "date_time", "2023-02-10 00:00:01"),
    ("20230210_000001_SAT.wav", "date_time", "2023-02-10 00:00:01"),
    ("20230210_000001_West.wav", "date_time", "2023-02-10 00:00:01"),
    ("20230210_000001_cat.wav", "date_time", "2023-02-10 00:00:01"),
    ("20230210_000001_PDT3.wav", "date_time", "2023-02-10 00:00:01"),
    ("20230210_000001_reef_PDT.wav", "date_time", "2023-02-10 00:00:01"),
    ("PDT_20230210_000001.wav", "date_time", "2023-02-10 00:00:01"),
    ("20230210_000001_LL_B55_M_R.wav", "date_time", "2023-02-10 00:00:01"),
    ("20200214_191730.WAV", "date_time", "2020-02-14 19:17:30"),
    ("20200214_191730T.WAV", "date_time", "2020-02-14 19:17:30"),
    ("24E144036035E7EC_20220415_104500.WAV", "date_time", "2022-04-15 10:45:00"),
    ("SMA01234_20230210_000001.wav", "date_time", "2023-02-10 00:00:01"),
    ("HGSM3A_0+1_20160304_060000.wav", "date_time", "2016-03-04 06:00:00"),
    ("ARIZONA-1_20161023$195550.wav", "date_time", "2016-10-23 19:55:50"),
    ("SBW1391_20181001_120000.wav", "date_time", "2018-10-01 12:00:00"),
    ("RBW6737_20250724_093800.wav", "date_time", "2025-07-24 09:38:00"),
    ("PAM_20171108_094819_000.wav", "date_time", "2017-11-08 09:48:19"),
    ("PAM_20171108_094819_125.wav", "date_time", "2017-11-08 09:48:19.125000"),
    ("buoy_20171108_094819_123456.wav", "date_time", "2017-11-08 09:48:19.123456"),
    ("buoy_20171108_000101_120000.wav", "date_time", "2017-11-08 00:01:01.120000"),
    ("buoy_20171108_000101_120000_left.wav", "date_time", "2017-11-08 00:01:01"),  # not 2000-01-01 12:00:00
    ("a_20171108_094819_125_left.wav", "date_time", "2017-11-08 09:48:19"),  # may be a counter
    ("SanctSound_SB01_15_67403784_20210324_223239.wav", "date_time", "2021-03-24 22:32:39"),
    ("SNMS_20060629_023000.aif", "date_time", "2006-06-29 02:30:00"),
    ("channelA_2021-10-11_13-11-09.wav", "separated", "2021-10-11 13:11:09"),
    ("channelA_2025-08-07_20-44-20_02.wav", "separated", "2025-08-07 20:44:20"),
    ("channelA_2022_07_17_00_25_46_seg000.wav", "separated", "2022-07-17 00:25:46"),
    ("2020-05-19_11-45-43_rpi_bush_point-68-98-11.flac", "separated", "2020-05-19 11:45:43"),
    ("MMS_Dep1-e1d282a3.e1d282a3.Chan_1-24bps.1277236867.2010-06-22-20-01-07.wav", "separated", "2010-06-22 20:01:07"),
    ("OO-HYEA2--YDH-2016-01-07T142750.968688.flac", "separated", "2016-01-07 14:27:50.968688"),
    ("6075.220210084905.wav", "soundtrap", "2022-02-10 08:49:05"),
    ("335564853.200222210624.wav", "soundtrap", "2020-02-22 21:06:24"),
    ("5123.201231120000.wav", "soundtrap", "2020-12-31 12:00:00"),
    ("5123.201011121314.wav", "soundtrap", "2020-10-11 12:13:14"),
    ("SanctSound_SB01_01_1678032935_181112190000.wav", "compact", "2018-11-12 19:00:00"),
    ("hydrophone_20230210000001.wav", "compact_long", "2023-02-10 00:00:01"),
    ("hydrophone_202302100005.wav", "compact_minute", "2023-02-10 00:05:00"),
    ("sample_220925_223510.wav", "short_date", "2022-09-25 22:35:10"),
    ("NRS08-140523-001620.wav", "short_date", "2014-05-23 00:16:20"),
    ("WAT_NC_03_170716_180000_df100.x.wav", "short_date", "2017-07-16 18:00:00"),
    ("harp_990716_180000.x.wav", "short_date", "1999-07-16 18:00:00"),
    ("0222.DSG_RAWD_HMS_21_50_ 0__DMY_ 1_ 7_10.wav", "dsg", "2010-07-01 21:50:00"),
    ("s3://bucket/20220101_000000/SBW1391_20181001_120000.wav", "date_time", "2018-10-01 12:00:00"),
    (r"C:\2022\20220101_000000\SBW1391_20181001_120000.wav", "date_time", "2018-10-01 12:00:00"),
]


@pytest.mark.parametrize(("name", "pattern", "utc"), WITH_ZONE)
def test_name_with_a_zone_gives_the_utc_time(name: str, pattern: str, utc: str) -> None:
    start = find_start(name)
    assert start.utc is not None, start.reason
    assert (format_utc(start.utc), start.source, start.reason) == (utc, f"name ({pattern})", "")
    # A given time zone does not change the result.
    assert find_start(name, time_zone="+05:00").utc == start.utc


@pytest.mark.parametrize(("name", "pattern", "local"), LOCAL)
def test_name_without_a_zone_gives_the_local_time_only(name: str, pattern: str, local: str) -> None:
    start = find_start(name)
    assert start.utc is None
    assert str(start.local) == local
    assert start.source == f"name ({pattern})"
    assert name in start.reason
    assert "--set time_zone=" in start.reason
    assert start == find_start(name, pattern=pattern), "the pattern by its name reads the same"
    utc = find_start(name, time_zone="+10:00").utc
    assert utc == (start.local - timedelta(hours=10)).replace(tzinfo=UTC)


def test_every_pattern_has_an_example_of_its_own_and_a_source() -> None:
    for pattern in PATTERNS.values():
        assert find_start(pattern.example).source == f"name ({pattern.name})"
        assert pattern.source
    assert {pattern for _, pattern, _ in WITH_ZONE + LOCAL} == set(PATTERNS)


def test_table_in_the_documentation_lists_every_pattern() -> None:
    text = (REPOSITORY / "docs" / "time.md").read_text(encoding="utf-8")
    for pattern in PATTERNS.values():
        assert f"| `{pattern.name}` | `{pattern.example}` | {pattern.recorders} | {pattern.zone} |\n" in text


@pytest.mark.parametrize(
    "name",
    [
        "noise.wav",
        "",
        "reef 12.wav",
        "1678032935.wav",
        "20200101.WAV",  # a day, or hexadecimal digits
        "61234567.WAV",
        "DEADBEEF.WAV",
        "5e90a4d4.wav",
        "site_5E90A4D4.wav",
        "120000.wav",
        "3_20230210.wav",
        "20230210_0000.wav",
        "920190920T004248.wav",
        "20190920T0042481.wav",
        "5123.2012311200001.wav",
        "18991231_235959.wav",
    ],
)
def test_digits_that_are_not_a_time_are_ignored(name: str) -> None:
    start = find_start(name, time_zone="UTC")
    assert (start.utc, start.local, start.notes) == (None, None, ())
    assert "--set start=" in start.reason


@pytest.mark.parametrize(
    "name",
    [
        "site_20231301_120000.wav",
        "site_20230229_120000.wav",
        "site_20230131_240000.wav",
        "site_20230131_126000.wav",
        "AMAR1.20190931T004248Z.wav",
        "channelA_2021-02-30_13-11-09.wav",
        "5123.201331120000.wav",
        "reef_20230210_000001+9900.wav",
    ],
)
def test_date_that_does_not_exist_is_reported(name: str) -> None:
    start = find_start(name, time_zone="UTC")
    assert (start.utc, start.local) == (None, None)
    assert "there is none such" in start.reason
    assert name in start.reason


@pytest.mark.parametrize(
    "name",
    [
        "20230101T085500_20230101T145500.wav",  # beginning and end
        "120101_230210_000001.wav",  # two pairs of three numbers
        "x_201011121314.wav",  # 2020-10-11 12:13:14, or 2010-11-12 13:14
        "reef_20230210_000001-0330.wav",  # an offset, or the next number
        "reef_20230210_000001_UTC-001.wav",  # an offset, or UTC and the next number
        "reef_20230210_000001_UTC-530.wav",
        "reef_20230210_000001_UTC-25.wav",
        "reef_20230210_000001_GMT-0002.wav",
        "20230210T000001-0002.wav",
        "20230210T000001-05.wav",
    ],
)
def test_name_with_two_possible_times_is_not_read(name: str) -> None:
    start = find_start(name, time_zone="UTC")
    assert (start.utc, start.local) == (None, None)
    assert "--set name_pattern=" in start.reason


def test_pattern_decides_between_two_possible_times() -> None:
    assert find_start("x_201011121314.wav", pattern="compact").local == datetime(2020, 10, 11, 12, 13, 14)
    assert find_start("x_201011121314.wav", pattern="%Y%m%d%H%M").local == datetime(2010, 11, 12, 13, 14)
    name = "reef_20230210_000001-0330.wav"
    assert find_start(name, pattern="%Y%m%d_%H%M%S").local == datetime(2023, 2, 10, 0, 0, 1)
    assert find_start(name, pattern="%Y%m%d_%H%M%S%z").utc == datetime(2023, 2, 10, 3, 30, 1, tzinfo=UTC)
    assert find_start("61234567.WAV", pattern="audiomoth_hex").utc == datetime.fromtimestamp(0x61234567, UTC)


def test_given_pattern_replaces_all_known_patterns() -> None:
    found = find_start("20230210_000001.wav", pattern="%y%m%dT%H%M%S")
    assert found.local is None
    assert "does not fit the pattern %y%m%dT%H%M%S" in found.reason
    # The header may still have a time; the problem with the name becomes a note.
    known = find_start("20230210_000001.wav", guano("2023-02-10T00:00:01Z"), pattern="%y%m%dT%H%M%S")
    assert known.utc is not None
    assert [note.code for note in known.notes] == ["start"]
    assert "does not fit" in known.notes[0].message
    assert "20230210" not in known.notes[0].message.partition("does not fit")[0], "results are without names"


def test_common_year_has_no_day_366() -> None:
    assert find_start("2023366-2359.wav", pattern="%Y%j-%H%M").local is None
    assert find_start("2023000-2359.wav", pattern="%Y%j-%H%M").local is None


def test_pattern_that_leaves_a_zone_out_is_noted() -> None:
    name = "clip_2020_09_27_12_05_55_PDT.wav"
    start = find_start(name, time_zone="UTC", pattern="%Y_%m_%d_%H_%M_%S")
    assert start.utc == datetime(2020, 9, 27, 12, 5, 55, tzinfo=UTC)
    assert "'_PDT'" in start.notes[0].message
    assert "add %z" in start.notes[0].message
    assert find_start(name, time_zone="UTC", pattern="%Y_%m_%d_%H_%M_%S%z").utc == datetime(
        2020, 9, 27, 19, 5, 55, tzinfo=UTC
    )


@given(st.text(max_size=60), st.none() | st.sampled_from(["UTC", "Europe/Paris"]))
def test_any_name_is_handled(name: str, zone: str | None) -> None:
    find_start(name, time_zone=zone)


@given(st.text(alphabet="0123456789_-T.Z+", max_size=40))
def test_any_digits_are_handled(name: str) -> None:
    find_start(name, time_zone="+10:00")


@given(MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)))
def test_printed_time_is_read_back(moment: datetime) -> None:
    text = format_utc(moment)
    assert parse_start(text) == moment
    assert find_start("x.wav", guano(text)).utc == moment
    assert find_start(f"{moment:%Y%m%dT%H%M%S.%fZ}.wav").utc == moment


@given(MOMENTS, OFFSETS)
def test_offset_is_subtracted_exactly(wall: datetime, zone: timezone) -> None:
    moment = wall.replace(tzinfo=zone)
    offset = moment.isoformat()[-6:]
    assert find_start(f"a_{wall:%Y%m%d_%H%M%S_%f}.wav", time_zone=offset).utc == moment
    assert find_start("a.wav", guano(wall.isoformat() + offset)).utc == moment
    named = find_start(f"{wall:%Y%m%dT%H%M%S.%f}+{offset[1:].replace(':', '')}.wav")
    assert named.utc == wall.replace(tzinfo=timezone(abs(zone.utcoffset(None))))
