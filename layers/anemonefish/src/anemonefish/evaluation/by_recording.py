"""The figures to report of an evaluation: per call and per bout, false events per hour, each with an interval.

Events of one recording are not independent, because water, distance and recorder are the same. An interval is therefore
made by drawing whole recordings with replacement (the bootstrap of clusters) and taking the middle 90 % of the figures.
Where every recording agrees (no false event at all, or every label found), drawing again shows no spread; the limit is
then that of an exact test of one side at 95 %, the "rule of three".

Sources: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 8 (sampling units are drawn whole);
Hanley and Lippman-Hand 1983, "If nothing goes wrong, is everything all right?", JAMA 249:1743 (rule of three).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log

import numpy as np

from anemonefish.evaluation.matching import Counts

__all__ = ["BOUT_SECONDS", "LEAST_RECORDINGS", "Figure", "RecordingCounts", "Summary"]

BOUT_SECONDS = Fraction(1)
"""Labels closer than this are one bout unless a user says otherwise; calls of a bout follow within tenths of a second
(:mod:`anemonefish.simulation.calls` names the sources)."""

LEAST_RECORDINGS = 5
"""Fewer recordings have no interval: drawing from so few says little about others."""

_REPLICATES = 2_000
_TAIL = 0.05

_Term = Callable[["RecordingCounts"], int | Fraction]


@dataclass(frozen=True, slots=True)
class RecordingCounts:
    """What was counted in one recording, at the threshold of the results.

    Attributes
    ----------
    seconds : Fraction
        Its length.
    calls : Counts
        With each label by itself.
    bouts : Counts
        With the labels of one bout as one.
    """

    seconds: Fraction
    calls: Counts
    bouts: Counts


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 90 % interval.

    Attributes
    ----------
    value : float or None
        None where it is not defined, as precision without events.
    low, high : float or None
        None where there are fewer than :data:`LEAST_RECORDINGS` recordings.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def words(self, decimals: int = 2) -> str:
        """Return ``0.42 (0.30-0.55)``, without an interval ``0.42``, and ``-`` where it is not defined."""
        if self.value is None:
            return "-"
        limits = "" if self.low is None else f" ({self.low:.{decimals}f}-{self.high:.{decimals}f})"
        return f"{self.value:.{decimals}f}{limits}"

    def to_dict(self) -> dict[str, float | None]:
        """Return the value and its limits, JSON-ready, rounded to six decimals."""
        fields = {"value": self.value, "low": self.low, "high": self.high}
        return {name: None if number is None else round(number, 6) for name, number in fields.items()}


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures to report of one class, at the threshold of the results.

    Parameters
    ----------
    recordings : mapping of str to RecordingCounts
    bout_seconds : Fraction
        Labels closer than this were one bout.

    Examples
    --------
    >>> one = RecordingCounts(Fraction(1800), Counts(5, 2, 1, 4, 2), Counts(2, 2, 2, 2, 2))
    >>> for line in Summary({"reef.wav": one}, BOUT_SECONDS).lines():
    ...     print(line)
    per call: recall 0.20, precision 0.50, F1 0.29
    per bout (labels less than 1 s apart are one): recall 1.00, precision 1.00, F1 1.00
    false events per hour: 2.0; no recording without a label was evaluated
    no intervals: they need 5 recordings, and there is 1
    """

    recordings: Mapping[str, RecordingCounts]
    bout_seconds: Fraction

    def recall(self, bouts: bool) -> Figure:
        """Return the share of labels that are matched."""
        return self._share(bouts, lambda counts: counts.matched, lambda counts: counts.labels)

    def precision(self, bouts: bool) -> Figure:
        """Return the share of events that are matched."""
        return self._share(bouts, lambda counts: counts.matched, lambda counts: counts.events)

    def f1(self, bouts: bool) -> Figure:
        """Return the harmonic mean of precision and recall."""
        return self._share(bouts, lambda counts: 2 * counts.matched, lambda counts: counts.events + counts.labels)

    @property
    def false_per_hour(self) -> Figure:
        """Events that match no call, per hour of recording."""
        return _per_hour(list(self.recordings.values()))

    @property
    def without_labels(self) -> list[RecordingCounts]:
        """The recordings in which there is no call."""
        return [each for each in self.recordings.values() if not each.calls.labels]

    @property
    def false_per_hour_without_labels(self) -> Figure:
        """The same, of the recordings without a label alone."""
        return _per_hour(self.without_labels)

    def lines(self) -> Iterator[str]:
        """Yield the figures as sentences."""
        gap = f"labels less than {float(self.bout_seconds):g} s apart are one"
        for title, bouts in (("per call", False), (f"per bout ({gap})", True)):
            recall, precision, f1 = (figure(bouts).words() for figure in (self.recall, self.precision, self.f1))
            yield f"{title}: recall {recall}, precision {precision}, F1 {f1}"
        empty, number = self.false_per_hour_without_labels, len(self.without_labels)
        hours = sum(float(each.seconds) for each in self.without_labels) / 3600
        alone = (
            f"in {number} without a label ({hours:.2g} h): {empty.words(1)}"
            if number
            else "no recording without a label was evaluated"
        )
        yield f"false events per hour: {self.false_per_hour.words(1)}; {alone}"
        count = len(self.recordings)
        if count < LEAST_RECORDINGS:
            there = f"there is {count}" if count == 1 else f"there are {count}"
            yield f"no intervals: they need {LEAST_RECORDINGS} recordings, and {there}"
        else:
            yield f"in brackets: 90 % intervals over {count} recordings"

    def to_dict(self) -> dict[str, object]:
        """Return the figures, JSON-ready."""
        rates = {"recall": self.recall, "precision": self.precision, "f1": self.f1}
        return {
            "per_call": {name: rate(bouts=False).to_dict() for name, rate in rates.items()},
            "per_bout": {name: rate(bouts=True).to_dict() for name, rate in rates.items()},
            "bout_seconds": float(self.bout_seconds),
            "false_events_per_hour": self.false_per_hour.to_dict(),
            "recordings_without_labels": len(self.without_labels),
            "false_events_per_hour_without_labels": self.false_per_hour_without_labels.to_dict(),
        }

    def _share(self, bouts: bool, part: Callable[[Counts], int], whole: Callable[[Counts], int]) -> Figure:
        every = list(self.recordings.values())

        def counts(each: RecordingCounts) -> Counts:
            return each.bouts if bouts else each.calls

        figure = _ratio(every, lambda each: part(counts(each)), lambda each: whole(counts(each)))
        total = sum(whole(counts(each)) for each in every)
        if figure.low is not None and figure.value == 0:
            return Figure(0.0, 0.0, 1 - _TAIL ** (1 / total))
        if figure.low is not None and figure.value == 1:
            return Figure(1.0, _TAIL ** (1 / total), 1.0)
        return figure


def _per_hour(recordings: Sequence[RecordingCounts]) -> Figure:
    figure = _ratio(recordings, lambda each: 3600 * each.calls.false_positives, lambda each: each.seconds)
    if figure.low is not None and figure.value == 0:
        hours = float(sum((each.seconds for each in recordings), Fraction(0))) / 3600
        return Figure(0.0, 0.0, -log(_TAIL) / hours)
    return figure


def _ratio(recordings: Sequence[RecordingCounts], part: _Term, whole: _Term) -> Figure:
    """Return a sum divided by a sum, with the interval over the recordings."""
    parts = np.array([float(part(each)) for each in recordings])
    wholes = np.array([float(whole(each)) for each in recordings])
    if not wholes.sum() > 0:
        return Figure(None)
    value = float(parts.sum() / wholes.sum())
    if len(recordings) < LEAST_RECORDINGS:
        return Figure(value)
    drawn = np.random.default_rng(0).integers(len(recordings), size=(_REPLICATES, len(recordings)))
    sums = wholes[drawn].sum(axis=1)
    ratios = parts[drawn].sum(axis=1)[sums > 0] / sums[sums > 0]
    low, high = np.quantile(ratios, (_TAIL, 1 - _TAIL))
    return Figure(value, float(low), float(high))
