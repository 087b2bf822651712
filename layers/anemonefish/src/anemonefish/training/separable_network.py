"""The network of the reference architecture: depthwise-separable blocks, and a sigmoid for each class.

All layers are computed by LiteRT in float32. A learned filter combines the frequencies, because the frequency of a
pulse distinguishes the species. Time is pooled, because the time of a pulse does not. Each class has a score by itself,
because calls overlap.
"""

from __future__ import annotations

from typing import Any

__all__ = ["make_network"]

_FILTERS = (12, 24, 32, 48, 64, 64)
_STRIDES = ((1, 2), (2, 1), (1, 2), (2, 2), (1, 1))
"""Of the blocks, over (time, frequency): times are halved twice, frequencies four times with the first layer."""

_MOMENTUM = 0.95
"""Of the means and variances of batch normalisation: they settle within a hundred steps, so that a training of few
epochs is not scored with those of the start (Keras's 0.99 needs five times as many)."""


def make_network(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    activation: str = "sigmoid",
    dropout: float = 0.2,
    name: str = "anemonefish_network",
) -> Any:
    """Return the untrained network, with about 18 thousand parameters.

    Parameters
    ----------
    input_shape : tuple of int
        (times, frequencies, 1), at least 16 of each.
    outputs : int
        Number of classes.
    activation : {"sigmoid", "softmax"}
        Whether each class has a score by itself.
    dropout : float
        Share of the values before the last layer that a training step leaves out.
    name : str

    Returns
    -------
    keras.Model
    """
    from keras import Sequential, layers

    def separable(filters: int, strides: tuple[int, int]) -> list[Any]:
        return [
            layers.ZeroPadding2D(1),
            layers.DepthwiseConv2D(3, strides=strides, use_bias=False),
            layers.Conv2D(filters, 1, use_bias=False),
            layers.BatchNormalization(momentum=_MOMENTUM),
            layers.ReLU(),
        ]

    blocks = [
        layer for filters, strides in zip(_FILTERS[1:], _STRIDES, strict=True) for layer in separable(filters, strides)
    ]
    frequencies = input_shape[1]
    for _ in range(4):
        frequencies = -(-frequencies // 2)
    return Sequential(
        [
            layers.Input(input_shape),
            layers.Conv2D(_FILTERS[0], 5, strides=(1, 2), padding="same", use_bias=False),
            layers.BatchNormalization(momentum=_MOMENTUM),
            layers.ReLU(),
            *blocks,
            layers.DepthwiseConv2D((1, frequencies), use_bias=False),
            layers.Conv2D(_FILTERS[-1], 1, use_bias=False),
            layers.BatchNormalization(momentum=_MOMENTUM),
            layers.ReLU(),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(dropout),
            layers.Dense(outputs, activation=activation),
        ],
        name=name,
    )
