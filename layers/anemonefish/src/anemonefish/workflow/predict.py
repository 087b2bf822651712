"""Predict: find events in one short clip, in a synchronous call.

The clip is planned, scored and decided by the functions of the workflow, so its scores are those of a job. The limits
of a synchronous answer are checked first. Nothing is stored.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anemonefish.audio.health import Observed
from anemonefish.audio.pieces import PIECE_SAMPLES
from anemonefish.audio.resample import at_rate
from anemonefish.audio.transcoding.header_length import header_length
from anemonefish.errors import ClipTooLarge, InvalidBundle, OutOfTime, ParityError
from anemonefish.jobs.calibration import read_calibration
from anemonefish.jobs.costs import CostModel
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Analysis, Plan
from anemonefish.jobs.request import MOST_CLIP_BYTES, RecordingRequest
from anemonefish.models.engine import Model
from anemonefish.models.ncnn_fallback import fallback
from anemonefish.models.repository import ModelRepository, PinnedModel, ready_model
from anemonefish.results.decide import decide
from anemonefish.results.recording_result import RecordingResult
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.stores.temporary import temporary_folder
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.score import meter_of, open_range, score_windows
from anemonefish.workflow.transcode import transcode_task

__all__ = ["MOST_BYTES", "MOST_SAMPLES", "MOST_WINDOWS", "predict_clip"]

MOST_BYTES = MOST_CLIP_BYTES
"""Bytes of a clip."""

MOST_SAMPLES = 150_000_000
"""Most samples of all channels that are decoded: 52 minutes at 48 kHz in mono. As FLAC pieces of 24 bits they take
450 MB, and a function has 512 MB of disk. A compressed file of a few MB can hold a hundred times as many."""

MOST_WINDOWS = 20_000
"""Most windows of a clip: their scores as JSON fit into an answer of 6 MiB."""

_MOST_SECONDS = 20.0
"""Most seconds of scoring. API Gateway waits for 29 seconds, which include a cold start and the transfer."""

_TRANSCODE_SECONDS = 8.0
"""Enough for an hour of sound, more than :data:`MOST_SAMPLES` allows."""

_USE_AN_EXECUTION = (
    "upload it (POST /uploads) and start an execution (POST /executions), or run: anemonefish remote detect"
)


def predict_clip(
    path: Path,
    name: str,
    reference: str,
    settings: Settings,
    models_uri: str,
    bytes_in: int,
    most_windows: int = MOST_WINDOWS,
) -> RecordingResult:
    """Find events in a clip.

    Parameters
    ----------
    path : Path
        The file of the clip.
    name : str
        Its name in results and messages.
    reference : str
        The model.
    settings : Settings
        ``memory_mb`` and ``architecture`` tell how fast this function computes.
    models_uri : str
    bytes_in : int
        Length of the clip.
    most_windows : int
        Most windows that fit into the answer.

    Raises
    ------
    ClipTooLarge
        It is larger, decodes to more, or would take longer than one answer may.
    RecordingError, ModelError, InvalidSettings
        As for a job.
    """
    if bytes_in > MOST_BYTES:
        raise ClipTooLarge(
            f"{name}: {bytes_in} bytes are more than the {MOST_BYTES / 1e6:g} MB ({MOST_BYTES} bytes) that one call "
            f"carries; {_USE_AN_EXECUTION}"
        )
    models = ModelRepository(open_store(models_uri))
    with temporary_folder() as folder:
        job = Job(open_store(str(folder)), "", "", shared="clip")
        plan = _plan(RecordingRequest(str(path), name, name), reference, settings, models, job)
        recording, spec = plan.recordings[0], models.spec(plan.model)
        analysis = recording.analysis
        assert analysis is not None  # plan_job raises the only recording's own error
        _check_samples(name, analysis)
        calibration = read_calibration(models, plan.model, settings.architecture)
        cost = CostModel.of(spec, settings, calibration, plan.model)
        _check_effort(name, analysis.grid.n_windows, most_windows, cost)
        pinned, model = _ready(models, plan.model)
        plan = replace(plan, model=pinned)
        scores, observed, levels = np.empty((0, len(spec.classes)), np.float32), Observed(), None
        for task in replace(plan, windows_per_range=max(1, analysis.grid.n_windows)).tasks():
            with open_range(job, task, spec.profile.sample_dtype) as audio:
                meter = meter_of(task, audio)
                samples = at_rate(audio, analysis.sample_rate, spec.profile.top_hz(analysis.sample_rate))
                scored = score_windows(samples, analysis.grid, task.windows, model)
                scores, observed, levels = scored.scores, meter.observed(), scored.levels
    return decide(recording, spec, plan.model, settings, scores, observed, levels, plan.calibration)


def _ready(models: ModelRepository, pinned: PinnedModel) -> tuple[PinnedModel, Model]:
    """Load the model; by LiteRT where ncnn serves it and does not run."""
    try:
        return pinned, ready_model(models.store.uri, pinned)
    except (InvalidBundle, ParityError) as error:
        if pinned.engine != "ncnn" or pinned.variant is not None:
            raise
        instead = fallback(models, pinned, str(error))
        return instead, ready_model(models.store.uri, instead)


@dataclass(slots=True)
class _Bound:
    """Stops transcoding after too much time or too many samples."""

    channels: int
    deadline: float
    pieces: int = 0

    def __call__(self) -> bool:
        """Count a piece and return whether to stop."""
        self.pieces += 1
        return self.too_much or time.monotonic() > self.deadline

    @property
    def too_much(self) -> bool:
        return self.pieces * PIECE_SAMPLES * self.channels > MOST_SAMPLES


def _plan(request: RecordingRequest, reference: str, settings: Settings, models: ModelRepository, job: Job) -> Plan:
    """Plan a clip; one that is not sample-accurately seekable is transcoded first, as in a job."""
    plan = plan_job([request], reference, settings, models, job, for_account=False)
    for task in job.transcodes(plan):
        frames, channels = header_length(request.uri)
        if frames * channels > MOST_SAMPLES:
            raise _too_much(request.name, f"{frames} samples in {channels} channels, as its header says,")
        bound = _Bound(channels, time.monotonic() + _TRANSCODE_SECONDS)
        try:
            failure = transcode_task(job, task, bound)
        except OutOfTime:
            if bound.too_much:
                decoded = f"{bound.pieces * PIECE_SAMPLES} samples in {channels} channels and more"
                raise _too_much(request.name, decoded) from None
            raise ClipTooLarge(
                f"{request.name}: transcoding it takes more than one call may; {_USE_AN_EXECUTION}"
            ) from None
        if failure is not None:
            raise failure.to_error()
        plan = plan_job([request], reference, settings, models, job, for_account=False)
    return plan


def _check_samples(name: str, analysis: Analysis) -> None:
    """Refuse a clip with too many samples, by its header, or at the model's sample rate."""
    audio = analysis.audio
    if audio.frames * audio.channels > MOST_SAMPLES:
        raise _too_much(name, f"{audio.frames} samples in {audio.channels} channels")
    if analysis.grid.n_samples > MOST_SAMPLES:
        raise _too_much(name, f"{analysis.grid.n_samples} samples at the model's rate of {analysis.sample_rate} Hz")


def _too_much(name: str, decoded: str) -> ClipTooLarge:
    return ClipTooLarge(f"{name}: it decodes to {decoded}; one call decodes {MOST_SAMPLES} in all; {_USE_AN_EXECUTION}")


def _check_effort(name: str, windows: int, most: int, cost: CostModel) -> None:
    seconds = cost.range_seconds(windows)
    if windows > most:
        raise ClipTooLarge(
            f"{name}: {windows} windows are more than the {most} that one answer holds; {_USE_AN_EXECUTION}"
        )
    if seconds > _MOST_SECONDS:
        raise ClipTooLarge(
            f"{name}: {windows} windows would take about {seconds:.0f} s, more than one call may; {_USE_AN_EXECUTION}"
        )
