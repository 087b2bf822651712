"""Which containers there are, where the samples lie in them, and how many bytes their headers promise.

Owns the one registry of formats: what a file is, by its first bytes and never by its name, and whether any sample of
it can be entered without decoding what lies before. It also owns a question that libsndfile does not answer: that
library shortens a cut-off file without a word, so the promise of a header is read here and held against the object's
real size. It knows the chunks of RIFF, RF64/BW64, Sony Wave64 and AIFF; other containers carry no such promise. Never
decodes a sample.

Sources: Microsoft/IBM RIFF MCI (1991); EBU Tech 3306 (RF64); Sony Wave64 specification; Apple AIFF 1.3; RFC 9639
(FLAC); RFC 3533 (Ogg); ISO/IEC 11172-3 (MPEG audio); ISO/IEC 14496-12 (MP4); RFC 8794 (EBML); id3.org (ID3v2.4).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

__all__ = [
    "AUDIO_EXTENSIONS",
    "CONTAINERS",
    "Chunk",
    "Container",
    "DataChunk",
    "find_data_chunk",
    "recognise",
    "rf64_header",
    "riff_chunks",
]


@dataclass(frozen=True, slots=True)
class Container:
    """A file format.

    Attributes
    ----------
    name : str
    extensions : tuple of str
        What its files are called.
    exact : bool
        Whether any sample can be entered by itself. Recordings in the others are transcoded first.
    """

    name: str
    extensions: tuple[str, ...]
    exact: bool


CONTAINERS = {
    each.name: each
    for each in (
        Container("WAV", (".wav", ".wave", ".bwf"), exact=True),
        Container("RF64", (".rf64", ".bw64"), exact=True),
        Container("W64", (".w64",), exact=True),
        Container("AIFF", (".aif", ".aiff", ".aifc"), exact=True),
        Container("FLAC", (".flac",), exact=True),
        Container("OGG", (".ogg", ".oga", ".opus"), exact=False),
        Container("MP3", (".mp3",), exact=False),
        Container("MP4", (".m4a", ".mp4"), exact=False),
        Container("AAC", (".aac",), exact=False),
        Container("WEBM", (".webm", ".mka"), exact=False),
    )
}
"""Every container by its name."""

AUDIO_EXTENSIONS = frozenset(extension for each in CONTAINERS.values() for extension in each.extensions)
"""What recordings are called: looked for in a folder, asked for in an upload. A file that a user names on the command
line is opened whatever it is called."""

_MAX_CHUNKS = 4096  # a header with more is not a header
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
_UNKNOWN = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class DataChunk:
    """Where the sample data begins and how long the header says it is.

    Attributes
    ----------
    offset : int
        Offset of the first sample byte in the file.
    declared : int or None
        Promised length in bytes; None where the writer could not know it (a stream).
    wrapped : bool
        Whether a plain WAV holds more than its 32-bit header can say; ``declared`` then counts what is there.
    format : bytes
        Content of the ``fmt`` chunk of a RIFF file.
    """

    offset: int
    declared: int | None
    wrapped: bool = False
    format: bytes = b""


def recognise(file: BinaryIO) -> Container | None:
    """Return the container of a file by its first bytes, or None for what is no recording.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    """
    head = _after_id3(file)
    name = next((name for name, fits in _SIGNATURES if fits(head)), None)
    return None if name is None else CONTAINERS[name]


def _after_id3(file: BinaryIO) -> bytes:
    """Return the first bytes behind any ID3v2 tags: those stand before MP3, AAC and, here and there, FLAC."""
    offset = 0
    while True:
        file.seek(offset)
        head = file.read(16)
        if head[:3] != b"ID3" or len(head) < 10:
            return head
        # Seven bits of each of four bytes, so that no player takes a length for the start of a frame.
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        offset += 10 + size + (10 if head[5] & 0x10 else 0)


def _is_mpeg_frame(head: bytes, layers: set[int]) -> bool:
    """Say whether a frame of MPEG audio begins: eleven bits set, then a version, a layer, rates that exist."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return layer in layers and version != 1 and (layer == 0 or (head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3))


_SIGNATURES: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("WAV", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WAVE"),
    ("RF64", lambda head: head[:4] in {b"RF64", b"BW64"} and head[8:12] == b"WAVE"),
    ("W64", lambda head: head[:16] == _W64_RIFF),
    ("AIFF", lambda head: head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}),
    ("FLAC", lambda head: head[:4] == b"fLaC"),
    ("OGG", lambda head: head[:4] == b"OggS"),
    ("MP4", lambda head: head[4:8] == b"ftyp"),
    ("WEBM", lambda head: head[:4] == b"\x1aE\xdf\xa3"),
    ("AAC", lambda head: _is_mpeg_frame(head, {0}) and head[1] & 0xF0 == 0xF0),
    ("MP3", lambda head: _is_mpeg_frame(head, {1, 2, 3})),
)


def find_data_chunk(file: BinaryIO, size: int) -> DataChunk | None:
    """Return the data chunk of a WAV, RF64, W64 or AIFF file, or None for anything else.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes; the walk stops there.
    """
    file.seek(0)
    head = file.read(40)
    if head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:12] == b"WAVE":
        return _walk_riff(file, size, plain=head[:4] == b"RIFF")
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return _walk_aiff(file, size)
    if head[:16] == _W64_RIFF:
        return _walk_wave64(file, size)
    return None


def rf64_header(chunk: DataChunk) -> bytes:
    """Return a header that says in 64 bits what a wrapped one could not; samples follow it at once."""
    length = chunk.declared or 0
    form = chunk.format + b"\0" * (len(chunk.format) & 1)
    block = struct.unpack_from("<H", chunk.format, 12)[0]
    body = b"WAVE" + struct.pack("<4sIQQQI", b"ds64", 28, 72 + len(form) + length, length, length // max(1, block), 0)
    body += struct.pack("<4sI", b"fmt ", len(chunk.format)) + form + struct.pack("<4sI", b"data", _UNKNOWN)
    return struct.pack("<4sI", b"RF64", _UNKNOWN) + body


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a RIFF file: its name, where its content begins, and its length; None for what goes to the end."""

    name: bytes
    offset: int
    length: int | None


def riff_chunks(file: BinaryIO, size: int) -> Iterator[Chunk]:
    """Yield the chunks of a WAV or RF64 file in order, those behind the samples included.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes; the walk stops there.
    """
    long_size: int | None = None
    offset = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(offset)
        head = file.read(8)
        if len(head) < 8 or offset >= size:
            return
        name, length = struct.unpack("<4sI", head)
        if name == b"ds64" and len(sizes := file.read(16)) == 16:
            long_size = struct.unpack("<8xQ", sizes)[0]
        known = long_size if name == b"data" and length == _UNKNOWN else length
        yield Chunk(name, offset + 8, known)
        if known is None:
            return
        offset += 8 + known + (known & 1)


def _walk_riff(file: BinaryIO, size: int, *, plain: bool) -> DataChunk | None:
    form = b""
    for chunk in riff_chunks(file, size):
        if chunk.name == b"fmt ":
            file.seek(chunk.offset)
            form = file.read(min(chunk.length or 0, 64))
        if chunk.name == b"data":
            found = DataChunk(chunk.offset, chunk.length, format=form)
            return _unwrapped(file, size, found) if plain and len(form) >= 16 else found
    return None


def _unwrapped(file: BinaryIO, size: int, found: DataChunk) -> DataChunk:
    """Return how much a plain WAV really holds: recorders write on past 4 GiB, where the header's length wraps.

    The object's size is trusted. Only what is a chain of chunks down to the last byte is taken for something else than
    samples.
    """
    present = size - found.offset
    if present < 1 << 32 or (found.declared is not None and present - found.declared < 1 << 32):
        return found
    length = present
    if found.declared:
        candidate = found.declared + ((present - found.declared) >> 32 << 32)
        if _chunks_to_the_end(file, found.offset + candidate + (candidate & 1), size):
            length = candidate
    block = max(1, struct.unpack_from("<H", found.format, 12)[0])
    return DataChunk(found.offset, length // block * block, wrapped=True, format=found.format)


def _chunks_to_the_end(file: BinaryIO, offset: int, size: int) -> bool:
    for _ in range(_MAX_CHUNKS):
        if offset >= size:
            return offset - size <= 1  # a last chunk's padding may be left out
        file.seek(offset)
        head = file.read(8)
        if len(head) < 8 or not all(32 <= letter < 127 for letter in head[:4]):
            return False
        length = struct.unpack("<I", head[4:])[0]
        offset += 8 + length + (length & 1)
    return False


def _walk_aiff(file: BinaryIO, size: int) -> DataChunk | None:
    offset = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(offset)
        head = file.read(16)
        if len(head) < 16 or offset >= size:
            return None
        name, length, skipped = struct.unpack(">4sII", head[:12])
        if name == b"SSND":
            # The chunk begins with an offset and a block size, four bytes each, before the samples.
            return DataChunk(offset + 16 + skipped, max(0, length - 8 - skipped))
        offset += 8 + length + (length & 1)
    return None


def _walk_wave64(file: BinaryIO, size: int) -> DataChunk | None:
    offset = 40
    for _ in range(_MAX_CHUNKS):
        file.seek(offset)
        head = file.read(24)
        if len(head) < 24 or offset >= size:
            return None
        name, length = struct.unpack("<16sQ", head)
        if name == _W64_DATA:
            return DataChunk(offset + 24, length - 24)
        if length < 24:
            return None
        offset += (length + 7) & ~7  # lengths include the 24 bytes of the head; chunks are aligned to 8
    return None
