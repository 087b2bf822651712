"""Tags of Matroska and WebM files.

``DateUTC`` is left out on purpose: it is the time at which the file was written, and every conversion changes it.

Sources: RFC 9559 (Matroska tags); RFC 8794 (EBML).
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from anemonefish.audio.headers.descriptive_chunks import decode_text
from anemonefish.audio.seekable import BinaryFile, read_at

__all__ = ["matroska_tags"]

_MOST_BYTES = 1 << 16
_MOST_ELEMENTS = 256

_SEGMENT, _CLUSTER, _TAGS, _TAG, _SIMPLE_TAG = 0x18538067, 0x1F43B675, 0x1254C367, 0x7373, 0x67C8
_TAG_NAME, _TAG_STRING = 0x45A3, 0x4487


def matroska_tags(file: BinaryFile, size: int) -> Iterator[tuple[str, str]]:
    """Yield name and text of the tags before the sound; to read those after it would need a walk through all of it.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    """
    segment = next(((start, stop) for name, start, stop in _elements(file, 0, size) if name == _SEGMENT), (0, 0))
    for name, start, stop in _elements(file, *segment):
        if name == _CLUSTER:
            return
        if name == _TAGS:
            content = read_at(file, start, min(stop - start, _MOST_BYTES))
            yield from _simple_tags(io.BytesIO(content), len(content))


def _simple_tags(file: BinaryFile, size: int) -> Iterator[tuple[str, str]]:
    for tag, first, last in _elements(file, 0, size):
        for simple, begin, end in _elements(file, first, last) if tag == _TAG else ():
            if simple == _SIMPLE_TAG:
                texts = {
                    name: decode_text(read_at(file, at, until - at)) for name, at, until in _elements(file, begin, end)
                }
                yield texts.get(_TAG_NAME, ""), texts.get(_TAG_STRING, "")


def _elements(file: BinaryFile, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Yield the identifier of each EBML element between two offsets, and where its content begins and ends."""
    for _ in range(_MOST_ELEMENTS):
        head = read_at(file, start, 12) if start < stop else b""
        if not head or not head[0]:
            return
        letters = 9 - head[0].bit_length()
        name, rest = int.from_bytes(head[:letters], "big"), head[letters:]
        if letters > 4 or not rest or not rest[0]:
            return
        width = 9 - rest[0].bit_length()
        length = int.from_bytes(rest[:width], "big") & ((1 << 7 * width) - 1)
        begin = start + letters + width
        endless = length == (1 << 7 * width) - 1  # the writer of a live stream does not know the length
        yield name, begin, stop if endless else min(stop, begin + length)
        if endless:
            return
        start = begin + length
