"""Train a linear layer behind a network that was trained before, for 10 to 100 labels.

The network up to its last layer, the trunk, turns a window into an embedding, and is left as it is. What is learned is
a logistic regression of each class on the embeddings, by Newton's method (Bishop 2006, "Pattern Recognition and Machine
Learning", 4.3.3), with the penalty on large weights that has the lowest loss on the validation recordings.
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
from anemonefish.training.fit import VALIDATION_WINDOWS, EpochFigures, FitHistory, class_weights
from anemonefish.training.network_input import NetworkInput
from anemonefish.training.scored_recordings import scorer
from anemonefish.training.training_options import TrainingOptions
from anemonefish.training.window_examples import WindowPool

__all__ = ["Trunk", "fit_head", "load_trunk"]

_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)
"""Of the mean loss, for weights of standardised embeddings."""

_ROUNDS = 2
"""Every window is heard so often, varied each time."""

_NEWTON_STEPS = 30
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


def fit_head(trunk: Trunk, training: WindowPool, validation: WindowPool) -> tuple[Any, FitHistory]:
    """Fit the linear layer; return the whole network, and the loss of the penalty that was chosen.

    Parameters
    ----------
    trunk : Trunk
    training, validation : WindowPool
        With the input of the trunk.
    """
    embed = scorer(trunk.network, trunk.input.shape)
    rounds = [batch for number in range(_ROUNDS) for batch in training.batches(number)]
    inputs = np.concatenate([embed(spectrograms) for spectrograms, _ in rounds]).astype(np.float64)
    targets = np.concatenate([own for _, own in rounds])
    spectrograms, truth = validation.fixed(VALIDATION_WINDOWS)
    blocks = range(0, len(truth), _BATCH)
    held_out = np.concatenate([embed(spectrograms[at : at + _BATCH].astype(np.float32)) for at in blocks])
    mean, scale = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-6)
    inputs, held_out = (inputs - mean) / scale, (held_out.astype(np.float64) - mean) / scale
    per_class = class_weights(training)
    heads = []
    for column in range(training.classes):
        fitted = [_regression(inputs, targets[:, column], float(per_class[column]), penalty) for penalty in _PENALTIES]
        losses = [_loss(held_out, truth[:, column], float(per_class[column]), head) for head in fitted]
        best = int(np.argmin(losses))
        own = _loss(inputs, targets[:, column], float(per_class[column]), fitted[best])
        heads.append((fitted[best], own, losses[best]))
    weights = np.stack([head[1:] / scale for head, _, _ in heads], axis=1)
    biases = np.array([head[0] - mean @ (head[1:] / scale) for head, _, _ in heads])
    loss, validation_loss = (float(np.mean([entry[index] for entry in heads])) for index in (1, 2))
    history = FitHistory([EpochFigures(0, loss, validation_loss)], 0, 0, tuple(map(float, per_class.round(4))))
    return trunk.with_head(weights, biases), history


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
