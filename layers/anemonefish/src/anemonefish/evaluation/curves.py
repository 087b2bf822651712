"""The numbers of an evaluation: the counts at each threshold, average precision, and what was evaluated.

Precision and recall are exact fractions. They become decimals where they are printed or written.

Sources: Everingham et al. 2015, "The PASCAL visual object classes challenge: a retrospective", IJCV 111:98 (average
precision as the area under interpolated precision).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from anemonefish.evaluation.by_recording import Summary
from anemonefish.evaluation.matching import Counts, MatchingRule
from anemonefish.models.decision import Decision
from anemonefish.settings import Settings

__all__ = ["ClassEvaluation", "Evaluation", "Point", "average_precision"]


@dataclass(frozen=True, slots=True)
class Point:
    """The counts at one threshold."""

    threshold: float
    counts: Counts


def average_precision(points: Iterable[Point]) -> Fraction | None:
    """Return the area under interpolated precision over recall, or None without labels.

    ``AP = sum over rising recalls of (r_i - r_(i-1)) * max(precision at any threshold whose recall is at least r_i)``,
    starting at recall 0. Precision is 0 above the highest recall that any threshold reaches. Precision is interpolated
    over recall, because recall may rise with the threshold: at low thresholds neighbouring events merge into one.
    """
    pairs = [(point.counts.recall, point.counts.precision) for point in points]
    recalls = sorted({recall for recall, _ in pairs if recall is not None})
    if not recalls:
        return None
    area, previous = Fraction(0), Fraction(0)
    for recall in recalls:
        best = max((p for r, p in pairs if r is not None and p is not None and r >= recall), default=Fraction(0))
        area += (recall - previous) * best
        previous = recall
    return area


@dataclass(frozen=True, slots=True)
class ClassEvaluation:
    """The evaluation of one class.

    Attributes
    ----------
    name : str
    points : tuple of Point
        In order of their thresholds.
    average_precision : Fraction or None
        See :func:`average_precision`; None without labels.
    by_recording : dict of str to Counts
        The counts of each recording at the threshold of the results.
    summary : Summary
        The figures to report: per call, per bout, false events per hour, with intervals over the recordings.
    """

    name: str
    points: tuple[Point, ...]
    average_precision: Fraction | None
    by_recording: Mapping[str, Counts]
    summary: Summary

    def at(self, threshold: float) -> Counts:
        """Return the counts at one of the thresholds."""
        return next(point.counts for point in self.points if point.threshold == threshold)

    @property
    def best(self) -> Point | None:
        """The point of the highest F1, or None if nothing matched; of equal points that of the highest threshold."""
        rated = [(f1, point.threshold, point) for point in self.points if (f1 := point.counts.f1) is not None]
        best = max(rated, key=lambda entry: entry[:2], default=None)
        return best[2] if best is not None and best[0] > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The result of :func:`anemonefish.evaluation.evaluate.evaluate`.

    Attributes
    ----------
    model : str
    settings : Settings
        The settings of the results; the threshold of each class is one of its points.
    rule : MatchingRule
    bout_seconds : Fraction or None
        Labels closer than this were counted as one.
    unlabelled : {"ignore", "negative"}
    seconds : Fraction
        Total length of the recordings that were counted.
    labelled : tuple of str
        Recordings with labels, or with an empty label file.
    negative : tuple of str
        Recordings without a label file that were counted as empty.
    ignored : tuple of str
        Recordings without a label file that were left out.
    left_out : dict of str to str
        Recordings that could not be evaluated, and why.
    unread : dict of str to str
        Label files that could not be read and that belong to no known recording, and why.
    repeated : tuple of str
        Label files with the same labels as another file of the same recording; these labels were counted once.
    elsewhere : dict of str to int
        Number of labels of recordings without results, by the recording's name in the label file.
    unmapped : dict of str to int
        Number of labels that were not counted, because their name is no class and was not mapped to one.
    named_by : dict of str to int
        Number of labels by the header of the column that named them; the header is empty where a file has no such
        column.
    unnamed : int
        Number of labels without a name.
    classes : tuple of ClassEvaluation
    """

    model: str
    settings: Settings
    rule: MatchingRule
    bout_seconds: Fraction | None
    unlabelled: str
    seconds: Fraction
    labelled: tuple[str, ...]
    negative: tuple[str, ...]
    ignored: tuple[str, ...]
    left_out: Mapping[str, str]
    unread: Mapping[str, str]
    repeated: tuple[str, ...]
    elsewhere: Mapping[str, int]
    unmapped: Mapping[str, int]
    named_by: Mapping[str, int]
    unnamed: int
    classes: tuple[ClassEvaluation, ...]

    def threshold_of(self, name: str) -> float:
        """Return the threshold of a class in the results."""
        return Decision.of(self.settings).threshold_of(name)

    def per_hour(self, count: int) -> Fraction | None:
        """Return a count per hour of recording."""
        return Fraction(count * 3600) / self.seconds if self.seconds else None
