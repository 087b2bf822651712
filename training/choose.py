"""Choose the settings that turn the scores of a network into events, on validation scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recipes import SAMPLE_RATE, LabelledCall

from anemonefish.evaluation.matching import Counts, MatchingRule
from anemonefish.models.decision import Decision
from anemonefish.results.events import find_events, smooth
from anemonefish.windows import WindowGrid

__all__ = ["CANDIDATES", "LOUD_DB", "Validated", "choose", "figures"]

LOUD_DB = 12.0
"""Calls of at least this level count as lone calls that are to be found."""

MOST_FALSE_PER_HOUR = 6.0

BOUT_GAP_SECONDS = 0.6
"""An event is a bout: calls of one bout lie at most so far apart (:mod:`anemonefish.simulation.calls`)."""

CANDIDATES = tuple(
    Decision(
        threshold=threshold,
        median_windows=median,
        min_duration_seconds=shortest,
        min_gap_seconds=BOUT_GAP_SECONDS,
    )
    for (median, shortest), threshold in product(
        ((3, 0.2), (3, 0.5), (1, 0.2), (1, 0.5), (5, 0.2)),
        (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98),
    )
)


@dataclass(frozen=True, slots=True)
class Validated:
    """The scores of the target class in one validation scene, and its calls."""

    kind: str
    scores: NDArray[np.float32]
    grid: WindowGrid
    calls: tuple[LabelledCall, ...]
    seconds: float

    def counts(self, decision: Decision) -> tuple[Counts, Counts]:
        """Return the counts of all calls, and of the loud ones."""
        smoothed = np.ascontiguousarray(smooth(self.scores[:, np.newaxis], decision.median_windows)[:, 0])
        found = find_events(smoothed, self.grid, SAMPLE_RATE, "anemonefish", decision)
        events = [(event.start, event.stop) for event in found]
        calls = sorted((round(call.start), round(call.stop), call.snr_db) for call in self.calls if call.is_target)
        rule = MatchingRule()
        return (
            Counts.of(events, [(start, stop) for start, stop, _ in calls], rule),
            Counts.of(events, [(start, stop) for start, stop, level in calls if level >= LOUD_DB], rule),
        )


def figures(scenes: Sequence[Validated], decision: Decision) -> dict[str, dict[str, Any]]:
    """Return for each kind of scenes the recall of all and of loud calls, and false events per hour."""
    found: dict[str, dict[str, Any]] = {}
    for kind in dict.fromkeys(scene.kind for scene in scenes):
        own = [scene for scene in scenes if scene.kind == kind]
        pairs = [scene.counts(decision) for scene in own]
        every, loud = (sum((pair[which] for pair in pairs), Counts()) for which in (0, 1))
        hours = sum(scene.seconds for scene in own) / 3600
        found[kind] = {
            "calls": every.labels,
            "recall": None if every.recall is None else float(every.recall),
            "recall_loud": None if loud.recall is None else float(loud.recall),
            "false_per_hour": every.false_positives / hours,
            "hours": hours,
        }
    return found


def choose(scenes: Sequence[Validated]) -> Decision:
    """Return the candidate that finds most loud lone calls with few false events in every kind of scenes.

    Where no candidate has few enough, the one with the fewest is taken, and of equal ones the first.
    """

    def merit(by_kind: Mapping[str, Mapping[str, Any]]) -> tuple[float, float]:
        worst = max(row["false_per_hour"] for row in by_kind.values())
        lone = [row["recall_loud"] or 0.0 for kind, row in by_kind.items() if kind.startswith("lone")]
        return min(0.0, MOST_FALSE_PER_HOUR - worst), sum(lone) / len(lone)

    return max(CANDIDATES, key=lambda decision: merit(figures(scenes, decision)))
