"""Write a Keras network in ncnn's format, and count the multiplications that Winograd's algorithm saves.

The files are ``.param``, text with a line per layer (https://github.com/Tencent/ncnn/wiki/param-and-model-file-
structure), and ``.bin``, the weights of all layers in a row. The layers of plain convolutional networks are written;
any other is refused by name. Publishing compares the scores of the files with Keras's. The gain is counted and not
timed, because the processor that publishes is not the one that serves. No worker imports this module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from anemonefish.errors import IncompatibleModel

__all__ = ["to_ncnn", "winograd_share"]

_FEWEST_CHANNELS = 16
"""Least number of input and output channels; with fewer, the transformation takes the time that is saved."""

_MAGIC = 7767517
_SAME, _VALID = -233, 0  # padding of a convolution, in ncnn's words
_POOL_VALID = 1
_ACTIVATIONS = {"linear": (), "relu": ("ReLU",), "sigmoid": ("Sigmoid",), "tanh": ("TanH",), "softmax": ("Softmax",)}


@dataclass(frozen=True, slots=True)
class _Layer:
    """A line of ``.param`` and its part of ``.bin``."""

    kind: str
    options: dict[int, float] = field(default_factory=dict)
    weights: bytes = b""

    def line(self, index: int) -> str:
        """Return the line of the layer that reads blob ``index`` and writes the next."""
        options = "".join(f" {key}={value}" for key, value in self.options.items())
        return f"{self.kind} layer{index} 1 1 blob{index} blob{index + 1}{options}"


def to_ncnn(network: Any, title: str) -> tuple[bytes, bytes]:
    """Write a network in ncnn's format.

    Parameters
    ----------
    network : keras.Model
        A chain of layers, channels last, of one spectrogram with the shape (height, width, channels).
    title : str
        The model's name in messages.

    Returns
    -------
    layers, weights : bytes
        The content of ``.param`` and of ``.bin``.

    Raises
    ------
    IncompatibleModel
        The layers form no chain, or one of them cannot be written.
    """
    chain = [written for layer in _chained(network, title) for written in _written(layer, title)]
    height, width, channels = network.inputs[0].shape[1:]
    lines = [str(_MAGIC), f"{len(chain) + 1} {len(chain) + 1}"]
    lines.append(f"Input input 0 1 blob0 0={width} 1={height} 2={channels}")
    lines += [layer.line(index) for index, layer in enumerate(chain)]
    return "".join(f"{line}\n" for line in lines).encode("ascii"), b"".join(layer.weights for layer in chain)


def winograd_share(network: Any) -> float:
    """Return which share of a network's multiplications lies in convolutions that Winograd's algorithm shortens.

    These are convolutions of 3 x 3 with strides and dilations of 1 over enough channels. They take 2.25 to 5 times
    fewer multiplications (Lavin and Gray, 2016); other layers take as many as before.
    """
    total = shortened = 0
    for layer in network._flatten_layers():
        kernel = getattr(layer, "kernel", None)
        if kernel is None and (kernel := getattr(layer, "depthwise_kernel", None)) is None:
            continue
        shape = tuple(map(int, kernel.shape))
        positions = int(np.prod([n or 1 for n in layer.output.shape[1:-1]])) if len(shape) > 2 else 1
        products = positions * int(np.prod(shape))
        total += products
        plain = type(layer).__name__ == "Conv2D" and layer.groups == 1
        if plain and shape[:2] == (3, 3) and (*layer.strides, *layer.dilation_rate) == (1, 1, 1, 1):
            shortened += products if min(shape[2:]) >= _FEWEST_CHANNELS else 0
    return shortened / total if total else 0.0


def _chained(network: Any, title: str) -> list[Any]:
    """Return the layers in order; refuse a network whose layers are not in a chain."""
    layers = [layer for layer in network.layers if type(layer).__name__ != "InputLayer"]
    chained = type(network).__name__ == "Sequential" or all(b.input is a.output for a, b in pairwise(layers))
    if not chained or len(network.inputs[0].shape) != 4:
        raise IncompatibleModel(
            f"{title}: Winograd (ncnn) is for layers in a chain that take height, width and channels; "
            f"publish it with --engine litert, without --variant winograd"
        )
    return layers


def _written(layer: Any, title: str) -> list[_Layer]:
    kind = type(layer).__name__
    try:
        return _WRITERS[kind](layer)
    except (KeyError, _UnknownOption) as error:
        what = f"with {error}" if isinstance(error, _UnknownOption) else "at all"
        raise IncompatibleModel(
            f"{title}: Winograd (ncnn) does not know the layer {layer.name} ({kind}) {what}; "
            f"publish it with --engine litert, without --variant winograd"
        ) from None


class _UnknownOption(Exception):
    """A layer has an option that cannot be written; the message says which."""


def _require(layer: Any, **wanted: object) -> None:
    """Raise :class:`_UnknownOption` unless every option of the layer has the given value."""
    for name, value in wanted.items():
        found = getattr(layer, name)
        if found != value:
            raise _UnknownOption(f"{name}={found}")


def _floats(array: Any) -> bytes:
    return np.ascontiguousarray(array, "<f4").tobytes()


_PLAIN_FLOAT32 = bytes(4)
"""The mark in front of weights in float32."""


def _activation(layer: Any) -> list[_Layer]:
    name = layer.activation.__name__
    if name not in _ACTIVATIONS or (name == "softmax" and len(layer.output.shape) != 2):
        raise _UnknownOption(f"activation={name}")
    return [_Layer(kind) for kind in _ACTIVATIONS[name]]


def _activated(layer: Any, kind: str, options: dict[int, float], weights: bytes) -> list[_Layer]:
    if layer.activation.__name__ == "relu":
        return [_Layer(kind, options | {9: 1}, weights)]  # computed with the layer itself
    return [_Layer(kind, options, weights), *_activation(layer)]


def _kernel_and_bias(layer: Any, kernel: Any) -> bytes:
    return _PLAIN_FLOAT32 + _floats(kernel) + (_floats(layer.bias) if layer.use_bias else b"")


def _convolution(layer: Any) -> list[_Layer]:
    _require(layer, groups=1, data_format="channels_last")
    kernel = np.asarray(layer.kernel)  # height, width, channels in, channels out
    (stride_y, stride_x), (dilation_y, dilation_x) = layer.strides, layer.dilation_rate
    height, width, _, channels = kernel.shape
    padding = _SAME if layer.padding == "same" else _VALID
    options = {0: channels, 1: width, 11: height, 2: dilation_x, 12: dilation_y, 3: stride_x, 13: stride_y, 4: padding}
    options |= {5: int(layer.use_bias), 6: kernel.size}
    weights = _kernel_and_bias(layer, kernel.transpose(3, 2, 0, 1))
    return _activated(layer, "Convolution", options, weights)


def _dense(layer: Any) -> list[_Layer]:
    if len(layer.input.shape) != 2:
        raise _UnknownOption(f"an input of shape {tuple(layer.input.shape)}")
    kernel = np.asarray(layer.kernel)  # in, out
    options = {0: kernel.shape[1], 1: int(layer.use_bias), 2: kernel.size}
    return _activated(layer, "InnerProduct", options, _kernel_and_bias(layer, kernel.T))


def _normalisation(layer: Any) -> list[_Layer]:
    mean, variance = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    if axis not in {-1, len(layer.input.shape) - 1}:
        raise _UnknownOption(f"axis={axis}")
    slope = layer.gamma if layer.scale else np.ones_like(mean)
    offset = layer.beta if layer.center else np.zeros_like(mean)
    weights = b"".join(map(_floats, (slope, mean, variance, offset)))
    return [_Layer("BatchNorm", {0: len(mean), 1: layer.epsilon}, weights)]


def _pool(kind: int) -> Callable[[Any], list[_Layer]]:
    def written(layer: Any) -> list[_Layer]:
        # ncnn's largest of a padded pool was another than Keras's when compared.
        _require(layer, data_format="channels_last", padding="valid")
        (height, width), (stride_y, stride_x) = layer.pool_size, layer.strides
        options = {0: kind, 1: width, 11: height, 2: stride_x, 12: stride_y, 5: _POOL_VALID}
        return [_Layer("Pooling", options)]

    return written


def _global_pool(kind: int) -> Callable[[Any], list[_Layer]]:
    def written(layer: Any) -> list[_Layer]:
        _require(layer, data_format="channels_last", keepdims=False)
        return [_Layer("Pooling", {0: kind, 4: 1})]

    return written


def _flatten(layer: Any) -> list[_Layer]:
    _require(layer, data_format="channels_last")
    if len(layer.input.shape) == 2:
        return []
    return [_Layer("Permute", {0: 3}), _Layer("Flatten")]  # ncnn has channels first; Keras's order is channels last


def _plain_relu(layer: Any) -> list[_Layer]:
    _require(layer, max_value=None, negative_slope=0.0, threshold=0.0)
    return [_Layer("ReLU")]


def _only_in_training(_: Any) -> list[_Layer]:
    return []


_WRITERS: dict[str, Callable[[Any], list[_Layer]]] = {
    "Conv2D": _convolution,
    "Dense": _dense,
    "BatchNormalization": _normalisation,
    "MaxPooling2D": _pool(0),
    "AveragePooling2D": _pool(1),
    "GlobalMaxPooling2D": _global_pool(0),
    "GlobalAveragePooling2D": _global_pool(1),
    "Flatten": _flatten,
    "ReLU": _plain_relu,
    "Activation": _activation,
    "Dropout": _only_in_training,
    "SpatialDropout2D": _only_in_training,
}
