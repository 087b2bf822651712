"""Publish: a ``.keras`` file becomes a bundle that proves its own parity.

Owns conversion by TensorFlow's own converter, the choice of the engine, its comparison with Keras on spectrograms of
sound and of those spectrograms with librosa's, and the order of writing (``model.json`` last, so a bundle is whole or
absent). Refuses what would serve other scores than training gave. Workers never import it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.audio import open_audio
from anemonefish.errors import (
    IncompatibleModel,
    InvalidBundle,
    InvalidRequest,
    InvalidSettings,
    ParityError,
    UnsupportedRecording,
    first_line,
)
from anemonefish.models.bundle import (
    GOLDEN,
    KERAS,
    LAYERS,
    LITERT,
    MODEL_JSON,
    VARIANTS,
    FileFact,
    ModelSpec,
    variant_files,
)
from anemonefish.models.engine import Model
from anemonefish.models.golden import TOLERANCE, Golden, check_golden, check_preprocessing
from anemonefish.models.keras import KerasNetwork, load_keras
from anemonefish.models.litert import LiteRtNetwork
from anemonefish.models.ncnn import NcnnNetwork
from anemonefish.models.repository import ModelRepository
from anemonefish.models.variants import convert, measure_agreement
from anemonefish.models.winograd import to_ncnn
from anemonefish.profiles import Profile
from anemonefish.resample import at_rate
from anemonefish.simulate import scene

__all__ = ["PublishRequest", "compare", "publish"]

COMPARED_WINDOWS = 100
GOLDEN_WINDOWS = 4
AGREEMENT_WINDOWS = 300

_NATIVE_TRIAL_RATE = 48_000
"""Rate of the trial audio for a model that takes recordings at their own rate, in Hz."""

_KERAS_BATCH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """What a user says of a model.

    Attributes
    ----------
    keras : Path
        The file as training saved it, optimiser state and all.
    name, version : str
        What to call the bundle.
    profile : Profile
        The preprocessing it was trained on.
    classes : tuple of str
        Its outputs in order; one for a single sigmoid. Empty: taken from ``metadata``.
    target_class : str
        The class whose events are looked for.
    sample_rate : int or None
        The rate it was trained at, in Hz; None when every rate gives its input shape.
    metadata : Path or None
        The training's ``model_config.yaml``.
    audio : str or None
        A recording to compare the engines on; a simulated scene unless given.
    description, license : str
    layers : Path or None
        Python that defines the network's own layers.
    engine : {"auto", "litert", "keras"}
        What is to serve it; ``auto`` is LiteRT wherever it can.
    variants : tuple of {"float16", "int8", "winograd"}
        What to make as well: lower precisions, fewer multiplications.
    """

    keras: Path
    name: str
    version: str
    profile: Profile
    classes: tuple[str, ...] = ()
    target_class: str = "anemonefish"
    sample_rate: int | None = None
    metadata: Path | None = None
    audio: str | None = None
    description: str = ""
    license: str = ""
    layers: Path | None = None
    engine: str = "auto"
    variants: tuple[str, ...] = ()


def publish(request: PublishRequest, models: ModelRepository) -> ModelSpec:
    """Convert, compare and store a model.

    Returns
    -------
    ModelSpec
        The spec of the new bundle.

    Raises
    ------
    InvalidRequest
        The version exists, or a file cannot be read.
    IncompatibleModel
        The network's shapes do not fit its profile or classes, or LiteRT cannot run it and was asked to.
    ParityError
        Scores differ from Keras's by more than 1e-5, or spectrograms from librosa's by anything.
    """
    if models.store.exists(f"{request.name}/{request.version}/{MODEL_JSON}"):
        raise InvalidRequest(f"{request.name} {request.version} is published and versions never change; choose another")
    training = _read_metadata(request.metadata)
    layers = None if request.layers is None else _read(request.layers, "the Python file of the network's own layers")
    network = _load_keras(request.keras, layers)
    spec = _draft(request, network, training)
    files = {KERAS: request.keras.read_bytes()} | ({} if layers is None else {LAYERS: layers})
    spec, model, converted = _serve(spec, network, request)
    rate = spec.sample_rate or _NATIVE_TRIAL_RATE
    windows = _trial_windows(request.audio, spec.profile, rate)
    expected, parity = compare(network, model, windows, rate)
    golden = _choose_golden(windows, expected, spec, rate)
    difference = check_golden(model, golden)
    check_preprocessing(spec, golden)
    files |= converted | {GOLDEN: golden.to_bytes()}
    agreements, seconds = {}, {}
    for variant in request.variants:
        made, other = _make_variant(spec, network, variant)
        files |= made
        agreements[variant] = _agreement(spec, model, other, variant, request.audio)
        check_golden(other, golden, agreements[variant]["tolerance"])
        seconds[variant] = _seconds_per_window(other, windows, rate)
    spec = replace(
        spec,
        parity={**spec.parity, **parity, "golden_windows": len(golden.samples), "golden_max_difference": difference},
        compute={
            "seconds_per_window": _seconds_per_window(model, windows, rate),
            "seconds_per_range": 1.0,
            **({"variants": seconds} if seconds else {}),
        },
        variants=agreements,
        files={name: FileFact.of(data) for name, data in files.items()},
    )
    for name, data in files.items():
        models.store.write(f"{spec.name}/{spec.version}/{name}", data)
    models.store.write(f"{spec.name}/{spec.version}/{MODEL_JSON}", spec.to_json())
    return spec


def _serve(spec: ModelSpec, network: Any, request: PublishRequest) -> tuple[ModelSpec, Model, dict[str, bytes]]:
    """Choose what serves the network: LiteRT, or Keras where that was asked for or LiteRT cannot."""
    reason = "asked for"
    if request.engine != "keras":
        try:
            weights = _convert(network, spec)
            return spec, Model(spec, LiteRtNetwork(spec.title, weights)), {LITERT: weights}
        except (IncompatibleModel, InvalidBundle) as error:
            if request.engine == "litert":
                raise
            reason = str(error)
    if request.variants:
        raise InvalidRequest(f"{spec.title}: variants are compared with LiteRT, and Keras serves this model ({reason})")
    spec = replace(spec, engine="keras", parity={"why_keras": reason})
    return spec, Model(spec, KerasNetwork(network)), {}


def compare(
    network: Any, model: Model, windows: NDArray[Any], sample_rate: int
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Score the same windows by Keras and by the engine that will serve.

    Parameters
    ----------
    network : keras.Model
    model : Model
    windows : ndarray, shape (n_windows, window), float
        Audio.
    sample_rate : int

    Returns
    -------
    expected : ndarray, shape (n_windows, n_classes), float32
        Keras's scores.
    parity : dict
        Number of windows, largest difference, tolerance.

    Raises
    ------
    ParityError
        The largest difference is above the tolerance.
    """
    spectrograms = model.spec.profile.spectrograms(windows, sample_rate)
    blocks = range(0, len(spectrograms), _KERAS_BATCH)
    # Not predict(): it adds sleeps of its own; the call is the same network.
    answers = [np.asarray(network(spectrograms[at : at + _KERAS_BATCH], training=False)) for at in blocks]
    expected = np.concatenate(answers).astype(np.float32)
    difference = float(np.abs(model.scores(spectrograms) - expected).max())
    if not difference <= TOLERANCE:
        raise ParityError(
            f"{model.spec.title}: LiteRT's scores differ from Keras's by {difference:.2e} on {len(windows)} windows, "
            f"more than {TOLERANCE:.0e}; the model was not published: check its layers for what LiteRT approximates, "
            f"or let Keras serve it (--engine keras)"
        )
    return expected, {"windows": len(windows), "max_difference": difference, "tolerance": TOLERANCE}


def _read_metadata(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidRequest(f"{path}: not readable as YAML ({error}); give the training's model_config.yaml") from None
    if not isinstance(document, dict):
        raise InvalidRequest(f"{path}: must hold names and values, as the training's model_config.yaml does")
    return document


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path}: not readable ({error.strerror}); give {what}") from None


def _load_keras(path: Path, layers: bytes | None) -> Any:
    if not path.is_file():
        raise InvalidRequest(f"{path}: there is no such file; give the .keras file that training saved")
    try:
        return load_keras(path, layers)
    except ImportError:
        raise InvalidRequest(
            "publishing needs TensorFlow; install it with: pip install 'anemonefish[publish]'"
        ) from None


def _draft(request: PublishRequest, network: Any, training: dict[str, Any]) -> ModelSpec:
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
        sample_rate=request.sample_rate,
        input_shape=shape,
        profile=request.profile,
        training=training,
        parity={},
        compute={},
        files={},
    )
    made = request.profile.input_shape(request.sample_rate or _NATIVE_TRIAL_RATE)
    if made != shape:
        raise IncompatibleModel(
            f"{request.keras}: profile {request.profile.kind} makes windows of shape {made}, the network takes {shape}"
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


def _convert(network: Any, spec: ModelSpec, variant: str | None = None) -> bytes:
    import keras

    try:
        window = keras.Input(batch_shape=(1, *spec.input_shape))
        return convert(keras.Model(window, network(window, training=False)), variant)
    except Exception as error:  # the converter raises whatever its passes raise
        raise IncompatibleModel(
            f"{spec.title}: the network cannot be converted to LiteRT ({first_line(error)})"
        ) from None


def _make_variant(spec: ModelSpec, network: Any, variant: str) -> tuple[dict[str, bytes], Model]:
    """Return the files of a variant, and what they load as."""
    if VARIANTS[variant] == "ncnn":
        layers, weights = to_ncnn(network, spec.title)
        files = dict(zip(variant_files(variant), (layers, weights), strict=True))
        return files, Model(spec, NcnnNetwork(spec.title, layers, weights))
    (name,) = variant_files(variant)
    weights = _convert(network, spec, variant)
    return {name: weights}, Model(spec, LiteRtNetwork(spec.title, weights, name))


def _agreement(spec: ModelSpec, exact: Model, other: Model, variant: str, audio: str | None) -> dict[str, Any]:
    """Score a minute of sound by a variant and by float32: long enough to hold events."""
    rate = spec.sample_rate or _NATIVE_TRIAL_RATE
    windows = _trial_windows(audio, spec.profile, rate, AGREEMENT_WINDOWS)
    spectrograms = spec.profile.spectrograms(windows, rate)
    grid = spec.profile.grid(0, rate)
    agreement = measure_agreement(spec, other.scores(spectrograms), exact.scores(spectrograms), grid, rate)
    if VARIANTS[variant] != "ncnn":
        return agreement
    if not agreement["max_difference"] <= TOLERANCE:  # float32 as well: nothing excuses more
        raise ParityError(
            f"{spec.title}: scores of the variant {variant} differ by {agreement['max_difference']:.2e} from LiteRT's, "
            f"more than {TOLERANCE:.0e}; the model was not published: publish it without --variant {variant}"
        )
    return agreement | {"tolerance": TOLERANCE}


def _trial_windows(audio: str | None, profile: Profile, sample_rate: int, most: int = COMPARED_WINDOWS) -> NDArray[Any]:
    """Return windows of sound, shape (n, window): of the given recording, or of a simulated scene."""
    seconds = profile.window_seconds + most * profile.hop_seconds
    if audio is None:
        simulated = scene(seconds, seed=1, sample_rate=sample_rate)
        samples = next(iter(simulated.blocks(simulated.n_samples))).astype(profile.sample_dtype)
    else:
        with open_audio(audio, dtype=profile.sample_dtype) as file:
            recording = at_rate(file, sample_rate)
            samples = recording.read(0, min(recording.n_samples, int(seconds * sample_rate)))
    grid = profile.grid(len(samples), sample_rate)
    if grid.n_windows < GOLDEN_WINDOWS:
        raise UnsupportedRecording(f"{audio}: too short to compare on; give at least {GOLDEN_WINDOWS} windows of sound")
    windows: NDArray[Any] = sliding_window_view(samples, grid.window)[:: grid.hop][:most]
    return windows


def _choose_golden(windows: NDArray[Any], expected: NDArray[np.float32], spec: ModelSpec, rate: int) -> Golden:
    """Keep windows from the lowest to the highest target score: a golden example of silence proves nothing."""
    order = np.argsort(expected[:, spec.classes.index(spec.target_class)], kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, GOLDEN_WINDOWS).round().astype(int)]
    return Golden(np.ascontiguousarray(windows[chosen]), expected[chosen], rate)


def _seconds_per_window(model: Model, windows: NDArray[Any], rate: int) -> float:
    """Measure what the planner needs: seconds per window of one core, from audio to score."""
    began = time.perf_counter()
    model.scores(model.spec.profile.spectrograms(windows, rate))
    return (time.perf_counter() - began) / len(windows)
