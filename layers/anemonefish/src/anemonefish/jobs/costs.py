"""Costs: how long a job takes and what it costs, from the time of one window.

The time of one window comes from a calibration (:mod:`anemonefish.jobs.calibration`). Without one it is estimated from
the time on the machine where the model was published, on the slow side: a range that is planned too long ends in a
timeout, and one that is planned too short costs only a little. A quote says which of the two it uses. Costs never
change a score or an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from anemonefish.jobs.calibration import Calibration
from anemonefish.models.bundle import WINOGRAD, ModelSpec
from anemonefish.models.repository import PinnedModel
from anemonefish.settings import Settings

__all__ = ["Assumptions", "CostModel"]

_DISPATCH_PER_SECOND = 100.0
"""Child executions that a Distributed Map starts per second (AWS quota for Standard children)."""

_SLOWER_THAN_PUBLISHER = {"arm64": 6.0, "x86_64": 3.0}
"""How many times longer a window takes on Lambda than on the machine where the model was published. This is an estimate
from peak float32 arithmetic: 268 GFLOP/s per core were measured there; Lambda's cores do 16 (arm64) and 32 (x86_64)
operations per cycle at 2.5 GHz."""

_SECONDS_PER_OPENING = 0.1
"""Time to open a recording: three round trips for its header. It counts for each recording after a worker's first."""

_SECONDS_PER_JOB = 5.0
"""Plan and aggregate with their cold starts, and the transitions between the states. This is an estimate."""

_SECONDS_PER_WINDOW_WRITTEN = 60e-6
"""Smoothing and writing one window in every format: 16 to 21 us were measured over 24 h, and Lambda takes three times
as long."""

_VCPU_MB = 1769
"""Memory that comes with one vCPU (AWS Lambda documentation)."""

_USD_PER_GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
_USD_PER_INVOCATION = 0.20 / 1e6
_USD_PER_TRANSITION = 0.025 / 1e3
_TRANSITIONS_PER_RANGE = 3
_TRANSITIONS_PER_JOB = 8
"""A child execution has three transitions, and its parent eight."""

_PRICES = "us-east-1 list prices of 2026, free tier not counted"


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
        Time of the plan and the aggregate.
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
            prices=_PRICES,
        )

    def range_seconds(self, windows: int) -> float:
        """Return how long one worker takes for this many windows."""
        return self.seconds_per_range + windows * self.seconds_per_window

    def makespan(self, workers: int, windows: int, openings: float = 1.0) -> float:
        """Return the wall time of a job whose workers have equal loads.

        It is the sum of the plan, of starting the workers, of as many waves of workers as the concurrency requires, and
        of the aggregate.

        Parameters
        ----------
        workers : int
        windows : int
            Windows of the largest load.
        openings : float
            Recordings that each worker opens.
        """
        waves = ceil(workers / self.max_concurrency)
        starting = min(workers, self.max_concurrency) / _DISPATCH_PER_SECOND
        scoring = waves * (self.range_seconds(windows) + (openings - 1) * _SECONDS_PER_OPENING)
        return self.seconds_per_job + starting + scoring + workers * windows * _SECONDS_PER_WINDOW_WRITTEN

    def usd(self, workers: int, ranges: int, windows: int) -> float:
        """Return the price of a job in an AWS account."""
        seconds = workers * self.seconds_per_range + (ranges - workers) * _SECONDS_PER_OPENING + self.seconds_per_job
        seconds += windows * (self.seconds_per_window + _SECONDS_PER_WINDOW_WRITTEN)
        transitions = _TRANSITIONS_PER_JOB + workers * _TRANSITIONS_PER_RANGE
        return (
            seconds * self.memory_mb / 1024 * _USD_PER_GB_SECOND[self.architecture]
            + workers * _USD_PER_INVOCATION
            + transitions * _USD_PER_TRANSITION
        )


def _variant_of(pinned: PinnedModel | None) -> str | None:
    """Return the variant of a pinned model; the engine ncnn runs winograd, also where it is the default engine."""
    if pinned is None:
        return None
    return WINOGRAD if pinned.engine == "ncnn" else pinned.variant


def _slowdown(memory_mb: int) -> float:
    return max(1.0, _VCPU_MB / memory_mb)
