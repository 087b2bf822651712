"""Divide results into units that a person can judge, and draw a sample of them from every range of scores.

Every moment that was analysed belongs to one unit: an event is a unit, and the time between events is cut into
segments. A sample of both tells how many events are right, and how many calls lie where no event is. Units are grouped
by their score (strata), and the sample is drawn at random within each, so that an estimate can weigh each verdict by
the number of units that it stands for.

Sources: Cochran 1977, "Sampling Techniques", chapter 5 (strata, Neyman's allocation); Pukelsheim 2014, "Proportional
Representation", section 4 (the divisor method of Sainte-Laguë, which shares out whole numbers).
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import InvalidRequest
from anemonefish.results.events import Event, smooth
from anemonefish.results.read import ScoredRecording
from anemonefish.windows import WindowGrid

__all__ = [
    "EVENT",
    "SCORE_EDGES",
    "SEGMENT",
    "SEGMENT_SECONDS",
    "DrawnUnit",
    "ReviewUnit",
    "draw_units",
    "review_units",
]

EVENT, SEGMENT = "event", "segment"
"""Kinds of units: an event of the results, and a stretch without one."""

SEGMENT_SECONDS = 3
"""Length of a segment: longer than most bouts, and short enough to be heard at once. The last segment before an event
is half to one and a half times as long; a shorter gap is one segment."""

SCORE_EDGES = (0.0, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0)
"""Edges of the ranges of scores, which are narrow near 0 and 1, where a network puts most of its windows."""

_LEAST_OF_A_STRATUM = 2
"""Units that are drawn from each stratum at least: with one, its variance cannot be estimated."""
_SURE = 0.01
"""The share of calls that is expected in a stratum is not nearer than this to 0 and 1, because scores may be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewUnit:
    """A stretch of a recording that is judged as a whole.

    Attributes
    ----------
    recording : str
    start, stop : int
        Samples at ``sample_rate``, half-open.
    sample_rate : int
        Rate of the analysis, in Hz.
    label : str
        The class that is looked for.
    kind : {"event", "segment"}
    score : float
        The highest smoothed score, to six decimals: of an event its ``max_confidence``, of a segment that of the
        windows whose middle lies in it, or that overlap it if there is none.
    """

    recording: str
    start: int
    stop: int
    sample_rate: int
    label: str
    kind: str
    score: float

    @property
    def seconds(self) -> Fraction:
        """Its length."""
        return Fraction(self.stop - self.start, self.sample_rate)

    @property
    def score_range(self) -> tuple[float, float]:
        """The range of scores that it belongs to, half-open; 1 belongs to the last."""
        upper = min(bisect_right(SCORE_EDGES, self.score), len(SCORE_EDGES) - 1)
        return SCORE_EDGES[upper - 1], SCORE_EDGES[upper]

    @property
    def stratum(self) -> str:
        """Its kind and its range of scores, for example ``event 0.9-0.99``."""
        low, high = self.score_range
        return f"{self.kind} {low:g}-{high:g}"

    @property
    def clip(self) -> str:
        """The file name of its clip, which tells nothing about its score."""
        return f"clip-{_digest(self, '')[:12]}.flac"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnUnit:
    """A unit of the sample, and what it stands for.

    Attributes
    ----------
    unit : ReviewUnit
    stratum_size : int
        Units of its stratum.
    stratum_seconds : Fraction
        Their length together.
    drawn : int
        Units of its stratum that are in the sample; each was drawn with the probability ``drawn / stratum_size``.
    """

    unit: ReviewUnit
    stratum_size: int
    stratum_seconds: Fraction
    drawn: int


def review_units(scored: ScoredRecording, label: str | None = None) -> tuple[ReviewUnit, ...]:
    """Return the units of one recording in the order of their start: its events, and segments between them.

    Parameters
    ----------
    scored : ScoredRecording
        Its own settings decide the events.
    label : str or None
        Which of its target classes is reviewed; the first unless given.

    Returns
    -------
    tuple of ReviewUnit
        They do not overlap, and they cover the recording up to the end of its last window.

    Raises
    ------
    InvalidRequest
        The results have no events of the class.
    """
    targets = scored.settings.target_classes
    if label is not None and label not in targets:
        raise InvalidRequest(
            f"the results of {scored.name} have no events of {label!r}, only of {' and '.join(targets)}; name one of "
            f"these. Another class of the model needs results whose target_class has it"
        )
    decision, label = scored.decision, targets[0] if label is None else label
    smoothed = smooth(scored.scores, decision.median_windows)
    column = smoothed[:, scored.classes.index(label)]
    events = scored.events(smoothed, label, decision.threshold_of(label))
    units = [_unit(scored, event.start, event.stop, label, EVENT, event.max_score) for event in events]
    for start, stop in _gaps(events, scored.grid.n_samples):
        for begin, end in _pieces(start, stop, SEGMENT_SECONDS * scored.sample_rate):
            score = _highest(column, begin, end, scored.grid)
            units.append(_unit(scored, begin, end, label, SEGMENT, score))
    return tuple(sorted(units, key=lambda unit: unit.start))


def draw_units(units: Iterable[ReviewUnit], clips: int, seed: int) -> tuple[DrawnUnit, ...]:
    """Draw units at random from every stratum, and return them in an order that tells nothing about their scores.

    Half of the sample is shared equally between the strata, half where the number of calls is least certain (Neyman:
    by the size of a stratum times the standard deviation that its scores suggest). The same seed and more clips give
    the same units and more, so a review can be extended.

    Parameters
    ----------
    units : iterable of ReviewUnit
        Of all recordings.
    clips : int
        Size of the sample; all units where there are fewer.
    seed : int

    Raises
    ------
    InvalidRequest
        There are no units, or the sample is too small for two units of every stratum.
    """
    strata: defaultdict[str, list[ReviewUnit]] = defaultdict(list)
    for unit in units:
        strata[unit.stratum].append(unit)
    counts = _allocate(strata, clips)
    sample = []
    for name, members in strata.items():
        members.sort(key=lambda unit: _digest(unit, str(seed)))
        length = sum((unit.seconds for unit in members), Fraction(0))
        sample += [
            DrawnUnit(unit=unit, stratum_size=len(members), stratum_seconds=length, drawn=counts[name])
            for unit in members[: counts[name]]
        ]
    # Another hash than the one that chose: units of small strata would come late in that order.
    return tuple(sorted(sample, key=lambda drawn: _digest(drawn.unit, f"order {seed}")))


def _allocate(strata: Mapping[str, Sequence[ReviewUnit]], clips: int) -> dict[str, int]:
    """Return how many units are drawn from each stratum."""
    if not strata:
        raise InvalidRequest("these results hold nothing to review: no window was scored")
    counts = {name: min(_LEAST_OF_A_STRATUM, len(units)) for name, units in sorted(strata.items())}
    least = sum(counts.values())
    if clips < least:
        raise InvalidRequest(
            f"{clips} clips are too few: there are {len(strata)} ranges of scores, and each needs two; ask for at "
            f"least {least}"
        )
    spreads = {name: _spread(units) for name, units in strata.items()}
    total = sum(spreads.values())
    shares = {name: 1 / len(strata) + spread / total for name, spread in spreads.items()}
    for _ in range(min(clips, sum(map(len, strata.values()))) - least):
        # Sainte-Laguë; a larger sample never takes a unit from a stratum.
        open_strata = [name for name in counts if counts[name] < len(strata[name])]
        chosen = max(open_strata, key=lambda name: shares[name] / (2 * counts[name] + 1))
        counts[chosen] += 1
    return counts


def _spread(units: Sequence[ReviewUnit]) -> float:
    """Return the size of a stratum times the standard deviation of its verdicts, if scores were probabilities."""
    expected = min(max(sum(unit.score for unit in units) / len(units), _SURE), 1 - _SURE)
    return len(units) * sqrt(expected * (1 - expected))


def _digest(unit: ReviewUnit, salt: str) -> str:
    """Return the hash of a unit: evenly distributed, and independent of the other units."""
    key = [salt, unit.recording, unit.start, unit.stop, unit.sample_rate, unit.label]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()


def _unit(scored: ScoredRecording, start: int, stop: int, label: str, kind: str, score: float) -> ReviewUnit:
    return ReviewUnit(
        recording=scored.name,
        start=start,
        stop=stop,
        sample_rate=scored.sample_rate,
        label=label,
        kind=kind,
        score=round(score, 6),
    )


def _gaps(events: Sequence[Event], end: int) -> Iterator[tuple[int, int]]:
    """Yield the intervals without an event."""
    edges = [(0, 0), *((event.start, event.stop) for event in events), (end, end)]
    for (_, stop), (start, _) in pairwise(edges):
        if stop < start:
            yield stop, start


def _pieces(start: int, stop: int, length: int) -> Iterator[tuple[int, int]]:
    """Cut an interval into pieces of a length; the last one takes what is shorter than half of it."""
    count = max(1, (stop - start + length // 2) // length)
    for number in range(count):
        yield start + number * length, stop if number == count - 1 else start + (number + 1) * length


def _highest(column: NDArray[np.float32], start: int, stop: int, grid: WindowGrid) -> float:
    """Return the highest score of the windows whose middle lies in ``[start, stop)``.

    A gap that is shorter than a hop may hold no middle; then it is the highest score of the windows that overlap it.
    """
    first, last = (max(0, -(-(2 * edge - grid.window) // (2 * grid.hop))) for edge in (start, stop))
    if first >= min(last, len(column)):
        first, last = max(0, (start - grid.window) // grid.hop + 1), -(-stop // grid.hop)
    return float(column[first:last].max())
