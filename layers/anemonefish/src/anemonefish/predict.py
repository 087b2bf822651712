"""Predict: one short clip, answered at once.

Owns the limits of a synchronous answer. Plans, scores and decides with the very functions of the workflow, so a clip
has the scores it would have in a job. Keeps nothing.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from anemonefish.costs import CostModel, read_calibration
from anemonefish.decide import decide
from anemonefish.errors import ClipTooLarge, InvalidBundle, OutOfTime, ParityError
from anemonefish.health import Observed
from anemonefish.jobs import Job
from anemonefish.models.engine import Model
from anemonefish.models.proof import fallback
from anemonefish.models.repository import ModelRepository, PinnedModel, ready_model
from anemonefish.plan import plan_job
from anemonefish.planned import Plan
from anemonefish.report import RecordingResult
from anemonefish.request import RecordingRequest
from anemonefish.resample import at_rate
from anemonefish.score import meter_of, open_range, score_windows
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.transcode import transcode_task

__all__ = ["MOST_BYTES", "predict_clip"]

MOST_BYTES = 4_400_000
"""A synchronous call of Lambda carries 6 MiB, of which base64 leaves three quarters."""

_MOST_SECONDS = 20.0
"""API Gateway waits 29 seconds; a cold start and the answer's way are in them."""

_TRANSCODE_SECONDS = 8.0
"""For some fifty minutes of sound, which a file of this size holds at the lowest rates."""

_MOST_WINDOWS = 20_000
"""Their scores as JSON fit an answer of 6 MiB."""

_HOW_ELSE = "upload it (POST /uploads) and start an execution (POST /executions)"


def predict_clip(
    path: Path, name: str, reference: str, settings: Settings, models_uri: str, bytes_in: int
) -> RecordingResult:
    """Find events in a clip.

    Parameters
    ----------
    path : Path
        Where the clip lies.
    name : str
        What its owner calls it; results and messages do too.
    reference : str
        The model.
    settings : Settings
        ``memory_mb`` and ``architecture`` say how fast this place computes.
    models_uri : str
    bytes_in : int
        Length of the clip.

    Raises
    ------
    ClipTooLarge
        It is larger, or would take longer, than one answer may.
    RecordingError, ModelError, InvalidSettings
        As for a job.
    """
    if bytes_in > MOST_BYTES:
        raise ClipTooLarge(f"{name}: {bytes_in} bytes are more than the {MOST_BYTES} one call carries; {_HOW_ELSE}")
    models = ModelRepository(open_store(models_uri))
    with TemporaryDirectory() as folder:
        job = Job(open_store(folder), "", "", shared="clip")
        plan = _plan(RecordingRequest(str(path), name, name), reference, settings, models, job)
        recording, spec = plan.recordings[0], models.spec(plan.model)
        how = recording.analysis
        assert how is not None  # plan_job raises the only recording's own error
        calibration = read_calibration(models, plan.model, settings.architecture)
        _check_effort(name, how.grid.n_windows, CostModel.of(spec, settings, calibration, plan.model))
        pinned, model = _ready(models, plan.model)
        plan = replace(plan, model=pinned)
        scores, observed = np.empty((0, len(spec.classes)), np.float32), Observed()
        for task in replace(plan, windows_per_range=max(1, how.grid.n_windows)).tasks():
            with open_range(job, task, spec.profile.sample_dtype) as audio:
                meter = meter_of(task, audio)
                scores = score_windows(at_rate(audio, how.sample_rate), how.grid, task.windows, model)
                observed = meter.observed()
    return decide(recording, spec, plan.model, settings, scores, observed)


def _ready(models: ModelRepository, pinned: PinnedModel) -> tuple[PinnedModel, Model]:
    """Load the model; by LiteRT where ncnn serves it and does not run here."""
    try:
        return pinned, ready_model(models.store.uri, pinned)
    except (InvalidBundle, ParityError) as error:
        if pinned.engine != "ncnn" or pinned.variant is not None:
            raise
        instead = fallback(models, pinned, str(error))
        return instead, ready_model(models.store.uri, instead)


def _plan(request: RecordingRequest, reference: str, settings: Settings, models: ModelRepository, job: Job) -> Plan:
    """Plan a clip; one that cannot be entered at any sample is transcoded first, as in a job."""
    plan = plan_job([request], reference, settings, models, job)
    deadline = time.monotonic() + _TRANSCODE_SECONDS
    for task in job.transcodes(plan):
        try:
            failure = transcode_task(job, task, lambda: time.monotonic() > deadline)
        except OutOfTime:
            raise ClipTooLarge(f"{request.name}: transcoding it takes more than one call may; {_HOW_ELSE}") from None
        if failure is not None:
            raise failure.to_error()
        plan = plan_job([request], reference, settings, models, job)
    return plan


def _check_effort(name: str, windows: int, cost: CostModel) -> None:
    seconds = cost.range_seconds(windows)
    if windows > _MOST_WINDOWS or seconds > _MOST_SECONDS:
        raise ClipTooLarge(
            f"{name}: {windows} windows would take about {seconds:.0f} s, more than one call may; {_HOW_ELSE}"
        )
