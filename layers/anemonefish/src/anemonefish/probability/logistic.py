"""Fit a probability to scores: a logistic curve over the logit of the score.

Each verdict counts once, although it stands for more or fewer units of its stratum. Whether a unit was drawn depends on
its score only, and of units with the same score those that were drawn are like the others, so a curve of the right
form needs no weights (Winship and Radbill 1994). With weights the few verdicts of the large strata of low scores would
decide it: in simulated deployments the curve was then further from the truth (docs/probability.md). Few verdicts often
separate completely (every yes above every no), where maximum likelihood has no answer. Firth's penalty gives one that
is finite and less biased, and a new intercept then makes the mean probability of the verdicts their share of yes.

References
----------
D. Firth, "Bias reduction of maximum likelihood estimates", Biometrika 80:27-38, 1993.
C. Winship, L. Radbill, "Sampling weights and regression analysis", Sociological Methods and Research 23:230-257, 1994.
R. Puhr, G. Heinze, M. Nold, L. Lusa, A. Geroldinger, "Firth's logistic regression with rare events: accurate effect
estimates and predictions?", Statistics in Medicine 36:2302-2317, 2017 (the intercept, "FLIC").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anemonefish.errors import InvalidRequest

__all__ = ["LEAST_SCORE", "LogisticCurve", "fit_logistic", "fit_logistic_many", "logit"]

LEAST_SCORE = 1e-3
"""Scores are cut to [1e-3, 1 - 1e-3] before the logit. Nearer to 0 or 1, differences of a score are those of float32
and of six printed decimals, and a logit of them would outweigh every other verdict."""

_MOST_STEPS = 100
_HALVINGS = 60
_STEADY = 1e-9
_LONGEST_STEP = 5.0
_LEAST_INFORMATION = 1e-12


@dataclass(frozen=True, slots=True)
class LogisticCurve:
    """The probability of a score: ``1 / (1 + exp(-(intercept + slope * logit(score))))``.

    Attributes
    ----------
    intercept, slope : float

    Examples
    --------
    >>> LogisticCurve(0.0, 1.0).probability([0.1, 0.9]).round(6).tolist()
    [0.1, 0.9]
    """

    intercept: float
    slope: float

    def probability(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each score, in the shape of the scores."""
        return _expit(self.intercept + self.slope * logit(scores))


def logit(scores: ArrayLike) -> NDArray[np.float64]:
    """Return ``log(s / (1 - s))`` of scores that are cut to ``[LEAST_SCORE, 1 - LEAST_SCORE]``."""
    cut = np.clip(np.asarray(scores, np.float64), LEAST_SCORE, 1 - LEAST_SCORE)
    return np.asarray(np.log(cut / (1 - cut)))


def fit_logistic(scores: ArrayLike, yes: ArrayLike, weights: ArrayLike) -> LogisticCurve:
    """Fit the probability of yes to scores.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Between 0 and 1.
    yes : array_like of bool, shape (n,)
        Verdicts; both kinds must occur.
    weights : array_like, shape (n,)
        How many times each verdict counts. Firth's penalty is worth two verdicts, however many there are.

    Raises
    ------
    InvalidRequest
        There is one kind of verdict only, or all scores are equal.

    Examples
    --------
    >>> curve = fit_logistic([0.1, 0.2, 0.8, 0.9], [False, False, True, True], [1, 1, 1, 1])
    >>> curve.slope > 0, np.round(curve.probability([0.5]), 6).tolist()
    (True, [0.5])
    """
    return fit_logistic_many(scores, yes, np.asarray(weights, np.float64)[np.newaxis])[0]


def fit_logistic_many(scores: ArrayLike, yes: ArrayLike, weights: ArrayLike) -> tuple[LogisticCurve, ...]:
    """Fit a curve for each of several weightings of the same verdicts.

    Parameters
    ----------
    scores, yes
        As in :func:`fit_logistic`.
    weights : array_like, shape (k, n)
        A verdict of weight 0 is left out of that curve.

    Returns
    -------
    tuple of LogisticCurve
        ``k`` curves.

    Raises
    ------
    InvalidRequest
        As in :func:`fit_logistic`, for any of them.
    """
    x, answers, units = logit(scores), np.asarray(yes, np.float64), np.asarray(weights, np.float64)
    used = units > 0
    if not np.all((used & (answers > 0)).any(axis=1) & (used & (answers == 0)).any(axis=1)):
        raise InvalidRequest("a curve needs verdicts of both kinds, yes and no")
    if not np.all(np.where(used, x, -np.inf).max(axis=1) > np.where(used, x, np.inf).min(axis=1)):
        raise InvalidRequest("all verdicts are on the same score, so a curve cannot be fitted")
    centre, scale = float(x.mean()), float(x.std())
    slopes = _firth((x - centre) / scale, answers, units) / scale
    intercepts = _intercepts(slopes[:, np.newaxis] * x, answers, units)
    return tuple(LogisticCurve(*pair) for pair in zip(intercepts.tolist(), slopes.tolist(), strict=True))


def _firth(x: NDArray[np.float64], yes: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slopes where Firth's modified score is zero, by Newton's steps with a longest length."""
    intercept, slope = np.zeros((2, len(weights), 1))
    for _ in range(_MOST_STEPS):
        p = _expit(intercept + slope * x)
        information = weights * np.maximum(p * (1 - p), _LEAST_INFORMATION)
        s0, s1, s2 = (np.sum(information * x**power, axis=1, keepdims=True) for power in (0, 1, 2))
        determinant = s0 * s2 - s1**2
        leverage = information * (s2 - 2 * x * s1 + x**2 * s0) / determinant
        residual = weights * (yes - p) + leverage * (0.5 - p)
        g0, g1 = residual.sum(axis=1, keepdims=True), (residual * x).sum(axis=1, keepdims=True)
        steps = np.stack([s2 * g0 - s1 * g1, s0 * g1 - s1 * g0]) / determinant
        longest = np.abs(steps).max(axis=0)
        steps *= np.minimum(1.0, _LONGEST_STEP / np.maximum(longest, _LONGEST_STEP))
        intercept, slope = intercept + steps[0], slope + steps[1]
        if longest.max() < _STEADY:
            break
    return np.asarray(slope[:, 0])


def _intercepts(
    offsets: NDArray[np.float64], yes: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the intercepts at which the weighted mean of the probabilities is the weighted share of yes."""
    wanted = weights @ yes
    low, high = -60.0 - offsets.max(axis=1), 60.0 - offsets.min(axis=1)
    for _ in range(_HALVINGS):  # the sum rises with the intercept
        middle = (low + high) / 2
        below = np.sum(weights * _expit(offsets + middle[:, np.newaxis]), axis=1) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)


def _expit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -700, 700))))
