"""Times are read from the headers of recorders."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.audio.headers import BroadcastExtension, Metadata
from anemonefish.start_time.start import find_start
from tests.unit.start_time.start_times import AUDIOMOTH, bext, comment, guano


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
def test_header_with_a_zone_gives_the_utc_time(metadata: Metadata, utc: str, source: str) -> None:
    start = find_start("noise.wav", metadata, time_zone="+05:00")
    assert start.utc == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert (start.source, start.notes) == (source, ())


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
def test_header_without_a_zone_gives_the_local_time_only(metadata: Metadata, local: str, source: str) -> None:
    start = find_start("noise.wav", metadata)
    assert (start.utc, str(start.local), start.source) == (None, local, source)
    assert "--set time_zone=" in start.reason
    assert find_start("noise.wav", metadata, time_zone="UTC").utc == start.local.replace(tzinfo=UTC)


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
def test_header_without_a_valid_time_is_ignored(metadata: Metadata) -> None:
    start = find_start("noise.wav", metadata, time_zone="UTC")
    assert (start.utc, start.local) == (None, None)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_header_is_handled(text: str, other: str) -> None:
    find_start(
        "x.wav", Metadata({"Timestamp": text}, {"ICMT": other, "ICRD": text}, {}, BroadcastExtension(text, other, 5), 1)
    )
