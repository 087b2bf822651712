"""Events per day and hour are drawn over what was recorded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.plots.activity import _covered_hours, plot_activity
from tests.unit.plots.example_plots import MARCH, pixels


def test_part_of_each_hour_that_was_recorded() -> None:
    covered = _covered_hours(
        [
            (MARCH + timedelta(minutes=30), MARCH + timedelta(hours=2)),
            (MARCH + timedelta(hours=2.5), MARCH + timedelta(hours=3)),
        ]
    )
    assert covered == {(MARCH.date(), 0): 0.5, (MARCH.date(), 1): 1.0, (MARCH.date(), 2): 0.5}


def test_seconds_of_recording_time_are_drawn_like_times_of_day() -> None:
    clock = plot_activity([MARCH + timedelta(hours=2)], title="x", recorded=[(MARCH, MARCH + timedelta(hours=5))])
    plain = plot_activity([7_200.0], title="x", recorded=[(0.0, 18_000.0)])
    assert pixels(clock).shape == pixels(plain).shape
    assert (pixels(clock) != pixels(plain)).any()  # the words differ


@pytest.mark.parametrize(
    ("events", "what"),
    [([MARCH, 5.0], "have a clock and some have not"), ([datetime(2024, 3, 1)], "time zone")],
)
def test_mixed_times_and_times_without_a_zone_are_refused(events: list[Any], what: str) -> None:
    recorded = [(MARCH, MARCH + timedelta(hours=5))]
    with pytest.raises(InvalidRequest, match=what):
        plot_activity(events, title="x", recorded=recorded)
