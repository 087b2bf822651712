"""The profiles without the stacks they replace: what they promise about blocks, memory, limits and formats."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

import anemonefish
from anemonefish.errors import InvalidBundle, InvalidSamples, InvalidSettings, UnsupportedRecording
from anemonefish.profiles import (
    PROFILES,
    BandDb,
    Image,
    Profile,
    StftDb,
    profile_from_dict,
    profile_named,
    spectrograms,
)
from anemonefish.profiles.magma import MAGMA
from anemonefish.profiles.stft import Stft
from anemonefish.windows import WindowGrid

PROFILES_UNDER_TEST = [StftDb(), Image(), Image(window_seconds=0.4, hop_seconds=0.2), BandDb()]
every = pytest.mark.parametrize("profile", PROFILES_UNDER_TEST, ids=["stft-db", "image", "image-0.4-0.2", "band-db"])


def _sound(n: int, dtype: type = np.float64, seed: int = 0) -> NDArray[np.floating]:
    return (0.1 * np.random.default_rng(seed).standard_normal(n)).astype(dtype)


# Shapes and grids


@pytest.mark.parametrize(("rate", "frames"), [(48_000, 76), (44_100, 69), (8000, 13), (96_000, 151)])
def test_stft_db_shape_follows_the_sample_rate(rate: int, frames: int) -> None:
    assert StftDb().input_shape(rate) == (frames, 256, 1)
    assert spectrograms("stft-db", _sound(rate), rate).shape == (4, frames, 256, 1)


@pytest.mark.parametrize("rate", [2000, 48_000, 192_000])
def test_image_shape_does_not(rate: int) -> None:
    assert Image().input_shape(rate) == (256, 256, 3)
    assert spectrograms("image", _sound(rate * 3 // 2, np.float32), rate).shape == (2, 256, 256, 3)


def test_a_crop_beyond_the_last_bin_keeps_every_bin() -> None:
    assert StftDb(fmax_hz=5000).input_shape(8000) == (13, 513, 1)
    assert spectrograms(StftDb(fmax_hz=5000), _sound(8000), 8000).shape == (4, 13, 513, 1)


def test_grid_cuts_seconds_to_samples_as_the_training_did() -> None:
    assert StftDb().grid(100_000, 44_100) == WindowGrid(100_000, 17_640, 8820)
    assert StftDb(window_seconds=0.29, hop_seconds=0.1).grid(0, 100).window == 28  # 0.29 * 100 = 28.999999999999996


@every
def test_a_recording_shorter_than_a_window_has_no_spectrogram(profile: Profile) -> None:
    window = profile.grid(0, 8000).window
    for n in (0, 1, window - 1):
        made = spectrograms(profile, _sound(n), 8000)
        assert made.shape == (0, *profile.input_shape(8000))
        assert made.dtype == np.float32
    assert len(spectrograms(profile, _sound(window), 8000)) == 1


def test_band_is_what_a_spectrogram_shows() -> None:
    assert StftDb().band(48_000) == (0.0, 12_000.0)  # not 2000 Hz: see StftDb.crop_rate_hz
    assert StftDb().band(8000) == (0.0, 2000.0)
    assert StftDb(fmax_hz=1e6).band(8000) == (0.0, 4000.0)
    assert Image().band(48_000) == (0.0, 42 * 48_000 / 1024)
    assert Image().band(2000) == (0.0, 1000.0)


def test_the_front_of_the_package() -> None:
    assert anemonefish.spectrograms is spectrograms
    assert Image.any_sample_rate
    assert not StftDb.any_sample_rate
    assert (StftDb.sample_dtype, Image.sample_dtype) == (np.float64, np.float32)


# What is in a spectrogram


def test_magnitudes_are_the_transform_by_its_definition() -> None:
    samples = _sound(3000)
    made = Stft(3000, 64, 16, samples.dtype).magnitudes(samples)
    padded = np.pad(samples, 32)
    weights = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    basis = np.exp(-2j * np.pi * np.outer(np.arange(33), np.arange(64)) / 64)
    expected = [np.abs(basis @ (weights * padded[16 * frame :][:64])) for frame in range(1 + 3000 // 16)]
    np.testing.assert_allclose(made, expected, rtol=1e-9, atol=1e-12)


def test_stft_db_has_time_first_and_frequency_second() -> None:
    """A click is bright in its frame at every frequency, a tone in its bin at every time."""
    rate = 48_000
    click = np.zeros(19_200)
    click[256 * 30] = 1
    (made,) = spectrograms("stft-db", click, rate)
    assert set(made[:, :, 0].mean(axis=1).argsort()[-3:]) == {29, 30, 31}
    tone = np.sin(2 * np.pi * 100 * rate / 1024 * np.arange(19_200) / rate)
    (made,) = spectrograms("stft-db", tone, rate)
    assert set(made[5:-5, :, 0].argmax(axis=1)) == {100}


def test_image_has_low_frequencies_at_the_bottom_and_time_to_the_right() -> None:
    rate = 48_000
    time = np.arange(rate) / rate
    tone = np.where(time > 0.5, np.sin(2 * np.pi * 500 * time), 0)
    (made,) = spectrograms("image", tone, rate)
    brightness = made.sum(axis=2)
    row, column = np.unravel_index(brightness.argmax(), brightness.shape)
    assert abs(row - 256 * (1 - 500 / (42 * rate / 1024))) < 7
    assert column > 127
    assert brightness[:, :120].max() < brightness[:, 136:].max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silence(dtype: type) -> None:
    silence = np.zeros(48_000, dtype)
    assert not spectrograms("stft-db", silence, 48_000).any()
    picture = spectrograms("image", silence, 48_000)
    assert np.array_equal(picture, np.broadcast_to(MAGMA[0] / np.float32(255), picture.shape))


@every
@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e-4, 1.0, 1e6])
def test_values_lie_between_0_and_1_at_any_level(profile: Profile, scale: float) -> None:
    made = spectrograms(profile, scale * _sound(12_000), 8000)
    assert made.min() >= 0
    assert made.max() <= 1
    assert made.any() == (scale > 1e-6 or not isinstance(profile, StftDb))


@pytest.mark.parametrize("kind", ["stft-db", "image"])
def test_float64_is_never_narrowed(kind: str) -> None:
    wide = _sound(9600)
    narrow = wide.astype(np.float32)
    made = spectrograms(kind, narrow, 8000)
    from_float64 = spectrograms(kind, wide, 8000)
    if kind == "stft-db":  # always computes in float64, so the samples alone decide
        np.testing.assert_array_equal(made, spectrograms(kind, narrow.astype(np.float64), 8000))
    assert not np.array_equal(made, from_float64) or kind == "image"
    np.testing.assert_allclose(made, from_float64, atol=1e-4 if kind == "stft-db" else 0.05)


# The same bits however computed


@every
@given(data=st.data())
def test_any_cut_gives_the_same_bits(profile: Profile, data: st.DataObject) -> None:
    rate = data.draw(st.sampled_from([4000, 8000, 11_025]))
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    samples = _sound(6 * rate, dtype, seed=rate)
    whole = spectrograms(profile, samples, rate)
    grid = profile.grid(len(samples), rate)
    start = data.draw(st.integers(0, grid.n_windows - 1))
    stop = data.draw(st.integers(start + 1, grid.n_windows))
    cut = samples[start * grid.hop : (stop - 1) * grid.hop + grid.window]
    np.testing.assert_array_equal(spectrograms(profile, cut, rate), whole[start:stop])


@every
def test_any_order_and_any_layout_gives_the_same_bits(profile: Profile) -> None:
    rate = 8000
    samples = _sound(5 * rate)
    grid = profile.grid(len(samples), rate)
    views = sliding_window_view(samples, grid.window)[:: grid.hop]
    expected = spectrograms(profile, samples, rate)
    odd = np.empty((len(views), grid.window + 3))[:, 1:-2]
    odd[:] = views
    layouts = {
        "strided": views,
        "contiguous": np.ascontiguousarray(views),
        "column-major": np.asfortranarray(views),
        "offset rows": odd,
        "every second sample": np.repeat(views, 2, axis=1)[:, ::2],
        "backwards in memory": np.ascontiguousarray(views[:, ::-1])[:, ::-1],
    }
    for name, windows in layouts.items():
        np.testing.assert_array_equal(profile.spectrograms(windows, rate), expected, err_msg=name)
    order = np.random.default_rng(1).permutation(len(views))
    np.testing.assert_array_equal(profile.spectrograms(views[order], rate), expected[order])
    np.testing.assert_array_equal(profile.spectrograms(views[::-1], rate), expected[::-1])
    alone = [profile.spectrograms(views[i : i + 1], rate)[0] for i in range(len(views))]
    np.testing.assert_array_equal(alone, expected)


@every
def test_a_loud_neighbour_changes_nothing(profile: Profile) -> None:
    """Each window has its own reference, floor and scale, and leaves nothing behind in reused memory."""
    quiet = 1e-5 * _sound(profile.grid(0, 8000).window)
    windows = np.stack([quiet, np.ones_like(quiet), quiet, np.zeros_like(quiet), quiet])
    made = profile.spectrograms(windows, 8000)
    np.testing.assert_array_equal(made[2], made[0])
    np.testing.assert_array_equal(made[4], made[0])
    assert not np.array_equal(made[1], made[0])


@pytest.mark.parametrize("frames", [127, 128, 129, 300])
def test_frames_are_the_same_at_the_seams_of_chunks(frames: int) -> None:
    """A long window is transformed in several pieces; each frame must equal the one transformed alone."""
    samples = _sound(64 * (frames - 1) + 5)
    made = Stft(len(samples), 128, 64, samples.dtype).magnitudes(samples)
    padded = np.pad(samples, 64)
    for frame in range(frames):
        one = Stft(128, 128, 64, samples.dtype).magnitudes(padded[64 * frame :][:128])[1]
        np.testing.assert_array_equal(made[frame], one)


@every
def test_the_samples_are_left_as_they_were(profile: Profile) -> None:
    samples = _sound(12_000)
    kept = samples.copy()
    samples.flags.writeable = False
    spectrograms(profile, samples, 8000)
    np.testing.assert_array_equal(samples, kept)


@every
def test_memory_beside_the_result_does_not_grow_with_the_recording(profile: Profile) -> None:
    def beside(seconds: int) -> int:
        samples = _sound(seconds * 8000)
        tracemalloc.start()
        made = spectrograms(profile, samples, 8000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak - made.nbytes

    beside(2)  # what is computed once and kept
    short, long = beside(16), beside(60)
    assert long < short + 50_000
    assert long < 10_000_000


# What is refused


@pytest.mark.parametrize("profile", [StftDb(), Image()])
@pytest.mark.parametrize("dtype", [np.int16, np.float16, np.complex128, np.longdouble, ">f4"])
def test_samples_that_are_not_floats_are_refused(profile: Profile, dtype: Any) -> None:
    with pytest.raises(InvalidSettings, match="samples must be float32 or float64"):
        spectrograms(profile, np.zeros(9000, dtype), 8000)


@pytest.mark.parametrize("shape", [(), (9000, 1), (1, 9000)])
def test_samples_that_are_not_mono_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidSettings, match=r"one-dimensional.*average the channels"):
        spectrograms("image", np.zeros(shape), 8000)


@pytest.mark.parametrize("shape", [(3200,), (2, 3199), (2, 3201), (2, 3200, 1)])
def test_windows_of_another_length_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidSettings, match=r"\(n, 3200\) at 8000 Hz"):
        StftDb().spectrograms(np.zeros(shape), 8000)


@pytest.mark.filterwarnings("error")
@every
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_samples_without_a_decibel_are_refused(profile: Profile, bad: float) -> None:
    windows = np.tile(_sound(profile.grid(0, 8000).window), (3, 1))
    windows[1, 700] = bad
    with pytest.raises(InvalidSamples, match="window 1 of 3"):
        profile.spectrograms(windows, 8000)


@pytest.mark.filterwarnings("error")
def test_float32_overflow_is_refused() -> None:
    with pytest.raises(InvalidSamples, match="far beyond full scale"):
        Image().spectrograms(np.full((1, 8000), 1e30, np.float32), 8000)


def test_rates_without_a_picture_are_refused() -> None:
    with pytest.raises(UnsupportedRecording, match=r"at 200 Hz a window of 1\.0 s has 200 samples"):
        Image().input_shape(200)
    with pytest.raises(UnsupportedRecording, match="at 3000000 Hz no bin lies below"):
        Image().input_shape(3_000_000)
    with pytest.raises(UnsupportedRecording, match="shorter than one sample"):
        StftDb().grid(100, 4)


@pytest.mark.parametrize("cls", [StftDb, Image])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_seconds", 0),
        ("window_seconds", -1.0),
        ("window_seconds", 61),
        ("window_seconds", float("nan")),
        ("window_seconds", "0.4"),
        ("window_seconds", True),
        ("hop_seconds", 0.0),
        ("hop_seconds", None),
        ("hop_seconds", float("inf")),
        ("n_fft", 0),
        ("n_fft", 1023),
        ("n_fft", 1024.0),
        ("n_fft", 1 << 20),
        ("hop_length", 0),
        ("hop_length", 1025),
        ("hop_length", True),
        ("top_db", -1),
        ("top_db", float("nan")),
        ("amin", 0),
        ("amin", 2),
        ("fmax_hz", 0),
        ("fmax_hz", "high"),
    ],
)
def test_constants_out_of_range_are_refused(cls: type[Profile], name: str, value: object) -> None:
    with pytest.raises(InvalidSettings, match=rf"^{name} must be "):
        cls(**{name: value})


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (StftDb, "fmin_hz", -1),
        (StftDb, "crop_rate_hz", 0),
        (StftDb, "crop_rate_hz", 1e6),
        (Image, "width", 0),
        (Image, "height", 2.5),
    ],
)
def test_constants_of_one_profile_are_refused(cls: type[Profile], name: str, value: object) -> None:
    with pytest.raises(InvalidSettings, match=r" must be "):
        cls(**{name: value, **({"fmax_hz": 900.0} if value == 1e6 else {})})


@pytest.mark.parametrize("rate", [8000, 48_000])
def test_an_offset_of_the_recorder_changes_nothing_above_fmin(rate: int) -> None:
    profile, labs = StftDb(fmin_hz=100), StftDb()
    sound = 0.01 * _sound(int(0.4 * rate))[np.newaxis]
    clean, shifted = (profile.spectrograms(samples, rate) for samples in (sound, sound + 0.02))
    np.testing.assert_allclose(clean, shifted, atol=1e-6)
    clean, shifted = (labs.spectrograms(samples, rate) for samples in (sound, sound + 0.02))
    assert abs(clean - shifted).max() > 0.1, "the lab's profile takes an offset for the loudest sound"


def test_a_bundle_from_before_fmin_removes_nothing() -> None:
    document = StftDb(hop_seconds=0.1).to_dict()
    del document["fmin_hz"]
    assert profile_from_dict(document) == StftDb(hop_seconds=0.1)


def test_bins_below_fmin_are_not_shown() -> None:
    assert StftDb(fmin_hz=100).input_shape(48_000) == (76, 253, 1)
    assert StftDb(fmin_hz=100).band(48_000) == (140.625, 12_000.0)
    with pytest.raises(UnsupportedRecording, match="choose a lower fmin_hz"):
        StftDb(fmin_hz=3000).input_shape(8000)


def test_a_profile_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        StftDb().n_fft = 512  # type: ignore[misc]
    assert replace(StftDb(), hop_seconds=0.1) == StftDb(hop_seconds=0.1) != StftDb()
    assert len({StftDb(), StftDb(), Image()}) == 2


# Names and bundles


def test_the_lab_s_constants() -> None:
    assert StftDb().to_dict() == {
        "kind": "stft-db",
        "window_seconds": 0.4,
        "hop_seconds": 0.2,
        "n_fft": 1024,
        "hop_length": 256,
        "top_db": 80.0,
        "amin": 1e-5,
        "fmin_hz": 0.0,
        "fmax_hz": 2000.0,
        "crop_rate_hz": 8000.0,
    }
    assert Image().to_dict() == {
        "kind": "image",
        "window_seconds": 1.0,
        "hop_seconds": 0.4,
        "n_fft": 1024,
        "hop_length": 256,
        "top_db": 80.0,
        "amin": 1e-5,
        "fmax_hz": 2000.0,
        "width": 256,
        "height": 256,
    }


@pytest.mark.parametrize("kind", PROFILES)
@given(
    window=st.floats(0.001, 60),
    hop=st.floats(0.001, 60),
    fmax=st.floats(101, 1e6),
    amin=st.floats(1e-12, 1),
    n_fft=st.integers(128, 4096).map(lambda half: 2 * half),
)
def test_profile_is_equal_after_writing_and_reading_a_bundle(
    kind: str, window: float, hop: float, fmax: float, amin: float, n_fft: int
) -> None:
    kept = {"crop_rate_hz": 2 * fmax} if kind == "stft-db" and fmax <= 5e5 else {}
    profile = profile_named(kind, window_seconds=window, hop_seconds=hop, fmax_hz=fmax, amin=amin, n_fft=n_fft, **kept)
    assert profile_from_dict(json.loads(json.dumps(profile.to_dict()))) == profile


def test_profiles_by_name() -> None:
    assert profile_named("stft-db") == StftDb()
    assert profile_named("image", hop_seconds=0.2) == Image(hop_seconds=0.2)
    with pytest.raises(InvalidSettings, match=r"no profile 'mel'; the profiles are stft-db, image, band-db"):
        profile_named("mel")
    with pytest.raises(InvalidSettings, match="profile stft-db has no constant 'width'"):
        profile_named("stft-db", width=3)
    with pytest.raises(InvalidSettings, match="no profile 'mel'"):
        spectrograms("mel", np.zeros(10), 8000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "mel"}, "kind must be one of stft-db, image, band-db, not 'mel'"),
        ({"kind": None}, "kind must be one of"),
        ({"kind": ["image"]}, "kind must be one of"),
        ({"colour": "red"}, "profile stft-db: 'colour' is unknown"),
        ({"n_fft": -1}, "profile stft-db: n_fft must be a whole number"),
        ({"kind": "image"}, "profile image: 'crop_rate_hz' is unknown"),
    ],
)
def test_bundles_with_another_profile_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidBundle, match=message):
        profile_from_dict(StftDb().to_dict() | change)


def test_bundles_with_half_a_profile_are_refused() -> None:
    for name in StftDb().to_dict().keys() - {"fmin_hz"}:
        half = StftDb().to_dict()
        del half[name]
        with pytest.raises(InvalidBundle, match=name):
            profile_from_dict(half)
    with pytest.raises(InvalidBundle, match="must be an object"):
        profile_from_dict(["image"])  # type: ignore[arg-type]
