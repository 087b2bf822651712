"""Choose the settings that turn scores into events, for a wanted precision, on recordings that were not learned from.

For each class and each median filter, the threshold is the one with the highest recall of bouts, of those for which the
lower limit of the precision (one-sided, 80 %) is at least the wanted one. So with few recordings or events the
threshold is higher, and where they are too few to show the precision it is the one that is most likely to have it.
Precision and recall are those of ``anemonefish evaluate``, matched one to one: precision of calls by themselves, recall
of bouts, which are labels less than a second apart. Recall of calls would prefer high thresholds, which cut a bout into
calls; the share of calls that lie in an event would prefer one event over the whole recording. The median filter is the
one with which the recall of all classes together is highest.

The precision that may be expected is measured on each recording with the settings that the other recordings alone
would have chosen (leave-one-out), because the precision that a threshold was chosen for is too good.

Sources: Wilson 1927, J Am Stat Assoc 22:209 (limit of a share); Korn and Graubard 1998, Survey Methodology 24:193 (with
the number of events that the spread between recordings is worth).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anemonefish.evaluation.by_recording import BOUT_SECONDS, LEAST_RECORDINGS, Figure, RecordingCounts, Summary
from anemonefish.evaluation.matching import Counts
from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.results.events import smooth
from anemonefish.training.scored_recordings import ScoredRecording

__all__ = [
    "LEAST_EVENTS",
    "MEDIANS",
    "THRESHOLDS",
    "Choice",
    "ChosenThreshold",
    "Decided",
    "Evidence",
    "ThresholdCounts",
    "choose",
    "choose_decision",
    "choose_threshold",
    "count_table",
    "counted",
    "lower_limits",
]

THRESHOLDS = (*(step / 50 for step in range(1, 50)), 0.99, 0.995)
"""Steps of 0.02, and two above."""

LEAST_EVENTS = 20
"""Fewer events, or fewer than :data:`.LEAST_RECORDINGS` recordings with events, are said to be few."""

MEDIANS = (1, 3, 5)
"""Median filters that are tried, in windows."""

_FEWEST_EVENTS = 3
"""A precision of fewer events than this says nothing, unless there are fewer labels."""

_OWN_EVENT = 0.8
"""Share of the bouts in an event that must have one of their own. At low thresholds events join bouts, in the end to
one event over a whole recording, which counts as right."""

_NORMAL_QUANTILE = 0.8416
"""Of a one-sided limit of 80 %."""

_FIELDS = ("labels", "events", "matched", "labels_found", "events_right")
_LABELS, _EVENTS, _MATCHED, _FOUND = range(4)
_CALLS, _BOUTS = range(2)

_Array = NDArray[np.int64]
"""Counts, shape (recordings, thresholds, 2, fields): of calls by themselves, and of bouts."""


class Evidence(IntEnum):
    """Whether the recordings show the wanted precision."""

    MISSED = 0
    """No threshold has it; this one has the highest F1 of bouts."""
    LITTLE = 1
    """The precision is at least the wanted one, but its lower limit is not."""
    ENOUGH = 2
    """The lower limit of the precision is at least the wanted one."""


@dataclass(frozen=True, slots=True)
class ThresholdCounts:
    """The counts at a threshold: of calls by themselves, and of bouts."""

    threshold: float
    calls: Counts
    bouts: Counts


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """The threshold of a class.

    Attributes
    ----------
    at : ThresholdCounts
        The threshold with its counts of all recordings.
    evidence : Evidence
    expected : Summary
        Of each recording with the settings that the others chose.
    curve : tuple of ThresholdCounts
        Of every threshold.
    """

    at: ThresholdCounts
    evidence: Evidence
    expected: Summary
    curve: tuple[ThresholdCounts, ...]

    @property
    def threshold(self) -> float:
        """The threshold itself."""
        return self.at.threshold

    @property
    def precision(self) -> Figure:
        """The precision to expect on other recordings like these."""
        return self.expected.precision(bouts=False)

    @property
    def is_doubtful(self) -> bool:
        """Whether few events or recordings decide."""
        return self.at.calls.events < LEAST_EVENTS or self.recordings_with_events < LEAST_RECORDINGS

    @property
    def recordings_with_events(self) -> int:
        """Recordings in which the settings that the others chose give an event."""
        return sum(each.calls.events > 0 for each in self.expected.recordings.values())


@dataclass(frozen=True, slots=True)
class Decided:
    """The settings of a model.

    Attributes
    ----------
    decision : Decision
        With the threshold of the target, and those of the other classes.
    thresholds : tuple of ChosenThreshold
        By class.
    """

    decision: Decision
    thresholds: tuple[ChosenThreshold, ...]

    def of(self, column: int) -> Decision:
        """Return the decision of a class."""
        return self.decision.with_threshold(self.thresholds[column].threshold)


class Choice(NamedTuple):
    """An index of the medians, and of the threshold of each class, with its evidence."""

    median: int
    thresholds: tuple[tuple[int, Evidence], ...]


def choose_decision(
    scored: Sequence[ScoredRecording], classes: Sequence[str], target: int, precision: float
) -> Decided:
    """Choose the median filter, and the threshold of each class.

    Parameters
    ----------
    scored : sequence of ScoredRecording
        Each by a network that has not learned from it.
    classes : sequence of str
    target : int
        Column of the target.
    precision : float
        Wanted.
    """
    decisions = [replace(LAB_DECISION, median_windows=median) for median in MEDIANS]
    tables = [[count_table(scored, column, decision) for column in range(len(classes))] for decision in decisions]
    every = np.arange(len(scored))
    chosen = choose(tables, every, precision)
    without = [choose(tables, np.delete(every, number), precision) if len(every) > 1 else chosen for number in every]
    thresholds = tuple(
        _chosen_threshold(
            scored,
            tables[chosen.median][column],
            chosen.thresholds[column],
            np.stack(
                [tables[own.median][column][at, own.thresholds[column][0]] for at, own in enumerate(without)],
            ),
        )
        for column in range(len(classes))
    )
    decision = replace(
        decisions[chosen.median],
        threshold=thresholds[target].threshold,
        class_thresholds=tuple(sorted((label, own.threshold) for label, own in zip(classes, thresholds, strict=True)))
        if len(classes) > 1
        else (),
    )
    return Decided(decision, thresholds)


def counted(scored: Sequence[ScoredRecording], column: int, decision: Decision) -> list[ThresholdCounts]:
    """Return the counts of a class at every threshold, in rising order."""
    return _curve(count_table(scored, column, decision).sum(axis=0))


def lower_limits(counts: _Array) -> NDArray[np.float64]:
    """Return the lower limit of the precision at each threshold: one-sided, 80 %.

    It is Wilson's limit for the number of events that the spread between recordings is worth. It holds for a threshold
    that was named before; one that is chosen among many keeps it less often (docs/train.md).

    Parameters
    ----------
    counts : ndarray, shape (recordings, thresholds, 2, fields)

    Returns
    -------
    ndarray, shape (thresholds,)
        0 where there is no event.
    """
    events, matched = (counts[:, :, _CALLS, field].astype(float) for field in (_EVENTS, _MATCHED))
    total, n_recordings = events.sum(axis=0), len(counts)
    share = matched.sum(axis=0) / np.maximum(total, 1)
    spread = np.square(matched - share * events).sum(axis=0) / np.square(np.maximum(total, 1))
    spread *= n_recordings / max(1, n_recordings - 1)
    alone = share * (1 - share)
    worth = np.where(spread > 0, np.minimum(total, alone / np.where(spread > 0, spread, 1)), total)
    worth = np.maximum(worth, 1e-9)
    z2 = _NORMAL_QUANTILE**2
    middle = share + z2 / (2 * worth)
    width = _NORMAL_QUANTILE * np.sqrt(alone / worth + z2 / (4 * worth**2))
    limits: NDArray[np.float64] = np.where(total > 0, (middle - width) / (1 + z2 / worth), 0.0)
    return limits


def count_table(scored: Sequence[ScoredRecording], column: int, decision: Decision) -> _Array:
    """Return the counts of a class, shape (recordings, thresholds, 2, fields): of calls by themselves, and of bouts."""
    table = np.zeros((len(scored), len(THRESHOLDS), 2, len(_FIELDS)), np.int64)
    for number, each in enumerate(scored):
        smoothed = smooth(each.scores, decision.median_windows)
        for place, threshold in enumerate(THRESHOLDS):
            events = each.events(column, replace(decision, threshold=threshold), smoothed)
            for which in (_CALLS, _BOUTS):
                counts = each.counts(column, events, bouts=which == _BOUTS)
                table[number, place, which] = [getattr(counts, field) for field in _FIELDS]
    return table


def choose(tables: Sequence[Sequence[_Array]], recordings: NDArray[np.intp], precision: float) -> Choice:
    """Choose the median filter and the thresholds with some of the recordings.

    Parameters
    ----------
    tables : sequence of sequence of ndarray
        For each of :data:`MEDIANS` and each class, see :func:`count_table`.
    recordings : ndarray of int
        Their places in the tables.
    precision : float
        Wanted.
    """
    best: tuple[tuple[float, ...], Choice] | None = None
    for median, of_classes in enumerate(tables):
        chosen = [choose_threshold(table[recordings], precision) for table in of_classes]
        sums = [table[recordings, at].sum(axis=0) for table, (at, _) in zip(of_classes, chosen, strict=True)]
        recall = sum(own[_BOUTS, _MATCHED] / max(1, own[_BOUTS, _LABELS]) for own in sums)
        found = sum(own[_CALLS, _FOUND] for own in sums)
        rank = (float(sum(evidence for _, evidence in chosen)), float(recall), float(found), float(median))
        if best is None or rank > best[0]:
            best = rank, Choice(median, tuple(chosen))
    assert best is not None
    return best[1]


def choose_threshold(counts: _Array, precision: float) -> tuple[int, Evidence]:
    """Choose the threshold of a class from its counts.

    Parameters
    ----------
    counts : ndarray, shape (recordings, thresholds, 2, fields)
        In rising order of the thresholds; of calls by themselves, and of bouts, with the fields of
        :class:`~anemonefish.evaluation.matching.Counts`.
    precision : float

    Returns
    -------
    int
        Place of the threshold.
    Evidence
    """
    sums = counts.sum(axis=0)
    events, matched = sums[:, _CALLS, _EVENTS], sums[:, _CALLS, _MATCHED]
    fewest = max(1, min(_FEWEST_EVENTS, int(sums[0, _BOUTS, _LABELS])))
    reached = (events >= fewest) & (matched >= precision * events - 1e-9)
    reached &= sums[:, _BOUTS, _MATCHED] >= _OWN_EVENT * sums[:, _BOUTS, _FOUND]
    limits = lower_limits(counts)
    shown = np.flatnonzero(reached & (limits >= precision))
    if len(shown):
        best = max((int(sums[at, _BOUTS, _MATCHED]), int(sums[at, _CALLS, _FOUND]), int(at)) for at in shown)
        return best[-1], Evidence.ENOUGH
    if reached.any():
        return max((float(limits[at]), int(at)) for at in np.flatnonzero(reached))[-1], Evidence.LITTLE
    f1 = 2 * sums[:, _BOUTS, _MATCHED] / np.maximum(1, sums[:, _BOUTS, _EVENTS] + sums[:, _BOUTS, _LABELS])
    return max((float(f1[at]), at) for at in range(len(f1)))[1], Evidence.MISSED


def _chosen_threshold(
    scored: Sequence[ScoredRecording], table: _Array, chosen: tuple[int, Evidence], left_out: _Array
) -> ChosenThreshold:
    place, evidence = chosen
    curve = _curve(table.sum(axis=0))
    recordings = {
        each.recording.name: RecordingCounts(
            Fraction(each.audio.n_samples, each.audio.sample_rate), *(Counts(*map(int, counts)) for counts in own)
        )
        for each, own in zip(scored, left_out, strict=True)
    }
    return ChosenThreshold(curve[place], evidence, Summary(recordings, BOUT_SECONDS), tuple(curve))


def _curve(sums: _Array) -> list[ThresholdCounts]:
    return [
        ThresholdCounts(threshold, *(Counts(*map(int, counts)) for counts in own))
        for threshold, own in zip(THRESHOLDS, sums, strict=True)
    ]
