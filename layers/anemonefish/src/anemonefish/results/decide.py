"""Decide: the scores of one recording become its result.

Owns reading a recording's parts in order, smoothing them and finding events. Deciding again with other settings
is the same call on the same parts: no inference, and the same bytes as a fresh job with those settings.
Writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anemonefish.audio.health import Observed
from anemonefish.errors import RecordingNotFound
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import PlannedRecording, RangeTask
from anemonefish.models.bundle import ModelSpec, sha256
from anemonefish.models.repository import PinnedModel
from anemonefish.results.events import find_class_runs, find_events, smooth
from anemonefish.results.recording_result import RecordingResult
from anemonefish.settings import Settings
from anemonefish.workflow.score import part_from_bytes

__all__ = ["StoredScores", "decide", "read_scores"]

NOISE = "noise"
"""The class that is no sound of interest; its runs are not labelled."""

_NOTHING_SEEN = Observed()


@dataclass(frozen=True, slots=True)
class StoredScores:
    """The parts of one recording, put together.

    Attributes
    ----------
    scores : ndarray, shape (n_windows, n_classes), float32
    observed : Observed
        What was seen of the samples.
    hashes : dict of str to str
        SHA-256 of each part by its name.
    """

    scores: NDArray[np.float32]
    observed: Observed
    hashes: dict[str, str]


def decide(
    recording: PlannedRecording,
    spec: ModelSpec,
    model: PinnedModel,
    settings: Settings,
    scores: NDArray[np.float32],
    observed: Observed = _NOTHING_SEEN,
) -> RecordingResult:
    """Smooth scores and find events.

    Parameters
    ----------
    recording : PlannedRecording
        One that could be analysed.
    scores : ndarray, shape (n_windows, n_classes), float32
        Raw.
    observed : Observed
        What was seen of the samples; it adds its notes to the recording's.

    Raises
    ------
    RecordingNotFound
        The recording was not analysed.
    """
    how = recording.analysis
    if how is None:
        raise RecordingNotFound(f"{recording.path}: this recording was not analysed; its failure says why")
    known = [
        (int(note.numbers["start_sample"]), int(note.numbers["stop_sample"]))
        for note in recording.notes
        if note.code in {"time-gap", "damaged"}
    ]
    seen = observed.notes(how.grid, how.sample_rate, how.audio.sample_rate, settings.channel, known)
    recording = replace(recording, notes=(*recording.notes, *seen))
    settings = replace(settings, target_class=settings.target_class or spec.target_class)
    smoothed = smooth(scores, settings.median_windows)
    target = spec.classes.index(str(settings.target_class))
    return RecordingResult(
        recording=recording,
        analysis=how,
        spec=spec,
        model=model,
        settings=settings,
        scores=scores,
        smoothed=smoothed,
        events=find_events(smoothed[:, target], how.grid, how.sample_rate, spec.classes[target], settings),
        class_runs=find_class_runs(smoothed, how.grid, spec.classes, NOISE, settings, exclusive=not spec.multi_label),
    )


def read_scores(job: Job, spec: ModelSpec, tasks: Sequence[RangeTask]) -> StoredScores:
    """Put the parts of one recording together.

    Parameters
    ----------
    tasks : sequence of RangeTask
        All ranges of the recording, in order.

    Raises
    ------
    DamagedPart
        A part does not fit its range.
    """
    scores = np.empty((tasks[0].grid.n_windows if tasks else 0, len(spec.classes)), np.float32)
    hashes, observed = {}, []
    with ExitStack() as stack:
        at_once = min(job.store.at_once, len(tasks))
        apply = stack.enter_context(ThreadPoolExecutor(at_once)).map if at_once > 1 else map
        read = apply(lambda task: job.store.read(job.part_key(task)), tasks)
        for task, data in zip(tasks, read, strict=True):
            part, seen = part_from_bytes(data, (len(task.windows), len(spec.classes)), job.part_key(task))
            scores[task.windows.start : task.windows.stop] = part
            observed.append(seen)
            hashes[task.name] = sha256(data)
    return StoredScores(scores, Observed.of_all(observed), hashes)
