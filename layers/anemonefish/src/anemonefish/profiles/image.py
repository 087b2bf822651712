"""Profile ``image``: the picture of a spectrogram as librosa and matplotlib draw it, drawn with numpy.

It is the input of the lab's model v1: ``librosa.display.specshow`` on a canvas without margins, drawn by matplotlib's
Agg, in the colours of magma. Every pixel equals theirs (librosa 0.10 and later, matplotlib 3.8 and later). A mesh of
rectangles needs no renderer: an affine map and a rounding give the pixels of its cells, the same for every window.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from anemonefish.errors import UnsupportedRecording
from anemonefish.profiles import stft
from anemonefish.profiles.centred import CentredProfile
from anemonefish.profiles.magma import MAGMA
from anemonefish.profiles.profile import CutoffHertz, WindowSeconds

__all__ = ["Image"]

Pixels = Annotated[int, Interval(ge=1, le=4096)]

_COLOURS = MAGMA / np.float32(255)
"""The colour map as the network is given it, shape (256, 3), float32."""


@dataclass(frozen=True, kw_only=True)
class Image(CentredProfile):
    """The spectrogram as a picture, shape (height, width, 3), low frequencies at the bottom.

    The defaults are the lab's: 1.0 s every 0.4 s, 256 x 256 pixels. Computes in the precision of the samples,
    as librosa does; the lab's training read float32.

    Parameters
    ----------
    fmax_hz : float
        Where ``bins = int(fmax_hz / (sample_rate / 2) * n_bins)`` is below ``n_bins``, the picture shows the
        bins 0 to ``bins``, cut through the middle of the first and the last; elsewhere it shows all of all.
    width, height : int
        Size of the picture in pixels.

    Notes
    -----
    The colours span the quietest to the loudest cell of the window over all bins, visible or not. A window
    whose cells are all equal, such as silence, has the lowest colour.

    One defect of librosa is not repeated: it takes another colour map (coolwarm) where 2 % of the cells lie above
    0 dB. The loudest cells may, by rounding; at low sample rates a click in digital silence makes so many cells
    equally loud (10 of 40,000 random clicks at 4 kHz).

    See :class:`~anemonefish.profiles.centred.CentredProfile` for the other constants.
    """

    kind: ClassVar[str] = "image"
    sample_dtype: ClassVar[type[np.float32 | np.float64]] = np.float32
    any_sample_rate: ClassVar[bool] = True

    window_seconds: WindowSeconds = 1.0
    hop_seconds: WindowSeconds = 0.4
    fmax_hz: CutoffHertz = 2000.0
    width: Pixels = 256
    height: Pixels = 256

    def input_shape(self, sample_rate: int) -> tuple[int, ...]:
        """Return (height, width, 3); raise an error where there is no picture at this sample rate."""
        window = self.grid(0, sample_rate).window
        if stft.n_frames(window, self.hop_length) < 2:
            raise UnsupportedRecording(
                f"at {sample_rate} Hz a window of {self.window_seconds} s has {window} samples and a picture needs "
                f"{self.hop_length}; choose a longer window or resample the recording"
            )
        if self._limit(sample_rate) < 1:
            raise UnsupportedRecording(
                f"at {sample_rate} Hz no bin lies below {self.fmax_hz} Hz; choose a higher fmax_hz or resample the "
                f"recording"
            )
        return self.height, self.width, 3

    def band(self, sample_rate: int) -> tuple[float, float]:
        """Return the lowest and the highest frequency that a spectrogram shows, in Hz."""
        return 0.0, min(self._limit(sample_rate) * sample_rate / self.n_fft, sample_rate / 2)

    def _limit(self, sample_rate: int) -> int:
        """Return the upper end of the frequency axis, in bins."""
        return int(self.fmax_hz / (sample_rate / 2) * self.n_bins)

    def _fill(
        self,
        out: NDArray[np.float32],
        magnitudes: NDArray[np.floating],
        loudest: np.floating,
        sample_rate: int,
    ) -> None:
        mesh = _mesh(self.height, self.width, *magnitudes.shape, self._limit(sample_rate))
        visible = magnitudes[:, mesh.bins]
        cells = np.concatenate((visible.ravel(), stft.extremes(magnitudes, loudest)))
        values = stft.decibels(cells, loudest, amin=self.amin, top_db=self.top_db)
        indices = _colour_indices(values[: visible.size].reshape(visible.shape), values.min(), values.max())
        colours = _COLOURS.take(indices.T, axis=0, mode="clip")  # each cell once, (bins, frames, 3); then the pixels
        rows = colours.reshape(len(colours), -1)[:, mesh.columns]
        np.take(rows, mesh.rows, axis=0, out=out.reshape(self.height, -1), mode="clip")


def _colour_indices(cells: NDArray[np.floating], lowest: np.floating, highest: np.floating) -> NDArray[np.intp]:
    """Return the colour index of each cell, rounded as matplotlib's ``Normalize`` and ``Colormap`` round.

    ``Normalize`` keeps the cells in their own precision but the limits in float64, so each step is computed in
    float64 and rounded to the precision of the cells. One difference of two float32 is the same either way.
    """
    if lowest == highest:
        return np.zeros(cells.shape, np.intp)
    scaled = cells - lowest
    scaled = (scaled / (np.float64(highest) - np.float64(lowest))).astype(cells.dtype)
    scaled *= len(_COLOURS)
    return scaled.clip(0, len(_COLOURS) - 1, out=scaled).astype(np.intp)


@dataclass(frozen=True)
class _Mesh:
    """Which cell each pixel shows.

    Attributes
    ----------
    bins : slice
        The visible bins.
    rows : ndarray, shape (height,)
        Index among the visible bins of each row of pixels, from the top.
    columns : ndarray, shape (width * 3,)
        Where red, green and blue of each column of pixels lie among the ``n_frames * 3`` of a bin.
    """

    bins: slice
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]


@lru_cache(maxsize=32)
def _mesh(height: int, width: int, n_frames: int, n_bins: int, limit: int) -> _Mesh:
    """Return which cell of the spectrogram each pixel shows, as matplotlib's Agg draws it.

    A cell reaches half a step to either side of its index. The frequency axis goes from 0 to ``limit`` when
    that is below ``n_bins``, else it shows every cell whole; the time axis always does.
    """
    low, high = (0.0, float(limit)) if limit < n_bins else (-0.5, n_bins - 0.5)
    frame_edges = _edges(n_frames, -0.5, n_frames - 0.5, width)
    bin_edges = _edges(n_bins, low, high, height, flipped=True)
    # Where cells are narrower than pixels several edges fall on one pixel, which shows the last of the cells.
    frames = np.searchsorted(frame_edges, np.arange(width), side="right") - 1
    bins = n_bins - np.searchsorted(bin_edges[::-1], np.arange(height), side="right")
    lowest, highest = int(bins.min()), int(bins.max())
    columns = frames[:, np.newaxis] * 3 + np.arange(3)
    return _Mesh(slice(lowest, highest + 1), bins - lowest, columns.ravel())


def _edges(n: int, low: float, high: float, pixels: int, *, flipped: bool = False) -> NDArray[np.float64]:
    """Return the pixel at which each edge of ``n`` cells lies, with ``low`` to ``high`` spread over the pixels.

    matplotlib composes the limits' affine ``x / (high - low) - low / (high - low)`` with the scale to pixels,
    turns it over for Agg's downward axis, and Agg snaps an edge by ``floor(x + 0.5)``.
    """
    inverse = 1.0 / (high - low)
    scale, shift = pixels * inverse, pixels * (-low * inverse)
    if flipped:
        scale, shift = -scale, -shift + pixels
    snapped: NDArray[np.float64] = np.floor((np.arange(n + 1) - 0.5) * scale + shift + 0.5)
    return snapped
