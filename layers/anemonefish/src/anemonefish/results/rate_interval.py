"""The interval of a rate: events per hour, with what chance alone would do to it.

Without repetition a count is taken as Poisson, and the interval is the exact one of Garwood (1936, Biometrika 28:437).
Calls come in bouts and animals have good and bad days, so counts of several days vary more than Poisson ones. Where a
rate is the mean over several units (days, hours or recordings), their own variance is used: the variance of a ratio of
totals over units (Cochran 1977, Sampling Techniques, 6.3), divided by the Poisson variance, is the dispersion. The
interval is then that of Fay and Feuer (1997, Statistics in Medicine 16:791) for this variance. With a dispersion of 1
it is Garwood's.

Quantiles are computed here, because no worker has scipy (Press et al. 2007, Numerical Recipes, 6.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

__all__ = ["FEWEST_UNITS", "LEVEL", "dispersion", "rate_interval"]

LEVEL = 0.90
"""The part of intervals that hold the true rate."""

FEWEST_UNITS = 10
"""Units that a dispersion is computed of at least; from fewer, a variance is a lottery."""

_PRECISION = 1e-13
_MOST_STEPS = 100
_SMALLEST = 1e-300


def dispersion(units: Sequence[tuple[int, float]]) -> float:
    """Return how many times the variance of a rate is that of Poisson counts; at least 1.

    Parameters
    ----------
    units : sequence of (int, float)
        Events and hours of each unit with effort.

    Examples
    --------
    >>> dispersion([(4, 1.0)] * 10)
    1.0
    >>> dispersion([(0, 1.0), (40, 1.0)] * 5) > 20
    True
    """
    events, hours = sum(count for count, _ in units), math.fsum(length for _, length in units)
    if events == 0 or len(units) < 2:
        return 1.0
    rate = events / hours
    squares = math.fsum((count - rate * length) ** 2 for count, length in units)
    return max(1.0, squares * len(units) / (len(units) - 1) / events)


def rate_interval(events: int, hours: float, times: float = 1.0) -> tuple[float, float]:
    """Return the interval of :data:`LEVEL` of a rate, in events per hour.

    Parameters
    ----------
    events : int
    hours : float
        Above 0.
    times : float
        The dispersion: how many times the variance is that of Poisson counts.

    Examples
    --------
    >>> [round(edge, 2) for edge in rate_interval(10, 1.0)]
    [5.43, 16.96]
    >>> [round(edge, 2) for edge in rate_interval(0, 10.0)]
    [0.0, 0.3]
    """
    tail = (1 - LEVEL) / 2
    low = times * _gamma_quantile(tail, events / times) if events else 0.0
    return low / hours, times * _gamma_quantile(1 - tail, events / times + 1) / hours


@lru_cache(maxsize=4096)
def _gamma_quantile(part: float, shape: float) -> float:
    """Return the value below which a part of a gamma distribution of scale 1 lies: Newton's method inside a bracket."""
    # The first guess is that of Wilson and Hilferty (1931, PNAS 17:684).
    width = 1 / (9 * shape)
    value = max(shape * (1 - width + NormalDist().inv_cdf(part) * math.sqrt(width)) ** 3, 1e-12)
    low, high = 0.0, math.inf
    for _ in range(_MOST_STEPS):
        error = _gamma_below(shape, value) - part
        low, high = (low, value) if error > 0 else (value, high)
        density = math.exp((shape - 1) * math.log(value) - value - math.lgamma(shape))
        step = error / max(density, _SMALLEST)
        following = value - step
        if not low < following < high:
            following = (low + high) / 2 if high < math.inf else 2 * value
        if abs(following - value) <= _PRECISION * value:
            return following
        value = following
    return value


def _gamma_below(shape: float, value: float) -> float:
    """Return the regularised lower incomplete gamma function."""
    front = math.exp(shape * math.log(value) - value - math.lgamma(shape))
    if value < shape + 1:
        term = total = 1 / shape
        divisor = shape
        while term > total * _PRECISION:
            divisor += 1
            term *= value / divisor
            total += term
        return front * total
    # The continued fraction of the upper function, by the method of Lentz.
    start = value + 1 - shape
    ratio, denominator = 1 / _SMALLEST, 1 / start
    fraction = denominator
    number = 0
    change = 0.0
    while abs(change - 1) > _PRECISION:
        number += 1
        factor = -number * (number - shape)
        start += 2
        denominator = 1 / (factor * denominator + start)
        ratio = start + factor / ratio
        change = denominator * ratio
        fraction *= change
    return 1 - front * fraction
