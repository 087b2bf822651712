"""Notes on stretches of a recording that are missing or damaged, and on lengths that differ from the header's.

Owns :class:`Stretches`, which collects stretches of one kind into a bounded number of notes, and the notes on the end
of a recording.
"""

from __future__ import annotations

from fractions import Fraction

from anemonefish.errors import UnsupportedRecording
from anemonefish.notes import Note

__all__ = [
    "DAMAGED",
    "Stretches",
    "ends_early_note",
    "format_change",
    "format_seconds",
    "length_note",
    "promise_note",
    "stretch_numbers",
]

DAMAGED = "{length} from {start} on cannot be decoded; silence stands for it"

_MOST_NOTES = 20
"""Notes of one code: a stream that pauses in silence has thousands of holes."""


class Stretches:
    """Stretches of one kind, collected into a bounded number of notes.

    Parameters
    ----------
    code : str
        Code of the notes.
    message : str
        Text of a note, with ``{start}``, ``{stop}`` and ``{length}``, which are replaced by times in seconds.
    """

    def __init__(self, code: str, message: str) -> None:
        self._code = code
        self.message = message
        self._first: list[tuple[int, int]] = []
        self._more: list[int] = []  # number of stretches, samples, first sample, last sample
        self.samples = 0

    def add(self, start: int, stop: int) -> None:
        """Add the samples ``[start, stop)``; stretches must come in order."""
        self.samples += stop - start
        if self._first and not self._more and self._first[-1][1] == start:
            self._first[-1] = self._first[-1][0], stop
        elif len(self._first) < _MOST_NOTES - 1:
            self._first.append((start, stop))
        elif self._more:
            self._more = [self._more[0] + 1, self._more[1] + stop - start, self._more[2], stop]
        else:
            self._more = [1, stop - start, start, stop]

    def notes(self, rate: int) -> list[Note]:
        """Return a note for each stretch; those beyond the limit share the last note."""
        notes = [self._note(start, stop, rate) for start, stop in self._first]
        if self._more:
            number, samples, start, stop = self._more
            message = (
                f"{number} more such stretches, {format_seconds(samples, rate)} together, "
                f"between {format_seconds(start, rate)} and {format_seconds(stop, rate)}"
            )
            numbers = {**stretch_numbers(start, stop, rate), "stretches": number, "samples": samples}
            notes.append(Note(self._code, message, numbers))
        return notes

    def _note(self, start: int, stop: int, rate: int) -> Note:
        message = self.message.format(
            start=format_seconds(start, rate),
            stop=format_seconds(stop, rate),
            length=format_seconds(stop - start, rate),
        )
        return Note(self._code, message, stretch_numbers(start, stop, rate))


def format_seconds(samples: int, rate: int) -> str:
    """Return a time as text: seconds with three decimals.

    Examples
    --------
    >>> format_seconds(24_000, 48_000)
    '0.500 s'
    """
    return f"{samples / max(1, rate):.3f} s"


def stretch_numbers(start: int, stop: int, rate: int) -> dict[str, int | float | str]:
    """Return the numbers of a note on the samples ``[start, stop)``."""
    return {"start_sample": start, "stop_sample": stop, "sample_rate": rate}


def promise_note(promised: tuple[Fraction, Fraction] | None, frames: int, rate: int, rounded: Fraction) -> Note | None:
    """Return the note on a header that states another length than that of the samples.

    Parameters
    ----------
    promised : (Fraction, Fraction) or None
        Shortest and longest length, in seconds, that the header may mean; None where it states none.
    frames : int
        Samples per channel that are there.
    rate : int
        Samples per second.
    rounded : Fraction
        Seconds by which the header's length may be rounded.
    """
    if promised is None:
        return None
    shortest, longest = promised
    if frames < (shortest - rounded) * rate:
        return ends_early_note(round(shortest * rate), frames, rate)
    if frames > (longest + rounded) * rate:
        return length_note(round(longest * rate), frames, rate)
    return None


def ends_early_note(promised: int, frames: int, rate: int) -> Note:
    """Return the note on a file that has fewer samples than its header promises."""
    return Note(
        "ends-early",
        f"the header promises {format_seconds(promised, rate)}, but the file ends after "
        f"{format_seconds(frames, rate)}: {format_seconds(promised - frames, rate)} are missing",
        stretch_numbers(frames, promised, rate),
    )


def length_note(promised: int, frames: int, rate: int) -> Note:
    """Return the note on a header whose number of samples is wrong."""
    return Note(
        "header-length",
        f"the header says {format_seconds(promised, rate)}, the file holds {format_seconds(frames, rate)}; "
        f"all of it was read",
        {"header_samples": promised, "samples": frames, "sample_rate": rate},
    )


def format_change(
    name: str, before: tuple[int, int], after: tuple[int, int], seconds: Fraction
) -> UnsupportedRecording:
    """Return the error for a recording whose sample rate or number of channels changes.

    Parameters
    ----------
    name : str
        Name of the recording in the error message.
    before, after : (int, int)
        Sample rate and number of channels.
    seconds : Fraction
        Time of the change.
    """
    at = f"after {float(seconds):.1f} s"
    if before[0] != after[0]:
        return UnsupportedRecording(
            f"{name}: the sample rate changes from {before[0]} to {after[0]} Hz {at}; split the file there"
        )
    return UnsupportedRecording(f"{name}: the number of channels changes {at}; split the file there")
