"""Draw precision over recall: how good the detections of each class are at every threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anemonefish.plots.style import COLOURS, GRID, make_figure, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Curve", "CurvePoint", "plot_precision_recall"]

_MARKERS = ("o", "s", "^", "D", "v", "P")
_LABEL_ON_THE_LEFT_FROM = 0.75  # recall


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Precision and recall at one threshold."""

    threshold: float
    recall: float
    precision: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A class in the plot of precision over recall.

    Attributes
    ----------
    name : str
    points : tuple of CurvePoint
        In any order.
    average_precision : float or None
    threshold : float or None
        The threshold to mark: the one of the results.
    """

    name: str
    points: tuple[CurvePoint, ...]
    average_precision: float | None = None
    threshold: float | None = None


def plot_precision_recall(curves: Sequence[Curve], *, title: str) -> bytes:
    """Draw precision over recall, one colour per class.

    Each threshold is a point. The line is the interpolated precision, whose area is the average precision. The points
    are not joined in order, because recall may fall at low thresholds, where events merge.

    Parameters
    ----------
    curves : sequence of Curve
        The first six have colours of their own.
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
    figure, [axes] = make_figure(5.6, 6.2, title)
    for number, curve in enumerate(curves):
        colour, marker = COLOURS[number % len(COLOURS)], _MARKERS[number % len(_MARKERS)]
        area = "" if curve.average_precision is None else f", average precision {curve.average_precision:.2f}"
        recall, precision = [point.recall for point in curve.points], [point.precision for point in curve.points]
        axes.plot(*_interpolated(curve.points), color=colour, linewidth=1.8, zorder=2)
        axes.plot(
            recall,
            precision,
            marker,
            markersize=5,
            color=colour,
            alpha=0.65,
            markeredgewidth=0,
            label=curve.name + area,
        )
        for point in curve.points:
            if point.threshold == curve.threshold:
                _mark_threshold(axes, point, colour)
    axes.set(xlabel="Recall", ylabel="Precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    axes.set_aspect("equal")
    axes.grid(color=GRID, linewidth=0.6)
    if curves:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), frameon=False, fontsize=9)
    return png_of(figure)


def _interpolated(points: Sequence[CurvePoint]) -> tuple[list[float], list[float]]:
    """Return the corners of the interpolated precision: the highest at this recall or above."""
    recalls, precisions = [], []
    previous = 0.0
    for recall in sorted({point.recall for point in points}):
        best = max(point.precision for point in points if point.recall >= recall)
        recalls += [previous, recall]
        precisions += [best, best]
        previous = recall
    return recalls, precisions


def _mark_threshold(axes: Axes, point: CurvePoint, colour: str) -> None:
    axes.plot(point.recall, point.precision, "o", markersize=11, markerfacecolor="none", markeredgecolor=colour)
    on_the_left = point.recall > _LABEL_ON_THE_LEFT_FROM
    axes.annotate(
        f"threshold {point.threshold:g}",
        (point.recall, point.precision),
        xytext=(-12 if on_the_left else 12, -4),
        textcoords="offset points",
        ha="right" if on_the_left else "left",
        fontsize=8,
        color=colour,
    )
