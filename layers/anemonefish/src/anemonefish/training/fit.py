"""Fit a network: Adam, class weights, averaged weights, early stopping, and a checkpoint after every epoch.

The loss is the binary cross-entropy of each class, without the windows that the class ignores. What is scored, and kept
after every epoch, is an average of the weights over the last steps, which is better and steadier than those of any step
(Polyak and Juditsky 1992, SIAM J Control Optim 30:838). Training stops when the average precision of these weights on
windows of other recordings has not risen for some epochs. Average precision depends on the order of the scores only, so
a window with a wrong label cannot move it as it moves the loss. Batches are made by a thread of their own while the
network learns from the last.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
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
from anemonefish.training.window_examples import Batch, FixedWindows, WindowPool

__all__ = [
    "EpochFigures",
    "FitHistory",
    "FittedNetwork",
    "average_precision",
    "class_weights",
    "fit_network",
    "mean_average_precision",
]

_CHECKPOINT = "checkpoint.npz"
_PEAK_RATE, _LAST_RATE = 2e-3, 2e-5
"""Learning rates: it rises for :data:`_WARM_UP` of the steps, and falls by a cosine to the end."""
_WARM_UP = 0.05
_KEPT_PER_STEP = 0.99
"""Of the averaged weights; the average is over about a hundred steps, fewer at the start."""
_LABEL_SMOOTHING = 0.01
"""Targets are this far from 0 and 1, so that scores keep an order among the windows that are certain."""
_HELD_OUT_WINDOWS = 12_000
_HARD_FROM, _HARD_EVERY = 1, 2
"""Epochs after which hard negatives are looked for: when the network knows a little, and again."""
_MOST_WEIGHT = 5.0
_SCORED_AT_ONCE = 128
_READY_BATCHES = 4


@dataclass(frozen=True, slots=True)
class EpochFigures:
    """The loss of an epoch, and the average precision on windows that were held out, after it; None without any."""

    epoch: int
    loss: float
    held_out_precision: float | None


@dataclass(slots=True)
class FitHistory:
    """How the training of a network went.

    Attributes
    ----------
    epochs : list of EpochFigures
    resumed : int
        Epochs that an earlier run had finished.
    weights : tuple of float
        What a window with each class counts in the loss, against one without it.
    """

    epochs: list[EpochFigures] = field(default_factory=list)
    resumed: int = 0
    weights: tuple[float, ...] = ()

    def has_stalled(self, patience: int) -> bool:
        """Say whether the average precision has not risen for so many epochs."""
        precisions = [each.held_out_precision for each in self.epochs]
        known = [-1.0 if value is None else value for value in precisions]
        return None not in precisions and bool(known) and len(known) - 1 - known.index(max(known)) >= patience


@dataclass(frozen=True, slots=True)
class FittedNetwork:
    """A network that was trained, with its averaged weights after every epoch.

    Attributes
    ----------
    network : keras.Model
    history : FitHistory
    """

    network: Any
    history: FitHistory
    _folder: Path

    def after(self, epoch: int) -> Any:
        """Return the network with its averaged weights after an epoch, counted from 0."""
        with np.load(_weights_file(self._folder, epoch)) as saved:
            self.network.set_weights([saved[name] for name in saved.files])
        return self.network


def fit_network(
    network: Any,
    training: WindowPool,
    held_out: WindowPool | None,
    options: TrainingOptions,
    folder: Path,
    progress: Callable[[int, int], None],
    *,
    epochs: int | None = None,
) -> FittedNetwork:
    """Train a network.

    Parameters
    ----------
    network : keras.Model
        Ends with a sigmoid for each class.
    training : WindowPool
    held_out : WindowPool or None
        Windows of other recordings; the training stops when they are no longer scored better.
    options : TrainingOptions
        Its epochs are those of the learning rate's schedule.
    folder : Path
        For the checkpoint; a training that was interrupted continues from there.
    progress : callable
        Called with the steps done and the steps of all epochs.
    epochs : int or None
        Stop after so many; all of the schedule unless given.
    """
    import keras

    optimizer = keras.optimizers.Adam(_PEAK_RATE)
    optimizer.build(network.trainable_variables)
    averaged = keras.models.clone_model(network)
    averaged.set_weights(network.get_weights())
    weights = class_weights(training)
    loop = _Loop(averaged, [*network.variables, *averaged.variables, *optimizer.variables], folder)
    loop.history.weights = tuple(round(float(weight), 4) for weight in weights)
    loop.restore(training)
    step = _training_step(network, averaged, optimizer, weights)
    score = traced(averaged, (None, *training.input.shape), "network")
    fixed = None if held_out is None else held_out.fixed(_HELD_OUT_WINDOWS)
    history = loop.history
    steps = -(-len(training.epoch(0).start) // options.batch)
    scheduled, last = steps * options.epochs, options.epochs if epochs is None else epochs
    for number in range(len(history.epochs), last):
        if history.has_stalled(options.patience):
            break
        if number >= _HARD_FROM and (number - _HARD_FROM) % _HARD_EVERY == 0 and len(training.negative):
            training.find_hard(score, number)
        losses = []
        for index, (spectrograms, targets) in enumerate(_in_thread(training.batches(number))):
            done = number * steps + index
            optimizer.learning_rate.assign(_rate(done, scheduled))
            losses.append(float(step(spectrograms, targets, min(_KEPT_PER_STEP, (1 + done) / (10 + done)))))
            progress(done + 1, steps * last)
        precision = None if fixed is None else _precision_of(score, fixed)
        loop.finish(EpochFigures(number, float(np.mean(losses)), precision), training)
    progress(steps * last, steps * last)
    return FittedNetwork(network, history, folder)


class _Loop:
    """What a checkpoint holds: the network, its average, the optimiser, the figures, the hard negatives."""

    def __init__(self, averaged: Any, variables: Sequence[Any], folder: Path) -> None:
        self._averaged = averaged
        self._variables = variables
        self._folder = folder
        self.history = FitHistory()

    def restore(self, training: WindowPool) -> None:
        """Continue from the checkpoint, if there is one that fits."""
        with suppress(OSError, ValueError, KeyError), np.load(self._folder / _CHECKPOINT) as saved:
            document = json.loads(str(saved["history"]))
            states = [saved[f"state{index}"] for index in range(len(self._variables))]
            hard = saved["hard"]
            for variable, value in zip(self._variables, states, strict=True):
                variable.assign(value)
            training.hard = hard if len(hard) else None
            epochs = [EpochFigures(**figures) for figures in document["epochs"]]
            self.history = FitHistory(epochs, len(epochs), tuple(document["weights"]))

    def finish(self, figures: EpochFigures, training: WindowPool) -> None:
        """Add an epoch; write its averaged weights and the checkpoint."""
        self.history.epochs.append(figures)
        self._folder.mkdir(parents=True, exist_ok=True)
        _write(_weights_file(self._folder, figures.epoch), *self._averaged.get_weights())
        states = {f"state{index}": variable.numpy() for index, variable in enumerate(self._variables)}
        hard = np.empty(0, np.int64) if training.hard is None else training.hard
        history = np.array(json.dumps(asdict(self.history)))
        _write(self._folder / _CHECKPOINT, **states, hard=hard, history=history)


def _weights_file(folder: Path, epoch: int) -> Path:
    return folder / f"weights{epoch:04d}.npz"


def _write(path: Path, *arrays: NDArray[Any], **named: NDArray[Any]) -> None:
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, *arrays, **named)  # type: ignore[arg-type]


def class_weights(training: WindowPool) -> NDArray[np.float32]:
    """Return how much a window with each class counts: as much as all without it, within limits."""
    targets = training.epoch(0).targets
    holds, lacks = (targets == 1).sum(axis=0), (targets == 0).sum(axis=0)
    weights: NDArray[np.float32] = np.clip(lacks / np.maximum(holds, 1), 1.0, _MOST_WEIGHT).astype(np.float32)
    return weights


def _training_step(
    network: Any, averaged: Any, optimizer: Any, weights: NDArray[np.float32]
) -> Callable[[Any, Any, float], Any]:
    import tensorflow as tf

    variables = network.trainable_variables
    scale = tf.constant(weights)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(spectrograms: Any, targets: Any, kept: Any) -> Any:
        with tf.GradientTape() as tape:
            with portable_layers(network):
                scores = tf.clip_by_value(network(spectrograms, training=True), 1e-7, 1 - 1e-7)
            held = tf.maximum(targets, 0.0) * (1 - 2 * _LABEL_SMOOTHING) + _LABEL_SMOOTHING
            counted = tf.where(targets < 0, 0.0, tf.where(targets > 0, scale, 1.0))
            entropy = -held * tf.math.log(scores) - (1 - held) * tf.math.log(1 - scores)
            loss = tf.reduce_sum(counted * entropy) / tf.maximum(tf.reduce_sum(counted), 1.0)
        optimizer.apply(tape.gradient(loss, variables), variables)
        for mean, own in zip(averaged.weights, network.weights, strict=True):
            mean.assign(kept * mean + (1 - kept) * own)
        return loss

    return lambda spectrograms, targets, kept: step(
        tf.constant(spectrograms), tf.constant(targets), tf.constant(kept, tf.float32)
    )


def _precision_of(score: Callable[[NDArray[np.float32]], NDArray[np.float32]], fixed: FixedWindows) -> float:
    """Return the mean average precision of a network on fixed windows."""
    blocks = range(0, len(fixed.targets), _SCORED_AT_ONCE)
    parts = [score(fixed.spectrograms[at : at + _SCORED_AT_ONCE].astype(np.float32)) for at in blocks]
    return mean_average_precision(np.concatenate(parts), fixed)


def mean_average_precision(scores: NDArray[np.floating], fixed: FixedWindows) -> float:
    """Return the mean of the average precisions of all classes; scores have the shape (n, classes)."""
    columns = range(scores.shape[1])
    own = [average_precision(scores[:, column], fixed.targets[:, column], fixed.counts) for column in columns]
    return float(np.mean(own))


def average_precision(scores: NDArray[np.floating], targets: NDArray[np.int8], counts: NDArray[np.float32]) -> float:
    """Return the mean of the precisions at the scores of the windows with a class; 0 where there is none.

    Parameters
    ----------
    scores : ndarray, shape (n,)
    targets : ndarray, shape (n,), int8
        1, 0, or below 0 for windows that are left out.
    counts : ndarray, shape (n,)
        For how many windows each stands.

    Examples
    --------
    The first window is right, the second wrong, the third right:

    >>> scores, targets = np.array([0.9, 0.8, 0.7], np.float32), np.array([1, 0, 1], np.int8)
    >>> round(average_precision(scores, targets, np.ones(3, np.float32)), 4)
    0.8333
    """
    used = np.flatnonzero(targets >= 0)
    order = used[np.argsort(-scores[used], kind="stable")]
    right = np.where(targets[order] == 1, counts[order], 0.0)
    found = right.sum()
    return float((right * right.cumsum() / counts[order].cumsum()).sum() / found) if found else 0.0


def _rate(step: int, steps: int) -> float:
    warm = max(1, round(_WARM_UP * steps))
    if step < warm:
        return _PEAK_RATE * (step + 1) / warm
    return float(
        _LAST_RATE + (_PEAK_RATE - _LAST_RATE) * (1 + np.cos(np.pi * (step - warm) / max(1, steps - warm))) / 2
    )


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
