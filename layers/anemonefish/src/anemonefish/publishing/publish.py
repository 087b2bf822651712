"""Publish: a network that Keras saved becomes a bundle that proves its own parity.

Owns conversion by TensorFlow's own converter, the choice of the engine, and the order of writing (``model.json`` last,
so a bundle is whole or absent). Refuses what would serve other scores than training gave (:mod:`.trial`), and what
gives no scores (:mod:`.head`). Workers never import it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from anemonefish.errors import (
    IncompatibleModel,
    InvalidBundle,
    InvalidRequest,
    InvalidSettings,
    ParityError,
    first_line,
)
from anemonefish.models.bundle import (
    GOLDEN,
    KERAS,
    LAYERS,
    LITERT,
    MODEL_JSON,
    MOST_TOLERANCE,
    TOLERANCE,
    VARIANTS,
    WINOGRAD,
    FileFact,
    ModelSpec,
    variant_files,
)
from anemonefish.models.engine import Model
from anemonefish.models.golden import check_golden, check_preprocessing
from anemonefish.models.keras import KerasNetwork, is_hdf5, load_keras, traced
from anemonefish.models.litert import LiteRtNetwork
from anemonefish.models.ncnn import NcnnNetwork
from anemonefish.models.repository import ModelRepository
from anemonefish.profiles import Profile
from anemonefish.publishing.head import check_scores, with_activation
from anemonefish.publishing.precise import check_precision, float64_scores
from anemonefish.publishing.to_ncnn import to_ncnn, winograd_share
from anemonefish.publishing.trial import NATIVE_TRIAL_RATE, Trial, check_parity, trial_windows
from anemonefish.publishing.variants import convert, measure_agreement

__all__ = ["PublishRequest", "publish"]

AGREEMENT_WINDOWS = 300

LEAST_SHARE = 0.5
"""Of a network's multiplications that Winograd's algorithm must shorten before it serves by default: then more than a
quarter of all is spared, on any processor."""

_KERAS_BATCH = 10
_TIMED_WINDOWS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """What a user says of a model.

    Attributes
    ----------
    keras : Path
        The file as training saved it, ``.keras`` or ``.h5``, optimiser state and all.
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
        A recording to compare the engines on besides two simulated scenes.
    description, license : str
    layers : Path or None
        Python that defines the network's own layers.
    engine : {"auto", "litert", "keras", "ncnn"}
        What is to serve it; ``auto`` is ncnn where it spares much and is as exact, or else LiteRT, or else Keras.
    activation : {"softmax", "sigmoid", "none"} or None
        What makes scores of the outputs, where the network does not end with it (:mod:`.head`).
    variants : tuple of {"int8", "winograd"}
        What to make as well: a lower precision, fewer multiplications.
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
    activation: str | None = None


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
        The network's shapes do not fit its profile or classes, its outputs are no scores, or an engine cannot run it
        that was asked to.
    ParityError
        Scores differ from Keras's by more than may be served, or spectrograms from librosa's by anything.
    """
    if models.store.exists(f"{request.name}/{request.version}/{MODEL_JSON}"):
        raise InvalidRequest(f"{request.name} {request.version} is published and versions never change; choose another")
    training = _read_metadata(request.metadata)
    layers = None if request.layers is None else _read(request.layers, "the Python file of the network's own layers")
    network, files = _load(request, layers)
    spec = _draft(request, network, training)
    check_precision(network, str(request.keras))
    scored, kind = with_activation(network, str(request.keras), len(spec.classes), request.activation)
    if scored is not network:
        network, files[KERAS] = scored, _saved(scored)
    trial = Trial.of(spec.profile, spec.sample_rate or NATIVE_TRIAL_RATE, request.audio, _by_keras(network, spec))
    multi_label = check_scores(trial.expected, str(request.keras), kind, request.activation)
    made = _serve(replace(spec, multi_label=multi_label), network, layers, trial, request)
    spec, golden = made.spec, trial.golden(spec)
    difference = max(check_golden(model, golden, spec.tolerance) for model in made.models)
    check_preprocessing(spec, golden)
    files |= made.files | {GOLDEN: golden.to_bytes()}
    for variant in request.variants:
        if variant not in made.agreements:
            other, agreement, added = _variant(made, network, trial, variant, request.audio)
            check_golden(other, golden, agreement["tolerance"])
            files |= added
            made.agreements[variant] = agreement
            made.seconds[variant] = _seconds_per_window(other, trial)
    spec = replace(
        spec,
        parity={
            **trial.facts(spec),
            **spec.parity,
            "golden_windows": len(golden.samples),
            "golden_max_difference": difference,
        },
        compute={
            "seconds_per_window": _seconds_per_window(made.models[0], trial),
            "seconds_per_range": 1.0,
            **({"variants": made.seconds} if made.seconds else {}),
        },
        variants=made.agreements,
        files={name: FileFact.of(data) for name, data in files.items()},
    )
    for name, data in files.items():
        models.store.write(f"{spec.name}/{spec.version}/{name}", data)
    models.store.write(f"{spec.name}/{spec.version}/{MODEL_JSON}", spec.to_json())
    return spec


@dataclass(frozen=True, slots=True)
class _Served:
    """What serves a network: LiteRT or Keras first, and ncnn behind it where that is the default."""

    spec: ModelSpec
    models: list[Model]
    files: dict[str, bytes]
    scores: NDArray[np.float32]  # of the first of them, on the windows of the trial
    agreements: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def _serve(spec: ModelSpec, network: Any, layers: bytes | None, trial: Trial, request: PublishRequest) -> _Served:
    """Choose what serves the network; raise where that was asked for and cannot."""

    def in_float64() -> NDArray[np.float64]:
        return float64_scores(network, layers, trial.spectrograms, spec.title)

    reason = "asked for"
    if request.engine != "keras":
        try:
            weights = _convert(network, spec)
            model = Model(spec, LiteRtNetwork(spec.title, weights))
        except (IncompatibleModel, InvalidBundle) as error:
            if request.engine != "auto":
                raise
            reason = str(error)
        else:
            scores = model.scores(trial.spectrograms)
            parity = check_parity(spec, "LiteRT", trial, scores, in_float64)
            made = _Served(replace(spec, parity=parity), [model], {LITERT: weights}, scores)
            return made if request.engine == "litert" else _by_ncnn(made, network, trial, request)
    if request.variants:
        raise InvalidRequest(f"{spec.title}: variants are compared with LiteRT, and Keras serves this model ({reason})")
    model = Model(spec, KerasNetwork(network, spec.title), "keras")
    scores = model.scores(trial.spectrograms)
    parity = check_parity(spec, "Keras, a window at a time,", trial, scores, in_float64)
    parity = _for_other_processors(parity, trial, in_float64) | {"why_keras": reason}
    return _Served(replace(spec, engine="keras", parity=parity), [model], {}, scores)


def _for_other_processors(
    parity: dict[str, Any], trial: Trial, in_float64: Callable[[], NDArray[np.float64]]
) -> dict[str, Any]:
    """Widen the tolerance of what Keras serves by how far its scores are from float64.

    Keras on another processor sums in another order, which moves a score as far as float32 does.
    """
    try:
        off = trial.difference(in_float64())
    except IncompatibleModel:  # a layer of the lab's own that computes in float32 only
        return parity
    tolerance = min(MOST_TOLERANCE, max(parity["tolerance"], 2 * off))
    return parity | {"tolerance": tolerance, "keras_from_float64": off}


def _by_ncnn(made: _Served, network: Any, trial: Trial, request: PublishRequest) -> _Served:
    """Let ncnn serve what LiteRT serves, where that spares much and every score is as exact; else say why not."""
    spec = made.spec
    share = winograd_share(network)
    refused = None
    if request.engine == "auto":
        if share < LEAST_SHARE:
            refused = f"{share:.0%} of its multiplications are such that Winograd's algorithm shortens"
        elif spec.tolerance > TOLERANCE:
            refused = "its scores depend on the order of sums too much for a second order"
        else:
            refused = trial.too_much_alike(spec)
    if refused is None:
        try:
            files, other = _make_variant(spec, network, WINOGRAD)
            scores = other.scores(trial.spectrograms)
            difference = trial.difference(scores)
            if difference <= TOLERANCE:
                agreement = _float32_agreement(made, scores, trial)
                parity = spec.parity | {"ncnn_max_difference": difference, "winograd_share": round(share, 4)}
                return _Served(
                    replace(spec, engine="ncnn", parity=parity, variants={WINOGRAD: agreement}),
                    [*made.models, other],
                    made.files | files,
                    made.scores,
                    {WINOGRAD: agreement},
                    {WINOGRAD: _seconds_per_window(other, trial)},
                )
            refused = f"its scores differ from Keras's by {difference:.2e}"
        except (IncompatibleModel, InvalidBundle) as error:
            refused = str(error).removeprefix(f"{spec.title}: ")
    if request.engine == "ncnn":
        raise ParityError(f"{spec.title}: ncnn cannot serve it ({refused}); publish it with --engine litert")
    return replace(made, spec=replace(spec, parity=spec.parity | {"why_litert": refused}))


def _by_keras(network: Any, spec: ModelSpec) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return Keras as what scores many windows, in batches as training saw them."""
    scores = traced(network, (None, *spec.input_shape), spec.title)

    def expected(spectrograms: NDArray[np.float32]) -> NDArray[np.float32]:
        blocks = range(0, len(spectrograms), _KERAS_BATCH)
        return np.concatenate([scores(spectrograms[at : at + _KERAS_BATCH]) for at in blocks]).astype(np.float32)

    return expected


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


def _load(request: PublishRequest, layers: bytes | None) -> tuple[Any, dict[str, bytes]]:
    """Return the network and the files of the bundle that hold it as training saved it."""
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
        raise InvalidRequest(
            "publishing needs TensorFlow; install it with: pip install 'anemonefish[publish]'"
        ) from None
    # A bundle holds .keras alone, so what is HDF5 is saved anew.
    weights = _saved(network) if is_hdf5(path) else path.read_bytes()
    return network, {KERAS: weights} | ({} if layers is None else {LAYERS: layers})


def _saved(network: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, KERAS)
        network.save(path)
        return path.read_bytes()


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
    made = request.profile.input_shape(request.sample_rate or NATIVE_TRIAL_RATE)
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


def _convert(network: Any, spec: ModelSpec, *, int8: bool = False) -> bytes:
    import keras

    try:
        window = keras.Input(batch_shape=(1, *spec.input_shape))
        return convert(keras.Model(window, network(window, training=False)), int8=int8)
    except Exception as error:  # the converter raises whatever its passes raise
        raise IncompatibleModel(
            f"{spec.title}: the network cannot be converted to LiteRT ({first_line(error)})"
        ) from None


def _make_variant(spec: ModelSpec, network: Any, variant: str) -> tuple[dict[str, bytes], Model]:
    """Return the files of a variant, and what they load as."""
    if VARIANTS[variant] == "ncnn":
        layers, weights = to_ncnn(network, spec.title)
        files = dict(zip(variant_files(variant), (layers, weights), strict=True))
        return files, Model(spec, NcnnNetwork(spec.title, layers, weights), "ncnn")
    (name,) = variant_files(variant)
    weights = _convert(network, spec, int8=True)
    return {name: weights}, Model(spec, LiteRtNetwork(spec.title, weights, name))


def _variant(
    made: _Served, network: Any, trial: Trial, variant: str, audio: str | None
) -> tuple[Model, dict[str, Any], dict[str, bytes]]:
    """Make a variant that was asked for by name, and measure how far it agrees with LiteRT's float32."""
    spec, exact = made.spec, made.models[0]
    files, other = _make_variant(spec, network, variant)
    if VARIANTS[variant] == "ncnn":
        agreement = _float32_agreement(made, other.scores(trial.spectrograms), trial)
        if not agreement["max_difference"] <= TOLERANCE:  # float32 as well: nothing excuses more
            raise ParityError(
                f"{spec.title}: scores of the variant {variant} differ by {agreement['max_difference']:.2e} from "
                f"LiteRT's, more than {TOLERANCE:.0e}; the model was not published: publish it without --variant "
                f"{variant}"
            )
        return other, agreement, files
    windows = trial_windows(audio, spec.profile, trial.sample_rate, AGREEMENT_WINDOWS)  # long enough to hold events
    spectrograms = spec.profile.spectrograms(windows, trial.sample_rate)
    grid = spec.profile.grid(0, trial.sample_rate)
    scores = other.scores(spectrograms)
    return other, measure_agreement(spec, scores, exact.scores(spectrograms), grid, trial.sample_rate), files


def _float32_agreement(made: _Served, scores: NDArray[np.float32], trial: Trial) -> dict[str, Any]:
    grid = made.spec.profile.grid(0, trial.sample_rate)
    agreement = measure_agreement(made.spec, scores, made.scores, grid, trial.sample_rate, trial.stretches)
    return agreement | {"tolerance": TOLERANCE}


def _seconds_per_window(model: Model, trial: Trial) -> float:
    """Measure what the planner needs: seconds per window of one core, from audio to score."""
    windows = trial.windows[:: max(1, len(trial.windows) // _TIMED_WINDOWS)]
    began = time.perf_counter()
    model.scores(model.spec.profile.spectrograms(windows, trial.sample_rate))
    return (time.perf_counter() - began) / len(windows)
