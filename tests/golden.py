"""The golden suite: bundles whose scores every engine must give, wherever it runs.

The one that ships; a lab's plain network with its variants; a picture's with other constants; one with layers of its
own; and one that only Keras runs, because LiteRT lacks an operation.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras

from anemonefish.models import ModelRepository
from anemonefish.models.publish import PublishRequest, publish
from anemonefish.profiles import profile_named
from anemonefish.stores.local import LocalStore

CLASSES = ("noise", "anemonefish", "biological")

SUITE = ["reef@1.1.0", "reef@1.0.0", "lab@plain", "lab@picture", "lab@mine"]
"""What both engines run."""

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
    """Save a small network with opinions, with a layer of its own in front."""
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
    publish(request_for(plain, "plain", variants=("int8", "float16", "winograd")), repository)
    picture = network_with(None, work / "picture.keras", (128, 64, 3))
    other = profile_named("image", n_fft=512, hop_length=128, width=64, height=128, fmax_hz=6000.0, hop_seconds=0.2)
    publish(request_for(picture, "picture", profile=other, sample_rate=None), repository)
    mine = network_with(own("Loudness"), work / "mine.keras")
    publish(request_for(mine, "mine", layers=layers_py), repository)
    rare = network_with(own("Rare"), work / "rare.keras")
    publish(request_for(rare, "rare", layers=layers_py), repository)
    return repository
