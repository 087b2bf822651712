"""Decide the events of a recording from its scores.

The result depends on the plan, the model, the settings and the scores only. Other settings therefore need no new
inference: deciding the same scores again gives the same bytes as a new job with these settings.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from anemonefish.audio.health import Observed
from anemonefish.errors import RecordingNotFound
from anemonefish.jobs.plan import PlannedRecording
from anemonefish.jobs.score_calibration import ScoreCalibration, ScoreScale
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.decision import Decision
from anemonefish.models.repository import PinnedModel
from anemonefish.notes import Note
from anemonefish.profiles.band_levels import BandLevels
from anemonefish.results.event_levels import with_levels
from anemonefish.results.events import find_class_runs, find_events_of, smooth
from anemonefish.results.recording_result import RecordingResult
from anemonefish.settings import Settings

__all__ = ["NOISE", "decide"]

NOISE = "noise"
"""The class of windows without a sound of interest. Its runs are not labelled."""

_NOTHING_OBSERVED = Observed()

_NO_LEVELS = Note(
    "no-levels",
    "its scores were stored by an older version, which measured no levels: calls, level, signal-to-noise ratio and "
    "peak frequency of its events are empty; delete the stored scores (.anemonefish in the results) and detect again",
)


def decide(
    recording: PlannedRecording,
    spec: ModelSpec,
    model: PinnedModel,
    settings: Settings,
    scores: NDArray[np.float32],
    observed: Observed = _NOTHING_OBSERVED,
    levels: BandLevels | None = None,
    calibration: ScoreCalibration | None = None,
) -> RecordingResult:
    """Smooth scores, find events, and return the result of the recording.

    Parameters
    ----------
    recording : PlannedRecording
        A recording that could be analysed.
    spec : ModelSpec
    model : PinnedModel
    settings : Settings
    scores : ndarray, shape (n_windows, n_classes), float32
        Scores before smoothing.
    observed : Observed
        What was observed in the samples; its notes are added to those of the recording.
    levels : BandLevels or None
        The band levels of its windows, in which its events are measured.
    calibration : ScoreCalibration, optional
        Gives events a probability, if it is for scores of this model and these settings; else a note says why not.

    Raises
    ------
    RecordingNotFound
        The recording was not analysed.
    """
    analysis = recording.analysis
    if analysis is None:
        raise RecordingNotFound(f"{recording.path}: this recording was not analysed; its failure says why")
    known = [
        (int(note.numbers["start_sample"]), int(note.numbers["stop_sample"]))
        for note in recording.notes
        if note.code in {"time-gap", "damaged"}
    ]
    notes = observed.notes(analysis.grid, analysis.sample_rate, analysis.audio.sample_rate, settings.channel, known)
    if spec.profile.lowest_bin(analysis.sample_rate):
        notes = tuple(note for note in notes if note.code != "dc-offset")  # the profile removes it
    if levels is None and len(scores):
        notes = (*notes, _NO_LEVELS)
    settings = spec.decided(settings)
    unused = None
    if calibration is not None:
        unused = calibration.unused_note(ScoreScale.of(spec, model, settings, calibration.scale.target_class))
    recording = replace(recording, notes=(*recording.notes, *notes, *([] if unused is None else [unused])))
    decision = Decision.of(settings)
    smoothed = smooth(scores, decision.median_windows)
    grid, targets = analysis.grid, settings.target_classes
    events = find_events_of(targets, smoothed, grid, analysis.sample_rate, spec.classes, decision)
    return RecordingResult(
        recording=recording,
        analysis=analysis,
        spec=spec,
        model=model,
        settings=settings,
        scores=scores,
        smoothed=smoothed,
        levels=levels,
        events=with_levels(events, levels, grid, analysis.sample_rate),
        class_runs=find_class_runs(smoothed, grid, spec.classes, NOISE, decision, exclusive=not spec.multi_label),
        calibration=calibration if unused is None else None,
    )
