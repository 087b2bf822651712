"""The reference network and how it is trained."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.training.network import make_network as make_plane_network

__all__ = ["KINDS", "make_network", "multiplications", "scores_of", "train"]

KINDS = ("time", "plane")

CLASS_WEIGHTS = (0.3, 1.0, 0.7)
"""Weights of noise, anemonefish and biological in the loss; events are made of the second."""

SMOOTHING = 0.01
"""Targets are this far from 0 and 1, so that scores keep an order among the windows that are certain."""


def make_network(input_shape: tuple[int, ...], kind: str = "time") -> Any:
    """Return an untrained network of a kind of :data:`KINDS`.

    The maximum over time is kept, because the time of a pulse within a window does not distinguish the species; its
    frequency does, so all frequencies are combined with weights of their own. Each class has a sigmoid of its own,
    because calls overlap.

    Parameters
    ----------
    input_shape : tuple of int
        (time, frequency, 1).
    kind : {"time", "plane"}
        ``time``: the frequencies are the channels of convolutions over time. ``plane``: the
        network of :mod:`anemonefish.training.network`, which takes three times as long.
    """
    if kind == "plane":
        return make_plane_network(input_shape, 3, momentum=0.99, name="anemonefish_reference")
    from keras import Sequential, layers

    def convolution(filters: int, size: int, stride: int = 1) -> list[Any]:
        return [
            layers.Conv2D(filters, (size, 1), strides=(stride, 1), padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]

    return Sequential(
        [
            layers.Input(input_shape),
            layers.Reshape((input_shape[0], 1, input_shape[1])),
            *convolution(64, 3),
            *convolution(64, 3, 2),
            *convolution(96, 3),
            *convolution(96, 5),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(0.2),
            layers.Dense(3, activation="sigmoid"),
        ],
        name="anemonefish_reference",
    )


def multiplications(network: Any) -> int:
    """Return the multiplications of the convolutions for one window."""
    made = [layer for layer in network.layers if type(layer).__name__ == "Conv2D"]
    return sum(layer.output.shape[1] * layer.output.shape[2] * int(np.prod(layer.kernel.shape)) for layer in made)


def train(
    network: Any,
    spectrograms: NDArray[np.float16],
    targets: NDArray[np.int8],
    *,
    epochs: int,
    windows_per_epoch: int,
    batch: int = 128,
    peak_rate: float = 2.5e-3,
    seed: int = 1,
) -> list[float]:
    """Train with Adam and a cosine schedule, and return the mean loss of each epoch.

    An epoch draws windows without replacement, calls more often than noise, and windows that the network got wrong when
    it last saw them more often than others. Targets below 0 are ignored.
    """
    import keras
    import tensorflow as tf

    per_epoch = min(windows_per_epoch, len(targets)) // batch * batch
    steps = epochs * per_epoch // batch
    rate = keras.optimizers.schedules.CosineDecay(
        peak_rate / 20, steps, warmup_target=peak_rate, warmup_steps=max(1, steps // 15)
    )
    optimizer = keras.optimizers.Adam(rate)
    weights = tf.constant(CLASS_WEIGHTS)

    @tf.function
    def step(batch_of_windows: Any, wanted: Any) -> Any:
        mask = tf.cast(wanted >= 0, tf.float32) * weights
        goal = tf.cast(wanted > 0, tf.float32) * (1 - 2 * SMOOTHING) + SMOOTHING
        with tf.GradientTape() as tape:
            scores = network(tf.cast(batch_of_windows, tf.float32), training=True)
            scores = tf.clip_by_value(scores, 1e-6, 1 - 1e-6)
            losses = -(goal * tf.math.log(scores) + (1 - goal) * tf.math.log(1 - scores)) * mask
            loss = tf.reduce_sum(losses) / tf.reduce_sum(mask)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return scores[:, 1], loss

    rng = np.random.default_rng(seed)
    share = np.where(targets[:, 1] == 1, 1.0, np.where(targets[:, 2] == 1, 0.8, 0.35))
    error = np.full(len(targets), 0.4, np.float32)
    history = []
    for epoch in range(epochs):
        begun, losses = time.monotonic(), []
        chance = share * (0.15 + error)
        drawn = rng.choice(len(targets), per_epoch, replace=False, p=chance / chance.sum())
        for rows in drawn.reshape(-1, batch):
            # One bin up or down, so that no frequency is learned by heart.
            shown = np.roll(spectrograms[rows], rng.integers(-1, 2), axis=2)
            scores, loss = step(shown, targets[rows])
            losses.append(float(loss))
            wanted = targets[rows, 1]
            error[rows] = np.where(wanted < 0, 0, np.abs(np.clip(wanted, 0, 1) - scores.numpy()))
        history.append(float(np.mean(losses)))
        print(f"epoch {epoch + 1} of {epochs}: loss {history[-1]:.4f}, {time.monotonic() - begun:.0f} s", flush=True)
    return history


def scores_of(network: Any, spectrograms: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the scores of windows, shape (n, 3)."""
    blocks = range(0, len(spectrograms), 512)
    parts = [np.asarray(network(spectrograms[at : at + 512].astype(np.float32), training=False)) for at in blocks]
    return np.concatenate([np.empty((0, 3), np.float32), *parts]).astype(np.float32)
