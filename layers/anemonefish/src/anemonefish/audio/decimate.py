"""Keep every n-th sample of a recording, without aliases in the band that a model uses.

Owns :class:`Decimator`, which filters and decimates by a whole factor. A general resampler keeps the whole band of the
lower rate, for which it needs a long filter. A model that uses frequencies up to ``top_hz`` only allows a short one:
what lies between ``top_hz`` and the lower rate less ``top_hz`` may be attenuated as it comes, because it is folded to
frequencies that the model does not use. At 48 kHz and 8 kHz that is four times as fast as soxr.

Sixteen outputs at a time are computed as the product of a matrix of samples and one of filter taps. The products are so
small that no library divides them among threads, and have the same sizes for any stretch of a recording.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Decimator", "fits"]

_ATTENUATION_DB = 120.0
"""Attenuation beyond the transition band, as soxr HQ has (20 bits). The pass band is flat within 1e-4 dB."""

_LEAST_TRANSITION = 0.1
"""Least width of the transition band, as a share of the lower rate. Narrower ones need filters that soxr beats."""

_MOST_FACTOR = 64
_PHASES = 16
"""Outputs computed from one row of samples: 8 to 32 were equally fast at factors 6 and 12."""

_PRODUCT_SIZE = 3 << 16
"""Most multiplications of a matrix product. OpenBLAS divides products of more than 2**18 among threads."""


def fits(sample_rate: int, wanted_rate: int, top_hz: float) -> bool:
    """Return whether a recording can be decimated, so that frequencies up to ``top_hz`` are exact."""
    factor, rest = divmod(sample_rate, wanted_rate)
    return rest == 0 and 2 <= factor <= _MOST_FACTOR and wanted_rate - 2 * top_hz >= _LEAST_TRANSITION * wanted_rate


class Decimator:
    """Decimates by a whole factor.

    Parameters
    ----------
    sample_rate, wanted_rate : int
        In Hz; the one is a multiple of the other (:func:`fits`).
    top_hz : float
        Frequencies up to this are exact.

    Attributes
    ----------
    reach : int
        Samples before and after an output's place that it is computed from.
    margin : int
        Samples after the last output that spare a copy: whole rows.
    """

    def __init__(self, sample_rate: int, wanted_rate: int, top_hz: float) -> None:
        self._factor = sample_rate // wanted_rate
        taps = _taps(sample_rate, wanted_rate, top_hz)
        self.reach = len(taps) // 2
        self._row = self._factor * _PHASES
        rows = -(-(self._row - self._factor + len(taps)) // self._row)
        matrix = np.zeros((rows * self._row, _PHASES))
        for phase in range(_PHASES):
            matrix[phase * self._factor : phase * self._factor + len(taps), phase] = taps
        self._matrix = matrix.reshape(rows, self._row, _PHASES)
        self.margin = rows * self._row

    def decimate(self, samples: NDArray[np.floating], first: int, count: int) -> NDArray[Any]:
        """Return ``count`` outputs.

        Parameters
        ----------
        samples : ndarray, shape (n,), float32 or float64
            A stretch of a recording. What lies outside counts as silence, so give :attr:`reach` samples around the
            outputs wherever the recording has them.
        first : int
            Index of the sample at which the first output lies.
        count : int

        Returns
        -------
        ndarray, shape (count,), dtype of ``samples``
        """
        matrix = self._matrix.astype(samples.dtype)
        outputs = -(-count // _PHASES) + len(matrix) - 1  # rows of samples that the outputs are computed from
        rows = _padded(samples, first - self.reach, outputs * self._row).reshape(outputs, self._row)
        products = np.empty((len(matrix), outputs, _PHASES), samples.dtype)
        step = max(1, _PRODUCT_SIZE // (self._row * _PHASES))
        for start in range(0, outputs, step):
            np.matmul(rows[start : start + step], matrix, out=products[:, start : start + step])
        end = outputs - len(matrix) + 1
        total = products[0, :end]
        for shift in range(1, len(matrix)):
            total += products[shift, shift : shift + end]
        return total.reshape(-1)[:count]


def _padded(samples: NDArray[np.floating], start: int, length: int) -> NDArray[np.floating]:
    """Return the samples ``[start, start + length)``, with zeros where there are none; a view if there are all."""
    stop = start + length
    inside = samples[max(0, start) : max(0, stop)]
    if len(inside) == length:
        return inside
    return np.pad(inside, (max(0, -start), length - len(inside) - max(0, -start)))


def _taps(sample_rate: int, wanted_rate: int, top_hz: float) -> NDArray[np.float64]:
    """Return a low pass by Kaiser's method (Kaiser 1974: its length and beta follow from attenuation and width)."""
    transition = 2 * math.pi * (wanted_rate - 2 * top_hz) / sample_rate
    reach = math.ceil((_ATTENUATION_DB - 7.95) / (2.285 * transition) / 2)
    cutoff = wanted_rate / sample_rate  # the middle of the transition band, as a share of the higher Nyquist frequency
    places = np.arange(-reach, reach + 1)
    taps = np.sinc(places * cutoff) * np.kaiser(len(places), 0.1102 * (_ATTENUATION_DB - 8.7))
    scaled: NDArray[np.float64] = taps / taps.sum()
    return scaled
