"""Tags of ID3v2 and APEv2 that stand before the sound of a file, and how long they are.

Taggers write them before MP3 and AAC, and sometimes before FLAC. What an ID3v2 tag says is read by
:mod:`anemonefish.audio.headers.id3`.

Sources: id3.org (ID3v2.4); the APEv2 specification.
"""

from __future__ import annotations

import struct

from anemonefish.audio.seekable import BinaryFile, read_at

__all__ = ["TAG_HEAD_BYTES", "after_tags", "seven_bit_number", "tag_length"]

TAG_HEAD_BYTES = 32
"""Bytes of a tag that :func:`tag_length` needs."""


def after_tags(file: BinaryFile) -> int:
    """Return the offset after all tags at the beginning of a file.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    """
    offset = 0
    while length := tag_length(read_at(file, offset, TAG_HEAD_BYTES)):
        offset += length
    return offset


def tag_length(head: bytes | bytearray | memoryview) -> int:
    """Return the length in bytes of the ID3v2 or APEv2 tag that begins with ``head``; 0 where it begins no tag."""
    if bytes(head[:3]) == b"ID3" and len(head) >= 10 and max(head[3], head[4]) < 0xFF:
        return 10 + seven_bit_number(head[6:10]) + (10 if head[5] & 0x10 else 0)
    if bytes(head[:8]) == b"APETAGEX" and len(head) >= 24:
        size, flags = struct.unpack_from("<I4xI", head, 12)
        return int(size) + (32 if flags & 0x20000000 else 0)  # the length does not count the tag's own header
    return 0


def seven_bit_number(content: bytes | bytearray | memoryview) -> int:
    """Return a number of ID3v2, which uses seven bits of each byte so that it never looks like an MPEG frame."""
    number = 0
    for byte in content:
        number = number << 7 | byte & 0x7F
    return number
