"""Profile ``band-db`` against a plain computation by scipy, and what it promises: no gain, no offset, no colour."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.errors import InvalidSamples, InvalidSettings, UnsupportedRecording
from anemonefish.profiles import BandDb, spectrograms

RATE = 8000


def noise(seconds: float, seed: int = 0, dtype: type = np.float32) -> NDArray[np.floating]:
    """Return noise at -46 dB re full scale."""
    samples = 0.005 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return samples.astype(dtype)


def pulses(seconds: float, at: float, amplitude: float) -> NDArray[np.float32]:
    """Return noise with three pulses of 600 Hz, 35 ms apart, from the second ``at`` on."""
    samples = noise(seconds)
    time = np.arange(int(0.03 * RATE)) / RATE
    for start in (at, at + 0.035, at + 0.07):
        first = round(start * RATE)
        pulse = amplitude * np.exp(-time / 0.008) * np.sin(2 * np.pi * 600 * time)
        samples[first : first + len(time)] += pulse.astype(np.float32)
    return samples


def plain(profile: BandDb, window: NDArray[np.floating], rate: int) -> NDArray[np.float64]:
    """Return the spectrogram by its definition, in float64 and decibels, with scipy's transform."""
    transform = scipy.signal.ShortTimeFFT(
        scipy.signal.get_window("hann", profile.n_fft), profile.hop_length, rate, fft_mode="onesided", phase_shift=None
    )
    count = 1 + (len(window) - profile.n_fft) // profile.hop_length
    half = profile.n_fft // 2
    frames = np.stack(
        [
            transform.stft(window[start : start + profile.n_fft], p0=0, p1=1, k_offset=half)[:, 0]
            for start in range(0, count * profile.hop_length, profile.hop_length)
        ]
    )
    inside = [k for k, hertz in enumerate(transform.f) if profile.fmin_hz <= hertz <= profile.fmax_hz and k > 1]
    levels = 20 * np.log10(np.maximum(np.abs(frames[:, inside]), profile.amin))
    edges = [count * part // 4 for part in range(5)]
    means = [levels[start:stop].mean(axis=0) for start, stop in pairwise(edges)]
    background = np.sort(means, axis=0)[1:3].mean(axis=0)
    scaled = (levels - background - profile.low_db) / (profile.high_db - profile.low_db)
    return np.clip(scaled, 0, 1)[:, :, np.newaxis]


PROFILES = {
    "default": (BandDb(), RATE),
    "hop of 0.2 s": (BandDb(hop_seconds=0.2), RATE),
    "4 kHz": (BandDb(n_fft=128, hop_length=40), 4000),
    "48 kHz": (BandDb(n_fft=2048, hop_length=480, fmax_hz=2000.0), 48_000),
    "hop shares no frame": (BandDb(hop_seconds=0.1111), RATE),
    "windows apart": (BandDb(hop_seconds=0.7), RATE),
    "two bins": (BandDb(fmin_hz=500, fmax_hz=540), RATE),
    "one bin": (BandDb(fmin_hz=500, fmax_hz=520), RATE),
    "every bin": (BandDb(fmin_hz=0, fmax_hz=1e6), RATE),
    "four frames": (BandDb(window_seconds=0.07, hop_seconds=0.01), RATE),
}
every = pytest.mark.parametrize(("profile", "rate"), PROFILES.values(), ids=PROFILES)


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_band_db_is_the_plain_computation(profile: BandDb, rate: int, dtype: type) -> None:
    samples = noise(1.5 * rate / RATE, dtype=dtype)
    made = spectrograms(profile, samples, rate)
    window, hop = int(profile.window_seconds * rate), int(profile.hop_seconds * rate)
    windows = [samples[start : start + window] for start in range(0, len(samples) - window + 1, hop)]
    expected = [plain(profile, one.astype(np.float64), rate) for one in windows]
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, atol=2e-6)


@pytest.mark.parametrize("samples", [np.zeros(9000), np.full(9000, 0.3), np.eye(1, 9000, 4000)[0], np.sign(noise(2))])
def test_band_db_of_silence_an_offset_a_click_and_clipping(samples: NDArray[np.floating]) -> None:
    windows = sliding_window_view(samples.astype(np.float32), 3200)[::800]
    made = BandDb().spectrograms(windows, RATE)
    # Rounding of the transform differs where a cell has no power but that rounding, which amin hides.
    np.testing.assert_allclose(made, [plain(BandDb(), window.astype(float), RATE) for window in windows], atol=2e-6)


@every
@settings(max_examples=20)
@given(data=st.data())
def test_any_range_and_any_batch_give_the_same_bits(profile: BandDb, rate: int, data: st.DataObject) -> None:
    samples = noise(9 if rate <= RATE else 18, seed=1)
    grid = profile.grid(len(samples), rate)
    windows = sliding_window_view(samples, grid.window)[:: grid.hop]
    whole = profile.spectrograms(windows, rate)
    start = data.draw(st.integers(0, grid.n_windows - 1))
    stop = data.draw(st.integers(start + 1, min(grid.n_windows, start + 80)))
    # A worker reads the samples of its range only, in blocks of any size.
    mine = samples[start * grid.hop : (stop - 1) * grid.hop + grid.window].copy()
    views = sliding_window_view(mine, grid.window)[:: grid.hop]
    batch = data.draw(st.integers(1, 80))
    made = [profile.spectrograms(views[first : first + batch], rate) for first in range(0, len(views), batch)]
    np.testing.assert_array_equal(np.concatenate(made), whole[start:stop])


def test_windows_that_share_memory_are_transformed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    transformed: list[int] = []
    real = np.fft.rfft

    def counting(frames: NDArray[np.float64], out: NDArray[np.complex128]) -> NDArray[np.complex128]:
        transformed.append(len(frames))
        return real(frames, out=out)

    monkeypatch.setattr(np.fft, "rfft", counting)
    samples = noise(3)
    windows = sliding_window_view(samples, 3200)[::800]
    BandDb().spectrograms(windows, RATE)
    assert sum(transformed) == 1 + (len(samples) - 256) // 80
    transformed.clear()
    BandDb().spectrograms(windows.copy(), RATE)
    assert sum(transformed) == len(windows) * 37


def test_gain_changes_nothing() -> None:
    sound = pulses(2, 0.7, 0.05)
    made = spectrograms(BandDb(), sound, RATE)
    np.testing.assert_allclose(spectrograms(BandDb(), np.float32(2**-6) * sound, RATE), made, atol=1e-6)
    np.testing.assert_allclose(spectrograms(BandDb(), np.float32(7.3) * sound, RATE), made, atol=1e-5)
    quantised = np.round(sound * 2**-3 * 32_768).astype(np.float32) / 32_768
    assert abs(spectrograms(BandDb(), quantised, RATE) - made).mean() < 0.01


@pytest.mark.parametrize("offset", [0.02, -0.3])
def test_an_offset_changes_nothing(offset: float) -> None:
    sound = pulses(2, 0.7, 0.05).astype(np.float64)
    shifted = spectrograms(BandDb(), sound + offset, RATE)
    np.testing.assert_allclose(shifted, spectrograms(BandDb(), sound, RATE), atol=1e-6)
    # Samples are float32, whose rounding near the offset is noise of its own.
    narrow = spectrograms(BandDb(), (sound + offset).astype(np.float32), RATE)
    assert abs(narrow - shifted).max() < 0.02


def test_the_colour_of_steady_noise_and_a_hum_change_little() -> None:
    white = noise(20)
    red = scipy.signal.lfilter([1], [1, -0.9], white).astype(np.float32)
    hum = white + 0.05 * np.sin(2 * np.pi * 300 * np.arange(len(white)) / RATE, dtype=np.float32)
    for samples in (white, red, hum):
        made = spectrograms(BandDb(), samples, RATE)[..., 0]
        # The background is a third by definition; the mean level of noise lies near it in every bin.
        np.testing.assert_allclose(made.mean(axis=(0, 1)), 1 / 3, atol=0.01)


def test_a_call_is_bright_over_a_dark_background() -> None:
    (made,) = spectrograms(BandDb(), pulses(0.4, 0.15, 0.05), RATE)[..., 0]
    frame, bin_ = np.unravel_index(made.argmax(), made.shape)
    assert abs((bin_ + BandDb().lowest_bin(RATE)) * RATE / 256 - 600) < 50
    assert 12 <= frame <= 24
    assert made.max() > 0.65
    assert abs(np.median(made) - 1 / 3) < 0.05


@pytest.mark.parametrize("quarter", range(4))
def test_a_gap_or_a_call_in_one_quarter_leaves_the_rest_as_it_was(quarter: int) -> None:
    samples = noise(0.4)
    (clean,) = BandDb().spectrograms(samples[np.newaxis], RATE)[..., 0]
    broken = samples.copy()
    broken[quarter * 800 + 200 : quarter * 800 + 500] = 0
    (made,) = BandDb().spectrograms(broken[np.newaxis], RATE)[..., 0]
    untouched = [frame for frame in range(37) if abs(frame * 80 + 128 - (quarter * 800 + 350)) > 400]
    assert abs(made - clean)[untouched].mean() < 0.06


def test_shapes_and_band() -> None:
    assert BandDb().input_shape(RATE) == (37, 45, 1)
    assert BandDb().band(RATE) == (125.0, 1500.0)
    assert BandDb(fmin_hz=0).lowest_bin(RATE) == 2
    assert BandDb(fmax_hz=1e6).band(RATE) == (125.0, 4000.0)
    assert replace(BandDb(), window_seconds=0.8).input_shape(RATE) == (77, 45, 1)


def test_what_makes_no_spectrogram_is_refused() -> None:
    with pytest.raises(UnsupportedRecording, match="has 480 samples and a spectrogram needs 496"):
        BandDb(window_seconds=0.06).input_shape(RATE)
    with pytest.raises(UnsupportedRecording, match="no bin lies between fmin_hz 100 and fmax_hz 110"):
        BandDb(fmax_hz=110).input_shape(RATE)
    with pytest.raises(InvalidSettings, match=r"fmin_hz must be below fmax_hz, 1500"):
        BandDb(fmin_hz=1500)


@pytest.mark.parametrize(("name", "value"), [("low_db", 0), ("high_db", 0), ("fmin_hz", -1), ("amin", 0), ("n_fft", 9)])
def test_constants_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidSettings, match=rf"^{name} must be "):
        BandDb(**{name: value})  # type: ignore[arg-type]


@pytest.mark.filterwarnings("error")
def test_the_window_of_a_bad_sample_is_named() -> None:
    samples = noise(20)
    samples[100_000] = np.nan
    windows = sliding_window_view(samples, 3200)[::800]
    first = next(i for i in range(len(windows)) if i * 800 + 36 * 80 + 256 > 100_000)
    for views in (windows, windows.copy()):
        with pytest.raises(InvalidSamples, match=f"window {first} of {len(windows)} holds samples that are NaN"):
            BandDb().spectrograms(views, RATE)
