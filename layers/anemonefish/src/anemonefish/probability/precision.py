"""The threshold for a wanted precision: the expected share of true events at each threshold, from their probabilities.

Events change with the threshold: at a lower one more runs of windows are events, and neighbours merge. The events are
therefore found anew at each threshold, and the expected precision is the mean probability of their highest scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray

from anemonefish.probability.bootstrap import CurveFit, limits
from anemonefish.probability.logistic import LogisticCurve

__all__ = ["THRESHOLDS", "PrecisionThreshold", "precision_threshold"]

THRESHOLDS = (*(round(0.01 * number, 2) for number in range(2, 100)), 0.995, 0.999)
"""Thresholds that are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionThreshold:
    """The lowest threshold whose events have the wanted precision.

    Attributes
    ----------
    wanted : float
        The precision that was asked for.
    threshold : float or None
        None where no threshold reaches it.
    low, high : float or None
        Limits of its interval; None above the highest threshold: the precision may be out of reach.
    precision : float
        The expected precision at the threshold, or the highest where none reaches the wanted one.
    events : int
        Events at the threshold.
    """

    wanted: float
    threshold: float | None
    low: float | None
    high: float | None
    precision: float
    events: int


def precision_threshold(
    highest: Sequence[NDArray[np.float64]], fit: CurveFit, wanted: float, thresholds: Sequence[float] = THRESHOLDS
) -> PrecisionThreshold:
    """Choose the threshold for a precision.

    Parameters
    ----------
    highest : sequence of ndarray
        For each threshold, the highest smoothed score of each event that it gives.
    fit : CurveFit
    wanted : float
        Between 0 and 1.
    thresholds : sequence of float
        Rising.
    """
    scores, counts = _counted(highest)
    expected = _precisions(fit.curve, scores, counts)
    chosen = _lowest(expected, wanted, thresholds)
    low, high = limits([_lowest(_precisions(curve, scores, counts), wanted, thresholds) for curve in fit.replicates])
    best = thresholds.index(chosen) if isfinite(chosen) else int(np.nanargmax(np.append(expected, 0.0)))
    some = best < len(thresholds)
    return PrecisionThreshold(
        wanted=wanted,
        threshold=_finite(chosen),
        low=_finite(low),
        high=_finite(high),
        precision=float(expected[best]) if some else 0.0,
        events=len(highest[best]) if some else 0,
    )


def _counted(highest: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the different scores, to three decimals, and how many events of each threshold have each."""
    rounded = [np.round(each, 3) for each in highest]
    scores = np.unique(np.concatenate([*rounded, [0.5]]))
    counts = np.array([np.bincount(np.searchsorted(scores, each), minlength=len(scores)) for each in rounded])
    return scores, counts.astype(np.float64)


def _precisions(curve: LogisticCurve, scores: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected precision at each threshold; NaN where there is no event."""
    with np.errstate(invalid="ignore"):
        return np.asarray((counts @ curve.probability(scores)) / counts.sum(axis=1))


def _lowest(expected: NDArray[np.float64], wanted: float, thresholds: Sequence[float]) -> float:
    """Return the lowest threshold from which on every threshold with events has the precision, or infinity."""
    chosen = inf
    for threshold, precision in zip(reversed(thresholds), expected[::-1], strict=True):
        if np.isnan(precision):
            continue
        if precision < wanted:
            break
        chosen = threshold
    return chosen


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
