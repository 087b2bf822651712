"""When a recording began: names of every recorder, headers, zones, clock changes; and nothing guessed."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.audio.headers import BroadcastExtension, Metadata, read_metadata
from anemonefish.errors import InvalidSettings, UnsupportedRecording
from anemonefish.start_time.start import (
    PATTERNS,
    RecordingStart,
    find_start,
    format_utc,
    parse_pattern,
    parse_start,
    parse_time_zone,
    utc_of,
)
from anemonefish.start_time.zone_suffixes import ABBREVIATIONS, offset_text

AUDIOMOTH = (
    "Recorded at {} by AudioMoth 24F3190361CB5B21 at medium gain while battery was 4.2V and temperature was 21.4C."
)


def comment(time: str) -> Metadata:
    return Metadata(info={"ICMT": AUDIOMOTH.format(time)})


def guano(time: str) -> Metadata:
    return Metadata(guano={"Timestamp": time})


def bext(time: str, date: str = "2020-02-14", reference: int = 0) -> Metadata:
    return Metadata(broadcast=BroadcastExtension(date, time, reference), sample_rate=48_000)


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
    ("a_20171108_094819_125_left.wav", "date_time", "2017-11-08 09:48:19"),  # a counter, for all we know
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
def test_names_with_a_zone_are_known(name: str, pattern: str, utc: str) -> None:
    found = find_start(name)
    assert found.utc is not None, found.reason
    assert (format_utc(found.utc), found.source, found.reason) == (utc, f"name ({pattern})", "")
    # A time zone that was given for the others does not change them.
    assert find_start(name, time_zone="+05:00").utc == found.utc


@pytest.mark.parametrize(("name", "pattern", "local"), LOCAL)
def test_names_without_a_zone_are_known_locally_only(name: str, pattern: str, local: str) -> None:
    found = find_start(name)
    assert found.utc is None
    assert str(found.local) == local
    assert found.source == f"name ({pattern})"
    assert name in found.reason
    assert "--set time_zone=" in found.reason
    assert found == find_start(name, pattern=pattern), "the pattern by its name reads the same"
    utc = find_start(name, time_zone="+10:00").utc
    assert utc == (found.local - timedelta(hours=10)).replace(tzinfo=UTC)


def test_every_pattern_has_an_example_of_its_own_and_a_source() -> None:
    for pattern in PATTERNS.values():
        assert find_start(pattern.example).source == f"name ({pattern.name})"
        assert pattern.source
    assert {pattern for _, pattern, _ in WITH_ZONE + LOCAL} == set(PATTERNS)


def test_the_table_of_names_in_the_documentation_is_that_of_the_program() -> None:
    text = (Path(__file__).parents[2] / "docs" / "time.md").read_text(encoding="utf-8")
    for each in PATTERNS.values():
        assert f"| `{each.name}` | `{each.example}` | {each.recorders} | {each.zone} |\n" in text


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
def test_digits_that_are_no_time(name: str) -> None:
    found = find_start(name, time_zone="UTC")
    assert (found.utc, found.local, found.notes) == (None, None, ())
    assert "--set start=" in found.reason


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
def test_dates_that_do_not_exist(name: str) -> None:
    found = find_start(name, time_zone="UTC")
    assert (found.utc, found.local) == (None, None)
    assert "there is none such" in found.reason
    assert name in found.reason


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
def test_names_that_can_be_read_in_two_ways_are_not_read(name: str) -> None:
    found = find_start(name, time_zone="UTC")
    assert (found.utc, found.local) == (None, None)
    assert "--set name_pattern=" in found.reason


def test_a_pattern_decides_between_two_readings() -> None:
    assert find_start("x_201011121314.wav", pattern="compact").local == datetime(2020, 10, 11, 12, 13, 14)
    assert find_start("x_201011121314.wav", pattern="%Y%m%d%H%M").local == datetime(2010, 11, 12, 13, 14)
    name = "reef_20230210_000001-0330.wav"
    assert find_start(name, pattern="%Y%m%d_%H%M%S").local == datetime(2023, 2, 10, 0, 0, 1)
    assert find_start(name, pattern="%Y%m%d_%H%M%S%z").utc == datetime(2023, 2, 10, 3, 30, 1, tzinfo=UTC)
    assert find_start("61234567.WAV", pattern="audiomoth_hex").utc == datetime.fromtimestamp(0x61234567, UTC)


@pytest.mark.parametrize(
    ("pattern", "name", "local"),
    [
        ("%d%m%y_%H%M%S", "pu11wh87_210714_070957.wav", "2014-07-21 07:09:57"),
        ("%d.%m.%y_%H%M%S", "Motorboat_08.08.23_105220_20sec.wav", "2023-08-08 10:52:20"),
        ("%Y%j-%H%M", "2024366-2359.wav", "2024-12-31 23:59:00"),
        ("%Y%m%d_*_%H%M%S", "20230210_LL_B55_000001.wav", "2023-02-10 00:00:01"),
        ("%H%M%S,%f %Y%m%d", "000001,5 20230210.wav", "2023-02-10 00:00:01.500000"),
        ("100%%_%Y%m%d%H%M", "gain 100%_202302100001.wav", "2023-02-10 00:01:00"),
        ("[%Y%m%d](%H%M%S)", "[20230210](000001).wav", "2023-02-10 00:00:01"),
    ],
)
def test_own_patterns(pattern: str, name: str, local: str) -> None:
    assert str(find_start(name, pattern=pattern).local) == local


def test_an_own_pattern_is_the_only_one() -> None:
    found = find_start("20230210_000001.wav", pattern="%y%m%dT%H%M%S")
    assert found.local is None
    assert "does not fit the pattern %y%m%dT%H%M%S" in found.reason
    # The header may still know, but what went wrong is said.
    known = find_start("20230210_000001.wav", guano("2023-02-10T00:00:01Z"), pattern="%y%m%dT%H%M%S")
    assert known.utc is not None
    assert [note.code for note in known.notes] == ["start"]
    assert "does not fit" in known.notes[0].message
    assert "20230210" not in known.notes[0].message.partition("does not fit")[0], "results are without names"


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "%Y%m%d",
        "%H%M%S",
        "%Y%m_%H%M",
        "%Y%y%m%d_%H%M",
        "%Y%m%d%j_%H%M",
        "%Y%m%d_%I%M%S",
        "%Y%m%d_%H%M%",
        "%Y%m%d_%Y_%H%M",
        "*%Y%m%d*%H%M",
        "soundtrp",
        r"(\d+)",
        "%Y%m%d%H%M" + "x" * 300,
    ],
)
def test_patterns_that_cannot_work_are_refused(pattern: str) -> None:
    with pytest.raises(InvalidSettings, match="name_pattern"):
        parse_pattern(pattern)


def test_no_day_366_in_a_common_year() -> None:
    assert find_start("2023366-2359.wav", pattern="%Y%j-%H%M").local is None
    assert find_start("2023000-2359.wav", pattern="%Y%j-%H%M").local is None


@pytest.mark.parametrize(
    ("metadata", "utc", "source"),
    [
        (comment("19:17:30 14/02/2020 (UTC+2)"), "2020-02-14T17:17:30", "AudioMoth comment"),
        (comment("19:17:30 14/02/2020 (UTC)"), "2020-02-14T19:17:30", "AudioMoth comment"),
        (comment("19:17:30 14/02/2020 (UTC-9:30)"), "2020-02-15T04:47:30", "AudioMoth comment"),
        (comment("19:17:30 14/02/2020 (UTC-0:30)"), "2020-02-14T19:47:30", "AudioMoth comment"),
        (comment("19:17:30.250 14/02/2020 (UTC+11)"), "2020-02-14T08:17:30.25", "AudioMoth comment"),
        (
            Metadata(tags={"COMMENT": "Recorded at 19:17:30 14/02/2020 (UTC) during deployment 0123456789ABCDEF by A"}),
            "2020-02-14T19:17:30",
            "AudioMoth comment",
        ),
        (
            Metadata(info={"ANNO": AUDIOMOTH.format("19:17:30 14/02/2020 (UTC)")}),
            "2020-02-14T19:17:30",
            "AudioMoth comment",
        ),
        (guano("2020-02-14T19:17:30+02:00"), "2020-02-14T17:17:30", "GUANO Timestamp"),
        (guano("2020-02-14T19:17:30.123456789Z"), "2020-02-14T19:17:30.123456", "GUANO Timestamp"),
        (guano("2020-02-14 19:17:30-0330"), "2020-02-14T22:47:30", "GUANO Timestamp"),
        (Metadata(info={"ICRD": "2020-02-14T19:17:30Z"}), "2020-02-14T19:17:30", "ICRD"),
        (Metadata(tags={"DATE": "2020-02-14T19:17:30+10"}), "2020-02-14T09:17:30", "DATE"),
        (comment("19:17:30 14/02/2020 (GMT+2)"), "2020-02-14T17:17:30", "AudioMoth comment"),
        (Metadata(tags={"RECORDINGSTART": "2020-02-14T19:17:30+10:00"}), "2020-02-14T09:17:30", "RecordingStart"),
        (Metadata(tags={"RECORDINGSTART": "2020-02-14T19:17:30+1000"}), "2020-02-14T09:17:30", "RecordingStart"),
        (Metadata(tags={"RECORDINGSTART": "2020- 2-14T19:17:30+1000"}), "2020-02-14T09:17:30", "RecordingStart"),
        (Metadata(starts={"wamd": "2020-02-14 19:17:30.125-03:30"}), "2020-02-14T22:47:30.125", "wamd"),
        (Metadata(starts={"harp": "2020-02-14T19:17:30.500000Z"}), "2020-02-14T19:17:30.5", "harp"),
        (
            Metadata(starts={"SoundTrap .log.xml": "2020-02-14 19:17:30.25 UTC"}),
            "2020-02-14T19:17:30.25",
            "SoundTrap .log.xml",
        ),
        (
            Metadata(starts={"SoundTrap .log.xml": "2020-02-14 19:17:30 AEST"}),
            "2020-02-14T09:17:30",
            "SoundTrap .log.xml in AEST (+10:00)",
        ),
        (Metadata(tags={"CREATIONDATE": "2020-02-14T19:17:30+0200"}), "2020-02-14T17:17:30", "CREATIONDATE"),
    ],
)
def test_headers_with_a_zone(metadata: Metadata, utc: str, source: str) -> None:
    found = find_start("noise.wav", metadata, time_zone="+05:00")
    assert found.utc == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert (found.source, found.notes) == (source, ())


@pytest.mark.parametrize(
    ("metadata", "local", "source"),
    [
        (guano("2020-02-14T19:17:30"), "2020-02-14 19:17:30", "GUANO Timestamp"),
        (comment("19:17:30 14/02/2020"), "2020-02-14 19:17:30", "AudioMoth comment"),  # firmware 1.0
        (Metadata(info={"ICRD": "2020/02/14 19:17"}), "2020-02-14 19:17:00", "ICRD"),
        (Metadata(tags={"RECORDINGSTART": "2020-02-14 19:17:30"}), "2020-02-14 19:17:30", "RecordingStart"),
        (Metadata(starts={"wamd": "2020-02-14 19:17:30"}), "2020-02-14 19:17:30", "wamd"),
        (bext("19:17:30"), "2020-02-14 19:17:30", "bext"),
        (bext("19-17-30", "2020:02:14"), "2020-02-14 19:17:30", "bext"),
        (bext("19:17:30", reference=(69_450 * 48_000) + 12_000), "2020-02-14 19:17:30.250000", "bext"),
        (bext("19:17:30", reference=3_600 * 48_000), "2020-02-14 19:17:30", "bext"),  # an editor's hour
        (bext("19:17:30", reference=2**64 - 1), "2020-02-14 19:17:30", "bext"),
        (Metadata(broadcast=BroadcastExtension("2020-02-14", "19:17:30", 99)), "2020-02-14 19:17:30", "bext"),
    ],
)
def test_headers_without_a_zone_are_known_locally_only(metadata: Metadata, local: str, source: str) -> None:
    found = find_start("noise.wav", metadata)
    assert (found.utc, str(found.local), found.source) == (None, local, source)
    assert "--set time_zone=" in found.reason
    assert find_start("noise.wav", metadata, time_zone="UTC").utc == found.local.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "metadata",
    [
        Metadata(),
        guano("yesterday"),
        guano("2020-02-30T00:00:00Z"),
        guano("2020-02-14T19:17:30+99:00"),
        guano("9999-12-31T23:59:59-14:00"),
        guano("2020-02-14"),
        comment("19:17:30 30/02/2020 (UTC)"),
        comment("19:17:30 14/02/2020 (UTC+99)"),
        Metadata(info={"ICRD": "2020-02-14"}),
        Metadata(tags={"DATE": "2020"}),
        bext("        "),
        bext("99:17:30"),
        bext("19:17:30", "0000-00-00"),
    ],
)
def test_headers_that_say_nothing(metadata: Metadata) -> None:
    found = find_start("noise.wav", metadata, time_zone="UTC")
    assert (found.utc, found.local) == (None, None)


def test_what_counts_first() -> None:
    name_z, name = "a_20200214T191731Z.wav", "a_20200214_191732.wav"
    header = Metadata(
        guano={"Timestamp": "2020-02-14T19:17:30Z"},
        info={"ICMT": AUDIOMOTH.format("19:17:29 14/02/2020 (UTC)")},
        broadcast=BroadcastExtension("2020-02-14", "19:17:33"),
    )
    assert find_start(name, header, time_zone="UTC", start="2020-02-14T19:17:28Z").source == "given"
    assert find_start(name, header, time_zone="UTC").source == "GUANO Timestamp"
    assert find_start(name_z, Metadata(info=header.info)).source == "AudioMoth comment"
    assert find_start(name_z, bext("19:17:33"), time_zone="UTC").source == "name (iso)"
    assert find_start(name, bext("19:17:33"), time_zone="UTC").source == "name (date_time) and time zone UTC"
    assert find_start(name, guano("2020-02-14T19:17:30"), time_zone="UTC").source.startswith("name")
    both = Metadata(guano={"Timestamp": "2020-02-14T19:17:30"}, broadcast=header.broadcast)
    assert find_start("noise.wav", both, time_zone="UTC").source == "GUANO Timestamp and time zone UTC"


@pytest.mark.parametrize(
    ("name", "metadata", "zone", "disagree"),
    [
        ("a_20200214T191730Z.wav", guano("2020-02-14T19:17:35Z"), None, False),
        ("a_20200214T191730Z.wav", guano("2020-02-14T19:17:36Z"), None, True),
        ("a_20200214_191730.wav", comment("19:17:30 14/02/2020 (UTC+2)"), None, False),
        ("a_20200214_171731.wav", comment("19:17:30 14/02/2020 (UTC+2)"), None, False),  # the name may be in UTC
        ("a_20200214_171800.wav", comment("19:17:30 14/02/2020 (UTC+2)"), None, True),
        ("a_20200216_191730.wav", comment("19:17:30 14/02/2020 (UTC+2)"), None, True),
        ("a_20200214_191730.wav", comment("19:17:30 14/02/2020 (UTC+2)"), "Europe/Athens", False),
        ("a_20200214_191730.wav", comment("19:17:30 14/02/2020 (UTC+2)"), "UTC", True),
        ("a_20200214_191730.wav", bext("19:17:30"), None, False),
        ("a_20200214_191730.wav", bext("20:17:30"), None, True),
        ("a_20200214_191730.wav", bext("20:17:30"), "Europe/Athens", True),
        ("a_20200329_040000.wav", bext("03:30:00", "2020-03-29"), "Europe/Athens", True),  # bext: a time that was not
    ],
)
def test_name_and_header_that_disagree_are_said(
    name: str, metadata: Metadata, zone: str | None, disagree: bool
) -> None:
    notes = find_start(name, metadata, time_zone=zone).notes
    assert bool(notes) == disagree
    assert all(note.code == "start" and "the first is used" in note.message for note in notes)


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
def test_places(zone: str, hour: str, utc: str) -> None:
    found = find_start(f"reef_{hour}.wav", time_zone=zone).utc
    assert found is not None
    assert format_utc(found) == utc


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
def test_hours_that_were_twice_or_never_are_errors(zone: str, hour: str, word: str, offsets: str) -> None:
    name = f"reef_{hour}.wav"
    with pytest.raises(UnsupportedRecording) as caught:
        find_start(name, time_zone=zone)
    assert word in str(caught.value)
    assert name in str(caught.value)
    assert f"--set time_zone={offsets}" in str(caught.value)
    for offset in offsets.split(" or "):
        assert find_start(name, time_zone=offset).utc is not None


def test_a_repeated_hour_is_no_error_where_the_zone_is_not_needed() -> None:
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
def test_time_zones(text: str, offset: str) -> None:
    sign = -1 if offset.startswith("-") else 1
    hours, minutes = (int(part) for part in offset.lstrip("-").split(":"))
    moment = datetime(2020, 1, 1, tzinfo=parse_time_zone(text))
    assert moment.utcoffset() == sign * timedelta(hours=hours, minutes=minutes)


@pytest.mark.parametrize(
    "text",
    ["", "local", "EST", "CET", "10", "+15:00", "+10:60", "UTC+100", "Europe/Pariss", "Europe", "Europe/", "../UTC",
     "/etc/localtime", "Europe/../Europe/Paris", "Asia/Tokyo\0"],
)  # fmt: skip
def test_what_is_no_time_zone(text: str) -> None:
    with pytest.raises(InvalidSettings, match="time_zone"):
        find_start("20200101_000000.wav", time_zone=text)


def test_a_machine_without_a_database_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_an_abbreviation_behind_the_time_is_the_zone(name: str, utc: str) -> None:
    alone = find_start(name)
    assert alone.utc is not None, alone.reason
    assert (format_utc(alone.utc), alone.notes) == (utc, ())
    # Another zone that was given never replaces it, and is not dropped without a word.
    beside = find_start(name, time_zone="-05:45")
    assert beside.utc == alone.utc
    assert [note.code for note in beside.notes] == ["start"]
    assert "although time_zone is -05:45" in beside.notes[0].message
    assert name not in beside.notes[0].message


AMBIGUOUS = [text for text, each in ABBREVIATIONS.items() if each.offset() is None]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_an_abbreviation_with_several_meanings_is_asked_about_and_the_answers_work(text: str) -> None:
    name = f"reef_20200115_120555_{text}.wav"
    # An offset that is none of its meanings is not taken instead.
    for zone in (None, "-11:45"):
        found = find_start(name, time_zone=zone)
        assert (found.utc, found.local) == (None, datetime(2020, 1, 15, 12, 5, 55))
        assert text in found.reason
        options = settings_in(found.reason)
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
def test_a_place_tells_which_of_its_clocks_an_abbreviation_means(hour: str, zone: str, utc: str) -> None:
    found = find_start(f"reef_{hour}.wav", time_zone=zone)
    assert found.utc is not None, found.reason
    assert (format_utc(found.utc), found.notes) == (utc, ())


def test_a_place_that_shows_other_letters_at_that_time_does_not_decide() -> None:
    assert find_start("reef_20230701_120000_PST.wav", time_zone="America/Los_Angeles").utc is None
    # Both of Sydney's clocks were called EST in the hour that happened twice.
    assert find_start("reef_20190407_023000_EST.wav", time_zone="Australia/Sydney").utc is None


def test_abbreviations_need_no_time_zone_database(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoneinfo

    zoneinfo.ZoneInfo.clear_cache()
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath(to=[])
    try:
        found = find_start("x_2020_09_27_12_05_55_PDT.wav")
        assert found.utc == datetime(2020, 9, 27, 19, 5, 55, tzinfo=UTC)
        assert find_start("x_2020_09_27_12_05_55_PST.wav", time_zone="-08:00").utc is not None
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()


def test_every_abbreviation_means_what_its_places_show() -> None:
    """The table is held against the time zone database: each place had each offset at some time since 1990."""
    for text, each in ABBREVIATIONS.items():
        for offset, place in each.meanings:
            clocks = parse_time_zone(place)
            days = (datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=20 * step) for step in range(670))
            assert any(day.astimezone(clocks).utcoffset() == timedelta(minutes=offset) for day in days), (text, place)


def test_no_place_uses_an_abbreviation_for_another_offset() -> None:
    """Every place of the database since 1991: letters of the table never mean an offset that it does not have."""
    import zoneinfo

    for place in zoneinfo.available_timezones():
        clocks = zoneinfo.ZoneInfo(place)
        for step in range(0, 430):
            local = (datetime(1991, 1, 1, tzinfo=UTC) + timedelta(days=30 * step)).astimezone(clocks)
            each = ABBREVIATIONS.get((local.tzname() or "").upper())
            if each is not None:
                offset = local.utcoffset() / timedelta(minutes=1)
                assert offset in {meaning for meaning, _ in each.meanings}, (place, local)


@given(
    st.datetimes(datetime(1995, 1, 1), datetime(2060, 12, 31)).map(lambda moment: moment.replace(microsecond=0)),
    st.sampled_from(["America/Los_Angeles", "America/New_York", "Europe/Berlin", "Australia/Adelaide", "Asia/Tokyo"]),
)
def test_a_name_that_a_place_prints_with_its_letters_is_read_back_exactly(wall: datetime, place: str) -> None:
    moment = wall.replace(tzinfo=UTC)
    local = moment.astimezone(parse_time_zone(place))
    assert find_start(f"clip_{local:%Y_%m_%d_%H_%M_%S_%Z}.wav", time_zone=place).utc == moment


def test_a_pattern_that_leaves_a_zone_out_says_so() -> None:
    name = "clip_2020_09_27_12_05_55_PDT.wav"
    found = find_start(name, time_zone="UTC", pattern="%Y_%m_%d_%H_%M_%S")
    assert found.utc == datetime(2020, 9, 27, 12, 5, 55, tzinfo=UTC)
    assert "'_PDT'" in found.notes[0].message
    assert "add %z" in found.notes[0].message
    assert find_start(name, time_zone="UTC", pattern="%Y_%m_%d_%H_%M_%S%z").utc == datetime(
        2020, 9, 27, 19, 5, 55, tzinfo=UTC
    )


def settings_in(text: str) -> list[tuple[str, str]]:
    """Return the settings that a message advises, as a shell would pass them on."""
    words = re.findall(r"--set ((?:'[^']*'|\"[^\"]*\"|[^'\"\s])+)", text)
    pairs = [shlex.split(word)[0].rstrip(";,") for word in words]
    return [(key, value) for key, _, value in (pair.partition("=") for pair in pairs)]


@pytest.mark.parametrize(
    "name",
    [
        "20230101T085500_20230101T145500.wav",
        "120101_230210_000001.wav",
        "x_201011121314.wav",
        "reef_20230210_000001-0330.wav",
        "reef_20230210_000001_UTC-001.wav",
        "20230210T000001-05.wav",
        "reef 20230210_000001-0330 (left).wav",
        "gain 100% 20230101$085500 20230101$145500.wav",
        "it's 20230101_085500 and 20230101_145500.wav",
        "pool_13-02-2023_12-05-55.wav",
        "2023-02-10_12-05.wav",
        "site_20231301_120000.wav",
        "2024366-2359.wav",
        "REC 13.02.23 at 12:05:55.wav",
    ],
)
def test_a_pattern_in_a_message_reads_the_very_name(name: str) -> None:
    found = find_start(name, time_zone="UTC")
    assert found.utc is None
    patterns = [value for key, value in settings_in(found.reason) if key == "name_pattern"]
    assert patterns
    for pattern in patterns:
        known = find_start(name, time_zone="UTC", pattern=pattern)
        assert known.utc is not None, (pattern, known.reason)
    assert len({find_start(name, time_zone="UTC", pattern=each).utc for each in patterns}) == len(patterns)


@pytest.mark.parametrize("name", ["noise.wav", "3_20230210.wav", "1678032935.wav", "site_20230229_120000.wav"])
def test_no_pattern_is_advised_where_none_can_read_the_name(name: str) -> None:
    reason = find_start(name, time_zone="UTC").reason
    assert [key for key, _ in settings_in(reason)] == ["start"]


@given(st.text(alphabet="0123456789_-T. $%'*", max_size=30))
def test_no_message_advises_a_pattern_that_does_not_work(name: str) -> None:
    reason = find_start(name, time_zone="+10:00").reason.removeprefix(f"{name}: ")
    for key, value in settings_in(reason):
        if key == "name_pattern":
            assert find_start(name, time_zone="+10:00", pattern=value).local is not None


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("19700101_000554.WAV", "UTC"),
        ("19700101_000554.WAV", None),
        ("19700119_030000.WAV", "UTC"),
        ("19691231_190554.WAV", "America/New_York"),
        ("19800101_000010.WAV", "UTC"),
        ("19800106_000010.WAV", "UTC"),
        ("6075.000101000012.wav", "+10:00"),
        ("20000101_000554.WAV", "UTC"),
        ("20010101_000554.WAV", "UTC"),
        ("2000-01-01_00-00-16.wav", "UTC"),
    ],
)
def test_a_clock_that_was_never_set_is_said_and_the_start_stands(name: str, zone: str | None) -> None:
    found = find_start(name, time_zone=zone)
    assert found.local is not None
    assert (found.utc is None) == (zone is None)
    assert [note.code for note in found.notes] == ["clock-not-set"]
    assert found.notes[0].numbers == {"start": found.local.isoformat()}
    assert name not in found.notes[0].message


def test_a_header_of_a_clock_that_was_never_set_is_said() -> None:
    found = find_start("noise.wav", comment("00:05:54 01/01/1970 (UTC)"))
    assert [note.code for note in found.notes] == ["clock-not-set"]


@pytest.mark.parametrize(
    "name", ["19990715_120000.wav", "20230101_000000.wav", "20000715_120000.wav", "20100102_000000.wav"]
)
def test_other_times_are_taken_for_real(name: str) -> None:
    assert find_start(name, time_zone="UTC").notes == ()


def test_a_start_that_was_given_is_not_doubted() -> None:
    assert find_start("19700101_000554.WAV", start="1970-01-01T00:05:54Z").notes == ()


def test_pauses_within_a_recording_are_said() -> None:
    found = find_start("x.wav", Metadata(starts={"harp": "2020-02-14T19:17:30Z"}, pauses=3))
    assert found.notes[0].numbers == {"pauses": 3}


def test_a_log_beside_the_recording_outranks_the_name() -> None:
    log = Metadata(starts={"SoundTrap .log.xml": "2022-02-09T21:49:05.250000Z"})
    found = find_start("6075.220210084905.wav", log, time_zone="+11:00")
    assert (found.source, found.notes) == ("SoundTrap .log.xml", ())
    assert found.utc == datetime(2022, 2, 9, 21, 49, 5, 250_000, tzinfo=UTC)
    other = find_start("6075.220210084905.wav", log, time_zone="+10:00")
    assert other.utc == found.utc
    assert "the first is used" in other.notes[0].message


def test_a_start_that_is_given() -> None:
    assert parse_start("2019-09-20T00:42:48.5Z") == datetime(2019, 9, 20, 0, 42, 48, 500_000, tzinfo=UTC)
    assert find_start("x.wav", start="2019-09-20T10:42:48+10:00") == RecordingStart(
        datetime(2019, 9, 20, 0, 42, 48, tzinfo=UTC), "given"
    )


@pytest.mark.parametrize("text", ["", "now", "2019-09-20", "2019-09-20T00:42:48", "2019-02-30T00:42:48Z", "20/09/2019"])
def test_a_start_without_an_offset_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings, match="start"):
        find_start("x.wav", start=text)


MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2068, 12, 31))
OFFSETS = st.integers(-48, 56).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))


@given(MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)))
def test_what_is_printed_is_what_is_read(moment: datetime) -> None:
    text = format_utc(moment)
    assert parse_start(text) == moment
    assert find_start("x.wav", guano(text)).utc == moment
    assert find_start(f"{moment:%Y%m%dT%H%M%S.%fZ}.wav").utc == moment


@given(MOMENTS, OFFSETS)
def test_an_offset_is_taken_off_exactly(wall: datetime, zone: timezone) -> None:
    moment = wall.replace(tzinfo=zone)
    offset = moment.isoformat()[-6:]
    assert find_start(f"a_{wall:%Y%m%d_%H%M%S_%f}.wav", time_zone=offset).utc == moment
    assert find_start("a.wav", guano(wall.isoformat() + offset)).utc == moment
    named = find_start(f"{wall:%Y%m%dT%H%M%S.%f}+{offset[1:].replace(':', '')}.wav")
    assert named.utc == wall.replace(tzinfo=timezone(abs(zone.utcoffset(None))))


@given(MOMENTS, st.sampled_from(["%Y%m%d_%H%M%S", "%d-%m-%y %H.%M.%S", "%Y%j%H%M%S", "%S%M%H_%d%m%Y"]))
def test_own_patterns_read_what_they_print(moment: datetime, pattern: str) -> None:
    found = find_start(f"reef_{moment.strftime(pattern)}_x.wav", pattern=pattern)
    assert found.local == moment.replace(microsecond=0)


@given(st.text(max_size=60), st.none() | st.sampled_from(["UTC", "Europe/Paris"]))
def test_no_name_is_a_crash(name: str, zone: str | None) -> None:
    find_start(name, time_zone=zone)


@given(st.text(alphabet="0123456789_-T.Z+", max_size=40))
def test_no_digits_are_a_crash(name: str) -> None:
    find_start(name, time_zone="+10:00")


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_header_is_a_crash(text: str, other: str) -> None:
    find_start(
        "x.wav", Metadata({"Timestamp": text}, {"ICMT": other, "ICRD": text}, {}, BroadcastExtension(text, other, 5), 1)
    )


@given(st.text(alphabet="%YmdHMSfzj*_[(.)", max_size=30))
def test_no_pattern_is_a_crash(text: str) -> None:
    with contextlib.suppress(InvalidSettings):
        find_start("20230210_000001.wav", pattern=text)


def test_the_moment_of_a_sample() -> None:
    start = datetime(2019, 9, 20, 0, 42, 48, tzinfo=UTC)
    assert format_utc(utc_of(start, 0, 32_000)) == "2019-09-20T00:42:48.000000Z"
    assert format_utc(utc_of(start, 16_001, 32_000)) == "2019-09-20T00:42:48.500031Z"  # …031.25
    assert format_utc(utc_of(start, 1, 2_000_000)) == "2019-09-20T00:42:48.000001Z"  # half a microsecond
    assert format_utc(utc_of(start.astimezone(timezone(timedelta(hours=10))), 32_000, 32_000)).endswith(
        "00:42:49.000000Z"
    )


@given(MOMENTS, st.integers(0, 2**45), st.integers(1, 2**20))
def test_a_sample_is_never_off_by_more_than_half_a_microsecond(moment: datetime, sample: int, rate: int) -> None:
    start = moment.replace(tzinfo=UTC)
    try:
        passed = utc_of(start, sample, rate) - start
    except OverflowError:  # past the year 9999
        return
    micro = passed // timedelta(microseconds=1)
    assert abs(2 * (micro * rate - sample * 1_000_000)) <= rate


def test_a_moment_has_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        utc_of(datetime(2020, 1, 1), 0, 1)
    with pytest.raises(ValueError, match="zone"):
        format_utc(datetime(2020, 1, 1))


def name_and_metadata(path: Path) -> tuple[str, Metadata]:
    with path.open("rb") as file:
        return path.name, read_metadata(file, path.stat().st_size)


def test_a_real_amar_recording_is_known(reef_recording: Path) -> None:
    found = find_start(*name_and_metadata(reef_recording))
    assert found == RecordingStart(
        datetime(2019, 9, 20, 0, 42, 48, tzinfo=UTC), "name (iso)", datetime(2019, 9, 20, 0, 42, 48)
    )


def test_a_real_deployment_keeps_its_gap(real_recording: Callable[[str], Path]) -> None:
    paths = [f"timestamped/sample_220925_{time}.wav" for time in ("223510", "223520", "223530", "223600")]
    names = [name_and_metadata(real_recording(path)) for path in paths]
    assert all(find_start(*each).utc is None for each in names)
    starts = [find_start(*each, time_zone="UTC").utc for each in names]
    assert [format_utc(each)[14:19] for each in starts if each] == ["35:10", "35:20", "35:30", "36:00"]
