"""Tags of MP4 and QuickTime files: the date and the comment of a recording.

``creation_time`` is left out on purpose: it is the time at which the file was written, and every conversion changes it.

Sources: ISO/IEC 14496-12 and Apple's QuickTime File Format (``moov``, ``meta``, ``ilst``, ``keys``).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from itertools import islice

from anemonefish.audio.headers.descriptive_chunks import decode_text
from anemonefish.audio.seekable import BinaryFile, read_at

__all__ = ["mp4_tags"]

_MOST_BYTES = 1 << 16
_MOST_BOXES = 256
_MOST_TAG_LISTS = 4

_TAG_NAMES = {
    b"\xa9day": "DATE",
    b"\xa9cmt": "COMMENT",
    b"com.apple.quicktime.creationdate": "CREATIONDATE",
    b"com.apple.quicktime.comment": "COMMENT",
}


def mp4_tags(file: BinaryFile, size: int) -> Iterator[tuple[str, str]]:
    """Yield name and text of the known tags.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    """
    for first, last in islice(_meta_boxes(file, size), _MOST_TAG_LISTS):
        # The list is read at once and walked in memory, so that a file with many small boxes costs one read.
        content = read_at(file, first, min(last - first, _MOST_BYTES))
        yield from _tags_of_meta(io.BytesIO(content), len(content))


def _meta_boxes(file: BinaryFile, size: int) -> Iterator[tuple[int, int]]:
    """Yield where the content of each ``meta`` box begins and ends: in ``moov``, and in ``udta`` within it."""
    moov = next(((start, stop) for name, start, stop in _boxes(file, 0, size) if name == b"moov"), (0, 0))
    inside = list(_boxes(file, *moov))
    yield from ((start, stop) for name, start, stop in inside if name == b"meta")
    for start, stop in islice(((start, stop) for name, start, stop in inside if name == b"udta"), _MOST_TAG_LISTS):
        yield from ((first, last) for name, first, last in _boxes(file, start, stop) if name == b"meta")


def _boxes(file: BinaryFile, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each box between two offsets, and where its content begins and ends."""
    for _ in range(_MOST_BOXES):
        if start + 8 > stop or len(head := read_at(file, start, 16)) < 8:
            return
        length, name = struct.unpack_from(">I4s", head)
        begin = start + 8
        if length == 1 and len(head) == 16:
            length, begin = struct.unpack_from(">Q", head, 8)[0], start + 16
        end = stop if length == 0 else start + length
        if end <= start + 7:
            return
        yield name, begin, min(end, stop)
        start = end


def _tags_of_meta(file: BinaryFile, size: int) -> Iterator[tuple[str, str]]:
    """Yield the tags of a ``meta`` box, named by four letters or by the number of a name in ``keys``."""
    start = 0 if read_at(file, 4, 4) == b"hdlr" else 4  # QuickTime writes no version before the boxes
    names: list[bytes] = []
    for name, first, last in _boxes(file, start, size):
        if name == b"keys":
            names = _names_of_keys(read_at(file, first, last - first))
        for item, begin, end in _boxes(file, first, last) if name == b"ilst" else ():
            number = int.from_bytes(item, "big") - 1
            known = _TAG_NAMES.get(names[number] if number < len(names) else item)
            data = read_at(file, begin, end - begin)
            if known and data[4:8] == b"data":
                yield known, decode_text(data[16:])


def _names_of_keys(content: bytes) -> list[bytes]:
    names, offset = [], 8
    while offset + 8 <= len(content):
        length = struct.unpack_from(">I", content, offset)[0]
        if length < 8:
            break
        names.append(content[offset + 8 : offset + length])
        offset += length
    return names
