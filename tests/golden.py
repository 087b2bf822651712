"""The golden suite: bundles for which every engine must compute the same scores on every machine.

It contains the reference models; a plain network with variants; a network for pictures with other constants; one with
custom layers; one that ncnn runs; one with convolutions that TensorFlow computes only with oneDNN; and one that only
Keras runs, because LiteRT lacks an operation.

    python -m tests.golden SUITE WORK     verify the suite with every engine, publish networks that depend on oneDNN
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from anemonefish.models import ModelRepository
from anemonefish.models.keras import traced
from anemonefish.profiles import profile_named
from anemonefish.publishing.publish import publish
from anemonefish.publishing.publish_request import PublishRequest
from anemonefish.publishing.trial import trial_windows
from anemonefish.stores.folder import LocalStore

CLASSES = ("noise", "anemonefish", "biological")

SUITE = [
    *("reef@2.2.0", "reef@2.0.0", "reef@1.1.0", "reef@1.0.0"),
    *("lab@plain", "lab@picture", "lab@mine", "lab@deep", "lab@strides"),
]
"""Models that LiteRT and Keras run; ncnn runs ``lab@deep`` by default."""

KERAS_ALONE = "lab@rare"

LAYERS_PY = '''
import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("lab")
class Loudness(keras.layers.Layer):
    """An operation that every engine has."""

    def call(self, x):
        return x * 2.0 - 1.0


class Rare(keras.layers.Layer):
    """An operation that LiteRT does not have."""

    def call(self, x):
        return tf.math.betainc(2.0, 3.0, x)
'''


def network_with(layer: Any | None, path: Path, shape: tuple[int, ...] = (76, 256, 1)) -> Path:
    """Save a small random network, with an optional custom layer in front."""
    keras.utils.set_random_seed(3)
    network = keras.Sequential([keras.Input(shape)])
    if layer is not None:
        network.add(layer)
    network.add(keras.layers.Conv2D(8, 5, strides=4, activation="relu"))
    network.add(keras.layers.Flatten())
    network.add(
        keras.layers.Dense(3, activation="softmax", kernel_initializer=keras.initializers.RandomNormal(0, 0.05))
    )
    network.save(path)
    return path


def centred(network: Any, spectrograms: NDArray[np.float32]) -> Any:
    """Shift the biases of the last layer so that every class is the best of some spectrograms, as after training."""
    last = network.layers[-1]
    scores = np.maximum(traced(network, (None, *spectrograms.shape[1:]), "lab 1")(spectrograms), 1e-30)
    last.bias.assign(last.bias - np.log(scores).mean(axis=0))
    return network


def heard(profile: Any, sample_rate: int = 48_000, every: int = 5) -> NDArray[np.float32]:
    """Return spectrograms of a simulated reef."""
    made: NDArray[np.float32] = profile.spectrograms(trial_windows(None, profile, sample_rate)[::every], sample_rate)
    return made


def chain(path: Path, *body: Any, shape: tuple[int, ...] = (76, 256, 1)) -> Path:
    """Save a chain of layers that ends with a softmax of three classes."""
    keras.utils.set_random_seed(3)
    network = keras.Sequential([keras.Input(shape), *body, keras.layers.Flatten()])
    spread = keras.initializers.RandomNormal(0, 0.05)
    network.add(keras.layers.Dense(3, activation="softmax", kernel_initializer=spread))
    centred(network, heard(profile_named("stft-db"))).save(path)
    return path


def deep(path: Path) -> Path:
    """Save a network of convolutions for which Winograd's algorithm is faster."""
    layers = keras.layers
    body = [
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(4),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(4),
    ]
    return chain(path, *body)


def strides(path: Path) -> Path:
    """Save a network with layers that LiteRT supports and TensorFlow's own kernels do not."""
    layers = keras.layers
    return chain(
        path,
        layers.Conv2D(8, 5, strides=4, activation="relu"),
        layers.DepthwiseConv2D(3, strides=(1, 2), depth_multiplier=2, activation="relu"),
        layers.SeparableConv2D(6, (2, 3), strides=(2, 1), padding="same", activation="relu"),
    )


def dilated(path: Path) -> Path:
    """Save a network with layers that TensorFlow's own kernels do not support and only Keras runs."""
    layers = keras.layers
    return chain(
        path,
        layers.Conv2D(6, 5, strides=4, activation="relu"),
        layers.Conv2DTranspose(4, 3, dilation_rate=2, activation="relu"),
        layers.Permute((3, 1, 2)),
        layers.Conv2D(4, 3, strides=(2, 3), data_format="channels_first", activation="relu"),
    )


def own(name: str) -> Any:
    names: dict[str, Any] = {}
    exec(LAYERS_PY, names)
    return names[name]()


def request_for(path: Path, version: str, **changes: Any) -> PublishRequest:
    fields = {
        "keras": path, "name": "lab", "version": version, "profile": profile_named("stft-db"),
        "classes": CLASSES, "sample_rate": 48_000,
    }  # fmt: skip
    return PublishRequest(**{**fields, **changes})


def publish_suite(folder: Path, shipped: Path, work: Path) -> ModelRepository:
    """Publish every bundle of the suite into ``folder``; return the repository."""
    shutil.copytree(shipped, folder, dirs_exist_ok=True)
    repository = ModelRepository(LocalStore(folder))
    layers_py = work / "our_layers.py"
    layers_py.write_text(LAYERS_PY)
    plain = network_with(None, work / "plain.keras")
    publish(request_for(plain, "plain", variants=("int8", "winograd")), repository)
    picture = network_with(None, work / "picture.keras", (128, 64, 3))
    other = profile_named("image", n_fft=512, hop_length=128, width=64, height=128, fmax_hz=6000.0, hop_seconds=0.2)
    publish(request_for(picture, "picture", profile=other, sample_rate=None), repository)
    mine = network_with(own("Loudness"), work / "mine.keras")
    publish(request_for(mine, "mine", layers=layers_py), repository)
    rare = network_with(own("Rare"), work / "rare.keras")
    publish(request_for(rare, "rare", layers=layers_py), repository)
    publish(request_for(deep(work / "deep.keras"), "deep"), repository)
    publish(request_for(strides(work / "strides.keras"), "strides"), repository)
    return repository


def _main(suite: Path, work: Path) -> None:
    """Print the differences of the suite on this processor and TensorFlow setting; store Keras's scores in ``work``."""
    work.mkdir()
    fresh = ModelRepository(LocalStore(work / "models"))
    for make in (strides, dilated):
        publish(request_for(make(work / f"{make.__name__}.keras"), make.__name__), fresh)
    found = {}
    for engine in ("litert", "keras"):
        repository = ModelRepository(LocalStore(suite), engine)
        for reference in SUITE:
            found[f"{reference} {engine}"] = repository.verify(reference)[1]
    by_keras = ModelRepository(LocalStore(suite), "keras"), ModelRepository(LocalStore(work / "models"), "keras")
    for repository, reference in (*((by_keras[0], name) for name in SUITE), (by_keras[1], "lab@dilated")):
        model = repository.load(repository.pin(reference))
        rate = model.spec.sample_rate or 48_000
        np.save(work / f"{reference}.npy", model.scores(heard(model.spec.profile, rate)))
    print(json.dumps(found))


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:]))
