"""The lab's own networks as drop-ins: their shapes, published, verified and scored exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

from anemonefish import errors
from anemonefish.models import ModelRepository
from anemonefish.models.bundle import GOLDEN, KERAS, LITERT, MODEL_JSON, variant_files
from anemonefish.models.golden import Golden
from anemonefish.profiles import profile_named
from anemonefish.publishing.publish import publish
from anemonefish.stores.folder import LocalStore
from tests.golden import CLASSES, centred, heard, request_for


def lab_network(
    shape: tuple[int, ...],
    depth: int,
    outputs: int = 3,
    filters: tuple[int, ...] = (32, 64, 128, 256),
    sound: NDArray[np.float32] | None = None,
) -> Any:
    """Build a network of the lab's layers as if it had been trained: with optimiser state and opinions.

    Weights that keep a signal's strength, and one pass in training mode for the statistics of batch normalisation, make
    scores that differ as those of a trained network do. With all of the statistics (a momentum of 0), channels that six
    windows leave silent would make it lose precision.
    """
    keras.utils.set_random_seed(7)
    network = keras.Sequential([keras.Input(shape)])
    for width in filters:
        for _ in range(depth):
            network.add(layers.Conv2D(width, 3, padding="same", activation="relu", kernel_initializer="he_uniform"))
        network.add(layers.BatchNormalization(momentum=0.125))
        network.add(layers.MaxPooling2D(2))
    network.add(layers.Flatten())
    network.add(layers.Dense(128, activation="relu", kernel_initializer="he_uniform"))
    network.add(layers.BatchNormalization(momentum=0.125))
    network.add(layers.Dropout(0.5))
    network.add(layers.Dense(outputs, activation="softmax" if outputs > 1 else "sigmoid"))
    loss = "categorical_crossentropy" if outputs > 1 else "binary_crossentropy"
    network.compile(keras.optimizers.Adam(1e-4), loss)
    network.optimizer.build(network.trainable_variables)
    if sound is not None:
        network(sound, training=True)
        network.layers[-1].kernel.assign(0.4 * network.layers[-1].kernel)
        centred(network, sound)
    return network


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> ModelRepository:
    return ModelRepository(LocalStore(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def small_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick network of the v2 kind."""
    path = tmp_path_factory.mktemp("keras") / "small.keras"
    lab_network((76, 256, 1), 1, filters=(4, 8)).save(path)
    return path


@pytest.mark.parametrize(
    ("version", "profile", "shape", "depth", "rate", "parameters", "bytes_on_disk"),
    [
        ("v1", "image", (256, 256, 3), 5, None, 11_915_331, 143_141_524),
        ("v2", "stft-db", (76, 256, 1), 3, 48_000, 4_055_619, 48_783_647),
    ],
)
def test_a_network_of_the_labs_shape_is_published_verified_and_scored(
    version: str, profile: str, shape: tuple[int, ...], depth: int, rate: int | None, parameters: int,
    bytes_on_disk: int, repository: ModelRepository, tmp_path: Path,
) -> None:  # fmt: skip
    network = lab_network(shape, depth, sound=heard(profile_named(profile), every=17))
    assert network.count_params() == parameters
    path = tmp_path / "model.keras"
    network.save(path)
    # The lab's files, 3 x the weights: our stand-in is the same kind of file.
    assert abs(path.stat().st_size - bytes_on_disk) < 400

    request = request_for(path, version, profile=profile_named(profile), sample_rate=rate)
    spec = publish(request, repository)

    print(f"{version}: {spec.parity} {spec.variants} {spec.compute}")  # pytest -s shows the figures
    assert spec.parity["windows"] == 100
    assert spec.parity["max_difference"] <= 1e-5
    assert set(spec.files) == {KERAS, LITERT, GOLDEN, *variant_files("winograd")}
    # Winograd's algorithm shortens nearly all of it, so ncnn serves it where every window proves that.
    assert (spec.engine, spec.parity["winograd_share"] > 0.9) == ("ncnn", True)
    assert spec.parity["ncnn_max_difference"] <= 1e-5
    assert sum(windows > 0 for windows in spec.parity["best_class"].values()) >= 2
    # The network does tell windows apart: agreement on one constant score would prove nothing.
    golden = Golden.from_bytes(repository.read_file(spec, GOLDEN), version)
    assert np.ptp(golden.scores, axis=0).max() > 1e-3
    verified, difference = repository.verify(f"lab@{version}")
    assert verified == spec
    assert difference <= 1e-5
    model = repository.load(repository.pin(f"lab@{version}"))
    scores = model.scores(np.random.default_rng(0).random((2, *shape), np.float32))
    assert scores.shape == (2, 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


def test_a_single_sigmoid_is_one_score_for_the_target(repository: ModelRepository, tmp_path: Path) -> None:
    path = tmp_path / "binary.keras"
    lab_network((76, 256, 1), 1, outputs=1, filters=(4, 8)).save(path)
    spec = publish(request_for(path, "binary", classes=("anemonefish",)), repository)
    assert (spec.classes, spec.target_class) == (("anemonefish",), "anemonefish")
    assert repository.load(repository.pin("lab@binary")).scores(np.zeros((3, 76, 256, 1), np.float32)).shape == (3, 1)


def test_metadata_travels_with_the_bundle(repository: ModelRepository, small_network: Path, tmp_path: Path) -> None:
    metadata = tmp_path / "model_config.yaml"
    metadata.write_text("classes: [noise, anemonefish, biological]\nepochs_trained: 57\nfinal_val_accuracy: 0.6657\n")
    spec = publish(request_for(small_network, "meta", classes=(), metadata=metadata), repository)
    assert spec.classes == CLASSES
    assert repository.spec(repository.pin("lab@meta")).training["final_val_accuracy"] == 0.6657


def test_a_version_never_changes(repository: ModelRepository, small_network: Path) -> None:
    publish(request_for(small_network, "once"), repository)
    with pytest.raises(errors.InvalidRequest, match="versions never change"):
        publish(request_for(small_network, "once"), repository)


def test_aliases_point_to_versions(repository: ModelRepository, small_network: Path) -> None:
    publish(request_for(small_network, "2.0"), repository)
    with pytest.raises(errors.ModelNotFound, match="alias 'production'"):
        repository.pin("lab")
    repository.set_alias("lab", "production", "2.0")
    assert repository.pin("lab") == repository.pin("lab@production") == repository.pin("lab@2.0")
    with pytest.raises(errors.ModelNotFound):
        repository.set_alias("lab", "production", "3.0")


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({"classes": ("noise", "anemonefish")}, errors.IncompatibleModel, "3 outputs, but there are 2 classes"),
        ({"classes": ()}, errors.InvalidRequest, "name the classes"),
        ({"sample_rate": None}, errors.InvalidSettings, "sample_rate must be given"),
        ({"sample_rate": 44_100}, errors.IncompatibleModel, r"\(69, 256, 1\).*\(76, 256, 1\)"),
        ({"profile": profile_named("image")}, errors.IncompatibleModel, r"\(256, 256, 3\)"),
        ({"target_class": "clownfish"}, errors.InvalidBundle, "'clownfish' is not among its classes"),
        ({"name": "The Lab"}, errors.InvalidBundle, "cannot name a model"),
        ({"keras": Path("nothing.keras")}, errors.InvalidRequest, "nothing.keras: there is no such file"),
        ({"metadata": Path("nothing.yaml")}, errors.InvalidRequest, "nothing.yaml"),
        ({"audio": "nothing.wav"}, errors.RecordingNotFound, "nothing.wav"),
    ],
)  # fmt: skip
def test_unpublishable_network_is_refused_with_the_reason(
    changes: dict[str, Any], expected: type[Exception], words: str, repository: ModelRepository, small_network: Path
) -> None:
    with pytest.raises(expected, match=words):
        publish(request_for(small_network, "refused", **changes), repository)
    assert not repository.store.exists(f"lab/refused/{MODEL_JSON}")


def test_a_file_that_is_no_network_is_refused(repository: ModelRepository, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"not a zip")
    with pytest.raises(errors.IncompatibleModel, match=r"model\.keras: Keras cannot load"):
        publish(request_for(path, "broken"), repository)


def test_a_network_that_swaps_its_axes_is_refused(repository: ModelRepository, tmp_path: Path) -> None:
    """(frequency, time) flattens to as many numbers as (time, frequency); the shape must be checked by name."""
    path = tmp_path / "swapped.keras"
    lab_network((256, 76, 1), 1, filters=(4,)).save(path)
    with pytest.raises(errors.IncompatibleModel, match=r"\(76, 256, 1\) .*the network takes \(256, 76, 1\)"):
        publish(request_for(path, "swapped"), repository)


def test_disagreement_of_the_engines_refuses_the_bundle(
    repository: ModelRepository, small_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real disagreement: the converter gets other weights than Keras scored with."""
    from anemonefish.publishing import publish as module

    convert = module._convert

    def convert_other_weights(network: Any, spec: Any) -> bytes:
        layer = network.layers[0]
        kept = layer.get_weights()
        layer.set_weights([array * 2 for array in kept])
        weights = convert(network, spec)
        layer.set_weights(kept)
        return weights

    monkeypatch.setattr(module, "_convert", convert_other_weights)
    with pytest.raises(
        errors.ParityError, match=r"more than 1e-05; from the network in float64 .*the model was not published"
    ):
        publish(request_for(small_network, "apart"), repository)
    assert not repository.store.exists(f"lab/apart/{MODEL_JSON}")
