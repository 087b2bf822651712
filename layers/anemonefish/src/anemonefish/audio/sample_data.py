"""The samples of a WAV, RF64, W64 or AIFF file as they really are: where they lie and how many there are.

Owns :func:`locate_samples`. Recorders write wrong lengths in many ways: the size of the whole file, 0, a placeholder,
the length of a header, half of the length, the lower 32 bits of a number that needs 33. The length in the header is
therefore compared with the size of the file:

* **The header promises more than there is.** If the header counted its own bytes, or holds a placeholder, the header is
  wrong. Otherwise the file ends early, and a note names the missing stretch.
* **There is more than the header promises.** What follows is a chain of chunks, padding, or samples. Whole chunks and
  padding are not read; everything else is samples, if it is longer than a few kilobytes.

In both cases all samples that are there are read, and a note says what was found. Nothing is decoded.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from anemonefish.audio.chunks import (
    SEARCHED_BYTES,
    DataChunk,
    chunks_to_the_end,
    find_data_chunk,
    is_chunk_name,
    length_beyond_32_bits,
)
from anemonefish.audio.sample_encoding import Encoding, is_extensible, read_comm, read_fmt
from anemonefish.audio.seekable import BinaryFile, read_at
from anemonefish.errors import TruncatedRecording
from anemonefish.notes import Note

__all__ = ["SampleData", "locate_samples"]

_LEFTOVER_BYTES = 1 << 16
"""Most bytes after the promised samples that count as leftovers: clusters of memory cards are no larger."""

_PLACEHOLDERS = (0x7F000000, 1 << 31, 1 << 32)
"""Lengths that programs write before they know the real one: SoX's, and the largest numbers of 31 and 32 bits."""

_PLACEHOLDER_TOLERANCE = 1 << 16

_LONGEST_SHORT_HEADER = 80
"""Bytes of the longest plain header (that of Wave64), which some programs count as samples."""

_MOST_BYTES = 1 << 62
"""Longer than any file: the placeholder of containers whose lengths have 64 bits."""

_PADDING = (0x00, 0xFF)
"""Bytes with which file systems and erased flash memory fill a file."""

_PROBES = 16
"""Places, besides both ends, that are compared before bytes count as padding."""

_TAGS = (b"ID3", b"TAG", b"APETAGEX")
"""First bytes of tags that programs append to a file."""

_LAST_CHUNK = re.compile(
    b"LIST|bext|iXML|cue |smpl|id3 |ID3 |guan|axml|_PMX|junk|JUNK|PAD |fact|inst|plst|ltxt|note|labl|adtl|acid|afsp|"
    b"wamd|NAME|ANNO|MARK"
)
"""Chunks that may follow the samples; they are searched for where the length of the samples is wrong."""


@dataclass(frozen=True, slots=True)
class SampleData:
    """The samples of a chunked file.

    Attributes
    ----------
    container : str
        libsndfile's name: ``WAV``, ``WAVEX``, ``RF64``, ``W64`` or ``AIFF``.
    offset, length : int
        Where they lie in the file, in bytes; the length is that of whole frames.
    encoding : Encoding
    notes : tuple of Note
        What is wrong in the header.
    """

    container: str
    offset: int
    length: int
    encoding: Encoding
    notes: tuple[Note, ...] = ()

    @property
    def frames(self) -> int:
        """Number of samples per channel."""
        return self.length // self.encoding.frame_bytes


def locate_samples(file: BinaryFile, size: int, name: str) -> SampleData | None:
    """Return the samples of a WAV, RF64, W64 or AIFF file; None for another container or codec.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    name : str
        Name of the recording in error messages.

    Raises
    ------
    UnreadableRecording
        Fields of the header contradict each other.
    TruncatedRecording
        The file ends before its first sample.
    """
    try:
        chunk = find_data_chunk(file, size)
        if chunk is None:
            return None
        found = _read_encoding(chunk, name)
    except struct.error:  # the file ends within its header
        return None
    if found is None:
        return None
    encoding, layout_notes = found
    if chunk.searched:
        layout_notes = (*layout_notes, _searched_note(chunk))
    length, length_notes = _real_length(file, size, chunk, encoding, name)
    container = "WAVEX" if chunk.container == "WAV" and is_extensible(chunk.format) else chunk.container
    return SampleData(container, chunk.offset, length, encoding, (*layout_notes, *length_notes))


def _read_encoding(chunk: DataChunk, name: str) -> tuple[Encoding, tuple[Note, ...]] | None:
    if chunk.container != "AIFF":
        return read_fmt(chunk.format, name)
    encoding = read_comm(chunk.format)
    return None if encoding is None else (encoding, ())


def _real_length(
    file: BinaryFile, size: int, chunk: DataChunk, encoding: Encoding, name: str
) -> tuple[int, tuple[Note, ...]]:
    """Return the bytes of the whole frames that are there, and notes on what the header says wrongly about them."""
    present, declared = max(0, size - chunk.offset), chunk.declared
    frame = encoding.frame_bytes
    if present < frame and (declared is None or declared <= present or _is_placeholder(declared)):
        return 0, (_no_samples_note(),)
    if declared is None:
        return present // frame * frame, ()
    if (long := length_beyond_32_bits(file, size, chunk)) is not None:
        return long // frame * frame, ()
    follows = "nothing" if declared > present else _what_follows(file, size, chunk, declared)
    if declared > present or (follows == "samples" and present - declared >= frame):
        # The stated length is wrong. Chunks at the end of the file are still no samples.
        whole = (_begin_of_last_chunks(file, size, chunk) - chunk.offset) // frame * frame
        if declared > present:
            return whole, (_too_long_note(chunk, declared, present, whole, encoding, name),)
        return whole, (_too_short_note(declared // frame, whole // frame),)
    kept = declared // frame * frame
    unread = _unread_notes(follows, chunk.offset + declared, present - declared)
    return kept, unread if kept else (_no_samples_note(), *unread)


# --- notes --------------------------------------------------------------------------------------------------------


def _searched_note(chunk: DataChunk) -> Note:
    return Note(
        "header-layout",
        f"a chunk in the header has a wrong length; the samples were found at byte {chunk.offset}",
        {"offset": chunk.offset},
    )


def _no_samples_note() -> Note:
    return Note("no-samples", "the recording has a header and no samples", {"samples": 0})


def _too_short_note(said: int, found: int) -> Note:
    return Note(
        "header-length",
        f"the header says {said} samples, but {found} are there; all of them were read",
        {"header_samples": said, "samples": found},
    )


def _unread_notes(follows: str, offset: int, length: int) -> tuple[Note, ...]:
    words = {"leftovers": "belong to no chunk", "more data": "are a second chunk of samples"}.get(follows)
    if words is None:
        return ()
    message = f"{length} bytes behind the samples, from byte {offset} on, {words} and were not read"
    return (Note("header-length", message, {"offset": offset, "bytes": length}),)


def _too_long_note(chunk: DataChunk, declared: int, present: int, whole: int, encoding: Encoding, name: str) -> Note:
    found, said = whole // encoding.frame_bytes, declared // encoding.frame_bytes
    numbers: dict[str, int | float | str] = {"header_samples": said, "samples": found}
    if declared - present <= _LONGEST_SHORT_HEADER or 0 <= chunk.offset - (declared - present) <= 8:
        words = f"the header counts its own bytes as samples ({said} instead of {found}); all {found} were read"
        return Note("header-length", words, numbers)
    if _is_placeholder(declared):
        words = f"the header was never filled in (it says {said} samples); the {found} that are there were read"
        return Note("header-length", words, numbers)
    if not found:
        raise TruncatedRecording(
            f"{name}: the header promises {declared} bytes of samples from byte {chunk.offset} on, but the file ends "
            f"at byte {chunk.offset + present}; copy the file again from the recorder"
        )
    rate = encoding.sample_rate
    return Note(
        "ends-early",
        f"the header promises {said} samples, but the file ends at byte {chunk.offset + present}, after {found}; "
        f"{(said - found) / rate:.6f} s from {found / rate:.6f} s on are missing",
        {**numbers, "start_sample": found, "stop_sample": said, "sample_rate": rate},
    )


# --- what follows the samples -------------------------------------------------------------------------------------


def _is_placeholder(declared: int) -> bool:
    near = any(abs(declared - placeholder) <= _PLACEHOLDER_TOLERANCE for placeholder in _PLACEHOLDERS)
    return near or declared >= _MOST_BYTES


def _what_follows(file: BinaryFile, size: int, chunk: DataChunk, declared: int) -> str:
    """Return what the bytes after the promised samples are, in one of the words that are compared above."""
    end = chunk.offset + declared
    end += -end % 8 if chunk.container == "W64" else 0  # chunks of Wave64 are aligned
    rest = size - end
    beginning = read_at(file, end, min(max(0, rest), _LEFTOVER_BYTES))
    if rest <= 1:
        return "nothing"
    if _begins_chunk(beginning, end, size, chunk.container):
        return "more data" if {b"data", b"SSND"} & {beginning[:4], beginning[1:5]} else "chunks"
    if beginning.count(beginning[0]) == len(beginning) and beginning[0] in _PADDING:
        if _is_filled(file, end, size, beginning[0]):
            return "padding"
        # Either silent samples after a length that was never filled in, or what an older file left on the card.
        return "samples" if declared < _LEFTOVER_BYTES < rest else "leftovers"
    if beginning.startswith(_TAGS):
        return "leftovers"
    return "leftovers" if rest <= min(declared, _LEFTOVER_BYTES) else "samples"


def _is_filled(file: BinaryFile, start: int, size: int, byte: int) -> bool:
    """Return whether one byte fills a file up to its end, judged by some places and by the end."""
    places = [start + (size - start) * number // _PROBES for number in range(_PROBES)]
    probes = [
        *(read_at(file, place, _LEFTOVER_BYTES // _PROBES) for place in places),
        read_at(file, max(start, size - _LEFTOVER_BYTES), _LEFTOVER_BYTES),
    ]
    return not any(probe.strip(bytes([byte])) for probe in probes)


def _begin_of_last_chunks(file: BinaryFile, size: int, chunk: DataChunk) -> int:
    """Return where the chain of chunks begins that ends with the file; the end of the file where there is none."""
    if chunk.container == "W64":
        return size
    begin = max(chunk.offset, size - SEARCHED_BYTES)
    tail = read_at(file, begin, size - begin)
    order = ">" if chunk.container == "AIFF" else "<"
    places = [match.start() for match in _LAST_CHUNK.finditer(tail)]
    return next((begin + at for at in places if chunks_to_the_end(file, begin + at, size, order)), size)


def _begins_chunk(head: bytes, offset: int, size: int, container: str) -> bool:
    """Return whether a chunk begins here that fits into the file."""
    if container == "W64":
        return len(head) >= 24 and 24 <= int.from_bytes(head[16:24], "little") <= size - offset
    order = ">" if container == "AIFF" else "<"
    for skipped in (0, 1):  # with and without a padding byte
        here = head[skipped : skipped + 8]
        if len(here) == 8 and is_chunk_name(here[:4]):
            length = struct.unpack(f"{order}I", here[4:])[0]
            if offset + skipped + 8 + length <= size + 1:
                return True
    return False
