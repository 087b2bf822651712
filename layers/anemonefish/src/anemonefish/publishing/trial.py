"""Compare engines with Keras on windows of sound, before a network is published.

The windows are of two simulated reefs, one of them full of calls, and of the recording that the user gives. This module
decides whether an engine's difference from Keras is small enough to serve, and returns the figures for ``model.json``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.audio.reader import open_audio
from anemonefish.audio.resample import at_rate
from anemonefish.errors import ParityError, UnsupportedRecording
from anemonefish.models.bundle import MOST_TOLERANCE, TOLERANCE, ModelSpec
from anemonefish.models.golden import Golden
from anemonefish.profiles import Profile
from anemonefish.publishing.variants import events_of, labels_flipped, labels_of
from anemonefish.simulation.scene import MINIMUM_RATE, scene
from anemonefish.simulation.scene_settings import SceneSettings

__all__ = ["COMPARED_WINDOWS", "GOLDEN_WINDOWS", "NATIVE_TRIAL_RATE", "Trial", "check_parity", "trial_windows"]

COMPARED_WINDOWS = 100
"""Windows of simulated sound, half of them of a reef full of calls; as many again of the user's recording."""

GOLDEN_WINDOWS = 4

NATIVE_TRIAL_RATE = 48_000
"""Rate of the trial audio for a model that takes recordings at their own rate, in Hz."""

LEAST_SPREAD = 1e-3
"""Least range of each class's scores over the windows: a hundred times the tolerance, because agreement on a constant
score shows nothing."""

_SLACK = 2.0
"""Factor for other processors, on a difference that was measured on this one."""

_BUSY = SceneSettings(calls_per_minute=36, biological_per_minute=30)


@dataclass(frozen=True, slots=True)
class Trial:
    """Windows to compare engines on.

    Attributes
    ----------
    windows : ndarray, shape (n_windows, window), float
        Audio.
    stretches : tuple of slice
        Runs of windows that follow one another.
    sample_rate : int
    spectrograms : ndarray, shape (n_windows, ...), float32
    expected : ndarray, shape (n_windows, n_classes), float32
        Keras's scores.
    """

    windows: NDArray[Any]
    stretches: tuple[slice, ...]
    sample_rate: int
    spectrograms: NDArray[np.float32]
    expected: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        profile: Profile,
        sample_rate: int,
        audio: str | None,
        keras: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    ) -> Trial:
        """Make the windows and score them by Keras; errors as of :func:`trial_windows`."""
        half = COMPARED_WINDOWS // 2
        found = [
            trial_windows(None, profile, sample_rate, half, _BUSY),
            trial_windows(None, profile, sample_rate, COMPARED_WINDOWS - half),
        ]
        if audio is not None:
            found.append(trial_windows(audio, profile, sample_rate))
        ends = np.cumsum([len(windows) for windows in found]).tolist()
        stretches = tuple(slice(end - len(windows), end) for end, windows in zip(ends, found, strict=True))
        windows = np.concatenate(found)
        spectrograms = profile.spectrograms(windows, sample_rate)
        return cls(windows, stretches, sample_rate, spectrograms, keras(spectrograms))

    def difference(self, scores: NDArray[Any]) -> float:
        """Return the largest difference of a score from Keras's."""
        return float(np.abs(scores - self.expected).max())

    def facts(self, spec: ModelSpec) -> dict[str, Any]:
        """Return how much the windows differ: how often each class is the best, and the range of its scores."""
        best = Counter(self.expected.argmax(axis=1).tolist())
        ranges = np.ptp(self.expected, axis=0)
        return {
            "windows": len(self.expected),
            "best_class": {label: best[column] for column, label in enumerate(spec.classes)},
            "score_range": {label: float(round(value, 6)) for label, value in zip(spec.classes, ranges, strict=True)},
        }

    def too_much_alike(self, spec: ModelSpec) -> str | None:
        """Return why agreement on these windows shows little; None where they differ enough."""
        count = len(self.expected)
        ranges = np.ptp(self.expected, axis=0)
        least = int(ranges.argmin())
        mend = "which proves too little; give a recording that has every class (--audio)"
        if ranges[least] < LEAST_SPREAD:
            return f"the scores of {spec.classes[least]} differ by {ranges[least]:.2g} over {count} windows, {mend}"
        if len(np.unique(labels_of(spec, self.expected), axis=0)) == 1:
            return f"all {count} windows get the same label, {mend}"
        return None

    def golden(self, spec: ModelSpec) -> Golden:
        """Return a golden example: windows from the lowest to the highest score of the target class."""
        order = np.argsort(self.expected[:, spec.classes.index(spec.target_class)], kind="stable")
        chosen = order[np.linspace(0, len(order) - 1, GOLDEN_WINDOWS).round().astype(int)]
        return Golden(np.ascontiguousarray(self.windows[chosen]), self.expected[chosen], self.sample_rate)


def check_parity(
    spec: ModelSpec, engine: str, trial: Trial, scores: NDArray[np.float32], in_float64: Callable[[], NDArray[Any]]
) -> dict[str, Any]:
    """Check that an engine may serve the network instead of Keras.

    It may where every score is within :data:`~anemonefish.models.bundle.TOLERANCE` of Keras's. Where the layers of a
    network lose more of float32's precision, it may if both are within
    :data:`~anemonefish.models.bundle.MOST_TOLERANCE` of the network in float64 and of each other, no window gets
    another label and no event changes.

    Parameters
    ----------
    spec : ModelSpec
    engine : str
        Its name in messages.
    trial : Trial
    scores : ndarray, shape (n_windows, n_classes), float32
        The engine's scores.
    in_float64 : callable
        Returns the scores of the network in float64; called only where the engines differ by more.

    Returns
    -------
    dict
        ``max_difference``, ``tolerance`` for the golden example, and ``float64`` where that was needed: the largest
        difference of ``engine`` and of ``keras`` from it, ``labels_flipped``, ``events`` and ``events_changed``.

    Raises
    ------
    ParityError
        It must not serve, and why.
    """
    difference = trial.difference(scores)
    if difference <= TOLERANCE:
        return {"max_difference": difference, "tolerance": TOLERANCE}
    exact = in_float64()
    grid = spec.profile.grid(0, trial.sample_rate)
    events, others = (
        set(events_of(spec, those, grid, trial.sample_rate, trial.stretches)) for those in (trial.expected, scores)
    )
    figures = {
        "engine": float(np.abs(scores - exact).max()),
        "keras": float(np.abs(trial.expected - exact).max()),
        "labels_flipped": labels_flipped(spec, scores, trial.expected),
        "events": len(events),
        "events_changed": len(events ^ others),
    }
    furthest = max(difference, figures["engine"], figures["keras"])
    if not furthest <= MOST_TOLERANCE or figures["labels_flipped"] or figures["events_changed"]:
        raise ParityError(
            f"{spec.title}: {engine}'s scores differ from Keras's by {difference:.2e} on {len(scores)} windows, more "
            f"than {TOLERANCE:.0e}; from the network in float64 {engine} differs by {figures['engine']:.2e} and Keras "
            f"by {figures['keras']:.2e} (at most {MOST_TOLERANCE:.0e} is served), {figures['labels_flipped']} labels "
            f"flipped, {figures['events_changed']} of {figures['events']} events changed; the model was not published: "
            f"let Keras serve it (--engine keras)"
        )
    return {
        "max_difference": difference,
        "tolerance": min(MOST_TOLERANCE, _SLACK * difference),
        "float64": figures,
    }


def trial_windows(
    audio: str | None,
    profile: Profile,
    sample_rate: int,
    most: int = COMPARED_WINDOWS,
    settings: SceneSettings | None = None,
) -> NDArray[Any]:
    """Return windows of sound that follow one another.

    Parameters
    ----------
    audio : str or None
        A recording; None for a simulated scene.
    profile : Profile
    sample_rate : int
    most : int
        Windows at most.
    settings : SceneSettings, optional
        Of the simulated scene.

    Returns
    -------
    ndarray, shape (n_windows, window), float
        Of the profile's type.

    Raises
    ------
    UnsupportedRecording
        The recording is too short.
    """
    seconds = profile.window_seconds + most * profile.hop_seconds
    if audio is None:
        samples = _simulated(seconds, sample_rate, settings).astype(profile.sample_dtype)
    else:
        with open_audio(audio, dtype=profile.sample_dtype) as file:
            recording = at_rate(file, sample_rate, profile.top_hz(sample_rate))
            samples = recording.read(0, min(recording.n_samples, int(seconds * sample_rate)))
    grid = profile.grid(len(samples), sample_rate)
    if grid.n_windows < GOLDEN_WINDOWS:
        raise UnsupportedRecording(f"{audio}: too short to compare on; give at least {GOLDEN_WINDOWS} windows of sound")
    windows: NDArray[Any] = sliding_window_view(samples, grid.window)[:: grid.hop][:most]
    return windows


@dataclass(frozen=True, slots=True)
class _Whole:
    """Samples in memory, as a recording that can be resampled."""

    samples: NDArray[Any]
    sample_rate: int

    @property
    def n_samples(self) -> int:
        return len(self.samples)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        return self.samples[start:stop]

    def expect(self, stop: int) -> None:
        """Do nothing, because the samples are in memory."""


def _simulated(seconds: float, sample_rate: int, settings: SceneSettings | None) -> NDArray[np.float32]:
    """Simulate a scene; for a sample rate too low for its calls, at a multiple of it, then resampled."""
    rate = sample_rate * max(1, ceil(MINIMUM_RATE / sample_rate))
    made = scene(seconds, seed=1, sample_rate=rate, settings=settings)
    view = at_rate(_Whole(next(iter(made.blocks(made.n_samples))), rate), sample_rate)
    samples: NDArray[np.float32] = view.read(0, view.n_samples)
    return samples
