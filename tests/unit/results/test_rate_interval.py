"""Intervals of rates: exact for Poisson counts, wider where counts vary more, and as wide as they claim."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gamma

from anemonefish.results.rate_interval import _gamma_quantile, dispersion, rate_interval


@pytest.mark.parametrize(
    ("events", "low", "high"),
    # Half the quantiles 0.05 of chi-squared with 2 n, and 0.95 with 2 n + 2 degrees of freedom.
    [(0, 0.0, 2.996), (1, 0.051, 4.744), (2, 0.355, 6.296), (10, 5.425, 16.962), (100, 84.139, 118.079)],
)
def test_interval_of_a_count_is_that_of_garwood(events: int, low: float, high: float) -> None:
    assert rate_interval(events, 1.0) == pytest.approx((low, high), abs=6e-4)
    assert rate_interval(events, 8.0) == pytest.approx((low / 8, high / 8), abs=6e-4)


@pytest.mark.parametrize("shape", [0.01, 0.3, 1, 1.5, 7, 60.25, 3_000, 1e6])
@pytest.mark.parametrize("part", [0.05, 0.95])
def test_quantiles_are_those_of_scipy(shape: float, part: float) -> None:
    assert _gamma_quantile(part, shape) == pytest.approx(gamma.ppf(part, shape), rel=1e-9)


def test_counts_that_vary_like_poisson_have_no_dispersion_worth_mentioning() -> None:
    generator = np.random.default_rng(1)
    values = [dispersion([(int(count), 1.0) for count in generator.poisson(5, 30)]) for _ in range(200)]
    assert 1.0 <= np.median(values) < 1.1


def test_dispersion_counts_units_by_their_hours() -> None:
    assert dispersion([(2, 1.0), (20, 10.0), (1, 0.5)] * 4) == 1.0  # the same rate everywhere
    assert dispersion([]) == dispersion([(0, 1.0)] * 20) == dispersion([(7, 1.0)]) == 1.0


@pytest.mark.parametrize(("days", "least"), [(10, 0.82), (30, 0.85)])
def test_nine_of_ten_intervals_hold_the_rate_of_events_in_bouts(days: int, least: float) -> None:
    """Bouts of about 6 events, and good and bad days: Poisson intervals hold the rate in less than half the cases."""
    generator = np.random.default_rng(2)
    held = naive = 0
    for _ in range(400):
        good = generator.gamma(4, 1 / 4, days)
        bouts = generator.poisson(8 * good)
        counts = [int((1 + generator.poisson(5, number)).sum()) for number in bouts]
        units = [(count, 24.0) for count in counts]
        for times in (dispersion(units), 1.0):
            low, high = rate_interval(sum(counts), 24.0 * days, times)
            inside = low <= 48 / 24 <= high
            held, naive = (held + inside, naive) if times > 1 else (held, naive + inside)
    assert naive < 200
    assert least <= held / 400 <= 0.96
