"""Choose the cut of a job: how many windows a range has, and how many short recordings share a worker.

:func:`best_cut` finds the cheapest cut that meets a target time, or nearly the fastest one where none meets it. It
searches all cuts by branch and bound: a box of cuts is divided further only while its cheapest possible cut would be
better than the best cut found. The same recordings always give the same cut.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import starmap
from math import isqrt

import numpy as np

from anemonefish.jobs.costs import JobCost

__all__ = ["MOST_RANGES", "Cut", "Layout", "Loads", "best_cut"]

MOST_RANGES = 100
"""Ranges of one worker. Their line must fit the 256 KiB of a state's input, and each may have a path of 1,024 bytes."""

_LEAST_BOXES = 40
_MOST_WORK = 200_000
"""Limits of each search: boxes of a job with very many recordings, and boxes times recordings. At the limit, the best
cut so far is taken."""

_GAP = 1e-3
"""Boxes whose best possible cut is better by less than this, relatively, are not divided further."""

_NEARLY_FASTEST = 1.05
"""Where no cut meets the target, the cheapest is taken of those that take at most this many times the shortest time."""

_ROUNDING = 1e-9
"""Relative difference below which two times, or two prices, are the same."""

_Rank = tuple[bool, float, float]


@dataclass(frozen=True, slots=True)
class Cut:
    """How a job is cut.

    Attributes
    ----------
    windows_per_range : int
        The most windows of a range, and of all recordings that share a worker.
    recordings_per_worker : int
        The most recordings that share a worker.
    """

    windows_per_range: int
    recordings_per_worker: int = MOST_RANGES


@dataclass(frozen=True, slots=True)
class Layout:
    """What a cut comes to.

    Attributes
    ----------
    workers, ranges : int
    longest : float
        Seconds of the worker that takes longest.
    """

    workers: int
    ranges: int
    longest: float


class Loads:
    """The windows of each recording of a job, and what any cut makes of them.

    Parameters
    ----------
    cost : JobCost
        With the windows of each recording, in the order of the job.
    """

    def __init__(self, cost: JobCost) -> None:
        self.cost = cost
        self._counts = np.array([count for count in cost.work.counts if count], np.int64)
        self._distinct, self._repeats = np.unique(self._counts, return_counts=True)
        self._filled = np.concatenate(([0], np.cumsum(self._counts)))
        self._sums: list[int] = self._filled.tolist()
        self._layouts: dict[Cut, Layout] = {}

    def __len__(self) -> int:
        return len(self._counts)

    @cached_property
    def longest(self) -> int:
        """Windows of the longest recording."""
        return int(self._counts.max(initial=0))

    def most_together(self, windows: int) -> int:
        """Return how many recordings can share a worker that takes this many windows."""
        return int(np.searchsorted(np.cumsum(np.sort(self._counts)), windows, side="right"))

    def layout(self, cut: Cut) -> Layout:
        """Return workers, ranges and the longest worker of a cut; :func:`.jobs.plan.batched` makes the same workers."""
        if cut not in self._layouts:
            self._layouts[cut] = self._layout(cut)
        return self._layouts[cut]

    def makespan(self, cut: Cut) -> float:
        """Return the wall time of the job with a cut."""
        layout = self.layout(cut)
        return self.cost.makespan(layout.workers, layout.ranges, layout.longest)

    def lower_bound(self, smallest: Cut, largest: Cut) -> Layout:
        """Return a layout with no more workers and ranges, and no longer worker, than any cut between two cuts has.

        The larger cut has the fewest workers and ranges. The longest worker takes at least as long as the longest range
        and as the first worker of the smaller cut, and as the mean of as many workers as the smaller cut has.
        """
        model, most = self.cost.model, self.layout(smallest).workers
        fewest = self.layout(largest)
        first = bisect_right(self._sums, smallest.windows_per_range) - 1
        first = min(first, smallest.recordings_per_worker)
        longest = max(
            model.range_seconds(self._longest_range(smallest.windows_per_range)),
            model.range_seconds(self._sums[first], first) if first else 0.0,
            model.seconds_of_all(self.cost.windows, fewest.ranges, most) / most,
        )
        return Layout(fewest.workers, fewest.ranges, longest)

    def _layout(self, cut: Cut) -> Layout:
        model = self.cost.model
        parts = -(-self._distinct // cut.windows_per_range)
        ranges = int((parts * self._repeats).sum())
        alone = int((parts * self._repeats)[parts > 1].sum())
        starts = np.array(self._batch_starts(cut))
        windows, together = np.diff(self._filled[starts]), np.diff(starts)
        whole = windows <= cut.windows_per_range  # the others are recordings that are cut
        workers = alone + int(np.count_nonzero(whole))
        loads = {(self._longest_range(cut.windows_per_range), 1)}
        loads.update(zip(windows[whole].tolist(), together[whole].tolist(), strict=True))
        return Layout(workers, ranges, max(starmap(model.range_seconds, loads)))

    def _longest_range(self, windows: int) -> int:
        parts = np.maximum(1, -(-self._distinct // windows))
        return int((-(-self._distinct // parts)).max(initial=0))

    def _batch_starts(self, cut: Cut) -> list[int]:
        """Return where each batch of whole recordings begins, and the end; a recording that is cut is one batch."""
        capacity = cut.windows_per_range
        filled = self._sums
        if capacity < self.longest:
            filled = [0, *np.cumsum(np.minimum(self._counts, capacity)).tolist()]
        starts = [0]
        while (start := starts[-1]) < len(self):
            most = min(start + cut.recordings_per_worker, len(self))
            starts.append(bisect_right(filled, filled[start] + capacity, start, most + 1) - 1)
        return starts


@dataclass(frozen=True, slots=True)
class _Box:
    """All cuts between two cuts."""

    smallest: Cut
    largest: Cut

    def halves(self) -> Iterator[_Box]:
        """Yield two boxes that have all cuts of this one between them."""
        low, high = self.smallest, self.largest
        if high.windows_per_range * low.recordings_per_worker >= high.recordings_per_worker * low.windows_per_range:
            middle = isqrt(low.windows_per_range * high.windows_per_range)
            yield _Box(low, Cut(middle, high.recordings_per_worker))
            yield _Box(Cut(middle + 1, low.recordings_per_worker), high)
        else:
            middle = isqrt(low.recordings_per_worker * high.recordings_per_worker)
            yield _Box(low, Cut(high.windows_per_range, middle))
            yield _Box(Cut(low.windows_per_range, middle + 1), high)


def best_cut(loads: Loads, most_windows: int, target_seconds: float) -> Cut:
    """Return the cheapest cut that meets the target, or the cheapest of those that are nearly as fast as the fastest.

    Parameters
    ----------
    loads : Loads
    most_windows : int
        The most windows that one worker may get.
    target_seconds : float
        Wall time that the job should not exceed.
    """
    largest = Cut(most_windows, max(1, min(MOST_RANGES, loads.most_together(most_windows))))
    best = _best_within(loads, largest, target_seconds, largest)
    fastest = loads.makespan(best)
    return best if fastest <= target_seconds else _best_within(loads, largest, fastest * _NEARLY_FASTEST, best)


def _best_within(loads: Loads, largest: Cut, target_seconds: float, first: Cut) -> Cut:
    """Return the cheapest cut that meets the target, or the fastest one; ``first`` unless another one is better."""
    search = _Search(loads, target_seconds, first)
    search.among(_Box(Cut(1, largest.recordings_per_worker), largest))
    search.among(_Box(Cut(largest.windows_per_range, 1), largest))
    search.among(_Box(Cut(1, 1), largest))
    return search.best


class _Search:
    """A search for the best cut of a job."""

    def __init__(self, loads: Loads, target_seconds: float, first: Cut) -> None:
        self._loads = loads
        self._target = target_seconds
        self.best = first
        self._best_rank = self._rank(first)

    def among(self, everything: _Box) -> None:
        """Look for a better cut in a box."""
        boxes, most_boxes = 0, max(_LEAST_BOXES, _MOST_WORK // max(1, len(self._loads)))
        waiting = [(self._bound(everything), boxes, everything)]
        while waiting and boxes < most_boxes:
            bound, _, box = heappop(waiting)
            if not _better(bound, self._best_rank, _GAP):
                break
            for half in box.halves() if box.smallest != box.largest else ():
                boxes += 1
                self._compare(half.smallest)
                self._compare(half.largest)
                heappush(waiting, (self._bound(half), boxes, half))

    def _compare(self, cut: Cut) -> None:
        rank = self._rank(cut)
        if _better(rank, self._best_rank):
            self.best, self._best_rank = cut, rank

    def _rank(self, cut: Cut) -> _Rank:
        """Return what is compared between cuts: whether the target is missed, then the price, or the time if it is."""
        layout = self._loads.layout(cut)
        return self._ranked(self._loads.makespan(cut), self._loads.cost.usd(layout.workers, layout.ranges))

    def _bound(self, box: _Box) -> _Rank:
        """Return a rank that no cut of the box is better than."""
        bound, cost = self._loads.lower_bound(box.smallest, box.largest), self._loads.cost
        seconds = cost.least_makespan(bound.workers, bound.ranges, bound.longest)
        return self._ranked(seconds, cost.usd(bound.workers, bound.ranges))

    def _ranked(self, seconds: float, usd: float) -> _Rank:
        return (False, usd, seconds) if seconds <= self._target else (True, seconds, usd)


def _better(rank: _Rank, other: _Rank, gap: float = _ROUNDING) -> bool:
    """Say whether a rank comes before another: its first value that differs by more than rounding does, by the gap."""
    if rank[0] != other[0]:
        return rank[0] < other[0]
    for value, reference in zip(rank[1:], other[1:], strict=True):
        if abs(value - reference) > _ROUNDING * reference:
            return value < reference * (1 - gap)
    return False
