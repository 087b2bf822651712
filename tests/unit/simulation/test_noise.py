"""Snaps, rustles and boats come at the rates of the settings, and noise is steady."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anemonefish.simulation.scene import scene
from tests.unit.simulation.scenes import EMPTY, RATE, band_power, samples


def test_snaps_are_broadband_clicks_at_the_rate_of_the_settings() -> None:
    calm = replace(EMPTY, snaps_per_minute=(0, 0), rustles_per_minute=(0, 0), boat_fraction=0)
    snapping = replace(calm, snaps_per_minute=(600, 600), snap_db=(20, 20))
    clicks = samples(scene(60, 9, 48000, snapping)).astype(np.float64) - samples(scene(60, 9, 48000, calm))
    within = band_power(clicks, 48000, 2000, 15000) / band_power(clicks, 48000, 0, 24000)
    assert 0.6 < within < 0.99
    above = np.flatnonzero(np.abs(clicks) > 0.05 * np.quantile(np.abs(clicks), 0.9999))
    clusters = 1 + np.count_nonzero(np.diff(above) > 48)
    assert 600 * 0.85 < clusters < 2 * 600 * 1.15  # each has an echo, which may stand apart


def test_rustles_come_at_the_rate_of_the_settings_with_silence_between_them() -> None:
    calm = replace(EMPTY, boat_fraction=0, rustles_per_minute=(0, 0))
    drawn = scene(600, 8, 8000, replace(calm, rustles_per_minute=(12, 12)))
    rustles = samples(drawn).astype(np.float64) - samples(scene(600, 8, 8000, calm))
    heard = np.flatnonzero(np.abs(rustles) > 1e-3 * np.abs(rustles).max())
    bursts = 1 + np.count_nonzero(np.diff(heard) > 8000 // 5)
    assert 12 * 10 * 0.6 < bursts < 12 * 10 * 1.3  # some overlap, some are faint
    assert np.median(np.abs(rustles)) < 0.01 * rustles.std()


def test_boats_are_loud_for_the_fraction_of_time_of_the_settings() -> None:
    drawn = scene(4000, 4, 8000, replace(EMPTY, snaps_per_minute=(0, 0), rustles_per_minute=(0, 0)))
    levels = [band_power(block, 8000, 100, 1000) for block in drawn.blocks(2 * 8000)]
    loud = np.mean(10 * np.log10(levels / np.median(levels)) > 7)
    assert 0.03 < loud < 0.13


def test_noise_is_steady_across_tiles_and_from_the_first_sample_on() -> None:
    calm = replace(
        EMPTY, snaps_per_minute=(0, 0), rustles_per_minute=(0, 0), boat_fraction=0, hum_chance=0, flow_db=(-40, -40)
    )
    noise = samples(scene(30, 6, RATE, calm)).astype(np.float64)
    tenths = noise[: 300 * RATE // 10].reshape(300, -1)
    levels = 10 * np.log10(np.square(tenths).mean(axis=1))
    around_borders = levels[[0, 1, 99, 100, 199, 200, 299]]
    assert np.abs(around_borders - np.median(levels)).max() < 5 * levels.std()
    assert levels.std() < 3
