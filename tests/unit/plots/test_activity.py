"""Events per hour of effort are drawn over days and hours; no effort does not look like no events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pytest

from anemonefish.plots.activity import HourBar, HourCell, _grid, _rates, plot_activity, plot_activity_of_recordings
from anemonefish.results.effort import Effort
from anemonefish.workflow.effort_plot import draw_effort
from tests.unit.plots.example_plots import pixels
from tests.unit.results.test_effort import HOUR, recording

DAY = date(2024, 3, 1)


def cells(efforts: Sequence[float], events: int = 0) -> list[HourCell]:
    return [HourCell(DAY + timedelta(days=day), 5, effort, events) for day, effort in enumerate(efforts)]


def test_hour_without_effort_looks_different_from_one_without_events() -> None:
    def drawn(*heard: int) -> np.ndarray:
        bars = [HourBar(0.0, 0.0, 3.0) if hour in heard else None for hour in range(24)]
        return pixels(plot_activity(cells([1.0]), bars, title="x", time_zone="UTC"))

    assert (drawn(5) != drawn(5, 6)).any()


def test_recording_without_effort_looks_different_from_one_without_events() -> None:
    none, zero = ([1.0, effort, 1.0] for effort in (0.0, 1.0))
    pictures = [pixels(plot_activity_of_recordings(effort, [1, 0, 1], title="x")) for effort in (none, zero)]
    assert (pictures[0] != pictures[1]).any()


def test_day_without_a_recording_has_no_effort() -> None:
    events, effort, days = _grid([*cells([1.0], events=2), HourCell(DAY + timedelta(days=2), 7, 2.0, 0)])
    assert days == [DAY + timedelta(days=number) for number in range(3)]
    assert (events.sum(), effort.sum(axis=1).tolist()) == (2, [1.0, 0.0, 2.0])
    assert np.isnan(_rates(events, effort)[1]).all()
    assert (_rates(events, effort)[2, 7], _rates(events, effort)[0, 5]) == (0.0, 2.0)


@pytest.mark.parametrize("days", [1, 20_000])
def test_deployment_of_any_length_has_a_picture_of_the_usual_size(days: int) -> None:
    made = [*cells([1.0], events=2), HourCell(DAY + timedelta(days=days - 1), 7, 2.0, 1)]
    bars: list[HourBar | None] = [None] * 24
    assert len(plot_activity(made, bars, title="x", time_zone="UTC")) < 400_000


def test_recordings_without_a_start_time_are_drawn_in_their_order_and_said_otherwise() -> None:
    def picture(starts: Sequence[str | None]) -> np.ndarray:
        effort = Effort("Europe/Paris")
        for number, start in enumerate(starts):
            effort.add(recording(f"{number}.wav", start, HOUR), [(1, None)])
        return pixels(draw_effort(effort))

    dated = "2024-03-01T00:00:00Z"
    assert picture([None, None]).shape != picture([dated, dated]).shape
    assert picture([dated, None]).shape == picture([dated, dated]).shape
    assert (picture([dated, None]) != picture([dated, dated])).any()  # the title
