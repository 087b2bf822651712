"""Matching: when an event and a label are the same call, and the counts that follow from it.

Owns the rule and the counts, on intervals of integers on one clock. An event and a label *agree* if their overlap is at
least a given part of the shorter of the two (``shorter``), or of their union (``iou``). Agreeing pairs are matched one
to one, as many as can be. Matched events are true positives, the others false positives; labels without an event are
missed. Besides, labels and events that agree with anything are counted (``labels_found``, ``events_right``), because
one event over a bout of calls is one match and may still be what somebody wanted to know.

Knows nothing of files, thresholds or classes.

Sources: Mesaros et al. 2016, "Metrics for polyphonic sound event detection", Applied Sciences 6:162, and sed_eval
(one-to-one matching, solved as a graph); Bilen et al. 2020, "A framework for the robust evaluation of sound event
detection", ICASSP (PSDS: overlap instead of collars).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from anemonefish.errors import InvalidSettings

__all__ = ["CRITERIA", "Counts", "Interval", "Rule", "maximum_matching"]

CRITERIA = ("shorter", "iou")
"""What an overlap is held against: the shorter of the two, or their union."""

Interval = tuple[int, int]
"""First tick and the one after the last."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When an event and a label are the same call.

    Attributes
    ----------
    overlap : Fraction
        The least part, above 0 and at most 1.
    criterion : {"shorter", "iou"}
        Of what. ``shorter``: of the shorter of the two, which is the larger of PSDS's two ratios. A call of 0.1 s in a
        window of 0.4 s is found; that a long event covers many calls is no merit, because matches are one to one.
        ``iou``: of their union; this also judges where an event begins and ends.

    Raises
    ------
    InvalidSettings
        A value out of range.
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

        A label without length agrees by ``shorter`` with the event that it lies in, and by ``iou`` with none.
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
        """Return for each event the labels that it agrees with, as rising indices.

        Parameters
        ----------
        events, labels : sequence of (int, int)
            In order of their start.
        """
        starts = [label[0] for label in labels]
        reach, longest = [], 0  # how far any label up to here reaches: where to begin looking
        for label in labels:
            longest = max(longest, label[1])
            reach.append(longest)
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
    """Match events and labels one to one, as many as possible.

    Augmenting paths (Berge 1957), breadth first, events in their order: deterministic, and no recursion however long a
    chain of overlaps is. Of several largest matchings it finds one; their number of pairs is the same.

    Parameters
    ----------
    agreements : sequence of sequence of int
        For each event the labels it agrees with.
    n_labels : int

    Returns
    -------
    list of int or None
        For each event its label.
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
    """Find a label for an event, moving the labels of others if that frees one."""
    reached_by: dict[int, int] = {}
    waiting = deque([event])
    while waiting:
        asking = waiting.popleft()
        for label in agreements[asking]:
            if label in reached_by:
                continue
            reached_by[label] = asking
            holder = owner[label]
            if holder is not None:
                waiting.append(holder)
                continue
            free: int | None = label
            while free is not None:  # hand each label on the path to who reached it
                taker = reached_by[free]
                owner[free], matched[taker], free = taker, free, matched[taker]
            return


@dataclass(frozen=True, slots=True)
class Counts:
    """What was matched; sums over recordings.

    Attributes
    ----------
    labels, events : int
    matched : int
        Pairs: true positives.
    labels_found, events_right : int
        Labels that agree with any event, and events that agree with any label, shared ones included.
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
        """Events without a label of their own."""
        return self.events - self.matched

    @property
    def missed(self) -> int:
        """Labels without an event of their own."""
        return self.labels - self.matched

    @property
    def precision(self) -> Fraction | None:
        """Matched events among events; None when there is no event."""
        return Fraction(self.matched, self.events) if self.events else None

    @property
    def recall(self) -> Fraction | None:
        """Matched labels among labels; None when there is no label."""
        return Fraction(self.matched, self.labels) if self.labels else None

    @property
    def f1(self) -> Fraction | None:
        """Harmonic mean of the two, ``2 matched / (events + labels)``; None when there is neither."""
        total = self.events + self.labels
        return Fraction(2 * self.matched, total) if total else None

    @classmethod
    def of(cls, events: Sequence[Interval], labels: Sequence[Interval], rule: Rule) -> Counts:
        """Count one recording; both in order of their start, on one clock."""
        agreements = rule.agreements(events, labels)
        matched = maximum_matching(agreements, len(labels))
        return cls(
            labels=len(labels),
            events=len(events),
            matched=sum(label is not None for label in matched),
            labels_found=len({label for options in agreements for label in options}),
            events_right=sum(bool(options) for options in agreements),
        )
