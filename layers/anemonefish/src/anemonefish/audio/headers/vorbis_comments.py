"""Vorbis comments of FLAC and Ogg files, and the chunks of a WAV that a FLAC file keeps.

Sources: RFC 9639, sections 8.4 and 8.6 (FLAC); the FLAC registration of the application id ``riff``
(xiph.org/flac/id.html); RFC 3533 and RFC 7845 (Ogg, Opus); xiph.org, Vorbis I comment field.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from anemonefish.audio.headers.descriptive_chunks import decode_text
from anemonefish.audio.seekable import BinaryFile, read_at

__all__ = ["FLAC_COMMENTS", "flac_blocks", "ogg_comments", "vorbis_comments"]

_MOST_BYTES = 1 << 16
"""Most bytes that are read of a block: descriptions have a few hundred, and some writers reserve more."""

_MOST_BLOCKS = 256
"""Most blocks that are walked over: each may be a request to a store."""

FLAC_COMMENTS = 4
_FLAC_APPLICATION = 2


def flac_blocks(file: BinaryFile) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of the ``APPLICATION`` and ``VORBIS_COMMENT`` blocks of a FLAC file.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    """
    offset = 4
    for _ in range(_MOST_BLOCKS):
        head = read_at(file, offset, 4)
        if len(head) < 4:
            return
        kind, length = head[0] & 0x7F, int.from_bytes(head[1:], "big")
        if kind in {_FLAC_APPLICATION, FLAC_COMMENTS}:
            yield kind, read_at(file, offset + 4, min(length, _MOST_BYTES))
        offset += 4 + length
        if head[0] & 0x80:  # the last block
            return


def ogg_comments(file: BinaryFile) -> Iterator[tuple[str, str]]:
    """Yield the comments in an Ogg file: the second packet of its first stream, for Vorbis, Opus, Speex and FLAC.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    """
    head = read_at(file, 0, _MOST_BYTES)
    packets: list[bytes] = [b""]
    offset, serial = 0, head[14:18]
    while head[offset : offset + 4] == b"OggS" and len(packets) < 3:
        lacing = head[offset + 27 : offset + 27 + (head[offset + 26] if offset + 26 < len(head) else 0)]
        at = offset + 27 + len(lacing)
        for length in lacing if head[offset + 14 : offset + 18] == serial else b"":
            packets[-1] += head[at : at + length]
            at += length
            if length < 255:
                packets.append(b"")
        offset += 27 + len(lacing) + sum(lacing)
    if len(packets) < 2:
        return
    first, comments = packets[:2]
    for start, skipped in ((b"\x03vorbis", 7), (b"OpusTags", 8)):
        if comments.startswith(start):
            yield from vorbis_comments(comments[skipped:])
    if first[1:5] == b"FLAC" and comments[:1] and comments[0] & 0x7F == FLAC_COMMENTS:
        yield from vorbis_comments(comments[4:])
    if first.startswith(b"Speex   "):
        yield from vorbis_comments(comments)


def vorbis_comments(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield name, in capitals, and value of each comment of a block: a vendor, a count, and texts with lengths."""
    if len(content) < 8:
        return
    offset = 4 + struct.unpack_from("<I", content)[0] + 4
    while offset + 4 <= len(content):
        length = struct.unpack_from("<I", content, offset)[0]
        name, equals, value = decode_text(content[offset + 4 : offset + 4 + length]).partition("=")
        if equals:
            yield name.upper(), value.strip()
        offset += 4 + length
