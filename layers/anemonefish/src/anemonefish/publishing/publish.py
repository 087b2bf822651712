"""Publish a model: a network that Keras saved becomes a bundle with its measured parity.

Publishing converts the network, chooses the engine that serves it, and compares that engine's scores with Keras's on
windows of sound (:mod:`.trial`). It refuses a network whose scores an engine would change, and one whose outputs are no
scores (:mod:`.head`). ``model.json`` is written last, so that a bundle is complete or absent. Needs TensorFlow; no
worker imports it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.errors import (
    IncompatibleModel,
    InvalidBundle,
    InvalidRequest,
    ParityError,
    first_line,
)
from anemonefish.models.bundle import (
    GOLDEN,
    KERAS,
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
from anemonefish.models.keras import KerasNetwork, traced
from anemonefish.models.litert import LiteRtNetwork
from anemonefish.models.ncnn import NcnnNetwork
from anemonefish.models.repository import ModelRepository
from anemonefish.publishing.float64 import check_precision, float64_scores
from anemonefish.publishing.head import check_scores, with_activation
from anemonefish.publishing.publish_request import PublishRequest
from anemonefish.publishing.to_ncnn import to_ncnn, winograd_share
from anemonefish.publishing.training_files import draft_spec, load_network, read_file, read_metadata, saved_network
from anemonefish.publishing.trial import NATIVE_TRIAL_RATE, Trial, check_parity, trial_windows
from anemonefish.publishing.variants import convert, measure_agreement

__all__ = ["PublishRequest", "publish"]

AGREEMENT_WINDOWS = 300

LEAST_SHARE = 0.5
"""Share of a network's multiplications that Winograd's algorithm must shorten for ncnn to serve by default. More than a
quarter of all multiplications are then spared, on any processor."""

_KERAS_BATCH = 10
_TIMED_WINDOWS = 25
_TIMED_ROUNDS = 20
_TIMED_SECONDS = 1.0
"""The time of a window is that of the fastest round of so many windows; no round begins after so many seconds."""


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
    training = read_metadata(request.metadata)
    layers = (
        None if request.layers is None else read_file(request.layers, "the Python file of the network's own layers")
    )
    network, files = load_network(request, layers)
    spec = draft_spec(request, network, training)
    check_precision(network, str(request.keras))
    scored, kind = with_activation(network, str(request.keras), len(spec.classes), request.activation)
    if scored is not network:
        network, files[KERAS] = scored, saved_network(scored)
    trial = Trial.of(spec.profile, spec.sample_rate or NATIVE_TRIAL_RATE, request.audio, _by_keras(network, spec))
    multi_label = check_scores(trial.expected, str(request.keras), kind, request.activation)
    served = _serve(replace(spec, multi_label=multi_label), network, layers, trial, request)
    spec, golden = served.spec, trial.golden(spec)
    difference = max(check_golden(model, golden, spec.tolerance) for model in served.models)
    check_preprocessing(spec, golden)
    files |= served.files | {GOLDEN: golden.to_bytes()}
    for variant in request.variants:
        if variant not in served.agreements:
            other, agreement, added = _variant(served, network, trial, variant, request.audio)
            check_golden(other, golden, agreement["tolerance"])
            files |= added
            served.agreements[variant] = agreement
            served.seconds[variant] = _seconds_per_window(other, trial)
    spec = replace(
        spec,
        parity={
            **trial.facts(spec),
            **spec.parity,
            "golden_windows": len(golden.samples),
            "golden_max_difference": difference,
        },
        compute={
            "seconds_per_window": _seconds_per_window(served.models[0], trial),
            "seconds_per_range": 1.0,
            **({"variants": served.seconds} if served.seconds else {}),
        },
        variants=served.agreements,
        files={name: FileFact.of(data) for name, data in files.items()},
    )
    for name, data in files.items():
        models.store.write(f"{spec.name}/{spec.version}/{name}", data)
    models.store.write(f"{spec.name}/{spec.version}/{MODEL_JSON}", spec.to_json())
    return spec


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """The engines of a network: LiteRT or Keras first, then ncnn where ncnn serves by default."""

    spec: ModelSpec
    models: list[Model]
    files: dict[str, bytes]
    scores: NDArray[np.float32]  # of the first model, on the windows of the trial
    agreements: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def _serve(spec: ModelSpec, network: Any, layers: bytes | None, trial: Trial, request: PublishRequest) -> _Served:
    """Choose the engine of the network; raise an error where the engine that was asked for cannot run it."""

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
            served = _Served(spec=replace(spec, parity=parity), models=[model], files={LITERT: weights}, scores=scores)
            return served if request.engine == "litert" else _by_ncnn(served, network, trial, request)
    if request.variants:
        raise InvalidRequest(f"{spec.title}: variants are compared with LiteRT, and Keras serves this model ({reason})")
    model = Model(spec, KerasNetwork(network, spec.title), "keras")
    scores = model.scores(trial.spectrograms)
    parity = check_parity(spec, "Keras, a window at a time,", trial, scores, in_float64)
    parity = _for_other_processors(parity, trial, in_float64) | {"why_keras": reason}
    return _Served(spec=replace(spec, engine="keras", parity=parity), models=[model], files={}, scores=scores)


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


def _by_ncnn(served: _Served, network: Any, trial: Trial, request: PublishRequest) -> _Served:
    """Let ncnn serve the network where it is faster and every score is as exact; otherwise write down why not."""
    spec = served.spec
    share = winograd_share(network)
    refused = None
    if request.engine == "auto":
        if share < LEAST_SHARE:
            refused = (
                f"Winograd's algorithm would shorten {share:.0%} of its multiplications; ncnn needs {LEAST_SHARE:.0%}"
            )
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
                agreement = _float32_agreement(served, scores, trial)
                parity = spec.parity | {"ncnn_max_difference": difference, "winograd_share": round(share, 4)}
                return _Served(
                    spec=replace(spec, engine="ncnn", parity=parity, variants={WINOGRAD: agreement}),
                    models=[*served.models, other],
                    files=served.files | files,
                    scores=served.scores,
                    agreements={WINOGRAD: agreement},
                    seconds={WINOGRAD: _seconds_per_window(other, trial)},
                )
            refused = f"its scores differ from Keras's by {difference:.2e}"
        except (IncompatibleModel, InvalidBundle) as error:
            refused = str(error).removeprefix(f"{spec.title}: ")
    if request.engine == "ncnn":
        raise ParityError(f"{spec.title}: ncnn cannot serve it ({refused}); publish it with --engine litert")
    return replace(served, spec=replace(spec, parity=spec.parity | {"why_litert": refused}))


def _by_keras(network: Any, spec: ModelSpec) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return a function that scores many windows by Keras, in batches as in training."""
    scores = traced(network, (None, *spec.input_shape), spec.title)

    def expected(spectrograms: NDArray[np.float32]) -> NDArray[np.float32]:
        blocks = range(0, len(spectrograms), _KERAS_BATCH)
        return np.concatenate([scores(spectrograms[at : at + _KERAS_BATCH]) for at in blocks]).astype(np.float32)

    return expected


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
    """Return the files of a variant and the model that they load as."""
    if VARIANTS[variant] == "ncnn":
        layers, weights = to_ncnn(network, spec.title)
        files = dict(zip(variant_files(variant), (layers, weights), strict=True))
        return files, Model(spec, NcnnNetwork(spec.title, layers, weights), "ncnn")
    (name,) = variant_files(variant)
    weights = _convert(network, spec, int8=True)
    return {name: weights}, Model(spec, LiteRtNetwork(spec.title, weights, name))


def _variant(
    served: _Served, network: Any, trial: Trial, variant: str, audio: str | None
) -> tuple[Model, dict[str, Any], dict[str, bytes]]:
    """Make a variant that was asked for by name, and measure how far it agrees with LiteRT's float32."""
    spec, exact = served.spec, served.models[0]
    files, other = _make_variant(spec, network, variant)
    if VARIANTS[variant] == "ncnn":
        agreement = _float32_agreement(served, other.scores(trial.spectrograms), trial)
        if not agreement["max_difference"] <= TOLERANCE:  # float32 as well, so it must be as exact
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


def _float32_agreement(served: _Served, scores: NDArray[np.float32], trial: Trial) -> dict[str, Any]:
    grid = served.spec.profile.grid(0, trial.sample_rate)
    agreement = measure_agreement(served.spec, scores, served.scores, grid, trial.sample_rate, trial.stretches)
    return agreement | {"tolerance": TOLERANCE}


def _seconds_per_window(model: Model, trial: Trial) -> float:
    """Measure the seconds that one core takes for a window, from samples to score; the planner counts with them.

    The windows follow one another, as in a recording, so they share what the profile lets them share. The fastest of
    several rounds counts, because whatever else the machine does makes a round slower.
    """
    profile = model.spec.profile
    grid = profile.grid(0, trial.sample_rate)
    samples = np.resize(trial.windows[0], (_TIMED_WINDOWS - 1) * grid.hop + grid.window)
    windows = sliding_window_view(samples, grid.window)[:: grid.hop]
    rounds: list[float] = []
    while len(rounds) < _TIMED_ROUNDS and sum(rounds) < _TIMED_SECONDS:
        began = time.perf_counter()
        model.scores(profile.spectrograms(windows, trial.sample_rate))
        rounds.append(time.perf_counter() - began)
    return min(rounds) / len(windows)
