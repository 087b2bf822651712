"""Fit a probability to scores: a logistic curve over the logit of the score.

Verdicts are drawn from strata, so each counts with a weight: the units of its stratum that it stands for. Few verdicts
often separate completely (every yes above every no), where maximum likelihood has no answer. Firth's penalty gives one
that is finite and less biased, and a new intercept then makes the mean probability equal the weighted share of yes.

References
----------
D. Firth, "Bias reduction of maximum likelihood estimates", Biometrika 80:27-38, 1993.
R. Puhr, G. Heinze, M. Nold, L. Lusa, A. Geroldinger, "Firth's logistic regression with rare events: accurate effect
estimates and predictions?", Statistics in Medicine 36:2302-2317, 2017 (the intercept, "FLIC").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anemonefish.errors import InvalidRequest

__all__ = ["LEAST_SCORE", "LogisticCurve", "fit_logistic", "logit"]

LEAST_SCORE = 1e-3
"""Scores are cut to [1e-3, 1 - 1e-3] before the logit. Nearer to 0 or 1, differences of a score are those of float32
and of six printed decimals, and a logit of them would outweigh every other verdict."""

_MOST_STEPS = 100
_HALVINGS = 60
_STEADY = 1e-9
_LONGEST_STEP = 5.0


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
        Units that each verdict stands for, at least 1. Firth's penalty is worth two units, however many there are.

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
    x, answers = logit(scores), np.asarray(yes, np.float64)
    if not 0 < answers.sum() < len(answers):
        raise InvalidRequest("a curve needs verdicts of both kinds, yes and no")
    if np.ptp(x) == 0:
        raise InvalidRequest("all verdicts are on the same score, so a curve cannot be fitted")
    units = np.asarray(weights, np.float64)
    centre, scale = float(np.average(x, weights=units)), float(np.sqrt(np.cov(x, aweights=units, ddof=0)))
    slope = float(_firth((x - centre) / scale, answers, units)[1]) / scale
    return LogisticCurve(_intercept(slope * x, answers, units), slope)


def _firth(x: NDArray[np.float64], yes: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intercept and slope where Firth's modified score is zero, by Newton's steps with a longest length."""
    design = np.stack([np.ones_like(x), x], axis=1)
    beta = np.zeros(2)
    for _ in range(_MOST_STEPS):
        p = _expit(design @ beta)
        information = np.maximum(weights * p * (1 - p), 1e-12)
        inverse = np.linalg.inv(design.T @ (design * information[:, None]))
        leverage = information * ((design @ inverse) * design).sum(axis=1)
        step = inverse @ (design.T @ (weights * (yes - p) + leverage * (0.5 - p)))
        step *= min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        beta = beta + step
        if np.abs(step).max() < _STEADY:
            break
    return beta


def _intercept(offsets: NDArray[np.float64], yes: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the intercept at which the weighted mean of the probabilities is the weighted share of yes."""
    wanted = float(weights @ yes)
    low, high = -60.0 - float(offsets.max()), 60.0 - float(offsets.min())
    for _ in range(_HALVINGS):  # the sum rises with the intercept
        middle = (low + high) / 2
        low, high = (middle, high) if float(weights @ _expit(offsets + middle)) < wanted else (low, middle)
    return (low + high) / 2


def _expit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -700, 700))))
