"""Match events with labels one to one, and count what was matched.

An event and a label *agree* if their overlap is at least a given part of the shorter of the two (``shorter``), or of
their union (``iou``). Of the agreeing pairs as many as possible are matched, each event with at most one label. Matched
events are true positives and the other events false positives; labels without an event are missed. Labels and events
that agree with anything, matched or not, are counted as well (``labels_found``, ``events_right``): one event over a
bout of calls is a single match, although it covers every call.

Intervals are integers on one clock.

Sources: Mesaros et al. 2016, "Metrics for polyphonic sound event detection", Applied Sciences 6:162, and sed_eval
(one-to-one matching in a graph); Bilen et al. 2020, "A framework for the robust evaluation of sound event detection",
ICASSP (PSDS: overlap instead of collars).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from anemonefish.errors import InvalidSettings

__all__ = ["CRITERIA", "Counts", "Interval", "MatchingRule", "maximum_matching", "merge_intervals"]

CRITERIA = ("shorter", "iou")
"""What the overlap is a part of: the shorter of the two, or their union."""

Interval = tuple[int, int]
"""The first tick, and the one after the last."""


@dataclass(frozen=True, slots=True)
class MatchingRule:
    """When an event and a label count as the same call.

    Attributes
    ----------
    overlap : Fraction
        The least overlap, as a part of what ``criterion`` names; above 0 and at most 1.
    criterion : {"shorter", "iou"}
        ``shorter``: a part of the shorter of the two, which is the larger of PSDS's two ratios. A call of 0.1 s in a
        window of 0.4 s agrees. A long event over many calls still has one match only, because matches are one to one.
        ``iou``: a part of their union. This criterion also rates where an event begins and ends.

    Raises
    ------
    InvalidSettings
        A value is out of range.
    """

    overlap: Fraction = Fraction(1, 2)
    criterion: str = "shorter"

    def __post_init__(self) -> None:
        if not 0 < self.overlap <= 1:
            raise InvalidSettings(f"the overlap must be above 0 and at most 1, not {float(self.overlap):g}")
        if self.criterion not in CRITERIA:
            raise InvalidSettings(f"the criterion must be {' or '.join(CRITERIA)}, not {self.criterion!r}")

    def agree(self, event: Interval, label: Interval) -> bool:
        """Say whether two intervals on one clock agree.

        A label without length agrees with the event around it by ``shorter``, and with no event by ``iou``.
        """
        if label[0] == label[1]:
            return self.criterion == "shorter" and event[0] <= label[0] < event[1]
        common = min(event[1], label[1]) - max(event[0], label[0])
        if common <= 0:
            return False
        lengths = event[1] - event[0], label[1] - label[0]
        whole = min(lengths) if self.criterion == "shorter" else sum(lengths) - common
        return common * self.overlap.denominator >= whole * self.overlap.numerator

    def agreements(self, events: Sequence[Interval], labels: Sequence[Interval]) -> list[list[int]]:
        """Return the indices of the labels that each event agrees with, in rising order.

        Parameters
        ----------
        events, labels : sequence of (int, int)
            In order of their start.
        """
        starts = [label[0] for label in labels]
        reach, latest_stop = [], 0  # the latest stop of all labels up to each one; it tells where to begin looking
        for label in labels:
            latest_stop = max(latest_stop, label[1])
            reach.append(latest_stop)
        return [
            [
                index
                for index in range(bisect_left(reach, event[0]), bisect_left(starts, event[1]))
                if self.agree(event, labels[index])
            ]
            for event in events
        ]

    def describe(self) -> str:
        """Return the rule in words."""
        whole = "the shorter of the two" if self.criterion == "shorter" else "their union"
        return (
            f"matched one to one; an event and a label agree if they share at least {float(self.overlap):g} of {whole}"
        )


def maximum_matching(agreements: Sequence[Sequence[int]], n_labels: int) -> list[int | None]:
    """Match as many events and labels as possible, one to one.

    The algorithm searches augmenting paths (Berge 1957) breadth first, event by event. It is deterministic, and it uses
    no recursion, because a chain of overlaps may be long. Where several matchings are equally large, it finds one.

    Parameters
    ----------
    agreements : sequence of sequence of int
        The labels that each event agrees with.
    n_labels : int

    Returns
    -------
    list of int or None
        The label of each event; None for an event without one.
    """
    owner: list[int | None] = [None] * n_labels
    matched: list[int | None] = [None] * len(agreements)
    for event, options in enumerate(agreements):
        if options:
            _augment(event, agreements, owner, matched)
    return matched


def _augment(
    event: int, agreements: Sequence[Sequence[int]], owner: list[int | None], matched: list[int | None]
) -> None:
    """Find a label for an event; other events are given another label if that frees one."""
    reached_from: dict[int, int] = {}
    queue = deque([event])
    while queue:
        current = queue.popleft()
        for label in agreements[current]:
            if label in reached_from:
                continue
            reached_from[label] = current
            holder = owner[label]
            if holder is not None:
                queue.append(holder)
                continue
            free: int | None = label
            while free is not None:  # walk back along the path, and give each label to the event that reached it
                taker = reached_from[free]
                owner[free], matched[taker], free = taker, free, matched[taker]
            return


def merge_intervals(intervals: Iterable[Interval], gap: Fraction) -> list[Interval]:
    """Merge intervals that overlap or lie less than a gap apart, as detection merges its events.

    Parameters
    ----------
    intervals : iterable of (int, int)
        In order of their start.
    gap : Fraction
        In ticks of the same clock.
    """
    merged: list[Interval] = []
    for start, stop in intervals:
        if merged and (start < merged[-1][1] or start - merged[-1][1] < gap):
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events and labels there are, and how many of them match; counts of recordings can be added.

    Attributes
    ----------
    labels, events : int
    matched : int
        Matched pairs, the true positives.
    labels_found, events_right : int
        Labels that agree with any event, and events that agree with any label, matched or not.
    """

    labels: int = 0
    events: int = 0
    matched: int = 0
    labels_found: int = 0
    events_right: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.labels + other.labels,
            self.events + other.events,
            self.matched + other.matched,
            self.labels_found + other.labels_found,
            self.events_right + other.events_right,
        )

    @property
    def false_positives(self) -> int:
        """Events that are not matched."""
        return self.events - self.matched

    @property
    def missed(self) -> int:
        """Labels that are not matched."""
        return self.labels - self.matched

    @property
    def precision(self) -> Fraction | None:
        """Matched pairs divided by events; None without events."""
        return Fraction(self.matched, self.events) if self.events else None

    @property
    def recall(self) -> Fraction | None:
        """Matched pairs divided by labels; None without labels."""
        return Fraction(self.matched, self.labels) if self.labels else None

    @property
    def f1(self) -> Fraction | None:
        """Harmonic mean of precision and recall, ``2 matched / (events + labels)``; None without any event or label."""
        total = self.events + self.labels
        return Fraction(2 * self.matched, total) if total else None

    @classmethod
    def of(cls, events: Sequence[Interval], labels: Sequence[Interval], rule: MatchingRule) -> Counts:
        """Count one recording; events and labels are in order of their start, on one clock."""
        agreements = rule.agreements(events, labels)
        matched = maximum_matching(agreements, len(labels))
        return cls(
            labels=len(labels),
            events=len(events),
            matched=sum(label is not None for label in matched),
            labels_found=len({label for options in agreements for label in options}),
            events_right=sum(bool(options) for options in agreements),
        )
