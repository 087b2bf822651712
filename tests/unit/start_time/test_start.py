"""The sources of a start are ranked, and contradictions become notes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anemonefish.audio.headers import BroadcastExtension, Metadata, read_metadata
from anemonefish.errors import InvalidSettings
from anemonefish.start_time.start import RecordingStart, find_start, parse_start
from anemonefish.start_time.time_zones import format_utc
from tests.unit.start_time.start_times import AUDIOMOTH, bext, comment, guano


def test_sources_are_ranked() -> None:
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
def test_name_and_header_that_disagree_are_noted(
    name: str, metadata: Metadata, zone: str | None, disagree: bool
) -> None:
    notes = find_start(name, metadata, time_zone=zone).notes
    assert bool(notes) == disagree
    assert all(note.code == "start" and "the first is used" in note.message for note in notes)


def test_log_beside_the_recording_outranks_the_name() -> None:
    log = Metadata(starts={"SoundTrap .log.xml": "2022-02-09T21:49:05.250000Z"})
    start = find_start("6075.220210084905.wav", log, time_zone="+11:00")
    assert (start.source, start.notes) == ("SoundTrap .log.xml", ())
    assert start.utc == datetime(2022, 2, 9, 21, 49, 5, 250_000, tzinfo=UTC)
    other = find_start("6075.220210084905.wav", log, time_zone="+10:00")
    assert other.utc == start.utc
    assert "the first is used" in other.notes[0].message


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
def test_unset_clock_is_noted_and_the_start_is_kept(name: str, zone: str | None) -> None:
    found = find_start(name, time_zone=zone)
    assert found.local is not None
    assert (found.utc is None) == (zone is None)
    assert [note.code for note in found.notes] == ["clock-not-set"]
    assert found.notes[0].numbers == {"start": found.local.isoformat()}
    assert name not in found.notes[0].message


def test_unset_clock_of_a_header_is_noted() -> None:
    start = find_start("noise.wav", comment("00:05:54 01/01/1970 (UTC)"))
    assert [note.code for note in start.notes] == ["clock-not-set"]


@pytest.mark.parametrize(
    "name", ["19990715_120000.wav", "20230101_000000.wav", "20000715_120000.wav", "20100102_000000.wav"]
)
def test_other_times_have_no_note(name: str) -> None:
    assert find_start(name, time_zone="UTC").notes == ()


def test_given_start_has_no_note() -> None:
    assert find_start("19700101_000554.WAV", start="1970-01-01T00:05:54Z").notes == ()


def test_pauses_within_a_recording_are_noted() -> None:
    start = find_start("x.wav", Metadata(starts={"harp": "2020-02-14T19:17:30Z"}, pauses=3))
    assert start.notes[0].numbers == {"pauses": 3}


def test_given_start_is_used() -> None:
    assert parse_start("2019-09-20T00:42:48.5Z") == datetime(2019, 9, 20, 0, 42, 48, 500_000, tzinfo=UTC)
    assert find_start("x.wav", start="2019-09-20T10:42:48+10:00") == RecordingStart(
        datetime(2019, 9, 20, 0, 42, 48, tzinfo=UTC), "given"
    )


@pytest.mark.parametrize("text", ["", "now", "2019-09-20", "2019-09-20T00:42:48", "2019-02-30T00:42:48Z", "20/09/2019"])
def test_given_start_without_an_offset_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings, match="start"):
        find_start("x.wav", start=text)


def name_and_metadata(path: Path) -> tuple[str, Metadata]:
    with path.open("rb") as file:
        return path.name, read_metadata(file, path.stat().st_size)


def test_start_of_a_real_amar_recording(reef_recording: Path) -> None:
    start = find_start(*name_and_metadata(reef_recording))
    assert start == RecordingStart(
        datetime(2019, 9, 20, 0, 42, 48, tzinfo=UTC), "name (iso)", datetime(2019, 9, 20, 0, 42, 48)
    )


def test_gap_in_a_real_deployment_is_kept(real_recording: Callable[[str], Path]) -> None:
    paths = [f"timestamped/sample_220925_{time}.wav" for time in ("223510", "223520", "223530", "223600")]
    recordings = [name_and_metadata(real_recording(path)) for path in paths]
    assert all(find_start(*recording).utc is None for recording in recordings)
    starts = [find_start(*recording, time_zone="UTC").utc for recording in recordings]
    assert [format_utc(start)[14:19] for start in starts if start] == ["35:10", "35:20", "35:30", "36:00"]
