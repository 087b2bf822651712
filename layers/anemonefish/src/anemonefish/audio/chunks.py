"""Walk over the chunks of WAV, RF64/BW64, Sony Wave64 and AIFF files, and find the chunk that holds the samples.

Owns the three walks (:func:`riff_chunks`, :func:`wave64_chunks`, :func:`aiff_chunks`) and :func:`find_data_chunk`. What
a data chunk says about its length is often wrong; :mod:`anemonefish.audio.sample_data` corrects it.

Sources: Microsoft/IBM RIFF MCI (1991); EBU Tech 3306 (RF64); ITU-R BS.2088 (BW64); Sony Wave64 specification; Apple
AIFF 1.3 and AIFF-C.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from anemonefish.audio.formats import HEAD_BYTES, container_name
from anemonefish.audio.seekable import BinaryFile, read_at

__all__ = [
    "SEARCHED_BYTES",
    "Chunk",
    "DataChunk",
    "aiff_chunks",
    "chunks_to_the_end",
    "end_of_data",
    "find_data_chunk",
    "is_chunk_name",
    "length_beyond_32_bits",
    "riff_chunks",
    "wave64_chunks",
]

SEARCHED_BYTES = 1 << 16
"""How many bytes are searched for a chunk that the chunks before it do not lead to."""

_MOST_CHUNKS = 4096  # more chunks than any real file has
_MOST_LAST_CHUNKS = 16
"""Chunks followed after the samples: every place where such a chunk may begin is tried."""

_MOST_FORMAT_BYTES = 64
_W64_HEAD = 24  # a GUID of 16 bytes and a length, which counts itself
_W64_FORMAT = bytes.fromhex("666d7420f3acd3118cd100c04f8edb8a")
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
_UNKNOWN = 0xFFFFFFFF
_WRAP = 1 << 32


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk of a file.

    Attributes
    ----------
    name : bytes
        Four letters; the GUID of 16 bytes in Wave64.
    offset : int
        Of the first byte of its content, in the file.
    length : int or None
        Bytes of its content; None where it has no end but that of the file.
    """

    name: bytes
    offset: int
    length: int | None


@dataclass(frozen=True, slots=True)
class DataChunk:
    """Where the sample data begins, and what the header says about it.

    Attributes
    ----------
    container : str
        ``WAV``, ``RF64``, ``W64`` or ``AIFF``.
    offset : int
        Offset of the first sample byte in the file.
    declared : int or None
        Length in bytes as the header states it; None where the writer could not know it (a stream).
    format : bytes
        Content of the ``fmt`` chunk (RIFF, Wave64) or of ``COMM`` (AIFF).
    searched : bool
        Whether the samples were found by a search, because a length or an offset in the header is wrong.
    """

    container: str
    offset: int
    declared: int | None
    format: bytes = b""
    searched: bool = False


def find_data_chunk(file: BinaryFile, size: int) -> DataChunk | None:
    """Return the data chunk of a WAV, RF64, W64 or AIFF file, or None for any other file.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes; the walk stops there.

    Raises
    ------
    struct.error
        The file ends within its header.
    """
    container = container_name(read_at(file, 0, HEAD_BYTES))
    if container in {"WAV", "RF64"}:
        return _find_in_riff(file, size, str(container))
    if container == "AIFF":
        return _find_in_aiff(file, size)
    if container == "W64":
        return _find_in_wave64(file, size)
    return None


def end_of_data(file: BinaryFile, size: int) -> int | None:
    """Return the offset of the chunk after the samples; None where the header does not state it.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    """
    try:
        chunk = find_data_chunk(file, size)
    except struct.error:  # the file ends within its header
        return None
    if chunk is None or not chunk.declared:
        return None
    length = length_beyond_32_bits(file, size, chunk) or chunk.declared
    return chunk.offset + length + (length & 1)


def length_beyond_32_bits(file: BinaryFile, size: int, chunk: DataChunk) -> int | None:
    """Return the real length of a plain WAV's samples where 32 bits cannot hold it; None where they can.

    Recorders continue writing beyond 4 GiB, where the length in the header starts again at 0. All bytes up to the end
    of the file are then samples, unless a chain of chunks ends exactly there.
    """
    present, declared = size - chunk.offset, chunk.declared or 0
    if chunk.container != "WAV" or present < _WRAP or present - declared < _WRAP:
        return None
    candidate = declared + ((present - declared) >> 32 << 32)
    if declared and chunks_to_the_end(file, chunk.offset + candidate + (candidate & 1), size):
        return candidate
    return present


def riff_chunks(file: BinaryFile, size: int, start: int = 12) -> Iterator[Chunk]:
    """Yield the chunks of a WAV or RF64 file in order, those after the samples included.

    A chunk of odd length may lack its padding byte; the chunk after it is found nevertheless.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes; the walk stops there.
    start : int
        Offset of the first chunk.
    """
    long_size: int | None = None
    offset = start
    for _ in range(_MOST_CHUNKS):
        if offset >= size or len(head := read_at(file, offset, 8)) < 8:
            return
        name, length = struct.unpack("<4sI", head)
        if name == b"ds64" and len(sizes := file.read(16)) == 16:
            long_size = struct.unpack("<8xQ", sizes)[0]
        known = long_size if name == b"data" and length == _UNKNOWN else length
        yield Chunk(name, offset + 8, known)
        if known is None:
            return
        offset = _next_chunk(file, offset + 8, known, size, "<")


def aiff_chunks(file: BinaryFile, size: int) -> Iterator[Chunk]:
    """Yield the chunks of an AIFF file in order; parameters as of :func:`riff_chunks`."""
    offset = 12
    for _ in range(_MOST_CHUNKS):
        if offset >= size or len(head := read_at(file, offset, 8)) < 8:
            return
        name, length = struct.unpack(">4sI", head)
        yield Chunk(name, offset + 8, length)
        offset = _next_chunk(file, offset + 8, length, size, ">")


def wave64_chunks(file: BinaryFile, size: int) -> Iterator[Chunk]:
    """Yield the chunks of a Wave64 file in order, named by their GUIDs; parameters as of :func:`riff_chunks`."""
    offset = 40
    for _ in range(_MOST_CHUNKS):
        if offset >= size or len(head := read_at(file, offset, _W64_HEAD)) < _W64_HEAD:
            return
        name, length = struct.unpack("<16sQ", head)
        yield Chunk(name, offset + _W64_HEAD, max(0, length - _W64_HEAD))
        if length < _W64_HEAD:
            return
        offset += (length + 7) & ~7  # lengths include the 24 bytes of the head; chunks are aligned to 8 bytes


def is_chunk_name(name: bytes) -> bool:
    """Return whether four bytes can be the name of a chunk; samples seldom look like one."""
    return len(name) == 4 and all(32 <= letter < 127 for letter in name)


def chunks_to_the_end(file: BinaryFile, offset: int, size: int, order: str = "<") -> bool:
    """Return whether a chain of chunks begins at an offset and leads exactly to the end of the file.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    offset : int
    size : int
        Length of the file in bytes.
    order : {"<", ">"}
        Byte order of the lengths, as of :mod:`struct`.
    """
    for _ in range(_MOST_LAST_CHUNKS):
        if offset >= size:
            return offset - size <= 1  # a last chunk may lack its padding byte
        head = read_at(file, offset, 8)
        if len(head) < 8 or not is_chunk_name(head[:4]):
            return False
        offset = _next_chunk(file, offset + 8, struct.unpack(f"{order}I", head[4:])[0], size, order)
    return False


def _next_chunk(file: BinaryFile, offset: int, length: int, size: int, order: str) -> int:
    """Return the offset of the chunk after the one whose content begins at ``offset``."""
    end = offset + length
    if not length & 1:
        return end
    head = read_at(file, end, 8)
    if len(head) == 8 and head[0] and is_chunk_name(head[:4]):  # a padding byte is nearly always zero
        fits = end + 8 + int(struct.unpack(f"{order}4xI", head)[0]) <= size + 1
        if fits or not is_chunk_name(read_at(file, end + 1, 4)):
            return end
    return end + 1


def _find_in_riff(file: BinaryFile, size: int, container: str) -> DataChunk | None:
    form = b""
    data: DataChunk | None = None
    for chunk in riff_chunks(file, size):
        if chunk.name == b"fmt " and not form:  # like FFmpeg, take the first of several
            form = read_at(file, chunk.offset, min(chunk.length or 0, _MOST_FORMAT_BYTES))
        if chunk.name == b"data" and data is None:
            is_doubled = chunk.length == 0 and read_at(file, chunk.offset, 4) == b"data"
            data = None if is_doubled else DataChunk(container, chunk.offset, chunk.length)
        if data is not None and form:
            return replace(data, format=form)
    return _search_data_chunk(file, container)


def _search_data_chunk(file: BinaryFile, container: str) -> DataChunk | None:
    """Search for ``fmt`` and ``data`` where a chunk before them states a wrong length."""
    head = read_at(file, 0, SEARCHED_BYTES)
    begin = head.find(b"fmt ", 12)
    if begin < 0:
        return None
    length = int.from_bytes(head[begin + 4 : begin + 8], "little")
    form = head[begin + 8 :][: min(length, _MOST_FORMAT_BYTES)]
    at = head.find(b"data", begin + 8 + 16)
    if at < 0 or len(form) < 16 or at + 8 > len(head):
        return None
    return DataChunk(container, at + 8, int.from_bytes(head[at + 4 : at + 8], "little"), form, searched=True)


def _find_in_aiff(file: BinaryFile, size: int) -> DataChunk | None:
    form = b""
    data: DataChunk | None = None
    for chunk in aiff_chunks(file, size):
        length = chunk.length or 0
        if chunk.name == b"COMM":
            form = read_at(file, chunk.offset, min(length, _MOST_FORMAT_BYTES))
        if chunk.name == b"SSND":
            # Before the samples, the chunk holds an offset to them and a block size, four bytes each.
            head = read_at(file, chunk.offset, 8)
            if len(head) < 8:
                break
            begin, skipped = chunk.offset + 8, int.from_bytes(head[:4], "big")
            is_wrong = skipped > max(0, length - 8) and begin + skipped >= size
            skipped = 0 if is_wrong else skipped
            data = DataChunk("AIFF", begin + skipped, max(0, length - 8 - skipped), searched=is_wrong)
        if data is not None and form:
            break
    return None if data is None else replace(data, format=form)


def _find_in_wave64(file: BinaryFile, size: int) -> DataChunk | None:
    form = b""
    for chunk in wave64_chunks(file, size):
        length = chunk.length or 0
        if chunk.name == _W64_FORMAT:
            form = read_at(file, chunk.offset, min(length, _MOST_FORMAT_BYTES))
        if chunk.name == _W64_DATA:
            return DataChunk("W64", chunk.offset, length, form)
    return None
