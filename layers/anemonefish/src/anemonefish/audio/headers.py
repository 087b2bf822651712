"""What a recording's header says about itself: the descriptive chunks, as text, nothing interpreted.

Owns :func:`read_metadata`: the GUANO chunk, the broadcast extension (``bext``, or the same fields out of ``iXML``), the
``LIST INFO`` texts, Wildlife Acoustics' ``wamd`` and Scripps' ``harp`` of WAV, RF64, BW64 and Wave64; the text chunks
of AIFF; the Vorbis comments of FLAC and Ogg; the tags of MP3 and AAC (ID3v2), MP4 and Matroska. Only headers are read:
no more than 64 KiB of a chunk, and a seek over the samples where chunks follow them. What is broken is left out: a
description is no reason to refuse a recording. Never judges what a time means: that is :mod:`anemonefish.start_time`.

Left out on purpose: ``creation_time`` of MP4 and ``DateUTC`` of Matroska say when the file was written, and every
conversion writes them anew.

It also reads what a SoundTrap writes beside a recording (:func:`soundtrap_start`); nobody's XML is parsed for that.

Sources: Microsoft/IBM RIFF MCI (1991), chapter 3 (``LIST INFO``); EBU Tech 3285 v2 (``bext``); EBU Tech 3306 (RF64);
ITU-R BS.2088 (BW64); Sony Wave64 specification; GUANO specification 1.0 (github.com/riggsd/guano-spec); iXML 2.10
(ixml.info); Apple AIFF 1.3 (text chunks); RFC 9639, sections 8.4 and 8.6 (FLAC); xiph.org, Vorbis I comment field; the
FLAC registration of the application id ``riff`` (xiph.org/flac/id.html); Wildlife Acoustics, wa_meta.h 1.0 (``wamd``);
MarineBioAcousticsRC/Triton rdxwavhd.m (``harp``; its times are UTC); RFC 3533 and RFC 7845 (Ogg, Opus); id3.org,
ID3v2.2 to ID3v2.4; ISO/IEC 14496-12 and Apple's QuickTime File Format (``moov``, ``meta``, ``ilst``, ``keys``);
RFC 9559 (Matroska tags); pamguard x3 WavFileHandler.java and lifewatch/pyhydrophone (SoundTrap's ``.log.xml``).
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import BinaryIO

from anemonefish.audio.chunks import end_of_data
from anemonefish.audio.formats import recognise

__all__ = ["BroadcastExtension", "Metadata", "read_metadata", "soundtrap_start"]

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
        Vorbis comments, or tags of ID3v2, MP4 and Matroska under the names of such comments, in capitals; of several of
        one name, the first.
    broadcast : BroadcastExtension or None
    sample_rate : int or None
        Of the ``fmt`` chunk; in it ``time_reference`` counts.
    starts : dict of str to str
        Times that mean the first sample, by where they stand: ``wamd``, ``harp``, or a file beside the recording.
    pauses : int
        How many pauses within the recording the header lists (``harp``).
    """

    guano: dict[str, str] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    broadcast: BroadcastExtension | None = None
    sample_rate: int | None = None
    starts: dict[str, str] = field(default_factory=dict)
    pauses: int = 0


@dataclass(slots=True)
class _Collector:
    """Takes chunks in any order and keeps what they say."""

    guano: dict[str, str] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    bext: BroadcastExtension | None = None
    ixml: BroadcastExtension | None = None
    sample_rate: int | None = None
    bytes_per_second: int = 0
    starts: dict[str, str] = field(default_factory=dict)
    pauses: int = 0

    def take(self, name: bytes, content: bytes) -> None:
        """Read one chunk of a RIFF file, wherever it was kept."""
        if name == b"fmt " and len(content) >= 8:
            self.sample_rate = struct.unpack_from("<I", content, 4)[0] or None
            self.bytes_per_second = struct.unpack_from("<I", content, 8)[0] if len(content) >= 12 else 0
        elif name == b"guan":
            self.guano |= _guano_fields(content)
        elif name == b"bext":
            self.bext = _broadcast_extension(content)
        elif name == b"iXML":
            self.ixml = _ixml_extension(content)
        elif name == b"LIST" and content[:4] == b"INFO":
            self.info |= dict(_info_texts(content))
        elif name == b"wamd":
            self.starts |= _wamd_start(content)
        elif name == b"harp":
            self._take_harp(content)
        elif name in {b"id3 ", b"ID3 "}:
            self.tag(_id3_tags(content))

    def _take_harp(self, content: bytes) -> None:
        pieces = _harp_pieces(content)
        if pieces:
            self.starts["harp"] = pieces[0][0].isoformat() + "Z"
            self.pauses = _count_pauses(pieces, self.bytes_per_second)

    def tag(self, found: Iterable[tuple[str, str]]) -> None:
        """Keep tags that are not known yet."""
        for name, value in found:
            self.tags.setdefault(name.upper(), value)

    def result(self) -> Metadata:
        return Metadata(
            self.guano, self.info, self.tags, self.bext or self.ixml, self.sample_rate, self.starts, self.pauses
        )


def read_metadata(file: BinaryIO, size: int) -> Metadata:
    """Return what the header of a recording says about itself; nothing for a container without such chunks.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved. A :class:`.BlockReader` that met an error reads as the end of the
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
        if name == b"ID3 ":
            collector.take(name, _read(file, offset + 8, min(length, _MOST_BYTES), size))
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
                collector.tag(_vorbis_comments(content))
            elif content[:4] == b"riff" and len(content) >= 12:
                # `flac --keep-foreign-metadata` keeps every chunk of the WAV in a block of its own.
                collector.take(content[4:8], content[12:])
        offset += 4 + length
        if head[0] & 0x80:  # the last block
            return


_FLAC_APPLICATION, _FLAC_COMMENTS = 2, 4
_RIFF_CHUNKS = frozenset({b"fmt ", b"guan", b"bext", b"iXML", b"LIST", b"wamd", b"harp", b"id3 ", b"ID3 "})
_AIFF_TEXTS = frozenset({b"NAME", b"AUTH", b"ANNO"})


def _walk_ogg(file: BinaryIO, size: int, collector: _Collector) -> None:
    """Read the second packet of the first stream, which holds the comments of Vorbis, Opus, Speex and FLAC alike."""
    head = _read(file, 0, _MOST_BYTES, size)
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
            collector.tag(_vorbis_comments(comments[skipped:]))
    if first[1:5] == b"FLAC" and comments[:1] and comments[0] & 0x7F == _FLAC_COMMENTS:
        collector.tag(_vorbis_comments(comments[4:]))
    if first.startswith(b"Speex   "):
        collector.tag(_vorbis_comments(comments))


def _walk_id3(file: BinaryIO, size: int, collector: _Collector) -> None:
    collector.tag(_id3_tags(_read(file, 0, _MOST_BYTES, size)))


_ID3_NAMES = {"TDRC": "DATE", "TDRL": "DATE_RELEASED", "COMM": "COMMENT", "COM": "COMMENT"}


def _id3_tags(content: bytes) -> Iterator[tuple[str, str]]:
    """Yield the date of recording, the comments and the texts that a user named, of ID3v2.2 to ID3v2.4."""
    if content[:3] != b"ID3" or len(content) < 10:
        return
    version, end = content[3], 10 + _seven_bits(content[6:10])
    letters, head = (3, 6) if version == 2 else (4, 10)
    offset = 10
    while offset + head <= min(end, len(content)) and content[offset]:
        name = content[offset : offset + letters].decode("latin-1")
        size = content[offset + letters : offset + 2 * letters]
        length = _seven_bits(size) if version == 4 else int.from_bytes(size, "big")
        body = content[offset + head : offset + head + length]
        if name in {"TXXX", "TXX", "COMM", "COM"}:
            title, text = _id3_pair(body[:1], body[4 if name.startswith("COM") else 1 :])
            yield _ID3_NAMES.get(name, title), text
        elif name in _ID3_NAMES:
            yield _ID3_NAMES[name], _id3_text(body[:1], body[1:])
        offset += head + length


def _seven_bits(content: bytes) -> int:
    """Return an ID3 length: seven bits of each byte, so that no player takes it for the start of a frame."""
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(reversed(content)))


_ID3_ENCODINGS = {b"\0": "latin-1", b"\1": "utf-16", b"\2": "utf-16-be", b"\3": "utf-8"}


def _id3_pair(encoding: bytes, body: bytes) -> tuple[str, str]:
    """Split a title from its text."""
    wide = encoding in {b"\1", b"\2"}
    cut = next((at for at in range(0, len(body), 2) if body[at : at + 2] == b"\0\0"), -1) if wide else body.find(b"\0")
    if cut < 0:
        return "", ""
    return _id3_text(encoding, body[:cut]), _id3_text(encoding, body[cut + (2 if wide else 1) :])


def _id3_text(encoding: bytes, body: bytes) -> str:
    return body.decode(_ID3_ENCODINGS.get(encoding, "latin-1"), errors="replace").split("\0")[0].strip("\ufeff ")


_MP4_NAMES = {
    b"\xa9day": "DATE",
    b"\xa9cmt": "COMMENT",
    b"com.apple.quicktime.creationdate": "CREATIONDATE",
    b"com.apple.quicktime.comment": "COMMENT",
}


def _walk_mp4(file: BinaryIO, size: int, collector: _Collector) -> None:
    """Follow the boxes to the lists of tags: in ``moov``, with or without ``udta``."""
    for first, last in islice(_mp4_metas(file, size), _MOST_TAG_LISTS):
        # Read whole and walked in memory: a hostile file cannot make many small boxes cost many reads.
        content = _read(file, first, min(last - first, _MOST_BYTES), size)
        collector.tag(_mp4_tags(io.BytesIO(content), len(content)))


_MOST_TAG_LISTS = 4


def _mp4_metas(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    moov = next(((start, stop) for name, start, stop in _boxes(file, 0, size, size) if name == b"moov"), (0, 0))
    inside = list(_boxes(file, *moov, size))
    yield from ((start, stop) for name, start, stop in inside if name == b"meta")
    for start, stop in islice(((start, stop) for name, start, stop in inside if name == b"udta"), _MOST_TAG_LISTS):
        yield from ((first, last) for name, first, last in _boxes(file, start, stop, size) if name == b"meta")


def _boxes(file: BinaryIO, start: int, stop: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, first and last byte of each box's content."""
    for _ in range(_MOST_CHUNKS):
        head = _read(file, start, 16, size)
        if start + 8 > stop or len(head) < 8:
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


def _mp4_tags(file: BinaryIO, size: int) -> Iterator[tuple[str, str]]:
    """Yield the tags of a ``meta`` box: by four letters, or by the number of a name in ``keys``."""
    start = 0 if _read(file, 4, 4, size) == b"hdlr" else 4  # QuickTime writes no version before the boxes
    names: list[bytes] = []
    for name, first, last in _boxes(file, start, size, size):
        if name == b"keys":
            names = _mp4_keys(_read(file, first, last - first, size))
        for item, begin, end in _boxes(file, first, last, size) if name == b"ilst" else ():
            number = int.from_bytes(item, "big") - 1
            known = _MP4_NAMES.get(names[number] if number < len(names) else item)
            data = _read(file, begin, end - begin, size)
            if known and data[4:8] == b"data":
                yield known, _text(data[16:])


def _mp4_keys(content: bytes) -> list[bytes]:
    names, offset = [], 8
    while offset + 8 <= len(content):
        length = struct.unpack_from(">I", content, offset)[0]
        if length < 8:
            break
        names.append(content[offset + 8 : offset + length])
        offset += length
    return names


_SEGMENT, _CLUSTER, _TAGS, _TAG, _SIMPLE_TAG = 0x18538067, 0x1F43B675, 0x1254C367, 0x7373, 0x67C8
_TAG_NAME, _TAG_STRING = 0x45A3, 0x4487


def _walk_matroska(file: BinaryIO, size: int, collector: _Collector) -> None:
    """Read the tags that stand before the sound; behind it they would cost a walk through all of it."""
    segment = next(((start, stop) for name, start, stop in _elements(file, 0, size, size) if name == _SEGMENT), (0, 0))
    for name, start, stop in _elements(file, *segment, size):
        if name == _CLUSTER:
            return
        if name == _TAGS:
            content = _read(file, start, min(stop - start, _MOST_BYTES), size)
            collector.tag(_matroska_tags(io.BytesIO(content), len(content)))


def _matroska_tags(file: BinaryIO, size: int) -> Iterator[tuple[str, str]]:
    for tag, first, last in _elements(file, 0, size, size):
        for simple, begin, end in _elements(file, first, last, size) if tag == _TAG else ():
            if simple == _SIMPLE_TAG:
                texts = {
                    name: _text(_read(file, at, until - at, size))
                    for name, at, until in _elements(file, begin, end, size)
                }
                yield texts.get(_TAG_NAME, ""), texts.get(_TAG_STRING, "")


def _elements(file: BinaryIO, start: int, stop: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Yield identifier, first and last byte of each EBML element's content."""
    for _ in range(_MOST_CHUNKS):
        head = _read(file, start, 12, size) if start < stop else b""
        if not head or not head[0]:
            return
        letters = 9 - head[0].bit_length()
        name, rest = int.from_bytes(head[:letters], "big"), head[letters:]
        if letters > 4 or not rest or not rest[0]:
            return
        width = 9 - rest[0].bit_length()
        length = int.from_bytes(rest[:width], "big") & ((1 << 7 * width) - 1)
        begin = start + letters + width
        endless = length == (1 << 7 * width) - 1  # a live stream did not know its length
        yield name, begin, stop if endless else min(stop, begin + length)
        if endless:
            return
        start = begin + length


_WALKS: dict[str, Callable[[BinaryIO, int, _Collector], None]] = {
    "WAV": _walk_riff,
    "RF64": _walk_riff,
    "W64": _walk_wave64,
    "AIFF": _walk_aiff,
    "FLAC": _walk_flac,
    "OGG": _walk_ogg,
    "MP3": _walk_id3,
    "AAC": _walk_id3,
    "MP4": _walk_mp4,
    "WEBM": _walk_matroska,
}


def _guano_fields(content: bytes) -> dict[str, str]:
    """Split ``name: value`` lines; of several of one name, the first counts."""
    fields: dict[str, str] = {}
    for line in _text(content).splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields


_WAMD_START = 5


def _wamd_start(content: bytes) -> dict[str, str]:
    """Read the start of Wildlife Acoustics' fields: each an identifier, a length, a value; the version comes first."""
    offset, found = 0, ""
    while offset + 6 <= len(content):
        name, length = struct.unpack_from("<HI", content, offset)
        if name == _WAMD_START:
            found = found or _text(content[offset + 6 : offset + 6 + length])
        offset += 6 + length
    return {"wamd": found} if found else {}


_HARP_HEAD, _HARP_PIECE = 56, 32


def _harp_pieces(content: bytes) -> list[tuple[datetime, int]]:
    """Return start (UTC) and length in bytes of each piece of an x.wav; version 2 has another layout: none."""
    if len(content) < _HARP_HEAD or content[0] in {2, ord("2")}:
        return []
    (count,) = struct.unpack_from("<H", content, 36)
    pieces: list[tuple[datetime, int]] = []
    for offset in range(_HARP_HEAD, min(_HARP_HEAD + count * _HARP_PIECE, len(content) - _HARP_PIECE + 1), _HARP_PIECE):
        year, month, day, hour, minute, second, milli, _, length = struct.unpack_from("<6BHII", content, offset)
        try:
            start = datetime(2000 + year, month, day, hour, minute, second) + timedelta(milliseconds=milli)
        except ValueError:
            return []
        pieces.append((start, length))
    return pieces


def _count_pauses(pieces: list[tuple[datetime, int]], bytes_per_second: int) -> int:
    """Count the pieces that begin more than a second behind the end of the one before."""
    if not bytes_per_second:
        return 0
    ends = (start + timedelta(microseconds=length * 1_000_000 // bytes_per_second) for start, length in pieces)
    return sum(1 for end, (start, _) in zip(ends, pieces[1:], strict=False) if start - end > timedelta(seconds=1))


_LOG_EVENT = re.compile(r'<PROC_EVENT\s+ID="(\d{1,9})"[^<>]{0,200}>\s{0,50}<WavFileHandler\s+([^<>]{1,400}?)\s{0,9}/?>')
_LOG_VALUE = re.compile(r'(\w{1,40})="([^"<>]{0,80})"')


def soundtrap_start(content: bytes) -> str | None:
    """Return when a SoundTrap began, from the ``.log.xml`` that is written beside its recording.

    Parameters
    ----------
    content : bytes
        As much of that file as there is.

    Returns
    -------
    str or None
        ISO 8601, with the zone that stands there: ``Z`` for ``SamplingStartTimeUTC``, without one for
        ``SamplingStartTimeLocal``; None where neither is in it.
    """
    handlers: dict[str, dict[str, str]] = {}
    for number, attributes in _LOG_EVENT.findall(_text(content.replace(b"\0", b""))):
        values = handlers.setdefault(number, {})
        for name, value in _LOG_VALUE.findall(attributes):
            values.setdefault(name, value.strip())
    for name, zone in (("SamplingStartTimeUTC", "Z"), ("SamplingStartTimeLocal", "")):
        # The click detector's file has a handler too; it begins with the first click, the recording before that.
        times = sorted(_log_time(values, name, zone) for values in handlers.values() if values.get(name))
        if times:
            return times[0]
    return None


def _log_time(values: dict[str, str], name: str, zone: str) -> str:
    """Join the seconds and the microseconds of a handler; other programs write the zone themselves."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.\d+)? ?(.*)", values[name])
    micro = re.fullmatch(r"(\d{1,6}) us", values.get("SamplingStartTimeSubS", ""))
    if match is None:
        return values[name] + zone
    return match[1] + (f".{micro[1]:0>6}" if micro else "") + (f" {match[2]}" if match[2] else zone)


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
