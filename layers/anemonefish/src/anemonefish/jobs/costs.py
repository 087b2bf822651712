"""Costs: how long a job takes and what it costs, from the time of one window.

The time of one window comes from a calibration (:mod:`anemonefish.jobs.calibration`). Without one it is estimated from
the time on the machine where the model was published, on the slow side: a range that is planned too long ends in a
timeout, and one that is planned too short costs only a little. A quote says which of the two it uses. Costs never
change a score or an event.

:class:`CostModel` has the speed of one kind of worker. With the :class:`Work` of a job it gives its :class:`JobCost`:
time and price for any number of workers and ranges. docs/cost.md explains every constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from anemonefish.jobs.calibration import Calibration
from anemonefish.jobs.prices import (
    MONTHLY_USD_PER_GIGABYTE,
    PRICES,
    USD_PER_GB_SECOND,
    USD_PER_GET,
    USD_PER_INVOCATION,
    USD_PER_PUT,
    USD_PER_TRANSITION,
    Price,
    Storage,
)
from anemonefish.jobs.report_costs import (
    AGGREGATE_MEMORY_MB,
    REPORT_MEMORY_MB,
    SECONDS_PER_REPORT,
    ReportCost,
    join_seconds,
)
from anemonefish.models.bundle import WINOGRAD, ModelSpec
from anemonefish.models.repository import PinnedModel
from anemonefish.settings import Format, Settings

__all__ = ["PLAN_MEMORY_MB", "Assumptions", "CostModel", "JobCost", "Work"]

PLAN_MEMORY_MB = 1769
"""Memory of the function Plan, as in template.yaml."""

_DISPATCH_PER_SECOND = 100.0
"""Child executions that a Distributed Map starts per second (AWS quota for Standard children)."""

_SLOWER_THAN_PUBLISHER = {"arm64": 6.0, "x86_64": 3.0}
"""How many times longer a window takes on Lambda than on the machine where the model was published. This is an estimate
from peak float32 arithmetic: 268 GFLOP/s per core were measured there; Lambda's cores do 16 (arm64) and 32 (x86_64)
operations per cycle at 2.5 GHz."""

_SECONDS_PER_OPENING = 0.1
"""Time to open a recording: three round trips for its header. It counts for each recording after a worker's first."""

_HEADERS_AT_ONCE = 16
"""Recordings that the plan opens at the same time."""

_SECONDS_PER_JOB = 5.0
"""Plan and aggregate with their cold starts, and the transitions between the states. This is an estimate."""

_VCPU_MB = 1769
"""Memory that comes with one vCPU (AWS Lambda documentation)."""

_TRANSITIONS_PER_WORKER = 3
_TRANSITIONS_PER_JOB = 9
"""A child execution has three transitions, and its parent nine."""

_GETS_PER_OPENING = 4
"""HEAD and three GETs for a header; the plan and every range open their recording once."""

_GET_BYTES = 1 << 20
"""Most bytes that a worker reads with one request (:mod:`anemonefish.audio.blocks`)."""

_GETS_PER_REPORT_WORKER = 3
"""Its share of the plan and the description of the model; the third is a reserve."""

_PUTS_PER_JOB = 10
"""Plan, items and results of two Maps, request, job-level tables and the manifest."""

_PART_HEADER_BYTES = 300
_RESULT_BYTES: Mapping[Format, float] = {
    "json": 69,
    "csv": 0.31,
    "scores": 19.4,
    "raven": 0.38,
    "audacity": 0.10,
    "classes": 0.26,
    "kaleidoscope": 0.22,
    "longterm": 0.06,
    "parquet": 4.7,
}
"""Bytes per window and class in each format: measured with the reference model, which has three classes, over three
simulated recordings of 20 minutes, in which it finds 2.5 events a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """The figures that a quote is calculated from.

    Attributes
    ----------
    basis : str
        Where the times come from.
    seconds_per_window, seconds_per_range, seconds_per_job : float
    architecture : str
    memory_mb, max_concurrency : int
    starts_per_second : float
        Workers that can be started per second.
    prices : str
        Which prices were used.
    seconds_per_opening : float
        Time to open one more recording.
    seconds_per_report : float
        Time to report one recording, besides its windows.
    plan_memory_mb, report_memory_mb, aggregate_memory_mb : int
        Memory of the functions that plan, report and aggregate.
    """

    basis: str
    seconds_per_window: float
    seconds_per_range: float
    seconds_per_job: float
    architecture: str
    memory_mb: int
    max_concurrency: int
    starts_per_second: float
    prices: str
    seconds_per_opening: float | None = None
    seconds_per_report: float | None = None
    plan_memory_mb: int | None = None
    report_memory_mb: int | None = None
    aggregate_memory_mb: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a job has to do, however it is cut.

    Attributes
    ----------
    counts : tuple of int
        Windows of each recording, without recordings that cannot be analysed.
    audio_bytes : int
        Bytes of the samples that are read.
    classes : int
        Classes of the model.
    formats : tuple of str
        Report formats of each recording.
    """

    counts: tuple[int, ...]
    audio_bytes: int = 0
    classes: int = 1
    formats: tuple[Format, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Time and price of jobs on one kind of worker.

    Attributes
    ----------
    seconds_per_window, seconds_per_range : float
        As in :class:`anemonefish.jobs.calibration.Calibration`.
    memory_mb : int
        Memory of a worker. Below the share of one vCPU a worker computes proportionally slower. Above it a worker is no
        faster, because it scores in one thread.
    architecture : {"arm64", "x86_64"}
        The price depends on it.
    max_concurrency : int
        Workers that run at the same time.
    seconds_per_job : float
        Time of the plan and the aggregate, besides what they do for each recording.
    basis : str
        Where the times come from.
    """

    seconds_per_window: float
    seconds_per_range: float
    memory_mb: int
    architecture: str
    max_concurrency: int
    seconds_per_job: float = _SECONDS_PER_JOB
    basis: str = "given"

    @classmethod
    def of(
        cls,
        spec: ModelSpec,
        settings: Settings,
        calibration: Calibration | None = None,
        pinned: PinnedModel | None = None,
    ) -> CostModel:
        """Return the costs of a model, or of one of its variants, under the settings.

        Without a calibration, a variant is assumed to be as fast as float32 by LiteRT, or slower where it was slower
        when it was published, because its gain depends on the processor.
        """
        factor = _slowdown(settings.memory_mb)
        per_job = _SECONDS_PER_JOB
        if calibration is None:
            slower = _SLOWER_THAN_PUBLISHER[settings.architecture]
            per_window, per_range = (float(spec.compute[f"seconds_per_{unit}"]) for unit in ("window", "range"))
            variant = _variant_of(pinned)
            per_window = slower * max(per_window, float(spec.compute.get("variants", {}).get(variant, per_window)))
            basis = f"estimated: {slower:g} times the time that a window took where the model was published"
            if variant is not None:
                basis += f"; what {variant} gains depends on the processor and is not counted (anemonefish calibrate)"
        else:
            factor /= _slowdown(calibration.memory_mb)
            per_window, per_range = calibration.seconds_per_window, calibration.seconds_per_range
            per_job = per_job if calibration.seconds_per_job is None else calibration.seconds_per_job
            basis = (
                f"measured at {calibration.measured_at} on {calibration.where}, {calibration.memory_mb} MB, "
                f"{calibration.windows} windows in {calibration.calls} calls"
            )
        if factor != 1:
            basis += f"; times {factor:g} for {settings.memory_mb} MB"
        return cls(
            seconds_per_window=per_window * factor,
            seconds_per_range=per_range * factor,
            memory_mb=settings.memory_mb,
            architecture=settings.architecture,
            max_concurrency=settings.max_concurrency,
            seconds_per_job=per_job,
            basis=basis,
        )

    @property
    def assumptions(self) -> Assumptions:
        """The figures that a quote is calculated from."""
        return Assumptions(
            basis=self.basis,
            seconds_per_window=self.seconds_per_window,
            seconds_per_range=self.seconds_per_range,
            seconds_per_job=self.seconds_per_job,
            architecture=self.architecture,
            memory_mb=self.memory_mb,
            max_concurrency=self.max_concurrency,
            starts_per_second=_DISPATCH_PER_SECOND,
            prices=PRICES,
            seconds_per_opening=_SECONDS_PER_OPENING,
            seconds_per_report=SECONDS_PER_REPORT,
            plan_memory_mb=PLAN_MEMORY_MB,
            report_memory_mb=REPORT_MEMORY_MB,
            aggregate_memory_mb=AGGREGATE_MEMORY_MB,
        )

    def range_seconds(self, windows: int, recordings: int = 1) -> float:
        """Return how long one worker takes for this many windows of this many recordings."""
        return self.seconds_per_range + (recordings - 1) * _SECONDS_PER_OPENING + windows * self.seconds_per_window

    def map_seconds(self, workers: int, longest: float) -> float:
        """Return how long it takes until the last of all workers has ended.

        Workers are started one after another. Each wave begins when the workers of the one before it end.

        Parameters
        ----------
        workers : int
        longest : float
            Seconds of the worker that takes longest; all are assumed to take as long.
        """
        if not workers:
            return 0.0
        full_waves = ceil(workers / self.max_concurrency) - 1
        last_wave = workers - full_waves * self.max_concurrency
        wave = max(longest, self.max_concurrency / _DISPATCH_PER_SECOND)
        return full_waves * wave + last_wave / _DISPATCH_PER_SECOND + longest

    def seconds_of_all(self, windows: int, ranges: int, workers: int) -> float:
        """Return how long all workers of a job take together."""
        starts = workers * self.seconds_per_range + (ranges - workers) * _SECONDS_PER_OPENING
        return starts + windows * self.seconds_per_window


class JobCost:
    """Time and price of one job, for any number of workers and ranges.

    Both grow with the number of workers and of ranges, which the search of a cut relies on.

    Parameters
    ----------
    model : CostModel
    work : Work
    """

    def __init__(self, model: CostModel, work: Work) -> None:
        self.model = model
        self.work = work
        self.recordings = len(work.counts)
        self.windows = sum(work.counts)
        self.reports = ReportCost(work.counts, len(work.formats))

    @property
    def plan_seconds(self) -> float:
        """Time of the plan: it reads the header of every recording."""
        opening = self.recordings * _SECONDS_PER_OPENING / _HEADERS_AT_ONCE
        return self.model.seconds_per_job / 2 + opening

    @property
    def aggregate_seconds(self) -> float:
        """Time of the aggregate: it joins the outcomes of all recordings."""
        return self.model.seconds_per_job / 2 + join_seconds(self.recordings)

    @property
    def largest_report(self) -> float:
        """Bytes of the largest report; its worker writes it to its disk first."""
        cells = max(self.work.counts, default=0) * self.work.classes
        return cells * max((_RESULT_BYTES[form] for form in self.work.formats), default=0.0)

    def functions(self, ranges: int, longest: float) -> dict[str, float]:
        """Return the seconds of each function of the job, of the longest worker for those that have several."""
        return {
            "plan": self.plan_seconds,
            "score": longest,
            "report": self.reports.longest(ranges),
            "aggregate": self.aggregate_seconds,
        }

    def makespan(self, workers: int, ranges: int, longest: float) -> float:
        """Return the wall time of the job: plan, workers that score, workers that report, aggregate.

        Parameters
        ----------
        workers, ranges : int
        longest : float
            Seconds of the worker that takes longest to score.
        """
        return self.model.map_seconds(workers, longest) + self._besides_scoring(ranges)

    def least_makespan(self, workers: int, ranges: int, longest: float) -> float:
        """Return a time below :meth:`makespan` of every cut with at least these workers, ranges and longest worker.

        The work of all workers together, divided by those that run at once, is such a time too.
        """
        model, windows = self.model, self.windows
        together = min(model.seconds_of_all(windows, ranges, workers), model.seconds_of_all(windows, ranges, ranges))
        scoring = max(together / model.max_concurrency, model.map_seconds(workers, longest))
        return scoring + self._besides_scoring(ranges)

    def _besides_scoring(self, ranges: int) -> float:
        reporting = self.model.map_seconds(self.reports.workers, self.reports.longest(ranges))
        return self.plan_seconds + reporting + self.aggregate_seconds

    def usd(self, workers: int, ranges: int) -> float:
        """Return the price of the job in an AWS account."""
        return self.price(workers, ranges).total

    def price(self, workers: int, ranges: int) -> Price:
        """Return the price of the job in an AWS account, item by item."""
        model, recordings, reporters = self.model, self.recordings, self.reports.workers
        children = workers + reporters
        puts = _PUTS_PER_JOB + ranges + recordings * (len(self.work.formats) + 1) + children / 1000
        opening = (recordings + ranges) * _GETS_PER_OPENING + self.work.audio_bytes / _GET_BYTES
        gets = opening + 2 * ranges + 2 * recordings + reporters * _GETS_PER_REPORT_WORKER
        return Price(
            plan_usd=self._function_usd(PLAN_MEMORY_MB, self.plan_seconds, 1),
            score_usd=self._function_usd(model.memory_mb, model.seconds_of_all(self.windows, ranges, workers), workers),
            report_usd=self._function_usd(REPORT_MEMORY_MB, self.reports.of_all(ranges), reporters),
            aggregate_usd=self._function_usd(AGGREGATE_MEMORY_MB, self.aggregate_seconds, 1),
            requests_usd=puts * USD_PER_PUT + gets * USD_PER_GET,
            transitions_usd=(_TRANSITIONS_PER_JOB + children * _TRANSITIONS_PER_WORKER) * USD_PER_TRANSITION,
        )

    def storage(self, ranges: int) -> Storage:
        """Return how many bytes the job leaves in S3, and what they cost in a month."""
        cells = self.windows * self.work.classes
        parts = ranges * _PART_HEADER_BYTES + cells * 4
        results = cells * sum(_RESULT_BYTES[form] for form in self.work.formats)
        stored = parts + round(results)
        return Storage(bytes=stored, usd_per_month=round(stored / 1e9 * MONTHLY_USD_PER_GIGABYTE, 6))

    def _function_usd(self, memory_mb: int, seconds: float, calls: int) -> float:
        return seconds * memory_mb / 1024 * USD_PER_GB_SECOND[self.model.architecture] + calls * USD_PER_INVOCATION


def _variant_of(pinned: PinnedModel | None) -> str | None:
    """Return the variant of a pinned model; the engine ncnn runs winograd, also where it is the default engine."""
    if pinned is None:
        return None
    return WINOGRAD if pinned.engine == "ncnn" else pinned.variant


def _slowdown(memory_mb: int) -> float:
    return max(1.0, _VCPU_MB / memory_mb)
