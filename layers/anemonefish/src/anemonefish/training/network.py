"""The network that ``train`` fits: that of ``reef`` 2.0.0, with a sigmoid for each class.

Two convolutions over time and frequency, then two over time alone, because the frequency of a pulse distinguishes
species and its time within the window does not: the maximum over time is kept. Each class has a score by itself,
because calls overlap. All layers are computed by LiteRT and ncnn in float32.
"""

from __future__ import annotations

from math import ceil
from typing import Any

__all__ = ["make_network"]

_MOST_BINS = 96
"""Above, the first convolution keeps every fourth frequency, so that a wide band does not take many times as long."""

_MOMENTUM = 0.95
"""Of the means and variances of batch normalisation: they settle within a hundred steps, so that a training of few
epochs is not scored with those of the start (Keras's 0.99 needs five times as many)."""


def make_network(input_shape: tuple[int, ...], outputs: int) -> Any:
    """Return the untrained network: about 80 thousand parameters for 45 frequencies.

    Parameters
    ----------
    input_shape : tuple of int
        (times, frequencies, 1), at least 8 of each.
    outputs : int
        Number of classes.

    Returns
    -------
    keras.Model
    """
    from keras import Sequential, layers

    def convolution(
        filters: int, size: tuple[int, int], strides: tuple[int, int] = (1, 1), padding: str = "same"
    ) -> list[Any]:
        return [
            layers.Conv2D(filters, size, strides=strides, padding=padding, use_bias=False),
            layers.BatchNormalization(momentum=_MOMENTUM),
            layers.ReLU(),
        ]

    step = 2 if input_shape[1] <= _MOST_BINS else 4
    frequencies = ceil(ceil(input_shape[1] / step) / 2)
    return Sequential(
        [
            layers.Input(input_shape),
            *convolution(12, (5, 5), (1, step)),
            *convolution(24, (3, 3), (2, 2)),
            *convolution(64, (3, frequencies), padding="valid"),
            *convolution(64, (5, 1)),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(0.2),
            layers.Dense(outputs, activation="sigmoid"),
        ],
        name="anemonefish_network",
    )
