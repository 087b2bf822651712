"""Cross-fitting: every recording is scored by a network that has not learned from it, and the model learns from all.

The recordings of the training lie in folds. For each fold a network is trained on the other folds, and scores this one.
So thresholds are chosen on the scores of all recordings of the training and not of a few. The number of epochs (behind
a trunk: the penalty) is the one with the highest average precision over all folds. The network that is published is
trained for so long on all recordings, with the same schedule.

Sources: Stone 1974, J R Stat Soc B 36:111 (choice by cross-validation); Wolpert 1992, Neural Networks 5:241 (what
follows the network is fitted to scores of networks that have not heard the recording).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from anemonefish.training.fit import FitHistory
from anemonefish.training.scored_recordings import ScoredRecording
from anemonefish.training.window_examples import WindowPool

__all__ = ["CrossFitted", "FitOf", "Fitted", "chosen_epoch", "cross_fit", "mean_precisions"]

_AS_GOOD = 0.002
"""Differences of the average precision that two trainings with other seeds have, too."""

_Recording = TypeVar("_Recording")


class Fitted(Protocol):
    """A training with several results: the network after each epoch, or with each penalty."""

    @property
    def history(self) -> FitHistory:
        """The figures of the results, in order."""

    def after(self, epoch: int) -> Any:
        """Return the network of a result."""


class FitOf(Protocol):
    """A function that trains on windows."""

    def __call__(
        self, name: str, training: WindowPool, held_out: WindowPool | None, *, epochs: int | None = None
    ) -> Fitted:
        """Train; ``held_out`` are windows of other recordings, ``epochs`` is how many results are needed."""


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """What cross-fitting gives.

    Attributes
    ----------
    network : keras.Model
        Trained on all recordings.
    scored : list of ScoredRecording
        All recordings, each scored by a network that has not learned from it.
    folds : tuple of FitHistory
        Of the networks that scored them.
    history : FitHistory
        Of the network.
    epoch : int
        The result that was chosen, counted from 0.
    """

    network: Any
    scored: list[ScoredRecording]
    folds: tuple[FitHistory, ...]
    history: FitHistory
    epoch: int


def cross_fit(
    folds: Sequence[Sequence[_Recording]],
    training_pool: Callable[[Sequence[_Recording]], WindowPool],
    held_out_pool: Callable[[Sequence[_Recording]], WindowPool],
    fit: FitOf,
    score: Callable[[Any, Sequence[_Recording]], list[ScoredRecording]],
) -> CrossFitted:
    """Train a network for each fold, and one on all.

    Parameters
    ----------
    folds : sequence of sequence
        Recordings, at least two folds.
    training_pool, held_out_pool : callable
        Make the windows of recordings to learn from, and of those that a fit is measured on.
    fit : callable
        See :class:`FitOf`.
    score : callable
        Score recordings with a network.
    """
    fits = []
    for number, held_out in enumerate(folds, 1):
        others = [each for fold in folds if fold is not held_out for each in fold]
        fits.append(fit(f"fold {number} of {len(folds)}", training_pool(others), held_out_pool(held_out)))
    histories = tuple(each.history for each in fits)
    epoch = chosen_epoch(mean_precisions(histories))
    scored = [
        each for fitted, held_out in zip(fits, folds, strict=True) for each in score(fitted.after(epoch), held_out)
    ]
    whole = fit("all recordings", training_pool([each for fold in folds for each in fold]), None, epochs=epoch + 1)
    return CrossFitted(whole.after(epoch), scored, histories, whole.history, epoch)


def chosen_epoch(precisions: Sequence[float]) -> int:
    """Return the last epoch whose average precision is as good as the best, to :data:`_AS_GOOD`.

    Where the order of the scores is right from the start, the scores themselves become better with more epochs.

    Examples
    --------
    >>> chosen_epoch([0.7, 0.8, 0.799, 0.75])
    2
    """
    return max(number for number, value in enumerate(precisions) if value >= max(precisions) - _AS_GOOD)


def mean_precisions(histories: Sequence[FitHistory]) -> list[float]:
    """Return the mean average precision over the folds after each epoch that all of them reached.

    Examples
    --------
    >>> from anemonefish.training.fit import EpochFigures
    >>> one = FitHistory([EpochFigures(0, 0.5, 0.6), EpochFigures(1, 0.4, 0.8), EpochFigures(2, 0.4, 0.7)])
    >>> other = FitHistory([EpochFigures(0, 0.5, 0.4), EpochFigures(1, 0.4, 0.4)])
    >>> [round(value, 6) for value in mean_precisions([one, other])]
    [0.5, 0.6]
    """
    rows = zip(*([each.held_out_precision or 0.0 for each in history.epochs] for history in histories), strict=False)
    return [float(np.mean(row)) for row in rows]
