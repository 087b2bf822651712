"""Scenes and measurements that several tests of the simulation use."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anemonefish.simulation.scene import scene
from anemonefish.simulation.scene_settings import SceneSettings

RATE = 16000
STILL = SceneSettings(
    biological_per_minute=0,
    boat_fraction=0,
    snaps_per_minute=(0, 0),
    rustles_per_minute=(0, 0),
    hum_chance=0,
    snr_db=(25, 25),
)
EMPTY = SceneSettings(calls_per_minute=0, biological_per_minute=0)


def samples(drawn, block=RATE):
    return np.concatenate(list(drawn.blocks(block)))


def without_calls(drawn):
    """Return the same scene without its calls."""
    return scene(
        drawn.n_samples / drawn.sample_rate,
        drawn.seed,
        drawn.sample_rate,
        replace(drawn.settings, calls_per_minute=0, biological_per_minute=0),
    )


def calls_alone(drawn):
    return samples(drawn).astype(np.float64) - samples(without_calls(drawn))


def band_power(signal, rate, low, high):
    """Return the mean power of the part of a signal between two frequencies."""
    hz = np.fft.rfftfreq(len(signal), 1 / rate)
    spectrum = np.abs(np.fft.rfft(signal)) ** 2
    return 2 * spectrum[(hz >= low) & (hz <= high)].sum() / len(signal) ** 2
