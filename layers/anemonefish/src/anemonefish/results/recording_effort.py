"""The effort of one recording: which of its samples were recorded, read, scored and heard.

The facts are those of the plan and the notes, so a laptop, an account and results that are read again agree. All
intervals are samples of the recording. A note that stands for several stretches says how long they are together but not
where each lies; they are spread evenly over the samples between the first and the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from anemonefish.audio.samples import AudioFacts
from anemonefish.jobs.plan import Analysis, PlannedRecording
from anemonefish.notes import Note
from anemonefish.sample_times import MICROSECONDS
from anemonefish.start_time.clock_hours import microseconds_since_1970

__all__ = ["DOUBTFUL", "UNSET_CLOCK", "RecordingEffort", "Stretch"]

DOUBTFUL = frozenset({"dead-channel", "channels-cancel", "dc-offset", "band-above-nyquist"})
"""Codes of notes under which a model may hear nothing although there is sound; docs/results.md lists them."""

UNSET_CLOCK = "clock-not-set"
"""Code of the note on a clock that was probably never set; such times are not used."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The samples ``[start, stop)`` of a recording, or an evenly spread part of them."""

    start: int
    stop: int
    share: Fraction | int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEffort:
    """What was recorded and what was heard, in samples of one recording.

    Attributes
    ----------
    rate : int
        Samples per second.
    analysis_rate : int
        Samples per second of the analysis.
    begins : int or None
        Microseconds since 1970 in UTC at the first sample; None where that is not known, or the recorder's clock was
        probably never set.
    failed : bool
        Whether the recording was not analysed.
    doubtful : bool
        Whether a note says that the model may have heard little.
    recorded : tuple of Stretch
        Samples of sound; pauses that the time stamps of the file leave out are not.
    readable : tuple of Stretch
        Recorded samples that could be decoded.
    scored : tuple of Stretch
        Readable samples that lie in a window.
    heard : tuple of Stretch
        Scored samples that do not hold one constant value.
    missing : tuple of Stretch
        Samples that the header promises and the file does not have.
    """

    rate: int
    analysis_rate: int
    begins: int | None
    failed: bool
    doubtful: bool
    recorded: tuple[Stretch, ...]
    readable: tuple[Stretch, ...]
    scored: tuple[Stretch, ...]
    heard: tuple[Stretch, ...]
    missing: tuple[Stretch, ...]

    @classmethod
    def of(cls, recording: PlannedRecording) -> RecordingEffort | None:
        """Return the effort of a recording of a finished job; None where its length is not known."""
        analysis = recording.analysis
        if analysis is None:
            return None
        audio, notes = analysis.audio, recording.notes
        pauses, damaged = (tuple(_noted(notes, code, audio.sample_rate)) for code in ("time-gap", "damaged"))
        recorded = _without((Stretch(0, audio.frames),), pauses)
        readable = _without(recorded, damaged)
        scored = _without(_in_windows(analysis), (*pauses, *damaged))
        return cls(
            rate=audio.sample_rate,
            analysis_rate=analysis.sample_rate,
            begins=_begins(recording),
            failed=recording.failure is not None,
            doubtful=any(note.code in DOUBTFUL for note in notes),
            recorded=recorded,
            readable=readable,
            scored=scored,
            heard=_without(scored, _constant(notes, analysis, scored)),
            missing=_without(tuple(_noted(notes, "ends-early", audio.sample_rate)), (Stretch(0, audio.frames),)),
        )

    @property
    def stop(self) -> int:
        """The sample after the last one that is here or missing."""
        return max((stretch.stop for stretch in (*self.recorded, *self.missing)), default=0)

    def time_of(self, sample: int) -> Fraction:
        """Return the exact time of a sample in microseconds since 1970."""
        return Fraction(self.begins or 0) + Fraction(sample * MICROSECONDS, self.rate)

    def sample_at(self, moment: int) -> int:
        """Return the first sample at or after a time in microseconds since 1970."""
        return -(-(moment - (self.begins or 0)) * self.rate // MICROSECONDS)

    def sounding(self) -> tuple[tuple[Fraction, Fraction], ...]:
        """Return when there is sound, in microseconds since 1970."""
        return tuple((self.time_of(stretch.start), self.time_of(stretch.stop)) for stretch in self.recorded)

    def seconds_of(self, stretches: Iterable[Stretch], start: int, stop: int) -> Fraction:
        """Return how many seconds of some stretches lie in the samples ``[start, stop)``."""
        samples: int | Fraction = 0
        for stretch in stretches:
            inside = min(stretch.stop, stop) - max(stretch.start, start)
            if inside > 0:
                samples += inside if stretch.share == 1 else stretch.share * inside
        return Fraction(samples, self.rate)


def _begins(recording: PlannedRecording) -> int | None:
    start = None if recording.begins is None else recording.begins.utc
    if start is None or any(note.code == UNSET_CLOCK for note in recording.notes):
        return None
    return microseconds_since_1970(datetime.fromisoformat(start))


def _in_windows(analysis: Analysis) -> tuple[Stretch, ...]:
    """Return the samples that lie in a window; where windows have pauses between them, a share of all."""
    grid = analysis.grid
    if grid.n_windows == 0:
        return ()
    audio = analysis.audio
    last = (grid.n_windows - 1) * grid.hop + grid.window
    stop = min(audio.frames, -(-last * audio.sample_rate // analysis.sample_rate))
    return (Stretch(0, stop, min(Fraction(1), Fraction(grid.window, grid.hop))),)


def _noted(notes: Sequence[Note], code: str, rate: int) -> Iterator[Stretch]:
    """Yield the stretches that notes of one code name."""
    for note in notes:
        numbers = note.numbers
        if note.code == code and {"start_sample", "stop_sample"} <= numbers.keys():
            unit = int(numbers.get("sample_rate", rate))
            start, stop = (int(numbers[edge]) * rate // unit for edge in ("start_sample", "stop_sample"))
            together = Fraction(int(numbers.get("samples", 0)) * rate, unit) if "stretches" in numbers else None
            if stop > start:
                share = min(Fraction(1), together / (stop - start)) if together else Fraction(1)
                yield Stretch(start, stop, share)


def _constant(notes: Sequence[Note], analysis: Analysis, scored: Sequence[Stretch]) -> tuple[Stretch, ...]:
    """Return the stretches of one constant value: the longest, whose place is known, and the others spread evenly."""
    note = next((note for note in notes if note.code == "silence"), None)
    if note is None:
        return ()
    steps, of = int(note.numbers["steps"]), int(note.numbers["of"])
    audio: AudioFacts = analysis.audio
    if steps >= of:
        return (Stretch(0, audio.frames),)
    (longest,) = _noted([Note("silence", "", _only_the_longest(note))], "silence", audio.sample_rate)
    together = Fraction(steps * analysis.grid.hop * audio.sample_rate, analysis.sample_rate)
    elsewhere = _without(tuple(scored), (longest,))
    length = sum((stretch.share * (stretch.stop - stretch.start) for stretch in elsewhere), Fraction(0))
    others = together - (longest.stop - longest.start)
    if others < 1 or length == 0:  # less than a sample is the rounding of the longest
        return (longest,)
    return (longest, Stretch(0, longest.start, min(Fraction(1), others / length)),
            Stretch(longest.stop, audio.frames, min(Fraction(1), others / length)))  # fmt: skip


def _only_the_longest(note: Note) -> dict[str, int | float | str]:
    """Return the numbers of a note on silence without its count: its place is that of the longest stretch."""
    return {name: value for name, value in note.numbers.items() if name != "stretches"}


def _without(stretches: Sequence[Stretch], removed: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Return what is left of stretches; of a part that is evenly spread, the rest of its share is left."""
    left = list(stretches)
    for gone in removed:
        rest: list[Stretch] = []
        for stretch in left:
            start, stop = max(stretch.start, gone.start), min(stretch.stop, gone.stop)
            if start >= stop:
                rest.append(stretch)
                continue
            inside = Stretch(start, stop, stretch.share * (1 - gone.share))
            before, after = Stretch(stretch.start, start, stretch.share), Stretch(stop, stretch.stop, stretch.share)
            rest.extend(piece for piece in (before, inside, after) if piece.stop > piece.start and piece.share)
        left = rest
    return tuple(left)
