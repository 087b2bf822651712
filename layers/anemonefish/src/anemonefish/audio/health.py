"""Signal health: what the samples of a recording say about the recorder, and the notes that follow from it.

Owns :class:`Observed`: constant stretches, samples at full scale, an offset, a dead channel, channels that cancel each
other. :mod:`anemonefish.audio.signal_meter` measures them while the samples are scored. The unit is a window's *step*:
the samples between the starts of two windows. All values are counts, extremes or sums of integers, so the ranges of a
recording add up to the same values however the recording was divided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from anemonefish.notes import Note
from anemonefish.windows import WindowGrid

__all__ = ["COUNTS", "SPREAD_UNIT", "SUM_UNIT", "Observed", "merge_intervals"]

SUM_UNIT = 1 << 31
"""Samples are added in units of 2**-31 of full scale, the last bit of a 32-bit sample: exact for integer formats."""

SPREAD_UNIT = 1 << 15
"""Peak-to-peak amplitudes are added in units of 2**-15 of full scale."""

_DEAD_PART = 4
"""A channel is reported that is dead in a quarter of the recording or more."""

_MOST_STRETCHES = 8
"""Damaged stretches with a note of their own; the others share one."""

_FEWEST_CLIPPED = 4
"""Samples at full scale that make a note: a recording that was scaled to its peak has one or two."""

_OFFSET_OF_SPREAD = 0.02
"""Offset, relative to the mean peak-to-peak amplitude of a step, that makes a note. Noise spans about eight standard
deviations a step, so this is a sixth of one: with a window of 1,024 samples, bin 0 of a spectrum is then louder than
any bin of the noise."""

_LEAST_OFFSET = 2.0**-13
"""Smaller offsets are noise of the analogue-to-digital converter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was measured of the samples of some windows; the values of several ranges can be added.

    Attributes
    ----------
    missing : tuple of (int, int)
        Stretches of the recording's samples that could not be decoded.
    steps : int
        Steps whose extremes were measured.
    constant : tuple of (int, int)
        Runs of steps, by the index of their windows, in which every sample has the same value.
    full_scale_steps, full_scale_samples : int
        Steps that reach full scale, and how many of their samples do.
    spread : int
        Sum of the peak-to-peak amplitudes of all steps, in 2**-15 of full scale.
    sampled : int
        Samples per channel that were added to ``sums``.
    sums : tuple of int
        Sum of each channel over these samples, in 2**-31 of full scale.
    sampled_steps : int
        Steps in which each channel was measured.
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
        """Add the values of the ranges of one recording, in their order."""
        parts = list(parts)
        return cls(
            missing=merge_intervals(stretch for part in parts for stretch in part.missing),
            constant=merge_intervals(run for part in parts for run in part.constant),
            sums=_added(part.sums for part in parts),
            dead=_added(part.dead for part in parts),
            **{name: sum(getattr(part, name) for part in parts) for name in COUNTS},
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
        """Return the notes that a user should read.

        Parameters
        ----------
        grid : WindowGrid
            The recording's windows, in samples of ``analysis_rate``.
        analysis_rate, sample_rate : int
            The rate that was analysed, and the recording's own, in Hz.
        channel : int or None
            The one channel that was analysed; None for the mean of all.
        known : sequence of (int, int)
            Stretches of the recording's samples that are known to be silence and need no note.
        """
        known = [*known, *self.missing]
        notes = [
            *_missing_notes(self.missing, sample_rate),
            *self._constant_notes(grid, analysis_rate, sample_rate, known),
        ]
        if self.full_scale_samples >= _FEWEST_CLIPPED:
            notes.append(self._clipping_note())
        if self.sampled and self.spread:
            notes.extend(self._offset_notes(channel))
        if channel is None and len(self.dead) > 1:
            notes.extend(self._channel_notes())
        return tuple(notes)

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

    def _clipping_note(self) -> Note:
        measured = self.sampled_steps or self.steps  # several channels are measured in the sampled steps only
        return Note(
            "clipping",
            f"{self.full_scale_samples} samples lie at full scale, in {self.full_scale_steps} of {measured} windows' "
            f"steps: louder sound was cut off, and the harmonics of the cut are not in the water",
            {"samples": self.full_scale_samples, "steps": self.full_scale_steps, "of": measured},
        )

    def _offset_notes(self, channel: int | None) -> Iterable[Note]:
        spread = self.spread / self.steps / SPREAD_UNIT
        least = max(_LEAST_OFFSET, _OFFSET_OF_SPREAD * spread)
        if abs(sum(self.sums)) / len(self.sums) / self.sampled / SUM_UNIT < least:
            return  # the offsets cancel in the mean, which is what is scored
        for number, total in enumerate(self.sums, start=1):
            offset = total / self.sampled / SUM_UNIT
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

    def _channel_notes(self) -> Iterable[Note]:
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


COUNTS = ("steps", "full_scale_steps", "full_scale_samples", "spread", "sampled", "sampled_steps", "cancelled")


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
        samples = sum(last - first for first, last in more)
        yield Note(
            "damaged",
            f"{len(more)} more stretches between {start / sample_rate:.6f} and {stop / sample_rate:.6f} s, "
            f"{samples / sample_rate:.6f} s together, cannot be decoded either and were analysed as silence",
            {
                "start_sample": start,
                "stop_sample": stop,
                "sample_rate": sample_rate,
                "stretches": len(more),
                "samples": samples,
            },
        )


def merge_intervals(intervals: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return the union of half-open intervals in order, with those that touch joined.

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
