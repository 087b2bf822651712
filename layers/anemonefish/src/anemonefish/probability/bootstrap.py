"""Fit the curve of probabilities again and again to resampled verdicts: how much it would change with other verdicts.

With verdicts from enough recordings, whole recordings are resampled, because the calls of a recording resemble each
other. With few recordings the verdicts of each stratum are resampled; the interval then says nothing about how other
recordings differ.

References
----------
J. N. K. Rao, C. F. J. Wu, "Resampling inference with complex survey data", Journal of the American Statistical
Association 83:231-241, 1988 (one unit fewer than were drawn is resampled in each stratum, and weights are rescaled).
P. Peduzzi et al., "A simulation study of the number of events per variable in logistic regression analysis", Journal
of Clinical Epidemiology 49:1373-1379, 1996 (ten of the rarer kind for each coefficient).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anemonefish.errors import InvalidRequest
from anemonefish.probability.density import CONFIDENCE
from anemonefish.probability.logistic import LogisticCurve, fit_logistic_many

__all__ = ["FEWEST_OF_A_KIND", "FEWEST_RECORDINGS", "CurveFit", "Judged", "fit_curve", "limits"]

FEWEST_OF_A_KIND = 10
"""Verdicts of each kind, yes and no, below which no curve is fitted: ten for the one slope (Peduzzi et al.)."""

FEWEST_RECORDINGS = 8
"""Recordings with verdicts from which recordings are resampled; fewer give too few different samples."""

REPLICATES = 400
"""Curves of an interval: the 5th and 95th percentile lie 20 curves from the end."""

_SEED = 20261129
_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One unit with a verdict.

    Attributes
    ----------
    score : float
    yes : bool
    stratum, recording : str
    """

    score: float
    yes: bool
    stratum: str
    recording: str


@dataclass(frozen=True, slots=True)
class CurveFit:
    """A curve and its replicates.

    Attributes
    ----------
    curve : LogisticCurve
    replicates : tuple of LogisticCurve
    resampled : {"recordings", "verdicts"}
    """

    curve: LogisticCurve
    replicates: tuple[LogisticCurve, ...]
    resampled: str

    def interval(self, scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the limits of the probability of each score."""
        rows = np.array([curve.probability(scores) for curve in self.replicates])
        low, high = np.quantile(rows, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
        return np.asarray(low), np.asarray(high)


def fit_curve(judged: Sequence[Judged], replicates: int = REPLICATES) -> CurveFit:
    """Fit the probability of yes, with replicates for intervals; the same verdicts give the same numbers.

    Raises
    ------
    InvalidRequest
        There are too few verdicts, of one kind only, or the probability would fall with the score.
    """
    _check_kinds(judged)
    whole = len({each.recording for each in judged}) >= FEWEST_RECORDINGS
    arrays = _Arrays.of(judged, (lambda each: each.recording) if whole else (lambda each: each.stratum))
    curve = arrays.fit(np.ones((1, len(judged))))[0]
    if curve.slope <= 0:
        raise InvalidRequest(
            "units with higher scores were judged yes less often, so these scores cannot become probabilities; check "
            "that the verdicts are about this class, or train a model with labels of this site"
        )
    rng = np.random.default_rng(_SEED)
    resample = _recordings if whole else _verdicts
    times = np.array([_resampled(arrays, resample, rng) for _ in range(replicates)])
    return CurveFit(curve, arrays.fit(times), "recordings" if whole else "verdicts")


def limits(values: Sequence[float]) -> tuple[float, float]:
    """Return the limits of an interval over replicates; infinite values count as larger than all others."""
    ordered = sorted(values)
    outside = round((1 - CONFIDENCE) / 2 * len(ordered))
    return ordered[outside], ordered[-1 - outside]


@dataclass(frozen=True, slots=True)
class _Arrays:
    """Verdicts as arrays, and the positions of those of each stratum or recording."""

    scores: NDArray[np.float64]
    yes: NDArray[np.bool_]
    groups: tuple[NDArray[np.intp], ...]

    @classmethod
    def of(cls, judged: Sequence[Judged], group_of: Callable[[Judged], str]) -> Self:
        """Return the verdicts, grouped."""
        groups: dict[str, list[int]] = defaultdict(list)
        for number, each in enumerate(judged):
            groups[group_of(each)].append(number)
        return cls(
            np.array([each.score for each in judged], np.float64),
            np.array([each.yes for each in judged], np.bool_),
            tuple(np.array(numbers, np.intp) for numbers in groups.values()),
        )

    def fit(self, times: NDArray[np.float64]) -> tuple[LogisticCurve, ...]:
        """Fit a curve for each row of how many times each verdict counts."""
        return fit_logistic_many(self.scores, self.yes, times)

    def has_both_kinds(self, times: NDArray[np.float64]) -> bool:
        """Say whether a curve can be fitted to the verdicts that count."""
        used = times > 0
        return len(np.unique(self.yes[used])) == 2 and len(np.unique(self.scores[used])) > 1


def _check_kinds(judged: Sequence[Judged]) -> None:
    counts = Counter(each.yes for each in judged)
    if counts[True] < FEWEST_OF_A_KIND or counts[False] < FEWEST_OF_A_KIND:
        raise InvalidRequest(
            f"{counts[True]} verdicts are yes and {counts[False]} are no; a curve needs {FEWEST_OF_A_KIND} of each. "
            f"Judge more clips: the same draw with more clips keeps the verdicts that exist"
        )


_Resample = Callable[[_Arrays, np.random.Generator], NDArray[np.float64]]
"""Returns how many times each verdict counts."""


def _recordings(arrays: _Arrays, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw as many recordings as there are, with replacement."""
    times = np.zeros(len(arrays.scores))
    for number in rng.integers(len(arrays.groups), size=len(arrays.groups)):
        times[arrays.groups[number]] += 1
    return times


def _verdicts(arrays: _Arrays, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw one verdict fewer than there are in each stratum, with replacement; an only one stays."""
    times = np.ones(len(arrays.scores))
    for group in arrays.groups:
        if (n := len(group)) > 1:
            times[group] = np.bincount(rng.integers(n, size=n - 1), minlength=n) * (n / (n - 1))
    return times


def _resampled(arrays: _Arrays, resample: _Resample, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a sample with both kinds of verdict; one of one kind has no curve and is drawn again."""
    for _ in range(_TRIES):
        times = resample(arrays, rng)
        if arrays.has_both_kinds(times):
            return times
    raise InvalidRequest(
        "nearly all verdicts of a kind are from one recording, so an interval cannot be given; judge clips of more "
        "recordings"
    )
