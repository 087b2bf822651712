"""The reference network and how it is trained."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["make_network", "multiplications", "scores_of", "train"]

CLASS_WEIGHTS = (0.3, 1.0, 0.7)
"""Weights of noise, anemonefish and biological in the loss; events are made of the second."""

SOUND_WEIGHT = 0.3
"""Weight of each further sound that the network learns to tell."""

SMOOTHING = 0.01
"""Targets are this far from 0 and 1, so that scores keep an order among the windows that are certain."""

AVERAGED_STEPS = 500
"""The weights that are kept are a running mean over about so many steps. It is better than the last weights."""

_AVERAGED_EVERY = 4


def make_network(input_shape: tuple[int, ...]) -> Any:
    """Return an untrained network.

    The frequencies are the channels of convolutions over time, because how long a pulse may ring depends on its
    frequency. The maximum over time is kept, because the time of a pulse within a window does not distinguish the
    species. Each class has a sigmoid of its own, because calls overlap.

    Parameters
    ----------
    input_shape : tuple of int
        (time, frequency, 1).
    """
    from keras import Sequential, layers

    def convolution(filters: int, size: int, stride: int = 1) -> Any:
        return [
            layers.Conv2D(filters, (size, 1), strides=(stride, 1), padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]

    body = [
        layers.Reshape((input_shape[0], 1, input_shape[1])),
        *convolution(64, 5),
        *convolution(96, 3, 2),
        *convolution(96, 5, 2),
        *convolution(80, 5),
        *convolution(80, 5),
    ]
    head = [layers.GlobalMaxPooling2D(), layers.Dropout(0.1), layers.Dense(3, activation="sigmoid")]
    return Sequential([layers.Input(input_shape), *body, *head], name="anemonefish_reference")


def multiplications(network: Any) -> int:
    """Return the multiplications of the convolutions for one window."""
    made = [layer for layer in network.layers if type(layer).__name__ == "Conv2D"]
    return sum(layer.output.shape[1] * layer.output.shape[2] * int(np.prod(layer.kernel.shape)) for layer in made)


def train(
    network: Any,
    draw: Callable[[int], tuple[NDArray[np.float16], NDArray[np.int8]]],
    *,
    epochs: int,
    windows_per_epoch: int,
    batch: int = 128,
    peak_rate: float = 2.5e-3,
) -> list[float]:
    """Train with Adam and a cosine schedule, and return the mean loss of each epoch.

    Parameters
    ----------
    network : keras.Model
        It has the mean weights of the last steps afterwards.
    draw : callable
        Returns so many windows and their targets; the targets of the classes are followed by those of further sounds,
        which a layer beside the last one learns. Targets below 0 are ignored.
    """
    import keras
    import tensorflow as tf

    steps = windows_per_epoch // batch
    total = epochs * steps
    rate = keras.optimizers.schedules.CosineDecay(
        peak_rate / 20, total, warmup_target=peak_rate, warmup_steps=max(1, total // 15)
    )
    optimizer = keras.optimizers.Adam(rate)
    features = keras.Model(network.inputs, network.layers[-2].output)
    classes = network.layers[-1]
    n_sounds = draw(1)[1].shape[1] - len(CLASS_WEIGHTS)
    sounds = keras.layers.Dense(n_sounds, activation="sigmoid")
    sounds.build((None, features.output.shape[1]))
    trained = [*network.trainable_variables, *sounds.trainable_variables]
    weights = tf.constant((*CLASS_WEIGHTS, *[SOUND_WEIGHT] * n_sounds))

    @tf.function
    def step(batch_of_windows: Any, wanted: Any) -> Any:
        mask = tf.cast(wanted >= 0, tf.float32) * weights
        goal = tf.cast(wanted > 0, tf.float32) * (1 - 2 * SMOOTHING) + SMOOTHING
        with tf.GradientTape() as tape:
            found = features(tf.cast(batch_of_windows, tf.float32), training=True)
            scores = tf.clip_by_value(tf.concat([classes(found), sounds(found)], 1), 1e-6, 1 - 1e-6)
            losses = -(goal * tf.math.log(scores) + (1 - goal) * tf.math.log(1 - scores)) * mask
            of_classes = tf.reduce_sum(mask[:, : len(CLASS_WEIGHTS)])
            loss = tf.reduce_sum(losses) / of_classes
        optimizer.apply_gradients(zip(tape.gradient(loss, trained), trained, strict=True))
        return tf.reduce_sum(losses[:, : len(CLASS_WEIGHTS)]) / of_classes

    keep = (1 - 1 / AVERAGED_STEPS) ** _AVERAGED_EVERY
    mean = [weight.numpy() for weight in network.weights]
    history = []
    with ThreadPoolExecutor(1) as drawing:  # the next windows, while the network learns from these
        drawn = drawing.submit(draw, steps * batch)
        for epoch in range(epochs):
            begun, losses = time.monotonic(), []
            spectrograms, targets = drawn.result()
            if epoch + 1 < epochs:
                drawn = drawing.submit(draw, steps * batch)
            for number in range(steps):
                rows = slice(number * batch, (number + 1) * batch)
                losses.append(float(step(spectrograms[rows], targets[rows])))
                if number % _AVERAGED_EVERY == 0:
                    new = [weight.numpy() for weight in network.weights]
                    mean = [keep * old + (1 - keep) * each for old, each in zip(mean, new, strict=True)]
            history.append(float(np.mean(losses)))
            spent = time.monotonic() - begun
            print(f"epoch {epoch + 1} of {epochs}: loss {history[-1]:.4f}, {spent:.0f} s", flush=True)
    for weight, value in zip(network.weights, mean, strict=True):
        weight.assign(value)
    return history


def scores_of(network: Any, spectrograms: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the scores of windows, shape (n, 3)."""
    blocks = range(0, len(spectrograms), 512)
    parts = [np.asarray(network(spectrograms[at : at + 512].astype(np.float32), training=False)) for at in blocks]
    return np.concatenate([np.empty((0, 3), np.float32), *parts]).astype(np.float32)
