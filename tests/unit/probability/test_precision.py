"""The threshold for a wanted precision, and its interval."""

from __future__ import annotations

import numpy as np
import pytest

from anemonefish.probability.bootstrap import CurveFit
from anemonefish.probability.logistic import LogisticCurve
from anemonefish.probability.precision import precision_threshold

THRESHOLDS = (0.2, 0.4, 0.6, 0.8)
EVENTS = [np.array(scores) for scores in ([0.3, 0.5, 0.7, 0.9], [0.5, 0.7, 0.9], [0.7, 0.9], [0.9])]
EQUAL = LogisticCurve(0.0, 1.0)  # the probability of a score is the score


def fit(*replicates: LogisticCurve) -> CurveFit:
    return CurveFit(EQUAL, replicates or (EQUAL,) * 20, "verdicts")


@pytest.mark.parametrize(("wanted", "threshold", "precision"), [(0.6, 0.2, 0.6), (0.7, 0.4, 0.7), (0.9, 0.8, 0.9)])
def test_lowest_threshold_with_the_precision_is_chosen(wanted: float, threshold: float, precision: float) -> None:
    chosen = precision_threshold(EVENTS, fit(), wanted - 1e-9, THRESHOLDS)
    assert chosen.threshold == threshold
    assert chosen.precision == pytest.approx(precision)
    assert chosen.events == len(EVENTS[THRESHOLDS.index(threshold)])


def test_precision_out_of_reach_has_no_threshold() -> None:
    chosen = precision_threshold(EVENTS, fit(), 0.95, THRESHOLDS)
    assert (chosen.threshold, chosen.low, chosen.high) == (None, None, None)
    assert chosen.precision == pytest.approx(0.9)


def test_interval_is_open_where_some_curves_do_not_reach_it() -> None:
    curves = (*(EQUAL,) * 18, *(LogisticCurve(-3.0, 1.0),) * 2)
    chosen = precision_threshold(EVENTS, fit(*curves), 0.79, THRESHOLDS)
    assert (chosen.low, chosen.threshold, chosen.high) == (0.6, 0.6, None)


def test_threshold_whose_precision_a_higher_one_lacks_is_not_chosen() -> None:
    events = [np.array([0.9, 0.9]), np.array([0.9]), np.array([0.5]), np.array([])]
    chosen = precision_threshold(events, fit(), 0.8, THRESHOLDS)
    assert chosen.threshold is None


def test_no_event_at_any_threshold_has_no_threshold() -> None:
    chosen = precision_threshold([np.array([])] * 4, fit(), 0.8, THRESHOLDS)
    assert (chosen.threshold, chosen.precision, chosen.events) == (None, 0.0, 0)
