"""The scenes that the reference network is trained and validated on, and the windows of them as examples.

A :class:`Recipe` is a number of simulated scenes of one kind. :func:`gather` makes them at the rate of the network and
turns them into recordings with labels; :func:`examples_of` turns a recording into spectrograms and targets by the
profile that also serves the network.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.profiles import Profile, profile_named
from anemonefish.simulation.calls import ANEMONEFISH, render
from anemonefish.simulation.decibels import amplitude
from anemonefish.simulation.noise import ReefNoise
from anemonefish.simulation.random_streams import TILE_SECONDS
from anemonefish.simulation.recorder import Recorder
from anemonefish.simulation.scene import scene
from anemonefish.simulation.scene_settings import VARIED, SceneSettings
from anemonefish.windows import WindowGrid

__all__ = [
    "CLASSES",
    "IGNORED",
    "PROFILE",
    "SAMPLE_RATE",
    "TARGET",
    "TRAINING",
    "VALIDATION",
    "LabelledCall",
    "Recipe",
    "Recording",
    "examples_of",
    "gather",
    "spectrograms_of",
    "targets_of",
]

CLASSES = ("noise", "anemonefish", "biological")
NOISE, TARGET, BIOLOGICAL = range(3)
IGNORED = -1

SAMPLE_RATE = 8000
PROFILE: Profile = profile_named("band-db")
"""Decibels above the background of each bin at 125-1500 Hz, 0.4 s every 0.1 s: (37, 45, 1)."""

FAINT_DB = 8.0
"""A fainter call is neither an example of a call nor of its absence: a person starts to miss it."""

_NEXT_DRAW = 10_000_000
"""Distance between the seeds of two draws of sounds over one noise."""

HELD_SHARE, HELD_SECONDS = 0.7, 0.15
"""A window holds a call if it contains this share of it, or this long a part. Four windows overlap at any moment, so
one of them holds more than that of every short call."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Scenes of one kind.

    The noise of scene *i* has the seed ``first_seed + i``. Noise takes most of the time, so several draws of sounds,
    ``overlays``, are each added to it: as many recordings, with other calls in the same water.
    """

    name: str
    scenes: int
    first_seed: int
    settings: SceneSettings = field(default_factory=SceneSettings)
    sample_rate: int = SAMPLE_RATE
    seconds: float = 20.0
    overlays: int = 1


QUIET = SceneSettings(calls_per_minute=0, biological_per_minute=0)
STRANGE = replace(VARIED, calls_per_minute=0, biological_per_minute=0)
LOUD = replace(VARIED, snr_db=(6, 34), varied_share=0.6)
BUSY = replace(LOUD, calls_per_minute=45, biological_per_minute=45, drums_per_minute=3)
PLAIN = SceneSettings(calls_per_minute=40, biological_per_minute=45, lone_share=0.7, snr_db=(6, 34))

TRAINING = (
    Recipe("varied", 190, 100_000, BUSY, overlays=10),
    Recipe("plain", 60, 120_000, PLAIN, overlays=10),
    Recipe("boats", 40, 140_000, replace(BUSY, boat_fraction=1.0), overlays=4),
    Recipe("quiet boats", 20, 145_000, replace(STRANGE, boat_fraction=1.0)),
    Recipe("empty", 80, 130_000, STRANGE),
    # A recorder of another rate, resampled as the engine does.
    Recipe("16 kHz recorder", 10, 150_000, BUSY, 16_000, overlays=6),
)
VALIDATION = (
    Recipe("lone calls", 60, 245_000, replace(QUIET, calls_per_minute=8, lone_share=1.0)),
    Recipe("lone calls, varied", 60, 240_000, replace(STRANGE, calls_per_minute=8, lone_share=1.0)),
    Recipe("other animals", 90, 215_000, replace(QUIET, biological_per_minute=30)),
    Recipe("other animals, varied", 90, 210_000, replace(STRANGE, biological_per_minute=30, drums_per_minute=3)),
    Recipe("boats", 30, 230_000, replace(STRANGE, boat_fraction=1.0)),
    Recipe("empty", 40, 220_000, STRANGE),
)


@dataclass(frozen=True, slots=True)
class LabelledCall:
    """A sound in samples of the network's rate, whether it is an anemonefish, and its level."""

    start: float
    stop: float
    is_target: bool
    snr_db: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A scene at the network's rate, in 16 bits."""

    kind: str
    seed: int
    samples: NDArray[np.int16]
    calls: tuple[LabelledCall, ...]

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return len(self.samples) / SAMPLE_RATE


def gather(recipes: Sequence[Recipe], workers: int, cache: Path | None = None) -> list[Recording]:
    """Return the recordings of all scenes of the recipes in order; the file ``cache`` keeps them for the next time."""
    if cache is not None and cache.exists():
        kept: tuple[Sequence[Recipe], list[Recording]] = pickle.loads(cache.read_bytes())  # written below
        if tuple(kept[0]) == tuple(recipes):
            return kept[1]
    jobs = [(recipe, recipe.first_seed + index) for recipe in recipes for index in range(recipe.scenes)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = [one for several in pool.map(_record, *zip(*jobs, strict=True), chunksize=2) for one in several]
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_bytes(pickle.dumps((tuple(recipes), made)))
    return made


def _record(recipe: Recipe, seed: int) -> list[Recording]:
    """Make the recordings of one noise, quantised as files are, and resampled as the engine does."""
    rate, settings = recipe.sample_rate, recipe.settings
    noise = ReefNoise(seed, rate, settings)
    n_samples = int(recipe.seconds * rate)
    quiet = np.concatenate(list(noise.tiles(-(-n_samples // (TILE_SECONDS * rate)))))[:n_samples]
    recorder = Recorder.of(seed, settings)
    made = []
    for draw in range(recipe.overlays):
        drawn = scene(recipe.seconds, seed + draw * _NEXT_DRAW, rate, settings)
        samples = quiet.copy()
        for sound in drawn.sounds:
            wave = render(sound, rate)[: n_samples - sound.start]
            level = np.sqrt(noise.power_in(sound.low_hz, sound.high_hz)) * amplitude(sound.snr_db)
            samples[sound.start : sound.start + len(wave)] += (level * wave).astype(np.float32)
        recorder.record(samples)
        heard = np.rint(np.clip(samples, -1, 1).astype(np.float64) * 32767) / 32768
        if rate != SAMPLE_RATE:
            heard = soxr.resample(heard, rate, SAMPLE_RATE, quality="HQ")
        scale = SAMPLE_RATE / rate
        calls = tuple(
            LabelledCall(sound.start * scale, sound.stop * scale, sound.label == ANEMONEFISH, sound.snr_db)
            for sound in drawn.sounds
        )
        stored = np.clip(np.rint(heard * 32768), -32768, 32767).astype(np.int16)
        made.append(Recording(recipe.name, drawn.seed, stored, calls))
    return made


def spectrograms_of(samples: NDArray[np.int16]) -> tuple[WindowGrid, NDArray[np.float32]]:
    """Return the grid of a recording's windows and their spectrograms."""
    heard = samples.astype(np.float32) / 32768
    grid = PROFILE.grid(len(heard), SAMPLE_RATE)
    return grid, PROFILE.spectrograms(sliding_window_view(heard, grid.window)[:: grid.hop], SAMPLE_RATE)


def targets_of(calls: Sequence[LabelledCall], grid: WindowGrid, first: int = 0) -> NDArray[np.int8]:
    """Return for each window and class 1, 0 or ``IGNORED``, shape (n_windows, 3).

    A window that holds a part of a call but not enough of it (:data:`HELD_SHARE`) is ignored for its class.
    """
    begins = first + np.arange(grid.n_windows) * grid.hop
    holds, touches = (np.zeros((2, grid.n_windows), bool) for _ in range(2))
    for call in calls:
        inside = np.minimum(begins + grid.window, call.stop) - np.maximum(begins, call.start)
        row = 0 if call.is_target else 1
        touches[row] |= inside > 0
        if call.snr_db >= FAINT_DB or not call.is_target:
            holds[row] |= inside >= min(HELD_SHARE * (call.stop - call.start), HELD_SECONDS * SAMPLE_RATE)
    targets = np.empty((grid.n_windows, len(CLASSES)), np.int8)
    targets[:, NOISE] = np.where(holds.any(axis=0), 0, np.where(touches.any(axis=0), IGNORED, 1))
    for row, column in enumerate((TARGET, BIOLOGICAL)):
        targets[:, column] = np.where(holds[row], 1, np.where(touches[row], IGNORED, 0))
    return targets


def examples_of(recordings: Sequence[Recording]) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
    """Return the spectrograms and targets of all windows that are not ignored for both kinds of calls.

    The first window begins anywhere in the first hop, so that calls lie anywhere in a window.
    """
    spectrograms, targets = [], []
    for recording in recordings:
        first = int(np.random.default_rng(recording.seed).integers(0, PROFILE.grid(0, SAMPLE_RATE).hop))
        grid, windows = spectrograms_of(recording.samples[first:])
        wanted = targets_of(recording.calls, grid, first)
        kept = (wanted[:, 1:] != IGNORED).any(axis=1)
        # Half precision takes half the memory, and is exact to 0.03 dB of the 60 dB of a spectrogram.
        spectrograms.append(windows[kept].astype(np.float16))
        targets.append(wanted[kept])
    return np.concatenate(spectrograms), np.concatenate(targets)
