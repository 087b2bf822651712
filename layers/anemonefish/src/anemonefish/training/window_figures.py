"""How the windows of the test recordings were scored: which classes are confused, and how reliable the scores are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anemonefish.plots.training_curves import Reliability
from anemonefish.training.choose_decision import Decided
from anemonefish.training.scored_recordings import ScoredRecording
from anemonefish.training.training_options import TrainingOptions
from anemonefish.training.window_rule import IGNORED, window_targets

__all__ = ["confusion", "reliability", "window_truth"]

_RANGES = 10


def window_truth(scored: Sequence[ScoredRecording], classes: int, options: TrainingOptions) -> NDArray[np.int8]:
    """Return what the windows of recordings hold by their labels, shape (n, classes)."""
    return np.concatenate(
        [
            window_targets(
                np.arange(each.grid.n_windows, dtype=np.int64) * each.grid.hop,
                each.grid.window,
                each.audio.sample_rate,
                each.recording.labels,
                classes,
                overlap=options.overlap,
                ignore_unlabelled=each.only_labelled,
            )[0]
            for each in scored
        ]
    )


def confusion(truth: NDArray[np.int8], scores: NDArray[np.float32], decided: Decided) -> NDArray[np.int64]:
    """Count the windows above the thresholds by what they hold.

    Parameters
    ----------
    truth : ndarray, shape (n, classes), int8
    scores : ndarray, shape (n, classes), float32
        Before smoothing.
    decided : Decided

    Returns
    -------
    ndarray, shape (classes + 1, classes + 2), int64
        A row for the windows that hold each class, and one for those that hold none. Columns: windows in the row,
        those above the threshold of each class, and those above none. A window may hold several classes, and be above
        several thresholds.
    """
    classes = truth.shape[1]
    above = scores > np.array([each.threshold for each in decided.thresholds])
    rows = [*(truth[:, column] == 1 for column in range(classes)), (truth == 0).all(axis=1)]
    table = np.empty((classes + 1, classes + 2), np.int64)
    for number, row in enumerate(rows):
        table[number] = [row.sum(), *above[row].sum(axis=0), (~above[row].any(axis=1)).sum()]
    return table


def reliability(truth: NDArray[np.int8], scores: NDArray[np.float32], classes: Sequence[str]) -> list[Reliability]:
    """Return for each class how often windows of a score hold it, in ten ranges of scores."""
    found = []
    for column, name in enumerate(classes):
        used = truth[:, column] != IGNORED
        own, holds = scores[used, column].astype(np.float64), truth[used, column] == 1
        place = np.minimum((own * _RANGES).astype(int), _RANGES - 1)
        windows = np.bincount(place, minlength=_RANGES)
        kept = windows > 0
        means = np.bincount(place, own, _RANGES)[kept] / windows[kept]
        shares = np.bincount(place, holds, _RANGES)[kept] / windows[kept]
        found.append(Reliability(name, tuple(means.tolist()), tuple(shares.tolist()), tuple(windows[kept].tolist())))
    return found
