"""Draw how a training went, and how often windows of a score hold the class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anemonefish.plots.style import BLUE, COLOURS, GRID, INK, VERMILION, make_figure, png_of

__all__ = ["Reliability", "plot_progress", "plot_reliability"]


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often the windows of a class's scores hold the class.

    Attributes
    ----------
    name : str
    scores, shares : tuple of float
        Mean score of the windows in each range of scores, and the share of them that hold the class; ranges without a
        window are left out.
    windows : tuple of int
        Number of windows in each range.
    """

    name: str
    scores: tuple[float, ...]
    shares: tuple[float, ...]
    windows: tuple[int, ...]


def plot_progress(losses: Sequence[float], precisions: Sequence[float], best: int, *, title: str) -> bytes:
    """Draw loss and average precision of all epochs as a PNG, and mark the epoch whose weights were kept.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed.
    """
    figure, [axes] = make_figure(5.6, 3.6, title)
    epochs = range(1, len(losses) + 1)
    axes.plot(epochs, losses, color=BLUE, linewidth=1.8, marker="o", markersize=3, label="loss (training)")
    axes.plot(
        epochs,
        precisions,
        color=VERMILION,
        linewidth=1.8,
        marker="o",
        markersize=3,
        label="average precision (held out)",
    )
    axes.axvline(best + 1, color=INK, linewidth=1, linestyle=":", label="epochs of the model")
    axes.set(xlabel="Epoch", ylim=(0, None))
    axes.grid(color=GRID, linewidth=0.6)
    axes.legend(frameon=False, fontsize=9)
    return png_of(figure)


def plot_reliability(classes: Sequence[Reliability], *, title: str) -> bytes:
    """Draw the share of windows that hold a class over their score as a PNG; a calibrated score lies on the diagonal.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed.
    """
    figure, [axes] = make_figure(5.6, 5.6, title)
    axes.plot((0, 1), (0, 1), color=INK, linewidth=1, linestyle=":")
    for number, each in enumerate(classes):
        axes.plot(each.scores, each.shares, color=COLOURS[number % len(COLOURS)], marker="o", label=each.name)
    axes.set(xlabel="Score of a window", ylabel="Share that holds the class", xlim=(0, 1), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")
    axes.grid(color=GRID, linewidth=0.6)
    axes.legend(frameon=False, fontsize=9)
    return png_of(figure)
