"""Call density: calls per hour and its interval, from the verdicts on a stratified random sample of units.

The estimate is the stratified total: the sum over strata of their size times the mean count of the judged units. Most
strata have few or no calls in the sample, or calls in all of it, where the usual variance is 0 and its interval too
short. The variance of each stratum is therefore that of the judged units and a few pseudo-units, half of them with
calls and half without, as Price and Bonett add them for a linear function of proportions, with the correction for
finite populations. ``training/density_coverage.py`` measures how often the interval holds the truth.

The sample is all that is uncertain: the interval is about the calls that a reviewer who heard everything would have
counted in these recordings, not about other days or other sites.

References
----------
W. G. Cochran, "Sampling Techniques", 3rd edition, 1977, chapters 2 and 5 (correction, stratified total).
R. M. Price, D. G. Bonett, "An improved confidence interval for a linear function of binomial proportions",
Computational Statistics and Data Analysis 45:449-456, 2004 (2/m units with and 2/m without in each of m groups).
A. K. Navine et al., "All thresholds barred: direct estimation of call density in bioacoustic data", Frontiers in Bird
Science 3:1380636, 2024 (density from verdicts on strata of the score).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from anemonefish.errors import InvalidRequest
from anemonefish.probability.strata import Stratum

__all__ = ["CONFIDENCE", "CallDensity", "call_density"]

CONFIDENCE = 0.9
"""Coverage of every interval of this package."""

_PSEUDO_UNITS = 0.15
"""Pseudo-units of a stratum with calls, and as many without. Price and Bonett add 2/m in each of m groups, and reviews
have 5 to 14 strata, but with their 0.25 no interval of 300 simulated deployments missed the truth. With fewer than 0.15
the interval would be too short for a stratum in which 2 % of 5,000 stretches have a call but none of the 30 judged ones
has, which happens in every second review of such a stratum. docs/probability.md has the coverage elsewhere."""

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
    spread = _ratio([count for stratum in strata for count in stratum.counts if count])
    total = sum(stratum.size * stratum.mean for stratum in strata)
    variance = sum(stratum.size**2 * _variance_of_mean(stratum, spread) for stratum in strata)
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * sqrt(variance)
    heard = sum(sum(stratum.counts) for stratum in strata)
    return CallDensity(
        per_hour=total / hours,
        low=max(total - half, heard) / hours,
        high=(total + half) / hours,
        hours=hours,
        judged=sum(stratum.judged for stratum in strata),
        with_calls=sum(count > 0 for stratum in strata for count in stratum.counts),
        unsure=sum(stratum.left_out for stratum in strata),
        units=sum(stratum.size for stratum in strata),
        confidence=confidence,
    )


def _variance_of_mean(stratum: Stratum, spread: float) -> float:
    """Return the variance of the mean count of a stratum, over samples of the same size.

    Parameters
    ----------
    stratum : Stratum
    spread : float
        Calls of a pseudo-unit: the mean square of the counts divided by their mean, over the units with calls of all
        strata; used where the stratum has too few to tell its own. It is 1 where each unit has one call or none.
    """
    own = [count for count in stratum.counts if count]
    calls = _ratio(own) if len(own) >= _FEWEST_WITH_CALLS else max(spread, _ratio(own))
    n = stratum.judged + 2 * _PSEUDO_UNITS
    mean = (sum(own) + _PSEUDO_UNITS * calls) / n
    square = (sum(count**2 for count in own) + _PSEUDO_UNITS * calls**2) / n
    return (1 - stratum.judged / stratum.size) * (square - mean**2) / stratum.judged


def _ratio(counts: Sequence[int]) -> float:
    """Return the mean square of the counts divided by their mean; 1 where there is none."""
    return sum(count**2 for count in counts) / sum(counts) if counts else 1.0
