"""How good a model is on its test recordings: the figures of ``anemonefish evaluate``, with intervals by recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from anemonefish.evaluation.by_recording import BOUT_SECONDS, Figure, RecordingCounts, Summary
from anemonefish.evaluation.matching import Counts
from anemonefish.training.choose_decision import Decided, ThresholdCounts, counted
from anemonefish.training.scored_recordings import ScoredRecording

__all__ = ["ClassFigures", "figures_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFigures:
    """How well a class is found in the test recordings.

    Attributes
    ----------
    label : str
    threshold : float
    summary : Summary
        Figures per call and per bout, and false events per hour, with intervals.
    curve : tuple of ThresholdCounts
    """

    label: str
    threshold: float
    summary: Summary
    curve: tuple[ThresholdCounts, ...]

    @property
    def calls(self) -> Counts:
        """The counts of all recordings, each call by itself."""
        return sum((each.calls for each in self.summary.recordings.values()), Counts())

    @property
    def bouts(self) -> Counts:
        """The counts of all recordings, with the labels of one bout as one."""
        return sum((each.bouts for each in self.summary.recordings.values()), Counts())

    @property
    def recall(self) -> Figure:
        """Share of the calls that are matched."""
        return self.summary.recall(bouts=False)

    @property
    def precision(self) -> Figure:
        """Share of the events that are matched."""
        return self.summary.precision(bouts=False)

    @property
    def f1(self) -> Figure:
        """Harmonic mean of precision and recall."""
        return self.summary.f1(bouts=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for ``model.json``."""
        calls, bouts = self.calls, self.bouts
        return {
            "threshold": self.threshold,
            "labels": calls.labels,
            "events": calls.events,
            "matched": calls.matched,
            "labels_found": calls.labels_found,
            "bouts": bouts.labels,
            "bouts_matched": bouts.matched,
            **self.summary.to_dict(),
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
    recordings = {}
    for each in scored:
        events = each.events(column, decision)
        counts = (each.counts(column, events, bouts=bouts) for bouts in (False, True))
        seconds = Fraction(each.audio.n_samples, each.audio.sample_rate)
        recordings[each.recording.name] = RecordingCounts(seconds, *counts)
    curve = tuple(counted(scored, column, decision))
    summary = Summary(recordings, BOUT_SECONDS)
    return ClassFigures(label=label, threshold=decision.threshold, summary=summary, curve=curve)
