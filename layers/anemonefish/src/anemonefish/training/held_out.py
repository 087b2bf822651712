"""How good a model is on its test recordings, with intervals by recording.

Recordings are drawn with replacement, many times, and the rates are computed of each draw (bootstrap). Calls of one
recording are not independent, so an interval from the number of calls alone would be too narrow.

Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", percentile interval.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.evaluation.matching import Counts
from anemonefish.training.choose_decision import Decided, ThresholdCounts, counted
from anemonefish.training.scored_recordings import ScoredRecording

__all__ = ["ClassFigures", "Rate", "figures_of"]

_DRAWS = 1_000
_FEWEST_RECORDINGS = 3
_PERCENTILES = (5, 95)


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate with its 90 % interval.

    Attributes
    ----------
    value : float or None
        None where there is nothing to divide by.
    low, high : float or None
        None where there are fewer than three recordings.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lowest and highest value, rounded to four decimals, where there are any."""
        return None if self.low is None or self.high is None else (round(self.low, 4), round(self.high, 4))

    def to_list(self) -> list[float | None]:
        """Return value, low, high, rounded to four decimals."""
        return [None if number is None else round(number, 4) for number in (self.value, self.low, self.high)]

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        interval = "" if self.low is None or self.high is None else f" ({self.low:.2f} to {self.high:.2f})"
        return f"{self.value:.2f}{interval}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """How well a class is found in the test recordings.

    Attributes
    ----------
    label : str
    threshold : float
    calls, bouts : Counts
        Each call by itself, and labels closer than a second as one.
    precision, recall, f1 : Rate
        Of calls, matched one to one.
    found : Rate
        Share of the calls that lie in an event, matched or not.
    bout_precision, bout_recall, bout_f1 : Rate
        Of bouts.
    false_per_hour : Rate
        Events that are not matched, per hour.
    curve : tuple of ThresholdCounts
    """

    label: str
    threshold: float
    calls: Counts
    bouts: Counts
    precision: Rate
    recall: Rate
    f1: Rate
    found: Rate
    bout_precision: Rate
    bout_recall: Rate
    bout_f1: Rate
    false_per_hour: Rate
    curve: tuple[ThresholdCounts, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for ``model.json``: rates as value, low, high."""
        return {
            "threshold": self.threshold,
            "labels": self.calls.labels,
            "events": self.calls.events,
            "matched": self.calls.matched,
            "labels_found": self.calls.labels_found,
            "bouts": self.bouts.labels,
            "bouts_matched": self.bouts.matched,
            **{
                name: getattr(self, name).to_list()
                for name in (
                    "precision",
                    "recall",
                    "f1",
                    "found",
                    "bout_precision",
                    "bout_recall",
                    "bout_f1",
                    "false_per_hour",
                )
            },
        }


def figures_of(scored: Sequence[ScoredRecording], classes: Sequence[str], decided: Decided) -> list[ClassFigures]:
    """Return the figures of every class.

    Parameters
    ----------
    scored : sequence of ScoredRecording
    classes : sequence of str
    decided : Decided
    """
    return [_of_class(scored, column, label, decided) for column, label in enumerate(classes)]


def _of_class(scored: Sequence[ScoredRecording], column: int, label: str, decided: Decided) -> ClassFigures:
    decision = decided.of(column)
    calls, bouts = [], []
    for each in scored:
        events = each.events(column, decision)
        calls.append(each.counts(column, events))
        bouts.append(each.counts(column, events, bouts=True))
    hours = np.array([each.recording.seconds / 3600 for each in scored])
    by_call, by_bout = _table(calls), _table(bouts)
    return ClassFigures(
        label=label,
        threshold=decision.threshold,
        calls=sum(calls, Counts()),
        bouts=sum(bouts, Counts()),
        precision=_rate(by_call, lambda total: (total[2], total[1])),
        recall=_rate(by_call, lambda total: (total[2], total[0])),
        f1=_rate(by_call, lambda total: (2 * total[2], total[0] + total[1])),
        found=_rate(by_call, lambda total: (total[3], total[0])),
        bout_precision=_rate(by_bout, lambda total: (total[2], total[1])),
        bout_recall=_rate(by_bout, lambda total: (total[2], total[0])),
        bout_f1=_rate(by_bout, lambda total: (2 * total[2], total[0] + total[1])),
        false_per_hour=_rate(np.column_stack((by_call, hours)), lambda total: (total[1] - total[2], total[4])),
        curve=tuple(counted(scored, column, decision)),
    )


def _table(counts: Sequence[Counts]) -> NDArray[np.float64]:
    """Return labels, events, matched and labels found of each recording."""
    rows = [(each.labels, each.events, each.matched, each.labels_found) for each in counts]
    return np.array(rows, np.float64).reshape(-1, 4)


_Ratio = Callable[[NDArray[np.float64]], tuple[Any, Any]]


def _rate(table: NDArray[np.float64], ratio: _Ratio) -> Rate:
    above, below = ratio(table.sum(axis=0))
    if not below:
        return Rate(None)
    value = float(above / below)
    if len(table) < _FEWEST_RECORDINGS:
        return Rate(value)
    rng = np.random.default_rng(0)
    drawn = table[rng.integers(0, len(table), (_DRAWS, len(table)))].sum(axis=1)
    tops, bottoms = ratio(drawn.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = tops / bottoms
    low, high = np.percentile(rates[bottoms > 0], _PERCENTILES)
    return Rate(value, min(float(low), value), max(float(high), value))
