"""The variant winograd: every layer it knows scores as Keras does, any other is refused by name."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

from anemonefish import errors
from anemonefish.cli.main import main
from anemonefish.models import ModelRepository
from anemonefish.models.bundle import MODEL_JSON
from anemonefish.models.ncnn import NcnnNetwork
from anemonefish.publishing.publish import publish
from anemonefish.publishing.to_ncnn import to_ncnn
from anemonefish.stores.folder import LocalStore
from tests.golden import network_with, request_for


def opinionated(network: Any) -> Any:
    """Give every weight a value that is not the one it starts with: a swapped mean or slope must show."""
    chance = np.random.default_rng(11)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([chance.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])
        elif layer.get_weights():
            *kernel, bias = layer.get_weights() if layer.use_bias else (*layer.get_weights(), None)
            layer.set_weights([*kernel, *([] if bias is None else [chance.uniform(-0.3, 0.3, bias.shape)])])
    return network


def chain(shape: tuple[int, ...], *body: Any) -> Any:
    keras.utils.set_random_seed(5)
    return opinionated(keras.Sequential([keras.Input(shape), *body]))


def largest_difference(network: Any, windows: int = 5) -> float:
    spectrograms = np.random.default_rng(2).normal(size=(windows, *network.input_shape[1:])).astype(np.float32)
    ours = NcnnNetwork("lab 1", *to_ncnn(network, "lab 1"))
    assert ours.shapes == ((1, *network.input_shape[1:]), (1, network.output_shape[1]))
    expected = np.asarray(network(spectrograms, training=False))
    assert np.ptp(expected) > 1e-3  # agreement on one constant score would prove nothing
    found = np.concatenate([ours.score(spectrograms[at : at + 1]) for at in range(windows)])
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


HEAD = (layers.Flatten, lambda: layers.Dense(3, activation="softmax"))


@pytest.mark.parametrize("shape", [(76, 256, 1), (32, 48, 3), (13, 7, 3), (5, 9, 2)])
@pytest.mark.parametrize("width", [1, 8, 33])
def test_convolutions_of_any_size(shape: tuple[int, ...], width: int) -> None:
    network = chain(
        shape,
        layers.Conv2D(width, 3, padding="same", activation="relu"),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        *(make() for make in HEAD),
    )
    assert largest_difference(network) <= 1e-5


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Conv2D(8, 3),
        lambda: layers.Conv2D(8, (5, 3), strides=(2, 3), padding="same"),
        lambda: layers.Conv2D(8, (2, 4), strides=2),
        lambda: layers.Conv2D(8, 3, dilation_rate=2, padding="same"),
        lambda: layers.Conv2D(8, 3, use_bias=False, activation="sigmoid"),
        lambda: layers.Conv2D(8, 1, activation="tanh"),
        layers.BatchNormalization,
        lambda: layers.BatchNormalization(scale=False, epsilon=0.1),
        lambda: layers.BatchNormalization(center=False),
        layers.MaxPooling2D,
        lambda: layers.MaxPooling2D((3, 2), strides=(2, 1)),
        lambda: layers.AveragePooling2D((2, 3)),
        lambda: layers.AveragePooling2D(3, strides=2),
        layers.ReLU,
        lambda: layers.Activation("tanh"),
        lambda: layers.Dropout(0.5),
        lambda: layers.SpatialDropout2D(0.5),
    ],
)
@pytest.mark.parametrize("shape", [(19, 31, 3), (16, 12, 4)])
def test_every_supported_layer_is_written(layer: Callable[[], Any], shape: tuple[int, ...]) -> None:
    network = chain(shape, layer(), layers.Conv2D(4, 3), *(make() for make in HEAD))
    assert largest_difference(network) <= 1e-5


@pytest.mark.parametrize(
    "head",
    [
        lambda: [layers.GlobalMaxPooling2D()],
        lambda: [layers.GlobalAveragePooling2D(), layers.Dense(5, activation="tanh")],
        lambda: [layers.GlobalAveragePooling2D(), layers.Flatten(), layers.Dense(1, activation="sigmoid")],
        lambda: [layers.Flatten(), layers.BatchNormalization(), layers.Dense(4, use_bias=False)],
        lambda: [layers.Flatten(), layers.Dense(9, activation="relu"), layers.Dense(3), layers.Activation("softmax")],
    ],
)
def test_every_supported_last_layer_is_written(head: Callable[[], list[Any]]) -> None:
    assert largest_difference(chain((12, 15, 3), layers.Conv2D(6, 3), *head())) <= 1e-5


def test_a_chain_of_the_functional_kind() -> None:
    window = keras.Input((20, 30, 1))
    heard = layers.Dropout(0.2)(layers.Conv2D(4, 3, activation="relu")(window))
    network = opinionated(keras.Model(window, layers.Dense(2)(layers.Flatten()(heard))))
    assert largest_difference(network) <= 1e-5


def test_scores_are_right_after_the_caller_freed_its_window() -> None:
    """The binding keeps a pointer, not a copy: large windows that were freed meanwhile would be scored as garbage."""
    network = chain((256, 256, 3), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D())
    ours = NcnnNetwork("lab 1", *to_ncnn(network, "lab 1"))
    spectrogram = np.random.default_rng(2).random((1, 256, 256, 3), np.float32)
    expected = ours.score(spectrogram)
    for _ in range(5):
        np.testing.assert_array_equal(ours.score(spectrogram.copy()), expected)
        gc.collect()
        np.empty(256 * 256 * 3, np.float32).fill(7.0)  # whoever takes the memory next


# --- what is refused -----------------------------------------------------------------------------------------------


def branched() -> Any:
    window = keras.Input((20, 30, 1))
    left, right = layers.Conv2D(4, 3)(window), layers.Conv2D(4, 3)(window)
    return keras.Model(window, layers.Dense(2)(layers.Flatten()(layers.Add()([left, right]))))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: chain((9, 9, 4), layers.DepthwiseConv2D(3), layers.Flatten()), r"\(DepthwiseConv2D\) at all"),
        (lambda: chain((9, 9, 4), layers.Conv2D(4, 3, groups=2), layers.Flatten()), r"\(Conv2D\) with groups=2"),
        (lambda: chain((9, 9, 4), layers.Conv2D(4, 3, activation="gelu")), r"\(Conv2D\) with activation=gelu"),
        (lambda: chain((9, 9, 4), layers.Conv2D(4, 3, activation="softmax")), "with activation=softmax"),
        (lambda: chain((9, 9, 4), layers.ReLU(max_value=6.0)), r"\(ReLU\) with max_value=6.0"),
        (lambda: chain((9, 9, 4), layers.MaxPooling2D(2, padding="same")), r"\(MaxPooling2D\) with padding=same"),
        (lambda: chain((9, 9, 4), layers.Dense(4)), r"\(Dense\) with an input of shape \(None, 9, 9, 4\)"),
        (lambda: chain((9, 9, 4), layers.BatchNormalization(axis=1)), "with axis=1"),
        (lambda: chain((9, 9, 4), layers.GlobalMaxPooling2D(keepdims=True)), "with keepdims=True"),
        (lambda: chain((9, 4), layers.Flatten()), "layers in a chain that take height, width and channels"),
        (branched, "layers in a chain"),
    ],
)
def test_unsupported_layer_is_refused_by_name(network: Callable[[], Any], words: str) -> None:
    with pytest.raises(errors.IncompatibleModel, match=words) as refused:
        to_ncnn(network(), "lab 1")
    assert "publish it with --engine litert" in str(refused.value)


@pytest.mark.parametrize(
    "layers_file", [b"", b"7767517\n2 2\nInput input 0 1 blob0 0=4 1=4 2=1\nNothing x 1 1 blob0 b\n"]
)
def test_damaged_files_are_refused(layers_file: bytes) -> None:
    with pytest.raises(errors.InvalidBundle, match="ncnn cannot load the files of winograd; publish the model again"):
        NcnnNetwork("lab 1", layers_file, b"")


def test_without_ncnn_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ncnn", None)
    with pytest.raises(errors.InvalidBundle, match=r"pip install 'anemonefish\[winograd\]'"):
        NcnnNetwork("lab 1", b"", b"")


def test_scores_that_differ_are_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = ModelRepository(LocalStore(tmp_path / "models"))

    def altered(network: Any, title: str) -> tuple[bytes, bytes]:
        made, weights = to_ncnn(network, title)
        floats = np.frombuffer(weights, "<f4").copy()
        floats[5] += 0.1
        return made, floats.tobytes()

    monkeypatch.setattr("anemonefish.publishing.publish.to_ncnn", altered)
    request = request_for(network_with(None, tmp_path / "plain.keras"), "off", variants=("winograd",))
    with pytest.raises(errors.ParityError, match=r"variant winograd differ by .* more than 1e-05; the model was not"):
        publish(request, repository)
    assert not repository.store.exists(f"lab/off/{MODEL_JSON}")


def test_a_branched_network_says_so_on_the_command_line(tmp_path: Path) -> None:
    window = keras.Input((76, 256, 1))
    halves = [layers.Conv2D(2, 5, strides=4)(window) for _ in range(2)]
    network = keras.Model(window, layers.Dense(1, activation="sigmoid")(layers.Flatten()(layers.Add()(halves))))
    network.save(tmp_path / "lab.keras")
    done = CliRunner().invoke(
        main,
        ["models", "publish", str(tmp_path / "lab.keras"), "--name", "lab", "--version", "1", "--profile", "stft-db",
         "--classes", "anemonefish", "--sample-rate", "48000", "--variant", "winograd",
         "--models", str(tmp_path / "models")],
    )  # fmt: skip
    assert done.exit_code != 0
    assert "lab 1: Winograd (ncnn) is for layers in a chain" in " ".join(done.output.split())
