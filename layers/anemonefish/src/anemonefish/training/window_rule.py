"""The rule that turns labels into classes of windows.

A window holds a class (1) if it contains at least a share of one of its labels, half unless chosen otherwise, or 0.1 s
of it. It is left out of the learning for this class (-1) if it contains less, because a good annotator would hesitate.
Otherwise it does not hold the class (0). Each class is judged by itself, so a window may hold several. Windows that
contain a label of doubt are left out where they hold no class. Where unlabelled stretches are ignored, so are windows
without any label.

The rule is that of :mod:`anemonefish.results.lone_calls`, which says what a detector can find at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anemonefish.results.lone_calls import LONGEST_PART
from anemonefish.training.label_meanings import UNSURE
from anemonefish.training.labelled_recordings import TimedLabel

__all__ = ["IGNORED", "rule_in_words", "window_targets"]

IGNORED = -1
_MICROSECONDS = 1_000_000


def window_targets(
    starts: NDArray[np.int64],
    window: int,
    sample_rate: int,
    labels: Sequence[TimedLabel],
    classes: int,
    *,
    overlap: float = 0.5,
    ignore_unlabelled: bool = False,
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Judge windows by the rule of this module.

    Parameters
    ----------
    starts : ndarray, shape (n,), int64
        First sample of each window, in rising order.
    window : int
        Length of a window in samples.
    sample_rate : int
    labels : sequence of TimedLabel
    classes : int
        Number of classes.
    overlap : float
        Share of a label.
    ignore_unlabelled : bool

    Returns
    -------
    targets : ndarray, shape (n, classes), int8
        1, 0 or :data:`IGNORED`.
    labelled : ndarray, shape (n,), bool
        Whether the window contains any part of a label of any kind.

    Examples
    --------
    A call of 0.2 s; windows of 0.4 s that contain nothing, 0.05 s, half and all of it:

    >>> starts = np.array([0, 650, 700, 1000])
    >>> window_targets(starts, 400, 1000, [TimedLabel(1_000_000, 1_200_000, 0)], 1)[0].T.tolist()
    [[0, -1, 1, 1]]
    """
    targets = np.zeros((len(starts), classes), np.int8)
    labelled = np.zeros(len(starts), bool)
    doubtful = np.zeros(len(starts), bool)
    longest = float(LONGEST_PART) * sample_rate
    for label in labels:
        start, stop = (edge * sample_rate / _MICROSECONDS for edge in (label.start, label.stop))
        first, last = np.searchsorted(starts, (start - window, stop), side="right")
        near = slice(int(first), int(last))
        inside = np.minimum(starts[near] + window, stop) - np.maximum(starts[near], start)
        touched = inside > 0 if stop > start else inside >= 0
        labelled[near] |= touched
        if label.meaning == UNSURE:
            doubtful[near] |= touched
        elif label.meaning >= 0:
            column = targets[near, label.meaning]
            holds = touched & (inside >= min(overlap * (stop - start), longest))
            column[touched & ~holds & (column == 0)] = IGNORED
            column[holds] = 1
    targets[(targets == 0) & doubtful[:, np.newaxis]] = IGNORED
    if ignore_unlabelled:
        targets[~labelled] = IGNORED
    return targets, labelled


def rule_in_words(overlap: float, stretches: str) -> str:
    """Return the rule as a sentence for reports."""
    rest = (
        "does not hold it; stretches without a label hold nothing"
        if stretches == "negative"
        else "does not hold it; stretches without a label are ignored"
    )
    return (
        f"a window holds a class if it contains at least {overlap:g} of a label or {float(LONGEST_PART):g} s of it; a "
        f"window with less is left out; any other {rest}"
    )
