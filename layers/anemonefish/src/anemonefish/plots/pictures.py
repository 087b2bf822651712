"""Pictures: what a biologist puts into a talk, as PNG.

Owns the only use of matplotlib in the package: precision over recall, the scores of a recording, events per hour and
day of a deployment, the spectrogram of a clip. Everything goes through figure objects and the Agg renderer; no window,
no pyplot and no state of the process is touched, so pictures can be drawn in threads and where there is no screen.
A picture holds no clock and no version: the same values, library and fonts give the same bytes.

Takes plain values and decides nothing. Times are axes, not results; they may be floats here and nowhere below.

Colours: Okabe & Ito 2008, "Color Universal Design", distinguishable with every common colour blindness; the spectrogram
uses cividis (Nuñez et al. 2018, PLoS ONE 13:e0199239), whose lightness rises evenly.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import InvalidRequest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Curve", "CurvePoint", "Span", "activity", "precision_recall", "score_timeline", "spectrogram"]

_BLUE, _ORANGE, _GREEN, _VERMILION, _PURPLE, _SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
_COLOURS = (_BLUE, _VERMILION, _GREEN, _PURPLE, _ORANGE, _SKY)
_MARKERS = ("o", "s", "^", "D", "v", "P")
_INK, _FAINT = "#222222", "#D9D9D9"

_DPI = 150
_MOST_COLUMNS = 2_000
"""Columns of a timeline: more than its pixels; beyond that each shows the highest score of its windows."""
_LEAST_RANGE_DB = 25.0
"""Range of a spectrogram's colours at least: noise alone must not look like a signal."""
_FFT_SECONDS = 0.032
"""Length of a spectrogram's window: calls of anemonefish pulse every 35 ms or slower, and stay apart."""
_MINUTES, _HOURS = 60, 3_600
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
"""Distances of ticks that a clock has, in seconds."""


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
        The one to mark: the results' own.
    """

    name: str
    points: tuple[CurvePoint, ...]
    average_precision: float | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """An event on the time axis of a picture, in seconds from the axis's beginning."""

    start: float
    stop: float
    label: str = ""


def precision_recall(curves: Sequence[Curve], *, title: str) -> bytes:
    """Draw precision over recall, one colour per class.

    Each threshold is a point. The line is the interpolated precision, whose area is the average precision: points are
    not joined in order, because recall may fall again at low thresholds, where events merge.

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
    figure, axes = _figure(5.6, 6.2, title)
    for number, curve in enumerate(curves):
        colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
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
    axes.grid(color=_FAINT, linewidth=0.6)
    if curves:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), frameon=False, fontsize=9)
    return _png(figure)


def _interpolated(points: Sequence[CurvePoint]) -> tuple[list[float], list[float]]:
    """Return the corners of the highest precision at a recall or above."""
    recalls, precisions = [], []
    before = 0.0
    for recall in sorted({point.recall for point in points}):
        best = max(point.precision for point in points if point.recall >= recall)
        recalls += [before, recall]
        precisions += [best, best]
        before = recall
    return recalls, precisions


def _mark_threshold(axes: Axes, point: CurvePoint, colour: str) -> None:
    axes.plot(point.recall, point.precision, "o", markersize=11, markerfacecolor="none", markeredgecolor=colour)
    to_the_left = point.recall > 0.75
    axes.annotate(
        f"threshold {point.threshold:g}",
        (point.recall, point.precision),
        xytext=(-12 if to_the_left else 12, -4),
        textcoords="offset points",
        ha="right" if to_the_left else "left",
        fontsize=8,
        color=colour,
    )


def score_timeline(
    scores: NDArray[np.float32],
    starts: NDArray[np.float64],
    *,
    threshold: float,
    title: str,
    label: str,
    events: Sequence[Span] = (),
    begins: datetime | None = None,
) -> bytes:
    """Draw the scores of a recording with its events and the threshold.

    Parameters
    ----------
    scores : ndarray, shape (n_windows,), float32
        Smoothed scores of one class. Above two thousand windows each column shows the highest of its own.
    starts : ndarray, shape (n_windows,), float64
        Seconds from the beginning of the recording; the middle of the windows looks best.
    threshold : float
    title, label : str
        ``label`` is the class.
    events : sequence of Span
        In seconds of the recording.
    begins : datetime, optional
        When the recording begins, with its time zone; the axis is then time of day.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed.
    """
    figure, axes = _figure(10, 3.6, title)
    times, shown = _highest(starts, scores)
    for number, event in enumerate(events):
        name = f"Events ({len(events)})" if number == 0 else None
        # The edge is opaque: in a day of sound an event is thinner than a pixel.
        axes.axvspan(
            event.start, event.stop, facecolor=(_ORANGE, 0.35), edgecolor=_ORANGE, linewidth=1, label=name, zorder=1
        )
    axes.plot(times, shown, color=_BLUE, linewidth=0.9, label=f"Score of {label}", zorder=2)
    axes.axhline(threshold, color=_VERMILION, linewidth=1.2, linestyle="--", label=f"Threshold {threshold:g}", zorder=3)
    axes.set(ylabel="Score", ylim=(0, 1.02), xlim=(0, float(times[-1] + times[0])) if len(times) else (0, 1))
    axes.grid(color=_FAINT, linewidth=0.6, axis="y")
    _time_axis(axes, begins)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False, fontsize=9)
    return _png(figure)


def _highest(starts: NDArray[np.float64], scores: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Thin a long recording so that no peak is lost."""
    if len(scores) <= _MOST_COLUMNS:
        return starts, scores
    first = np.linspace(0, len(scores), _MOST_COLUMNS, endpoint=False).astype(np.int64)
    return starts[first], np.maximum.reduceat(scores, first)


def _time_axis(axes: Axes, begins: datetime | None) -> None:
    """Name and number an axis of seconds: by the clock where it is known, else in the unit that fits."""
    from matplotlib.ticker import FuncFormatter

    reach = axes.get_xlim()[1]
    step = next((step for step in _TICKS if reach / step <= 12), reach / 12)
    if begins is None:
        unit, word = next(
            each for each in ((_HOURS, "h"), (_MINUTES, "min"), (1, "s")) if reach > 2 * each[0] or each[0] == 1
        )
        axes.set_xlabel(f"Time in the recording ({word})")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / unit:g}"))
        first = 0.0
    else:
        clock = _utc(begins)
        form = "%H:%M:%S" if step < _MINUTES else "%H:%M"
        last = clock + timedelta(seconds=reach)
        days = f"{clock:%Y-%m-%d}" if clock.date() == last.date() else f"{clock:%Y-%m-%d} to {last:%Y-%m-%d}"
        axes.set_xlabel(f"Time (UTC), {days}")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{clock + timedelta(seconds=x + 1e-3):{form}}"))
        midnight = clock.replace(hour=0, minute=0, second=0, microsecond=0)
        first = -((clock - midnight).total_seconds() % step) % step  # ticks at whole hours or minutes
    axes.set_xticks(np.arange(first, reach + step / 1e6, step))


def activity(
    events: Sequence[datetime | float],
    *,
    title: str,
    recorded: Sequence[tuple[datetime, datetime] | tuple[float, float]],
) -> bytes:
    """Draw events per hour of the day and per day over a deployment.

    What was not recorded is hatched, because no events there means nothing. Without a clock the same is drawn over
    the hours since the first recording began.

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
        matplotlib is not installed, or clocks and seconds are mixed.
    """
    clocks = {isinstance(each, datetime) for each in (*events, *(edge for pair in recorded for edge in pair))}
    if len(clocks) > 1:
        raise InvalidRequest("some recordings of the deployment have a clock and some have not; draw them apart")
    by_clock = clocks == {True}
    if by_clock:
        day, hour, hours_of = _by_clock(events), _hours(events), _covered_hours(recorded)
    else:
        seconds = [_from_seconds(float(each)) for each in events]  # type: ignore[arg-type]
        pairs = [(_from_seconds(float(a)), _from_seconds(float(b))) for a, b in recorded]  # type: ignore[arg-type]
        day, hour, hours_of = _by_clock(seconds), _hours(seconds), _covered_hours(pairs)
    return _draw_activity(day, hour, hours_of, title, by_clock)


_LEAST_DAYS = 7
"""Width of the plot of days: a single one must not be a wall."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _from_seconds(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _utc(moment: Any) -> datetime:
    if moment.tzinfo is None:
        raise InvalidRequest("a time without a time zone is no clock; give it as UTC")
    utc: datetime = moment.astimezone(UTC)
    return utc


def _by_clock(events: Sequence[Any]) -> Counter[date]:
    return Counter(_utc(event).date() for event in events)


def _hours(events: Sequence[Any]) -> Counter[tuple[date, int]]:
    return Counter((_utc(event).date(), _utc(event).hour) for event in events)


def _covered_hours(recorded: Sequence[Any]) -> dict[tuple[date, int], float]:
    """Return the part of each hour that was recorded, from 0 to 1."""
    covered: dict[tuple[date, int], float] = {}
    for begin, end in ((_utc(a), _utc(b)) for a, b in recorded):
        hour = begin.replace(minute=0, second=0, microsecond=0)
        while hour < end:
            following = hour + timedelta(hours=1)
            part = (min(end, following) - max(begin, hour)) / timedelta(hours=1)
            key = (hour.date(), hour.hour)
            covered[key] = min(1.0, covered.get(key, 0.0) + part)
            hour = following
    return covered


def _draw_activity(
    by_day: Counter[date],
    by_hour: Counter[tuple[date, int]],
    covered: dict[tuple[date, int], float],
    title: str,
    by_clock: bool,
) -> bytes:
    days = sorted({*by_day, *(day for day, _ in covered)})
    days = [days[0] + timedelta(days=number) for number in range((days[-1] - days[0]).days + 1)] if days else []
    figure, (upper, lower) = _figures(10, 6.4, title, rows=2)
    names = [f"{day:%Y-%m-%d}" if by_clock else str(number) for number, day in enumerate(days, start=1)]
    positions = np.arange(len(days))
    upper.bar(positions, [by_day[day] for day in days], width=0.8, color=_BLUE)
    upper.set(ylabel="Events per day", xlabel="Date (UTC)" if by_clock else "Day of recording time")
    _hatch(upper, [not any(covered.get((day, hour)) for hour in range(24)) for day in days])
    _number_days(upper, names)
    rates, unknown = [], []
    for hour in range(24):
        recorded = sum(covered.get((day, hour), 0.0) for day in days)
        counted = sum(by_hour[day, hour] for day in days)
        rates.append(counted / recorded if recorded else 0.0)
        unknown.append(not recorded)
    lower.bar(np.arange(24), rates, width=0.8, color=_GREEN)
    lower.set(
        ylabel="Events per recorded hour",
        xlabel="Hour of the day (UTC)" if by_clock else "Hour of each day of recording time",
        xlim=(-0.6, 23.6),
    )
    _hatch(lower, unknown)
    lower.set_xticks(np.arange(24))
    for axes in (upper, lower):
        axes.grid(color=_FAINT, linewidth=0.6, axis="y")
        axes.set_ylim(0, max(1.0, axes.get_ylim()[1]))
        _whole_numbers(axes)
    if any(unknown) or any(not any(covered.get((day, hour)) for hour in range(24)) for day in days):
        _explain_hatching(figure)
    return _png(figure)


def _hatch(axes: Axes, unknown: Sequence[bool]) -> None:
    for position in (number for number, is_unknown in enumerate(unknown) if is_unknown):
        axes.axvspan(
            position - 0.5, position + 0.5, facecolor="none", edgecolor=_FAINT, hatch="///", linewidth=0, zorder=0
        )


def _explain_hatching(figure: Figure) -> None:
    from matplotlib.patches import Patch

    patch = Patch(facecolor="none", edgecolor="#BBBBBB", hatch="///", linewidth=0, label="not recorded")
    figure.legend(handles=[patch], loc="outside lower right", frameon=False, fontsize=9)


def _number_days(axes: Axes, names: Sequence[str]) -> None:
    step = max(1, -(-len(names) // 10))
    axes.set_xticks(range(0, len(names), step), names[::step])
    middle, half = (len(names) - 1) / 2, max(len(names), _LEAST_DAYS) / 2 + 0.1
    axes.set_xlim(middle - half, middle + half)


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def spectrogram(
    samples: NDArray[Any],
    sample_rate: int,
    *,
    title: str,
    begins: float = 0.0,
    events: Sequence[Span] = (),
    band: tuple[float, float] | None = None,
) -> bytes:
    """Draw the spectrogram of a clip with its events marked.

    Parameters
    ----------
    samples : ndarray, shape (n_samples,), float
        Mono, within [-1, 1].
    sample_rate : int
        Samples per second.
    title : str
    begins : float
        Seconds of the recording at which the clip begins; the axis counts from there.
    events : sequence of Span
        In seconds of the recording.
    band : (float, float), optional
        Frequencies to show, in Hz; everything up to half the sample rate unless given.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed, or the clip is shorter than one window of the spectrogram.
    """
    decibels, times, frequencies = _decibels(np.asarray(samples, np.float64), sample_rate)
    figure, axes = _figure(9, 4, title)
    low, high = band or (0.0, sample_rate / 2)
    inside = (frequencies >= low) & (frequencies <= high)
    # Between the quieter third of what is shown and almost its loudest: a click or a hum must not darken the rest.
    floor, top = np.percentile(decibels[inside], (35, 99.8)) if inside.any() else (0.0, 0.0)
    step_t, step_f = (times[1] - times[0]) / 2 if len(times) > 1 else 0.01, frequencies[1] / 2
    image = axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        cmap="cividis",
        interpolation="bilinear",
        vmin=floor,
        vmax=max(top, floor + _LEAST_RANGE_DB),
        extent=(begins + times[0] - step_t, begins + times[-1] + step_t, -step_f, frequencies[-1] + step_f),
    )
    for event in events:
        axes.axvspan(event.start, event.stop, ymin=0.005, ymax=0.995, fill=False, edgecolor=_VERMILION, linewidth=2)
        if event.label:
            axes.annotate(
                event.label, (event.start, 0.96), xycoords=("data", "axes fraction"), xytext=(5, 0),
                textcoords="offset points", va="top", fontsize=9, color="white", fontweight="bold",
            )  # fmt: skip
    axes.set(xlabel="Time in the recording (s)", ylim=(low, high), xlim=(begins, begins + len(samples) / sample_rate))
    _frequency_axis(axes, high)
    bar = figure.colorbar(image, ax=axes, pad=0.015)
    bar.set_label("Power (dB re full scale)", fontsize=9, color=_INK)
    bar.ax.tick_params(labelsize=8, colors=_INK)
    return _png(figure)


def _decibels(
    samples: NDArray[np.float64], sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the power of each frequency and time: a sine of full scale has 0 dB; times are the frames' middles."""
    size = 1 << max(4, round(np.log2(_FFT_SECONDS * sample_rate)))
    if len(samples) < size:
        raise InvalidRequest(f"a clip of {len(samples)} samples is too short for a spectrogram; it needs {size}")
    hop = max(size // 8, -(-(len(samples) - size) // _MOST_COLUMNS))
    window = np.hanning(size + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    amplitude = 2 * np.abs(np.fft.rfft(frames * window, 2 * size, axis=1)) / window.sum()
    decibels: NDArray[np.float64] = 20 * np.log10(np.maximum(amplitude, 1e-10)).T
    times: NDArray[np.float64] = (np.arange(len(frames)) * hop + size / 2) / sample_rate
    frequencies = np.fft.rfftfreq(2 * size, 1 / sample_rate).astype(np.float64)
    return decibels, times, frequencies


def _frequency_axis(axes: Axes, high: float) -> None:
    from matplotlib.ticker import FuncFormatter

    if high >= 2_000:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y / 1000:g}"))
    axes.set_ylabel("Frequency (kHz)" if high >= 2_000 else "Frequency (Hz)")


# -------------------------------------------------------------------------------------------- figures


def _figure(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    figure, axes = _figures(width, height, title, rows=1)
    return figure, axes[0]


def _figures(width: float, height: float, title: str, *, rows: int) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes, looking as all of them look."""
    try:
        from matplotlib.figure import Figure as NewFigure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError:
        raise InvalidRequest(
            "pictures need matplotlib, which is not installed; install it with pip install 'anemonefish[pictures]'"
        ) from None
    layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1)  # inches
    figure = NewFigure(figsize=(width, height), dpi=_DPI, facecolor="white", layout=layout)
    figure.suptitle(_shortened(title, width), fontsize=13, color=_INK, fontweight="bold", parse_math=False)
    plots = [figure.add_subplot(rows, 1, row + 1) for row in range(rows)]
    for axes in plots:
        axes.set_facecolor("white")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9, colors=_INK)
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set(fontsize=10, color=_INK)
    return figure, plots


def _shortened(title: str, width: float) -> str:
    """Keep the end of a title that is too long: names of recordings carry their time there."""
    most = int(width * 8.5)
    return title if len(title) <= most else "…" + title[-most + 1 :]


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    made = io.BytesIO()
    # Software would carry the version, and two installations would draw one picture in different bytes.
    FigureCanvasAgg(figure).print_png(made, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return made.getvalue()
