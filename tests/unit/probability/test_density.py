"""Calls per hour from a stratified sample: the interval, the correction where all units were judged, and coverage."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.errors import InvalidRequest
from anemonefish.probability.density import call_density
from anemonefish.probability.strata import Stratum


def stratum(size: int, *counts: int, left_out: int = 0) -> Stratum:
    return Stratum(name="s", size=size, counts=counts, left_out=left_out)


def test_variance_of_a_stratum_has_a_part_of_a_unit_more_of_each_kind() -> None:
    counts = (1,) * 6 + (0,) * 34
    density = call_density([stratum(10**9, *counts)], hours=1.0)
    p = 6.15 / 40.3
    half = NormalDist().inv_cdf(0.95) * (p * (1 - p) / 40) ** 0.5
    assert (density.low / 10**9, density.high / 10**9) == pytest.approx((0.15 - half, 0.15 + half), rel=1e-6)


def test_stratum_that_was_judged_whole_is_known_exactly() -> None:
    density = call_density([stratum(4, 1, 0, 3, 0)], hours=2.0)
    assert (density.low, density.per_hour, density.high) == (2.0, 2.0, 2.0)


def test_stratum_without_calls_in_its_sample_still_widens_the_interval() -> None:
    sure = stratum(10, *(1,) * 10)
    density = call_density([sure, stratum(5_000, *(0,) * 30)], hours=1.0)
    assert (density.per_hour, density.low) == (10.0, 10.0)
    assert 10 + 0.02 * 5_000 < density.high < 500  # none of 30 has a call in half of the reviews where 2 % have one


def test_units_with_several_calls_make_the_interval_wider() -> None:
    ones, several = (1,) * 10 + (0,) * 10, (2,) * 4 + (1, 1) + (0,) * 14
    one, many = (call_density([stratum(400, *counts)], hours=1.0) for counts in (ones, several))
    assert one.per_hour == many.per_hour
    assert many.high - many.low > 1.1 * (one.high - one.low)


def test_lower_limit_is_at_least_what_was_heard() -> None:
    density = call_density([stratum(10, *(1,) * 8, 0)], hours=1.0)
    assert density.low >= 8


def test_units_without_a_usable_verdict_are_counted() -> None:
    density = call_density([stratum(10, 1, 0, left_out=3)], hours=1.0)
    assert (density.judged, density.with_calls, density.unsure, density.units) == (2, 1, 3, 10)


def test_stratum_without_verdicts_is_named() -> None:
    silent = Stratum(name="event 0.9-1", size=7, counts=(), left_out=2)
    with pytest.raises(
        InvalidRequest, match=r"nothing is known about the calls there; judge at least one .*"
    ) as caught:
        call_density([stratum(3, 1), silent], hours=1.0)
    assert "event 0.9-1" in str(caught.value)


@pytest.mark.parametrize(("strata", "hours"), [([], 1.0), ([stratum(2, 1)], 0.0)])
def test_nothing_to_estimate_is_refused(strata: list[Stratum], hours: float) -> None:
    with pytest.raises(InvalidRequest, match="a duration above 0"):
        call_density(strata, hours)


def test_more_verdicts_than_units_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="3 units were judged, but it has 2"):
        stratum(2, 1, 1, left_out=1)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 500))
def test_limits_enclose_the_estimate(counts: list[int], more: int) -> None:
    density = call_density([stratum(len(counts) + more, *counts)], hours=1.0)
    assert sum(counts) - 1e-9 <= density.low <= density.per_hour + 1e-9
    assert density.high >= density.per_hour
    assert (density.high > density.per_hour) == (more > 0)


def test_interval_covers_the_truth_at_least_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    sizes, shares, drawn = (3_000, 400, 80, 60), (0.002, 0.05, 0.4, 0.95), (40, 25, 20, 20)
    covered, draws = 0, 400
    for _ in range(draws):
        units = [(rng.random(size) < share).astype(int) for size, share in zip(sizes, shares, strict=True)]
        sample = [
            Stratum(name=str(k), size=len(all_), counts=tuple(rng.choice(all_, n, replace=False).tolist()))
            for k, (all_, n) in enumerate(zip(units, drawn, strict=True))
        ]
        density = call_density(sample, hours=1.0)
        covered += density.low <= sum(all_.sum() for all_ in units) <= density.high
    assert covered / draws >= 0.88
