"""Frames of MPEG audio (MP3, MP2, MP1) and of AAC (ADTS): where each begins, and what lies between them.

These streams have no time stamps: the time of a sample is the number of frames before it. So a stretch that is damaged
must be found by its bytes, and its length counted in frames. Owns the headers of both formats, the search for the first
frame behind bytes that belong to no format, the walk from frame to frame, and the Info, Xing and VBRI headers, which
count frames. Never decodes a sample.

A frame counts where the next one follows it; the first one of a stretch where :data:`SURE` follow each other, because
a header of two to four bytes is met by chance in any data.

Sources: ISO/IEC 11172-3 and 13818-3 (MPEG audio), ISO/IEC 13818-7 (ADTS), the Xing and LAME tag specifications, the
VBRI header of Fraunhofer IIS, id3.org (ID3v2.4), the APEv2 specification.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["SURE", "Frame", "FrameHeader", "Gap", "InfoHeader", "find_first_frame", "read_info", "tag_length", "walk"]

SURE = 4
"""Frames in a row that tell a stream from bytes that look like one: fewer than one in 1e9 positions of random bytes."""

SEARCHED = 1 << 16
"""Bytes in which the first frame is looked for, behind any tags whose length is told."""

_TAGGED_SEARCH = 1 << 20
"""The same where a file begins with an ID3 tag whose length leads nowhere: a cover picture may lie in it."""

_READ = 1 << 16
"""Bytes read at once; no frame is longer than 8,191 bytes."""

_ZEROS = 1 << 20
"""Zeros behind the last frame that are taken for space which a recorder reserved."""

_LOOKED_BACK = SURE * 8_192

_HEADER = 10
"""Bytes that a header, or the head of a tag, needs at most."""

_KBITS = {  # by (version 1 or not, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_ADTS_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the first bytes of a frame say.

    Attributes
    ----------
    kind : tuple
        What all frames of one stream have in common.
    length : int
        Bytes of the frame, its header included.
    samples : int
        Samples per channel of the frame, as its header counts them.
    sample_rate : int
        In Hz, as the header says; an AAC decoder may give twice as many (SBR).
    """

    kind: tuple[object, ...]
    length: int
    samples: int
    sample_rate: int

    @property
    def codec(self) -> str:
        """Name of FFmpeg's decoder."""
        return str(self.kind[0])


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame.

    Attributes
    ----------
    offset : int
        Of its first byte in the file.
    header : FrameHeader
    data : bytes
    """

    offset: int
    header: FrameHeader
    data: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that are no frames, between frames or behind the last one.

    Attributes
    ----------
    offset : int
        Of its first byte in the file.
    length : int
        In bytes, tags not counted.
    last : bool
        Whether no frame follows.
    zeros : bool
        Whether all of its bytes are zero.
    cut : bool
        Whether a frame begins in it that the end of the file cuts off.
    """

    offset: int
    length: int
    last: bool = False
    zeros: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True)
class InfoHeader:
    """The frame in front of an MP3 that counts the others.

    Attributes
    ----------
    frames : int or None
        Frames that follow it; None where it does not say.
    length : int or None
        Bytes from its own first byte to the end of the last frame.
    delay, padding : int
        Samples that the encoder put in front and behind.
    tells_delay : bool
        Whether it tells those two.
    """

    frames: int | None
    length: int | None
    delay: int = 0
    padding: int = 0
    tells_delay: bool = False


def mpeg_header(data: bytes | bytearray | memoryview, at: int = 0) -> FrameHeader | None:
    """Read the header of an MPEG audio frame; None where there is none, or one of a free bit rate."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    rate_index, bits_index = data[at + 2] >> 2 & 3, data[at + 2] >> 4
    if version == 1 or layer == 4 or rate_index == 3 or bits_index in {0, 15}:
        return None
    first = version == 3
    rate = _RATES[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    bits = 1000 * _KBITS[first, layer][bits_index - 1]
    padding = data[at + 2] >> 1 & 1
    if layer == 1:
        length, samples = (12 * bits // rate + padding) * 4, 384
    else:
        samples = 1_152 if layer == 2 or first else 576
        length = samples // 8 * bits // rate + padding
    mono = data[at + 3] >> 6 == 3
    return FrameHeader((f"mp{layer}float", rate, mono), length, samples, rate)


def adts_header(data: bytes | bytearray | memoryview, at: int = 0) -> FrameHeader | None:
    """Read the header of an AAC frame (ADTS); None where there is none."""
    if len(data) < at + 7 or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        return None
    rate_index = data[at + 2] >> 2 & 15
    length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if rate_index >= len(_ADTS_RATES) or length < 7:
        return None
    rate = _ADTS_RATES[rate_index]
    channels = (data[at + 2] & 1) << 2 | data[at + 3] >> 6
    kind = ("aac", data[at + 1] & 0xFE, data[at + 2] >> 6, rate, channels)
    return FrameHeader(kind, length, 1_024 * ((data[at + 6] & 3) + 1), rate)


_Parser = Callable[[bytes | bytearray | memoryview, int], FrameHeader | None]
_PARSERS: tuple[_Parser, ...] = (adts_header, mpeg_header)


def tag_length(head: bytes | bytearray | memoryview) -> int:
    """Return the length of an ID3v2 or APEv2 tag that begins with ``head`` (at least 32 bytes of it); 0 for none."""
    if bytes(head[:3]) == b"ID3" and len(head) >= 10 and max(head[3], head[4]) < 0xFF:
        # Seven bits of each of four bytes, so that no player takes a length for the start of a frame.
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if bytes(head[:8]) == b"APETAGEX" and len(head) >= 24:
        size, flags = struct.unpack_from("<I4xI", head, 12)
        return int(size) + (32 if flags & 0x20000000 else 0)  # a tag that begins with its header does not count it
    return 0


def find_first_frame(file: BinaryIO, size: int) -> tuple[int, int] | None:
    """Find the first frame of a stream near the beginning of a file.

    Returns
    -------
    (offset, passed) : tuple of int, or None
        Offset of the frame, and how many of the bytes before it are no tags; None where no stream begins there.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    """
    begin = _behind_tags(file, 0)
    found = _search(file, size, begin, SEARCHED)
    if found is not None:
        return found, found - begin
    found = None if begin == 0 else _search(file, size, 0, _TAGGED_SEARCH)  # the length of a tag may lie
    return None if found is None else (found, found)


def _behind_tags(file: BinaryIO, offset: int) -> int:
    while True:
        file.seek(offset)
        length = tag_length(file.read(32))
        if length == 0:
            return offset
        offset += length


def _search(file: BinaryIO, size: int, begin: int, length: int) -> int | None:
    """Return the first offset in a stretch from which frames follow each other."""
    if begin >= size:
        return None
    file.seek(begin)
    data = file.read(length + SURE * 8_192)
    at_end = begin + len(data) >= size
    at = data.find(b"\xff")
    while 0 <= at < length:
        if any(_follow_each_other(data, at, parser, at_end=at_end, first=at == 0) for parser in _PARSERS):
            return begin + at
        at = data.find(b"\xff", at + 1)
    return None


def _follow_each_other(data: bytes | bytearray, at: int, parser: _Parser, *, at_end: bool, first: bool) -> bool:
    """Say whether :data:`SURE` frames of one kind follow each other; fewer are enough down to the end of the file."""
    kind = None
    for count in range(SURE):
        header = parser(data, at)
        if header is None or (kind is not None and header.kind != kind):
            # A recording of a few frames, which begins where it should and ends where its last frame does.
            left = len(data) - at
            return at_end and first and (left == 0 if count == 1 else count > 1 and left < _HEADER)
        kind = header.kind
        at += header.length
    return at <= len(data) or first


def read_info(frame: Frame) -> InfoHeader | None:
    """Return the Info, Xing or VBRI header that a frame is, or None for a frame of sound."""
    data = frame.data
    if frame.header.codec != "mp3float":
        return None
    first, mono = data[1] >> 3 & 3 == 3, data[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    if data[36:40] == b"VBRI" and len(data) >= 54:
        length, frames = struct.unpack_from(">II", data, 46)
        return InfoHeader(frames or None, length or None)
    for at in (4 + side, 6 + side):  # two bytes of a checksum may stand behind the header
        if data[at : at + 4] in {b"Xing", b"Info"}:
            return _read_xing(data, at)
    return None


def _read_xing(data: bytes, at: int) -> InfoHeader:
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    at += 8
    numbers: dict[int, int] = {}
    for flag, length in ((1, 4), (2, 4), (4, 100), (8, 4)):
        if flags & flag:
            numbers[flag] = int.from_bytes(data[at : at + min(length, 4)], "big")
            at += length
    frames, stream_length = numbers.get(1) or None, numbers.get(2) or None
    tag = data[at : at + 24]
    if len(tag) < 24 or tag[:4] not in {b"LAME", b"Lavf", b"Lavc"}:
        return InfoHeader(frames, stream_length)
    word = int.from_bytes(tag[21:24], "big")
    return InfoHeader(frames, stream_length, word >> 12, word & 0xFFF, tells_delay=True)


def walk(file: BinaryIO, size: int, start: int) -> Iterator[Frame | Gap]:
    """Yield the frames of a stream in order, and the gaps between them.

    A frame that no other follows is damaged, or the last one: data of a lost cluster begins inside a frame, and what
    a decoder makes of half a frame is noise. Frames of another kind are part of a gap unless they go on; those are
    yielded, so that a change of the sample rate is seen.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    start : int
        Offset of the first frame (:func:`find_first_frame`).
    """
    window = _Window(file, size, start)
    parser, header = next((p, h) for p in _PARSERS if (h := window.header(p, start)) is not None)
    at = start
    gap: _OpenGap | None = None
    while at < size:
        found = window.header(parser, at)
        if found is not None and gap is None and found.kind == header.kind and window.followed(parser, at, found, 1):
            yield Frame(at, found, window.take(at, found.length))
            at += found.length
        elif found is not None and window.followed(parser, at, found, SURE - 1):
            if gap is not None:
                yield gap.to_gap(at)
                gap = None
            header = found
            yield Frame(at, found, window.take(at, found.length))
            at += found.length
        elif (length := window.tag(at)) > 0:
            if gap is not None:
                gap.tags += min(length, size - at)
            elif window.frame_at(parser, header, at + length) or at + length >= size:
                pass
            else:
                gap = _OpenGap(at, min(length, size - at))
            at += length
        else:
            if gap is None:
                gap = _OpenGap(at)
                gap.cut = found is not None and at + found.length > size
            at = window.next_sync(at, gap)
    if gap is not None:
        yield gap.to_gap(size, last=True)


class _OpenGap:
    """A gap whose end is not known yet."""

    def __init__(self, offset: int, tags: int = 0) -> None:
        self.offset = offset
        self.tags = tags
        self.zeros = True
        self.cut = False

    def to_gap(self, stop: int, *, last: bool = False) -> Gap:
        return Gap(self.offset, stop - self.offset - self.tags, last, self.zeros, self.cut)


class _Window:
    """A stretch of a file, moved on as it is read."""

    def __init__(self, file: BinaryIO, size: int, start: int) -> None:
        self._file = file
        self._size = size
        self._start = start
        self._data = b""

    def take(self, at: int, length: int) -> bytes:
        """Return bytes of the file; fewer at its end."""
        if not (self._start <= at and at + length <= self._start + len(self._data)):
            self._start = max(0, at - _LOOKED_BACK)  # the walk looks some frames ahead, and comes back
            self._file.seek(self._start)
            self._data = self._file.read(_LOOKED_BACK + max(length, _READ))
        return self._data[at - self._start : at - self._start + length]

    def header(self, parser: _Parser, at: int) -> FrameHeader | None:
        return parser(self.take(at, _HEADER), 0)

    def frame_at(self, parser: _Parser, like: FrameHeader, at: int) -> bool:
        found = self.header(parser, at)
        return found is not None and found.kind == like.kind

    def followed(self, parser: _Parser, at: int, header: FrameHeader, count: int) -> bool:
        """Say whether ``count`` frames, a tag or the end of the file follow a frame."""
        for _ in range(count):
            at += header.length
            if at >= self._size:
                return at == self._size
            found = self.header(parser, at)
            if found is None or found.kind != header.kind:
                return self._ends(at)
            header = found
        return True

    def _ends(self, at: int) -> bool:
        """Say whether nothing is missing behind a frame: a tag follows, or zeros down to the end of the file."""
        if self.tag(at) > 0 or self._size - at < _HEADER:
            return True
        length = min(self._size - at, _ZEROS)
        return length == self._size - at and not self.take(at, length).strip(b"\0")

    def tag(self, at: int) -> int:
        """Return the length of the tag that begins here; 0 for none."""
        head = self.take(at, 32)
        if head[:3] == b"TAG" and self._size - at == 128:
            return 128
        return min(tag_length(head), self._size - at)

    def next_sync(self, at: int, gap: _OpenGap) -> int:
        """Return the next position where a frame or a tag may begin."""
        at += 1
        while at < self._size:
            data = self.take(at, min(4_096, self._size - at))
            if not data:
                break
            found = min((where for mark in (b"\xff", b"ID3", b"APETAGEX", b"TAG") if (where := data.find(mark)) >= 0),
                        default=-1)  # fmt: skip
            passed = data if found < 0 else data[:found]
            gap.zeros = gap.zeros and not passed.strip(b"\0")
            if found >= 0:
                return at + found
            at += max(1, len(data) - 8)
        return self._size
