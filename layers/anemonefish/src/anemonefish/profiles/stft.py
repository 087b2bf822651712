"""The short-time Fourier transform and its decibels, bit for bit as librosa makes them.

It computes ``librosa.stft(y, n_fft=..., hop_length=...)`` (centred, padded with zeros, periodic Hann) and
``librosa.amplitude_to_db(abs(D), ref=np.max)`` with numpy alone, in the layout ``(frame, bin)`` instead of librosa's
``(bin, frame)``. Every number goes through the same operations in the same precision and order; a comment says so where
another order would seem equal.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["FrameSpectra", "Stft", "decibels", "decibels_and_floor", "extremes", "hann", "n_frames"]

_CHUNK_FRAMES = 128
"""Most frames transformed at once, 3 MB at n_fft 1024, so that memory does not grow with the window. Numbers above 64
were equally fast."""

_MARGIN_DB = 0.01
"""Far more than the rounding of decibels, in float32 too."""

_last = threading.local()


def n_frames(window: int, hop_length: int) -> int:
    """Return how many centred frames a window of ``window`` samples has."""
    return 1 + window // hop_length


@cache
def hann(n: int) -> NDArray[np.float64]:
    """Return the periodic Hann window of ``n`` samples, rounded as ``scipy.signal.get_window("hann", n)``."""
    window: NDArray[np.float64] = 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, n + 1)[:-1])
    window.flags.writeable = False
    return window


class FrameSpectra:
    """The spectra of frames weighted with a Hann window, which reuses its memory.

    New arrays for every chunk of frames take up to three times as long. An instance belongs to one thread;
    :meth:`of_this_thread` returns the same instance again.

    Parameters
    ----------
    n_fft : int
        Length of a frame in samples, even.
    chunk : int
        Most frames transformed at once.
    """

    def __init__(self, n_fft: int, chunk: int = _CHUNK_FRAMES) -> None:
        self._hann = np.tile(hann(n_fft), (chunk, 1))  # one long product is faster than one product for each frame
        self._weighted = np.empty((chunk, n_fft))
        self._spectrum = np.empty((chunk, n_fft // 2 + 1), np.complex128)

    @classmethod
    def of_this_thread(cls, n_fft: int) -> FrameSpectra:
        """Return the last instance of this thread if it is for frames of this length, or else a new one."""
        if getattr(_last, "n_fft", None) != n_fft:
            _last.spectra = cls(n_fft)
            _last.n_fft = n_fft
        spectra: FrameSpectra = _last.spectra
        return spectra

    def of(self, frames: NDArray[np.floating]) -> Iterator[tuple[slice, NDArray[np.complex128]]]:
        """Yield the spectra of frames, chunk by chunk.

        Parameters
        ----------
        frames : ndarray, shape (n, n_fft)

        Yields
        ------
        chunk : slice
            Which of the frames.
        spectra : ndarray, shape (chunk.stop - chunk.start, n_fft // 2 + 1)
            Overwritten when the next chunk is computed.
        """
        for start in range(0, len(frames), len(self._weighted)):
            chunk = slice(start, min(start + len(self._weighted), len(frames)))
            count = chunk.stop - start
            weighted, spectrum = self._weighted[:count], self._spectrum[:count]
            np.copyto(weighted, frames[chunk])
            weighted *= self._hann[:count]
            np.fft.rfft(weighted, out=spectrum)
            yield chunk, spectrum


class Stft:
    """The transform of windows of one length, which reuses its memory.

    New arrays for every window would take a tenth more time (page faults). An instance belongs to one thread;
    :meth:`of_this_thread` returns the same instance again.

    Parameters
    ----------
    window : int
        Length of a window in samples.
    n_fft, hop_length : int
        Length of a frame (even) and distance between two, in samples.
    dtype : dtype
        float32 or float64: the precision of samples and magnitudes.
    """

    def __init__(self, window: int, n_fft: int, hop_length: int, dtype: np.dtype[np.floating]) -> None:
        # The Hann window is float64, so librosa transforms float32 audio in float64 too, then rounds.
        padded = np.zeros(window + n_fft)
        self._samples = padded[n_fft // 2 : n_fft // 2 + window]
        self._frames = sliding_window_view(padded, n_fft)[::hop_length]
        chunks, bins = -(-len(self._frames) // _CHUNK_FRAMES), n_fft // 2 + 1
        chunk = -(-len(self._frames) // chunks)
        self._spectra = FrameSpectra(n_fft, chunk)
        self._rounded = np.empty((chunk, bins), np.complex64) if dtype == np.float32 else None
        self._magnitudes: NDArray[np.floating] = np.empty((len(self._frames), bins), dtype)

    @classmethod
    def of_this_thread(cls, window: int, n_fft: int, hop_length: int, dtype: np.dtype[np.floating]) -> Stft:
        """Return the last transform of this thread if it has these parameters, or else a new one."""
        wanted = window, n_fft, hop_length, dtype
        if getattr(_last, "wanted", None) != wanted:
            _last.transform = cls(*wanted)
            _last.wanted = wanted
        transform: Stft = _last.transform
        return transform

    def magnitudes(self, samples: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return ``abs(librosa.stft(samples))``, transposed.

        Parameters
        ----------
        samples : ndarray, shape (window,)

        Returns
        -------
        ndarray, shape (n_frames, n_fft // 2 + 1), of the instance's dtype
            Overwritten by the next call.
        """
        self._samples[:] = samples
        for chunk, spectrum in self._spectra.of(self._frames):
            magnitudes = self._magnitudes[chunk]
            if self._rounded is None:
                np.abs(spectrum, out=magnitudes)
            else:
                rounded = self._rounded[: len(spectrum)]
                rounded[:] = spectrum
                np.abs(rounded, out=magnitudes)
        return self._magnitudes


def extremes(magnitudes: NDArray[np.floating], loudest: np.floating) -> NDArray[np.floating]:
    """Return the cells that may have the fewest or the most decibels of a window.

    These are several, because rounding of the logarithm may exchange cells that are almost equal.
    """
    near = magnitudes.dtype.type(10 ** (_MARGIN_DB / 20))
    cells = magnitudes.reshape(-1)
    found: NDArray[np.floating] = cells[np.flatnonzero((cells <= cells.min() * near) | (cells >= loudest / near))]
    return found


def decibels(cells: NDArray[np.floating], loudest: np.floating, *, amin: float, top_db: float) -> NDArray[np.floating]:
    """Return ``librosa.amplitude_to_db(magnitudes, ref=np.max)`` for some cells of a window.

    Parameters
    ----------
    cells : ndarray
        Magnitudes of the cells wanted: all of the window's, or fewer to save their logarithms.
    loudest : floating
        Largest magnitude of *all* the window's cells: the reference of the decibels and, less ``top_db``, their
        floor.
    amin, top_db : float
        Smallest amplitude; range kept below the loudest cell, in dB.

    Returns
    -------
    ndarray, shape and dtype of ``cells``
        0 at the loudest cell, to within a rounding.
    """
    values, _, floor = decibels_and_floor(cells, loudest, amin=amin, top_db=top_db)
    values.clip(floor, np.inf, out=values)
    return values


def decibels_and_floor(
    cells: NDArray[np.floating], loudest: np.floating, *, amin: float, top_db: float
) -> tuple[NDArray[np.floating], np.floating, np.floating]:
    """Return decibels, their maximum, and their floor, to which the caller raises quieter cells.

    :func:`decibels` raises them itself. A caller that needs the quietest cell anyway learns whether there is any to
    raise.
    """
    # The power of a scalar rounds some squares differently from np.square. librosa uses the one for the reference and
    # the other for the cells, and so does this.
    least = cells.dtype.type(amin**2)
    reference = 10.0 * np.log10(max(least, loudest**2))
    loudest_db = 10.0 * np.log10(max(least, np.square(loudest))) - reference
    values: NDArray[np.floating] = np.square(cells)
    if reference - top_db < 20.0 * math.log10(amin) + _MARGIN_DB:  # otherwise amin changes nothing above the floor
        values.clip(least, np.inf, out=values)  # as np.maximum, but twice as fast with a scalar
    with np.errstate(divide="ignore"):
        np.log10(values, out=values)
    values *= 10.0
    values -= reference
    highest = values.max()
    return values, highest, max(highest, loudest_db) - top_db  # the loudest cell may not be among the cells
