"""Choose how many windows one worker scores, and estimate time and cost of the plan.

Ranges are as long as ``target_seconds`` allows: every range costs an invocation, and short ranges cost several times
more without being faster. The size of a range changes time and cost, never a result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from math import ceil, inf

import numpy as np

from anemonefish.jobs.costs import CostModel
from anemonefish.jobs.plan import Plan, Quote

__all__ = ["with_ranges"]

_MAX_RANGE_COMPUTE = 600.0
"""Seconds of computing for one worker: two thirds of Lambda's 15 minutes; the rest is a reserve for slow workers."""


def with_ranges(plan: Plan, cost: CostModel) -> Plan:
    """Return the plan with the largest ranges that meet ``target_seconds``, or come closest to it, and its quote."""
    analyses = [recording.analysis for recording in plan.recordings if recording.analysis is not None]
    counts = [analysis.grid.n_windows for analysis in analyses]
    seconds = sum(analysis.grid.n_samples / analysis.sample_rate for analysis in analyses)
    cut = replace(plan, windows_per_range=_range_size(counts, plan, cost))
    loads = [sum(len(task.windows) for task in batch) for batch in cut.batches()]
    ranges = sum(1 for _ in cut.tasks())
    openings = ranges / max(1, len(loads))
    quote = Quote(
        recordings=len(counts),
        ranges=ranges,
        windows=sum(counts),
        audio_seconds=round(seconds, 6),
        expected_seconds=round(cost.makespan(len(loads), max(loads, default=0), openings), 1),
        expected_usd=round(cost.usd(len(loads), ranges, sum(counts)), 6),
        assumptions=cost.assumptions,
    )
    return replace(cut, quote=quote)


def _range_size(counts: Sequence[int], plan: Plan, cost: CostModel) -> int:
    """Return the windows per worker; candidates are the sizes that cut the longest recording into equal ranges."""
    longest = max(counts, default=0)
    if longest == 0:
        return 1
    largest = max(1, min(_most_windows(plan), int(_MAX_RANGE_COMPUTE / cost.seconds_per_window)))
    windows = np.array(counts)
    best, best_makespan = largest, inf
    # Short recordings share a worker, so the full load of a worker is a candidate too.
    for size in chain([largest], _equal_shares(longest, min(longest, largest))):
        long = windows[windows >= size]
        workers = int(np.sum(-(-long // size))) + ceil(int(np.sum(windows[windows < size])) / size)
        makespan = cost.makespan(workers, size, max(1.0, len(counts) / workers))
        if makespan <= plan.settings.target_seconds:
            return size
        if makespan < best_makespan:
            best, best_makespan = size, makespan
    return best


def _equal_shares(windows: int, largest: int) -> Iterator[int]:
    """Yield the sizes that cut this number of windows into equal ranges, the largest first."""
    size = ceil(windows / ceil(windows / largest))
    while size >= 1:
        yield size
        size = ceil(windows / ceil(windows / (size - 1))) if size > 1 else 0


def _most_windows(plan: Plan) -> int:
    """Return how many windows fit ``max_range_seconds`` in every recording of the plan."""
    analyses = [recording.analysis for recording in plan.recordings if recording.analysis is not None]
    return min(int(plan.settings.max_range_seconds * each.sample_rate) // each.grid.hop for each in analyses)
