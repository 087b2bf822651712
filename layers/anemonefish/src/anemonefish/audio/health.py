"""Signal health: what the samples themselves say about a recorder, measured while they are scored.

Owns a meter that looks at samples on their way to the model, and the notes that come of what it saw: constant
stretches, full scale, an offset, a channel that is dead, channels that cancel. The unit is a window's *step*, the
samples between the starts of two windows. Everything that is kept is a count, an extreme or a sum of integers, so that
the ranges of a recording add up to the same figures however it was cut.

The extremes of the signal that is scored are taken in every step; the sums, and each channel by itself, in every
eighth, because they cost more than the rest: together about one per cent of scoring.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anemonefish.notes import Note
from anemonefish.windows import WindowGrid, WindowRange

__all__ = ["Observed", "SignalMeter", "merge_intervals"]

_SAMPLED = 8
"""Every so manieth step has its sums and its channels taken."""

_UNIT = 1 << 31
"""Sums count in units of 2**-31 of full scale, the last bit of a 32-bit sample: exact for every integer format."""

_FLOAT_UNIT = 1 << 20
"""Float formats are rounded to this part of full scale before they are summed, or the order would show."""

_SPREAD_UNIT = 1 << 15
"""Peak-to-peak amplitudes add up in this part of full scale."""

_FULL_SCALE = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 16, "PCM_32": 16}
"""Bits of the codecs whose largest and smallest sample are a fact; of lossy ones, those of their transcoded pieces.
Wider formats count as 16 bits: they often hold samples of fewer bits, whose largest one is not their own."""

_DEAD_PART = 4
"""A channel is noted that is dead in this part of the recording or more."""

_MOST_STRETCHES = 8
"""Damaged stretches that have a note each; the others share one."""

_FEWEST_CLIPPED = 4
"""Samples at full scale from which on a note is made: a recording scaled to its peak has one or two."""

_OFFSET_OF_SPREAD = 0.02
"""Offset over the mean peak-to-peak amplitude of a step from which on it is noted. Noise spans about eight standard
deviations a step, so this is a sixth of one: with a window of 1,024 samples, bin 0 of a spectrum is then louder than
any bin of the noise."""

_LEAST_OFFSET = 2.0**-13
"""Smaller offsets are noise of the converter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was seen of the samples of some windows; those of neighbours add up.

    Attributes
    ----------
    missing : tuple of (int, int)
        Stretches of the recording's samples that could not be decoded.
    steps : int
        Steps whose extremes were taken.
    constant : tuple of (int, int)
        Runs of steps, by the index of their windows, in which every sample has the same value.
    full_scale_steps, full_scale_samples : int
        Steps that reach full scale, and how many of their samples do.
    spread : int
        Sum of the peak-to-peak amplitudes of all steps, in 2**-15 of full scale.
    sampled : int
        Samples per channel that were summed.
    sums : tuple of int
        Sum of each channel over these, in 2**-31 of full scale.
    sampled_steps : int
    dead : tuple of int
        For each channel, the sampled steps in which it is constant and another one is not.
    cancelled : int
        Sampled steps in which the mean of the channels is far quieter than each of them.
    """

    missing: tuple[tuple[int, int], ...] = ()
    steps: int = 0
    constant: tuple[tuple[int, int], ...] = ()
    full_scale_steps: int = 0
    full_scale_samples: int = 0
    spread: int = 0
    sampled: int = 0
    sums: tuple[int, ...] = ()
    sampled_steps: int = 0
    dead: tuple[int, ...] = ()
    cancelled: int = 0

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Self:
        """Read what :func:`dataclasses.asdict` wrote."""
        pairs = {name: tuple((first, stop) for first, stop in document[name]) for name in ("missing", "constant")}
        return cls(**{**document, **pairs, "sums": tuple(document["sums"]), "dead": tuple(document["dead"])})

    @classmethod
    def of_all(cls, parts: Iterable[Observed]) -> Self:
        """Add up what was seen of the ranges of one recording, in their order."""
        parts = list(parts)
        return cls(
            missing=merge_intervals(each for part in parts for each in part.missing),
            constant=merge_intervals(each for part in parts for each in part.constant),
            sums=_added(part.sums for part in parts),
            dead=_added(part.dead for part in parts),
            **{name: sum(getattr(part, name) for part in parts) for name in _COUNTS},
        )

    def to_dict(self) -> dict[str, Any]:
        """Return names and values that are ready for JSON."""
        return asdict(self)

    def notes(
        self,
        grid: WindowGrid,
        analysis_rate: int,
        sample_rate: int,
        channel: int | None,
        known: Sequence[tuple[int, int]] = (),
    ) -> tuple[Note, ...]:
        """Return what a user should know.

        Parameters
        ----------
        grid : WindowGrid
            The recording's windows, in samples of ``analysis_rate``.
        analysis_rate, sample_rate : int
            The rate that was analysed, and the recording's own, in Hz.
        channel : int or None
            The one channel that was listened to.
        known : sequence of (int, int)
            Stretches of the recording's samples that are known to be silence, and are no news.
        """
        known = [*known, *self.missing]
        made = [
            *_missing_notes(self.missing, sample_rate),
            *self._constant_notes(grid, analysis_rate, sample_rate, known),
        ]
        if self.full_scale_samples >= _FEWEST_CLIPPED:
            made.append(self._clipping())
        if self.sampled and self.spread:
            made.extend(self._offsets(channel))
        if channel is None and len(self.dead) > 1:
            made.extend(self._channels())
        return tuple(made)

    def _constant_notes(
        self, grid: WindowGrid, analysis_rate: int, sample_rate: int, known: Sequence[tuple[int, int]]
    ) -> list[Note]:
        hop = grid.hop * sample_rate
        runs, count = [], 0
        for first, stop in self.constant:
            run = first * hop // analysis_rate, stop * hop // analysis_rate
            if not any(low <= run[0] and run[1] <= high for low, high in known):
                runs.append(run)
                count += stop - first
        if not runs:
            return []
        longest = max(runs, key=lambda run: run[1] - run[0])
        if count == self.steps:
            words = "the signal that was analysed has one constant value throughout: the model heard nothing"
        else:
            words = (
                f"{len(runs)} stretches hold one constant value, {count} of {self.steps} windows' steps; the longest "
                f"is {longest[0] / sample_rate:.3f} to {longest[1] / sample_rate:.3f} s"
            )
        numbers: dict[str, int | float | str] = {
            "stretches": len(runs), "steps": count, "of": self.steps,
            "start_sample": longest[0], "stop_sample": longest[1], "sample_rate": sample_rate,
        }  # fmt: skip
        return [Note("silence", words, numbers)]

    def _clipping(self) -> Note:
        looked_at = self.sampled_steps or self.steps  # several channels are looked at in the sampled steps only
        return Note(
            "clipping",
            f"{self.full_scale_samples} samples lie at full scale, in {self.full_scale_steps} of {looked_at} windows' "
            f"steps: louder sound was cut off, and the harmonics of the cut are not in the water",
            {"samples": self.full_scale_samples, "steps": self.full_scale_steps, "of": looked_at},
        )

    def _offsets(self, channel: int | None) -> Iterable[Note]:
        spread = self.spread / self.steps / _SPREAD_UNIT
        least = max(_LEAST_OFFSET, _OFFSET_OF_SPREAD * spread)
        if abs(sum(self.sums)) / len(self.sums) / self.sampled / _UNIT < least:
            return  # offsets that cancel in the mean, which is what is scored
        for number, total in enumerate(self.sums, start=1):
            offset = total / self.sampled / _UNIT
            if abs(offset) < least:
                continue
            which = channel or number
            where = f"channel {which}: " if len(self.sums) > 1 or channel is not None else ""
            yield Note(
                "dc-offset",
                f"{where}the samples are centred on {offset:.5f} of full scale, not on 0; a spectrogram relative to "
                f"its loudest bin may lose faint calls: take the offset out (a high-pass filter at 20 Hz) and compare",
                {"channel": which, "offset": round(offset, 7), "mean_peak_to_peak": round(spread, 7)},
            )

    def _channels(self) -> Iterable[Note]:
        best = self.dead.index(min(self.dead)) + 1
        for number, count in enumerate(self.dead, start=1):
            if count and count * _DEAD_PART >= self.sampled_steps:
                yield Note(
                    "dead-channel",
                    f"channel {number} of {len(self.dead)} holds one constant value in {count} of {self.sampled_steps} "
                    f"windows looked at, while others do not; the mean is quieter for it: choose another channel "
                    f"(--set channel={best})",
                    {"channel": number, "channels": len(self.dead), "steps": count, "of": self.sampled_steps},
                )
        if self.cancelled and 2 * self.cancelled >= self.sampled_steps:
            yield Note(
                "channels-cancel",
                f"the mean of the {len(self.dead)} channels is far quieter than each of them in {self.cancelled} of "
                f"{self.sampled_steps} windows looked at: one has its phase turned; choose one (--set channel=1)",
                {"steps": self.cancelled, "of": self.sampled_steps, "channels": len(self.dead)},
            )


_COUNTS = ("steps", "full_scale_steps", "full_scale_samples", "spread", "sampled", "sampled_steps", "cancelled")


def _missing_notes(missing: Sequence[tuple[int, int]], sample_rate: int) -> Iterable[Note]:
    for start, stop in missing[:_MOST_STRETCHES]:
        yield Note(
            "damaged",
            f"{start / sample_rate:.6f} to {stop / sample_rate:.6f} s cannot be decoded and was analysed as silence; "
            f"copy the file again from the recorder if it is whole there",
            {"start_sample": start, "stop_sample": stop, "sample_rate": sample_rate},
        )
    if more := missing[_MOST_STRETCHES:]:
        start, stop = more[0][0], more[-1][1]
        seconds = sum(last - first for first, last in more) / sample_rate
        yield Note(
            "damaged",
            f"{len(more)} more stretches between {start / sample_rate:.6f} and {stop / sample_rate:.6f} s, "
            f"{seconds:.6f} s together, cannot be decoded either and were analysed as silence",
            {"start_sample": start, "stop_sample": stop, "sample_rate": sample_rate, "stretches": len(more)},
        )


def merge_intervals(intervals: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the union of half-open intervals, in order, those that touch joined.

    Examples
    --------
    >>> merge_intervals([(5, 7), (0, 2), (2, 3)])
    ((0, 3), (5, 7))
    """
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return tuple(merged)


def _added(rows: Iterable[Sequence[int]]) -> tuple[int, ...]:
    return tuple(sum(column) for column in zip(*(row for row in rows if row), strict=True))


@dataclass(slots=True)
class _Step:
    """What was seen of the step that is being read; extremes of the channels and, last, of their mean."""

    low: float = np.inf
    high: float = -np.inf
    at_full_scale: int = 0
    lows: NDArray[Any] | None = None
    highs: NDArray[Any] | None = None


class SignalMeter:
    """Looks at the samples of one range as they are read.

    Reading may overlap and go back a little; every sample of the range is counted once.

    Parameters
    ----------
    grid : WindowGrid
        The recording's windows.
    windows : WindowRange
        Those of the range.
    analysis_rate : int
        Of the grid, in Hz.
    sample_rate, n_samples : int
        Of the recording itself.
    codec : str
        Says what full scale is.
    """

    def __init__(
        self, grid: WindowGrid, windows: WindowRange, analysis_rate: int, sample_rate: int, n_samples: int, codec: str
    ) -> None:
        self._first = windows.start
        self._per = 1 if grid.hop <= grid.window else 2  # windows with gaps between them: every other stretch is a gap
        edges = [at * sample_rate // analysis_rate for at in _edges(grid, windows)]
        self._edges = [min(edge, n_samples) for edge in edges]
        self._next = self._edges[0]
        self._at = 0
        self._step = _Step()
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._constant: list[tuple[int, int]] = []
        self._missing: list[tuple[int, int]] = []
        self._sums: list[int] = []
        self._dead: list[int] = []
        self._is_float = codec in {"FLOAT", "DOUBLE"}
        bits = _FULL_SCALE.get(codec)
        self._rail = (-np.inf, np.inf) if bits is None else (-1.0, 1.0 - 2.0 ** (1 - bits))

    def observed(self) -> Observed:
        """Return what was seen."""
        return Observed(
            missing=merge_intervals(self._within_windows()),
            constant=merge_intervals(self._constant),
            sums=tuple(self._sums),
            dead=tuple(self._dead),
            **self._counts,
        )

    def _within_windows(self) -> Iterable[tuple[int, int]]:
        """Yield what is missing of the windows: what is read around and between them depends on the cut."""
        windows = [(self._edges[0], self._edges[-1])]
        if self._per == 2:
            windows = list(zip(self._edges[::2], self._edges[1::2], strict=False))
        for start, stop in merge_intervals(self._missing):
            yield from ((max(start, low), min(stop, high)) for low, high in windows if low < stop and start < high)

    def miss(self, start: int, stop: int) -> None:
        """Take note that the samples ``[start, stop)`` could not be decoded."""
        self._missing.append((start, stop))

    def take(self, start: int, frames: NDArray[Any], mono: NDArray[Any]) -> None:
        """Look at samples on their way.

        Parameters
        ----------
        start : int
            Index of the first one in the recording.
        frames : ndarray, shape (n, channels)
            The channels that are listened to.
        mono : ndarray, shape (n,)
            Their mean.
        """
        stop = min(start + len(mono), self._edges[-1])
        if stop <= self._next:
            return
        if start > self._next:  # the gap between two windows
            self._next, self._at, self._step = start, bisect_right(self._edges, start) - 1, _Step()
        last = bisect_right(self._edges, stop) - 1  # steps before this one end here or earlier
        cuts = [self._next - start, *(edge - start for edge in self._edges[self._at + 1 : last + 1] if edge < stop)]
        here = mono[: stop - start]
        lows, highs = np.minimum.reduceat(here, cuts), np.maximum.reduceat(here, cuts)
        lows[0], highs[0] = min(lows[0], self._step.low), max(highs[0], self._step.high)
        if frames.shape[1] == 1 and (lows.min() <= self._rail[0] or highs.max() >= self._rail[1]):
            self._count_full_scale(here, cuts)
        self._sample(frames, start, stop, cuts)
        closed = last - self._at
        self._close(lows[:closed], highs[:closed])
        if closed == len(cuts):
            self._step = _Step()
        else:
            self._step.low, self._step.high = lows[-1], highs[-1]
        self._next, self._at = stop, last

    def _close(self, lows: NDArray[Any], highs: NDArray[Any]) -> None:
        skipped = -self._at % self._per
        lows, highs = lows[skipped :: self._per], highs[skipped :: self._per]
        self._counts["steps"] += len(lows)
        self._counts["spread"] += int(np.rint(np.minimum(highs - lows, 1024.0) * _SPREAD_UNIT).sum())
        constant = lows == highs
        if constant.any():
            first = self._first + (self._at + skipped) // self._per
            self._constant.extend((first + int(at), first + int(at) + 1) for at in np.flatnonzero(constant))

    def _count_full_scale(self, here: NDArray[Any], cuts: list[int]) -> None:
        for number, (first, end) in enumerate(zip(cuts, [*cuts[1:], len(here)], strict=True)):
            if (self._at + number) % self._per:
                continue
            count = int(np.count_nonzero((here[first:end] <= self._rail[0]) | (here[first:end] >= self._rail[1])))
            self._full_scale(count, self._step.at_full_scale if number == 0 else 0)

    def _full_scale(self, count: int, before: int) -> None:
        """Add samples at full scale; a step that had some already is not counted again."""
        self._counts["full_scale_samples"] += count
        self._counts["full_scale_steps"] += bool(count) and not before
        self._step.at_full_scale = count + before

    def _sample(self, frames: NDArray[Any], start: int, stop: int, cuts: list[int]) -> None:
        """Take sums, and each channel's extremes, of the steps whose turn it is."""
        for number, cut in enumerate(cuts):
            index = self._at + number
            if index % self._per or (self._first + index // self._per) % _SAMPLED:
                continue
            end = self._edges[index + 1]
            segment = frames[cut : min(stop, end) - start]
            self._add(segment)
            if frames.shape[1] > 1:
                self._look_at_channels(segment, begins=start + cut == self._edges[index], ends=end <= stop)

    def _add(self, segment: NDArray[Any]) -> None:
        if self._is_float:
            segment = np.rint(np.clip(segment.astype(np.float64), -1024.0, 1024.0) * _FLOAT_UNIT) / _FLOAT_UNIT
        sums = segment.sum(axis=0, dtype=np.float64)
        self._sums = self._sums or [0] * len(sums)
        self._sums = [total + int(added * _UNIT) for total, added in zip(self._sums, sums, strict=True)]
        self._counts["sampled"] += len(segment)

    def _look_at_channels(self, segment: NDArray[Any], *, begins: bool, ends: bool) -> None:
        step = self._step = _Step(self._step.low, self._step.high) if begins else self._step
        lows, highs = segment.min(axis=0), segment.max(axis=0)
        if lows.min() <= self._rail[0] or highs.max() >= self._rail[1]:
            count = int(np.count_nonzero((segment <= self._rail[0]) | (segment >= self._rail[1])))
            self._full_scale(count, step.at_full_scale)
        mean = segment.mean(axis=1)
        lows, highs = np.append(lows, mean.min()), np.append(highs, mean.max())
        if step.lows is not None and step.highs is not None:
            lows, highs = np.minimum(lows, step.lows), np.maximum(highs, step.highs)
        step.lows, step.highs = lows, highs
        if ends:
            self._judge_channels(highs[:-1] - lows[:-1], float(highs[-1] - lows[-1]))

    def _judge_channels(self, spreads: NDArray[Any], of_mean: float) -> None:
        self._counts["sampled_steps"] += 1
        self._dead = self._dead or [0] * len(spreads)
        live = spreads[spreads > 0]
        if 0 < len(live) < len(spreads):
            self._dead = [count + int(spread == 0) for count, spread in zip(self._dead, spreads, strict=True)]
        # Channels that have nothing in common leave 1 / sqrt(n) of each; a quarter of that is no coincidence.
        if len(live) > 1 and of_mean < live.min() / (4.0 * sqrt(len(live))):
            self._counts["cancelled"] += 1


def _edges(grid: WindowGrid, windows: WindowRange) -> list[int]:
    """Return where steps, and gaps between them, begin and end, in samples of the analysis."""
    starts = [index * grid.hop for index in range(windows.start, windows.stop + 1)]
    if not len(windows):
        return starts
    if grid.hop > grid.window:
        return [edge for start in starts[:-1] for edge in (start, start + grid.window)]
    if windows.stop == grid.n_windows:  # the last window's step is all of it
        starts[-1] = starts[-2] + grid.window
    return starts
