"""Band levels: a tone of known level and frequency, the same cells for every cut, levels in the right cells."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.profiles import BandDb, Image, Profile, StftDb
from anemonefish.profiles.band_levels import BandLevels, cells_per_window, first_cell_sample, measured_band

RATE = 8000


def _levels(profile: Profile, samples: NDArray[np.floating], rate: int, first: int = 0) -> BandLevels:
    grid = profile.grid(len(samples), rate)
    windows = sliding_window_view(samples.astype(profile.sample_dtype), grid.window)[:: grid.hop][first:]
    meter = profile.band_meter(grid, len(windows), rate)
    profile.spectrograms(windows[:3], rate, meter)  # in blocks, as a worker measures
    profile.spectrograms(windows[3:], rate, meter)
    return meter.levels()


def _tone(hertz: float, amplitude: float, seconds: float = 3.0, rate: int = RATE) -> NDArray[np.float64]:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize(
    "profile", [StftDb(), Image(), StftDb(fmin_hz=100, hop_seconds=0.1), BandDb(), BandDb(hop_seconds=0.13)], ids=str
)
@pytest.mark.parametrize(("hertz", "amplitude"), [(611.0, 0.5), (403.5, 0.001)])
def test_level_and_frequency_of_a_tone(profile: Profile, hertz: float, amplitude: float) -> None:
    levels = _levels(profile, _tone(hertz, amplitude), RATE)
    expected = 20 * np.log10(amplitude) - 3.01
    inner = BandLevels.decibels(levels.codes)[:, 1:-1]
    assert np.abs(inner - expected).max() < 0.5
    assert np.abs(levels.peak_hz(slice(None), RATE) - hertz).max() < 1.5


def test_sound_below_the_band_and_an_offset_are_not_measured() -> None:
    levels = _levels(StftDb(), _tone(40, 0.5) + 0.3, RATE)
    assert BandLevels.decibels(levels.codes).max() < -60


def test_silence_has_the_lowest_level() -> None:
    assert not _levels(StftDb(), np.zeros(RATE), RATE).codes.any()


def test_cells_of_all_windows_join_and_a_click_lies_in_its_cell() -> None:
    profile = StftDb(n_fft=128, hop_length=32)
    samples = np.zeros(2 * RATE)
    at = 9000
    samples[at : at + 40] = _tone(900, 0.9, 0.005)
    levels = _levels(profile, samples, RATE)
    grid = profile.grid(len(samples), RATE)
    loudest = int(levels.codes.reshape(-1).argmax())
    cell = grid.hop / levels.codes.shape[1]
    begins = first_cell_sample(grid) + loudest * cell
    assert begins - 40 <= at < begins + cell + 40


def test_a_range_has_the_same_levels_as_the_whole() -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 3 * RATE)
    whole, part = _levels(StftDb(), samples, RATE), _levels(StftDb(), samples, RATE, first=5)
    np.testing.assert_array_equal(part.codes, whole.codes[5:])
    np.testing.assert_array_equal(part.peaks, whole.peaks[5:])


@pytest.mark.parametrize("hop_seconds", [0.05, 0.2, 0.4, 0.7])
@pytest.mark.parametrize(("n_fft", "hop_length"), [(256, 64), (1024, 1024)])
def test_every_hop_has_cells_of_about_twenty_milliseconds(hop_seconds: float, n_fft: int, hop_length: int) -> None:
    profile = StftDb(hop_seconds=hop_seconds, n_fft=n_fft, hop_length=hop_length, crop_rate_hz=RATE, fmax_hz=2000)
    levels = _levels(profile, _tone(600, 0.1), RATE)
    assert levels.codes.shape[1] == round(min(hop_seconds, 0.4) / 0.02)
    assert levels.codes.all()
    assert cells_per_window(profile.grid(RATE, RATE), RATE) == levels.codes.shape[1]


def test_levels_are_exact_after_storing() -> None:
    levels = _levels(StftDb(), _tone(611, 0.5), RATE)
    read = BandLevels.from_array(levels.to_array())
    np.testing.assert_array_equal(read.codes, levels.codes)
    np.testing.assert_array_equal(read.peaks, levels.peaks)
    hertz = levels.peak_hz(slice(None), RATE).astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(BandLevels.peak_codes(hertz, RATE), levels.peaks)


def test_levels_of_a_recording_are_unknown_if_those_of_a_range_are() -> None:
    levels = _levels(StftDb(), _tone(611, 0.5), RATE)
    assert BandLevels.joined([levels, None]) is None
    joined = BandLevels.joined([levels, levels])
    assert joined is not None
    assert len(joined.codes) == 2 * len(levels.codes)


def test_the_band_of_the_lab_ends_where_its_training_meant_to_end() -> None:
    assert StftDb().band(48_000)[1] == 12_000
    assert StftDb().level_band(48_000) == (150.0, 2000.0)
    assert measured_band((0.0, 200.0)) == (0.0, 200.0)
