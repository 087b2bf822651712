"""Draw when the animals call: events per hour of effort, over the season, by day and hour, and by hour of the day.

Time without effort is hatched, because the absence of events then means nothing. Time with effort and without events is
white or has a mark on the axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.plots.style import BLUE, GREEN, GRID, INK, make_figure, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["HourBar", "HourCell", "plot_activity", "plot_activity_of_recordings"]

_LEAST_DAYS = 7
"""Days that the season has room for at least, so that the bar of a single day is not as wide as the plot."""
_MOST_BARS = 400
"""Bars of the season: more are narrower than a pixel; several days or recordings then share a bar."""
_MOST_LABELS = 10
_HOURS = 24
_HATCH = "#BBBBBB"
_ZERO: dict[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 4, "color": INK, "markerfacecolor": "white"}
_BRIGHTEST = 99
"""Percentile of the rates at which the colours end: a few seconds of effort with one event are a huge rate."""


@dataclass(frozen=True, slots=True)
class HourCell:
    """One hour of one day with a recording: hours of effort in it, and events."""

    day: date
    hour: int
    effort: float
    events: int


@dataclass(frozen=True, slots=True)
class HourBar:
    """Events per hour of effort in one hour of the day, with their interval."""

    rate: float
    low: float
    high: float


def plot_activity(cells: Sequence[HourCell], by_hour: Sequence[HourBar | None], *, title: str, time_zone: str) -> bytes:
    """Draw events per hour of effort: by day, by day and hour, and by hour of the day with an interval of 90 %.

    Parameters
    ----------
    cells : sequence of HourCell
        Hours with a recording, in any order.
    by_hour : sequence of HourBar or None
        24 hours of the day; None for one without effort.
    title, time_zone : str

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed.
    """
    events, effort, days = _grid(cells)
    several = len(days) > 1
    figure, plots = make_figure(10, 9.6 if several else 6.4, title, rows=3 if several else 2)
    step = max(1, -(-len(days) // _MOST_BARS))
    shared = "" if step == 1 else f", {step} days a bar"
    _draw_bars(plots[0], _summed(events.sum(axis=1), step), _summed(effort.sum(axis=1), step))
    plots[0].set(ylabel="Events per hour of effort", xlabel=f"Date ({time_zone}{shared})")
    _label(plots[0], [f"{day:%Y-%m-%d}" for day in days[::step]])
    if several:
        _draw_days_and_hours(figure, plots[1], _rows_summed(events, step), _rows_summed(effort, step))
        plots[1].set(ylabel="Hour of the day", xlabel=f"Date ({time_zone}{shared})")
        _label(plots[1], [f"{day:%Y-%m-%d}" for day in days[::step]])
    _draw_hours_of_day(plots[-1], by_hour)
    plots[-1].set(ylabel="Events per hour of effort", xlabel=f"Hour of the day ({time_zone})")
    _explain(figure, intervals=True)
    return png_of(figure)


def plot_activity_of_recordings(effort: Sequence[float], events: Sequence[int], *, title: str) -> bytes:
    """Draw events per hour of effort by recording, where no start times are known.

    Parameters
    ----------
    effort : sequence of float
        Hours of effort of each recording, in their order.
    events : sequence of int
    title : str

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed.
    """
    figure, [axes] = make_figure(10, 4, title)
    step = max(1, -(-len(events) // _MOST_BARS))
    _draw_bars(axes, _summed(np.asarray(events, float), step), _summed(np.asarray(effort, float), step))
    shared = "" if step == 1 else f", {step} a bar"
    axes.set(ylabel="Events per hour of effort", xlabel=f"Number of the recording (no start times are known{shared})")
    _label(axes, [str(number) for number in range(1, len(events) + 1, step)])
    _explain(figure)
    return png_of(figure)


def _grid(cells: Sequence[HourCell]) -> tuple[NDArray[np.float64], NDArray[np.float64], list[date]]:
    """Return events and hours of effort, shape (n_days, 24), of all days from the first to the last."""
    if not cells:
        return np.zeros((0, _HOURS)), np.zeros((0, _HOURS)), []
    first, last = min(cell.day for cell in cells), max(cell.day for cell in cells)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    events, effort = np.zeros((len(days), _HOURS)), np.zeros((len(days), _HOURS))
    for cell in cells:
        place = (cell.day - first).days, cell.hour
        events[place] += cell.events
        effort[place] += cell.effort
    return events, effort, days


def _rows_summed(values: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    summed: NDArray[np.float64] = np.add.reduceat(values, np.arange(0, len(values), step), axis=0)
    return summed


def _summed(values: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    return _rows_summed(values, step) if len(values) else values


def _rates(events: NDArray[np.float64], effort: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return events per hour of effort; NaN without effort."""
    rates: NDArray[np.float64] = np.divide(events, effort, out=np.full(events.shape, np.nan), where=effort > 0)
    return rates


def _draw_bars(axes: Axes, events: NDArray[np.float64], effort: NDArray[np.float64]) -> None:
    rates = _rates(events, effort)
    places = np.arange(len(rates))
    heard = ~np.isnan(rates)
    axes.bar(places[heard], rates[heard], width=0.8, color=BLUE)
    _mark_zeros(axes, places[rates == 0])
    _hatch(axes, ~heard)
    _finish(axes)


def _draw_days_and_hours(figure: Figure, axes: Axes, events: NDArray[np.float64], effort: NDArray[np.float64]) -> None:
    rates = _rates(events, effort).T
    heard = rates[~np.isnan(rates)]
    most = float(np.percentile(heard, _BRIGHTEST) or heard.max()) if len(heard) else 0.0
    # A hatched background shows through the cells without effort.
    axes.axhspan(-0.5, _HOURS - 0.5, facecolor="none", edgecolor=_HATCH, hatch="///", linewidth=0, zorder=0)
    image = axes.imshow(
        np.ma.masked_invalid(rates),
        origin="lower",
        aspect="auto",
        cmap="Blues",
        interpolation="nearest",
        vmin=0,
        vmax=most or 1.0,
        zorder=1,
    )
    axes.set(ylim=(-0.5, _HOURS - 0.5), yticks=range(0, _HOURS, 3))
    bar = figure.colorbar(image, ax=axes, pad=0.015, extend="max" if len(heard) and heard.max() > most else "neither")
    bar.set_label("Events per hour", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8, colors=INK)


def _draw_hours_of_day(axes: Axes, by_hour: Sequence[HourBar | None]) -> None:
    heard = [(hour, bar) for hour, bar in enumerate(by_hour) if bar is not None]
    hours, rates = [hour for hour, _ in heard], [bar.rate for _, bar in heard]
    axes.bar(hours, rates, width=0.8, color=GREEN)
    errors = [[bar.rate - bar.low for _, bar in heard], [bar.high - bar.rate for _, bar in heard]]
    if heard:
        axes.errorbar(hours, rates, yerr=errors, fmt="none", ecolor=INK, elinewidth=1, capsize=2)
    _mark_zeros(axes, np.array([hour for hour, bar in heard if bar.rate == 0], int))
    _hatch(axes, np.array([bar is None for bar in by_hour]))
    _finish(axes)
    axes.set(xlim=(-0.6, _HOURS - 0.4), xticks=range(_HOURS))


def _mark_zeros(axes: Axes, places: NDArray[np.int_]) -> None:
    """Mark effort without events on the axis, so that it does not look like nothing."""
    if not len(places):  # nothing drawn outside of the axes, or the layout has no room for them
        return
    axes.plot(places, np.zeros(len(places)), clip_on=False, zorder=3, **_ZERO)


def _hatch(axes: Axes, unheard: NDArray[np.bool_]) -> None:
    """Hatch the places without effort; neighbours are one area."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], unheard, [False])).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2):
        axes.axvspan(start - 0.5, stop - 0.5, facecolor="none", edgecolor=_HATCH, hatch="///", linewidth=0, zorder=0)


def _finish(axes: Axes) -> None:
    axes.grid(color=GRID, linewidth=0.6, axis="y")
    top = axes.get_ylim()[1]
    axes.set_ylim(0, top if axes.has_data() and top > 0 else 1.0)


def _explain(figure: Figure, *, intervals: bool = False) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    hatched = Patch(facecolor="none", edgecolor=_HATCH, hatch="///", linewidth=0, label="no effort")
    zero = Line2D([], [], label="effort, no events", **_ZERO)
    bars = [Line2D([], [], color=INK, linewidth=1, label="interval of 90 %")] if intervals else []
    figure.legend(handles=[*bars, hatched, zero], loc="outside lower right", frameon=False, fontsize=9, ncols=3)


def _label(axes: Axes, names: Sequence[str]) -> None:
    step = max(1, -(-len(names) // _MOST_LABELS))
    axes.set_xticks(range(0, len(names), step), names[::step])
    middle, half = (len(names) - 1) / 2, max(len(names), _LEAST_DAYS) / 2 + 0.1
    axes.set_xlim(middle - half, middle + half)
