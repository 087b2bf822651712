"""Costs: what a job takes in time and money, from constants that were measured where it will run.

Owns the constants and the reckoning. A calibration holds the constants of one model on one processor, measured by
``anemonefish calibrate``; it lies beside the model's versions, because a version never changes::

    {name}/calibrations/{version}-{engine}-{architecture}.json

Where there is none, the figures of the publishing machine stand in, made slower on purpose, and every quote says so: a
range that is cut too long ends in a timeout, one that is too short costs a little. Never changes a result.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import Self

import numpy as np

from anemonefish.canonical import dump_json
from anemonefish.errors import InvalidBundle
from anemonefish.models.bundle import WINOGRAD, ModelSpec
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.settings import Settings

__all__ = ["Assumptions", "Calibration", "CostModel", "Observation", "fit", "read_calibration", "write_calibration"]

_DISPATCH_PER_SECOND = 100.0
"""Children a Distributed Map starts per second with Standard children (AWS quota)."""

_SLOWER_THAN_PUBLISHER = {"arm64": 6.0, "x86_64": 3.0}
"""How many times longer a window takes on Lambda than where the model was published: our estimate from peak float32
arithmetic (268 GFLOP/s a core measured there; 16 and 32 operations per cycle at 2.5 GHz)."""

_SECONDS_PER_OPENING = 0.1
"""A header is three round trips away; what each recording costs of many that one worker is given."""

_SECONDS_PER_JOB = 5.0
"""Plan and aggregate with their cold starts, and the transitions between: our estimate."""

_SECONDS_PER_WINDOW_WRITTEN = 60e-6
"""Smoothing and every format of one window: 16 to 21 us measured over 24 h, three times that on Lambda."""

_VCPU_MB = 1769
"""Memory that comes with one vCPU (AWS Lambda documentation)."""

_USD_PER_GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
_USD_PER_INVOCATION = 0.20 / 1e6
_USD_PER_TRANSITION = 0.025 / 1e3
_TRANSITIONS_PER_RANGE = 3
_TRANSITIONS_PER_JOB = 8
"""Three transitions of a child, eight of the parent."""

_PRICES = "us-east-1 list prices of 2026, free tier not counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a model was measured to take on one kind of worker.

    Attributes
    ----------
    model, hash : str
        ``name@version`` with a variant, and the bundle's hash.
    engine : {"litert", "keras", "ncnn"}
    architecture : {"arm64", "x86_64"}
    memory_mb : int
        Memory of the workers that were measured.
    seconds_per_window : float
        From audio to score, reading included.
    seconds_per_range : float
        Overhead of an invocation: start, headers, golden example, the part.
    calls, windows : int
        How much was measured.
    where : str
        A machine, or a stack.
    measured_at : str
        ISO 8601, UTC.
    seconds_per_job : float or None
        Plan and aggregate; None where no whole job was measured.
    """

    model: str
    hash: str
    engine: str
    architecture: str
    memory_mb: int
    seconds_per_window: float
    seconds_per_range: float
    calls: int
    windows: int
    where: str
    measured_at: str
    seconds_per_job: float | None = None

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Self:
        """Read a calibration; raise :class:`InvalidBundle` unless it is one."""
        try:
            made = cls(**json.loads(data))
            positive = min(made.seconds_per_window, made.seconds_per_range, made.memory_mb) > 0
            if positive and made.architecture in _USD_PER_GB_SECOND:
                return made
        except (ValueError, TypeError):
            pass
        raise InvalidBundle(f"{where} is not a calibration; run anemonefish calibrate again, or delete it")


def _key(pinned: PinnedModel, architecture: str) -> str:
    version = pinned.reference.partition("@")[2]
    return f"{pinned.name}/calibrations/{version}-{pinned.engine}-{architecture}.json"


def read_calibration(models: ModelRepository, pinned: PinnedModel, architecture: str) -> Calibration | None:
    """Return what was measured of a model on a processor, if anything was.

    Raises
    ------
    InvalidBundle
        The file is damaged, or of another bundle.
    """
    key = _key(pinned, architecture)
    where = f"{models.store.uri}/{key}"
    try:
        found = Calibration.from_json(models.store.read(key), where)
    except FileNotFoundError:
        return None
    if (found.hash, found.architecture) != (pinned.hash, architecture):
        raise InvalidBundle(f"{where} is of another bundle or processor; run anemonefish calibrate again, or delete it")
    return found


def write_calibration(models: ModelRepository, pinned: PinnedModel, calibration: Calibration) -> str:
    """Keep what was measured, over what was measured before; return its URI."""
    key = _key(pinned, calibration.architecture)
    models.store.write(key, dump_json(asdict(calibration)))
    return f"{models.store.uri}/{key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What a quote rests on; all of it can be wrong, and then the quote is.

    Attributes
    ----------
    basis : str
        Where the two constants come from.
    seconds_per_window, seconds_per_range, seconds_per_job : float
    architecture : str
    memory_mb, max_concurrency : int
    starts_per_second : float
    prices : str
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


@dataclass(frozen=True, slots=True)
class CostModel:
    """Seconds of compute per unit of work on one worker.

    Attributes
    ----------
    seconds_per_window, seconds_per_range : float
        As of :class:`Calibration`.
    memory_mb : int
        Memory of a worker; below one vCPU's share it computes proportionally slower, above it no faster,
        because a worker scores in one thread.
    architecture : {"arm64", "x86_64"}
        Decides the price.
    max_concurrency : int
        Workers at once.
    seconds_per_job : float
        What is neither starting nor scoring: the plan, the aggregate.
    basis : str
        Where the constants come from.
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
        """Return the cost of a model's windows, or of a variant's, under the settings.

        Without a calibration a variant is taken to be as fast as float32 by LiteRT, or slower where it was slower when
        it was published: what it gains depends on the processor.
        """
        share = _slowness(settings.memory_mb)
        per_job = _SECONDS_PER_JOB
        if calibration is None:
            slower = _SLOWER_THAN_PUBLISHER[settings.architecture]
            per_window, per_range = (float(spec.compute[f"seconds_per_{each}"]) for each in ("window", "range"))
            other = _other_arithmetic(pinned)
            per_window = slower * max(per_window, float(spec.compute.get("variants", {}).get(other, per_window)))
            basis = f"estimated: {slower:g} times the time that a window took where the model was published"
            if other is not None:
                basis += f"; what {other} gains depends on the processor and is not counted (anemonefish calibrate)"
        else:
            share /= _slowness(calibration.memory_mb)
            per_window, per_range = calibration.seconds_per_window, calibration.seconds_per_range
            per_job = per_job if calibration.seconds_per_job is None else calibration.seconds_per_job
            basis = (
                f"measured at {calibration.measured_at} on {calibration.where}, {calibration.memory_mb} MB, "
                f"{calibration.windows} windows in {calibration.calls} calls"
            )
        if share != 1:
            basis += f"; times {share:g} for {settings.memory_mb} MB"
        return cls(
            per_window * share,
            per_range * share,
            settings.memory_mb,
            settings.architecture,
            settings.max_concurrency,
            per_job,
            basis,
        )

    @property
    def assumptions(self) -> Assumptions:
        """Return what a quote of this model rests on."""
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
        """Return the duration of one worker's windows."""
        return self.seconds_per_range + windows * self.seconds_per_window

    def makespan(self, workers: int, windows: int, openings: float = 1.0) -> float:
        """Return the wall time of equal loads: plan, starting them, as many waves as the concurrency asks, aggregate.

        Parameters
        ----------
        workers : int
        windows : int
            Of the largest load.
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


def _other_arithmetic(pinned: PinnedModel | None) -> str | None:
    """Return which variant's arithmetic a pinned model has, also where it is the default."""
    if pinned is None:
        return None
    return WINOGRAD if pinned.engine == "ncnn" else pinned.variant


def _slowness(memory_mb: int) -> float:
    return max(1.0, _VCPU_MB / memory_mb)


@dataclass(frozen=True, slots=True)
class Observation:
    """How long one call took: ``windows`` scored in ``seconds``."""

    windows: int
    seconds: float


def fit(observations: Sequence[Observation]) -> tuple[float, float]:
    """Return seconds per window and seconds per call: the line through calls of different lengths.

    Raises
    ------
    ValueError
        All calls have the same length, or longer ones took no longer.
    """
    windows = np.array([each.windows for each in observations], np.float64)
    seconds = np.array([each.seconds for each in observations])
    if np.ptp(windows) == 0:
        raise ValueError("calls of one length do not tell a window's share from a call's")
    slope, intercept = np.polyfit(windows, seconds, 1)
    if slope <= 0:
        raise ValueError("longer calls took no longer; measure more windows")
    return float(slope), max(float(intercept), 1e-3)
