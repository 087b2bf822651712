"""The preprocessing of training, by librosa and matplotlib: the reference of every profile.

It is slow and is used for comparison only: by publishing, by the container image at every start, by tests and by
benchmarks. librosa and matplotlib are imported when it is called; zip-packaged workers do not have them.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from anemonefish.profiles.band_db import BandDb, quarters
from anemonefish.profiles.centred import CentredProfile
from anemonefish.profiles.image import Image
from anemonefish.profiles.profile import Profile
from anemonefish.profiles.stft_db import StftDb

__all__ = [
    "reference_band_db",
    "reference_decibels",
    "reference_image",
    "reference_spectrograms",
    "reference_stft_db",
]


def reference_spectrograms(profile: Profile, windows: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
    """Return the spectrograms of windows as training made them.

    Parameters
    ----------
    profile : Image, StftDb or BandDb
    windows : ndarray, shape (n, window), float32 or float64
    sample_rate : int

    Returns
    -------
    ndarray, shape (n, *profile.input_shape(sample_rate)), float32

    Raises
    ------
    ImportError
        librosa or matplotlib is not installed.
    """
    made = np.empty((len(windows), *profile.input_shape(sample_rate)), np.float32)
    for index, window in enumerate(windows):
        if isinstance(profile, Image):
            made[index] = reference_image(profile, window, sample_rate).astype(np.float32) / 255
        elif isinstance(profile, BandDb):
            made[index] = reference_band_db(profile, window, sample_rate)
        else:
            assert isinstance(profile, StftDb)  # there are three profiles
            made[index] = reference_stft_db(profile, window, sample_rate)
    return made


def reference_decibels(profile: CentredProfile, window: NDArray[np.floating], lowest: int = 0) -> NDArray[np.floating]:
    """Return the decibels of a window, shape (n_bins, n_frames), without what lies below the bin ``lowest``."""
    import librosa

    with warnings.catch_warnings():  # "n_fft is too large" for a window shorter than a frame
        warnings.simplefilter("ignore", UserWarning)
        transform = librosa.stft(window, n_fft=profile.n_fft, hop_length=profile.hop_length)
    magnitudes = np.abs(transform)
    magnitudes[:lowest] = 0
    decibels: NDArray[np.floating] = librosa.amplitude_to_db(
        magnitudes, ref=np.max, amin=profile.amin, top_db=profile.top_db
    )
    return decibels


def reference_image(profile: Image, window: NDArray[np.floating], sample_rate: int) -> NDArray[np.uint8]:
    """Return the picture of a window, (height, width, 3), 8 bit RGB off the canvas."""
    import librosa.display
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    values = reference_decibels(profile, window)
    figure = Figure(figsize=(profile.width / 100, profile.height / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    librosa.display.specshow(
        values, sr=sample_rate, hop_length=profile.hop_length, x_axis=None, y_axis=None, fmax=profile.fmax_hz, ax=axes
    )
    limit = int(profile.fmax_hz / (sample_rate / 2) * values.shape[0])
    if limit < values.shape[0]:
        axes.set_ylim(0, limit)
    axes.axis("off")
    canvas.draw()  # type: ignore[no-untyped-call]
    picture: NDArray[np.uint8] = np.array(canvas.buffer_rgba())[:, :, :3]  # type: ignore[no-untyped-call]
    return picture


def reference_stft_db(profile: StftDb, window: NDArray[np.floating], sample_rate: int) -> NDArray[np.floating]:
    """Return the scaled decibels of a window, (time, frequency, 1), computed in float64 as the lab's code does.

    The lab removes nothing: ``fmin_hz`` is ours.
    """
    lowest = profile.lowest_bin(sample_rate)
    samples = window.astype(np.float64)
    values = reference_decibels(profile, samples - samples.mean() if lowest else samples, lowest)
    values = values[lowest : int(profile.fmax_hz / (profile.crop_rate_hz / 2) * values.shape[0])]
    low, high = values.min(), values.max()
    scaled: NDArray[np.floating] = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return scaled.T[:, :, np.newaxis]


def reference_band_db(profile: BandDb, window: NDArray[np.floating], sample_rate: int) -> NDArray[np.float32]:
    """Return the scaled decibels of a window above its background, (time, frequency, 1), by ``librosa.stft``."""
    import librosa

    transform = librosa.stft(
        window.astype(np.float64), n_fft=profile.n_fft, hop_length=profile.hop_length, center=False
    )
    hertz = np.arange(profile.n_bins) * sample_rate / profile.n_fft
    kept = transform[(hertz <= profile.fmax_hz) & (np.arange(profile.n_bins) >= profile.lowest_bin(sample_rate))].T
    powers = np.ascontiguousarray(np.square(kept.real) + np.square(kept.imag), np.float32)
    levels = np.log(np.maximum(powers, np.float32(profile.amin**2)))
    means = np.array([levels[part].sum(axis=0) / np.float32(part.stop - part.start) for part in quarters(len(levels))])
    background = (means.sum(axis=0) - means.min(axis=0) - means.max(axis=0)) / np.float32(2)
    lift = np.float32(-profile.low_db * np.log(10) / 10) - background
    scaled = (levels + lift) * np.float32(10 / np.log(10) / (profile.high_db - profile.low_db))
    clipped: NDArray[np.float32] = scaled.clip(0, 1)
    return clipped[:, :, np.newaxis]
