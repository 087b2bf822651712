"""The timeline keeps every peak, and its axis has whole hours, minutes or seconds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from anemonefish.plots.score_timeline import _set_time_axis, _thinned
from anemonefish.plots.style import make_figure
from tests.unit.plots.example_plots import MARCH


def test_peak_of_a_long_recording_is_kept() -> None:
    scores = np.zeros(432_000, np.float32)
    scores[123_457] = 0.97
    times, shown = _thinned(np.arange(432_000) * 0.2, scores)
    assert len(times) == len(shown) == 2_000
    assert shown.max() == np.float32(0.97)
    assert abs(times[shown.argmax()] - 123_457 * 0.2) < 432_000 * 0.2 / 2_000


@pytest.mark.parametrize(
    ("seconds", "begins", "label", "ticks"),
    [
        (60, None, "Time in the recording (s)", ["0", "5", "10"]),
        (600, None, "Time in the recording (min)", ["0", "1", "2"]),
        (86_400, None, "Time in the recording (h)", ["0", "2", "4"]),
        (86_400, MARCH + timedelta(minutes=42), "Time (UTC), 2024-03-01 to 2024-03-02", ["02:00", "04:00", "06:00"]),
        (60, datetime(2024, 3, 1, 2, tzinfo=timezone(timedelta(hours=3))), "Time (UTC), 2024-02-29",
         ["23:00:00", "23:00:05", "23:00:10"]),
    ],
)  # fmt: skip
def test_time_axis_suits_the_duration(seconds: float, begins: datetime | None, label: str, ticks: list[str]) -> None:
    _, [axes] = make_figure(10, 3, "x")
    axes.set_xlim(0, seconds)
    _set_time_axis(axes, begins)
    shown = axes.xaxis.get_major_formatter()
    assert axes.get_xlabel() == label
    assert [shown(value) for value in axes.get_xticks()[:3]] == ticks
