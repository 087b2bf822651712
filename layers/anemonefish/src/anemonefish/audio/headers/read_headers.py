"""Read the descriptive texts of a recording's header, whatever its format.

Owns :func:`read_metadata`: the GUANO chunk, the broadcast extension (``bext``, or the same fields in ``iXML``), the
``LIST INFO`` texts, Wildlife Acoustics' ``wamd`` and Scripps' ``harp`` of WAV, RF64, BW64 and Wave64; the text chunks
of AIFF; the Vorbis comments of FLAC and Ogg; the tags of MP3 and AAC (ID3v2), MP4 and Matroska.

Only headers are read: at most 64 KiB of a chunk, and a seek over the samples where chunks follow them. A chunk that
cannot be parsed is left out, because a recording is readable without its description. What a time means is decided by
:mod:`anemonefish.start_time.start`.

Sources: as named in the module of each format; EBU Tech 3306 (RF64); ITU-R BS.2088 (BW64); Sony Wave64 specification;
Apple AIFF 1.3 (text chunks).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, takewhile

from anemonefish.audio.chunks import (
    Chunk,
    aiff_chunks,
    end_of_data,
    is_chunk_name,
    riff_chunks,
    wave64_chunks,
)
from anemonefish.audio.formats import recognise
from anemonefish.audio.headers.descriptive_chunks import decode_text, read_bext, read_guano, read_info_list, read_ixml
from anemonefish.audio.headers.id3 import read_id3
from anemonefish.audio.headers.matroska_tags import matroska_tags
from anemonefish.audio.headers.metadata import BroadcastExtension, Metadata
from anemonefish.audio.headers.mp4_tags import mp4_tags
from anemonefish.audio.headers.recorder_headers import count_pauses, harp_pieces, wamd_start
from anemonefish.audio.headers.vorbis_comments import FLAC_COMMENTS, flac_blocks, ogg_comments, vorbis_comments
from anemonefish.audio.seekable import BinaryFile, read_at

__all__ = ["read_metadata"]

_MOST_BYTES = 1 << 16
"""Most bytes that are read of a chunk: descriptions have a few hundred, and some writers reserve more."""

_MOST_CHUNKS = 256
"""Most chunks that are walked over: each may be a request to a store."""

_RIFF_CHUNKS = frozenset({b"fmt ", b"guan", b"bext", b"iXML", b"LIST", b"wamd", b"harp", b"id3 ", b"ID3 "})
_AIFF_TEXTS = frozenset({b"NAME", b"AUTH", b"ANNO"})


def read_metadata(file: BinaryFile, size: int) -> Metadata:
    """Return what the header of a recording says about itself; nothing for a container without such texts.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved. After an error, a :class:`.BlockReader` reads as if the file ended there, so its caller
        checks its ``error`` before using the result.
    size : int
        Length of the file in bytes.
    """
    collector = _Collector()
    container = recognise(file)
    match container.name if container is not None else None:
        case "WAV" | "RF64":
            _read_riff(file, size, collector)
        case "W64":
            _read_wave64(file, size, collector)
        case "AIFF":
            _read_aiff(file, size, collector)
        case "FLAC":
            _read_flac(file, collector)
        case "OGG":
            collector.add_tags(ogg_comments(file))
        case "MP3" | "AAC":
            collector.add_tags(read_id3(read_at(file, 0, _MOST_BYTES)))
        case "MP4":
            collector.add_tags(mp4_tags(file, size))
        case "WEBM":
            collector.add_tags(matroska_tags(file, size))
    return collector.result()


@dataclass(slots=True)
class _Collector:
    """The texts of the chunks that were read so far, in whatever order they come."""

    guano: dict[str, str] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    bext: BroadcastExtension | None = None
    ixml: BroadcastExtension | None = None
    sample_rate: int | None = None
    bytes_per_second: int = 0
    starts: dict[str, str] = field(default_factory=dict)
    pauses: int = 0

    def add_chunk(self, name: bytes, content: bytes) -> None:
        """Read one chunk of a RIFF file, whatever file it was kept in."""
        if name == b"fmt " and len(content) >= 8:
            self.sample_rate = struct.unpack_from("<I", content, 4)[0] or None
            self.bytes_per_second = struct.unpack_from("<I", content, 8)[0] if len(content) >= 12 else 0
        elif name == b"guan":
            self.guano |= read_guano(content)
        elif name == b"bext":
            self.bext = read_bext(content)
        elif name == b"iXML":
            self.ixml = read_ixml(content)
        elif name == b"LIST" and content[:4] == b"INFO":
            self.info |= dict(read_info_list(content))
        elif name == b"wamd":
            self.starts |= wamd_start(content)
        elif name == b"harp":
            self._add_harp(content)
        elif name in {b"id3 ", b"ID3 "}:
            self.add_tags(read_id3(content))

    def _add_harp(self, content: bytes) -> None:
        pieces = harp_pieces(content)
        if pieces:
            self.starts["harp"] = pieces[0][0].isoformat() + "Z"
            self.pauses = count_pauses(pieces, self.bytes_per_second)

    def add_tags(self, tags: Iterable[tuple[str, str]]) -> None:
        """Keep the tags whose name is not known yet."""
        for name, value in tags:
            self.tags.setdefault(name.upper(), value)

    def result(self) -> Metadata:
        return Metadata(
            self.guano, self.info, self.tags, self.bext or self.ixml, self.sample_rate, self.starts, self.pauses
        )


def _read_riff(file: BinaryFile, size: int, collector: _Collector) -> None:
    for chunk in islice(_chunks_around_data(file, size), _MOST_CHUNKS):
        if chunk.name in _RIFF_CHUNKS:
            collector.add_chunk(chunk.name, _content(file, chunk))


def _chunks_around_data(file: BinaryFile, size: int) -> Iterator[Chunk]:
    """Yield the chunks before and after the samples; those after them only where the header says where they are."""
    for chunk in _named_chunks(file, size):
        if chunk.name == b"data":
            break
        yield chunk
    else:
        return
    end = end_of_data(file, size)
    if end is not None:
        yield from _named_chunks(file, size, end)


def _named_chunks(file: BinaryFile, size: int, start: int = 12) -> Iterator[Chunk]:
    """Yield the chunks from an offset on, up to the first whose name cannot be that of a chunk."""
    return takewhile(lambda chunk: is_chunk_name(chunk.name), riff_chunks(file, size, start))


def _read_wave64(file: BinaryFile, size: int, collector: _Collector) -> None:
    for chunk in islice(wave64_chunks(file, size), _MOST_CHUNKS):
        # A GUID begins with the four letters that the chunk has in RIFF; only LIST is in small letters.
        name = b"LIST" if chunk.name[:4] == b"list" else chunk.name[:4]
        if name in _RIFF_CHUNKS:
            collector.add_chunk(name, _content(file, chunk))


def _read_aiff(file: BinaryFile, size: int, collector: _Collector) -> None:
    for chunk in islice(aiff_chunks(file, size), _MOST_CHUNKS):
        if chunk.name == b"ID3 ":
            collector.add_chunk(chunk.name, _content(file, chunk))
        if chunk.name in _AIFF_TEXTS and (text := decode_text(_content(file, chunk))):
            collector.info.setdefault(chunk.name.decode(), text)


def _content(file: BinaryFile, chunk: Chunk) -> bytes:
    return read_at(file, chunk.offset, min(chunk.length or 0, _MOST_BYTES))


def _read_flac(file: BinaryFile, collector: _Collector) -> None:
    for kind, content in flac_blocks(file):
        if kind == FLAC_COMMENTS:
            collector.add_tags(vorbis_comments(content))
        elif content[:4] == b"riff" and len(content) >= 12:
            # `flac --keep-foreign-metadata` keeps every chunk of the WAV in a block of its own.
            collector.add_chunk(content[4:8], content[12:])
