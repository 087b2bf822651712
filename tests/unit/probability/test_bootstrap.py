"""Intervals of the curve: repeatable, narrower with more verdicts, by recording where there are several."""

from __future__ import annotations

import numpy as np
import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.probability.bootstrap import Judged, fit_curve, limits
from anemonefish.probability.logistic import LogisticCurve


def judged(n: int, recordings: int = 1, slope: float = 1.5, seed: int = 0) -> list[Judged]:
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.01, 0.99, n)
    yes = rng.random(n) < LogisticCurve(0.0, slope).probability(scores)
    return [
        Judged(score=score, yes=bool(answer), stratum=f"{score:.1f}", recording=f"{number % recordings}")
        for number, (score, answer) in enumerate(zip(scores, yes, strict=True))
    ]


def width(n: int) -> float:
    low, high = fit_curve(judged(n), replicates=100).interval([0.5])
    return float(high[0] - low[0])


def test_same_verdicts_give_the_same_intervals() -> None:
    first, second = (fit_curve(judged(80), replicates=40) for _ in range(2))
    assert first == second


def test_more_verdicts_give_narrower_intervals() -> None:
    assert width(800) < 0.5 * width(80)


def test_verdicts_of_many_recordings_are_resampled_by_recording() -> None:
    assert fit_curve(judged(80, recordings=8), replicates=10).resampled == "recordings"
    assert fit_curve(judged(80, recordings=7), replicates=10).resampled == "verdicts"


def test_recordings_that_differ_give_wider_intervals_than_their_verdicts() -> None:
    alike = [
        Judged(score=0.3 + 0.04 * (k % 10), yes=r % 2 == 0, stratum="a", recording=str(r))
        for r in range(10)
        for k in range(10)
    ]
    rising = [*judged(40, seed=1), *alike]
    by_recording = fit_curve(rising, replicates=100).interval([0.5])
    one = [Judged(score=e.score, yes=e.yes, stratum=e.stratum, recording="one") for e in rising]
    by_verdict = fit_curve(one, replicates=100).interval([0.5])
    assert by_recording[1] - by_recording[0] > 1.5 * (by_verdict[1] - by_verdict[0])


@pytest.mark.parametrize("n", [0, 9])
def test_too_few_verdicts_of_a_kind_are_refused(n: int) -> None:
    few = [Judged(score=0.9, yes=True, stratum="a", recording="r")] * n
    many = [Judged(score=0.1, yes=False, stratum="b", recording="r")] * 50
    with pytest.raises(InvalidRequest, match=f"{n} verdicts are yes and 50 are no; a curve needs 10 of each"):
        fit_curve([*few, *many])


def test_scores_that_fall_with_the_verdicts_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="higher scores were judged yes less often"):
        fit_curve(judged(200, slope=-1.5))


def test_limits_count_infinity_as_the_largest() -> None:
    values = [*(float(number) for number in range(90)), *[float("inf")] * 10]
    assert limits(values) == (5.0, float("inf"))
