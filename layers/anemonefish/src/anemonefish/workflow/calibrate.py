"""Calibrate: measure what a model's windows take, here or in an account.

On this machine, a short and a long simulated reef are scored in new processes, as a worker does; a line through both
times separates the time of a window from that of a call. In an account, the metrics of its workers are summed
(:mod:`~anemonefish.workflow.speed`). The caller stores the :class:`.Calibration`.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from anemonefish import clock
from anemonefish.errors import InvalidRequest
from anemonefish.jobs.calibration import Calibration, Observation, fit
from anemonefish.jobs.job import Job
from anemonefish.jobs.request import RecordingRequest
from anemonefish.layer_check import machine_architecture
from anemonefish.models.repository import ModelRepository, PinnedModel, ready_model
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.stores import open_store
from anemonefish.stores.temporary import temporary_folder
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.score import score_range
from anemonefish.workflow.speed import NAMESPACE, dimensions_of

__all__ = ["calibrate_here", "calibrate_stack"]

_LONG_CALL_SECONDS = 15.0
_WINDOWS = 40, 3_000
"""Least and most windows of a long call; a short call has a quarter of them."""

_NATIVE_RATE = 48_000
_UNCUT = {"max_range_seconds": 86_400}


def calibrate_here(
    reference: str,
    models: ModelRepository,
    *,
    memory_mb: int,
    rounds: int = 3,
    progress: Callable[[], None] | None = None,
) -> tuple[PinnedModel, Calibration]:
    """Measure a model on this machine, one core at a time.

    Parameters
    ----------
    reference : str
        The model.
    models : ModelRepository
    memory_mb : int
        Memory of the worker that this core stands for; from 1,769 MB on a worker has a whole core.
    rounds : int
        Calls of each length; the fastest counts, because other work on the machine only adds time.
    progress : callable, optional
        Called after each call.

    Returns
    -------
    pinned : PinnedModel
    calibration : Calibration

    Raises
    ------
    ModelError
        The model must not serve.
    InvalidRequest
        The machine is too busy to measure on.
    """
    pinned = models.pin(reference)
    spec = models.spec(pinned)
    rate = spec.sample_rate or _NATIVE_RATE
    long = int(min(max(_LONG_CALL_SECONDS / float(spec.compute["seconds_per_window"]), _WINDOWS[0]), _WINDOWS[1]))
    best: dict[int, Observation] = {}
    with temporary_folder() as folder:
        for windows in (long // 4, long):
            path = Path(folder, f"{windows}.wav")
            seconds = spec.profile.window_seconds + (windows - 1) * spec.profile.hop_seconds
            write_scene(scene(seconds + 0.01, seed=windows, sample_rate=rate), path)
            for _ in range(rounds):
                found = _one_call(models.store.uri, pinned, path)
                best[windows] = min(found, best.get(windows, found), key=lambda observation: observation.seconds)
                if progress is not None:
                    progress()
    try:
        per_window, per_call = fit(list(best.values()))
    except ValueError as error:
        raise InvalidRequest(f"{spec.title}: {error}; let the machine rest and try again") from None
    return pinned, Calibration(
        model=pinned.reference,
        hash=pinned.hash,
        engine=pinned.engine,
        architecture=machine_architecture(),
        memory_mb=memory_mb,
        seconds_per_window=per_window,
        seconds_per_range=per_call,
        calls=2 * rounds,
        windows=rounds * sum(best),
        where=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        measured_at=clock.to_text(clock.now()),
    )


def calibrate_stack(
    reference: str, models: ModelRepository, stack: str, *, days: int
) -> tuple[PinnedModel, Calibration]:
    """Compute a calibration from the metrics of an account's workers.

    Parameters
    ----------
    reference : str
        The model.
    models : ModelRepository
    stack : str
        Name of the stack; its score function is looked up as it is deployed now.
    days : int
        How far to look back.

    Raises
    ------
    InvalidRequest
        There is no such stack, or no worker of it has scored with the model.
    StorageError
        AWS did not answer.
    """
    from anemonefish.cloud.cloudformation import score_function
    from anemonefish.cloud.cloudwatch import mean_seconds, metric_sums  # imports boto3, which only this function needs

    pinned = models.pin(reference)
    worker = score_function(stack)
    around = [mean for name in worker.around if (mean := mean_seconds(name, days)) is not None]
    dimensions = dimensions_of(worker.name, pinned, worker.architecture, worker.memory_mb)
    sums, calls = metric_sums(NAMESPACE, ("Windows", "ScoringSeconds", "OverheadSeconds"), dimensions, days)
    if not calls or not sums["Windows"]:
        raise InvalidRequest(
            f"CloudWatch knows no window of {pinned.reference} by {pinned.engine} on {worker.architecture} with "
            f"{worker.memory_mb} MB by {worker.name} in {days} days; run a job first, or look further back with --days"
        )
    return pinned, Calibration(
        model=pinned.reference,
        hash=pinned.hash,
        engine=pinned.engine,
        architecture=worker.architecture,
        memory_mb=worker.memory_mb,
        seconds_per_window=sums["ScoringSeconds"] / sums["Windows"],
        seconds_per_range=max(sums["OverheadSeconds"] / calls, 1e-3),
        calls=calls,
        windows=int(sums["Windows"]),
        where=stack,
        measured_at=clock.to_text(clock.now()),
        seconds_per_job=sum(around) if len(around) == len(worker.around) else None,
    )


def _one_call(models_uri: str, pinned: PinnedModel, path: Path) -> Observation:
    """Score a recording as one range in a new process, as a worker after a cold start."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_quietly) as pool:
        began = time.perf_counter()
        windows = pool.submit(_score, models_uri, pinned, path).result()
        return Observation(windows, time.perf_counter() - began)


def _quietly() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # LiteRT writes messages to standard error


def _score(models_uri: str, pinned: PinnedModel, path: Path) -> int:
    models = ModelRepository(open_store(models_uri))
    request = RecordingRequest(str(path), path.name, path.name)
    plan = plan_job([request], pinned.reference, Settings.load(_UNCUT, {}), models, for_account=False)
    with temporary_folder() as folder:
        job = Job(open_store(str(folder)), "", "", shared="calibration")
        for task in plan.tasks():
            score_range(job, task, ready_model(models_uri, pinned))
    return plan.quote.windows
