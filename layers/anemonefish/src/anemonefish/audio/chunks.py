"""Where the samples of a chunked file lie, how they are stored, and how many of them there really are.

Owns WAV, RF64/BW64, Sony Wave64 and AIFF: the walk over their chunks, the layout of a sample, and the length of the
sample data. Recorders write wrong lengths in every way: the size of the whole file, nothing, a placeholder, the length
of a header, half of the truth, 32 bits of a number that needs 33. So a header's length is held against the object's
size:

* **more is promised than there is**: a header that counted its own bytes, or a placeholder, is a header that is wrong;
  otherwise the file ends early, and the missing stretch is named.
* **more is there than promised**: what follows is a chain of chunks, padding, or samples. Whole chunks and zeros are
  left alone; everything else, if it is more than a trifle, is samples.

Either way what is there is read and a note says what was found. Fields that contradict each other are resolved as
FFmpeg does where a majority of them agrees with it, and refused otherwise: a wrong layout turns every sample into
noise. Never decodes a sample.

Sources: Microsoft/IBM RIFF MCI (1991); Microsoft, WAVEFORMATEXTENSIBLE; EBU Tech 3306 (RF64); ITU-R BS.2088 (BW64);
Sony Wave64 specification; Apple AIFF 1.3 and AIFF-C; FFmpeg's ``libavformat/riffdec.c`` for its rule.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from anemonefish.errors import TruncatedRecording, UnreadableRecording
from anemonefish.notes import Note

__all__ = [
    "Chunk",
    "DataChunk",
    "Encoding",
    "SampleData",
    "end_of_data",
    "find_data_chunk",
    "locate_samples",
    "riff_chunks",
]

_MOST_CHUNKS = 4096  # a header with more is not a header
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_FORMAT = bytes.fromhex("666d7420f3acd3118cd100c04f8edb8a")
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
_UNKNOWN = 0xFFFFFFFF
_WRAP = 1 << 32

_SEARCHED_BYTES = 1 << 16
"""How far a data chunk is looked for that the chunks before it do not lead to."""

_TRIFLE = 1 << 16
"""Bytes behind the promised samples that are taken for leftovers: clusters of memory cards are no larger."""

_PLACEHOLDERS = (0x7F000000, 1 << 31, 1 << 32)
"""Lengths that programs write before they know the real one, or nearly so: SoX's, and the largest of 31 and 32 bits."""

_NEARLY = 1 << 16

_COUNTED = 80
"""Bytes of the shortest headers, W64's among them, that programs count as samples."""

_MOST_BYTES = 1 << 62
"""No file is as long as this: it is the placeholder of containers whose lengths have 64 bits."""

_PADDING = (0x00, 0xFF)
"""Bytes that file systems and erased flash memory fill up with."""

_PROBES = 16
"""Places at which padding is looked at, besides its ends, before it is believed."""

_TAGS = (b"ID3", b"TAG", b"APETAGEX")
"""How tags begin that taggers append behind everything."""

_BEHIND = (
    b"LIST", b"bext", b"iXML", b"cue ", b"smpl", b"id3 ", b"ID3 ", b"guan", b"axml", b"_PMX", b"junk", b"JUNK", b"PAD ",
    b"fact", b"inst", b"plst", b"ltxt", b"note", b"labl", b"adtl", b"acid", b"afsp", b"wamd", b"NAME", b"ANNO", b"MARK",
)  # fmt: skip
"""Chunks that stand behind samples; looked for where the length of the samples is wrong."""

_MOST_BEHIND = 16
"""Chunks behind the samples that are followed: each place where one may begin is tried."""

_BEHIND_PATTERN = re.compile(b"|".join(map(re.escape, _BEHIND)))

_EXTENSIBLE = 0xFFFE
_PCM, _FLOAT, _ALAW, _ULAW = 1, 3, 6, 7
_CODECS = {
    (_PCM, 1): "PCM_U8", (_PCM, 2): "PCM_16", (_PCM, 3): "PCM_24", (_PCM, 4): "PCM_32",
    (_FLOAT, 4): "FLOAT", (_FLOAT, 8): "DOUBLE", (_ALAW, 1): "ALAW", (_ULAW, 1): "ULAW",
}  # fmt: skip
_AIFC_CODECS = {
    **{
        (name, width): codec
        for name in (b"NONE", b"twos", b"sowt")
        for width, codec in enumerate(("PCM_S8", "PCM_16", "PCM_24", "PCM_32"), 1)
    },
    (b"in24", 3): "PCM_24", (b"in32", 4): "PCM_32", (b"42ni", 3): "PCM_24", (b"23ni", 4): "PCM_32",
    (b"raw ", 1): "PCM_U8",
    (b"fl32", 4): "FLOAT", (b"fl64", 8): "DOUBLE", (b"alaw", 1): "ALAW", (b"ulaw", 1): "ULAW",
}  # fmt: skip
_LITTLE_ENDIAN_AIFC = frozenset({b"sowt", b"42ni", b"23ni"})


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a RIFF file: its name, where its content begins, and its length; None for what goes to the end."""

    name: bytes
    offset: int
    length: int | None


@dataclass(frozen=True, slots=True)
class DataChunk:
    """Where the sample data begins and what the header says about it.

    Attributes
    ----------
    container : str
        ``WAV``, ``RF64``, ``W64`` or ``AIFF``.
    offset : int
        Offset of the first sample byte in the file.
    declared : int or None
        Promised length in bytes; None where the writer could not know it (a stream).
    format : bytes
        Content of the ``fmt`` chunk (RIFF, Wave64) or of ``COMM`` (AIFF).
    searched : bool
        Whether the chunks before it do not lead to it, or its own head not to the samples, so that they were searched.
    """

    container: str
    offset: int
    declared: int | None
    format: bytes = b""
    searched: bool = False


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a sample is stored.

    Attributes
    ----------
    codec : str
        libsndfile's name, e.g. ``PCM_24``.
    channels, sample_rate : int
    frame_bytes : int
        Bytes of one sample of all channels.
    big_endian : bool
    """

    codec: str
    channels: int
    sample_rate: int
    frame_bytes: int
    big_endian: bool = False


@dataclass(frozen=True, slots=True)
class SampleData:
    """The samples of a chunked file as they really are.

    Attributes
    ----------
    container : str
        libsndfile's name: ``WAV``, ``WAVEX``, ``RF64``, ``W64`` or ``AIFF``.
    offset, length : int
        Where they lie, in bytes; whole frames.
    encoding : Encoding
    notes : tuple of Note
        What the header has wrong.
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


def locate_samples(file: BinaryIO, size: int, name: str) -> SampleData | None:
    """Return the samples of a WAV, RF64, W64 or AIFF file; None for another container or codec.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    name : str
        What error messages call the recording.

    Raises
    ------
    UnreadableRecording
        The header has no samples' chunk, or fields that contradict each other.
    TruncatedRecording
        The file ends before its first sample.
    """
    try:
        chunk = find_data_chunk(file, size)
        if chunk is None:
            return None
        found = _aiff_encoding(chunk.format) if chunk.container == "AIFF" else _riff_encoding(chunk.format, name)
    except struct.error:  # a header that ends within itself
        return None
    if found is None:
        return None
    encoding, layout_notes = found
    if chunk.searched:
        layout_notes = (*layout_notes, _searched(chunk))
    length, length_notes = _length(file, size, chunk, encoding, name)
    extensible = chunk.container == "WAV" and chunk.format[:2] == struct.pack("<H", _EXTENSIBLE)
    container = "WAVEX" if extensible else chunk.container
    return SampleData(container, chunk.offset, length, encoding, (*layout_notes, *length_notes))


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
        return _walk_riff(file, size, "WAV" if head[:4] == b"RIFF" else "RF64")
    if head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}:
        return _walk_aiff(file, size)
    if head[:16] == _W64_RIFF:
        return _walk_wave64(file, size)
    return None


def end_of_data(file: BinaryIO, size: int) -> int | None:
    """Return where the chunk behind the samples begins; None where no header says so.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    """
    try:
        chunk = find_data_chunk(file, size)
    except struct.error:  # a header that ends within itself
        return None
    if chunk is None or not chunk.declared:
        return None
    present = size - chunk.offset
    length = _unwrapped(file, size, chunk, chunk.declared, present) if _is_wrapped(chunk, present) else chunk.declared
    return chunk.offset + length + (length & 1)


def riff_chunks(file: BinaryIO, size: int) -> Iterator[Chunk]:
    """Yield the chunks of a WAV or RF64 file in order, those behind the samples included.

    A chunk of odd length whose padding byte was left out is followed all the same.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes; the walk stops there.
    """
    long_size: int | None = None
    offset = 12
    for _ in range(_MOST_CHUNKS):
        head = _head(file, offset, 8)
        if len(head) < 8 or offset >= size:
            return
        name, length = struct.unpack("<4sI", head)
        if name == b"ds64" and len(sizes := file.read(16)) == 16:
            long_size = struct.unpack("<8xQ", sizes)[0]
        known = long_size if name == b"data" and length == _UNKNOWN else length
        yield Chunk(name, offset + 8, known)
        if known is None:
            return
        offset = _behind(file, offset + 8, known, size, "<")


def _behind(file: BinaryIO, offset: int, length: int, size: int, order: str) -> int:
    """Return where the chunk behind one begins, whose padding byte may have been left out."""
    end = offset + length
    if not length & 1:
        return end
    head = _head(file, end, 8)
    if len(head) == 8 and head[0] and _is_name(head[:4]):  # a padding byte is zero, hardly ever something else
        fits = end + 8 + int(struct.unpack(f"{order}4xI", head)[0]) <= size + 1
        if fits or not _is_name(_head(file, end + 1, 4)):
            return end
    return end + 1


def _walk_riff(file: BinaryIO, size: int, container: str) -> DataChunk | None:
    form = b""
    data: DataChunk | None = None
    for chunk in riff_chunks(file, size):
        if chunk.name == b"fmt " and not form:  # of several, FFmpeg takes the first as well
            file.seek(chunk.offset)
            form = file.read(min(chunk.length or 0, 64))
        if (
            chunk.name == b"data"
            and data is None
            and not (chunk.length == 0 and _head(file, chunk.offset, 4) == b"data")
        ):
            data = DataChunk(container, chunk.offset, chunk.length)
        if data is not None and form:
            return replace(data, format=form)
    return _search_data(file, container)


def _search_data(file: BinaryIO, container: str) -> DataChunk | None:
    """Look for ``data`` where a chunk before it has a wrong length."""
    head = _head(file, 0, _SEARCHED_BYTES)
    begins = head.find(b"fmt ", 12)
    if begins < 0:
        return None
    form = head[begins + 8 :][: min(int.from_bytes(head[begins + 4 : begins + 8], "little"), 64)]
    at = head.find(b"data", begins + 8 + 16)
    if at < 0 or len(form) < 16 or at + 8 > len(head):
        return None
    return DataChunk(container, at + 8, int.from_bytes(head[at + 4 : at + 8], "little"), form, searched=True)


def _walk_aiff(file: BinaryIO, size: int) -> DataChunk | None:
    form, offset = b"", 12
    data: DataChunk | None = None
    for _ in range(_MOST_CHUNKS):
        head = _head(file, offset, 16)
        if len(head) < 16 or offset >= size:
            break
        name, length, skipped = struct.unpack(">4sII", head[:12])
        if name == b"COMM":
            form = _head(file, offset + 8, min(length, 64))
        if name == b"SSND":
            # The chunk begins with an offset and a block size, four bytes each, before the samples.
            lies = skipped > max(0, length - 8) and offset + 16 + skipped >= size
            skipped = 0 if lies else skipped
            data = DataChunk("AIFF", offset + 16 + skipped, max(0, length - 8 - skipped), searched=lies)
        if data is not None and form:
            break
        offset = _behind(file, offset + 8, length, size, ">")
    return None if data is None else replace(data, format=form)


def _walk_wave64(file: BinaryIO, size: int) -> DataChunk | None:
    form, offset = b"", 40
    for _ in range(_MOST_CHUNKS):
        head = _head(file, offset, 24)
        if len(head) < 24 or offset >= size:
            return None
        name, length = struct.unpack("<16sQ", head)
        if name == _W64_FORMAT:
            form = file.read(min(max(0, length - 24), 64))
        if name == _W64_DATA:
            return DataChunk("W64", offset + 24, max(0, length - 24), form)
        if length < 24:
            return None
        offset += (length + 7) & ~7  # lengths include the 24 bytes of the head; chunks are aligned to 8
    return None


# --- layout -------------------------------------------------------------------------------------------------------


def _riff_encoding(form: bytes, name: str) -> tuple[Encoding, tuple[Note, ...]] | None:
    """Read a ``fmt`` chunk; None for a codec that stores no single samples."""
    if len(form) < 16:
        return None
    code, channels, rate, byte_rate, block, bits = struct.unpack_from("<HHIIHH", form)
    if code == _EXTENSIBLE:
        if len(form) < 26:
            return None
        code = struct.unpack_from("<H", form, 24)[0]  # the first two bytes of SubFormat are the plain code
    if code not in {_PCM, _FLOAT, _ALAW, _ULAW}:
        return None
    if channels < 1 or rate < 1 or bits < 1:
        raise UnreadableRecording(
            f"{name}: the header says {channels} channels of {bits} bits at {rate} Hz; rewrite the header"
        )
    width, notes = _width(code, channels, rate, byte_rate, block, bits, name)
    codec = _CODECS.get((code, width))
    if codec is None:
        raise UnreadableRecording(
            f"{name}: the header says samples of {bits} bits with format code {code}, which no program writes; "
            f"rewrite the header, or convert the recording to WAV with 16 or 24 bits"
        )
    return Encoding(codec, channels, rate, width * channels), notes


def _width(
    code: int, channels: int, rate: int, byte_rate: int, block: int, bits: int, name: str
) -> tuple[int, tuple[Note, ...]]:
    """Return bytes a sample; refuse where FFmpeg's rule stands against two other fields that agree.

    FFmpeg goes by the bits, rounded up to bytes, and takes 24 bits in four bytes where ``block_align`` says so.
    """
    width = -(-bits // 8)
    if code == _PCM and bits == 24 and block == 4 * channels:
        return 4, (_layout("24 bits a sample lie in 4 bytes each, as block_align says", bits, block),)
    if block == width * channels:
        return width, ()
    if block and block * rate == byte_rate:
        raise UnreadableRecording(
            f"{name}: the header contradicts itself: {bits} bits in {channels} channels make {width * channels} bytes "
            f"a frame, block_align and the byte rate say {block}; rewrite the header with the right one"
        )
    words = f"block_align says {block} bytes a frame; {bits} bits in {channels} channels make {width * channels}"
    return width, (_layout(f"{words}, which was taken", bits, block),)


def _layout(message: str, bits: int, block: int) -> Note:
    return Note("header-layout", message, {"bits_per_sample": bits, "block_align": block})


def _searched(chunk: DataChunk) -> Note:
    return Note(
        "header-layout",
        f"a chunk in the header has a wrong length; the samples were found at byte {chunk.offset}",
        {"offset": chunk.offset},
    )


def _aiff_encoding(form: bytes) -> tuple[Encoding, tuple[Note, ...]] | None:
    """Read a ``COMM`` chunk; None for a codec that stores no single samples."""
    if len(form) < 18:
        return None
    channels, _, bits, exponent, mantissa = struct.unpack_from(">hIhHQ", form)
    # The sample rate is an 80-bit float: sign and exponent, then a mantissa whose first bit is a one.
    rate = mantissa >> (16446 - exponent) if 16383 <= exponent < 16446 else 0
    compression = form[18:22] if len(form) >= 22 else b"NONE"
    compression = compression if compression in {b"NONE", b"twos", b"sowt"} else compression.lower()
    width = -(-bits // 8)
    if compression in {b"alaw", b"ulaw"}:
        width = 1
    codec = _AIFC_CODECS.get((compression, width))
    if codec is None or channels < 1 or rate < 1:
        return None
    return Encoding(codec, channels, rate, width * channels, compression not in _LITTLE_ENDIAN_AIFC), ()


# --- length -------------------------------------------------------------------------------------------------------


def _length(file: BinaryIO, size: int, chunk: DataChunk, encoding: Encoding, name: str) -> tuple[int, tuple[Note, ...]]:
    """Return the bytes of whole frames that are there, and what the header has wrong about them."""
    present, declared = max(0, size - chunk.offset), chunk.declared
    each = encoding.frame_bytes
    if present < each and (declared is None or declared <= present or _is_placeholder(declared)):
        return 0, (_empty(),)
    if declared is None:
        return present // each * each, ()
    if _is_wrapped(chunk, present):
        return _unwrapped(file, size, chunk, declared, present) // each * each, ()
    follows = "nothing" if declared > present else _what_follows(file, size, chunk, declared)
    if declared > present or (follows == "samples" and present - declared >= each):
        # The length is wrong; chunks that stand at the end of the file are no samples for that.
        whole = (_begin_of_last_chunks(file, size, chunk) - chunk.offset) // each * each
        if declared > present:
            return whole, (_promises_more(chunk, declared, present, whole, encoding, name),)
        return whole, (_more_is_there(declared // each, whole // each),)
    kept = declared // each * each
    left_out = _left_out(follows, chunk.offset + declared, present - declared)
    return kept, (*(() if kept else (_empty(),)), *left_out)


def _more_is_there(said: int, found: int) -> Note:
    return Note(
        "header-length",
        f"the header says {said} samples, but {found} are there; all of them were read",
        {"header_samples": said, "samples": found},
    )


def _empty() -> Note:
    return Note("no-samples", "the recording has a header and no samples", {"samples": 0})


def _left_out(follows: str, offset: int, length: int) -> tuple[Note, ...]:
    words = {"leftovers": "belong to no chunk", "more data": "are a second chunk of samples"}.get(follows)
    if words is None:
        return ()
    message = f"{length} bytes behind the samples, from byte {offset} on, {words} and were not read"
    return (Note("header-length", message, {"offset": offset, "bytes": length}),)


def _promises_more(chunk: DataChunk, declared: int, present: int, whole: int, encoding: Encoding, name: str) -> Note:
    found, said = whole // encoding.frame_bytes, declared // encoding.frame_bytes
    numbers: dict[str, int | float | str] = {"header_samples": said, "samples": found}
    if declared - present <= _COUNTED or 0 <= chunk.offset - (declared - present) <= 8:
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


def _is_placeholder(declared: int) -> bool:
    return declared >= _MOST_BYTES or any(abs(declared - each) <= _NEARLY for each in _PLACEHOLDERS)


def _is_wrapped(chunk: DataChunk, present: int) -> bool:
    """Say whether a plain WAV holds more than the 32 bits of its header can say."""
    return chunk.container == "WAV" and present >= _WRAP and present - (chunk.declared or 0) >= _WRAP


def _unwrapped(file: BinaryIO, size: int, chunk: DataChunk, declared: int, present: int) -> int:
    """Return how much a plain WAV really holds: recorders write on past 4 GiB, where the header's length wraps.

    The object's size is trusted. Only what is a chain of chunks down to the last byte is taken for something else than
    samples.
    """
    candidate = declared + ((present - declared) >> 32 << 32)
    if declared and _chunks_to_the_end(file, chunk.offset + candidate + (candidate & 1), size):
        return candidate
    return present


def _what_follows(file: BinaryIO, size: int, chunk: DataChunk, declared: int) -> str:
    """Say what the bytes behind the promised samples are."""
    end = chunk.offset + declared
    end += -end % 8 if chunk.container == "W64" else 0  # its chunks are aligned
    rest = size - end
    beginning = _head(file, end, min(max(0, rest), _TRIFLE))
    if rest <= 1:
        return "nothing"
    if _begins_chunk(beginning, end, size, chunk.container):
        return "more data" if {b"data", b"SSND"} & {beginning[:4], beginning[1:5]} else "chunks"
    if beginning.count(beginning[0]) == len(beginning) and beginning[0] in _PADDING:
        if _is_filled(file, end, size, beginning[0]):
            return "padding"
        # A silent beginning behind a length that was never filled in, or what an older file left on the card.
        return "samples" if declared < _TRIFLE < rest else "leftovers"
    if beginning.startswith(_TAGS):
        return "leftovers"
    return "leftovers" if rest <= min(declared, _TRIFLE) else "samples"


def _is_filled(file: BinaryIO, start: int, size: int, byte: int) -> bool:
    """Say whether one byte fills a file down to its end, by looks at some places and at the end."""
    places = [start + (size - start) * number // _PROBES for number in range(_PROBES)]
    looks = [
        *(_head(file, place, _TRIFLE // _PROBES) for place in places),
        _head(file, max(start, size - _TRIFLE), _TRIFLE),
    ]
    return not any(look.strip(bytes([byte])) for look in looks)


def _begin_of_last_chunks(file: BinaryIO, size: int, chunk: DataChunk) -> int:
    """Return where chunks begin that lead exactly to the end of the file; the end where there are none."""
    begin = max(chunk.offset, size - _SEARCHED_BYTES)
    tail = _head(file, begin, size - begin)
    order = ">" if chunk.container == "AIFF" else "<"
    if chunk.container == "W64":
        return size
    places = sorted(match.start() for match in _BEHIND_PATTERN.finditer(tail))
    return next((begin + at for at in places if _chunks_to_the_end(file, begin + at, size, order)), size)


def _begins_chunk(head: bytes, offset: int, size: int, container: str) -> bool:
    """Say whether a chunk begins here that fits into the file."""
    if container == "W64":
        return len(head) >= 24 and 24 <= int.from_bytes(head[16:24], "little") <= size - offset
    order = ">" if container == "AIFF" else "<"
    for skipped in (0, 1):  # with and without a padding byte
        here = head[skipped : skipped + 8]
        if len(here) == 8 and _is_name(here[:4]):
            length = struct.unpack(f"{order}I", here[4:])[0]
            if offset + skipped + 8 + length <= size + 1:
                return True
    return False


def _chunks_to_the_end(file: BinaryIO, offset: int, size: int, order: str = "<") -> bool:
    for _ in range(_MOST_BEHIND):
        if offset >= size:
            return offset - size <= 1  # a last chunk's padding may be left out
        head = _head(file, offset, 8)
        if len(head) < 8 or not _is_name(head[:4]):
            return False
        offset = _behind(file, offset + 8, struct.unpack(f"{order}I", head[4:])[0], size, order)
    return False


def _head(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def _is_name(name: bytes) -> bool:
    """Say whether four bytes can be the name of a chunk, and not samples that were taken for one."""
    return len(name) == 4 and all(32 <= letter < 127 for letter in name)
