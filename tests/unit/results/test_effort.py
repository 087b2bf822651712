"""Effort: hours that were listened to, and the events of each; no effort and no events are not the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anemonefish.audio.samples import AudioFacts
from anemonefish.errors import Failure
from anemonefish.jobs.plan import Analysis, PlannedRecording, StartTime
from anemonefish.notes import Note
from anemonefish.results.effort import Effort
from anemonefish.results.effort_table import EFFORT_COLUMNS, write_effort
from anemonefish.start_time.time_zones import format_utc
from anemonefish.windows import WindowGrid

REPOSITORY = Path(__file__).parents[3]
RATE = 8_000
HOUR = 3_600 * RATE


def recording(
    name: str,
    start: str | None,
    frames: int = HOUR,
    *,
    rate: int = RATE,
    notes: Sequence[Note] = (),
    failure: Failure | None = None,
) -> PlannedRecording:
    """A recording whose windows end exactly with it."""
    analysis = Analysis(
        version="1",
        audio=AudioFacts(rate, 1, frames, "WAV", "PCM_16"),
        sample_rate=rate,
        grid=WindowGrid(frames, 4, 2),
    )
    begins = None if start is None else StartTime(format_utc(datetime.fromisoformat(start)), "name")
    return PlannedRecording(
        name=name, path=name, uri=name, begins=begins, analysis=analysis, failure=failure, notes=tuple(notes)
    )


def table(recordings: Iterable[tuple[PlannedRecording, Sequence[int]]], zone: str = "UTC") -> list[dict[str, str]]:
    effort, file = Effort(zone), io.StringIO()
    for each, starts in recordings:
        effort.add(each, ((start, 2) for start in starts))
    write_effort(file, effort)
    return list(csv.DictReader(io.StringIO(file.getvalue())))


def rows(made: Sequence[dict[str, str]], by: str, folder: str = "") -> list[dict[str, str]]:
    return [row for row in made if row["by"] == by and (row["folder"] == folder or by == "recording")]


def test_recording_that_crosses_midnight_is_divided_at_the_sample() -> None:
    made = table([(recording("a.wav", "2024-01-01T23:30:00.00001Z", HOUR), [0, HOUR // 2 - 1, HOUR // 2])])
    days = rows(made, "day")
    assert [day["date"] for day in days] == ["2024-01-01", "2024-01-02"]
    assert [day["events"] for day in days] == ["2", "1"]  # the third event begins at the first sample after midnight
    effort = Effort()
    effort.add(recording("a.wav", "2024-01-01T23:30:00.00001Z", HOUR), [])
    first, second = effort.by_time().hours.values()
    # 10 microseconds are less than a sample, so the first day has the samples that were taken before midnight.
    assert first.recorded == Fraction(HOUR // 2, RATE)
    assert first.recorded + second.recorded == 3600


def test_hour_without_effort_is_empty_and_hour_without_events_is_zero() -> None:
    made = table([(recording("a.wav", "2024-01-01T05:00:00Z"), []), (recording("b.wav", "2024-01-01T07:00:00Z"), [9])])
    assert [(row["hour"], row["events"]) for row in rows(made, "hour")] == [("5", "0"), ("7", "1")]
    of_day = rows(made, "hour_of_day")
    assert len(of_day) == 24
    assert [of_day[hour]["events_per_hour"] for hour in (5, 6, 7)] == ["0.000000", "", "1.000000"]
    assert [of_day[hour]["events"] for hour in (5, 6, 7)] == ["0", "", "1"]
    assert (of_day[6]["recorded_hours"], of_day[6]["deployment_hours"]) == ("0.000000", "1.000000")
    assert (of_day[8]["recorded_hours"], of_day[8]["deployment_hours"]) == ("0.000000", "0.000000")
    assert float(of_day[5]["high_90"]) == pytest.approx(2.9957, abs=1e-4)


def test_calls_are_counted_where_every_event_has_its_number() -> None:
    def total(*calls: int | None) -> dict[str, str]:
        effort, file = Effort(), io.StringIO()
        effort.add(recording("a.wav", "2024-01-01T05:00:00Z", HOUR // 2), enumerate(calls))
        write_effort(file, effort)
        return next(csv.DictReader(io.StringIO(file.getvalue())))

    assert (total(3, 1)["calls"], total(3, 1)["calls_per_hour"]) == ("4", "8.000000")
    assert (total(3, None)["calls"], total(3, None)["calls_per_hour"], total(3, None)["events"]) == ("", "", "2")
    assert (total()["calls"], total()["calls_per_hour"]) == ("0", "0.000000")


def test_duty_cycle_and_gaps() -> None:
    starts = [f"2024-01-01T0{hour}:{minute}:00Z" for hour in range(3) for minute in ("00", "30")]
    made = table([(recording(f"{number}.wav", start, HOUR // 12), []) for number, start in enumerate(starts)])
    (total,) = rows(made, "all")
    assert (total["recorded_hours"], total["deployment_hours"]) == ("0.500000", "2.583333")
    assert (total["gap_hours"], total["duty_cycle"]) == ("2.083333", "0.193548")
    assert [row["gap_hours"] for row in rows(made, "recording")] == ["", *["0.416667"] * 5]
    assert [row["duty_cycle"] for row in rows(made, "hour")] == ["0.166667", "0.166667", "0.285714"]


@pytest.mark.parametrize(
    ("note", "column", "hours"),
    [
        (("damaged", 0, HOUR // 4), "damaged_hours", 0.25),
        (("silence", HOUR // 2, HOUR), "silent_hours", 0.5),
        (("ends-early", HOUR, HOUR + HOUR // 2), "missing_hours", 0.5),
    ],
)
def test_what_was_not_heard_is_counted_with_its_reason(note: tuple[str, int, int], column: str, hours: float) -> None:
    code, start, stop = note
    numbers: dict[str, Any] = {"start_sample": start, "stop_sample": stop, "sample_rate": RATE}
    if code == "silence":
        numbers |= {"stretches": 1, "steps": (stop - start) // 2, "of": HOUR // 2}
    made = table([(recording("a.wav", "2024-01-01T00:00:00Z", notes=[Note(code, "", numbers)]), [1])])
    for row in (*rows(made, "all"), *rows(made, "day"), *rows(made, "recording")):
        assert float(row[column]) == hours
        assert float(row["analysed_hours"]) == (1.0 if column == "missing_hours" else 1.0 - hours)
        assert float(row["recorded_hours"]) == 1.0
    assert rows(made, "recording")[0]["notes"] == code
    assert rows(made, "all")[0]["notes"] == f"{code}: 1"


def test_dead_hydrophone_has_no_effort() -> None:
    note = Note("silence", "", {"stretches": 1, "steps": 9, "of": 9, "start_sample": 0, "stop_sample": 18})
    made = table([(recording("a.wav", "2024-01-01T00:00:00Z", 20, notes=[note]), [])])
    for row in made:
        assert (row["analysed_hours"], row["events"], row["events_per_hour"]) == ("0.000000", "", "") or row["hour"]


def test_stretches_of_one_value_whose_places_are_not_noted_are_spread_over_the_recording() -> None:
    quarter, steps = HOUR // 4, HOUR // 8 + HOUR // 16  # the longest is a quarter, the others an eighth of the hour
    numbers: dict[str, int | float | str] = {
        "stretches": 9, "steps": steps, "of": HOUR // 2, "start_sample": 0, "stop_sample": quarter, "sample_rate": RATE,
    }  # fmt: skip
    made = table([(recording("a.wav", "2024-01-01T00:45:00Z", notes=[Note("silence", "", numbers)]), [])])
    first, second = rows(made, "hour")
    assert first["analysed_hours"] == "0.000000"
    assert float(second["silent_hours"]) == pytest.approx(1 / 8, abs=2e-6)
    assert float(rows(made, "all")[0]["silent_hours"]) == pytest.approx(3 / 8, abs=2e-6)


def test_offset_of_the_recorder_is_doubtful_effort_and_stays_in_the_rate() -> None:
    made = table([(recording("a.wav", "2024-01-01T00:00:00Z", notes=[Note("dc-offset", "", {})]), [1])])
    (total,) = rows(made, "all")
    assert (total["analysed_hours"], total["doubtful_hours"]) == ("1.000000", "1.000000")
    assert total["events_per_hour"] == "1.000000"


def test_failed_recording_is_recorded_and_not_analysed() -> None:
    failure = Failure("RangeFailed", "the process died")
    made = table(
        [
            (recording("a.wav", "2024-01-01T00:00:00Z"), [1]),
            (recording("b.wav", "2024-01-01T01:00:00Z", failure=failure), []),
            (
                PlannedRecording(
                    name="c.wav", path="c.wav", uri="c.wav", failure=Failure("EmptyRecording", "no bytes")
                ),
                [],
            ),
        ]
    )
    (total,) = rows(made, "all")
    assert (total["recordings"], total["failed_recordings"], total["failed_hours"]) == ("3", "2", "1.000000")
    assert (total["analysed_hours"], total["events_per_hour"]) == ("1.000000", "1.000000")
    assert total["notes"] == "EmptyRecording: 1; RangeFailed: 1"
    assert [row["events"] for row in rows(made, "hour")] == ["1", ""]
    _, failed, unknown = rows(made, "recording")
    assert (failed["recorded_hours"], failed["analysed_hours"]) == ("1.000000", "0.000000")
    assert (unknown["recorded_hours"], unknown["notes"]) == ("", "EmptyRecording: no bytes")  # its length is not known


def test_two_hydrophones_at_once_are_added_and_said_and_counted_by_folder() -> None:
    made = table(
        [
            (recording("north/a.wav", "2024-01-01T00:00:00Z"), [1, 2]),
            (recording("south/a.wav", "2024-01-01T00:30:00Z"), []),
        ]
    )
    (total,) = rows(made, "all")
    assert (total["recorded_hours"], total["covered_hours"], total["deployment_hours"]) == (
        "2.000000",
        "1.500000",
        "1.500000",
    )
    assert (total["events_per_hour"], total["duty_cycle"]) == ("1.000000", "1.000000")
    for folder, rate in (("north", "2.000000"), ("south", "0.000000")):
        (of_folder,) = rows(made, "all", folder)
        assert (of_folder["recorded_hours"], of_folder["covered_hours"]) == ("1.000000", "1.000000")
        assert of_folder["events_per_hour"] == rate
    assert [row["events"] for row in rows(made, "hour", "south")] == ["0", "0"]


def test_one_folder_is_not_listed_twice() -> None:
    made = table([(recording("day/a.wav", "2024-01-01T00:00:00Z"), [])])
    assert {row["folder"] for row in made if row["by"] != "recording"} == {""}


@pytest.mark.parametrize("notes", [(), (Note("clock-not-set", "", {}),)])
def test_recording_without_a_trustworthy_start_is_in_no_hour(notes: tuple[Note, ...]) -> None:
    start = "1970-01-01T00:00:00Z" if notes else None
    made = table([(recording("a.wav", start, notes=notes), [1])])
    assert {row["by"] for row in made} == {"all", "recording"}
    for row in made:
        assert (row["analysed_hours"], row["events"], row["start_utc"], row["time_zone"]) == ("1.000000", "1", "", "")
        assert (row["deployment_hours"], row["gap_hours"]) == ("", "")


@pytest.mark.parametrize(("day", "length"), [("2024-03-31", 23), ("2024-10-27", 25)])
def test_day_of_a_clock_change_has_its_own_length(day: str, length: int) -> None:
    begin = datetime.fromisoformat(f"{day}T00:00:00Z") - timedelta(hours=12)
    made = table([(recording("a.wav", begin.isoformat(), 48 * HOUR), [])], "Europe/Paris")
    (found,) = [row for row in rows(made, "day") if row["date"] == day]
    assert (float(found["recorded_hours"]), float(found["deployment_hours"])) == (length, length)
    assert len([row for row in rows(made, "hour") if row["date"] == day]) == length
    assert {row["time_zone"] for row in made if row["date"]} == {"Europe/Paris"}


def test_variance_of_days_widens_the_interval() -> None:
    busy = [(recording(f"{day}.wav", f"2024-01-{day:02}T00:00:00Z"), range(20 * (day % 2))) for day in range(1, 13)]
    (total,) = rows(table(busy), "all")
    assert (total["events_per_hour"], total["interval"]) == ("10.000000", "days")
    assert float(total["low_90"]) < 7
    assert rows(table(busy), "hour_of_day")[0]["interval"] == "days"
    undated = [(replace(each, begins=None), starts) for each, starts in busy]
    assert rows(table(undated), "all")[0]["interval"] == "recordings"
    assert rows(table(busy[:9]), "all")[0]["interval"] == "poisson"


@settings(max_examples=60)
@given(
    parts=st.lists(
        st.tuples(st.integers(0, 3_000), st.integers(0, 90_000), st.sampled_from([8_000, 11_025]), st.booleans()),
        max_size=6,
    ),
    randoms=st.randoms(use_true_random=False),
)
def test_every_second_has_one_place_and_the_order_does_not_matter(parts: Any, randoms: Any) -> None:
    begin = datetime(2024, 3, 31, 0, 30, tzinfo=UTC)
    made = [
        (
            recording(
                f"{number}.wav",
                (begin + timedelta(seconds=start)).isoformat(),
                frames,
                rate=rate,
                failure=Failure("RangeFailed", "") if failed else None,
            ),
            [] if failed or frames < 4 else [0, frames // 2],
        )
        for number, (start, frames, rate, failed) in enumerate(parts)
    ]
    effort, shuffled = Effort("Europe/Paris"), list(made)
    for each, starts in made:
        effort.add(each, ((start, 2) for start in starts))
    randoms.shuffle(shuffled)
    time, total = effort.by_time(), sum((Fraction(each.analysis.audio.frames, each.analysis.audio.sample_rate)
                                         for each, _ in made if each.analysis), Fraction(0))  # fmt: skip
    for table_ in (time.hours.values(), time.days.values(), time.hours_of_day):
        assert sum(sums.recorded for sums in table_) == total
        assert sum(sums.events for sums in table_) == sum(len(starts) for _, starts in made)
        assert sum(sums.covered for sums in table_) == time.covered <= total
    assert sum(sums.deployment for sums in time.hours_of_day) == time.deployment_seconds
    for sums in time.hours.values():
        assert sums.recorded == sums.analysed + sums.failed + sums.damaged + sums.silent + sums.unscored
    over_time = [row for row in table(made, "Europe/Paris") if row["by"] != "recording"]
    assert over_time == [row for row in table(shuffled, "Europe/Paris") if row["by"] != "recording"]


def test_columns_are_those_of_the_documentation() -> None:
    document = (REPOSITORY / "docs" / "results.md").read_text()
    section = document[document.index("## Effort") :]
    for column in EFFORT_COLUMNS:
        assert f"`{column}`" in section, column
