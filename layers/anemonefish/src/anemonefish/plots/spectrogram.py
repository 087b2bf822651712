"""Draw the spectrogram of a clip with its events marked, or as an image without axes.

The colours are cividis (Nuñez et al. 2018, PLoS ONE 13:e0199239), whose lightness rises evenly. This spectrogram is for
people; the ones that a network sees are made in :mod:`anemonefish.profiles`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import InvalidRequest
from anemonefish.plots.style import INK, MOST_COLUMNS, VERMILION, Span, make_figure, no_matplotlib, png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SpectrogramImage", "draw_spectrogram_image", "image_frequencies", "plot_spectrogram"]

_LEAST_RANGE_DB = 25.0
"""Range of the colours at least, so that noise alone does not look like a signal."""
_FFT_SECONDS = 0.032
"""Length of the window: pulses of anemonefish calls follow one another after 35 ms or more, and stay apart."""
_MARGIN = 0.1
_IMAGE_COLUMNS = 1_000
"""Pixels across an image without axes: a clip of 5 seconds has one per 5 ms, as fine as the frames."""
_INSET = 0.005
"""Keeps the line of a box inside the axes."""
_IMAGE_COLOURS = 48
"""Colours of an image without axes: one per decibel or less, which halves the size of the file against 256."""
_KILOHERTZ_FROM = 2_000  # Hz


def plot_spectrogram(
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
        Where the clip begins, in seconds from the beginning of the recording; the time axis starts there.
    events : sequence of Span
        In seconds from the beginning of the recording.
    band : (float, float), optional
        Frequencies of the events, in Hz: their boxes span it, and a margin of a tenth is shown around it. By default
        everything up to half the sample rate.

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
    figure, [axes] = make_figure(9, 4, title)
    events_band = band or (0.0, sample_rate / 2)
    low, high = _with_margin(events_band, sample_rate / 2)
    floor, top = _colour_range(decibels[(frequencies >= low) & (frequencies <= high)])
    half_time, half_frequency = (times[1] - times[0]) / 2 if len(times) > 1 else 0.01, frequencies[1] / 2
    image = axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        cmap="cividis",
        interpolation="bilinear",
        vmin=floor,
        vmax=top,
        extent=(
            begins + times[0] - half_time,
            begins + times[-1] + half_time,
            -half_frequency,
            frequencies[-1] + half_frequency,
        ),
    )
    for event in events:
        _mark_event(axes, event, events_band, (low, high))
    axes.set(xlabel="Time in the recording (s)", ylim=(low, high), xlim=(begins, begins + len(samples) / sample_rate))
    _set_frequency_axis(axes, high)
    bar = figure.colorbar(image, ax=axes, pad=0.015)
    bar.set_label("Power (dB re full scale)", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8, colors=INK)
    return png_of(figure)


@dataclass(frozen=True, slots=True)
class SpectrogramImage:
    """The spectrogram of a clip as pixels, without axes: a page draws its own, and marks what it wants.

    Attributes
    ----------
    png : bytes
        Time runs from left to right, over the whole clip; low frequencies are at the bottom.
    low_hz, high_hz : float
        Frequencies at the lower and the upper edge.
    """

    png: bytes
    low_hz: float
    high_hz: float


def draw_spectrogram_image(
    samples: NDArray[Any], sample_rate: int, *, band: tuple[float, float] | None = None
) -> SpectrogramImage:
    """Draw the spectrogram of a clip without axes, in the colours of :func:`plot_spectrogram`.

    Parameters
    ----------
    samples : ndarray, shape (n_samples,), float
        Mono, within [-1, 1].
    sample_rate : int
        Samples per second.
    band : (float, float), optional
        Shown with a margin of a tenth; by default everything up to half the sample rate.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed, or the clip is shorter than one window of the spectrogram.
    """
    try:
        from matplotlib import colormaps
        from PIL import Image  # matplotlib brings it
    except ImportError:
        raise no_matplotlib() from None
    decibels, times, _ = _decibels(np.asarray(samples, np.float64), sample_rate)
    first, last, _ = _image_rows(sample_rate, band)
    shown = decibels[first : last + 1]
    # The column of each moment is the nearest frame, so that the image reaches from end to end of the clip.
    moments = (np.arange(_IMAGE_COLUMNS) + 0.5) / _IMAGE_COLUMNS * len(samples) / sample_rate
    hop = times[1] - times[0] if len(times) > 1 else 1.0
    nearest = np.clip(np.rint((moments - times[0]) / hop).astype(int), 0, len(times) - 1)
    floor, top = _colour_range(shown)
    levels = np.clip((shown[::-1, nearest] - floor) / (top - floor) * (_IMAGE_COLOURS - 1), 0, _IMAGE_COLOURS - 1)
    image = Image.fromarray(np.rint(levels).astype(np.uint8))
    image.putpalette((colormaps["cividis"](np.linspace(0, 1, _IMAGE_COLOURS))[:, :3] * 255).astype(np.uint8).tobytes())
    file = io.BytesIO()
    image.save(file, "PNG")
    return SpectrogramImage(file.getvalue(), *image_frequencies(sample_rate, band))


def image_frequencies(sample_rate: int, band: tuple[float, float] | None = None) -> tuple[float, float]:
    """Return the frequencies at the lower and the upper edge of :func:`draw_spectrogram_image`, in Hz."""
    first, last, step = _image_rows(sample_rate, band)
    return float((first - 0.5) * step), float((last + 0.5) * step)


def _image_rows(sample_rate: int, band: tuple[float, float] | None) -> tuple[int, int, float]:
    """Return the first and the last frequency bin of an image, and the distance of two bins in Hz."""
    low, high = _with_margin(band or (0.0, sample_rate / 2), sample_rate / 2)
    step = float(np.fft.rfftfreq(2 * _fft_size(sample_rate), 1 / sample_rate)[1])
    return round(low / step), max(round(high / step), round(low / step) + 1), step


def _fft_size(sample_rate: int) -> int:
    return int(1 << max(4, round(np.log2(_FFT_SECONDS * sample_rate))))


def _colour_range(decibels: NDArray[np.float64]) -> tuple[float, float]:
    """Return the levels of the darkest and the brightest colour.

    They go from the quietest third to nearly the loudest value, so that a click or a hum does not darken everything.
    """
    floor, top = np.percentile(decibels, (35, 99.8)) if decibels.size else (0.0, 0.0)
    return float(floor), float(max(top, floor + _LEAST_RANGE_DB))


def _decibels(
    samples: NDArray[np.float64], sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the power of each frequency and time, with the times of the frames' centres and the frequencies.

    A sine of full scale has 0 dB.
    """
    size = _fft_size(sample_rate)
    if len(samples) < size:
        raise InvalidRequest(f"a clip of {len(samples)} samples is too short for a spectrogram; it needs {size}")
    hop = max(size // 8, -(-(len(samples) - size) // MOST_COLUMNS))
    window = np.hanning(size + 1)[:-1]
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    amplitude = 2 * np.abs(np.fft.rfft(frames * window, 2 * size, axis=1)) / window.sum()
    decibels: NDArray[np.float64] = 20 * np.log10(np.maximum(amplitude, 1e-10)).T
    times: NDArray[np.float64] = (np.arange(len(frames)) * hop + size / 2) / sample_rate
    frequencies = np.fft.rfftfreq(2 * size, 1 / sample_rate).astype(np.float64)
    return decibels, times, frequencies


def _with_margin(band: tuple[float, float], nyquist: float) -> tuple[float, float]:
    margin = (band[1] - band[0]) * _MARGIN
    return max(0.0, band[0] - margin), min(nyquist, band[1] + margin)


def _mark_event(axes: Axes, event: Span, band: tuple[float, float], shown: tuple[float, float]) -> None:
    low, high = ((edge - shown[0]) / (shown[1] - shown[0]) for edge in band)
    bottom, top = max(low, _INSET), min(high, 1 - _INSET)
    axes.axvspan(event.start, event.stop, ymin=bottom, ymax=top, fill=False, edgecolor=VERMILION, linewidth=2)
    if event.label:
        axes.annotate(
            event.label,
            (event.start, top),
            xycoords=("data", "axes fraction"),
            xytext=(5, -5),
            textcoords="offset points",
            va="top",
            fontsize=9,
            color="white",
            fontweight="bold",
        )


def _set_frequency_axis(axes: Axes, high: float) -> None:
    from matplotlib.ticker import FuncFormatter

    if high >= _KILOHERTZ_FROM:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y / 1000:g}"))
    axes.set_ylabel("Frequency (kHz)" if high >= _KILOHERTZ_FROM else "Frequency (Hz)")
