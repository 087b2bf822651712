"""What a recording's header says about itself: the descriptive chunks, as text, nothing interpreted.

Owns :func:`read_metadata`: the GUANO chunk, the broadcast extension (``bext``, or the same fields out of ``iXML``) and
the ``LIST INFO`` texts of WAV, RF64, BW64 and Wave64, the text chunks of AIFF, the Vorbis comments of FLAC. Only
headers are read: no more than 64 KiB of a chunk, and a seek over the samples where chunks follow them. What is broken
is left out: a description is no reason to refuse a recording. Never judges what a time means: that is
:mod:`anemonefish.recorded`.

Sources: Microsoft/IBM RIFF MCI (1991), chapter 3 (``LIST INFO``); EBU Tech 3285 v2 (``bext``); EBU Tech 3306 (RF64);
ITU-R BS.2088 (BW64); Sony Wave64 specification; GUANO specification 1.0 (github.com/riggsd/guano-spec); iXML 2.10
(ixml.info); Apple AIFF 1.3 (text chunks); RFC 9639, sections 8.4 and 8.6 (FLAC); xiph.org, Vorbis I comment field; the
FLAC registration of the application id ``riff`` (xiph.org/flac/id.html).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from anemonefish.chunks import end_of_data
from anemonefish.containers import recognise

__all__ = ["BroadcastExtension", "Metadata", "read_metadata"]

_MOST_BYTES = 1 << 16
"""Read of one chunk. Descriptions are a few hundred bytes; some writers leave room for more."""

_MOST_CHUNKS = 256
"""Every chunk may be a request to a store: a file with more is not worth them."""

_BEXT_BYTES = 346  # up to and with TimeReference; the rest is loudness and the coding history
_WAVE64_HEAD = 24  # a GUID and a length, which counts itself


@dataclass(frozen=True, slots=True)
class BroadcastExtension:
    """When a broadcast wave file says it was made.

    Attributes
    ----------
    date, time : str
        ``OriginationDate`` and ``OriginationTime`` as they stand there.
    time_reference : int
        Samples between midnight and the first sample; 0 also where the writer knows nothing of it.
    chunk : str
        ``bext``, or ``iXML`` where only that has the fields.
    """

    date: str
    time: str
    time_reference: int = 0
    chunk: str = "bext"


@dataclass(frozen=True, slots=True)
class Metadata:
    """The descriptive texts of one file.

    Attributes
    ----------
    guano : dict of str to str
        Fields of the GUANO chunk.
    info : dict of str to str
        Texts of ``LIST INFO`` by their four letters; of AIFF, the text chunks.
    tags : dict of str to str
        Vorbis comments, names in capitals; of several of one name, the first.
    broadcast : BroadcastExtension or None
    sample_rate : int or None
        Of the ``fmt`` chunk; in it ``time_reference`` counts.
    """

    guano: dict[str, str] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    broadcast: BroadcastExtension | None = None
    sample_rate: int | None = None


@dataclass(slots=True)
class _Collector:
    """Takes chunks in any order and keeps what they say."""

    guano: dict[str, str] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    bext: BroadcastExtension | None = None
    ixml: BroadcastExtension | None = None
    sample_rate: int | None = None

    def take(self, name: bytes, content: bytes) -> None:
        """Read one chunk of a RIFF file, wherever it was kept."""
        if name == b"fmt " and len(content) >= 8:
            self.sample_rate = struct.unpack_from("<I", content, 4)[0] or None
        elif name == b"guan":
            self.guano |= _guano_fields(content)
        elif name == b"bext":
            self.bext = _broadcast_extension(content)
        elif name == b"iXML":
            self.ixml = _ixml_extension(content)
        elif name == b"LIST" and content[:4] == b"INFO":
            self.info |= dict(_info_texts(content))

    def result(self) -> Metadata:
        return Metadata(self.guano, self.info, self.tags, self.bext or self.ixml, self.sample_rate)


def read_metadata(file: BinaryIO, size: int) -> Metadata:
    """Return what the header of a recording says about itself; nothing for a container without such chunks.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved. A :class:`~anemonefish.blocks.BlockReader` that met an error reads as the end of the
        file: whoever opened it looks at its ``error`` first.
    size : int
        Length of the file in bytes.
    """
    collector = _Collector()
    container = recognise(file)
    walk = None if container is None else _WALKS.get(container.name)
    if walk is not None:
        walk(file, size, collector)
    return collector.result()


def _walk_riff(file: BinaryIO, size: int, collector: _Collector) -> None:
    after_data = end_of_data(file, size)
    offset = 12
    for _ in range(_MOST_CHUNKS):
        head = _read(file, offset, 8, size)
        if len(head) < 8 or not _is_chunk_name(head[:4]):
            return
        name, length = struct.unpack("<4sI", head)
        if name == b"data":
            if after_data is None:  # a stream that never learned its length: nothing can be found behind it
                return
            offset = after_data
        else:
            if name in _RIFF_CHUNKS:
                collector.take(name, _read(file, offset + 8, min(length, _MOST_BYTES), size))
            offset += 8 + length + (length & 1)


def _walk_wave64(file: BinaryIO, size: int, collector: _Collector) -> None:
    offset = 40
    for _ in range(_MOST_CHUNKS):
        head = _read(file, offset, _WAVE64_HEAD, size)
        if len(head) < _WAVE64_HEAD:
            return
        guid, length = struct.unpack("<16sQ", head)
        if length < _WAVE64_HEAD:
            return
        # A GUID begins with the four letters that the chunk has in RIFF; only LIST is written small.
        name = b"LIST" if guid[:4] == b"list" else guid[:4]
        if name in _RIFF_CHUNKS:
            content = _read(file, offset + _WAVE64_HEAD, min(length - _WAVE64_HEAD, _MOST_BYTES), size)
            collector.take(name, content)
        offset += (length + 7) & ~7


def _walk_aiff(file: BinaryIO, size: int, collector: _Collector) -> None:
    offset = 12
    for _ in range(_MOST_CHUNKS):
        head = _read(file, offset, 8, size)
        if len(head) < 8:
            return
        name, length = struct.unpack(">4sI", head)
        if name in _AIFF_TEXTS:
            text = _text(_read(file, offset + 8, min(length, _MOST_BYTES), size))
            if text:
                collector.info.setdefault(name.decode(), text)
        offset += 8 + length + (length & 1)


def _walk_flac(file: BinaryIO, size: int, collector: _Collector) -> None:
    offset = 4
    for _ in range(_MOST_CHUNKS):
        head = _read(file, offset, 4, size)
        if len(head) < 4:
            return
        kind, length = head[0] & 0x7F, int.from_bytes(head[1:], "big")
        if kind in {_FLAC_APPLICATION, _FLAC_COMMENTS}:
            content = _read(file, offset + 4, min(length, _MOST_BYTES), size)
            if kind == _FLAC_COMMENTS:
                for name, value in _vorbis_comments(content):
                    collector.tags.setdefault(name, value)
            elif content[:4] == b"riff" and len(content) >= 12:
                # `flac --keep-foreign-metadata` keeps every chunk of the WAV in a block of its own.
                collector.take(content[4:8], content[12:])
        offset += 4 + length
        if head[0] & 0x80:  # the last block
            return


_FLAC_APPLICATION, _FLAC_COMMENTS = 2, 4
_RIFF_CHUNKS = frozenset({b"fmt ", b"guan", b"bext", b"iXML", b"LIST"})
_AIFF_TEXTS = frozenset({b"NAME", b"AUTH", b"ANNO"})

_WALKS: dict[str, Callable[[BinaryIO, int, _Collector], None]] = {
    "WAV": _walk_riff,
    "RF64": _walk_riff,
    "W64": _walk_wave64,
    "AIFF": _walk_aiff,
    "FLAC": _walk_flac,
}


def _guano_fields(content: bytes) -> dict[str, str]:
    """Split ``name: value`` lines; of several of one name, the first counts."""
    fields: dict[str, str] = {}
    for line in _text(content).splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields


def _broadcast_extension(content: bytes) -> BroadcastExtension | None:
    """Read the fields behind Description (256 bytes), Originator (32) and OriginatorReference (32)."""
    if len(content) < _BEXT_BYTES:
        return None
    date, time, reference = struct.unpack_from("<10s8sQ", content, 320)
    return BroadcastExtension(_text(date), _text(time), reference)


def _ixml_extension(content: bytes) -> BroadcastExtension | None:
    """Look for the copies of the broadcast fields; four flat elements are no reason for an XML parser."""
    text = _text(content)
    found = {name: _element(text, f"BWF_{name}") for name in _IXML_FIELDS}
    date, time, high, low = (found[name] for name in _IXML_FIELDS)
    if not date or not time:
        return None
    known = high.isdecimal() and low.isdecimal() and len(high) <= 10 and len(low) <= 10
    return BroadcastExtension(date, time, (int(high) << 32) + int(low) if known else 0, "iXML")


_IXML_FIELDS = ("ORIGINATION_DATE", "ORIGINATION_TIME", "TIME_REFERENCE_HIGH", "TIME_REFERENCE_LOW")


def _element(text: str, name: str) -> str:
    match = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return match[1].strip() if match else ""


def _info_texts(content: bytes) -> Iterator[tuple[str, str]]:
    offset = 4
    while offset + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, offset)
        text = _text(content[offset + 8 : offset + 8 + length])
        if not _is_chunk_name(name):
            return
        if text:
            yield name.decode("ascii"), text
        offset += 8 + length + (length & 1)


def _vorbis_comments(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the comments of a block: a vendor, a count, then texts, each behind its length."""
    if len(content) < 8:
        return
    offset = 4 + struct.unpack_from("<I", content)[0] + 4
    while offset + 4 <= len(content):
        length = struct.unpack_from("<I", content, offset)[0]
        name, equals, value = _text(content[offset + 4 : offset + 4 + length]).partition("=")
        if equals:
            yield name.upper(), value.strip()
        offset += 4 + length


def _read(file: BinaryIO, offset: int, length: int, size: int) -> bytes:
    if offset >= size:
        return b""
    file.seek(offset)
    return file.read(length)


def _is_chunk_name(name: bytes) -> bool:
    """Say whether four bytes can be the name of a chunk, and not samples that were taken for one."""
    return all(32 <= letter < 127 for letter in name)


def _text(content: bytes) -> str:
    """Decode up to the first zero byte; what is not UTF-8 comes from before it."""
    content = content.split(b"\0", 1)[0]
    try:
        return content.decode("utf-8").strip()
    except UnicodeDecodeError:
        return content.decode("latin-1").strip()
