"""The chosen cut is the best of all cuts by the cost model, and no worse than the planner's earlier choice."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import product
from math import ceil, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anemonefish.jobs.costs import CostModel, JobCost, Work
from anemonefish.jobs.cut import MOST_RANGES, Cut, Layout, Loads, best_cut
from anemonefish.jobs.plan import RangeTask, batched
from anemonefish.settings import FORMATS
from anemonefish.windows import WindowGrid

GAP = 1 + 1e-3
"""The search stops where no cut is better by more than a thousandth."""

counts_of_small_jobs = st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(any)
counts_of_jobs = st.lists(st.one_of(st.integers(1, 300), st.integers(1, 20_000)), min_size=1, max_size=40)
speeds = st.floats(1e-4, 5)
overheads = st.floats(1e-3, 20)
targets = st.floats(1, 400)
concurrencies = st.integers(1, 50)


def job_of(counts: Sequence[int], per_window: float, per_range: float = 2.0, concurrency: int = 1000) -> JobCost:
    model = CostModel(
        seconds_per_window=per_window,
        seconds_per_range=per_range,
        memory_mb=1769,
        architecture="arm64",
        max_concurrency=concurrency,
    )
    return JobCost(model, Work(counts=tuple(counts), classes=3, formats=FORMATS))


def rank(job: JobCost, layout: Layout, target: float) -> tuple[bool, float]:
    """Return what a cut is judged by: whether it misses the target, then its price, or its time if it does."""
    seconds = job.makespan(layout.workers, layout.ranges, layout.longest)
    missed = seconds > target
    return missed, seconds if missed else job.usd(layout.workers, layout.ranges)


def usd(loads: Loads, cut: Cut) -> float:
    layout = loads.layout(cut)
    return loads.cost.usd(layout.workers, layout.ranges)


def tasks_of(counts: Sequence[int], windows: int) -> Iterator[RangeTask]:
    for number, count in enumerate(counts):
        grid = WindowGrid(count, 1, 1)
        for span in grid.split(windows):
            yield RangeTask(identity=str(number), uri="", version="", path="", pieces=None, channel=None,
                            sample_rate=1, grid=grid, windows=span)  # fmt: skip


@given(counts_of_small_jobs, st.integers(1, 60), st.integers(1, MOST_RANGES), speeds)
def test_layout_has_the_workers_that_the_plan_makes(
    counts: list[int], windows: int, recordings: int, per_window: float
) -> None:
    job = job_of(counts, per_window)
    batches = list(batched(tasks_of(counts, windows), windows, recordings))
    seconds = [job.model.range_seconds(sum(len(task.windows) for task in batch), len(batch)) for batch in batches]
    expected = Layout(len(batches), sum(map(len, batches)), pytest.approx(max(seconds)))
    assert Loads(job).layout(Cut(windows, recordings)) == expected


@given(counts_of_small_jobs, st.integers(1, 40), speeds, overheads, targets, concurrencies)
def test_cut_is_as_good_as_the_best_of_all_cuts(
    counts: list[int], most: int, per_window: float, per_range: float, target: float, concurrency: int
) -> None:
    job = job_of(counts, per_window, per_range, concurrency)
    loads = Loads(job)
    every = [Cut(*numbers) for numbers in product(range(1, most + 1), range(1, len(counts) + 1))]
    fastest = min(map(loads.makespan, every))
    within = target if fastest <= target else fastest * 1.05
    cheapest = min(usd(loads, cut) for cut in every if loads.makespan(cut) <= within)
    chosen = best_cut(loads, most, target)
    assert loads.makespan(chosen) <= (target if fastest <= target else within * GAP)
    assert usd(loads, chosen) <= cheapest * GAP


def earlier_choice(counts: Sequence[int], most: int, target: float, job: JobCost) -> Cut:
    """Choose a cut as the planner did before: the largest equal share of the longest recording that meets the target.

    It assumed that all workers have a full load, and did not count reports.
    """
    model, longest = job.model, max(counts)
    best, fastest = most, inf
    size, sizes = ceil(longest / ceil(longest / min(longest, most))), [most]
    while size >= 1:
        sizes.append(size)
        size = ceil(longest / ceil(longest / (size - 1))) if size > 1 else 0
    for size in sizes:
        workers = sum(ceil(count / size) for count in counts if count >= size)
        workers += ceil(sum(count for count in counts if count < size) / size)
        openings = max(1.0, len(counts) / workers)
        waves = ceil(workers / model.max_concurrency)
        seconds = model.seconds_per_job + min(workers, model.max_concurrency) / 100 + workers * size * 60e-6
        seconds += waves * (model.range_seconds(size) + (openings - 1) * 0.1)
        if seconds <= target:
            return Cut(size)
        if seconds < fastest:
            best, fastest = size, seconds
    return Cut(best)


@settings(deadline=None)
@given(counts_of_jobs, st.integers(10, 30_000), st.floats(1e-4, 0.5), overheads, targets, st.integers(1, 1000))
def test_cut_is_never_worse_than_the_earlier_choice(
    counts: list[int], most: int, per_window: float, per_range: float, target: float, concurrency: int
) -> None:
    job = job_of(counts, per_window, per_range, concurrency)
    loads = Loads(job)
    missed, value = rank(job, loads.layout(best_cut(loads, most, target)), target)
    earlier_missed, earlier = rank(job, loads.layout(earlier_choice(counts, most, target, job)), target)
    assert missed <= earlier_missed
    assert missed < earlier_missed or value <= earlier * GAP * (1.05 if missed else 1)


def test_many_short_recordings_share_few_workers() -> None:
    """The earlier choice was 10,000 workers: slower and several times dearer."""
    counts = [299] * 10_000
    job = job_of(counts, 0.0011, per_range=1.0)
    loads = Loads(job)
    began = time.perf_counter()
    layout = loads.layout(best_cut(loads, 36_000, 120))
    assert time.perf_counter() - began < 5  # 0.2 s on an idle machine
    earlier = loads.layout(earlier_choice(counts, 36_000, 120, job))
    assert earlier.workers == 10_000
    assert 200 < layout.workers <= 1_000
    assert job.makespan(layout.workers, layout.ranges, layout.longest) < job.makespan(10_000, 10_000, earlier.longest)
    scoring = [
        price.score_usd + price.transitions_usd
        for price in (job.price(one.workers, 10_000) for one in (layout, earlier))
    ]
    assert scoring[1] > 5 * scoring[0]


@given(counts_of_jobs, speeds, targets)
def test_same_recordings_give_the_same_cut(counts: list[int], per_window: float, target: float) -> None:
    job = job_of(counts, per_window)
    assert best_cut(Loads(job), 5_000, target) == best_cut(Loads(job), 5_000, target)


@given(st.integers(1, 3_000), st.integers(0, 3_000), overheads, concurrencies, st.floats(0.1, 600))
def test_time_and_price_grow_with_workers_and_ranges(
    workers: int, more: int, per_range: float, concurrency: int, longest: float
) -> None:
    """The search relies on it."""
    job, ranges = job_of([299] * 10, 0.01, per_range, concurrency), max(workers + more, 10)
    seconds, usd = job.makespan(workers, ranges, longest), job.usd(workers, ranges)
    assert job.makespan(workers, ranges + 1, longest) >= seconds
    assert job.makespan(workers + 1, ranges + 1, longest) >= seconds
    assert job.makespan(workers, ranges, longest + 1) > seconds
    assert job.usd(workers, ranges + 1) > usd
    assert job.usd(workers + 1, ranges + 1) > usd
