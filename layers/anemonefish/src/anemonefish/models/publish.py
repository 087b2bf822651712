"""Publish: a ``.keras`` file becomes a bundle that proves its own parity.

Owns conversion by TensorFlow's own converter, the comparison of Keras with LiteRT on spectrograms of sound,
and the order of writing (``model.json`` last, so a bundle is whole or absent). Refuses what would serve other
scores than training gave. The only module that imports TensorFlow; workers never do.
"""

from __future__ import annotations

import io
import os
import time
from contextlib import redirect_stdout
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
    InvalidRequest,
    InvalidSettings,
    ParityError,
    UnsupportedRecording,
)
from anemonefish.models.bundle import GOLDEN, KERAS, LITERT, MODEL_JSON, FileFact, ModelSpec
from anemonefish.models.engine import Model
from anemonefish.models.golden import TOLERANCE, Golden, check_golden
from anemonefish.models.repository import ModelRepository
from anemonefish.profiles import Profile
from anemonefish.resample import at_rate
from anemonefish.simulate import scene

__all__ = ["PublishRequest", "compare", "publish"]

COMPARED_WINDOWS = 100
GOLDEN_WINDOWS = 4

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
        The network's shapes do not fit its profile or classes, or it cannot be converted.
    ParityError
        LiteRT's scores differ from Keras's by more than 1e-5.
    """
    if models.store.exists(f"{request.name}/{request.version}/{MODEL_JSON}"):
        raise InvalidRequest(f"{request.name} {request.version} is published and versions never change; choose another")
    training = _read_metadata(request.metadata)
    network = _load_keras(request.keras)
    spec = _draft(request, network, training)
    weights = _convert(network, spec)
    model = Model(spec, weights)
    rate = spec.sample_rate or _NATIVE_TRIAL_RATE
    windows = _trial_windows(request.audio, spec.profile, rate)
    expected, parity = compare(network, model, windows, rate)
    golden = _choose_golden(windows, expected, spec, rate)
    difference = check_golden(model, golden)
    files = {KERAS: request.keras.read_bytes(), LITERT: weights, GOLDEN: golden.to_bytes()}
    spec = replace(
        spec,
        parity={**parity, "golden_windows": len(golden.samples), "golden_max_difference": difference},
        compute=_measure(model, windows, rate),
        files={name: FileFact.of(data) for name, data in files.items()},
    )
    for name, data in files.items():
        models.store.write(f"{spec.name}/{spec.version}/{name}", data)
    models.store.write(f"{spec.name}/{spec.version}/{MODEL_JSON}", spec.to_json())
    return spec


def compare(
    network: Any, model: Model, windows: NDArray[Any], sample_rate: int
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Score the same windows by Keras and by LiteRT.

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
            f"more than {TOLERANCE:.0e}; the model was not published: check its layers for what LiteRT approximates"
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


def _load_keras(path: Path) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings are not about the user's model
    try:
        import keras
    except ImportError:
        raise InvalidRequest(
            "publishing needs TensorFlow; install it with: pip install 'anemonefish[publish]'"
        ) from None
    if not path.is_file():
        raise InvalidRequest(f"{path}: there is no such file; give the .keras file that training saved")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever a layer raises
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise IncompatibleModel(
            f"{path}: Keras cannot load this file ({reason[0]}); save it with model.save()"
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


def _convert(network: Any, spec: ModelSpec) -> bytes:
    """Convert with a batch of exactly one window, the only batch that is ever scored; float32 throughout."""
    import keras
    import tensorflow as tf

    try:
        window = keras.Input(batch_shape=(1, *spec.input_shape))
        one_window = keras.Model(window, network(window, training=False))
        # Not from_concrete_functions(): it leaves Keras 3's variables outside the file, and LiteRT scores NaN.
        with redirect_stdout(io.StringIO()):  # the converter prints every variable of the network
            converted: bytes = tf.lite.TFLiteConverter.from_keras_model(one_window).convert()
    except Exception as error:  # the converter raises whatever its passes raise
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise IncompatibleModel(f"{spec.title}: the network cannot be converted to LiteRT ({reason[0]})") from None
    return converted


def _trial_windows(audio: str | None, profile: Profile, sample_rate: int) -> NDArray[Any]:
    """Return windows of sound, shape (n, window): of the given recording, or of a simulated scene."""
    seconds = profile.window_seconds + COMPARED_WINDOWS * profile.hop_seconds
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
    windows: NDArray[Any] = sliding_window_view(samples, grid.window)[:: grid.hop][:COMPARED_WINDOWS]
    return windows


def _choose_golden(windows: NDArray[Any], expected: NDArray[np.float32], spec: ModelSpec, rate: int) -> Golden:
    """Keep windows from the lowest to the highest target score: a golden example of silence proves nothing."""
    order = np.argsort(expected[:, spec.classes.index(spec.target_class)], kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, GOLDEN_WINDOWS).round().astype(int)]
    return Golden(np.ascontiguousarray(windows[chosen]), expected[chosen], rate)


def _measure(model: Model, windows: NDArray[Any], rate: int) -> dict[str, Any]:
    """Measure what the planner needs: seconds per window of one core, from audio to score."""
    began = time.perf_counter()
    model.scores(model.spec.profile.spectrograms(windows, rate))
    elapsed = time.perf_counter() - began
    return {"seconds_per_window": elapsed / len(windows), "seconds_per_range": 1.0}
