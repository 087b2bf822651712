"""When a recording was made: names of recorders, headers, zones - and never a guess."""

from __future__ import annotations

import io
import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.errors import InvalidRequest, InvalidSettings
from anemonefish.recorded import Start, find_start, given_start, moment, read_clocks, zone_of

REEF = "Australia/Brisbane"


@pytest.mark.parametrize(
    ("name", "utc"),
    [
        ("AMAR173.4.20190920T004248Z.wav", "2019-09-20T00:42:48.000000Z"),  # JASCO AMAR
        ("ICLISTENHF1234_20180101T000000.125Z.flac", "2018-01-01T00:00:00.125000Z"),  # Ocean Networks Canada
        ("site/deep/2023-02-10T00:00:01+10:00.wav", "2023-02-09T14:00:01.000000Z"),
        ("2023-02-10_23-59-59-0330.wav", "2023-02-11T03:29:59.000000Z"),
        ("20230210T000001Z_part2.wav", "2023-02-10T00:00:01.000000Z"),
        ("5D84230A.WAV", "2019-09-20T00:53:30.000000Z"),  # first AudioMoths: seconds of the Unix clock
    ],
)
def test_a_name_that_tells_its_zone_needs_no_other(name: str, utc: str) -> None:
    assert find_start(name, list, None) == Start(utc, "the name")
    assert find_start(name, list, REEF) == Start(utc, "the name")


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("20230210_000001_LL_B55_M_R.wav", "2023-02-10T00:00:01"),  # the lab's
        ("20190920_004248.WAV", "2019-09-20T00:42:48"),  # AudioMoth
        ("5123.201231120000.wav", "2020-12-31T12:00:00"),  # SoundTrap
        ("671854636.221105010203.wav", "2022-11-05T01:02:03"),
        ("S4A12345_20190920_004248.wav", "2019-09-20T00:42:48"),  # Wildlife Acoustics
        ("SMM05555_0+1_20221105_010203.w4v", "2022-11-05T01:02:03"),
        ("SBW1676_20200101_103000.wav", "2020-01-01T10:30:00"),  # icListen
        ("sample_220925_223510.wav", "2022-09-25T22:35:10"),  # OSEkit's
        ("20190920T004248_0001234567890123_2.0.wav", "2019-09-20T00:42:48"),  # Loggerhead
        ("channelA_2019-09-20_00-42-48.wav", "2019-09-20T00:42:48"),  # RTsys
        ("2019-09-20 00:42:48.500.wav", "2019-09-20T00:42:48.500000"),
    ],
)
def test_a_name_without_a_zone_waits_for_one(name: str, local: str) -> None:
    unknown = find_start(name, list, None)
    assert unknown.utc is None
    assert unknown.source == f"the name says {local.replace('T', ' ')} without a zone; set time_zone"
    expected = datetime.fromisoformat(local).replace(tzinfo=timezone(timedelta(hours=10))).astimezone(UTC)
    found = find_start(name, list, REEF)
    assert found.source == f"the name, in {REEF}"
    assert found.utc is not None
    assert datetime.fromisoformat(found.utc) == expected


@pytest.mark.parametrize(
    "name",
    [
        "reef.wav",
        "20231301_000000.wav",  # there is no month 13
        "20230230_000000.wav",
        "20230210_250000.wav",
        "1234567890123456.wav",
        "99991231_235959.wav",
        "02130210_000000.wav",
        "DEADBEEF.wav",
        "20230210.wav",
        "",
    ],
)
def test_digits_that_are_no_time(name: str) -> None:
    assert find_start(name, list, "UTC") == Start(
        None, "neither the name nor the header tells when it began; give its start"
    )


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("UTC", "20230701_120000", "12:00:00"),
        ("+10:00", "20230701_120000", "02:00:00"),
        ("UTC-3:30", "20230701_120000", "15:30:00"),
        ("Europe/Berlin", "20230701_120000", "10:00:00"),
        ("Europe/Berlin", "20230101_120000", "11:00:00"),
    ],
)
def test_zones(zone: str, local: str, utc: str) -> None:
    assert (find_start(f"{local}.wav", list, zone).utc or "")[11:19] == utc


@pytest.mark.parametrize("local", ["20231029_023000", "20230326_023000"])  # shown twice; never shown
def test_an_hour_that_clocks_showed_twice_or_never_is_not_guessed(local: str) -> None:
    found = find_start(f"{local}.wav", list, "Europe/Berlin")
    assert found.utc is None
    assert "twice or never" in found.source
    assert find_start(f"{local}.wav", list, "+01:00").utc is not None


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+25:00", "../etc/passwd", "10", ""])
def test_a_zone_that_is_none(zone: str) -> None:
    with pytest.raises(InvalidSettings, match="time_zone"):
        zone_of(zone)


@pytest.mark.parametrize("text", ["2023-02-10T00:00:01", "yesterday", "", "2023-02-30T00:00:00Z"])
def test_a_given_start_must_tell_its_zone(text: str) -> None:
    with pytest.raises(InvalidRequest, match="with a zone"):
        given_start(text)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)))
def test_what_is_printed_is_read_again(time: datetime) -> None:
    printed = time.isoformat().replace("+00:00", "Z")
    utc = given_start(printed).utc
    assert utc is not None
    assert datetime.fromisoformat(utc) == time
    assert find_start(f"X_{time:%Y%m%dT%H%M%S.%f}Z.wav", list, None).utc == utc


@given(st.integers(0, 10**11), st.sampled_from([8_000, 44_100, 48_000, 576_000]))
def test_the_moment_of_a_sample_is_exact_to_the_microsecond(sample: int, rate: int) -> None:
    begins = Start("2023-02-10T00:00:01.000000Z", "given")
    printed = moment(begins, sample, rate)
    assert printed is not None
    gone = datetime.fromisoformat(printed) - datetime(2023, 2, 10, 0, 0, 1, tzinfo=UTC)
    assert abs(gone // timedelta(microseconds=1) * rate - sample * 1_000_000) <= rate / 2
    assert moment(None, sample, rate) is None
    assert moment(Start(None, "nobody knows"), sample, rate) is None


# --- headers -----------------------------------------------------------------------------------------------------


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) & 1)


def wav(*before: bytes, behind: bytes = b"") -> tuple[io.BytesIO, int]:
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 48_000, 96_000, 2, 16))
    body = b"WAVE" + b"".join(before) + form + chunk(b"data", bytes(1_001)) + behind
    whole = b"RIFF" + struct.pack("<I", len(body)) + body
    return io.BytesIO(whole), len(whole)


def bext(date: bytes = b"2019-09-20", time: bytes = b"00:42:48") -> bytes:
    return chunk(b"bext", bytes(320) + date + time + bytes(264))


def comment(text: str) -> bytes:
    return chunk(b"LIST", b"INFO" + chunk(b"IART", b"AudioMoth 24") + chunk(b"ICMT", text.encode()))


AUDIOMOTH = "Recorded at 19:17:30 14/02/2020 {} by AudioMoth 24E144085F256FB9 at medium gain while battery was 4.2V."


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("(UTC)", "2020-02-14T19:17:30.000000Z"),
        ("(UTC+10)", "2020-02-14T09:17:30.000000Z"),
        ("(UTC-3:30)", "2020-02-14T22:47:30.000000Z"),
    ],
)
@pytest.mark.parametrize("behind", [False, True])
def test_an_audiomoth_tells_its_zone_in_its_comment(text: str, utc: str, behind: bool) -> None:
    written = comment(AUDIOMOTH.format(text))
    file, size = wav(behind=written) if behind else wav(written)
    assert find_start("20200214_191730.WAV", lambda: read_clocks(file, size), None) == Start(
        utc, "the header (AudioMoth)"
    )


def test_guano_with_a_zone_outweighs_a_name_without() -> None:
    file, size = wav(behind=chunk(b"guan", b"GUANO|Version: 1.0\nTimestamp: 2023-02-10T00:00:01+10:00\n"))
    found = find_start("20200101_000000.wav", lambda: read_clocks(file, size), "UTC")
    assert found == Start("2023-02-09T14:00:01.000000Z", "the header (GUANO)")


def test_a_broadcast_header_has_no_zone_and_comes_last() -> None:
    file, size = wav(bext())
    assert find_start("reef.wav", lambda: read_clocks(file, size), None).utc is None
    assert find_start("reef.wav", lambda: read_clocks(file, size), "+01:00") == Start(
        "2019-09-19T23:42:48.000000Z", "the header (bext), in +01:00"
    )
    assert find_start("20230210_000001.wav", lambda: read_clocks(file, size), "UTC").source == "the name, in UTC"


@pytest.mark.parametrize(
    "broken",
    [
        bext(b"0000-00-00"),
        bext(b"\xff" * 10),
        chunk(b"bext", b"short"),
        chunk(b"guan", b"Timestamp: soon\n"),
        chunk(b"guan", b"\xff\xfe" * 100),
        comment("Recorded at 99:99:99 99/99/2020 (UTC)"),
        chunk(b"LIST", b"INFO" + b"ICMT" + struct.pack("<I", 1 << 30) + b"x"),
        chunk(b"LIST", b"adtl"),
    ],
)
def test_a_broken_header_tells_nothing(broken: bytes) -> None:
    file, size = wav(broken)
    assert read_clocks(file, size) == []


def test_a_name_with_a_zone_costs_no_look_into_the_header() -> None:
    find_start("AMAR173.4.20190920T004248Z.wav", lambda: pytest.fail("the header was read"), None)


@given(st.binary(max_size=300))
def test_any_bytes_are_no_crash(data: bytes) -> None:
    read_clocks(io.BytesIO(b"RIFF....WAVE" + data), 12 + len(data))
