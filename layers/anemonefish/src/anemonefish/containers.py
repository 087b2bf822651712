"""Where the samples lie in a container of chunks, and how many bytes its header promises.

Owns the one question libsndfile does not answer: it shortens a cut-off file without a word, so the promise
of the header is read here and held against the object's real size. Knows RIFF, RF64/BW64, Sony Wave64 and
AIFF; other containers (FLAC) carry no such promise and are checked by decoding. Never decodes a sample.

Sources: Microsoft/IBM RIFF MCI (1991); EBU Tech 3306 (RF64); Sony Wave64 specification; Apple AIFF 1.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["AUDIO_EXTENSIONS", "DataChunk", "find_data_chunk"]

AUDIO_EXTENSIONS = frozenset({".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".flac"})
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
    """

    offset: int
    declared: int | None


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
        return _walk_riff(file, size)
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return _walk_aiff(file, size)
    if head[:16] == _W64_RIFF:
        return _walk_wave64(file, size)
    return None


def _walk_riff(file: BinaryIO, size: int) -> DataChunk | None:
    long_size: int | None = None
    offset = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(offset)
        head = file.read(8)
        if len(head) < 8 or offset >= size:
            return None
        name, length = struct.unpack("<4sI", head)
        if name == b"ds64":
            long_size = struct.unpack("<8xQ", file.read(16))[0]
        if name == b"data":
            declared = long_size if length == _UNKNOWN else length
            return DataChunk(offset + 8, declared)
        offset += 8 + length + (length & 1)
    return None


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
