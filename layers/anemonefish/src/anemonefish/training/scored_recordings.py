"""Score whole recordings with a network, and turn the scores into events that are compared with labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.evaluation.by_recording import BOUT_SECONDS
from anemonefish.evaluation.matching import Counts, Interval, MatchingRule, merge_intervals
from anemonefish.models.decision import Decision
from anemonefish.models.keras import traced
from anemonefish.results.events import Event, find_events, smooth
from anemonefish.training.audio_cache import CachedAudio
from anemonefish.training.labelled_recordings import LabelledRecording
from anemonefish.training.network_input import NetworkInput
from anemonefish.windows import WindowGrid, WindowRange

__all__ = ["ScoredRecording", "score_recording", "scorer"]

_BLOCK_WINDOWS = 128
_MICROSECONDS = 1_000_000
_RULE = MatchingRule()

Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class ScoredRecording:
    """The scores of a recording.

    Attributes
    ----------
    recording : LabelledRecording
    audio : CachedAudio
    grid : WindowGrid
    scores : ndarray, shape (n_windows, n_classes), float32
    only_labelled : bool
        Whether nobody listened between the labels, so that events there cannot be judged.
    """

    recording: LabelledRecording
    audio: CachedAudio
    grid: WindowGrid
    scores: NDArray[np.float32]
    only_labelled: bool

    def events(self, column: int, decision: Decision, smoothed: NDArray[np.float32] | None = None) -> list[Event]:
        """Return the events of a class; those that cannot be judged are left out."""
        if smoothed is None:
            smoothed = smooth(self.scores, decision.median_windows)
        events = find_events(smoothed[:, column], self.grid, self.audio.sample_rate, str(column), decision)
        if not self.only_labelled:
            return list(events)
        spans = [(label.start, label.stop) for label in self.recording.labels]
        return [event for event in events if any(_touches(self._ticks_of(event), self._ticks(*span)) for span in spans)]

    def labels(self, column: int) -> list[Interval]:
        """Return the labels of a class in ticks of 1 / (sample rate * 1,000,000) seconds, in order of their start."""
        own = (label for label in self.recording.labels if label.meaning == column)
        return sorted(self._ticks(label.start, label.stop) for label in own)

    def counts(self, column: int, events: Sequence[Event], *, bouts: bool = False) -> Counts:
        """Compare events with labels by the rule of ``anemonefish evaluate``: each call by itself, or bouts."""
        labels = self.labels(column)
        if bouts:
            labels = merge_intervals(labels, BOUT_SECONDS * self.audio.sample_rate * _MICROSECONDS)
        return Counts.of([self._ticks_of(event) for event in events], labels, _RULE)

    def is_right(self, column: int, event: Event) -> bool:
        """Say whether an event agrees with any label of its class."""
        return any(_RULE.agree(self._ticks_of(event), label) for label in self.labels(column))

    def found(self, events: Sequence[Event], label: Interval) -> bool:
        """Say whether any event agrees with a label."""
        return any(_RULE.agree(self._ticks_of(event), label) for event in events)

    def _ticks(self, start: int, stop: int) -> Interval:
        return start * self.audio.sample_rate, stop * self.audio.sample_rate

    def _ticks_of(self, event: Event) -> Interval:
        return event.start * _MICROSECONDS, event.stop * _MICROSECONDS


def _touches(one: Interval, other: Interval) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def scorer(network: Any, shape: tuple[int, ...]) -> Score:
    """Return a network as a function of batches of spectrograms."""
    return traced(network, (None, *shape), "network")


def score_recording(
    score: Score, recording: LabelledRecording, audio: CachedAudio, heard: NetworkInput, *, only_labelled: bool
) -> ScoredRecording:
    """Score every window of a recording; the memory of a block of windows is used."""
    grid = heard.profile.grid(audio.n_samples, audio.sample_rate)
    parts = []
    for block in WindowRange(0, grid.n_windows).blocks(_BLOCK_WINDOWS):
        samples = audio.read(*grid.samples_of(block)).astype(np.float64)
        windows = sliding_window_view(samples, grid.window)[:: grid.hop]
        parts.append(score(heard.profile.spectrograms(windows, audio.sample_rate)))
    return ScoredRecording(recording, audio, grid, np.concatenate(parts), only_labelled and bool(recording.label_file))
