"""Simulate a reef: anemonefish calls, the sounds one confuses them with, and noise, with exact labels.

The reference network is trained on such scenes, and tests and demonstrations use them because no openly licensed
recording of an anemonefish could be found. A scene is no reef: levels, spectra and the spacing of calls are partly
inferred, and the modules say which.

:func:`scene` first draws the calls of every tile of ten seconds (:mod:`.calls`); they are the labels. The samples are
made later, tile by tile: noise (:mod:`.noise`) plus the calls that overlap the tile, through the recorder
(:mod:`.recorder`). On one machine the same seed, length, rate and settings give the same samples, whatever the block
size, and a longer scene begins like a shorter one of the same seed. Memory holds a few tiles, so a scene may last a
day.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import soundfile
from numpy.typing import NDArray

from anemonefish.annotations.selections import Selection
from anemonefish.errors import InvalidSettings
from anemonefish.simulation.calls import Sound, draw_sounds, render
from anemonefish.simulation.decibels import amplitude
from anemonefish.simulation.noise import ReefNoise
from anemonefish.simulation.random_streams import TILE_SECONDS
from anemonefish.simulation.recorder import Recorder
from anemonefish.simulation.scene_settings import SceneSettings

__all__ = ["MINIMUM_RATE", "Scene", "scene", "write_scene"]

MINIMUM_RATE = 8000
"""Lowest sample rate, in Hz: calls reach about 1.3 kHz, and the models of this package need at least this rate."""

_FULL_SCALE = 32768
_RF64_FROM = (1 << 32) - (1 << 16)  # bytes of samples; the header of a plain WAV cannot hold 2**32


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A drawn scene; made by :func:`scene`. Its samples are made when they are needed.

    Attributes
    ----------
    sample_rate : int
        Samples per second.
    n_samples : int
        Length.
    seed : int
    settings : SceneSettings
    sounds : tuple of Sound
        Every labelled sound, in the order of their starts.
    """

    sample_rate: int
    n_samples: int
    seed: int
    settings: SceneSettings
    sounds: tuple[Sound, ...]

    @cached_property
    def labels(self) -> tuple[Selection, ...]:
        """The labels, in the order of their starts; each lies wholly inside the scene.

        Bands reach to the points 10 dB below the peaks of a call.
        """
        return tuple(
            Selection(sound.start, sound.stop, sound.label, sound.low_hz, sound.high_hz) for sound in self.sounds
        )

    def blocks(self, block_samples: int) -> Iterator[NDArray[np.float32]]:
        """Yield the samples in blocks of ``block_samples``; the last may be shorter.

        Yields
        ------
        ndarray, shape (block_samples,), float32
            Within [-1, 1).

        Raises
        ------
        ValueError
            ``block_samples`` is below 1.
        """
        if block_samples < 1:
            raise ValueError(f"block_samples must be at least 1, not {block_samples}")
        kept: list[NDArray[np.float32]] = []
        n_kept = 0
        for tile in _tiles(self):
            kept.append(tile)
            n_kept += len(tile)
            if n_kept >= block_samples:
                joined = np.concatenate(kept)
                whole = n_kept - n_kept % block_samples
                yield from joined[:whole].reshape(-1, block_samples)
                kept, n_kept = [joined[whole:].copy()], n_kept - whole
        if n_kept:
            yield np.concatenate(kept)


def scene(seconds: float, seed: int, sample_rate: int = 48000, settings: SceneSettings | None = None) -> Scene:
    """Draw a scene.

    Parameters
    ----------
    seconds : float
        Length; it has ``int(seconds * sample_rate)`` samples.
    seed : int
        At least 0.
    sample_rate : int
        Samples per second, at least 8000. Animals whose calls reach above 0.45 of it are left out.
    settings : SceneSettings, optional
        What to draw from; by default, the defaults of each field.

    Raises
    ------
    InvalidSettings
        The length, the seed or the rate is out of range.
    """
    if not seconds > 0:
        raise InvalidSettings(f"a scene must last more than 0 seconds, not {seconds!r}")
    if seed < 0:
        raise InvalidSettings(f"a seed must be at least 0, not {seed!r}")
    if sample_rate < MINIMUM_RATE:
        raise InvalidSettings(f"a scene needs a sample rate of at least {MINIMUM_RATE} Hz, not {sample_rate!r}")
    settings = settings or SceneSettings()
    n_samples = int(seconds * sample_rate)
    tiles = range(-(-n_samples // (TILE_SECONDS * sample_rate)))
    drawn = [sound for tile in tiles for sound in draw_sounds(seed, tile, sample_rate, settings)]
    inside = [sound for sound in drawn if sound.stop <= n_samples]
    inside.sort(key=lambda sound: (sound.start, sound.stop, sound.seed))
    return Scene(sample_rate=sample_rate, n_samples=n_samples, seed=seed, settings=settings, sounds=tuple(inside))


def write_scene(scene: Scene, wav_path: str | os.PathLike[str]) -> None:
    """Write a scene as 16-bit PCM WAV, or as RF64 if it exceeds the 4 GB of a WAV, block by block."""
    container = "RF64" if 2 * scene.n_samples >= _RF64_FROM else "WAV"
    with soundfile.SoundFile(
        wav_path, "w", samplerate=scene.sample_rate, channels=1, format=container, subtype="PCM_16"
    ) as file:
        for block in scene.blocks(scene.sample_rate):
            file.write(np.rint(block * np.float32(_FULL_SCALE - 1)).astype(np.int16))


def _tiles(scene: Scene) -> Iterator[NDArray[np.float32]]:
    """Yield the samples in tiles of ten seconds; the last one ends with the scene."""
    length = TILE_SECONDS * scene.sample_rate
    noise = ReefNoise(scene.seed, scene.sample_rate, scene.settings)
    starts = [sound.start for sound in scene.sounds]
    longest = max((sound.end(scene.sample_rate) - sound.start for sound in scene.sounds), default=0)
    recorder = Recorder.of(scene.seed, scene.settings)
    for tile, samples in enumerate(noise.tiles(-(-scene.n_samples // length))):
        begin = tile * length
        overlapping = slice(bisect_left(starts, begin - longest), bisect_left(starts, begin + length))
        for sound in scene.sounds[overlapping]:
            _add_sound(samples, sound, noise, begin, scene.sample_rate)
        recorder.record(samples)
        np.clip(samples, -1, 1 - 1 / _FULL_SCALE, out=samples)
        yield samples[: scene.n_samples - begin].copy()


def _add_sound(samples: NDArray[np.float32], sound: Sound, noise: ReefNoise, begin: int, sample_rate: int) -> None:
    """Add the part of a sound that lies in the tile that begins at sample ``begin``."""
    first, last = max(sound.start, begin), min(sound.end(sample_rate), begin + len(samples))
    if first >= last:
        return
    noise_power = noise.power_in(sound.low_hz, sound.high_hz)
    wave = render(sound, sample_rate) * np.sqrt(noise_power * amplitude(sound.snr_db) ** 2)
    samples[first - begin : last - begin] += wave[first - sound.start : last - sound.start].astype(np.float32)
