"""Read a recording at the sample rate that a model was trained on.

Owns :func:`at_rate`, which resamples by a rational factor with soxr (HQ) on a fixed grid. The output consists of tiles
whose borders lie where an input and an output sample coincide; each tile is computed from the same stretch of input,
with a margin on both sides. A tile is therefore the same whichever range it is computed for, and any division into
ranges gives the same bytes. At most one tile and its margins are read at once.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from anemonefish.audio.samples import Samples

__all__ = ["QUALITY", "Resampled", "at_rate", "resampled_length"]

QUALITY = "HQ"
"""soxr's quality setting: 20 bits, pass band up to 0.913 of the lower Nyquist frequency (soxr documentation)."""

_TILE_SECONDS = 4
_MARGIN_SECONDS = 0.25
"""Much longer than the filter of soxr HQ (some hundred samples of the lower rate). For ten pairs of rates, a recording
resampled in such tiles differed from one pass by 2e-7 of full scale, which is soxr's own rounding: HQ computes in
single precision."""


class Resampled:
    """Reads a recording at another sample rate.

    Parameters
    ----------
    samples : Samples
        The recording at its own rate.
    sample_rate : int
        The rate of the output, in Hz.
    """

    def __init__(self, samples: Samples, sample_rate: int) -> None:
        common = gcd(samples.sample_rate, sample_rate)
        self._samples = samples
        self._up = sample_rate // common
        self._down = samples.sample_rate // common
        self.sample_rate = sample_rate
        self.n_samples = resampled_length(samples.n_samples, samples.sample_rate, sample_rate)
        # One period is `down` input and `up` output samples: the shortest stretch of whole samples at both rates.
        self._tile_periods = max(1, _TILE_SECONDS * common)
        self._margin_periods = max(1, int(_MARGIN_SECONDS * common))
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
        tile: NDArray[Any] = soxr.resample(samples, self._down, self._up, quality=QUALITY)
        skipped = (first - begin) * self._up
        return tile[skipped : skipped + self._tile_periods * self._up]


def at_rate(samples: Samples, sample_rate: int | None) -> Samples:
    """Return ``samples`` at ``sample_rate``: unchanged where they have that rate, or where it is None."""
    if sample_rate is None or sample_rate == samples.sample_rate:
        return samples
    return Resampled(samples, sample_rate)


def resampled_length(n_samples: int, sample_rate: int, wanted_rate: int) -> int:
    """Return how many whole samples a recording of ``n_samples`` has at another rate."""
    return n_samples * wanted_rate // sample_rate
