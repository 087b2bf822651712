"""Decimation: exact in the band of a model, no aliases there, and any cut gives the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from anemonefish.audio.decimate import _taps, fits
from anemonefish.audio.resample import at_rate, resampled_length, resampling
from anemonefish.profiles import BandDb, Image, StftDb, spectrograms
from tests.unit.audio.test_resample import Memory, noise

TOP_HZ = 1562.5
RATES = [
    (16_000, 8000),
    (24_000, 8000),
    (48_000, 8000),
    (96_000, 8000),
    (192_000, 8000),
    (384_000, 8000),
    (48_000, 4000),
]


def tone(rate: int, hertz: float, seconds: float = 1.0) -> Memory:
    return Memory(rate, np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate))


def middle(signal: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return a signal without its ends, where the filter reaches beyond the recording."""
    return signal[len(signal) // 4 : -len(signal) // 4]


@pytest.mark.parametrize(("rate", "wanted"), RATES)
@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_tones_of_the_band_are_exact(rate: int, wanted: int, share: float) -> None:
    made = at_rate(tone(rate, share * TOP_HZ), wanted, TOP_HZ)
    signal = made.read(0, made.n_samples)
    expected = np.sin(2 * np.pi * share * TOP_HZ * np.arange(len(signal)) / wanted)
    np.testing.assert_allclose(middle(signal), middle(expected), atol=1e-5)


@pytest.mark.parametrize(("rate", "wanted"), RATES)
def test_what_would_be_folded_into_the_band_is_removed(rate: int, wanted: int) -> None:
    for multiple in {1, 2, rate // wanted // 2}:
        for offset in (-TOP_HZ, -600, 0, 450, TOP_HZ):
            hertz = multiple * wanted + offset
            if wanted - TOP_HZ <= hertz <= rate / 2:
                made = at_rate(tone(rate, hertz), wanted, TOP_HZ)
                assert abs(middle(made.read(0, made.n_samples))).max() < 4e-6, hertz


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rate", "wanted"), RATES)
def test_tiles_equal_one_convolution(rate: int, wanted: int, dtype: str) -> None:
    recording = noise(rate, 9.3, dtype)
    made = at_rate(recording, wanted, TOP_HZ)
    whole = made.read(0, made.n_samples)
    taps = _taps(rate, wanted, TOP_HZ)
    expected = np.convolve(recording.signal.astype(np.float64), taps, "same")[:: rate // wanted][: len(whole)]
    assert whole.dtype == dtype
    assert len(whole) == resampled_length(recording.n_samples, rate, wanted)
    np.testing.assert_allclose(whole, expected, atol=1e-6 if dtype == "float32" else 1e-12)


@settings(max_examples=40)
@given(rate=st.sampled_from([16_000, 48_000, 96_000]), data=st.data())
def test_any_cut_gives_the_same_bytes(rate: int, data: st.DataObject) -> None:
    recording = noise(rate, data.draw(st.sampled_from([0.0001, 0.003, 4.0, 9.7])), "float32")
    n = resampled_length(recording.n_samples, rate, 8000)
    start = data.draw(st.integers(0, n))
    stop = data.draw(st.integers(start, n))
    cut = data.draw(st.integers(start, stop))
    whole = at_rate(recording, 8000, TOP_HZ).read(start, stop)
    parts = [at_rate(recording, 8000, TOP_HZ).read(*ends) for ends in ((start, cut), (cut, stop))]
    assert whole.tobytes() == np.concatenate(parts).tobytes()
    assert len(whole) == stop - start


def test_spectrograms_are_those_of_soxr() -> None:
    recording = noise(48_000, 6, "float32")
    profile = BandDb()
    fast, full = (at_rate(recording, 8000, top) for top in (profile.top_hz(8000), None))
    made, expected = (spectrograms(profile, view.read(0, view.n_samples), 8000) for view in (fast, full))
    np.testing.assert_allclose(made, expected, atol=2e-3)
    assert abs(made - expected).mean() < 1e-5


def test_when_a_recording_is_decimated() -> None:
    assert all(fits(rate, wanted, TOP_HZ) for rate, wanted in RATES)
    assert not fits(44_100, 8000, TOP_HZ)
    assert not fits(8000, 8000, TOP_HZ)
    assert not fits(4000, 8000, TOP_HZ)
    assert not fits(48_000, 4000, 1900)  # too little room between the band and its alias
    assert not fits(8000 * 65, 8000, TOP_HZ)
    assert resampling(48_000, 8000, TOP_HZ) == "decimated by 6, exact up to 1562.5 Hz"
    assert resampling(44_100, 8000, TOP_HZ) == resampling(48_000, 8000) == "soxr HQ"
    assert BandDb().top_hz(8000) == TOP_HZ
    # Decibels relative to the loudest of all bins depend on every frequency.
    assert StftDb().top_hz(48_000) is Image().top_hz(48_000) is None
