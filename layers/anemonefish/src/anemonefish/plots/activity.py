"""Draw when the animals call: events per day of a deployment, and per hour of the day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from anemonefish.errors import InvalidRequest
from anemonefish.plots.style import BLUE, GREEN, GRID, as_utc, make_figure, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_activity"]

_LEAST_DAYS = 7
"""Days that the plot of days has room for at least, so that the bar of a single day is not as wide as the plot."""
_MOST_DATES = 10
_HOURS_OF_DAY = range(24)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Time = datetime | float


def plot_activity(events: Sequence[Time], *, title: str, recorded: Sequence[tuple[Time, Time]]) -> bytes:
    """Draw events per day of a deployment, and per hour of the day.

    Days and hours that were not recorded are hatched, because the absence of events then means nothing. If the times
    of day are not known, the axes count the hours of recording time.

    Parameters
    ----------
    events : sequence of datetime or float
        When each event begins: with a time zone, or in seconds of recording time.
    title : str
    recorded : sequence of (datetime, datetime) or (float, float)
        What was recorded, in the same kind of time.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed, a time has no time zone, or the two kinds of time are mixed.
    """
    every_time = (*events, *(edge for interval in recorded for edge in interval))
    kinds = {isinstance(time, datetime) for time in every_time}
    if len(kinds) > 1:
        raise InvalidRequest("some recordings of the deployment have a clock and some have not; draw them apart")
    begins = [_moment(event) for event in events]
    by_day = Counter(begin.date() for begin in begins)
    by_hour = Counter((begin.date(), begin.hour) for begin in begins)
    covered = _covered_hours([(_moment(first), _moment(last)) for first, last in recorded])
    return _draw(by_day, by_hour, covered, title, has_clock=kinds == {True})


def _moment(time: Time) -> datetime:
    """Return a time in UTC; seconds of recording time are counted from 1970."""
    return as_utc(time) if isinstance(time, datetime) else _EPOCH + timedelta(seconds=float(time))


def _covered_hours(recorded: Sequence[tuple[datetime, datetime]]) -> dict[tuple[date, int], float]:
    """Return the part of each hour that was recorded, from 0 to 1."""
    covered: dict[tuple[date, int], float] = {}
    for begin, end in recorded:
        hour = begin.replace(minute=0, second=0, microsecond=0)
        while hour < end:
            next_hour = hour + timedelta(hours=1)
            part = (min(end, next_hour) - max(begin, hour)) / timedelta(hours=1)
            key = (hour.date(), hour.hour)
            covered[key] = min(1.0, covered.get(key, 0.0) + part)
            hour = next_hour
    return covered


def _draw(
    by_day: Counter[date],
    by_hour: Counter[tuple[date, int]],
    covered: dict[tuple[date, int], float],
    title: str,
    *,
    has_clock: bool,
) -> bytes:
    days = _every_day({*by_day, *(day for day, _ in covered)})
    figure, [upper, lower] = make_figure(10, 6.4, title, rows=2)
    unrecorded_days = [not any(covered.get((day, hour)) for hour in _HOURS_OF_DAY) for day in days]
    names = [f"{day:%Y-%m-%d}" if has_clock else str(number) for number, day in enumerate(days, start=1)]
    upper.bar(np.arange(len(days)), [by_day[day] for day in days], width=0.8, color=BLUE)
    upper.set(ylabel="Events per day", xlabel="Date (UTC)" if has_clock else "Day of recording time")
    _hatch(upper, unrecorded_days)
    _label_days(upper, names)

    hours_recorded = [sum(covered.get((day, hour), 0.0) for day in days) for hour in _HOURS_OF_DAY]
    counts = [sum(by_hour[day, hour] for day in days) for hour in _HOURS_OF_DAY]
    rates = [count / hours if hours else 0.0 for count, hours in zip(counts, hours_recorded, strict=True)]
    unrecorded_hours = [not hours for hours in hours_recorded]
    lower.bar(np.arange(24), rates, width=0.8, color=GREEN)
    lower.set(
        ylabel="Events per recorded hour",
        xlabel="Hour of the day (UTC)" if has_clock else "Hour of each day of recording time",
        xlim=(-0.6, 23.6),
    )
    _hatch(lower, unrecorded_hours)
    lower.set_xticks(np.arange(24))
    for axes in (upper, lower):
        axes.grid(color=GRID, linewidth=0.6, axis="y")
        axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
        _set_whole_numbers(axes)
    if any(unrecorded_hours) or any(unrecorded_days):
        _explain_hatching(figure)
    return png_of(figure)


def _every_day(days: set[date]) -> list[date]:
    """Return all days from the first to the last."""
    if not days:
        return []
    first, last = min(days), max(days)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _hatch(axes: Axes, unrecorded: Sequence[bool]) -> None:
    for position in (number for number, is_unrecorded in enumerate(unrecorded) if is_unrecorded):
        axes.axvspan(
            position - 0.5, position + 0.5, facecolor="none", edgecolor=GRID, hatch="///", linewidth=0, zorder=0
        )


def _explain_hatching(figure: Figure) -> None:
    from matplotlib.patches import Patch

    patch = Patch(facecolor="none", edgecolor="#BBBBBB", hatch="///", linewidth=0, label="not recorded")
    figure.legend(handles=[patch], loc="outside lower right", frameon=False, fontsize=9)


def _label_days(axes: Axes, names: Sequence[str]) -> None:
    step = max(1, -(-len(names) // _MOST_DATES))
    axes.set_xticks(range(0, len(names), step), names[::step])
    middle, half = (len(names) - 1) / 2, max(len(names), _LEAST_DAYS) / 2 + 0.1
    axes.set_xlim(middle - half, middle + half)


def _set_whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
