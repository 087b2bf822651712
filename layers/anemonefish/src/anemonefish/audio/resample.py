"""Read a recording at the sample rate that a model was trained on.

Owns :func:`at_rate`, which resamples on a fixed grid: by soxr (HQ) for any rational factor, or, where a model uses low
frequencies only, by the faster :mod:`anemonefish.audio.decimate`. The output consists of tiles whose borders lie where
an input and an output sample coincide; each tile is computed from the same stretch of input, with a margin on both
sides. A tile is therefore the same whichever range it is computed for, and any division into ranges gives the same
bytes. At most one tile and its margins are read at once.
"""

from __future__ import annotations

from math import gcd
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from anemonefish.audio.decimate import Decimator, fits
from anemonefish.audio.samples import Samples
from anemonefish.step_times import step

__all__ = ["Resampled", "at_rate", "resampled_length", "resampling"]

_QUALITY = "HQ"
"""soxr's quality setting: 20 bits, pass band up to 0.913 of the lower Nyquist frequency (soxr documentation)."""


class _Method(Protocol):
    """How a tile is computed, and from what: so many periods, and margins that are longer than the filter reaches.

    One period is ``down`` input and ``up`` output samples, the shortest stretch of whole samples at both rates.
    """

    tile_periods: int
    margin_periods: int

    def make(self, samples: NDArray[Any], skipped: int, count: int) -> NDArray[Any]:
        """Return ``count`` outputs, or fewer where the recording ends, after the first ``skipped``."""


class _Soxr:
    """Resamples by the factor ``up / down``, in tiles of 4 s and margins of 0.25 s.

    The margin is much longer than the filter of soxr HQ (some hundred samples of the lower rate). For ten pairs of
    rates, a recording resampled in such tiles differed from one pass by 2e-7 of full scale, which is soxr's own
    rounding: HQ computes in single precision.
    """

    def __init__(self, up: int, down: int, periods_per_second: int) -> None:
        self._up, self._down = up, down
        self.tile_periods = max(1, 4 * periods_per_second)
        self.margin_periods = max(1, periods_per_second // 4)

    def make(self, samples: NDArray[Any], skipped: int, count: int) -> NDArray[Any]:
        tile: NDArray[Any] = soxr.resample(samples, self._down, self._up, quality=_QUALITY)
        return tile[skipped : skipped + count]


class _Decimating:
    """Decimates by a whole factor, in tiles of 4 s."""

    def __init__(self, sample_rate: int, wanted_rate: int, top_hz: float) -> None:
        self._factor = sample_rate // wanted_rate
        self._decimator = Decimator(sample_rate, wanted_rate, top_hz)
        self.tile_periods = 4 * wanted_rate
        self.margin_periods = self._decimator.margin // self._factor

    def make(self, samples: NDArray[Any], skipped: int, count: int) -> NDArray[Any]:
        count = min(count, len(samples) // self._factor - skipped)
        return self._decimator.decimate(samples, skipped * self._factor, count)


class Resampled:
    """Reads a recording at another sample rate.

    Parameters
    ----------
    samples : Samples
        The recording at its own rate.
    sample_rate : int
        The rate of the output, in Hz.
    top_hz : float, optional
        The highest frequency that must be exact; all up to the Nyquist frequency unless given.
    """

    def __init__(self, samples: Samples, sample_rate: int, top_hz: float | None = None) -> None:
        common = gcd(samples.sample_rate, sample_rate)
        self._samples = samples
        self._up = sample_rate // common
        self._down = samples.sample_rate // common
        self._method: _Method = _Soxr(self._up, self._down, common)
        if top_hz is not None and fits(samples.sample_rate, sample_rate, top_hz):
            self._method = _Decimating(samples.sample_rate, sample_rate, top_hz)
        self.sample_rate = sample_rate
        self.n_samples = resampled_length(samples.n_samples, samples.sample_rate, sample_rate)
        self._tile_periods = self._method.tile_periods
        self._margin_periods = self._method.margin_periods
        self._cached: tuple[int, NDArray[Any]] | None = None

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the output samples ``[start, stop)``, shape ``(stop - start,)``, in the recording's dtype."""
        if start == stop:
            return self._samples.read(0, 0)
        tile_samples = self._tile_periods * self._up
        pieces = []
        for index in range(start // tile_samples, -(-stop // tile_samples)):
            begin = index * tile_samples
            tile = self._tile(index)
            pieces.append(tile[max(0, start - begin) : stop - begin])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def expect(self, stop: int) -> None:
        """Say that no output sample from ``stop`` on will be read, so that nothing is fetched ahead for it."""
        tiles = -(-stop // (self._tile_periods * self._up))
        end = tiles * self._tile_periods + self._margin_periods
        self._samples.expect(min(end * self._down, self._samples.n_samples))

    def _tile(self, index: int) -> NDArray[Any]:
        if self._cached is None or self._cached[0] != index:
            self._cached = index, self._make_tile(index)
        return self._cached[1]

    def _make_tile(self, index: int) -> NDArray[Any]:
        first = index * self._tile_periods
        begin = max(0, first - self._margin_periods)
        end = first + self._tile_periods + self._margin_periods
        samples = self._samples.read(begin * self._down, min(end * self._down, self._samples.n_samples))
        with step("resample"):
            return self._method.make(samples, (first - begin) * self._up, self._tile_periods * self._up)


def at_rate(samples: Samples, sample_rate: int | None, top_hz: float | None = None) -> Samples:
    """Return ``samples`` at ``sample_rate``: unchanged where they have that rate, or where it is None.

    Parameters
    ----------
    samples : Samples
    sample_rate : int or None
    top_hz : float, optional
        The highest frequency that must be exact, as :meth:`anemonefish.profiles.Profile.top_hz` says. All up to the
        Nyquist frequency unless given.
    """
    if sample_rate is None or sample_rate == samples.sample_rate:
        return samples
    return Resampled(samples, sample_rate, top_hz)


def resampled_length(n_samples: int, sample_rate: int, wanted_rate: int) -> int:
    """Return how many whole samples a recording of ``n_samples`` has at another rate."""
    return n_samples * wanted_rate // sample_rate


def resampling(sample_rate: int, wanted_rate: int, top_hz: float | None = None) -> str | None:
    """Return how :func:`at_rate` resamples, for results; None where it does not.

    Examples
    --------
    >>> resampling(44_100, 8000, 1500.0), resampling(48_000, 8000, 1500.0), resampling(8000, 8000)
    ('soxr HQ', 'decimated by 6, exact up to 1500 Hz', None)
    """
    if sample_rate == wanted_rate:
        return None
    if top_hz is not None and fits(sample_rate, wanted_rate, top_hz):
        return f"decimated by {sample_rate // wanted_rate}, exact up to {top_hz:g} Hz"
    return f"soxr {_QUALITY}"
