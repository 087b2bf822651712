"""Place decoded samples in time by the time stamps of their container, and detect wrong time stamps.

Owns the decision which step between two time stamps is a hole of the recording, and how many samples of silence it is.
Everything is counted in samples. A time stamp is compared with the number of samples before it, so the rounding of a
container (milliseconds in WebM) does not add up. Nothing is decoded.

* **A hole** is a step forward by more than half a packet (at most :data:`JITTER_SECONDS`, at least two ticks of the
  container's clock, which is 2 ms for WebM). Where a clock gains little by little, its lead becomes a hole when it
  reaches :data:`DRIFT_SECONDS`.
* **Jitter** is a step, forward or backward, that a later one reverses within :data:`WINDOW_SECONDS`. It is an error of
  the time stamps, and the packets between are placed by counting samples.
* **A step backward** removes no sample. After one of more than :data:`RESTART_SECONDS` the clock began anew (files that
  were joined): what follows is placed after what is there, and its holes are measured from there.
* **A step forward by more than** :data:`LONGEST_HOLE_SECONDS` is an error of the clock and no hole; a note reports it.
  So is a step of more than a minute that is followed by less than a second of sound.
* **The first time stamp** is the beginning of the recording, whatever it is: a capture that joined a live stream late
  has a large one, and ffmpeg counts from there as well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

__all__ = ["LONGEST_HOLE_SECONDS", "TimedPacket", "Timeline", "correct_timestamps"]

JITTER_SECONDS = Fraction(1, 100)
"""Jitter that the time stamps of capture clocks have; a lost packet of speech codecs is 20 ms."""

DRIFT_SECONDS = Fraction(1, 10)
"""How far the clock of the time stamps may run ahead of the samples; ffmpeg uses the same limit."""

RESTART_SECONDS = 1

WINDOW_SECONDS = 33
"""How far ahead packets are read: a cluster of Matroska, whose time stamps share one number, has at most 32.8 s."""

WINDOW_BYTES = 1 << 23
"""Most bytes of packets that are read ahead."""

LONGEST_HOLE_SECONDS = 12 * 3600
"""A night without a connection is a hole; a wrong bit in a time stamp mostly makes a longer one."""

_DOUBTFUL_HOLE_SECONDS = 60


class Packet(Protocol):
    """The attributes of PyAV's packets that are used here."""

    pts: int | None
    duration: int | None

    @property
    def size(self) -> int: ...


_P = TypeVar("_P", bound=Packet)


@dataclass(frozen=True, slots=True)
class TimedPacket(Generic[_P]):
    """A packet whose time stamp can be trusted, or is None.

    Attributes
    ----------
    packet : Packet
    stepped : bool
        Whether its time stamp is later than the end of the packet before it.
    refused : Fraction or None
        Seconds of a step forward that is no hole but an error of the clock.
    """

    packet: _P
    stepped: bool = False
    refused: Fraction | None = None


class Timeline:
    """Places the samples of a recording in time, one decoded frame after the other.

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
        self._coarse = self._jitter = self._drift = 0  # samples; derived from the tick

    def silence_before(
        self, stamp: int | None, tick: Fraction, samples: int, rate: int, *, lost: int = 0, stepped: bool = True
    ) -> int:
        """Return how many samples of silence belong before a frame, and count the silence and the frame.

        Parameters
        ----------
        stamp : int or None
            Time stamp of the frame's first sample, in ticks; None where it has none.
        tick : Fraction
            Seconds of a tick.
        samples : int
            Length of the frame.
        rate : int
            Samples per second.
        lost : int
            Samples of the packets before it that could not be decoded.
        stepped : bool
            Whether there is also a step in the time stamps of the packets.
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
        if self._base is None:  # the first time stamp is rounded, and an encoder may have shifted it
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
        """Return the length of a hole, rounded to whole packets where the clock is coarse."""
        if self._coarse <= 4 or not self._unit:
            return samples
        whole = (2 * samples + self._unit) // (2 * self._unit) * self._unit
        return whole if whole > 0 and abs(whole - samples) <= self._coarse else samples


@dataclass(slots=True)
class _Clock:
    """The time stamps of one stream, as far as they are corrected."""

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


def correct_timestamps(packets: Iterable[_P], tick: Fraction) -> Iterator[TimedPacket[_P]]:
    """Yield the packets of a stream; a time stamp that is wrong becomes None.

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
        yield _correct(packet, window, clock)


def _correct(packet: _P, window: deque[_P], clock: _Clock) -> TimedPacket[_P]:
    """Correct the time stamp of a packet."""
    duration = clock.duration(packet)
    if packet.pts is None or clock.end is None:
        clock.end = None if packet.pts is None and clock.end is None else (packet.pts or clock.end or 0) + duration
        clock.usual = duration
        return TimedPacket(packet)
    refused = None
    stamp = packet.pts + clock.shift
    step = stamp - clock.end
    if abs(step) > clock.tolerance(duration):
        span = step * clock.tick
        if _is_reversed(packet, window, step, clock):
            packet.pts = None
            clock.end += duration
            return TimedPacket(packet)
        if span < -RESTART_SECONDS or span > LONGEST_HOLE_SECONDS or _is_doubtful(span, window, clock):
            refused = span if span > 0 else None
            clock.shift -= step
            stamp = clock.end
    stepped = stamp > clock.end
    packet.pts = stamp
    clock.end = stamp + duration
    clock.usual = duration
    return TimedPacket(packet, stepped, refused)


def _is_reversed(packet: Packet, window: deque[_P], step: int, clock: _Clock) -> bool:
    """Return whether a later step in the window goes about as far the other way."""
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


def _is_doubtful(span: Fraction, window: deque[_P], clock: _Clock) -> bool:
    """Return whether a long hole is followed by less than a second of sound: a wrong time stamp is likelier."""
    return span > _DOUBTFUL_HOLE_SECONDS and sum(map(clock.duration, window)) * clock.tick < 1
