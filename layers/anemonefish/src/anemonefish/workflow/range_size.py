"""Cut a plan into ranges and workers, and state what it is expected to take.

In an account, the cut is the cheapest that meets ``target_seconds`` (:mod:`anemonefish.jobs.cut`), and a job that could
not end in time is refused. On a laptop, ranges are as long as ``max_range_seconds`` allows, so that a recording is
always cut alike and its stored scores serve every later job. The cut changes time and cost, never a result.
"""

from __future__ import annotations

from dataclasses import replace

from anemonefish.jobs.costs import CostModel, JobCost, Work
from anemonefish.jobs.cut import Cut, Layout, Loads, best_cut
from anemonefish.jobs.plan import Analysis, Plan
from anemonefish.jobs.quote import LongestFunction, Quote
from anemonefish.jobs.time_limits import check_times
from anemonefish.models.bundle import ModelSpec

__all__ = ["with_cheapest_ranges", "with_longest_ranges"]

_MAX_RANGE_COMPUTE = 600.0
"""Seconds of computing for one worker: two thirds of Lambda's 15 minutes; the rest is a reserve for slow workers."""

_SAMPLE_BYTES = {"PCM_S8": 1, "PCM_U8": 1, "ULAW": 1, "ALAW": 1, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
"""Bytes of a sample by codec; 2 for all others."""


def with_cheapest_ranges(plan: Plan, spec: ModelSpec, cost: CostModel) -> Plan:
    """Return the plan with the cheapest cut that meets ``target_seconds``, or the fastest one, and its quote.

    Raises
    ------
    JobTooLong
        A function of the job, or the whole job, would take longer than AWS allows.
    """
    job = JobCost(cost, _work(plan, spec))
    loads = Loads(job)
    cut = Cut(1)
    if loads.longest:
        most = max(1, min(_most_windows(plan), int(_MAX_RANGE_COMPUTE / cost.seconds_per_window)))
        cut = best_cut(loads, most, plan.settings.target_seconds)
    layout = loads.layout(cut)
    check_times(job, layout)
    return _with_cut(plan, cut, layout, job)


def with_longest_ranges(plan: Plan, spec: ModelSpec, cost: CostModel) -> Plan:
    """Return the plan with ranges as long as ``max_range_seconds`` allows, and its quote; nothing is refused."""
    job = JobCost(cost, _work(plan, spec))
    loads = Loads(job)
    cut = Cut(max(1, _most_windows(plan)) if loads.longest else 1)
    return _with_cut(plan, cut, loads.layout(cut), job)


def _with_cut(plan: Plan, cut: Cut, layout: Layout, job: JobCost) -> Plan:
    workers, ranges = layout.workers, layout.ranges
    seconds = sum(analysis.grid.n_samples / analysis.sample_rate for analysis in _analyses(plan))
    price = job.price(workers, ranges)
    function, longest = max(job.functions(ranges, layout.longest).items(), key=lambda item: item[1])
    quote = Quote(
        recordings=job.recordings,
        ranges=ranges,
        windows=job.windows,
        audio_seconds=round(seconds, 6),
        expected_seconds=round(job.makespan(workers, ranges, layout.longest), 1),
        expected_usd=round(price.total, 6),
        assumptions=job.model.assumptions,
        workers=workers,
        report_workers=job.reports.workers,
        longest_function=LongestFunction(function=function, seconds=round(longest, 1)),
        price=price.rounded(),
        storage=job.storage(ranges),
    )
    return replace(
        plan, windows_per_range=cut.windows_per_range, recordings_per_worker=cut.recordings_per_worker, quote=quote
    )


def _analyses(plan: Plan) -> list[Analysis]:
    return [recording.analysis for recording in plan.recordings if recording.analysis is not None]


def _work(plan: Plan, spec: ModelSpec) -> Work:
    analyses = _analyses(plan)
    facts = [analysis.audio for analysis in analyses]
    return Work(
        counts=tuple(analysis.grid.n_windows for analysis in analyses),
        audio_bytes=sum(audio.frames * audio.channels * _SAMPLE_BYTES.get(audio.codec, 2) for audio in facts),
        classes=len(spec.classes),
        formats=plan.settings.formats,
    )


def _most_windows(plan: Plan) -> int:
    """Return how many windows fit ``max_range_seconds`` in every recording of the plan."""
    return min(
        int(plan.settings.max_range_seconds * analysis.sample_rate) // analysis.grid.hop for analysis in _analyses(plan)
    )
