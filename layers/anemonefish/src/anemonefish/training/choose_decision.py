"""Choose the settings that turn scores into events, on the validation recordings, for a wanted precision.

For each class and each median filter, the threshold is the one with the highest recall of bouts, of those with at least
the wanted precision. Precision and recall are those of ``anemonefish evaluate``, matched one to one: precision of calls
by themselves, recall of bouts, which are labels less than a second apart. Recall of calls would prefer high thresholds,
which cut a bout into calls; the share of calls that lie in an event would prefer one event over the whole recording.
The median filter is the one with which the recall of all classes together is highest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from anemonefish.evaluation.matching import Counts
from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.results.events import smooth
from anemonefish.training.scored_recordings import ScoredRecording

__all__ = [
    "THRESHOLDS",
    "ChosenThreshold",
    "Decided",
    "ThresholdCounts",
    "choose_decision",
    "choose_threshold",
    "counted",
]

THRESHOLDS = (*(step / 50 for step in range(1, 50)), 0.99, 0.995)
"""Steps of 0.02, and two above."""

_MEDIANS = (1, 3, 5)
_FEWEST_EVENTS = 3
"""A precision of fewer events than this says nothing, unless there are fewer labels."""


@dataclass(frozen=True, slots=True)
class ThresholdCounts:
    """The counts at a threshold: of calls by themselves, and of bouts."""

    threshold: float
    calls: Counts
    bouts: Counts

    @property
    def recall(self) -> tuple[Fraction, int]:
        """What is to be high: the recall of bouts, and where that is equal, the calls that lie in an event."""
        return self.bouts.recall or Fraction(0), self.calls.labels_found


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """The threshold of a class.

    Attributes
    ----------
    at : ThresholdCounts
        The threshold with its counts of the validation recordings.
    reached : bool
        Whether the wanted precision was reached. Where it was not, the threshold is the one with the highest F1 of
        bouts.
    curve : tuple of ThresholdCounts
        Of every threshold.
    """

    at: ThresholdCounts
    reached: bool
    curve: tuple[ThresholdCounts, ...]

    @property
    def threshold(self) -> float:
        """The threshold itself."""
        return self.at.threshold


@dataclass(frozen=True, slots=True)
class Decided:
    """The settings of a model.

    Attributes
    ----------
    decision : Decision
        With the threshold of the target.
    thresholds : tuple of ChosenThreshold
        By class.
    """

    decision: Decision
    thresholds: tuple[ChosenThreshold, ...]

    def of(self, column: int) -> Decision:
        """Return the decision of a class."""
        return replace(self.decision, threshold=self.thresholds[column].threshold)


def choose_decision(scored: Sequence[ScoredRecording], classes: int, target: int, precision: float) -> Decided:
    """Choose the median filter, and the threshold of each class.

    Parameters
    ----------
    scored : sequence of ScoredRecording
        Of the validation recordings.
    classes : int
        Number of classes.
    target : int
        Column of the target.
    precision : float
        Wanted.
    """
    candidates = []
    for median in _MEDIANS:
        decision = replace(LAB_DECISION, median_windows=median)
        chosen = tuple(choose_threshold(counted(scored, column, decision), precision) for column in range(classes))
        reached = sum(each.reached for each in chosen)
        recalls = [each.at.recall for each in chosen]
        rank = reached, sum(recall for recall, _ in recalls), sum(found for _, found in recalls), median
        candidates.append((rank, decision, chosen))
    _, decision, chosen = max(candidates, key=lambda candidate: candidate[0])
    return Decided(replace(decision, threshold=chosen[target].threshold), chosen)


def counted(scored: Sequence[ScoredRecording], column: int, decision: Decision) -> list[ThresholdCounts]:
    """Return the counts of a class at every threshold, in rising order."""
    smoothed = [smooth(each.scores, decision.median_windows) for each in scored]
    curve = []
    for threshold in THRESHOLDS:
        at = replace(decision, threshold=threshold)
        calls = bouts = Counts()
        for each, own in zip(scored, smoothed, strict=True):
            events = each.events(column, at, own)
            calls += each.counts(column, events)
            bouts += each.counts(column, events, bouts=True)
        curve.append(ThresholdCounts(threshold, calls, bouts))
    return curve


def choose_threshold(curve: Sequence[ThresholdCounts], precision: float) -> ChosenThreshold:
    """Choose the threshold of a class from its counts.

    Parameters
    ----------
    curve : sequence of ThresholdCounts
        In rising order of the thresholds.
    precision : float

    Examples
    --------
    At 0.4 the precision is too low, and at 0.2 it is higher again only because events have merged. At 0.8 fewer bouts
    are found than at 0.6:

    >>> matched = {0.2: (2, 2), 0.4: (9, 6), 0.6: (8, 8), 0.8: (5, 5)}
    >>> curve = [ThresholdCounts(at, Counts(9, *own), Counts(9, *own)) for at, own in matched.items()]
    >>> choose_threshold(curve, 0.9).threshold
    0.6
    """
    fewest = max(1, min(_FEWEST_EVENTS, curve[0].bouts.labels))
    wanted = Fraction(str(precision))
    good = [at for at in curve if at.calls.events >= fewest and (at.calls.precision or 0) >= wanted]
    if good:
        best = max(good, key=lambda at: (*at.recall, at.threshold))
        return ChosenThreshold(best, reached=True, curve=tuple(curve))
    best = max(curve, key=lambda at: (at.bouts.f1 or Fraction(0), at.threshold))
    return ChosenThreshold(best, reached=False, curve=tuple(curve))
