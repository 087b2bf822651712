"""Replace layers that TensorFlow computes on some processors only by calls that every processor computes.

On a CPU TensorFlow has two implementations of a convolution: its own, and oneDNN's, which it uses where the processor
has AVX-512 (or ``TF_ENABLE_ONEDNN_OPTS=1`` asks for it). Its own refuses three kinds of layers with an error:

=====================================================  ===============================================================
layer                                                  computed here as
=====================================================  ===============================================================
``DepthwiseConv2D``, ``SeparableConv2D`` with          the same with their greatest common stride and explicit
unequal strides                                        padding, of which every n-th row and column is kept
convolutions with ``data_format="channels_first"``     the same with channels last, between two transpositions
``Conv2DTranspose`` with ``dilation_rate`` above 1     the same with a kernel that has zeros between its weights
=====================================================  ===============================================================

The weights and the sums are the same; only their order may differ, as it does between any two processors. Grouped
convolutions (which Keras compiles with XLA), other strides and dilations, pooling and normalisation need nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import gcd
from typing import Any

__all__ = ["portable_layers"]


@contextmanager
def portable_layers(network: Any) -> Iterator[None]:
    """Replace such layers of a network while it is traced.

    Parameters
    ----------
    network : keras.Model
        It is unchanged afterwards.
    """
    with ExitStack() as stack:
        for layer in network._flatten_layers():
            call = _portable_call(layer)
            if call is not None:
                # Not setattr(): Keras would track the function as a part of the layer.
                object.__setattr__(layer, "call", call)
                stack.callback(object.__delattr__, layer, "call")
        yield


def _portable_call(layer: Any) -> Callable[..., Any] | None:
    """Return a replacement of a layer's ``call``; None where it needs none, as a ``call`` that the lab wrote."""
    from keras import layers

    def is_own(*kinds: str) -> bool:
        return any(type(layer).call is getattr(layers, kind).call for kind in kinds)

    if is_own("DepthwiseConv2D", "SeparableConv2D") and len(set(layer.strides)) > 1:
        return lambda inputs: _with_equal_strides(layer, inputs)
    if is_own("Conv2DTranspose") and max(layer.dilation_rate) > 1:
        return lambda inputs: _with_zeros_in_the_kernel(layer, inputs)
    plain = ("Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
    if is_own(*plain) and layer.data_format == "channels_first":
        return lambda inputs: _channels_last(layer, inputs)
    return None


@contextmanager
def _options(layer: Any, **changed: Any) -> Iterator[None]:
    """Give a layer other options for one call."""
    before = {name: getattr(layer, name) for name in changed}
    try:
        for name, value in changed.items():
            object.__setattr__(layer, name, value)
        yield
    finally:
        for name, value in before.items():
            object.__setattr__(layer, name, value)


def _transposed(inputs: Any, to_last: bool) -> Any:
    from keras import ops

    rank = len(inputs.shape)
    order = (0, *range(2, rank), 1) if to_last else (0, rank - 1, *range(1, rank - 1))
    return ops.transpose(inputs, order)


def _channels_last(layer: Any, inputs: Any) -> Any:
    with _options(layer, data_format="channels_last"):
        return _transposed(type(layer).call(layer, _transposed(inputs, to_last=True)), to_last=False)


def _with_equal_strides(layer: Any, inputs: Any) -> Any:
    from keras import ops

    first = layer.data_format == "channels_first"
    image = _transposed(inputs, to_last=True) if first else inputs
    if layer.padding == "same":
        image = ops.pad(image, ((0, 0), *_same_padding(layer, image.shape[1:3]), (0, 0)))
    common = gcd(*layer.strides)
    with _options(layer, strides=(common, common), padding="valid", data_format="channels_last"):
        scored = type(layer).call(layer, image)
    rows, columns = (stride // common for stride in layer.strides)
    kept = scored[:, ::rows, ::columns, :]
    return _transposed(kept, to_last=False) if first else kept


def _same_padding(layer: Any, size: Sequence[int]) -> list[tuple[int, int]]:
    """Return the zeros in front of and behind each spatial axis: as TensorFlow pads, the odd one goes behind."""
    padding = []
    for length, kernel, stride, dilation in zip(
        size, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
    ):
        reach = (kernel - 1) * dilation + 1
        total = max((-(-length // stride) - 1) * stride + reach - length, 0)
        padding.append((total // 2, total - total // 2))
    return padding


def _with_zeros_in_the_kernel(layer: Any, inputs: Any) -> Any:
    from keras import ops

    first = layer.data_format == "channels_first"
    kernel = layer.kernel
    for axis, dilation in enumerate(layer.dilation_rate):
        kernel = _spread(kernel, axis, dilation)
    outputs = ops.conv_transpose(
        _transposed(inputs, to_last=True) if first else inputs,
        kernel,
        strides=list(layer.strides),
        padding=layer.padding,
        output_padding=layer.output_padding,
        data_format="channels_last",
    )
    if layer.use_bias:
        outputs = ops.add(outputs, layer.bias)
    if first:
        outputs = _transposed(outputs, to_last=False)
    return outputs if layer.activation is None else layer.activation(outputs)


def _spread(kernel: Any, axis: int, dilation: int) -> Any:
    """Put ``dilation - 1`` zeros between the weights along an axis."""
    from keras import ops

    shape = list(kernel.shape)
    length = shape[axis]
    apart = ops.stack([kernel, *[ops.zeros_like(kernel)] * (dilation - 1)], axis=axis + 1)
    shape[axis] = length * dilation
    spread = ops.reshape(apart, shape)
    return ops.take(spread, range((length - 1) * dilation + 1), axis=axis)
