"""Where decoded samples lie in time, by the time stamps of their container.

Owns the judgement of time stamps: which step between two of them is a hole of the recording, and how many samples of
silence it is. Everything is counted in samples; a time stamp is compared with the number of samples before it, so the
rounding of a container (WebM: milliseconds) never adds up. Decodes nothing.

* **A hole** is a step forward by more than half a packet (at most :data:`JITTER_SECONDS`, at least two ticks of the
  container's clock, which for WebM is 2 ms). What a clock gains little by little becomes a hole when it is
  :data:`DRIFT_SECONDS`.
* **Jitter**: a step that a later one takes back within :data:`WINDOW_SECONDS`, forward or backward, is an error of the
  time stamps; the packets between are placed by counting.
* **A step backward** never removes a sample. One of more than :data:`RESTART_SECONDS` is a new beginning of the clock
  (files that were joined): what follows is placed behind what is there, and its holes are measured anew.
* **A step forward by more than** :data:`LONGEST_HOLE_SECONDS` is taken for an error of the clock, not for a hole; a
  note says so. So is a step of more than a minute that less than a second of sound follows.
* **The first time stamp** is where the recording begins, whatever it is: a capture that joined a live stream late has a
  large one, and ffmpeg counts from there as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from anemonefish.notes import Note

__all__ = ["LONGEST_HOLE_SECONDS", "Judged", "Stretches", "Timeline", "seconds", "steadied"]

JITTER_SECONDS = Fraction(1, 100)
"""Jitter of time stamps that capture clocks have; a lost packet of speech codecs is 20 ms."""

DRIFT_SECONDS = Fraction(1, 10)
"""How far the clock of the time stamps may run ahead of the samples; ffmpeg corrects from the same value on."""

RESTART_SECONDS = 1
WINDOW_SECONDS = 33
"""Seconds that are looked ahead: a cluster of Matroska, whose time stamps share one number, has at most 32.8."""

WINDOW_BYTES = 1 << 23

LONGEST_HOLE_SECONDS = 12 * 3600
"""A night without a connection is a hole; a wrong bit in a time stamp is soon more."""

_DOUBTFUL_HOLE_SECONDS = 60
_MOST_NOTES = 20
"""Notes of one code: a stream that pauses in silence has thousands of holes."""


class Packet(Protocol):
    """What is known of a packet before it is decoded: PyAV's."""

    pts: int | None
    duration: int | None

    @property
    def size(self) -> int: ...


_P = TypeVar("_P", bound=Packet)


@dataclass(frozen=True, slots=True)
class Judged(Generic[_P]):
    """A packet whose time stamp can be believed, or is None.

    Attributes
    ----------
    packet : Packet
    stepped : bool
        Whether its time stamp is later than the end of the packet before it.
    refused : Fraction or None
        Seconds of a step forward that was not taken for a hole.
    """

    packet: _P
    stepped: bool = False
    refused: Fraction | None = None


class Stretches:
    """Stretches of one kind, gathered into a bounded number of notes.

    Parameters
    ----------
    code : str
        Of the notes.
    message : str
        With ``{start}``, ``{stop}`` and ``{length}``, in seconds.
    """

    def __init__(self, code: str, message: str) -> None:
        self._code = code
        self.message = message
        self._first: list[tuple[int, int]] = []
        self._more: list[int] = []  # number, samples, first sample, last sample
        self.samples = 0

    def add(self, start: int, stop: int) -> None:
        """Take note of the samples ``[start, stop)``; stretches come in order."""
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
        """Return a note for each stretch; what are too many share the last one."""
        made = [self._note(start, stop, rate) for start, stop in self._first]
        if self._more:
            number, samples, start, stop = self._more
            message = (
                f"{number} more such stretches, {seconds(samples, rate)} together, "
                f"between {seconds(start, rate)} and {seconds(stop, rate)}"
            )
            numbers = {"start_sample": start, "stop_sample": stop, "sample_rate": rate}
            made.append(Note(self._code, message, {**numbers, "stretches": number, "samples": samples}))
        return made

    def _note(self, start: int, stop: int, rate: int) -> Note:
        message = self.message.format(
            start=seconds(start, rate), stop=seconds(stop, rate), length=seconds(stop - start, rate)
        )
        return Note(self._code, message, {"start_sample": start, "stop_sample": stop, "sample_rate": rate})


def seconds(samples: int, rate: int) -> str:
    """Return a time for people: seconds with three decimals."""
    return f"{samples / max(1, rate):.3f} s"


class Timeline:
    """The samples of a recording, placed one decoded frame after the other.

    Parameters
    ----------
    uneven : bool
        Whether the codec has long and short blocks (Vorbis): FFmpeg's time stamps are wrong by up to half of a long
        frame where they meet, so no smaller step is a hole.
    """

    def __init__(self, *, uneven: bool = False) -> None:
        self._uneven = uneven
        self._longest = 0
        self.written = 0
        self.lead: Fraction | None = None
        self._origin: int | None = None
        self._base: int | None = None
        self._last = 0
        self._unit = 0
        self._tick: Fraction | None = None
        self._scale = 1, 1
        self._coarse = self._jitter = self._drift = 0  # samples; they follow from the tick

    def silence_before(
        self, stamp: int | None, tick: Fraction, samples: int, rate: int, *, lost: int = 0, stepped: bool = True
    ) -> int:
        """Return how many samples of silence stand before a frame, and count both.

        Parameters
        ----------
        stamp : int or None
            Time stamp of the frame's first sample, in ticks; None where there is none.
        tick : Fraction
            Seconds of a tick.
        samples : int
            Length of the frame.
        rate : int
            Samples per second.
        lost : int
            Samples of packets before it that could not be decoded.
        stepped : bool
            Whether the time stamps of the packets leave something out before it, too.
        """
        if tick is not self._tick:
            self._tick, scale = tick, tick * rate
            self._scale = scale.numerator, scale.denominator
            self._coarse, self._jitter = int(2 * scale), int(rate * JITTER_SECONDS)
            self._drift = int(rate * DRIFT_SECONDS)
        silence = lost if stamp is None else self._silence(stamp, rate, lost, stepped=stepped)
        self.written += silence + samples
        self._unit = max(samples, self._unit // 2)
        self._longest = max(samples, self._longest)
        return silence

    def _silence(self, stamp: int, rate: int, lost: int, *, stepped: bool) -> int:
        up, down = self._scale
        at = (2 * stamp * up + down) // (2 * down)
        if self._origin is None:
            self._origin = at - self.written - lost
            self.lead = Fraction(at, rate) if self.written + lost == 0 else None
            return lost
        lag = at - self._origin - self.written
        if self._base is None:  # the first time stamp is rounded, and may be moved by what an encoder put in front
            self._base = lag if abs(lag) <= self._coarse else 0
        ahead = lag - self._base
        jitter = self._longest // 2 if self._uneven else min(self._unit // 2, self._jitter)
        tolerance = max(self._coarse, jitter)
        if lost:
            silence = lost if abs(ahead - lost) <= tolerance else max(0, self._whole_packets(ahead))
        elif ahead > tolerance and ((stepped and lag - self._last > tolerance) or ahead > self._drift):
            silence = self._whole_packets(ahead)
        else:
            silence = 0
        self._last = lag - silence
        return silence

    def _whole_packets(self, samples: int) -> int:
        """Return the length of a hole: where a coarse clock allows it, that of a number of packets."""
        if self._coarse <= 4 or not self._unit:
            return samples
        whole = (2 * samples + self._unit) // (2 * self._unit) * self._unit
        return whole if whole > 0 and abs(whole - samples) <= self._coarse else samples


@dataclass(slots=True)
class _Clock:
    """The time stamps of one stream, as far as they were judged."""

    tick: Fraction
    window: int
    jitter: int
    end: int | None = None
    shift: int = 0
    usual: int = 0

    def duration(self, packet: Packet) -> int:
        return packet.duration or self.usual

    def tolerance(self, duration: int) -> int:
        return max(2, min(duration // 2, self.jitter))


def steadied(packets: Iterable[_P], tick: Fraction) -> Iterator[Judged[_P]]:
    """Yield packets whose time stamps can be believed; a time stamp that cannot be is None.

    Parameters
    ----------
    packets : iterable of Packet
        In the order of the file.
    tick : Fraction
        Seconds of a tick of their time stamps.
    """
    source = iter(packets)
    clock = _Clock(tick, int(WINDOW_SECONDS / tick), int(JITTER_SECONDS / tick))
    window: deque[_P] = deque()
    ticks = size = 0
    exhausted = False
    while True:
        while not exhausted and (not window or (ticks < clock.window and size < WINDOW_BYTES)):
            packet = next(source, None)
            if packet is None:
                exhausted = True
            else:
                window.append(packet)
                ticks += packet.duration or 0
                size += packet.size
        if not window:
            return
        packet = window.popleft()
        ticks -= packet.duration or 0
        size -= packet.size
        yield _judge(packet, window, clock)


def _judge(packet: _P, window: deque[_P], clock: _Clock) -> Judged[_P]:
    """Correct the time stamp of a packet."""
    duration = clock.duration(packet)
    if packet.pts is None or clock.end is None:
        clock.end = None if packet.pts is None and clock.end is None else (packet.pts or clock.end or 0) + duration
        clock.usual = duration
        return Judged(packet)
    refused = None
    stamp = packet.pts + clock.shift
    step = stamp - clock.end
    if abs(step) > clock.tolerance(duration):
        span = step * clock.tick
        if _taken_back(packet, window, step, clock):
            packet.pts = None
            clock.end += duration
            return Judged(packet)
        if span < -RESTART_SECONDS or span > LONGEST_HOLE_SECONDS or _doubtful(span, window, clock):
            refused = span if span > 0 else None
            clock.shift -= step
            stamp = clock.end
    stepped = stamp > clock.end
    packet.pts = stamp
    clock.end = stamp + duration
    clock.usual = duration
    return Judged(packet, stepped, refused)


def _taken_back(packet: Packet, window: deque[_P], step: int, clock: _Clock) -> bool:
    """Say whether a later step in the window goes about as far the other way."""
    begin = packet.pts or 0
    end = begin + clock.duration(packet)
    for other in window:
        if end - begin > clock.window:
            break
        if other.pts is not None:
            back = end - other.pts if step > 0 else other.pts - end
            if abs(step) <= 2 * back <= 4 * abs(step):
                return True
            end = other.pts
        end += clock.duration(other)
    return False


def _doubtful(span: Fraction, window: deque[_P], clock: _Clock) -> bool:
    """Say whether a long hole stands before the last moment of a recording: a wrong time stamp is likelier."""
    return span > _DOUBTFUL_HOLE_SECONDS and sum(map(clock.duration, window)) * clock.tick < 1
