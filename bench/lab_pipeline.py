"""The lab's original pipeline: soundfile, librosa and matplotlib for each window, and Keras in batches.

The benchmarks compare the package with this code. It does not use the package, and the package does not use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import librosa
import librosa.display
import numpy as np
import soundfile
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["RECIPES", "Recipe", "decode", "load", "preprocess", "score"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the input of a network is made: window and hop in seconds, the type of samples, and the constants."""

    window: float
    hop: float
    dtype: str
    picture: bool = False
    hop_length: int = 256
    fmax: float = 2000.0


RECIPES = {
    "v1": Recipe(1.0, 0.4, "float32", picture=True),
    "v2": Recipe(0.4, 0.2, "float64"),
    "reef": Recipe(0.4, 0.2, "float64", hop_length=512, fmax=1000.0),
}
"""Recipes by title of the model: the lab's two models, and the equivalent for the reference model."""

_BATCH = 32


def load(path: Path) -> Any:
    """Load a network, with TensorFlow on one thread."""
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return keras.saving.load_model(path)


def decode(path: Path, title: str) -> tuple[NDArray[Any], int]:
    """Read the whole recording as mono."""
    samples, rate = soundfile.read(path, dtype=RECIPES[title].dtype, always_2d=True)
    return samples.mean(axis=1), rate


def preprocess(samples: NDArray[Any], rate: int, title: str) -> Iterator[NDArray[Any]]:
    """Yield the network's input, a batch of windows at a time."""
    recipe = RECIPES[title]
    make = _picture if recipe.picture else _spectrogram
    length, step = int(recipe.window * rate), int(recipe.hop * rate)
    starts = range(0, len(samples) - length + 1, step)
    for first in range(0, len(starts), _BATCH):
        windows = [samples[start : start + length] for start in starts[first : first + _BATCH]]
        yield np.array([make(window, rate, recipe) for window in windows])


def score(network: Any, batches: Iterable[NDArray[Any]]) -> NDArray[np.float32]:
    """Score batches with ``predict_on_batch``. ``predict`` would be slower, because it sleeps."""
    return np.concatenate([network.predict_on_batch(batch) for batch in batches])


def _decibels(samples: NDArray[Any], recipe: Recipe) -> NDArray[Any]:
    transform = librosa.stft(samples, n_fft=1024, hop_length=recipe.hop_length)
    return librosa.amplitude_to_db(np.abs(transform), ref=np.max)


def _spectrogram(samples: NDArray[Any], rate: int, recipe: Recipe) -> NDArray[Any]:  # noqa: ARG001  # the lab's code ignores the rate too
    values = _decibels(samples, recipe)
    values = values[: int(recipe.fmax / (8000 / 2) * values.shape[0])]
    low, high = values.min(), values.max()
    values = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return values.T[:, :, np.newaxis]


def _picture(samples: NDArray[Any], rate: int, recipe: Recipe) -> NDArray[np.float32]:
    values = _decibels(samples, recipe)
    figure = Figure(figsize=(2.56, 2.56), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    librosa.display.specshow(
        values, sr=rate, hop_length=recipe.hop_length, x_axis=None, y_axis=None, fmax=recipe.fmax, ax=axes
    )
    limit = int(recipe.fmax / (rate / 2) * values.shape[0])
    if limit < values.shape[0]:
        axes.set_ylim(0, limit)
    axes.axis("off")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].astype(np.float32) / 255
