"""Models and recordings for the benchmarks: networks with the lab's layers, the reference model, a simulated reef.

The lab's own weights are not public. A network with the same layers takes the same time and, saved with the state of
its optimiser, has a file of the same size. These networks are made here, published like any model and kept in
``.build/bench`` until ``make clean``. The default engine of a model is measured, and LiteRT as ``+litert``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from anemonefish.models.bundle import KERAS, MODEL_JSON, VARIANTS
from anemonefish.models.engine import Model
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.profiles import profile_named
from anemonefish.simulation.scene import scene
from anemonefish.stores import open_store

__all__ = ["FOLDER", "MODELS", "RATE", "REPOSITORY", "LabModel", "flops", "recording"]

# Use TensorFlow's fastest kernels on every processor: by default it uses oneDNN only on processors with AVX-512.
# TensorFlow reads the variable when it starts, and the processes of the sections inherit it.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

REPOSITORY = Path(__file__).parents[1]
FOLDER = REPOSITORY / ".build" / "bench"
RATE = 48_000
_CLASSES = ("noise", "anemonefish", "biological")
_TRAINING_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class LabModel:
    """A model for the measurements.

    Attributes
    ----------
    title : str
        Its name in the table.
    reference : str
        ``name@version`` in the model store.
    store : str
        Folder of that store.
    profile : str
        Its preprocessing.
    depth : int or None
        Number of convolutions in each of the four blocks; None for a network that is not made here.
    variants : tuple of str
        Additional variants and engines that are measured: LiteRT, if ncnn is the default engine.
    """

    title: str
    reference: str
    store: str
    profile: str
    depth: int | None = None
    variants: tuple[str, ...] = ()

    @property
    def sample_rate(self) -> int | None:
        """The sample rate in Hz that the model needs; None for any rate."""
        return None if profile_named(self.profile).any_sample_rate else RATE

    def ready(self, variant: str | None = None) -> Model:
        """Return the model or a variant as a worker loads it. Make and publish it first if necessary."""
        self.ensure()
        reference = self.reference if variant is None else f"{self.reference}+{variant}"
        return ready_model(self.store, self.repository().pin(reference))

    def repository(self) -> ModelRepository:
        """Return the model store."""
        return ModelRepository(open_store(self.store))

    def keras(self) -> Path:
        """Return the path of the file that training saved."""
        self.ensure()
        name, _, version = self.reference.partition("@")
        return Path(self.store, name, version, KERAS)

    def ensure(self) -> None:
        """Make and publish the model if necessary, in a separate process, because TensorFlow starts threads."""
        name, _, version = self.reference.partition("@")
        if not Path(self.store, name, version, MODEL_JSON).exists():
            subprocess.run([sys.executable, "-m", "bench.lab", self.title], check=True, cwd=REPOSITORY)


MODELS = {
    "v1": LabModel("v1", "lab@v1", str(FOLDER / "published"), "image", 5, ("litert",)),
    "v2": LabModel("v2", "lab@v2", str(FOLDER / "published"), "stft-db", 3, ("litert",)),
    "reef": LabModel("reef", "reef@1.1.0", str(REPOSITORY / "models"), "stft-db"),
}
"""The lab's two networks and the reference model, by title."""


def recording(seconds: int) -> Path:
    """Return a 16-bit mono WAV of a given length in seconds, which repeats a minute of a simulated reef."""
    path = FOLDER / f"reef-{seconds}.wav"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        minute = np.concatenate(list(scene(60, seed=1, sample_rate=RATE).blocks(RATE)))
        unfinished = path.with_suffix(".part")
        left = seconds * RATE
        with soundfile.SoundFile(unfinished, "w", RATE, 1, "PCM_16", format="WAV") as file:
            while left > 0:
                file.write(minute[:left])
                left -= len(minute)
        unfinished.rename(path)
    return path


def flops(network: Any) -> int:
    """Return the operations per window, counted from the layers: two per product of convolutions and dense layers."""
    import keras

    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            height, width, _ = layer.output.shape[1:]
            total += 2 * height * width * int(np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            total += 2 * int(np.prod(layer.kernel.shape))
    return total


def _network(model: LabModel) -> Any:
    """Build a network with the lab's layers that looks trained: it has optimiser state and uses several classes."""
    import keras
    from keras import layers

    assert model.depth is not None, f"{model.title} is not made here"
    profile = profile_named(model.profile)
    samples = next(iter(scene(_TRAINING_SECONDS, seed=1, sample_rate=RATE).blocks(int(_TRAINING_SECONDS * RATE))))
    grid = profile.grid(len(samples), RATE)
    windows = np.stack(
        [samples[start : start + grid.window] for start in range(0, grid.n_windows * grid.hop, grid.hop)]
    )
    spectrograms = profile.spectrograms(windows.astype(profile.sample_dtype), RATE)
    keras.utils.set_random_seed(7)
    network = keras.Sequential([keras.Input(spectrograms.shape[1:])])
    for width in (32, 64, 128, 256):
        for _ in range(model.depth):
            network.add(layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer="he_uniform"))
        network.add(layers.BatchNormalization(momentum=0.125))  # a low momentum, so that one pass is enough
        network.add(layers.MaxPooling2D(2))
    network.add(layers.Flatten())
    network.add(layers.Dense(128, activation="relu", kernel_initializer="he_uniform"))
    network.add(layers.BatchNormalization(momentum=0.125))
    network.add(layers.Dropout(0.5))
    network.add(layers.Dense(len(_CLASSES), activation="softmax"))
    network.compile(keras.optimizers.Adam(1e-4), "categorical_crossentropy")
    network.optimizer.build(network.trainable_variables)
    network(spectrograms, training=True)
    # Publishing requires that several classes are the best one of some windows.
    last = network.layers[-1]
    last.kernel.assign(0.4 * last.kernel)
    last.bias.assign(-np.log(np.asarray(network(spectrograms, training=False))).mean(axis=0))
    return network


def _publish(model: LabModel) -> None:
    from anemonefish.publishing.publish import publish
    from anemonefish.publishing.publish_request import PublishRequest

    name, _, version = model.reference.partition("@")
    path = FOLDER / f"{version}.keras"
    path.parent.mkdir(parents=True, exist_ok=True)
    _network(model).save(path)
    request = PublishRequest(
        keras=path,
        name=name,
        version=version,
        profile=profile_named(model.profile),
        classes=_CLASSES,
        sample_rate=model.sample_rate,
        variants=tuple(variant for variant in model.variants if variant in VARIANTS),
    )
    publish(request, model.repository())
    path.unlink()


if __name__ == "__main__":
    _publish(MODELS[sys.argv[1]])
