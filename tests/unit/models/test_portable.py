"""Layers that TensorFlow computes by oneDNN only: computed otherwise, they are what their definition says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from anemonefish import errors
from anemonefish.models import ModelRepository
from anemonefish.models.keras import KerasNetwork, traced
from anemonefish.models.portable import portable_layers
from anemonefish.publishing.publish import publish
from anemonefish.stores.folder import LocalStore
from tests.golden import request_for

STRIDES = [(1, 2), (2, 1), (3, 2), (2, 4)]
Image = NDArray[np.float64]


def padded(image: Image, kernel: Sequence[int], strides: Sequence[int], padding: str) -> Image:
    """TensorFlow's padding: as many outputs as strides fit, the odd zero behind."""
    if padding == "valid":
        return image
    around = []
    for length, size, stride in zip(image.shape, kernel, strides, strict=False):
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        around.append((total // 2, total - total // 2))
    return np.pad(image, (*around, (0, 0)))


def depthwise(image: Image, kernel: NDArray[Any], strides: Sequence[int], padding: str) -> Image:
    """The definition, sum by sum: (height, width, channels * multiplier)."""
    high, wide, channels, multiplier = kernel.shape
    image = padded(image, (high, wide), strides, padding)
    rows = range(0, image.shape[0] - high + 1, strides[0])
    columns = range(0, image.shape[1] - wide + 1, strides[1])
    made = np.empty((len(rows), len(columns), channels * multiplier))
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            patch = image[row : row + high, column : column + wide, :, None]
            made[y, x] = (patch * kernel).sum(axis=(0, 1)).ravel()
    return made


def transposed(image: Image, kernel: NDArray[Any], strides: Sequence[int], dilation: Sequence[int]) -> Image:
    """The definition of padding ``valid``: every input adds its kernel, spread out, to the output."""
    reach = [(size - 1) * step + 1 for size, step in zip(kernel.shape, dilation, strict=False)]
    size = [(n - 1) * stride + r for n, stride, r in zip(image.shape, strides, reach, strict=False)]
    made = np.zeros((*size, kernel.shape[2]))
    for y, row in enumerate(image):
        for x, pixel in enumerate(row):
            top, left = y * strides[0], x * strides[1]
            spread = slice(top, top + reach[0], dilation[0]), slice(left, left + reach[1], dilation[1])
            made[spread] += kernel.astype(np.float64) @ pixel
    return made


def network_of(layer: Any, shape: tuple[int, ...]) -> Any:
    keras.utils.set_random_seed(5)
    network = keras.Sequential([keras.Input(shape), layer])
    chance = np.random.default_rng(3)
    network.set_weights([chance.normal(size=weight.shape) for weight in network.get_weights()])
    return network


def computed(network: Any, shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[np.float32]]:
    image = np.random.default_rng(2).normal(size=(1, *shape)).astype(np.float32)
    scores = traced(network, (1, *shape), "lab 1")(image)[0]
    assert "call" not in vars(network.layers[-1])  # the network is left as it was
    assert network.compute_output_shape((1, *shape))[1:] == scores.shape
    return image[0], scores


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("kernel", "multiplier"), [(3, 1), ((2, 5), 2)])
@pytest.mark.parametrize("strides", STRIDES)
def test_a_depthwise_convolution_of_unequal_strides(
    strides: tuple[int, int], kernel: Any, multiplier: int, padding: str, data_format: str
) -> None:
    shape = (10, 13, 4) if data_format == "channels_last" else (4, 10, 13)
    layer = layers.DepthwiseConv2D(kernel, strides, padding, depth_multiplier=multiplier, data_format=data_format)
    image, scores = computed(network_of(layer, shape), shape)
    if data_format == "channels_first":
        image, scores = image.transpose(1, 2, 0), scores.transpose(1, 2, 0)
    weights, bias = layer.get_weights()
    expected = depthwise(image.astype(np.float64), weights, strides, padding) + bias
    np.testing.assert_allclose(scores, expected, atol=2e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", STRIDES)
def test_a_separable_convolution_of_unequal_strides(strides: tuple[int, int], padding: str) -> None:
    shape = (9, 14, 3)
    layer = layers.SeparableConv2D(5, 3, strides, padding, depth_multiplier=2, activation="tanh")
    image, scores = computed(network_of(layer, shape), shape)
    first, second, bias = layer.get_weights()
    expected = np.tanh(depthwise(image.astype(np.float64), first, strides, padding) @ second[0, 0] + bias)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dilation", [2, (1, 3)])
def test_a_transposed_convolution_with_dilation(dilation: Any, data_format: str) -> None:
    shape = (6, 7, 3) if data_format == "channels_last" else (3, 6, 7)
    layer = layers.Conv2DTranspose(4, 3, dilation_rate=dilation, data_format=data_format, activation="relu")
    image, scores = computed(network_of(layer, shape), shape)
    if data_format == "channels_first":
        image, scores = image.transpose(1, 2, 0), scores.transpose(1, 2, 0)
    weights, bias = layer.get_weights()
    expected = transposed(image.astype(np.float64), weights, (1, 1), layer.dilation_rate) + bias
    np.testing.assert_allclose(scores, np.maximum(expected, 0), atol=2e-5)


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda form: layers.Conv2D(4, 3, strides=(1, 2), padding="same", data_format=form), (9, 12)),
        (lambda form: layers.Conv2D(4, 3, groups=2, data_format=form), (9, 12)),
        (lambda form: layers.Conv2D(4, 3, dilation_rate=(1, 2), data_format=form), (9, 12)),
        (lambda form: layers.Conv1D(4, 3, strides=2, data_format=form), (12,)),
        (lambda form: layers.Conv3D(4, (2, 3, 3), data_format=form), (4, 6, 7)),
        (lambda form: layers.Conv2DTranspose(4, 3, strides=(1, 2), data_format=form), (6, 7)),
    ],
)
def test_channels_first_is_channels_last_turned(make: Callable[[str], Any], size: tuple[int, ...]) -> None:
    first, last = network_of(make("channels_first"), (6, *size)), network_of(make("channels_last"), (*size, 6))
    image = np.random.default_rng(2).normal(size=(1, *size, 6)).astype(np.float32)
    expected = traced(last, image.shape, "lab 1")(image)
    turned = np.moveaxis(image, -1, 1)
    found = np.moveaxis(traced(first, turned.shape, "lab 1")(turned), 1, -1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(found) > 0.1


def test_a_layer_within_a_layer_is_found() -> None:
    inner = layers.DepthwiseConv2D(3, strides=(1, 2))
    network = network_of(layers.TimeDistributed(inner), (2, 9, 11, 3))
    video = np.random.default_rng(2).normal(size=(1, 2, 9, 11, 3)).astype(np.float32)
    found = traced(network, video.shape, "lab 1")(video)
    weights, bias = inner.get_weights()
    for image, scores in zip(video[0], found[0], strict=True):
        np.testing.assert_allclose(scores, depthwise(image, weights, (1, 2), "valid") + bias, atol=2e-5)


def test_portable_layers_are_unchanged() -> None:
    network = keras.Sequential([keras.Input((9, 9, 2)), layers.Conv2D(3, 3, strides=(1, 2)), layers.DepthwiseConv2D(3)])
    with portable_layers(network):
        assert not any("call" in vars(layer) for layer in network.layers)


def recurrent() -> Any:
    """A layer of Keras's whose convolutions run inside a loop, channels first: nothing here computes it otherwise."""
    keras.utils.set_random_seed(1)
    memory = layers.ConvLSTM2D(2, 5, strides=5, data_format="channels_first", name="memory")
    body = [layers.Reshape((4, 1, 19, 256)), memory]
    network = keras.Sequential([keras.Input((76, 256, 1)), *body, layers.Flatten()])
    network.add(layers.Dense(3, activation="softmax"))
    return network


def test_layer_that_this_processor_cannot_compute_is_refused_by_name(tmp_path: Path) -> None:
    """As TensorFlow says it where there is no oneDNN; where there is, the same layer is published for Keras."""
    import tensorflow as tf

    network = recurrent()
    network.save(tmp_path / "memory.keras")
    repository = ModelRepository(LocalStore(tmp_path / "models"))
    try:
        network(np.zeros((1, 76, 256, 1), np.float32))
    except tf.errors.UnimplementedError:
        with pytest.raises(errors.IncompatibleModel, match=r"cannot compute the layer '.*memory.*' on this processor"):
            publish(request_for(tmp_path / "memory.keras", "memory", engine="keras"), repository)
    else:
        assert KerasNetwork(network, "lab 1").score(np.zeros((1, 76, 256, 1), np.float32)).shape == (1, 3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_a_layer_in_half_precision_is_refused_by_name(policy: str, tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((76, 256, 1)), layers.Conv2D(2, 5, strides=5, name="ears", dtype=policy)])
    network.add(layers.Flatten())
    network.add(layers.Dense(3, activation="softmax", dtype="float32"))
    network.save(tmp_path / "half.keras")
    repository = ModelRepository(LocalStore(tmp_path / "models"))
    computed_in = policy.removeprefix("mixed_")
    with pytest.raises(errors.IncompatibleModel, match=rf"the layer ears \(Conv2D\) computes in {computed_in}"):
        publish(request_for(tmp_path / "half.keras", "half"), repository)
