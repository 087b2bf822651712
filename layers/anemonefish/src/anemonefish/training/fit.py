"""Fit a network: Adam, class weights, early stopping, and a checkpoint after every epoch.

The loss is the binary cross-entropy of each class, without the windows that the class ignores. Training stops when the
loss on the validation recordings has not fallen for some epochs, and the weights with the lowest loss are kept. Batches
are made by a thread of their own while the network learns from the last.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.models.keras import traced
from anemonefish.models.portable import portable_layers
from anemonefish.stores.folder import atomic_file
from anemonefish.training.training_options import TrainingOptions
from anemonefish.training.window_examples import Batch, WindowPool

__all__ = ["VALIDATION_WINDOWS", "EpochFigures", "FitHistory", "class_weights", "fit_network"]

_CHECKPOINT = "checkpoint.npz"
_LEARNING_RATE = (3e-3, 1e-4)
"""Of the first and of the last epoch; a cosine between them, as for the reference model."""
VALIDATION_WINDOWS = 8_000
_HARD_FROM, _HARD_EVERY = 2, 3
"""Epochs after which hard negatives are looked for: when the network knows a little, and again."""
_MOST_WEIGHT = 5.0
_SCORED_AT_ONCE = 128
_READY_BATCHES = 4


@dataclass(frozen=True, slots=True)
class EpochFigures:
    """The losses of an epoch."""

    epoch: int
    loss: float
    validation_loss: float


@dataclass(slots=True)
class FitHistory:
    """How a training went.

    Attributes
    ----------
    epochs : list of EpochFigures
    best : int
        The epoch whose weights were kept; -1 before the first.
    resumed : int
        Epochs that an earlier run had finished.
    weights : tuple of float
        What a window with each class counts in the loss, against one without it.
    """

    epochs: list[EpochFigures] = field(default_factory=list)
    best: int = -1
    resumed: int = 0
    weights: tuple[float, ...] = ()

    def has_stalled(self, patience: int) -> bool:
        """Say whether the loss has not fallen for so many epochs."""
        return bool(self.epochs) and self.epochs[-1].epoch - self.best >= patience


def fit_network(
    network: Any,
    training: WindowPool,
    validation: WindowPool,
    options: TrainingOptions,
    folder: Path,
    progress: Callable[[int, int], None],
) -> FitHistory:
    """Train a network in place; its weights are then those with the lowest validation loss.

    Parameters
    ----------
    network : keras.Model
        Ends with a sigmoid for each class.
    training, validation : WindowPool
    options : TrainingOptions
    folder : Path
        For the checkpoint; a training that was interrupted continues from there.
    progress : callable
        Called with the steps done and the steps of all epochs.
    """
    import keras

    optimizer = keras.optimizers.Adam(_LEARNING_RATE[0])
    optimizer.build(network.trainable_variables)
    weights = class_weights(training)
    loop = _Loop(network, optimizer, weights, folder / _CHECKPOINT)
    loop.restore(training)
    step = _training_step(network, optimizer, weights)
    score = traced(network, (None, *training.input.shape), "network")
    fixed = validation.fixed(VALIDATION_WINDOWS)
    history = loop.history
    steps = -(-len(training.epoch(0).start) // options.batch)
    total = steps * options.epochs
    for number in range(len(history.epochs), options.epochs):
        if history.has_stalled(options.patience):
            break
        if number >= _HARD_FROM and (number - _HARD_FROM) % _HARD_EVERY == 0 and len(training.negative):
            training.find_hard(score, number)
        optimizer.learning_rate.assign(_rate(number, options.epochs))
        losses = []
        for index, (spectrograms, targets) in enumerate(_in_thread(training.batches(number))):
            losses.append(float(step(spectrograms, targets)))
            progress(number * steps + index + 1, total)
        figures = EpochFigures(number, float(np.mean(losses)), _loss_of(score, fixed, weights))
        loop.finish(figures, training)
    loop.keep_best()
    progress(total, total)
    return history


class _Loop:
    """What a checkpoint holds: the network, the optimiser, the best weights, the losses, the hard negatives."""

    def __init__(self, network: Any, optimizer: Any, weights: NDArray[np.float32], path: Path) -> None:
        self._variables = [*network.variables, *optimizer.variables]
        self._network = network
        self._path = path
        self._best: list[NDArray[Any]] = []
        self.history = FitHistory(weights=tuple(round(float(weight), 4) for weight in weights))

    def restore(self, training: WindowPool) -> None:
        """Continue from the checkpoint, if there is one that fits."""
        with suppress(OSError, ValueError, KeyError), np.load(self._path) as saved:
            document = json.loads(str(saved["history"]))
            states = [saved[f"state{index}"] for index in range(len(self._variables))]
            best = [saved[f"best{index}"] for index in range(len(self._network.weights))]
            hard = saved["hard"]
            for variable, value in zip(self._variables, states, strict=True):
                variable.assign(value)
            self._best = best
            training.hard = hard if len(hard) else None
            epochs = [EpochFigures(**figures) for figures in document["epochs"]]
            self.history = FitHistory(epochs, document["best"], len(epochs), tuple(document["weights"]))

    def finish(self, figures: EpochFigures, training: WindowPool) -> None:
        """Add an epoch, keep the weights if they are the best, and write the checkpoint."""
        lowest = min((other.validation_loss for other in self.history.epochs), default=np.inf)
        self.history.epochs.append(figures)
        if figures.validation_loss < lowest or not self._best:
            self.history.best = figures.epoch
            self._best = [variable.numpy() for variable in self._network.weights]
        arrays: dict[str, NDArray[Any]] = {
            f"state{index}": variable.numpy() for index, variable in enumerate(self._variables)
        }
        arrays |= {f"best{index}": value for index, value in enumerate(self._best)}
        arrays["hard"] = np.empty(0, np.int64) if training.hard is None else training.hard
        arrays["history"] = np.array(json.dumps(asdict(self.history)))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(self._path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def keep_best(self) -> None:
        """Give the network the weights of the best epoch."""
        for variable, value in zip(self._network.weights, self._best, strict=True):
            variable.assign(value)


def class_weights(training: WindowPool) -> NDArray[np.float32]:
    """Return how much a window with each class counts: as much as all without it, within limits."""
    targets = training.epoch(0).targets
    holds, lacks = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
    weights: NDArray[np.float32] = np.clip(lacks / np.maximum(holds, 1), 1.0, _MOST_WEIGHT).astype(np.float32)
    return weights


def _training_step(network: Any, optimizer: Any, weights: NDArray[np.float32]) -> Callable[[Any, Any], Any]:
    import tensorflow as tf

    variables = network.trainable_variables
    scale = tf.constant(weights)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(spectrograms: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            with portable_layers(network):
                scores = tf.clip_by_value(network(spectrograms, training=True), 1e-7, 1 - 1e-7)
            held = tf.maximum(targets, 0.0)
            counted = tf.where(targets < 0, 0.0, tf.where(targets > 0, scale, 1.0))
            entropy = -held * tf.math.log(scores) - (1 - held) * tf.math.log(1 - scores)
            loss = tf.reduce_sum(counted * entropy) / tf.maximum(tf.reduce_sum(counted), 1.0)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return lambda spectrograms, targets: step(tf.constant(spectrograms), tf.constant(targets))


def _loss_of(
    score: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    fixed: tuple[NDArray[np.float16], NDArray[np.int8]],
    weights: NDArray[np.float32],
) -> float:
    """Return the loss on fixed windows; the same as in a training step."""
    spectrograms, targets = fixed
    total = counted = 0.0
    for first in range(0, len(targets), _SCORED_AT_ONCE):
        rows = slice(first, first + _SCORED_AT_ONCE)
        scores = np.clip(score(spectrograms[rows].astype(np.float32)), 1e-7, 1 - 1e-7)
        weight = np.where(targets[rows] < 0, 0.0, np.where(targets[rows] > 0, weights, 1.0))
        right = np.where(targets[rows] > 0, scores, 1 - scores)
        total -= float((weight * np.log(right)).sum())
        counted += float(weight.sum())
    return total / max(counted, 1.0)


def _rate(epoch: int, epochs: int) -> float:
    first, last = _LEARNING_RATE
    return float(last + (first - last) * (1 + np.cos(np.pi * epoch / max(1, epochs))) / 2)


def _in_thread(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield batches that another thread makes ahead."""
    ready: queue.Queue[Batch | BaseException | None] = queue.Queue(_READY_BATCHES)
    stop = threading.Event()

    def put(item: Batch | BaseException | None) -> None:
        while not stop.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return

    def make() -> None:
        try:
            for batch in batches:
                put(batch)
                if stop.is_set():
                    return
            put(None)
        except BaseException as error:  # raised again where the batches are used
            put(error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
