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
        first, self._of_cell = _frames_of_cells(frames, first_cell_sample(grid), min(grid.hop, grid.window), n_cells)
        n_frames = max(int(inside.max()) for inside in self._of_cell) + 1
        self._frames = slice(first, first + n_frames)
        self._bins = _bins(band, sample_rate, frames.n_fft)
        # From the power of a spectrum to the mean square of the samples: one side of it has half of the power, and the
        # mean square of a periodic Hann window is 3/8.
        self._scale = 2 / (frames.n_fft**2 * 3 / 8)
        self._powers = np.empty((_BLOCK_WINDOWS, n_frames))
        self._peaks = np.empty((_BLOCK_WINDOWS, 3))
        self._peak_bins = np.empty(_BLOCK_WINDOWS, np.intp)
        self._levels = BandLevels(np.empty((n_windows, n_cells), np.uint8), np.empty(n_windows, np.uint16))
        self._stored = self._waiting = 0

    def add(self, magnitudes: NDArray[np.floating]) -> None:
        """Measure the next window.

        Parameters
        ----------
        magnitudes : ndarray, shape (n_frames, n_fft // 2 + 1)
            Magnitudes of the spectra of its frames; they are not kept.
        """
        band = magnitudes[self._frames, self._bins]
        powers = self._powers[self._waiting]
        np.einsum("ij,ij->i", band, band, out=powers, dtype=np.float64)
        loudest = int(powers.argmax())
        peak = self._bins.start + int(band[loudest].argmax())
        self._peaks[self._waiting] = magnitudes[self._frames.start + loudest, peak - 1 : peak + 2]
        self._peak_bins[self._waiting] = peak
        self._waiting += 1
        if self._waiting == _BLOCK_WINDOWS:
            self._store()

    def add_log_powers(self, log_powers: NDArray[np.float32], first_bin: int) -> None:
        """Measure the next windows.

        Parameters
        ----------
        log_powers : ndarray, shape (n, n_frames, n_bins)
            Natural logarithms of the powers of the spectra of their frames, from ``first_bin`` on; they are not kept.
        first_bin : int
        """
        start = max(self._bins.start, first_bin + 1) - first_bin  # the first and the last bin are neighbours only
        band = log_powers[:, self._frames, start : min(self._bins.stop - first_bin, log_powers.shape[2] - 1)]
        for first in range(0, len(band), _BLOCK_WINDOWS):
            windows = np.arange(first, min(first + _BLOCK_WINDOWS, len(band)))
            if self._waiting + len(windows) > _BLOCK_WINDOWS:
                self._store()
            block = slice(self._waiting, self._waiting + len(windows))
            powers = np.exp(band[windows]).sum(axis=2, dtype=np.float64)
            loudest = powers.argmax(axis=1)
            peaks = start + band[windows, loudest].argmax(axis=1)
            around = peaks[:, np.newaxis] + np.arange(-1, 2)
            rows = log_powers[windows[:, np.newaxis], self._frames.start + loudest[:, np.newaxis], around]
            self._powers[block], self._peaks[block], self._peak_bins[block] = powers, np.exp(rows), first_bin + peaks
            self._waiting = block.stop

    def levels(self) -> BandLevels:
        """Return the levels of the range, once all of its windows were added."""
        self._store()
        return self._levels

    def _store(self) -> None:
        """Store the levels of the windows that wait."""
        block = slice(self._stored, self._stored + self._waiting)
        powers = self._powers[: self._waiting]
        cells = np.stack([powers[:, frames].mean(axis=1) for frames in self._of_cell], axis=1)
        with np.errstate(divide="ignore"):
            decibels = 10 * np.log10(cells * self._scale)
        self._levels.codes[block] = np.rint((decibels - _QUIETEST_DB) / _STEP_DB).clip(0, 255)
        self._levels.peaks[block] = self._peak_codes()
        self._stored, self._waiting = block.stop, 0

    def _peak_codes(self) -> NDArray[np.float64]:
        """Return the peak frequencies: between bins by a parabola through the decibels of a peak and its neighbours.

        Source: Smith and Serra 1987, PARSHL (quadratic interpolation of spectral peaks).
        """
        left, middle, right = np.log(np.maximum(self._peaks[: self._waiting], 1e-30)).T
        is_peak = (middle > left) & (middle >= right)  # else the band ends on a slope
        bend = np.where(is_peak, left - 2 * middle + right, -1)
        shift = np.where(is_peak, (left - right) / (2 * bend), 0)
        codes: NDArray[np.float64] = np.rint((self._peak_bins[: self._waiting] + shift) / self._n_fft * _PEAK_UNITS)
        return codes


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
