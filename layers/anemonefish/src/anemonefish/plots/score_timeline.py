"""Draw the scores of a recording over time, with its events and the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.plots.style import (
    BLUE,
    GREEN,
    GRID,
    MOST_COLUMNS,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    Span,
    as_utc,
    make_figure,
    png_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ScoreLine", "plot_score_timeline"]

_MINUTE, _HOUR = 60, 3_600
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
"""Distances of ticks, in seconds: whole parts of minutes, hours and days."""
_MOST_TICKS = 12


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """The smoothed scores of a class, shape ``(n_windows,)``, and its threshold."""

    label: str
    scores: NDArray[np.float32]
    threshold: float


def plot_score_timeline(
    scores: NDArray[np.float32],
    starts: NDArray[np.float64],
    *,
    threshold: float,
    title: str,
    label: str,
    events: Sequence[Span] = (),
    begins: datetime | None = None,
    others: Sequence[ScoreLine] = (),
) -> bytes:
    """Draw the scores of a recording with its events and the threshold.

    Parameters
    ----------
    scores : ndarray, shape (n_windows,), float32
        Smoothed scores of one class. Above two thousand windows, each column shows the highest score of its windows.
    starts : ndarray, shape (n_windows,), float64
        Where each score is drawn, in seconds from the beginning of the recording; best the middle of its window.
    threshold : float
    title : str
    label : str
        The class.
    events : sequence of Span
        In seconds from the beginning of the recording.
    begins : datetime, optional
        When the recording begins, with its time zone; the axis then shows the time of day.
    others : sequence of ScoreLine
        Scores of other classes in the same windows.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed, or ``begins`` has no time zone.
    """
    figure, [axes] = make_figure(10, 3.6, title)
    times, shown = _thinned(starts, scores)
    for number, event in enumerate(events):
        name = f"Events ({len(events)})" if number == 0 else None
        # The edge is opaque, because in the plot of a day an event is thinner than a pixel.
        axes.axvspan(
            event.start, event.stop, facecolor=(ORANGE, 0.35), edgecolor=ORANGE, linewidth=1, label=name, zorder=1
        )
    axes.plot(times, shown, color=BLUE, linewidth=0.9, label=f"Score of {label}", zorder=2)
    axes.axhline(threshold, color=VERMILION, linewidth=1.2, linestyle="--", label=f"Threshold {threshold:g}", zorder=3)
    for line, colour in zip(others, (GREEN, PURPLE, SKY), strict=False):
        _, shown = _thinned(starts, line.scores)
        axes.plot(times, shown, color=colour, linewidth=0.9, label=f"Score of {line.label}", zorder=2)
        words = f"Threshold {line.threshold:g} of {line.label}"
        axes.axhline(line.threshold, color=colour, linewidth=1.2, linestyle=":", label=words, zorder=3)
    axes.set(ylabel="Score", ylim=(0, 1.02), xlim=(0, float(times[-1] + times[0])) if len(times) else (0, 1))
    axes.grid(color=GRID, linewidth=0.6, axis="y")
    _set_time_axis(axes, begins)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False, fontsize=9)
    return png_of(figure)


def _thinned(starts: NDArray[np.float64], scores: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the highest score of each column, so that no peak of a long recording is lost."""
    if len(scores) <= MOST_COLUMNS:
        return starts, scores
    first = np.linspace(0, len(scores), MOST_COLUMNS, endpoint=False).astype(np.int64)
    return starts[first], np.maximum.reduceat(scores, first)


def _set_time_axis(axes: Axes, begins: datetime | None) -> None:
    """Label an axis of seconds: with the time of day if it is known, else in seconds, minutes or hours."""
    from matplotlib.ticker import FuncFormatter

    duration = axes.get_xlim()[1]
    step = next((step for step in _TICKS if duration / step <= _MOST_TICKS), duration / _MOST_TICKS)
    if begins is None:
        unit, name = _unit_of(duration)
        axes.set_xlabel(f"Time in the recording ({name})")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / unit:g}"))
        first = 0.0
    else:
        clock = as_utc(begins)
        form = "%H:%M:%S" if step < _MINUTE else "%H:%M"
        last = clock + timedelta(seconds=duration)
        days = f"{clock:%Y-%m-%d}" if clock.date() == last.date() else f"{clock:%Y-%m-%d} to {last:%Y-%m-%d}"
        axes.set_xlabel(f"Time (UTC), {days}")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{clock + timedelta(seconds=x + 1e-3):{form}}"))
        midnight = clock.replace(hour=0, minute=0, second=0, microsecond=0)
        first = -((clock - midnight).total_seconds() % step) % step  # ticks at whole hours or minutes
    axes.set_xticks(np.arange(first, duration + step / 1e6, step))


def _unit_of(duration: float) -> tuple[int, str]:
    """Return the unit of time that suits a duration, in seconds, and its symbol."""
    return next((unit for unit in ((_HOUR, "h"), (_MINUTE, "min")) if duration > 2 * unit[0]), (1, "s"))
