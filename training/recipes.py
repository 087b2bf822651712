"""The scenes that the reference network is trained and validated on, and the windows of them as examples.

A :class:`Recipe` is a number of simulated scenes of one kind. Their noise, which takes most of the time, is made once
(:func:`seas_of`). Sounds are drawn over it as often as wanted (:meth:`Sea.draw`), so that no epoch of the training
hears a call twice. :func:`examples_of` turns a recording into spectrograms and targets by the profile that also serves
the network.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Self

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.profiles import Profile, profile_named
from anemonefish.simulation.calls import ANEMONEFISH, Sound, render
from anemonefish.simulation.decibels import amplitude
from anemonefish.simulation.noise import ReefNoise
from anemonefish.simulation.pulse_shapes import PLAIN as PLAIN_PULSE
from anemonefish.simulation.pulse_shapes import Reflection
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
    "SOUNDS",
    "TARGET",
    "TRAINING",
    "VALIDATION",
    "LabelledCall",
    "Pool",
    "Recipe",
    "Recording",
    "Sea",
    "examples_of",
    "seas_of",
    "spectrograms_of",
    "targets_of",
]

CLASSES = ("noise", "anemonefish", "biological")
NOISE, TARGET, BIOLOGICAL = range(3)
IGNORED = -1

SOUNDS = (
    "one pulse",
    "several pulses",
    "Plectroglyphidodon lacrymatus pops",
    "Dascyllus aruanus pop",
    "Dascyllus aruanus chirp",
    "Dascyllus albisella chirp",
    "Pomacentrus amboinensis",
    "Hawaiian reef fish",
    "bigeye pop",
    "gurnard",
    "drumming fish",
)
"""What the network learns to tell besides the classes, so that it learns faster: anemonefish by their pulses, and the
animals that are confused with them. The published network does not say it."""

SAMPLE_RATE = 8000
PROFILE: Profile = profile_named("band-db", n_fft=128, hop_length=40, high_db=50.0)
"""Decibels above the background of each bin at 125-1500 Hz, 0.4 s every 0.1 s, frames of 16 ms every 5 ms: (77, 23, 1).
Pulses of anemonefish last 18-42 ms and those of other animals 6-10 or 50-62 ms, so frames are shorter than either."""

FAINT_DB = 8.0
"""A fainter call is neither an example of a call nor of its absence: a person starts to miss it."""

_LEVEL_HZ = 4.0
"""Step of the table of the power of a noise."""

_NEXT_DRAW = 10_000_000
"""Distance between the seeds of two draws of sounds over one noise."""

_DRAWS_OF_A_SEED = 100_000
"""Trainings with different seeds draw different sounds."""

HELD_SHARE, HELD_SECONDS = 0.7, 0.15
"""A window holds a call if it contains this share of it, or this long a part. Four windows overlap at any moment, so
one of them holds more than that of every short call."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Scenes of one kind.

    The noise of scene *i* has the seed ``first_seed + i``. ``draws`` says how many recordings with different sounds are
    made of each noise for validation; for training, where they are made without end, it is the weight of each noise.
    ``thinned`` leaves out sounds that are easy to tell, so that more are hard. ``widened`` varies the pulses of
    anemonefish further than the simulator does (:func:`_widened`).
    """

    name: str
    scenes: int
    first_seed: int
    settings: SceneSettings = field(default_factory=SceneSettings)
    sample_rate: int = SAMPLE_RATE
    seconds: float = 20.0
    draws: int = 1
    thinned: bool = False
    widened: bool = False

    def kept_share(self, sound: Sound) -> float:
        """Return the share of sounds of this kind that are kept."""
        if not self.thinned:
            return 1.0
        if sound.label == ANEMONEFISH:
            return 1.0 if sound.n_pulses == 1 else 0.6 if sound.n_pulses == 2 else 0.3
        return 1.0 if sound.voice.startswith(_HARD) and sound.frequency_hz > _HARD_HZ else _EASY_SHARE


_HARD, _HARD_HZ, _EASY_SHARE = "Plectroglyphidodon", 300.0, 0.35
"""The pops that are most often taken for anemonefish, where their frequencies are alike; others are rarer."""

_DAMPING = 2.8, 7.2
"""Nepers over a pulse of 16 cycles: quality factors of 7 to 18."""

_ECHOES = 2, 0.6, (0.0005, 0.025)
"""Most further reflections of a call, their largest level, and their delays in seconds."""

QUIET = SceneSettings(calls_per_minute=0, biological_per_minute=0)
STRANGE = replace(VARIED, calls_per_minute=0, biological_per_minute=0)
LOUD = replace(VARIED, snr_db=(6, 34), varied_share=0.85)
BUSY = replace(LOUD, calls_per_minute=150, biological_per_minute=130, drums_per_minute=3)
PLAIN = SceneSettings(calls_per_minute=150, biological_per_minute=130, lone_share=0.7, snr_db=(6, 34))

TRAINING = (
    Recipe("varied", 190, 100_000, BUSY, draws=10, thinned=True, widened=True),
    Recipe("plain", 60, 120_000, PLAIN, draws=10, thinned=True),
    Recipe("boats", 40, 140_000, replace(BUSY, boat_fraction=1.0), draws=4, thinned=True, widened=True),
    Recipe("quiet boats", 20, 145_000, replace(STRANGE, boat_fraction=1.0), draws=4),
    Recipe("empty", 80, 130_000, STRANGE, draws=2),
    # A recorder of another rate, resampled as the engine does.
    Recipe("16 kHz recorder", 10, 150_000, BUSY, 16_000, draws=6, thinned=True, widened=True),
)
VALIDATION = (
    Recipe("lone calls", 60, 245_000, replace(QUIET, calls_per_minute=8, lone_share=1.0), draws=5),
    Recipe("lone calls, varied", 60, 240_000, replace(STRANGE, calls_per_minute=8, lone_share=1.0), draws=5),
    Recipe("other animals", 60, 215_000, replace(QUIET, biological_per_minute=30), draws=5),
    Recipe(
        "other animals, varied",
        60,
        210_000,
        replace(STRANGE, biological_per_minute=30, drums_per_minute=3),
        draws=5,
    ),
    Recipe("boats", 30, 230_000, replace(STRANGE, boat_fraction=1.0)),
    Recipe("empty", 40, 220_000, STRANGE),
)
"""About 300 lone calls of 12 dB or more in 100 minutes of each of two kinds, and as long of other animals."""


@dataclass(frozen=True, slots=True)
class LabelledCall:
    """A sound in samples of the network's rate: what it is (of :data:`SOUNDS`), its class and its level."""

    start: float
    stop: float
    is_target: bool
    snr_db: float
    sound: str

    @classmethod
    def of(cls, sound: Sound, scale: float) -> Self:
        """Describe a sound of a scene; ``scale`` turns its samples into those of the network's rate."""
        if sound.label == ANEMONEFISH:
            name = SOUNDS[0] if sound.n_pulses == 1 else SOUNDS[1]
        else:
            name = "gurnard" if sound.voice.startswith("gurnard") else sound.voice
        return cls(sound.start * scale, sound.stop * scale, sound.label == ANEMONEFISH, sound.snr_db, name)


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


@dataclass(frozen=True, slots=True)
class Sea:
    """The noise of one scene, to which sounds are added.

    Attributes
    ----------
    recipe : Recipe
    seed : int
    quiet : ndarray, float32
        The noise at the rate of the recipe.
    power_below : ndarray, float64
        Power of the steady noise below 0, 4, 8, ... Hz.
    """

    recipe: Recipe
    seed: int
    quiet: NDArray[np.float32]
    power_below: NDArray[np.float64]

    @classmethod
    def of(cls, recipe: Recipe, seed: int) -> Self:
        """Make the noise of a scene."""
        noise = ReefNoise(seed, recipe.sample_rate, recipe.settings)
        n_samples = int(recipe.seconds * recipe.sample_rate)
        quiet = np.concatenate(list(noise.tiles(-(-n_samples // (TILE_SECONDS * recipe.sample_rate)))))[:n_samples]
        limits = np.arange(0, recipe.sample_rate / 2 + _LEVEL_HZ, _LEVEL_HZ)
        return cls(recipe, seed, quiet, np.array([noise.power_in(0.0, hz) for hz in limits]))

    def draw(self, number: int) -> Recording:
        """Add the sounds of a draw, quantise the samples as files are, and resample them as the engine does."""
        rate, settings = self.recipe.sample_rate, self.recipe.settings
        drawn = scene(self.recipe.seconds, self.seed + number * _NEXT_DRAW, rate, settings)
        rng = np.random.default_rng(drawn.seed)
        sounds = [sound for sound in drawn.sounds if rng.random() < self.recipe.kept_share(sound)]
        if self.recipe.widened:
            sounds = [_widened(sound, rng) for sound in sounds]
        samples = self.quiet.copy()
        for sound in sounds:
            wave = render(sound, rate)[: len(samples) - sound.start]
            level = np.sqrt(self._power_in(sound.low_hz, sound.high_hz)) * amplitude(sound.snr_db)
            samples[sound.start : sound.start + len(wave)] += (level * wave).astype(np.float32)
        Recorder.of(self.seed, settings).record(samples)
        heard = np.rint(np.clip(samples, -1, 1).astype(np.float64) * 32767) / 32768
        if rate != SAMPLE_RATE:
            heard = soxr.resample(heard, rate, SAMPLE_RATE, quality="HQ")
        calls = tuple(LabelledCall.of(sound, SAMPLE_RATE / rate) for sound in sounds)
        stored = np.clip(np.rint(heard * 32768), -32768, 32767).astype(np.int16)
        return Recording(self.recipe.name, drawn.seed, stored, calls)

    def _power_in(self, low_hz: float, high_hz: float) -> float:
        low, high = np.interp([low_hz, high_hz], _LEVEL_HZ * np.arange(len(self.power_below)), self.power_below)
        return float(high - low)


def _widened(sound: Sound, rng: np.random.Generator) -> Sound:
    """Return a varied call of an anemonefish with another damping and further reflections; other sounds are kept.

    Its level is still that in the band which the pulse had before.
    """
    if sound.label != ANEMONEFISH or sound.shape == PLAIN_PULSE:
        return sound
    most, level, delays = _ECHOES
    echoes = [Reflection(rng.uniform(*delays), rng.uniform(-level, level)) for _ in range(rng.integers(0, most + 1))]
    reflections = (*sound.shape.reflections, *echoes)
    return replace(sound, shape=replace(sound.shape, damping=rng.uniform(*_DAMPING), reflections=reflections))


def seas_of(recipes: Sequence[Recipe], workers: int, cache: Path | None = None) -> list[Sea]:
    """Return the noises of all scenes of the recipes in order; the file ``cache`` keeps them for the next time."""
    if cache is not None and cache.exists():
        kept: tuple[Sequence[Recipe], list[Sea]] = pickle.loads(cache.read_bytes())  # written below
        if tuple(kept[0]) == tuple(recipes):
            return kept[1]
    jobs = [(recipe, recipe.first_seed + index) for recipe in recipes for index in range(recipe.scenes)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = list(pool.map(Sea.of, *zip(*jobs, strict=True), chunksize=4))
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_bytes(pickle.dumps((tuple(recipes), made)))
    return made


def spectrograms_of(samples: NDArray[np.int16]) -> tuple[WindowGrid, NDArray[np.float32]]:
    """Return the grid of a recording's windows and their spectrograms."""
    heard = samples.astype(np.float32) / 32768
    grid = PROFILE.grid(len(heard), SAMPLE_RATE)
    return grid, PROFILE.spectrograms(sliding_window_view(heard, grid.window)[:: grid.hop], SAMPLE_RATE)


def targets_of(calls: Sequence[LabelledCall], grid: WindowGrid, first: int = 0) -> NDArray[np.int8]:
    """Return for each window 1, 0 or ``IGNORED`` for each class and then for each of :data:`SOUNDS`.

    A window that holds a part of a call but not enough of it (:data:`HELD_SHARE`) is ignored for its class.
    """
    begins = first + np.arange(grid.n_windows) * grid.hop
    columns = len(CLASSES) + len(SOUNDS)
    holds, touches = (np.zeros((columns, grid.n_windows), bool) for _ in range(2))
    for call in calls:
        inside = np.minimum(begins + grid.window, call.stop) - np.maximum(begins, call.start)
        rows = [TARGET if call.is_target else BIOLOGICAL, len(CLASSES) + SOUNDS.index(call.sound)]
        touches[rows] |= inside > 0
        if call.snr_db >= FAINT_DB or not call.is_target:
            holds[rows] |= inside >= min(HELD_SHARE * (call.stop - call.start), HELD_SECONDS * SAMPLE_RATE)
    targets = np.where(holds, 1, np.where(touches, IGNORED, 0))
    targets[NOISE] = np.where(holds.any(axis=0), 0, np.where(touches.any(axis=0), IGNORED, 1))
    return np.ascontiguousarray(targets.T, np.int8)


def examples_of(recording: Recording, every: int = 1) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
    """Return the spectrograms and targets of the windows that are not ignored for both kinds of calls.

    Only each ``every``-th window is taken. The first one begins anywhere in the first step, so that calls lie anywhere
    in a window.
    """
    step = every * PROFILE.grid(0, SAMPLE_RATE).hop
    first = int(np.random.default_rng(recording.seed).integers(0, step))
    heard = recording.samples[first:].astype(np.float32) / 32768
    grid = replace(PROFILE.grid(len(heard), SAMPLE_RATE), hop=step)
    wanted = targets_of(recording.calls, grid, first)
    windows = PROFILE.spectrograms(sliding_window_view(heard, grid.window)[:: grid.hop], SAMPLE_RATE)
    kept = (wanted[:, [TARGET, BIOLOGICAL]] != IGNORED).any(axis=1)
    # Half precision takes half the memory, and is exact to 0.03 dB of the 70 dB of a spectrogram.
    return windows[kept].astype(np.float16), wanted[kept]


class Pool:
    """Draws windows for a training without end: each time other sounds over one of the noises.

    Parameters
    ----------
    seas : sequence of Sea
    seed : int
    """

    _EVERY = 2
    """Neighbouring windows share three quarters of their samples, so each second one teaches more."""

    _SHARES = 0.4, 1.0, 0.85
    """Shares of the windows that are kept with nothing, an anemonefish, and another animal in them."""

    def __init__(self, seas: Sequence[Sea], seed: int) -> None:
        self._seas = seas
        self._drawn = np.full(len(seas), (seed - 1) * _DRAWS_OF_A_SEED)
        self._rng = np.random.default_rng(seed)
        weights = np.array([sea.recipe.draws for sea in seas], float)
        self._weights = weights / weights.sum()

    def draw(self, count: int) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
        """Return the spectrograms and targets of ``count`` windows in random order."""
        spectrograms, targets, ready = [], [], 0
        while ready < count:
            chosen = self._rng.choice(len(self._seas), p=self._weights)
            self._drawn[chosen] += 1
            recording = self._seas[chosen].draw(int(self._drawn[chosen]))
            windows, wanted = examples_of(recording, self._EVERY)
            nothing, target, other = self._SHARES
            share = np.where(wanted[:, TARGET] == 1, target, np.where(wanted[:, BIOLOGICAL] == 1, other, nothing))
            kept = self._rng.random(len(wanted)) < share
            spectrograms.append(windows[kept])
            targets.append(wanted[kept])
            ready += int(kept.sum())
        order = self._rng.permutation(ready)[:count]
        return np.concatenate(spectrograms)[order], np.concatenate(targets)[order]
