"""Measure the samples of a recording on their way to the model.

Owns :class:`SignalMeter`, which fills :class:`~anemonefish.audio.health.Observed`. The extremes of the signal that is
scored are measured in every step; the sums and the single channels, which cost more, in every eighth step. Together
this takes about one per cent of the time of scoring.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.audio.health import COUNTS, SPREAD_UNIT, SUM_UNIT, Observed, merge_intervals
from anemonefish.windows import WindowGrid, WindowRange

__all__ = ["SignalMeter"]

_SAMPLED_EVERY = 8
"""Sums and single channels are measured in every eighth step."""

_FLOAT_UNIT = 1 << 20
"""Samples of float formats are rounded to 2**-20 of full scale before they are added, so that sums are exact."""

_FULL_SCALE_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 16, "PCM_32": 16}
"""Bits that define full scale of the integer codecs; transcoded pieces of lossy recordings are ``PCM_24``. Wider
formats count as 16 bits, because they often hold samples of 16 bits, whose largest value is less than their own."""


@dataclass(slots=True)
class _Step:
    """Values of the step that is being read; ``lows`` and ``highs`` are of each channel and, last, of their mean."""

    low: float = np.inf
    high: float = -np.inf
    at_full_scale: int = 0
    lows: NDArray[Any] | None = None
    highs: NDArray[Any] | None = None


class SignalMeter:
    """Measures the samples of one range as they are read.

    Reads may overlap or go back; every sample of the range is counted once.

    Parameters
    ----------
    grid : WindowGrid
        The recording's windows.
    windows : WindowRange
        Those of the range.
    analysis_rate : int
        Sample rate of the grid, in Hz.
    sample_rate, n_samples : int
        Those of the recording itself.
    codec : str
        Codec of the recording, which defines full scale.
    """

    def __init__(
        self, grid: WindowGrid, windows: WindowRange, analysis_rate: int, sample_rate: int, n_samples: int, codec: str
    ) -> None:
        self._first = windows.start
        self._per = 1 if grid.hop <= grid.window else 2  # where gaps lie between windows, every other stretch is a gap
        edges = [at * sample_rate // analysis_rate for at in _edges(grid, windows)]
        self._edges = [min(edge, n_samples) for edge in edges]
        self._next = self._edges[0]
        self._at = 0
        self._step = _Step()
        self._counts = dict.fromkeys(COUNTS, 0)
        self._constant: list[tuple[int, int]] = []
        self._missing: list[tuple[int, int]] = []
        self._sums: list[int] = []
        self._dead: list[int] = []
        self._is_float = codec in {"FLOAT", "DOUBLE"}
        bits = _FULL_SCALE_BITS.get(codec)
        self._rail = (-np.inf, np.inf) if bits is None else (-1.0, 1.0 - 2.0 ** (1 - bits))

    def observed(self) -> Observed:
        """Return what was measured."""
        return Observed(
            missing=merge_intervals(self._within_windows()),
            constant=merge_intervals(self._constant),
            sums=tuple(self._sums),
            dead=tuple(self._dead),
            **self._counts,
        )

    def _within_windows(self) -> Iterable[tuple[int, int]]:
        """Yield the missing stretches within windows; what is read around windows depends on how ranges are cut."""
        windows = [(self._edges[0], self._edges[-1])]
        if self._per == 2:
            windows = list(zip(self._edges[::2], self._edges[1::2], strict=False))
        for start, stop in merge_intervals(self._missing):
            yield from ((max(start, low), min(stop, high)) for low, high in windows if low < stop and start < high)

    def add_missing(self, start: int, stop: int) -> None:
        """Count the samples ``[start, stop)`` as not decodable."""
        self._missing.append((start, stop))

    def measure(self, start: int, frames: NDArray[Any], mono: NDArray[Any]) -> None:
        """Measure samples that were read.

        Parameters
        ----------
        start : int
            Index of the first one in the recording.
        frames : ndarray, shape (n, channels)
            The channels that are analysed.
        mono : ndarray, shape (n,)
            Their mean.
        """
        stop = min(start + len(mono), self._edges[-1])
        if stop <= self._next:
            return
        if start > self._next:  # the gap between two windows
            self._next, self._at, self._step = start, bisect_right(self._edges, start) - 1, _Step()
        last = bisect_right(self._edges, stop) - 1  # steps before this one end here or earlier
        cuts = [self._next - start, *(edge - start for edge in self._edges[self._at + 1 : last + 1] if edge < stop)]
        here = mono[: stop - start]
        lows, highs = np.minimum.reduceat(here, cuts), np.maximum.reduceat(here, cuts)
        lows[0], highs[0] = min(lows[0], self._step.low), max(highs[0], self._step.high)
        if frames.shape[1] == 1 and (lows.min() <= self._rail[0] or highs.max() >= self._rail[1]):
            self._count_full_scale(here, cuts)
        self._sample(frames, start, stop, cuts)
        closed = last - self._at
        self._close(lows[:closed], highs[:closed])
        if closed == len(cuts):
            self._step = _Step()
        else:
            self._step.low, self._step.high = lows[-1], highs[-1]
        self._next, self._at = stop, last

    def _close(self, lows: NDArray[Any], highs: NDArray[Any]) -> None:
        skipped = -self._at % self._per
        lows, highs = lows[skipped :: self._per], highs[skipped :: self._per]
        self._counts["steps"] += len(lows)
        self._counts["spread"] += int(np.rint(np.minimum(highs - lows, 1024.0) * SPREAD_UNIT).sum())
        constant = lows == highs
        if constant.any():
            first = self._first + (self._at + skipped) // self._per
            self._constant.extend((first + int(at), first + int(at) + 1) for at in np.flatnonzero(constant))

    def _count_full_scale(self, here: NDArray[Any], cuts: list[int]) -> None:
        for number, (first, end) in enumerate(zip(cuts, [*cuts[1:], len(here)], strict=True)):
            if (self._at + number) % self._per:
                continue
            count = int(np.count_nonzero((here[first:end] <= self._rail[0]) | (here[first:end] >= self._rail[1])))
            self._full_scale(count, self._step.at_full_scale if number == 0 else 0)

    def _full_scale(self, count: int, before: int) -> None:
        """Add samples at full scale; a step with such samples is counted once."""
        self._counts["full_scale_samples"] += count
        self._counts["full_scale_steps"] += bool(count) and not before
        self._step.at_full_scale = count + before

    def _sample(self, frames: NDArray[Any], start: int, stop: int, cuts: list[int]) -> None:
        """Add the sums, and measure the channels, of every eighth step."""
        for number, cut in enumerate(cuts):
            index = self._at + number
            if index % self._per or (self._first + index // self._per) % _SAMPLED_EVERY:
                continue
            end = self._edges[index + 1]
            segment = frames[cut : min(stop, end) - start]
            self._add(segment)
            if frames.shape[1] > 1:
                self._measure_channels(segment, begins=start + cut == self._edges[index], ends=end <= stop)

    def _add(self, segment: NDArray[Any]) -> None:
        if self._is_float:
            segment = np.rint(np.clip(segment.astype(np.float64), -1024.0, 1024.0) * _FLOAT_UNIT) / _FLOAT_UNIT
        sums = segment.sum(axis=0, dtype=np.float64)
        self._sums = self._sums or [0] * len(sums)
        self._sums = [total + int(added * SUM_UNIT) for total, added in zip(self._sums, sums, strict=True)]
        self._counts["sampled"] += len(segment)

    def _measure_channels(self, segment: NDArray[Any], *, begins: bool, ends: bool) -> None:
        step = self._step = _Step(self._step.low, self._step.high) if begins else self._step
        lows, highs = segment.min(axis=0), segment.max(axis=0)
        if lows.min() <= self._rail[0] or highs.max() >= self._rail[1]:
            count = int(np.count_nonzero((segment <= self._rail[0]) | (segment >= self._rail[1])))
            self._full_scale(count, step.at_full_scale)
        mean = segment.mean(axis=1)
        lows, highs = np.append(lows, mean.min()), np.append(highs, mean.max())
        if step.lows is not None and step.highs is not None:
            lows, highs = np.minimum(lows, step.lows), np.maximum(highs, step.highs)
        step.lows, step.highs = lows, highs
        if ends:
            self._judge_channels(highs[:-1] - lows[:-1], float(highs[-1] - lows[-1]))

    def _judge_channels(self, spreads: NDArray[Any], of_mean: float) -> None:
        self._counts["sampled_steps"] += 1
        self._dead = self._dead or [0] * len(spreads)
        live = spreads[spreads > 0]
        if 0 < len(live) < len(spreads):
            self._dead = [count + int(spread == 0) for count, spread in zip(self._dead, spreads, strict=True)]
        # The mean of unrelated channels has 1 / sqrt(n) of their amplitude; less than a quarter of that is no chance.
        if len(live) > 1 and of_mean < live.min() / (4.0 * sqrt(len(live))):
            self._counts["cancelled"] += 1


def _edges(grid: WindowGrid, windows: WindowRange) -> list[int]:
    """Return where steps, and the gaps between them, begin and end, in samples of the analysed rate."""
    starts = [index * grid.hop for index in range(windows.start, windows.stop + 1)]
    if not len(windows):
        return starts
    if grid.hop > grid.window:
        return [edge for start in starts[:-1] for edge in (start, start + grid.window)]
    if windows.stop == grid.n_windows:  # the step of the last window is the whole window
        starts[-1] = starts[-2] + grid.window
    return starts
