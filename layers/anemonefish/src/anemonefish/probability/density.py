"""Call density: calls per hour and its interval, from the verdicts on a stratified random sample of units.

The estimate is the stratified total, the sum over strata of their size times the mean count of the judged units. Its
interval is asymmetric, because most strata have few or no calls in the sample, where the usual variance is 0 and its
interval too short. Each stratum has a score interval for its mean, with the finite-population correction, and the
limits are combined by the method of variance estimates recovery (MOVER).

The sample is all that is uncertain: the interval is about the calls that a reviewer who heard everything would have
counted in these recordings, not about other days or other sites.

References
----------
G. Y. Zou, W. Huang, X. Zhang, "A note on confidence interval estimation for a linear function of binomial
proportions", Computational Statistics and Data Analysis 53:1080-1085, 2009 (Wilson limits combined by MOVER).
A. K. Navine et al., "All thresholds barred: direct estimation of call density in bioacoustic data", Frontiers in Bird
Science 3:1380636, 2024 (density from verdicts on strata of the score).
W. G. Cochran, "Sampling Techniques", 3rd edition, 1977, chapters 2 and 5 (correction, stratified total).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from anemonefish.errors import InvalidRequest
from anemonefish.probability.strata import Stratum

__all__ = ["CONFIDENCE", "CallDensity", "call_density", "mean_interval"]

CONFIDENCE = 0.9
"""Coverage of every interval of this package."""

_FEWEST_WITH_CALLS = 5
"""Units with calls from which a stratum tells how many calls such units have; with fewer, all strata tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDensity:
    """Calls per hour with their interval.

    Attributes
    ----------
    per_hour, low, high : float
        The estimate and the limits of the interval.
    hours : float
        Hours of sound that the strata cover.
    judged, with_calls, unsure : int
        Units with a usable verdict, those of them with a call, and drawn units left out.
    units : int
        Units of all strata.
    confidence : float
    """

    per_hour: float
    low: float
    high: float
    hours: float
    judged: int
    with_calls: int
    unsure: int
    units: int
    confidence: float = CONFIDENCE


def call_density(strata: Sequence[Stratum], hours: float, confidence: float = CONFIDENCE) -> CallDensity:
    """Estimate calls per hour in everything that the strata cover.

    Parameters
    ----------
    strata : sequence of Stratum
        Together they hold every unit; each has at least one judged unit.
    hours : float
        Hours of sound in all units.
    confidence : float
        Coverage of the interval.

    Raises
    ------
    InvalidRequest
        There is no stratum, no hour, or a stratum without a verdict.

    Examples
    --------
    >>> rare = Stratum(name="low", size=900, counts=(0,) * 30)
    >>> common = Stratum(name="high", size=40, counts=(1, 1, 1, 2, 1, 1, 0, 1, 1, 1))
    >>> density = call_density([rare, common], hours=2.0)
    >>> density.per_hour, density.low < 20 < density.high
    (20.0, True)
    """
    if not strata or not hours > 0:
        raise InvalidRequest("a call density needs strata with units and a duration above 0")
    if without := [stratum.name for stratum in strata if not stratum.judged]:
        raise InvalidRequest(
            f"no unit was judged yes or no in {', '.join(without)}, so nothing is known about the calls there; "
            f"judge at least one unit of each stratum, better ten"
        )
    spread = _spread(strata)
    centre = low = high = 0.0
    for stratum in strata:
        bottom, top = mean_interval(stratum, spread, confidence)
        centre += stratum.size * stratum.mean
        low += (stratum.size * (stratum.mean - bottom)) ** 2
        high += (stratum.size * (top - stratum.mean)) ** 2
    heard = sum(sum(stratum.counts) for stratum in strata)
    return CallDensity(
        per_hour=centre / hours,
        low=max(centre - low**0.5, heard) / hours,
        high=(centre + high**0.5) / hours,
        hours=hours,
        judged=sum(stratum.judged for stratum in strata),
        with_calls=sum(count > 0 for stratum in strata for count in stratum.counts),
        unsure=sum(stratum.left_out for stratum in strata),
        units=sum(stratum.size for stratum in strata),
        confidence=confidence,
    )


def mean_interval(stratum: Stratum, spread: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the limits of the mean count of a stratum.

    These are the means ``m`` with ``(m - mean)**2 <= z**2 * f * (spread * m - m**2) / n``, where ``f`` is the
    finite-population correction: Wilson's interval where each unit has one call or none, since ``spread`` is 1 there.

    Parameters
    ----------
    stratum : Stratum
    spread : float
        Mean square of the counts divided by their mean, over units of all strata; used where the stratum has too few
        units with calls to tell its own.
    confidence : float
    """
    n, size, mean = stratum.judged, stratum.size, stratum.mean
    if n == size:
        return mean, mean
    own = [count for count in stratum.counts if count]
    spread = _ratio(own) if len(own) >= _FEWEST_WITH_CALLS else max(spread, _ratio(own))
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    k = z**2 * (size - n) / (size - 1) / n
    middle = 2 * mean + k * spread
    root = float(np.sqrt(max(middle**2 - 4 * (1 + k) * mean**2, 0.0)))
    return (middle - root) / (2 * (1 + k)), (middle + root) / (2 * (1 + k))


def _spread(strata: Sequence[Stratum]) -> float:
    return _ratio([count for stratum in strata for count in stratum.counts if count])


def _ratio(counts: Sequence[int]) -> float:
    """Return the mean square of the counts divided by their mean; 1 where there is none."""
    return sum(count**2 for count in counts) / sum(counts) if counts else 1.0
