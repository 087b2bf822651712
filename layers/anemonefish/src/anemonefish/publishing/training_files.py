"""Read what a training saved: the network, its own layers, its classes and metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anemonefish.errors import IncompatibleModel, InvalidRequest, InvalidSettings
from anemonefish.models.bundle import KERAS, LAYERS, ModelSpec
from anemonefish.models.card import ModelCard
from anemonefish.models.keras import is_hdf5, load_keras
from anemonefish.publishing.publish_request import PublishRequest
from anemonefish.publishing.trial import NATIVE_TRIAL_RATE
from anemonefish.stores.temporary import temporary_folder

__all__ = ["draft_spec", "load_network", "read_card", "read_file", "read_metadata", "saved_network"]

_NOT_INSTALLED = "publishing needs TensorFlow; install it with: pip install 'anemonefish[publish]'"


def read_metadata(path: Path | None) -> dict[str, Any]:
    """Read the training's ``model_config.yaml``; empty without a path.

    Raises
    ------
    InvalidRequest
        It cannot be read, or holds no names and values.
    """
    return {} if path is None else _read_yaml(path, "the training's model_config.yaml")


def read_card(path: Path) -> ModelCard:
    """Read the card of a model from a YAML or JSON file.

    Raises
    ------
    InvalidRequest
        It cannot be read, a name in it is unknown, or a value is invalid.
    """
    try:
        return ModelCard.from_dict(_read_yaml(path, "a card file (docs/bring-your-model.md has one to copy)"))
    except InvalidSettings as error:
        raise InvalidRequest(f"{path}: {error}") from None


def _read_yaml(path: Path, what: str) -> dict[str, Any]:
    """Read names and values from YAML, which JSON is too; ``what`` tells in the error which file to give."""
    try:
        import yaml
    except ImportError:
        raise InvalidRequest(_NOT_INSTALLED) from None
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequest(f"{path}: not readable ({error.strerror}); give {what}") from None
    except (ValueError, yaml.YAMLError) as error:
        raise InvalidRequest(f"{path}: not readable as YAML ({error}); give {what}") from None
    if not isinstance(document, dict):
        raise InvalidRequest(f"{path}: must hold names and values; give {what}")
    return document


def read_file(path: Path, what: str) -> bytes:
    """Read a file that a user gave; ``what`` tells in the error which file to give."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path}: not readable ({error.strerror}); give {what}") from None


def load_network(request: PublishRequest, layers: bytes | None) -> tuple[Any, dict[str, bytes]]:
    """Return the network and the files of the bundle that hold it as training saved it.

    Raises
    ------
    InvalidRequest
        There is no such file, it is a folder, or TensorFlow is not installed.
    """
    path = request.keras
    if path.is_dir():
        what = "a SavedModel folder" if (path / "saved_model.pb").exists() else "a folder"
        raise InvalidRequest(
            f"{path}: this is {what}, which Keras 3 cannot load as a network; where it was trained, load it "
            f"(tf.keras.models.load_model) and save it with model.save('model.keras'), then publish that file"
        )
    if not path.is_file():
        raise InvalidRequest(f"{path}: there is no such file; give the .keras file that training saved")
    try:
        network = load_keras(path, layers)
    except ImportError:
        raise InvalidRequest(_NOT_INSTALLED) from None
    # A bundle holds .keras alone, so what is HDF5 is saved anew.
    weights = saved_network(network) if is_hdf5(path) else path.read_bytes()
    return network, {KERAS: weights} | ({} if layers is None else {LAYERS: layers})


def saved_network(network: Any) -> bytes:
    """Return the content of the ``.keras`` file of a network."""
    with temporary_folder() as folder:
        path = Path(folder, KERAS)
        network.save(path)
        return path.read_bytes()


def draft_spec(request: PublishRequest, network: Any, training: dict[str, Any]) -> ModelSpec:
    """Return the spec of a network, without what publishing measures.

    Raises
    ------
    InvalidRequest, InvalidSettings
        The classes or the sample rate are missing.
    IncompatibleModel
        The network's shapes do not fit its classes or its profile.
    """
    classes = request.classes or tuple(training.get("classes", ()))
    if not classes:
        raise InvalidRequest("name the classes in the order of the network's outputs, or give metadata that does")
    shape, outputs = _shapes(request.keras, network)
    if outputs != len(classes):
        raise IncompatibleModel(
            f"{request.keras}: the network has {outputs} outputs, but there are {len(classes)} classes "
            f"({', '.join(classes)}); a single sigmoid has one class, the target"
        )
    if request.sample_rate is None and not request.profile.any_sample_rate:
        raise InvalidSettings(
            f"sample_rate must be given for profile {request.profile.kind}: a spectrogram's shape depends on it"
        )
    spec = ModelSpec(
        name=request.name,
        version=request.version,
        description=request.description,
        license=request.license,
        classes=classes,
        target_class=request.target_class,
        more_targets=request.more_targets,
        sample_rate=request.sample_rate,
        input_shape=shape,
        profile=request.profile,
        decision=request.decision,
        card=request.card,
        training=training,
        parity={},
        compute={},
        files={},
    )
    expected = request.profile.input_shape(request.sample_rate or NATIVE_TRIAL_RATE)
    if expected != shape:
        raise IncompatibleModel(
            f"{request.keras}: profile {request.profile.kind} makes windows of shape {expected}, the network takes "
            f"{shape}"
        )
    return spec


def _shapes(path: Path, network: Any) -> tuple[tuple[int, ...], int]:
    inputs, outputs = network.inputs, network.outputs
    if len(inputs) != 1 or len(outputs) != 1 or len(outputs[0].shape) != 2 or None in tuple(inputs[0].shape[1:]):
        raise IncompatibleModel(
            f"{path}: a network needs one input of fixed shape and one output of scores, "
            f"not {[tuple(t.shape) for t in inputs]} and {[tuple(t.shape) for t in outputs]}"
        )
    return tuple(int(n) for n in inputs[0].shape[1:]), int(outputs[0].shape[1])
