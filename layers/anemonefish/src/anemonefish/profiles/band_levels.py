"""Measure the level of the sound in the band of the calls, from the spectra that a profile computes anyway.

A recording's band levels are a small table beside its scores: for each window, the levels of its *cells* of about
20 ms, and the frequency of the loudest peak. From them the level, the signal-to-noise ratio, the peak frequency and the
number of calls of an event follow (:mod:`anemonefish.results.event_levels`).

The cells of a window cover its middle, as long as one hop, so that the cells of all windows join without a gap. They
depend on the samples of their own window only: the same window has the same cells however a recording is divided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anemonefish.windows import WindowGrid

__all__ = [
    "CELL_SECONDS",
    "BandLevels",
    "BandMeter",
    "Frames",
    "cells_per_window",
    "first_cell_sample",
    "measured_band",
]

CELL_SECONDS = 0.02
"""Length of a cell: shorter than the 26 ms of a pulse of *Amphiprion clarkii* (Parmentier et al. 2007, Science
316:1006), so a pulse fills one cell, and one byte for 20 ms is small beside 20 ms of samples."""

LOWEST_HZ = 150.0
"""Lower frequencies are not measured if the band reaches above 300 Hz: the noise of flow and waves lies below about
100 Hz, and the Hann window of a frame of 21 ms spreads it by two bins of 47 Hz."""

_STEP_DB = 0.5
_QUIETEST_DB = -127.5
"""Level of code 0, which also stands for digital silence; code 255 is 0 dB re full scale."""

_BLOCK_WINDOWS = 256
"""Windows whose levels are computed at once, with 40 KB of powers."""

_PEAK_UNITS = 1 << 16
"""Frequencies are stored in units of the sample rate / 2**16: less than 1 Hz at 48 kHz."""


def measured_band(band: tuple[float, float]) -> tuple[float, float]:
    """Return the part of a model's band in which levels are measured, in Hz.

    Examples
    --------
    >>> measured_band((0.0, 2000.0)), measured_band((10.0, 100.0))
    ((150.0, 2000.0), (10.0, 100.0))
    """
    low, high = band
    return (max(low, LOWEST_HZ) if high >= 2 * LOWEST_HZ else low), high


def cells_per_window(grid: WindowGrid, sample_rate: int) -> int:
    """Return how many cells each window has: as many as make them about 20 ms long, at least one."""
    return max(1, round(min(grid.hop, grid.window) / sample_rate / CELL_SECONDS))


def first_cell_sample(grid: WindowGrid) -> int:
    """Return the sample of a window at which its first cell begins; the cells lie in the middle of the window."""
    return (grid.window - min(grid.hop, grid.window)) // 2


@dataclass(frozen=True, slots=True)
class BandLevels:
    """The band levels of some windows.

    Attributes
    ----------
    codes : ndarray, shape (n_windows, n_cells), uint8
        Level of each cell in steps of 0.5 dB from -127.5 dB re full scale; see :meth:`decibels`.
    peaks : ndarray, shape (n_windows,), uint16
        Frequency of the highest peak of the spectrum in the loudest moment of the window's cells, in units of the
        sample rate / 2**16; see :meth:`peak_hz`.
    """

    codes: NDArray[np.uint8]
    peaks: NDArray[np.uint16]

    @staticmethod
    def decibels(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return levels in dB re full scale: 0 dB is a mean square of 1, so a sine of full scale has -3 dB.

        Examples
        --------
        >>> BandLevels.decibels(np.array([0, 135, 255], np.uint8))
        array([-127.5,  -60. ,    0. ])
        """
        return codes.astype(np.float64) * _STEP_DB + _QUIETEST_DB

    def peak_hz(self, windows: int | slice, sample_rate: int) -> NDArray[np.float64]:
        """Return the peak frequencies of windows in Hz."""
        return np.asarray(self.peaks[windows] * (sample_rate / _PEAK_UNITS), np.float64)

    @staticmethod
    def peak_codes(hertz: NDArray[np.float64], sample_rate: int) -> NDArray[np.uint16]:
        """Return :attr:`peaks` of frequencies in Hz."""
        return np.asarray(np.rint(hertz * (_PEAK_UNITS / sample_rate)), np.uint16)

    def to_array(self) -> NDArray[np.uint8]:
        """Return one array, shape (n_windows, n_cells + 2), to be stored."""
        return np.concatenate((self.codes, self.peaks.astype("<u2").view(np.uint8).reshape(-1, 2)), axis=1)

    @classmethod
    def from_array(cls, stored: NDArray[np.uint8]) -> Self:
        """Read :meth:`to_array`."""
        return cls(stored[:, :-2], np.ascontiguousarray(stored[:, -2:]).view("<u2").reshape(-1).astype(np.uint16))

    @classmethod
    def joined(cls, parts: Sequence[BandLevels | None]) -> Self | None:
        """Return the levels of consecutive ranges; None if there is none, or one range has none."""
        known = [part for part in parts if part is not None]
        if not known or len(known) < len(parts) or len({part.codes.shape[1] for part in known}) > 1:
            return None
        return cls(np.concatenate([part.codes for part in known]), np.concatenate([part.peaks for part in known]))


@dataclass(frozen=True, slots=True)
class Frames:
    """Where the frames of a short-time Fourier transform lie in a window; they are weighted with a Hann window.

    Attributes
    ----------
    n_fft, hop_length : int
        Length of a frame and distance between two, in samples.
    first_centre : int
        Sample of the window at the centre of the first frame.
    count : int
        Number of frames.
    """

    n_fft: int
    hop_length: int
    first_centre: int
    count: int


class BandMeter:
    """Collects the band levels of a range of windows while their spectrograms are made.

    Parameters
    ----------
    grid : WindowGrid
        The windows of the recording, for their length and distance.
    n_windows : int
        Number of windows of the range.
    sample_rate : int
        Samples per second.
    band : (float, float)
        Lowest and highest frequency to measure, in Hz.
    frames : Frames
        The frames of a window.
    """

    def __init__(
        self, grid: WindowGrid, n_windows: int, sample_rate: int, band: tuple[float, float], frames: Frames
    ) -> None:
        self._n_fft = frames.n_fft
        n_cells = cells_per_window(grid, sample_rate)
        first, of_cell = _frames_of_cells(frames, first_cell_sample(grid), min(grid.hop, grid.window), n_cells)
        n_frames = max(int(inside.max()) for inside in of_cell) + 1
        self._frames = slice(first, first + n_frames)
        # From the powers of the spectra of frames to the mean square of a cell: one side of a spectrum has half of the
        # power, and the mean square of a periodic Hann window is 3/8.
        self._shares = np.zeros((n_frames, n_cells))
        for cell, inside in enumerate(of_cell):
            self._shares[inside, cell] = 2 / (frames.n_fft**2 * 3 / 8) / len(inside)
        self._bins = _bins(band, sample_rate, frames.n_fft)
        self._waiting: list[NDArray[np.floating]] = []
        self._levels = BandLevels(np.empty((n_windows, n_cells), np.uint8), np.empty(n_windows, np.uint16))
        self._stored = 0

    def add(self, magnitudes: NDArray[np.floating]) -> None:
        """Measure the next window.

        Parameters
        ----------
        magnitudes : ndarray, shape (n_frames, n_fft // 2 + 1)
            Magnitudes of the spectra of its frames; they are not kept.
        """
        bins = slice(self._bins.start - 1, self._bins.stop + 1)
        self._waiting.append(magnitudes[np.newaxis, self._frames, bins].copy())
        if len(self._waiting) == _BLOCK_WINDOWS:
            self._store_magnitudes()

    def add_log_powers(self, log_powers: NDArray[np.float32], first_bin: int) -> None:
        """Measure the next windows.

        Parameters
        ----------
        log_powers : ndarray, shape (n, n_frames, n_bins)
            Natural logarithms of the powers of the spectra of their frames, from ``first_bin`` on; they are not kept.
            The first and the last bin are used as neighbours only.
        first_bin : int
        """
        first = max(self._bins.start - 1 - first_bin, 0)
        last = min(self._bins.stop - first_bin, log_powers.shape[2] - 1)
        for start in range(0, len(log_powers), _BLOCK_WINDOWS):
            block = log_powers[start : start + _BLOCK_WINDOWS, self._frames, first : last + 1]
            self._store(np.exp(block), first_bin + first)

    def levels(self) -> BandLevels:
        """Return the levels of the range, once all of its windows were added."""
        self._store_magnitudes()
        return self._levels

    def _store_magnitudes(self) -> None:
        if self._waiting:
            magnitudes = np.concatenate(self._waiting)
            self._store(np.square(magnitudes, out=magnitudes), self._bins.start - 1)
            self._waiting = []

    def _store(self, powers: NDArray[np.floating], first_bin: int) -> None:
        """Store the levels of windows from the powers of their bins, shape (n, n_frames, n_bins + 2)."""
        block = slice(self._stored, self._stored + len(powers))
        of_frames = powers[:, :, 1:-1].sum(axis=2)
        cells = np.einsum("ij,jk->ik", of_frames, self._shares)  # not by BLAS, whose sums depend on their number
        with np.errstate(divide="ignore"):
            decibels = 10 * np.log10(cells)
        self._levels.codes[block] = np.rint((decibels - _QUIETEST_DB) / _STEP_DB).clip(0, 255)
        windows = np.arange(len(powers))
        spectra = powers[windows, of_frames.argmax(axis=1)]
        peaks = 1 + spectra[:, 1:-1].argmax(axis=1)
        left, middle, right = (spectra[windows, peaks + step] for step in (-1, 0, 1))
        bins = first_bin + peaks + _peak_shift(left, middle, right)
        self._levels.peaks[block] = np.rint(bins / self._n_fft * _PEAK_UNITS)
        self._stored = block.stop


def _peak_shift(
    left: NDArray[np.floating], middle: NDArray[np.floating], right: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return how far, in bins, the peak of a spectrum lies beside its highest bin.

    It is the highest point of a parabola through the decibels of the bin and its neighbours. Source: Smith and Serra
    1987, PARSHL.
    """
    a, b, c = (np.log(np.maximum(np.asarray(power, np.float64), 1e-60)) for power in (left, middle, right))
    is_peak = (b > a) & (b >= c)  # else the band ends on a slope
    bend = np.where(is_peak, a - 2 * b + c, -1)
    return np.where(is_peak, (a - c) / (2 * bend), 0)


def _frames_of_cells(frames: Frames, begin: int, span: int, n_cells: int) -> tuple[int, list[NDArray[np.intp]]]:
    """Return the first frame that is used, and the frames of each cell, counted from it.

    A frame belongs to the cell in which its centre lies. A cell without a frame, where frames are further apart than
    cells, has the level of the frame nearest to it.
    """
    centres = frames.first_centre + frames.hop_length * np.arange(frames.count)
    cells = (centres - begin) * n_cells // span
    middles = begin + (2 * np.arange(n_cells) + 1) * span // (2 * n_cells)
    of_cell = [np.flatnonzero(cells == cell) for cell in range(n_cells)]
    of_cell = [
        inside if len(inside) else np.array([np.abs(centres - middle).argmin()])
        for inside, middle in zip(of_cell, middles, strict=True)
    ]
    first = min(int(inside.min()) for inside in of_cell)
    return first, [inside - first for inside in of_cell]


def _bins(band: tuple[float, float], sample_rate: int, n_fft: int) -> slice:
    """Return the bins of a band, each with a neighbour on both sides; an offset reaches the bins 0 and 1."""
    first = max(2, int(np.ceil(band[0] * n_fft / sample_rate)))
    last = min(n_fft // 2 - 1, int(band[1] * n_fft / sample_rate))
    return slice(min(first, last), max(first, last) + 1)
