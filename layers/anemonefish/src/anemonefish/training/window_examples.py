"""The windows that a network learns from: all of them with their targets, and those of each epoch.

An epoch has the windows with a class, the rarer classes as often as the others, and windows without. Half of the latter
are *hard negatives*, once they are known: windows without a class that the network scored highest, and labels of other
sounds. Every window is shifted by up to half a hop and judged again at its new place. All of it is drawn from the seed,
the epoch and the batch, so a training that was interrupted continues with the same windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anemonefish.training.audio_cache import CachedAudio
from anemonefish.training.augmentation import Augmentation, mixed_targets
from anemonefish.training.labelled_recordings import LabelledRecording
from anemonefish.training.network_input import NetworkInput
from anemonefish.training.training_options import TrainingOptions
from anemonefish.training.window_rule import window_targets

__all__ = ["Batch", "Epoch", "FixedWindows", "WindowPool"]

_POSITIVE_SHARE = 0.4
_HARD_SHARE = 0.5
_HARD_POOL = 0.1
_SCORED_NEGATIVES = 20_000
_ALWAYS_HARD = 0.5

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Spectrograms and targets."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The windows of an epoch, in the order in which they are learned from.

    Attributes
    ----------
    recording : ndarray, shape (n,), int32
        Index of the recording.
    start : ndarray, shape (n,), int64
        First sample.
    targets : ndarray, shape (n, classes), int8
    """

    recording: NDArray[np.int32]
    start: NDArray[np.int64]
    targets: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class FixedWindows:
    """Windows that are the same in every epoch.

    Attributes
    ----------
    spectrograms : ndarray, shape (n, time, frequency, 1), float16
        Half precision takes half the memory and is exact to 0.04 dB of the 80 dB range of a spectrogram.
    targets : ndarray, shape (n, classes), int8
    counts : ndarray, shape (n,), float32
        For how many windows of the recordings each stands.
    """

    spectrograms: NDArray[np.float16]
    targets: NDArray[np.int8]
    counts: NDArray[np.float32]


@dataclass(slots=True)
class WindowPool:
    """All windows of some recordings on their grid.

    Attributes
    ----------
    recordings : sequence of LabelledRecording
    audio : sequence of CachedAudio
    input : NetworkInput
    options : TrainingOptions
    classes : int
    augmentation : Augmentation
    hard : ndarray of int, or None
        Windows without a class that were scored highest; see :meth:`find_hard`.
    """

    recordings: Sequence[LabelledRecording]
    audio: Sequence[CachedAudio]
    input: NetworkInput
    options: TrainingOptions
    classes: int
    augmentation: Augmentation = field(default_factory=Augmentation)
    hard: NDArray[np.int64] | None = None
    _recording: NDArray[np.int32] = field(init=False, repr=False)
    _start: NDArray[np.int64] = field(init=False, repr=False)
    targets: NDArray[np.int8] = field(init=False, repr=False)
    positive: NDArray[np.int64] = field(init=False, repr=False)
    negative: NDArray[np.int64] = field(init=False, repr=False)
    _plain: NDArray[np.int64] = field(init=False, repr=False)
    _other: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        grids = [self.input.profile.grid(audio.n_samples, audio.sample_rate) for audio in self.audio]
        self._recording = np.repeat(np.arange(len(grids), dtype=np.int32), [grid.n_windows for grid in grids])
        starts = [np.arange(grid.n_windows, dtype=np.int64) * grid.hop for grid in grids]
        judged = [self._judge(number, own) for number, own in enumerate(starts)]
        self._start = np.concatenate(starts)
        self.targets = np.concatenate([targets for targets, _ in judged])
        labelled = np.concatenate([own for _, own in judged])
        holds, lacks = (self.targets == 1).any(axis=1), (self.targets == 0).any(axis=1)
        empty = (self.targets == 0).all(axis=1)
        self.positive = np.flatnonzero(holds)
        self.negative = np.flatnonzero(~holds & lacks)
        self._plain = np.flatnonzero(empty & ~labelled)
        self._other = np.flatnonzero(empty & labelled)

    @property
    def window(self) -> int:
        """Length of a window, in samples."""
        return self.input.profile.grid(0, self.input.sample_rate).window

    @property
    def hop(self) -> int:
        """Distance between the starts of two windows, in samples."""
        return self.input.profile.grid(0, self.input.sample_rate).hop

    def counts(self) -> list[int]:
        """Return how many windows hold each class."""
        return [int(count) for count in (self.targets == 1).sum(axis=0)]

    def epoch(self, number: int) -> Epoch:
        """Draw the windows of an epoch."""
        rng = np.random.default_rng((self.options.seed, 1, number))
        least, most = self.options.epoch_windows
        n_positive = int(np.clip(len(self.positive), least * _POSITIVE_SHARE, most * _POSITIVE_SHARE))
        positive = rng.choice(self.positive, n_positive, p=self._balance(), replace=len(self.positive) < n_positive)
        n_negative = round(n_positive * (1 - _POSITIVE_SHARE) / _POSITIVE_SHARE) if len(self.negative) else 0
        chosen = rng.permutation(np.concatenate((positive, self._negatives(n_negative, rng))))
        return self._shifted(chosen, rng)

    def batches(self, number: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, varied."""
        epoch = self.epoch(number)
        for index, first in enumerate(range(0, len(epoch.start), self.options.batch)):
            rows = slice(first, first + self.options.batch)
            part = Epoch(epoch.recording[rows], epoch.start[rows], epoch.targets[rows])
            yield self._varied(part, np.random.default_rng((self.options.seed, 2, number, index)))

    def fixed(self, most: int) -> FixedWindows:
        """Return at most so many windows, the same in every run, as they are.

        All windows with a class are taken before any without, and each of the latter then stands for several.
        """
        rng = np.random.default_rng((self.options.seed, 3))
        positive, negative = self.positive, self.negative
        if len(positive) > most // 2:
            positive = rng.choice(positive, most // 2, replace=False)
        if len(negative) > most - len(positive):
            negative = rng.choice(negative, most - len(positive), replace=False)
        chosen = np.sort(np.concatenate((positive, negative)))
        spectrograms = np.empty((len(chosen), *self.input.shape), np.float16)
        for first in range(0, len(chosen), self.options.batch):
            rows = chosen[first : first + self.options.batch]
            windows = self._cut(self._recording[rows], self._start[rows])
            spectrograms[first : first + len(rows)] = self.input.profile.spectrograms(windows, self.input.sample_rate)
        targets = self.targets[chosen]
        holds = (targets == 1).any(axis=1)
        stand_for = len(self.positive) / max(1, len(positive)), len(self.negative) / max(1, len(negative))
        return FixedWindows(spectrograms, targets, np.where(holds, *stand_for).astype(np.float32))

    def find_hard(self, score: Callable[[NDArray[np.float32]], NDArray[np.float32]], number: int) -> None:
        """Score windows without a class, and remember those with the highest scores.

        Parameters
        ----------
        score : callable
            Scores of spectrograms.
        number : int
            Of the epoch, from which the windows are drawn where there are too many.
        """
        rng = np.random.default_rng((self.options.seed, 4, number))
        candidates = self.negative
        if len(candidates) > _SCORED_NEGATIVES:
            candidates = np.sort(rng.choice(candidates, _SCORED_NEGATIVES, replace=False))
        worst = np.zeros(len(candidates), np.float32)
        for first in range(0, len(candidates), self.options.batch):
            rows = candidates[first : first + self.options.batch]
            windows = self._cut(self._recording[rows], self._start[rows])
            scores = score(self.input.profile.spectrograms(windows, self.input.sample_rate))
            scores[self.targets[rows] != 0] = 0
            worst[first : first + len(rows)] = scores.max(axis=1)
        kept = max(1, round(_HARD_POOL * len(candidates)))
        self.hard = candidates[np.argsort(-worst, kind="stable")[:kept]]

    def _judge(self, number: int, starts: NDArray[np.int64]) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        recording = self.recordings[number]
        return window_targets(
            starts,
            self.window,
            self.input.sample_rate,
            recording.labels,
            self.classes,
            overlap=self.options.overlap,
            # A recording without a label file is used only where it is known to hold nothing.
            ignore_unlabelled=self.options.stretches == "ignore" and bool(recording.label_file),
        )

    def _balance(self) -> NDArray[np.float64]:
        """Return the chance of each window with a class: the rarer its rarest class, the higher."""
        holds = self.targets[self.positive] == 1
        weights: NDArray[np.float64] = (holds / np.maximum(holds.sum(axis=0), 1)).max(axis=1)
        weights /= weights.sum()
        return weights

    def _negatives(self, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
        n_hard = round(_HARD_SHARE * wanted)
        parts = []
        if self.hard is not None and len(self._other):
            n_other = min(round(_ALWAYS_HARD * n_hard), 4 * len(self._other))
            parts = [rng.choice(self.hard, n_hard - n_other), rng.choice(self._other, n_other)]
        elif self.hard is not None:
            parts = [rng.choice(self.hard, n_hard)]
        elif len(self._other):
            parts = [rng.choice(self._other, min(n_hard, 4 * len(self._other)))]
        rest = wanted - sum(map(len, parts))
        return np.concatenate((*parts, rng.choice(self.negative, rest, replace=len(self.negative) < rest)))

    def _shifted(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> Epoch:
        """Shift windows by up to half a hop, and judge them where they are then."""
        recording, start = self._recording[chosen], self._start[chosen].copy()
        lengths = np.array([audio.n_samples for audio in self.audio])
        start += rng.integers(-(self.hop // 2), self.hop // 2 + 1, len(start))
        start = np.clip(start, 0, lengths[recording] - self.window)
        targets = np.empty((len(start), self.classes), np.int8)
        for number in np.unique(recording).tolist():
            rows = np.flatnonzero(recording == number)
            rows = rows[np.argsort(start[rows], kind="stable")]
            targets[rows] = self._judge(number, start[rows])[0]
        return Epoch(recording, start, targets)

    def _cut(self, recording: NDArray[np.int32], start: NDArray[np.int64]) -> NDArray[np.float64]:
        """Read windows; those of one recording together."""
        windows = np.empty((len(start), self.window))
        for number in np.unique(recording).tolist():
            rows = np.flatnonzero(recording == number)
            windows[rows] = self.audio[number].windows(start[rows].tolist(), self.window)
        return windows

    def _varied(self, part: Epoch, rng: np.random.Generator) -> Batch:
        windows, targets = self._cut(part.recording, part.start), part.targets
        n = len(windows)
        noises = others = None
        if len(self._plain):
            rows = rng.choice(self._plain, n)
            noises = self._cut(self._recording[rows], self._start[rows])
        if self.classes > 1 and len(self.positive):
            others = np.zeros_like(windows)
            mixed = np.flatnonzero(rng.random(n) < self.augmentation.overlap_chance)
            rows = rng.choice(self.positive, len(mixed))
            others[mixed] = self._cut(self._recording[rows], self._start[rows])
            targets = targets.copy()
            targets[mixed] = mixed_targets(targets[mixed], self.targets[rows])
        varied = self.augmentation.apply(windows, noises, others, rng)
        return self.input.profile.spectrograms(varied, self.input.sample_rate), targets.astype(np.float32)
