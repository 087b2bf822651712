"""Find the frames of an MPEG audio or AAC stream in a file, and the bytes between them that are no frames.

These streams have no time stamps: the time of a sample follows from the number of frames before it. A damaged stretch
is therefore found by its bytes, and its length is counted in frames. Owns the search for the first frame
(:func:`find_first_frame`) and the walk from frame to frame (:func:`walk`). Nothing is decoded.

Any data contains bytes that look like a frame header by chance. A frame is therefore accepted only where the next frame
follows it, and the first frame of a stretch only where :data:`SURE` frames follow each other.

Sources: as of :mod:`anemonefish.audio.mpeg_headers`; id3.org (ID3v1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from anemonefish.audio.leading_tags import TAG_HEAD_BYTES, after_tags, tag_length
from anemonefish.audio.mpeg_headers import FRAME_PARSERS, HEADER_BYTES, Frame, FrameHeader, FrameParser
from anemonefish.audio.seekable import BinaryFile, read_at

__all__ = ["SEARCHED", "SURE", "Gap", "find_first_frame", "walk"]

SURE = 4
"""Frames in a row that prove a stream: random bytes look like that at fewer than one position in 1e9."""

SEARCHED = 1 << 16
"""Bytes in which the first frame is searched for, after the tags whose length is known."""

_TAGGED_SEARCH = 1 << 20
"""The same for a file whose ID3 tag states a wrong length: the tag may hold a cover picture."""

_READ = 1 << 16
"""Bytes read at once; no frame is longer than 8,191 bytes."""

_ZEROS = 1 << 20
"""Zeros after the last frame that count as space which a recorder reserved."""

_LOOKED_BACK = SURE * 8_192


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes that are no frames, between two frames or after the last one.

    Attributes
    ----------
    offset : int
        Of its first byte, in the file.
    length : int
        In bytes, tags not counted.
    last : bool
        Whether no frame follows.
    zeros : bool
        Whether all of its bytes are zero.
    cut : bool
        Whether it begins with a frame that the end of the file cuts off.
    """

    offset: int
    length: int
    last: bool = False
    zeros: bool = False
    cut: bool = False


def find_first_frame(file: BinaryFile, size: int) -> tuple[int, int] | None:
    """Find the first frame of a stream near the beginning of a file.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.

    Returns
    -------
    (offset, skipped) : tuple of int, or None
        Offset of the frame, and how many of the bytes before it are no tags; None where no stream begins.
    """
    begin = after_tags(file)
    found = _search(file, size, begin, SEARCHED)
    if found is not None:
        return found, found - begin
    found = None if begin == 0 else _search(file, size, 0, _TAGGED_SEARCH)  # a tag may state a wrong length
    return None if found is None else (found, found)


def _search(file: BinaryFile, size: int, begin: int, length: int) -> int | None:
    """Return the first offset in a stretch from which frames follow each other."""
    if begin >= size:
        return None
    data = read_at(file, begin, length + _LOOKED_BACK)
    at_end = begin + len(data) >= size
    at = data.find(b"\xff")
    while 0 <= at < length:
        if any(_follow_each_other(data, at, parser, at_end=at_end, first=at == 0) for parser in FRAME_PARSERS):
            return begin + at
        at = data.find(b"\xff", at + 1)
    return None


def _follow_each_other(data: bytes | bytearray, at: int, parser: FrameParser, *, at_end: bool, first: bool) -> bool:
    """Return whether :data:`SURE` frames of one kind follow each other; fewer are enough at the end of the file."""
    kind = None
    for count in range(SURE):
        header = parser(data, at)
        if header is None or (kind is not None and header.kind != kind):
            # A recording of a few frames: they begin at the expected offset and end with the file.
            left = len(data) - at
            return at_end and first and (left == 0 if count == 1 else count > 1 and left < HEADER_BYTES)
        kind = header.kind
        at += header.length
    return at <= len(data) or first


def walk(file: BinaryFile, size: int, start: int) -> Iterator[Frame | Gap]:
    """Yield the frames of a stream in order, and the gaps between them.

    A frame that is not followed by another one is damaged, unless it is the last: where a file lost a stretch, the data
    after it begins inside a frame, and a decoder turns half a frame into noise. A few frames of another kind are part
    of a gap; :data:`SURE` or more are yielded, so that the caller sees a change of the sample rate.

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
    parser, header = next((p, h) for p in FRAME_PARSERS if (h := window.header(p, start)) is not None)
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
    """A gap while its end is being searched for."""

    def __init__(self, offset: int, tags: int = 0) -> None:
        self.offset = offset
        self.tags = tags
        self.zeros = True
        self.cut = False

    def to_gap(self, stop: int, *, last: bool = False) -> Gap:
        return Gap(self.offset, stop - self.offset - self.tags, last, self.zeros, self.cut)


class _Window:
    """The stretch of a file around the walk's position."""

    def __init__(self, file: BinaryFile, size: int, start: int) -> None:
        self._file = file
        self._size = size
        self._start = start
        self._data = b""

    def take(self, at: int, length: int) -> bytes:
        """Return bytes of the file; fewer at its end."""
        if not (self._start <= at and at + length <= self._start + len(self._data)):
            self._start = max(0, at - _LOOKED_BACK)  # the walk looks some frames ahead and then returns
            self._data = read_at(self._file, self._start, _LOOKED_BACK + max(length, _READ))
        return self._data[at - self._start : at - self._start + length]

    def header(self, parser: FrameParser, at: int) -> FrameHeader | None:
        return parser(self.take(at, HEADER_BYTES), 0)

    def frame_at(self, parser: FrameParser, like: FrameHeader, at: int) -> bool:
        found = self.header(parser, at)
        return found is not None and found.kind == like.kind

    def followed(self, parser: FrameParser, at: int, header: FrameHeader, count: int) -> bool:
        """Return whether ``count`` frames, a tag or the end of the file follow a frame."""
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
        """Return whether a frame may be the last one: a tag follows, or zeros up to the end of the file."""
        if self.tag(at) > 0 or self._size - at < HEADER_BYTES:
            return True
        length = min(self._size - at, _ZEROS)
        return length == self._size - at and not self.take(at, length).strip(b"\0")

    def tag(self, at: int) -> int:
        """Return the length of the tag that begins here; 0 for none."""
        head = self.take(at, TAG_HEAD_BYTES)
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
