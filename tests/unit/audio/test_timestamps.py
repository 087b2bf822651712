"""Time stamps: which steps are holes, how long the silence is, and which time stamps are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest

from anemonefish.audio.transcoding.stretches import Stretches
from anemonefish.audio.transcoding.timestamps import LONGEST_HOLE_SECONDS, Timeline, correct_timestamps

RATE = 48_000
MS = Fraction(1, 1_000)


@dataclass
class FakePacket:
    pts: int | None
    duration: int | None = 20
    size: int = 100


def silences(stamps: list[int | None], samples: int = 960, tick: Fraction = MS) -> list[int]:
    """Return the silence before each of some packets of equal length; time stamps and ticks as of a container."""
    duration = round(Fraction(samples, RATE) / tick)
    timeline = Timeline()
    return [
        timeline.silence_before(timed.packet.pts, tick, samples, RATE, stepped=timed.stepped)
        for timed in correct_timestamps([FakePacket(stamp, duration) for stamp in stamps], tick)
    ]


def rounded(samples: int, count: int, moved: int = 0) -> list[int]:
    """Return the time stamps of packets, in whole milliseconds."""
    return [(2 * (moved + number * samples) + 48) // 96 for number in range(count)]


@pytest.mark.parametrize("samples", [120, 960, 1_024, 2_880, 4_608])
@pytest.mark.parametrize("moved", [0, 7, 31, -312])
def test_rounded_time_stamps_insert_nothing(samples: int, moved: int) -> None:
    assert not any(silences(rounded(samples, 10_000, moved), samples))


@pytest.mark.parametrize("samples", [480, 960, 1_024, 2_880])
@pytest.mark.parametrize("lost", [1, 2, 100])
def test_a_hole_of_whole_packets_has_their_length_at_any_rounding(samples: int, lost: int) -> None:
    stamps = rounded(samples, 500 + lost)
    found = silences(stamps[:200] + stamps[200 + lost :], samples)
    assert found[200] == lost * samples
    assert sum(found) == lost * samples


def test_many_holes_do_not_add_up_their_rounding() -> None:
    stamps = [stamp for number, stamp in enumerate(rounded(1_024, 40_000)) if number % 10]
    found = silences(stamps, 1_024)
    assert abs(sum(found) + len(stamps) * 1_024 - 40_000 * 1_024) <= 96 + 1_024


def test_the_first_time_stamp_is_the_beginning_whatever_it_is() -> None:
    assert not any(silences([3_600_000 + stamp for stamp in rounded(960, 100)]))


def test_jitter_that_is_reversed_inserts_nothing() -> None:
    stamps = [20 * number + (15 if number % 7 == 0 else 0) - (12 if number % 11 == 0 else 0) for number in range(3_000)]
    assert not any(silences(stamps))


def test_an_overlap_inserts_nothing_and_a_later_hole_ends_at_its_time_stamp() -> None:
    stamps = [20 * number - (300 if number >= 100 else 0) + (2_000 if number >= 200 else 0) for number in range(2_500)]
    found = silences(stamps)
    assert found[200] == sum(found) == 1_700 * 48


def test_a_clock_that_runs_fast_becomes_a_hole_every_tenth_of_a_second() -> None:
    found = silences([round(number * 20.01) for number in range(30_000)])
    holes = [samples for samples in found if samples]
    assert sum(holes) == pytest.approx(0.3 * RATE, abs=0.11 * RATE)
    assert all(samples >= 0.09 * RATE for samples in holes)


def test_a_clock_that_runs_slow_inserts_nothing() -> None:
    assert not any(silences([round(number * 19.99) for number in range(30_000)]))


@pytest.mark.parametrize("wild", [10_000_000, 1 << 40, -(1 << 40), 5_000])
def test_one_wrong_time_stamp_inserts_nothing(wild: int) -> None:
    stamps = rounded(960, 500)
    stamps[250] += wild
    assert not any(silences(stamps))


def test_a_cluster_with_a_wrong_time_inserts_nothing() -> None:
    stamps = rounded(960, 2_000)
    for number in range(500, 750):
        stamps[number] += 4_194_304
    assert not any(silences(stamps))


def test_time_stamps_that_restart_are_continued_and_their_holes_kept() -> None:
    first, second = rounded(960, 500), rounded(960, 500)
    found = silences(first + second[:100] + second[200:])
    assert found[600] == sum(found) == 100 * 960


def test_packets_without_time_stamps_follow_each_other() -> None:
    stamps: list[int | None] = [None, None, *rounded(960, 100), None, None, 2_060, 2_080]
    found = silences(stamps)
    assert found[-2] == sum(found) == pytest.approx(20 * 48, abs=48)


def test_a_leap_beyond_the_longest_hole_is_refused_and_reported() -> None:
    leap = 1_000 * (LONGEST_HOLE_SECONDS + 1)
    stamps = [20 * number + (leap if number >= 100 else 0) for number in range(3_000)]
    timed = list(correct_timestamps([FakePacket(stamp) for stamp in stamps], MS))
    assert [each.packet.pts for each in timed] == [20 * number for number in range(3_000)]
    assert [each.refused for each in timed if each.refused] == [timed[100].refused]
    assert timed[100].refused == LONGEST_HOLE_SECONDS + 1


def test_a_hole_of_hours_is_kept_unless_less_than_a_second_follows() -> None:
    hours = 8 * 3_600_000
    assert silences([20 * n + (hours if n >= 100 else 0) for n in range(200)])[100] == 8 * 3600 * RATE
    assert not any(silences([20 * n + (hours if n >= 190 else 0) for n in range(200)]))


def test_lost_packets_are_silence_of_the_length_that_the_time_stamps_leave() -> None:
    timeline = Timeline()
    assert timeline.silence_before(0, MS, 960, RATE) == 0
    assert timeline.silence_before(20, MS, 960, RATE) == 0
    assert timeline.silence_before(81, MS, 960, RATE, lost=1_920) == 1_920
    assert timeline.silence_before(None, MS, 960, RATE, lost=960) == 960
    assert timeline.silence_before(1_000, MS, 960, RATE, lost=960) > 40_000
    assert timeline.written == pytest.approx(1_020 * 48, abs=48)


def test_thousands_of_stretches_make_a_bounded_number_of_notes() -> None:
    stretches = Stretches("time-gap", "{length} from {start} on")
    for number in range(5_000):
        stretches.add(number * 1_000, number * 1_000 + 10)
    notes = stretches.notes(RATE)
    assert len(notes) == 20
    assert sum(int(note.numbers["stop_sample"]) - int(note.numbers["start_sample"]) for note in notes[:-1]) == 190
    assert notes[-1].numbers == {
        "start_sample": 19_000,
        "stop_sample": 4_999_010,
        "sample_rate": RATE,
        "stretches": 4_981,
        "samples": 49_810,
    }


def test_adjacent_stretches_share_a_note() -> None:
    stretches = Stretches("damaged", "{length} from {start} on")
    stretches.add(0, 10)
    stretches.add(10, 30)
    assert [note.numbers["stop_sample"] for note in stretches.notes(RATE)] == [30]
