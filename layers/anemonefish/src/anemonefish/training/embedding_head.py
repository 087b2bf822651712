"""Train a linear layer behind a network that was trained before, for 10 to 100 labels.

The network up to its last layer, the trunk, turns a window into an embedding, and is left as it is. What is learned is
a logistic regression of each class on the embeddings, by Newton's method (Bishop 2006, "Pattern Recognition and Machine
Learning", 4.3.3), for several penalties on large weights; cross-fitting chooses among them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import IncompatibleModel
from anemonefish.models.bundle import KERAS, ModelSpec
from anemonefish.models.keras import load_keras
from anemonefish.models.repository import ModelRepository
from anemonefish.stores.temporary import temporary_folder
from anemonefish.training.fit import EpochFigures, FitHistory, class_weights, mean_average_precision
from anemonefish.training.network_input import NetworkInput
from anemonefish.training.scored_recordings import scorer
from anemonefish.training.training_options import TrainingOptions
from anemonefish.training.window_examples import WindowPool

__all__ = ["FittedHeads", "Trunk", "fit_head", "load_trunk"]

_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
"""Of the mean loss, for weights of standardised embeddings."""

_ROUNDS = 2
"""Every window is heard so often, varied each time."""

_NEWTON_STEPS = 30
_HELD_OUT_WINDOWS = 4_000
_BATCH = 128


@dataclass(frozen=True, slots=True)
class Trunk:
    """A network without its last layer.

    Attributes
    ----------
    title : str
        Of the model that it belongs to.
    network : keras.Model
        From spectrograms to embeddings.
    input : NetworkInput
    """

    title: str
    network: Any
    input: NetworkInput

    def with_head(self, weights: NDArray[np.float64], biases: NDArray[np.float64]) -> Any:
        """Return the whole network, with a sigmoid for each class.

        Parameters
        ----------
        weights : ndarray, shape (embedding, classes)
        biases : ndarray, shape (classes,)
        """
        import keras

        dense = keras.layers.Dense(len(biases), activation="sigmoid", name="head")
        network = keras.Model(self.network.inputs, dense(self.network.outputs[0]), name="anemonefish_few")
        dense.set_weights([weights.astype(np.float32), biases.astype(np.float32)])
        return network


def load_trunk(repository: ModelRepository, reference: str, options: TrainingOptions) -> Trunk:
    """Load the trunk of a published model; the hop is that of the options.

    Raises
    ------
    ModelNotFound, InvalidBundle
        There is no such model, or it was altered.
    IncompatibleModel
        It does not end with a dense layer.
    """
    spec: ModelSpec = repository.spec(repository.pin(reference))
    with temporary_folder() as folder:
        path = Path(folder, KERAS)
        path.write_bytes(repository.read_file(spec, KERAS))
        network = load_keras(path, None)
    last = next((layer for layer in reversed(network.layers) if type(layer).__name__ == "Dense"), None)
    if last is None or spec.sample_rate is None:
        raise IncompatibleModel(
            f"{spec.title} has no dense layer at its end, or no sample rate of its own; choose another model to start "
            f"from, or train without --few"
        )
    import keras

    trunk = keras.Model(network.inputs, last.input, name="trunk")
    trunk.trainable = False
    profile = replace(spec.profile, hop_seconds=options.hop_seconds)
    return Trunk(spec.title, trunk, NetworkInput(spec.sample_rate, profile))


@dataclass(frozen=True, slots=True)
class FittedHeads:
    """Linear layers behind a trunk, one for each penalty.

    Attributes
    ----------
    history : FitHistory
        With an entry for each penalty in the place of an epoch.
    """

    history: FitHistory
    _trunk: Trunk
    _heads: list[tuple[NDArray[np.float64], NDArray[np.float64]]]

    def after(self, epoch: int) -> Any:
        """Return the whole network with the layer of a penalty, counted from 0."""
        return self._trunk.with_head(*self._heads[epoch])


def fit_head(trunk: Trunk, training: WindowPool, held_out: WindowPool | None) -> FittedHeads:
    """Fit a linear layer for each penalty.

    Parameters
    ----------
    trunk : Trunk
    training : WindowPool
        With the input of the trunk.
    held_out : WindowPool or None
        Windows of other recordings, to measure the layers on.
    """
    embed = scorer(trunk.network, trunk.input.shape)
    embedded, targets = [], []
    for number in range(_ROUNDS):
        for spectrograms, own in training.batches(number):
            embedded.append(embed(spectrograms))
            targets.append(own)
    inputs, truth = np.concatenate(embedded).astype(np.float64), np.concatenate(targets)
    mean, scale = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-6)
    inputs = (inputs - mean) / scale
    per_class = class_weights(training)
    columns = range(training.classes)
    fixed = None if held_out is None else held_out.fixed(_HELD_OUT_WINDOWS)
    history = FitHistory(weights=tuple(map(float, per_class.round(4))))
    heads = []
    for number, penalty in enumerate(_PENALTIES):
        fitted = [_regression(inputs, truth[:, column], float(per_class[column]), penalty) for column in columns]
        weights = np.stack([head[1:] / scale for head in fitted], axis=1)
        biases = np.array([head[0] - mean @ (head[1:] / scale) for head in fitted])
        heads.append((weights, biases))
        loss = np.mean([_loss(inputs, truth[:, at], float(per_class[at]), fitted[at]) for at in columns])
        history.epochs.append(EpochFigures(number, float(loss), None))
    if fixed is not None:
        blocks = range(0, len(fixed.targets), _BATCH)
        embedded = [embed(fixed.spectrograms[at : at + _BATCH].astype(np.float32)) for at in blocks]
        heard = np.concatenate(embedded).astype(np.float64)
        history.epochs = [
            replace(figures, held_out_precision=mean_average_precision(_sigmoid(heard @ weights + biases), fixed))
            for figures, (weights, biases) in zip(history.epochs, heads, strict=True)
        ]
    return FittedHeads(history, trunk, heads)


def _regression(
    inputs: NDArray[np.float64], targets: NDArray[Any], weight: float, penalty: float
) -> NDArray[np.float64]:
    """Return the bias and the weights of a class, shape (1 + embedding,)."""
    used = targets >= 0
    with_bias = np.column_stack((np.ones(int(used.sum())), inputs[used]))
    held = (targets[used] > 0).astype(np.float64)
    counts = np.where(held > 0, weight, 1.0)
    shrink = np.full(with_bias.shape[1], penalty * counts.sum())
    shrink[0] = 1e-9  # the bias is free
    head = np.zeros(with_bias.shape[1])
    for _ in range(_NEWTON_STEPS):
        scores = _sigmoid(with_bias @ head)
        gradient = with_bias.T @ (counts * (scores - held)) + shrink * head
        curvature = (with_bias * (counts * np.maximum(scores * (1 - scores), 1e-6))[:, np.newaxis]).T @ with_bias
        step = np.linalg.solve(curvature + np.diag(shrink), gradient)
        head -= step
        if float(np.abs(step).max()) < 1e-6:
            break
    return head


def _loss(inputs: NDArray[np.float64], targets: NDArray[Any], weight: float, head: NDArray[np.float64]) -> float:
    used = targets >= 0
    scores = np.clip(_sigmoid(head[0] + inputs[used] @ head[1:]), 1e-7, 1 - 1e-7)
    held = targets[used] > 0
    counts = np.where(held, weight, 1.0)
    return float(-(counts * np.log(np.where(held, scores, 1 - scores))).sum() / max(counts.sum(), 1.0))


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(values, -500, 500)))
    return result
