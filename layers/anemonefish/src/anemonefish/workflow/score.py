"""Score one range of windows of one recording, and store its scores as a part (:mod:`anemonefish.jobs.parts`).

The same range of the same recording with the same model has the same bytes on every worker. A part that exists is not
computed again, so an interrupted job resumes. Only a block of windows is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import DTypeLike, NDArray

from anemonefish.audio.pieces import PieceReader, audio_deleted, read_index
from anemonefish.audio.reader import AudioFile, open_audio
from anemonefish.audio.resample import at_rate
from anemonefish.audio.samples import Samples
from anemonefish.audio.signal_meter import SignalMeter
from anemonefish.errors import AnemonefishError, Failure
from anemonefish.jobs.job import Job
from anemonefish.jobs.parts import part_to_bytes
from anemonefish.jobs.plan import RangeTask
from anemonefish.models.engine import Model
from anemonefish.profiles.band_levels import BandLevels
from anemonefish.step_times import step
from anemonefish.stores import Kind
from anemonefish.windows import WindowGrid, WindowRange

__all__ = [
    "Scored",
    "ScoredWindows",
    "block_windows",
    "meter_of",
    "open_range",
    "score_range",
    "score_ranges",
    "score_windows",
]

_BLOCK_BYTES = 1 << 19
_BLOCK_WINDOWS = 8, 64
"""Windows in memory at once: as many as have half a MB of spectrograms, within these limits. So few samples and
spectrograms stay in the processor's cache: 0.6 MB of the lab's v2, 6 MB of v1. Small spectrograms are made in larger
blocks, in which more windows share frames and the cost of a call."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Counts of the ranges of one worker.

    Attributes
    ----------
    ranges, windows : int
        Ranges and windows that it was given.
    computed : int
        Ranges that it scored; the parts of the others existed.
    failed : int
        Ranges that failed; their reason was stored.
    """

    ranges: int
    windows: int
    computed: int
    failed: int


@dataclass(frozen=True, slots=True)
class ScoredWindows:
    """What was computed of the windows of a range.

    Attributes
    ----------
    scores : ndarray, shape (n_windows, n_classes), float32
    levels : BandLevels
    """

    scores: NDArray[np.float32]
    levels: BandLevels


def score_ranges(
    job: Job,
    tasks: Sequence[RangeTask],
    model: Model,
    observe: Callable[[RangeTask], AbstractContextManager[None]] = lambda _: nullcontext(),
    tell: Callable[[RangeTask, NDArray[np.float32]], None] = lambda *_: None,
) -> Scored:
    """Score the ranges of one worker; when there are several, one that fails does not stop the others.

    Parameters
    ----------
    job : Job
    tasks : sequence of RangeTask
    model : Model
    observe : callable
        Returns the context in which a range is scored; an error leaves it as it is raised.
    tell : callable
        Gets each range with its scores, once they are stored; ranges whose parts exist are left out.

    Raises
    ------
    AnemonefishError
        The error of the only range; when there are several, an error that a retry may avoid, after all were tried.
    """
    if len(tasks) == 1:
        with observe(tasks[0]):
            computed = int(score_range(job, tasks[0], model, tell))
        return Scored(1, len(tasks[0].windows), computed, 0)
    computed = failed = 0
    retryable: AnemonefishError | None = None
    for task in tasks:
        try:
            with observe(task):
                computed += score_range(job, task, model, tell)
        except AnemonefishError as error:
            if error.retryable:
                retryable = retryable or error
            else:
                job.write_range_failure(task, Failure.of(error))
                failed += 1
    if retryable is not None:
        raise retryable
    return Scored(len(tasks), sum(len(task.windows) for task in tasks), computed, failed)


def score_range(
    job: Job,
    task: RangeTask,
    model: Model,
    tell: Callable[[RangeTask, NDArray[np.float32]], None] = lambda *_: None,
) -> bool:
    """Score a range and store its part; return False when the part exists.

    Raises
    ------
    RecordingError
        The recording cannot be read where the range needs it.
    IncompatibleModel
        The windows do not have the model's shape.
    StorageError
        The store did not answer; try again.
    """
    key = job.part_key(task)
    if job.store.exists(key):
        return False
    dtype = model.spec.profile.sample_dtype
    with step("fetch"):
        opened = open_range(job, task, dtype)
    with opened as audio:
        meter = meter_of(task, audio)
        samples = at_rate(audio, task.sample_rate, model.spec.profile.top_hz(task.sample_rate))
        scored = score_windows(samples, task.grid, task.windows, model)
    with step("store"):
        job.store.write(key, part_to_bytes(scored.scores, meter.observed(), scored.levels), Kind.SCORES)
    tell(task, scored.scores)
    return True


def meter_of(task: RangeTask, audio: AudioFile | PieceReader) -> SignalMeter:
    """Return a meter that measures every sample of a range while it is read."""
    facts = audio.facts
    codec = facts.codec if task.pieces is None else "PCM_24"
    meter = SignalMeter(task.grid, task.windows, task.sample_rate, facts.sample_rate, facts.frames, codec)
    audio.watch(meter)
    return meter


def open_range(job: Job, task: RangeTask, dtype: DTypeLike) -> AudioFile | PieceReader:
    """Open the recording of a range, in place or out of its transcoded pieces; errors as of :func:`score_range`."""
    if task.pieces is None:
        return open_audio(
            task.uri, version=task.version, name=task.path, channel=task.channel, dtype=dtype, damaged=task.damaged
        )
    transcoded = read_index(job.store, task.pieces)
    if transcoded is None:
        raise audio_deleted(task.path)
    return PieceReader(job.store, task.pieces, transcoded.facts, task.path, task.channel, dtype)


def score_windows(samples: Samples, grid: WindowGrid, windows: WindowRange, model: Model) -> ScoredWindows:
    """Score the windows of a range, and measure their band levels."""
    profile = model.spec.profile
    scores = np.empty((len(windows), len(model.spec.classes)), np.float32)
    meter = profile.band_meter(grid, len(windows), samples.sample_rate)
    if len(windows):
        samples.expect(grid.samples_of(windows)[1])
    for block, cut in _cut_windows(samples, grid, windows, block_windows(model.spec.input_shape)):
        with step("spectrogram"):
            spectrograms = profile.spectrograms(cut, samples.sample_rate, meter)
        with step("infer"):
            scores[block.start - windows.start : block.stop - windows.start] = model.scores(spectrograms)
    return ScoredWindows(scores, meter.levels())


def block_windows(input_shape: tuple[int, ...]) -> int:
    """Return how many windows are scored at once.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one spectrogram.
    """
    least, most = _BLOCK_WINDOWS
    return max(least, min(most, _BLOCK_BYTES // (4 * prod(input_shape))))


def _cut_windows(
    samples: Samples, grid: WindowGrid, windows: WindowRange, size: int
) -> Iterator[tuple[WindowRange, NDArray[np.floating]]]:
    """Yield blocks of windows, shape ``(n, window)``; overlapping windows share memory, samples are read once."""
    kept = np.empty(0)
    kept_start = 0
    for block in windows.blocks(size):
        start, stop = grid.samples_of(block)
        tail = kept[start - kept_start :] if len(kept) > start - kept_start else kept[:0]
        with step("decode"):
            fresh = samples.read(start + len(tail), stop)
        kept, kept_start = (np.concatenate((tail, fresh)) if len(tail) else fresh), start
        yield block, sliding_window_view(kept, grid.window)[:: grid.hop]
