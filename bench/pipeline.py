"""Section ``pipeline``: the lab's pipeline and ours, from a recording's bytes to scores, stage by stage, on one core.

Both sides process the same file with the same network, alternately, in one process. Before they are timed, their
results are compared: spectrograms must be equal in every bit, and scores within the tolerance of the bundle.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.audio.reader import open_audio
from anemonefish.audio.resample import at_rate
from anemonefish.models.engine import Model
from anemonefish.models.golden import TOLERANCE
from anemonefish.profiles import Profile
from anemonefish.windows import WindowRange
from anemonefish.workflow.score import block_windows, score_windows
from bench import lab_pipeline
from bench.lab import MODELS, RATE, LabModel, recording
from bench.measure import in_turn
from bench.rows import Row, compared, figure

__all__ = ["rows"]

_UNIT = "ms / s of audio"
_PREPROCESSING = {"v1": 50.0, "v2": 2.4, "reef": 2.4}
_END_TO_END = {"v1": 1.4, "v2": 1.25, "reef": None}
_SECONDS = {"v1": 10, "v2": 15, "reef": 60}
_ROUNDS = {"v1": 7, "v2": 10, "reef": 10}
_REAL_TIME = 900.0


def rows(quick: bool) -> Iterator[Row]:
    """Yield the stages of every model, and the speed of the reference model."""
    for title, model in MODELS.items():
        seconds, rounds = (6, 2) if quick else (_SECONDS[title], _ROUNDS[title])  # short: some rounds run undisturbed
        yield from _stages(model, seconds, rounds)
    yield _real_time(MODELS["reef"], 60 if quick else 600)


def _stages(lab: LabModel, seconds: int, rounds: int) -> Iterator[Row]:
    path, model, network = recording(seconds), lab.ready(), lab_pipeline.load(lab.keras())
    samples, rate = lab_pipeline.decode(path, lab.title)
    inputs, spectrograms = (
        list(lab_pipeline.preprocess(samples, rate, lab.title)),
        list(preprocess(model.spec.profile, samples)),
    )
    assert np.array_equal(np.concatenate(spectrograms), np.concatenate(inputs).astype(np.float32)), (
        f"{lab.title}: spectrograms differ from the lab's"
    )
    stages = {
        "decode": (lambda: decode(path, model), lambda: lab_pipeline.decode(path, lab.title)),
        "preprocessing": (
            lambda: _consume(preprocess(model.spec.profile, samples)),
            lambda: _consume(lab_pipeline.preprocess(samples, rate, lab.title)),
        ),
        "network": (partial(_score_blocks, model, spectrograms), lambda: lab_pipeline.score(network, inputs)),
        "end to end": (lambda: end_to_end(path, model), lambda: _lab_end_to_end(path, lab, network)),
    }
    wanted = {"preprocessing": _PREPROCESSING[lab.title], "end to end": _END_TO_END[lab.title]}
    per_second = 1000 / seconds
    for stage, (our, their) in stages.items():
        ours, theirs = in_turn(our, their, rounds=rounds)
        what = f"{lab.title}, {stage}"
        yield compared(
            "pipeline", what, ours.seconds * per_second, theirs.seconds * per_second, _UNIT, wanted.get(stage)
        )
    difference = float(np.abs(ours.answer - theirs.answer).max())  # of the last stage, end to end
    yield figure("pipeline", f"{lab.title}, spectrograms equal in every bit; largest difference of a score",
                 difference, "", most=TOLERANCE)  # fmt: skip
    for variant in lab.variants:
        other = lab.ready(variant)
        stages = {
            "network": (partial(_score_blocks, other, spectrograms), lambda: lab_pipeline.score(network, inputs)),
            "end to end": (partial(end_to_end, path, other), lambda: _lab_end_to_end(path, lab, network)),
        }
        for stage, (our, their) in stages.items():
            ours, theirs = in_turn(our, their, rounds=rounds)
            yield compared("pipeline", f"{lab.title}+{variant}, {stage}", ours.seconds * per_second,
                           theirs.seconds * per_second, _UNIT, wanted.get(stage))  # fmt: skip
        difference = float(np.abs(ours.answer - theirs.answer).max())
        yield figure(
            "pipeline", f"{lab.title}+{variant}, largest difference of a score", difference, "", most=TOLERANCE
        )


def _lab_end_to_end(path: Path, lab: LabModel, network: Any) -> NDArray[np.float32]:
    return lab_pipeline.score(network, lab_pipeline.preprocess(*lab_pipeline.decode(path, lab.title), lab.title))


def _score_blocks(model: Model, spectrograms: list[NDArray[np.float32]]) -> None:
    _consume(map(model.scores, spectrograms))


def _consume(blocks: Iterator[NDArray[Any]]) -> None:
    """Iterate over all blocks without keeping them, as scoring does."""
    for _ in blocks:
        pass


def decode(path: Path, model: Model) -> None:
    """Read a recording one second at a time, as a worker does."""
    with open_audio(str(path), dtype=model.spec.profile.sample_dtype) as audio:
        for start in range(0, audio.n_samples, audio.sample_rate):
            audio.read(start, min(start + audio.sample_rate, audio.n_samples))


def preprocess(profile: Profile, samples: NDArray[Any]) -> Iterator[NDArray[np.float32]]:
    """Yield spectrograms at :data:`~bench.lab.RATE` for one block of windows at a time, as a worker does."""
    grid = profile.grid(len(samples), RATE)
    windows = sliding_window_view(samples, grid.window)[:: grid.hop]
    size = block_windows(profile.input_shape(RATE))
    for first in range(0, len(windows), size):
        yield profile.spectrograms(windows[first : first + size], RATE)


def end_to_end(path: Path, model: Model) -> NDArray[np.float32]:
    """Score a whole recording with the function that workers call."""
    profile = model.spec.profile
    with open_audio(str(path), dtype=profile.sample_dtype) as audio:
        samples = at_rate(audio, audio.sample_rate)
        grid = profile.grid(samples.n_samples, samples.sample_rate)
        return score_windows(samples, grid, WindowRange(0, grid.n_windows), model).scores


def _real_time(lab: LabModel, seconds: int) -> Row:
    path, model = recording(seconds), lab.ready()
    (ours,) = in_turn(lambda: end_to_end(path, model), rounds=10)
    what = f"{lab.title}, end to end from 16-bit WAV on one core"
    return figure("pipeline", what, seconds / ours.seconds, "× real time", least=_REAL_TIME)
