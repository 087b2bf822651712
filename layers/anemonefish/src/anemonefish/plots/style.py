"""The look that all plots share: colours, sizes, the figure and its PNG.

matplotlib is used through figure objects and the Agg renderer; no window, no pyplot and no state of the process is
touched, so plots can be drawn in threads and on machines without a screen. A PNG holds no time of drawing and no
version: the same values, library and fonts give the same bytes.

Colours: Okabe & Ito 2008, "Color Universal Design", which people with any common colour blindness can tell apart.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from anemonefish.errors import InvalidRequest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "COLOURS",
    "GREEN",
    "GRID",
    "INK",
    "MOST_COLUMNS",
    "ORANGE",
    "VERMILION",
    "Span",
    "as_utc",
    "make_figure",
    "no_matplotlib",
    "png_of",
]

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
INK, GRID = "#222222", "#D9D9D9"

MOST_COLUMNS = 2_000
"""Columns of values that a plot draws at most, which is more than its pixels."""

_DPI = 150
_CHARACTERS_PER_INCH = 8.5  # of a title


@dataclass(frozen=True, slots=True)
class Span:
    """An event on the time axis of a plot, in seconds from the beginning of the recording."""

    start: float
    stop: float
    label: str = ""


def as_utc(moment: datetime) -> datetime:
    """Return a time in UTC.

    Raises
    ------
    InvalidRequest
        The time has no time zone.
    """
    if moment.tzinfo is None:
        raise InvalidRequest("a time to plot has no time zone; give it as UTC")
    return moment.astimezone(UTC)


def make_figure(width: float, height: float, title: str, *, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure with its title, and the axes of each row.

    Parameters
    ----------
    width, height : float
        In inches.
    title : str
        A long title loses its beginning, because names of recordings have their time at the end.
    rows : int
        Number of plots, one above the other.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure as NewFigure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError:
        raise no_matplotlib() from None
    layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1)  # inches
    figure = NewFigure(figsize=(width, height), dpi=_DPI, facecolor="white", layout=layout)
    figure.suptitle(_shortened(title, width), fontsize=13, color=INK, fontweight="bold", parse_math=False)
    plots = [figure.add_subplot(rows, 1, row + 1) for row in range(rows)]
    for axes in plots:
        axes.set_facecolor("white")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9, colors=INK)
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set(fontsize=10, color=INK)
    return figure, plots


def no_matplotlib() -> InvalidRequest:
    """Return the error for an installation without matplotlib."""
    return InvalidRequest(
        "plots need matplotlib, which is not installed; install it with pip install 'anemonefish[pictures]'"
    )


def _shortened(title: str, width: float) -> str:
    limit = int(width * _CHARACTERS_PER_INCH)
    return title if len(title) <= limit else "…" + title[-limit + 1 :]


def png_of(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    file = io.BytesIO()
    # The field Software holds the version of matplotlib, and would make the bytes depend on the installation.
    FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return file.getvalue()
