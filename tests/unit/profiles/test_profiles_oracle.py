"""The profiles against the pipelines they replace: librosa and matplotlib, written as the lab wrote them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import librosa
import librosa.display
import matplotlib as mpl
import numpy as np
import pytest
import scipy.signal
import soundfile
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.transforms import Affine2D, Bbox, BboxTransformFrom, BboxTransformTo
from numpy.typing import NDArray

from anemonefish.profiles import BandDb, Image, Profile, StftDb, spectrograms
from anemonefish.profiles.image import _colour_indices, _edges
from anemonefish.profiles.magma import MAGMA
from anemonefish.profiles.reference import reference_spectrograms
from anemonefish.profiles.stft import Stft, decibels, extremes, hann

RATES = (2000, 4000, 8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000)
"""From rates whose spectrogram is taller than the picture and not limited to ones with more frames than pixels."""

Samples = NDArray[np.float64]


def _noise(n: int, rate: int, rng: np.random.Generator) -> Samples:
    return 0.1 * rng.standard_normal(n)


def _pcm16(n: int, rate: int, rng: np.random.Generator) -> Samples:
    """What soundfile makes of 16 bit: whole multiples of 2**-15."""
    return np.round(np.clip(0.2 * rng.standard_normal(n), -1, 1) * 32_767) / 32_768


def _pulses(n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Damped sinusoids of 600 Hz, 35 ms apart, over a little noise: much like an anemonefish's chirp."""
    samples = 1e-4 * rng.standard_normal(n)
    time = np.arange(int(0.026 * rate)) / rate
    pulse = 0.5 * np.exp(-time / 0.006) * np.sin(2 * np.pi * 600 * time)
    for start in range(n // 3, n - len(pulse), max(1, int(0.035 * rate))):
        samples[start : start + len(pulse)] += pulse
    return samples


def _silence(n: int, rate: int, rng: np.random.Generator) -> Samples:
    return np.zeros(n)


def _impulse(n: int, rate: int, rng: np.random.Generator) -> Samples:
    samples = np.zeros(n)
    samples[2 * n // 5] = 0.8
    return samples


def _clipping(n: int, rate: int, rng: np.random.Generator) -> Samples:
    return np.clip(3 * rng.standard_normal(n), -1, 1)


def _dc(n: int, rate: int, rng: np.random.Generator) -> Samples:
    return np.full(n, 0.25)


def _quiet(n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Noise at -90 dB re full scale, the last bit of 16."""
    return 10 ** (-90 / 20) * rng.standard_normal(n)


def _quieter_than_amin(n: int, rate: int, rng: np.random.Generator) -> Samples:
    """So quiet that most cells are held up by amin, but not the loudest."""
    return 1e-7 * np.sin(2 * np.pi * 300 * np.arange(n) / rate) + 1e-9 * rng.standard_normal(n)


def _tone(n: int, rate: int, rng: np.random.Generator) -> Samples:
    return 0.5 * np.sin(2 * np.pi * 700 * np.arange(n) / rate)


def _high_tone(n: int, rate: int, rng: np.random.Generator) -> Samples:
    """Loudest above what either profile shows: the reference lies outside the picture."""
    return 0.5 * np.sin(2 * np.pi * 0.48 * np.arange(n)) + 1e-3 * rng.standard_normal(n)


def _ramp(n: int, rate: int, rng: np.random.Generator) -> Samples:
    return np.linspace(-1, 1, n)


def _half_silent(n: int, rate: int, rng: np.random.Generator) -> Samples:
    return np.where(np.arange(n) < n // 2, 0, 0.1 * rng.standard_normal(n))


CASES: tuple[Callable[[int, int, np.random.Generator], Samples], ...] = (
    _noise,
    _pcm16,
    _pulses,
    _silence,
    _impulse,
    _clipping,
    _dc,
    _quiet,
    _quieter_than_amin,
    _tone,
    _high_tone,
    _ramp,
    _half_silent,
)


def _decibels(samples: NDArray[np.floating]) -> NDArray[np.floating]:
    with warnings.catch_warnings():  # "n_fft=1024 is too large" for windows shorter than a frame, which is a case
        warnings.simplefilter("ignore", UserWarning)
        transform = librosa.stft(samples, n_fft=1024, hop_length=256)
    return librosa.amplitude_to_db(np.abs(transform), ref=np.max)


def reference_image(samples: NDArray[np.floating], rate: int, width: int = 256, height: int = 256) -> NDArray[np.uint8]:
    """The lab's picture of a window: 8 bit RGB off the canvas, before the division by 255."""
    values = _decibels(samples)
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    librosa.display.specshow(values, sr=rate, hop_length=256, x_axis=None, y_axis=None, fmax=2000, ax=axes)
    limit = int(2000 / (rate / 2) * values.shape[0])
    if limit < values.shape[0]:
        axes.set_ylim(0, limit)
    axes.axis("off")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def reference_stft_db(samples: NDArray[np.floating]) -> NDArray[np.floating]:
    """The lab's input of a window, (time, frequency, 1)."""
    values = _decibels(samples)
    values = values[: int(2000 / (8000 / 2) * values.shape[0])]
    low, high = values.min(), values.max()
    values = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return values.T[:, :, np.newaxis]


def _windows(samples: NDArray[np.floating], rate: int, window: float, hop: float) -> list[NDArray[np.floating]]:
    length, step = int(window * rate), int(hop * rate)
    return [samples[start : start + length] for start in range(0, len(samples) - length + 1, step)]


def _assert_images(profile: Image, samples: NDArray[np.floating], rate: int) -> None:
    made = spectrograms(profile, samples, rate)
    windows = _windows(samples, rate, profile.window_seconds, profile.hop_seconds)
    assert len(made) == len(windows) > 0
    for picture, window in zip(made, windows, strict=True):
        expected = reference_image(window, rate, profile.width, profile.height)
        np.testing.assert_array_equal(np.rint(picture * 255).astype(np.uint8), expected)
        np.testing.assert_array_equal(picture, expected.astype(np.float32) / 255)


def _assert_stft_db(profile: StftDb, samples: NDArray[np.floating], rate: int) -> None:
    made = spectrograms(profile, samples, rate)
    windows = _windows(samples.astype(np.float64), rate, profile.window_seconds, profile.hop_seconds)
    assert len(made) == len(windows) > 0
    for spectrogram, window in zip(made, windows, strict=True):
        np.testing.assert_array_equal(spectrogram, reference_stft_db(window).astype(np.float32))


def _samples(case: Callable[..., Samples], seconds: float, rate: int, dtype: type) -> NDArray[np.floating]:
    rng = np.random.default_rng([rate, len(case.__name__)])
    return case(int(seconds * rate), rate, rng).astype(dtype)


def _name(case: Callable[..., Samples]) -> str:
    return case.__name__.strip("_")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=_name)
@pytest.mark.parametrize("rate", RATES)
def test_image_is_the_lab_s_in_every_pixel(rate: int, case: Callable[..., Samples], dtype: type) -> None:
    _assert_images(Image(), _samples(case, 1.01, rate, dtype), rate)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=_name)
@pytest.mark.parametrize("rate", RATES)
def test_stft_db_is_the_lab_s_in_every_bit(rate: int, case: Callable[..., Samples], dtype: type) -> None:
    _assert_stft_db(StftDb(), _samples(case, 1.25, rate, dtype), rate)


@pytest.mark.parametrize("case", CASES, ids=_name)
@pytest.mark.parametrize("rate", [8000, 48_000])
def test_band_db_is_its_reference_in_every_bit(rate: int, case: Callable[..., Samples]) -> None:
    """The reference makes one window after the other by librosa; its values are tested in test_band_db.py."""
    profile = BandDb(n_fft=rate // 1000 * 32, hop_length=rate // 100)
    samples = _samples(case, 1.25, rate, np.float32)
    windows = np.array(_windows(samples, rate, profile.window_seconds, profile.hop_seconds))
    np.testing.assert_array_equal(spectrograms(profile, samples, rate), reference_spectrograms(profile, windows, rate))


def test_bins_below_fmin_are_removed_before_the_decibels() -> None:
    rng = np.random.default_rng(5)
    window = (0.01 * rng.standard_normal(19_200) + 0.02)[np.newaxis]
    magnitudes = np.abs(librosa.stft(window[0] - window[0].mean(), n_fft=1024, hop_length=256))
    magnitudes[:5] = 0  # 200 Hz is 4.3 bins at 48 kHz
    values = librosa.amplitude_to_db(magnitudes, ref=np.max)[5:256]
    expected = ((values - values.min()) / (values.max() - values.min())).T[np.newaxis, :, :, np.newaxis]
    made = StftDb(fmin_hz=200).spectrograms(window, 48_000)
    np.testing.assert_array_equal(made, expected.astype(np.float32))


@pytest.mark.parametrize(("window", "hop"), [(1.0, 0.4), (0.4, 0.2), (0.1, 0.1), (0.37, 0.11)])
@pytest.mark.parametrize("rate", [8000, 44_100, 48_000])
def test_image_of_other_windows_and_hops(rate: int, window: float, hop: float) -> None:
    profile = Image(window_seconds=window, hop_seconds=hop)
    _assert_images(profile, _samples(_pulses, window + 2.2 * hop, rate, np.float32), rate)


@pytest.mark.parametrize(("width", "height"), [(128, 64), (64, 512), (400, 300)])
def test_image_of_other_sizes(width: int, height: int) -> None:
    _assert_images(Image(width=width, height=height), _samples(_pulses, 1.0, 48_000, np.float32), 48_000)


@pytest.mark.parametrize("samples", [1, 100, 255, 256, 300, 511, 512, 513, 767, 768, 769, 1023, 1024, 1025, 1300, 2047])
def test_windows_around_the_length_of_a_frame(samples: int) -> None:
    """librosa pads short signals by another path than long ones."""
    rate = 4000
    sound = _samples(_noise, 1.0, rate, np.float64)[:samples]
    _assert_stft_db(StftDb(window_seconds=(samples + 0.5) / rate), sound, rate)
    if samples >= 256:  # one frame makes no picture, see Image.input_shape
        _assert_images(Image(window_seconds=(samples + 0.5) / rate), sound.astype(np.float32), rate)


@pytest.mark.parametrize("limit", [1, 2, 3, 42, 255, 256, 257, 511, 512, 513])
def test_image_at_rates_that_limit_the_frequencies_to_few_and_many_bins(limit: int) -> None:
    rate = int(2000 * 2 * 513 / (limit + 0.5))
    assert int(2000 / (rate / 2) * 513) == limit
    profile = Image(window_seconds=9000.5 / rate, hop_seconds=1)
    _assert_images(profile, np.random.default_rng(limit).standard_normal(9000).astype(np.float32), rate)


@pytest.mark.parametrize("frames", [2, 3, 100, 255, 256, 257, 511, 512, 513, 700])
def test_image_of_few_and_many_frames(frames: int) -> None:
    rate, length = 48_000, 256 * (frames - 1) + 17
    profile = Image(window_seconds=(length + 0.5) / rate, hop_seconds=1)
    _assert_images(profile, np.random.default_rng(frames).standard_normal(length).astype(np.float32), rate)


@pytest.mark.parametrize("profile", [StftDb(), Image()], ids=["stft-db", "image"])
def test_a_real_recording(profile: Profile, reef_recording: Path) -> None:
    dtype = profile.sample_dtype.__name__
    samples, rate = soundfile.read(reef_recording, start=160_000, frames=96_000, dtype=dtype)
    if isinstance(profile, Image):
        _assert_images(profile, samples, rate)
    else:
        _assert_stft_db(profile, samples, rate)


@pytest.mark.parametrize("n", [16, 512, 1024, 2048, 1000])
def test_hann_is_scipy_s(n: int) -> None:
    np.testing.assert_array_equal(hann(n), scipy.signal.get_window("hann", n, fftbins=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_fft", "hop_length"), [(1024, 256), (512, 128), (2048, 300), (64, 64)])
def test_stft_and_decibels_are_librosa_s(n_fft: int, hop_length: int, dtype: type) -> None:
    """Every bin, cropped or not, at other constants than the lab's."""
    samples = (0.1 * np.random.default_rng(3).standard_normal(30_000)).astype(dtype)
    expected = np.abs(librosa.stft(samples, n_fft=n_fft, hop_length=hop_length))
    made = Stft(len(samples), n_fft, hop_length, samples.dtype).magnitudes(samples)
    assert made.dtype == expected.dtype == dtype
    np.testing.assert_array_equal(made.T, expected)
    for amin, top_db in ((1e-5, 80.0), (1e-2, 30.0)):
        made_db = decibels(made, made.max(), amin=amin, top_db=top_db)
        expected_db = librosa.amplitude_to_db(expected, ref=np.max, amin=amin, top_db=top_db)
        assert made_db.dtype == expected_db.dtype == dtype
        np.testing.assert_array_equal(made_db.T, expected_db)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cells_below_amin_around_the_floor_are_librosa_s(dtype: type) -> None:
    """Where the floor hides what amin does, amin is left out: from 80 dB below the loudest cell on."""
    rng = np.random.default_rng(7)
    for loudest in 0.1 * 10 ** np.linspace(-0.002, 0.002, 201):
        cells = (10 ** rng.uniform(-7, -1, (5, 7))).astype(dtype)
        cells[0, :3] = 0, loudest, 1e-5
        expected = librosa.amplitude_to_db(cells, ref=np.max)
        np.testing.assert_array_equal(decibels(cells, cells.max(), amin=1e-5, top_db=80.0), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_extremes_of_the_decibels_are_found_among_few_cells(dtype: type) -> None:
    """Some neighbours of the least and the most are closer to them than a logarithm is rounded."""
    rng = np.random.default_rng(9)
    for _ in range(300):
        cells = (10 ** rng.uniform(-6, 2, (40, 50))).astype(dtype)
        low, high = cells.min(), cells.max()
        cells[3] = low * (1 + rng.integers(0, 50, 50) * np.finfo(dtype).eps)
        cells[9] = high * (1 - rng.integers(0, 50, 50) * np.finfo(dtype).eps)
        few = extremes(cells, cells.max())
        assert len(few) < 200
        made = decibels(few, cells.max(), amin=1e-5, top_db=1000.0)
        expected = librosa.amplitude_to_db(cells, ref=np.max, top_db=1000.0)
        assert (made.min(), made.max()) == (expected.min(), expected.max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_reference_is_squared_as_librosa_squares_it(dtype: type) -> None:
    """Some peaks have ``peak**2 != np.square(peak)``; those windows decide whether the order is right."""
    rng = np.random.default_rng(11)
    peaks = [peak for peak in (10 ** rng.uniform(-3, 2, 60_000)).astype(dtype) if peak**2 != np.square(peak)]
    assert len(peaks) > 10
    for peak in peaks:
        cells = (peak * rng.random((5, 7))).astype(dtype)
        cells[2, 3] = peak
        expected = librosa.amplitude_to_db(cells, ref=np.max)
        np.testing.assert_array_equal(decibels(cells, peak, amin=1e-5, top_db=80.0), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_colours_at_their_borders_are_matplotlib_s(dtype: type) -> None:
    """Values on the border of two colours, and one float to either side, over many ranges of decibels."""
    rng = np.random.default_rng(5)
    colours = np.array(mpl.colormaps["magma"].colors)
    for _ in range(400):
        low, high = dtype(-rng.uniform(1, 80)), dtype(rng.uniform(-1e-6, 1e-6))
        borders = (low + (high - low) * np.arange(257) / 256).astype(dtype)
        values = np.concatenate([borders, np.nextafter(borders, dtype(-99)), np.nextafter(borders, dtype(99))])
        values = np.concatenate([np.clip(values, low, high), [low, high]])
        expected = mpl.colormaps["magma"](Normalize()(values))[:, :3]
        np.testing.assert_array_equal(colours[_colour_indices(values, low, high)], expected)


@pytest.mark.parametrize("pixels", [64, 100, 256, 300])
def test_edges_are_where_matplotlib_s_affine_puts_them(pixels: int) -> None:
    """Every edge of every mesh of 2 to 1100 cells, shown whole and cut as the frequency axis is cut."""
    canvas = BboxTransformTo(Bbox.from_bounds(0, 0, pixels, pixels))
    for n in range(2, 1100):
        corners = np.repeat(np.arange(n + 1)[:, np.newaxis] - 0.5, 2, axis=1)
        for low, high in ((-0.5, n - 0.5), (0.0, n - 1.0)):
            matrix = (BboxTransformFrom(Bbox([[low, low], [high, high]])) + canvas).get_matrix()
            across, upwards = (Affine2D(matrix).transform(corners)).T
            np.testing.assert_array_equal(_edges(n, low, high, pixels), np.floor(across + 0.5))
            turned = Affine2D(matrix).scale(1, -1).translate(0, pixels).transform(corners)[:, 1]
            np.testing.assert_array_equal(_edges(n, low, high, pixels, flipped=True), np.floor(turned + 0.5))
            np.testing.assert_array_equal(upwards, across)


def test_magma_is_matplotlib_s() -> None:
    table = mpl.colormaps["magma"](np.arange(256))[:, :3]
    np.testing.assert_array_equal(MAGMA, np.floor(table * 255 + 0.5).astype(np.uint8))
