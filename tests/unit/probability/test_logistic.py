"""The curve from score to probability: what it recovers, weights, separated verdicts, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.probability.logistic import LEAST_SCORE, LogisticCurve, fit_logistic, logit

TRUTH = LogisticCurve(-1.0, 1.5)


def verdicts(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.01, 0.99, n)
    return scores, rng.random(n) < TRUTH.probability(scores)


def test_curve_of_many_verdicts_is_the_one_that_made_them() -> None:
    scores, yes = verdicts(20_000)
    curve = fit_logistic(scores, yes, np.ones(len(scores)))
    assert (curve.intercept, curve.slope) == pytest.approx((TRUTH.intercept, TRUTH.slope), abs=0.08)


def test_weights_undo_a_sample_that_prefers_high_scores() -> None:
    scores, yes = verdicts(40_000)
    rng = np.random.default_rng(1)
    chance = np.where(scores > 0.5, 0.5, 0.05) * np.where(yes, 1.0, 0.5)  # depends on the verdict too
    drawn = rng.random(len(scores)) < chance
    weighted = fit_logistic(scores[drawn], yes[drawn], 1 / chance[drawn])
    equal = fit_logistic(scores[drawn], yes[drawn], np.ones(drawn.sum()))
    assert weighted.probability(0.5) == pytest.approx(TRUTH.probability(0.5), abs=0.03)
    assert equal.probability(0.5) > TRUTH.probability(0.5) + 0.06


def test_draw_that_depends_on_the_score_only_needs_no_weights() -> None:
    """Few are drawn from the many units of low scores, as a review does: weights make the curve less certain."""
    scores, yes = verdicts(40_000)
    chance = np.where(scores > 0.5, 0.005, 0.0005)
    errors: dict[str, list[float]] = {"once": [], "weighted": []}
    for seed in range(100, 160):
        drawn = np.random.default_rng(seed).random(len(scores)) < chance
        for name, weights in (("once", np.ones(drawn.sum())), ("weighted", 1 / chance[drawn])):
            curve = fit_logistic(scores[drawn], yes[drawn], weights)
            errors[name].append(float(curve.probability(0.5)) - float(TRUTH.probability(0.5)))
    assert abs(np.mean(errors["once"])) < 0.03
    assert np.std(errors["once"]) < 0.9 * np.std(errors["weighted"])


@pytest.mark.parametrize("ratio", [1.0, 1000.0])
def test_separated_verdicts_have_a_finite_rising_curve(ratio: float) -> None:
    scores = np.r_[np.linspace(0.01, 0.4, 20), np.linspace(0.6, 0.999, 20)]
    curve = fit_logistic(scores, scores > 0.5, np.where(scores > 0.5, 1.0, ratio))
    probabilities = curve.probability(scores)
    assert 0 < curve.slope < 1000
    assert np.all(np.diff(probabilities) >= 0)
    assert probabilities[0] < 0.05
    assert probabilities[-1] > 0.9


def test_mean_probability_is_the_weighted_share_of_yes() -> None:
    scores, yes = verdicts(60)
    weights = np.where(scores > 0.5, 1.0, 50.0)
    curve = fit_logistic(scores, yes, weights)
    assert weights @ curve.probability(scores) == pytest.approx(weights @ yes)


def test_scores_at_the_ends_are_cut() -> None:
    assert logit([0.0, 1.0]).tolist() == logit([LEAST_SCORE, 1 - LEAST_SCORE]).tolist()


@pytest.mark.parametrize(("yes", "words"), [([True, True], "both kinds"), ([False, True], "same score")])
def test_verdicts_that_fit_no_curve_are_refused(yes: list[bool], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        fit_logistic([0.5, 0.5], yes, [1, 1])
