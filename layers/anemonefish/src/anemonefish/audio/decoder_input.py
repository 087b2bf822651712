"""Find the samples of a recording, and give libsndfile a file from which it decodes them.

Owns :func:`find_decoder_input`: the recording's format, its facts, notes on what is wrong in its header, and the bytes
that a decoder needs. Lengths in headers are often wrong, so libsndfile is given corrected headers: the raw samples of
WAV, RF64, W64 and AIFF (:mod:`anemonefish.audio.sample_data`), and a repaired STREAMINFO in front of the frames of FLAC
(:mod:`anemonefish.audio.flac_damage`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import soundfile

from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.chunks import find_data_chunk
from anemonefish.audio.flac_damage import count_samples
from anemonefish.audio.flac_frames import StreamInfo, read_stream_info
from anemonefish.audio.formats import recognise
from anemonefish.audio.leading_tags import after_tags
from anemonefish.audio.sample_data import SampleData, locate_samples
from anemonefish.audio.samples import AudioFacts
from anemonefish.audio.seekable import SeekableFile
from anemonefish.errors import InexactRecording, UnreadableRecording
from anemonefish.notes import Note

__all__ = ["SEARCH_BYTES", "DecoderInput", "FileSection", "decoder_errors", "find_decoder_input"]

SEARCH_BYTES = 1 << 24
"""Bytes that a decoder may read in addition to those of the samples it should decode. libFLAC seeks by searching, and
would read a hole of the file some hundred times. Where the limit is reached, the frames are decoded one by one."""

_EXACT_CODECS = frozenset({"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"})
"""Codecs that store each sample by itself. ADPCM and GSM code blocks of samples, so they are not sample-accurately
seekable."""

_READABLE = "it must be WAV, RF64, W64, AIFF, FLAC, OGG, Opus, MP3, M4A, AAC or WebM with an intact header"

_MOST_FRAMES = 1 << 62  # libsndfile returns the largest 63-bit number where the header states no length

_UNKNOWN_FACTS = AudioFacts(0, 0, 0, "", "")


class FileSection(SeekableFile):
    """A section of a file as a file of its own, with other bytes in front of it.

    Parameters
    ----------
    reader : BlockReader
        The whole file.
    offset, length : int
        The section, in bytes.
    head : bytes
        What stands in front of it.
    """

    def __init__(self, reader: BlockReader, offset: int, length: int, head: bytes = b"") -> None:
        super().__init__(len(head) + length)
        self._reader = reader
        self._offset = offset - len(head)
        self._head = head
        self._readable_bytes = self._size + SEARCH_BYTES

    def limit_reads(self, count: int) -> None:
        """Let a decoder read ``count`` more bytes; after them the file seems to end."""
        self._readable_bytes = count

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is wider
        """Fill ``buffer`` from the position on; return the number of bytes read."""
        view = memoryview(buffer).cast("B")[: max(0, min(self._size - self._position, self._readable_bytes))]
        head = self._head[self._position :][: len(view)]
        view[: len(head)] = head
        self._reader.seek(self._offset + self._position + len(head))
        count = len(head) + self._reader.readinto(view[len(head) :])
        self._position += count
        self._readable_bytes -= count
        return count


@dataclass(frozen=True, slots=True)
class DecoderInput:
    """The samples of a recording as a decoder reads them.

    Attributes
    ----------
    facts : AudioFacts
    notes : tuple of Note
        What is wrong in the header, or in the file.
    section : FileSection
        The bytes that the decoder reads.
    data : SampleData or None
        Where single samples lie; None for FLAC.
    flac : StreamInfo or None
        STREAMINFO of a FLAC file; None for other formats.
    """

    facts: AudioFacts
    notes: tuple[Note, ...]
    section: FileSection
    data: SampleData | None = None
    flac: StreamInfo | None = None

    def open_decoder(self) -> soundfile.SoundFile:
        """Open a decoder; raise :class:`soundfile.LibsndfileError` where libsndfile cannot decode the recording."""
        self.section.seek(0)
        if self.data is None:
            return soundfile.SoundFile(self.section)
        encoding = self.data.encoding
        return soundfile.SoundFile(
            self.section,
            samplerate=encoding.sample_rate,
            channels=encoding.channels,
            subtype=encoding.codec,
            endian="BIG" if encoding.big_endian else "LITTLE",
            format="RAW",
        )


def find_decoder_input(name: str, reader: BlockReader) -> DecoderInput:
    """Find the samples of a recording.

    Parameters
    ----------
    name : str
        Name of the recording in error messages.
    reader : BlockReader

    Raises
    ------
    UnreadableRecording
        No known format, or a broken header.
    TruncatedRecording
        The file ends before its first sample.
    InexactRecording
        The format is not sample-accurately seekable; it is transcoded first.
    StorageError
        The bytes could not be fetched.
    soundfile.LibsndfileError
        libsndfile cannot decode the recording; :func:`decoder_errors` says why.
    """
    found = _find(name, reader)
    _check_facts(name, found.facts)
    return found


@contextmanager
def decoder_errors(name: str, reader: BlockReader) -> Iterator[None]:
    """Raise libsndfile's errors as :class:`RecordingError`, or as the error of the read that caused them."""
    try:
        yield
    except soundfile.LibsndfileError as error:
        if reader.error is not None:
            raise reader.error from None
        words = error.error_string.strip().rstrip(".")
        if _has_samples(reader):
            raise InexactRecording(
                f"{name}: libsndfile does not read it ({words}); it must be transcoded, or converted to FLAC"
            ) from None
        raise UnreadableRecording(f"{name}: not a readable recording ({words}); {_READABLE}") from None


def _has_samples(reader: BlockReader) -> bool:
    """Return whether a chunked file has samples, in whatever codec: FFmpeg reads many that libsndfile does not."""
    try:
        chunk = find_data_chunk(reader, reader.size)
    except struct.error:  # the file ends within its header
        return False
    return chunk is not None and len(chunk.format) >= 16 and chunk.offset < reader.size


def _find(name: str, reader: BlockReader) -> DecoderInput:
    container = recognise(reader)
    if reader.error is not None:
        raise reader.error
    if container is None:
        raise UnreadableRecording(
            f"{name}: not a readable recording (its first bytes belong to no format); {_READABLE}"
        )
    if not container.exact:
        raise InexactRecording(
            f"{name}: {container.name} is not sample-accurately seekable; it must be transcoded, "
            f"or converted to FLAC or to WAV with PCM samples"
        )
    data = locate_samples(reader, reader.size, name)
    if reader.error is not None:
        raise reader.error
    if data is not None:
        encoding = data.encoding
        facts = AudioFacts(encoding.sample_rate, encoding.channels, data.frames, data.container, encoding.codec)
        return DecoderInput(facts, data.notes, FileSection(reader, data.offset, data.length), data)
    if container.name == "FLAC" and (found := _find_flac(name, reader)) is not None:
        return found
    found = DecoderInput(_UNKNOWN_FACTS, (), FileSection(reader, 0, reader.size))
    return replace(found, facts=_facts_of_libsndfile(found))


def _find_flac(name: str, reader: BlockReader) -> DecoderInput | None:
    """Find the samples of a FLAC file; None where its metadata violate RFC 9639."""
    info = read_stream_info(reader, after_tags(reader))
    if info is None:
        return None
    # The decoder is given no other metadata: it would read all of them, and fail on a wrong picture or seek table.
    length = reader.size - info.audio
    try:
        facts = _facts_of_libsndfile(
            DecoderInput(_UNKNOWN_FACTS, (), FileSection(reader, info.audio, length, info.head))
        )
    except soundfile.LibsndfileError as error:
        if reader.error is not None:
            raise reader.error from None
        raise InexactRecording(
            f"{name}: libsndfile does not decode this FLAC ({error.error_string.strip().rstrip('.')}); it must "
            f"be transcoded, or converted to FLAC with 16 or 24 bits"
        ) from None
    samples, notes = count_samples(reader, reader.size, info)
    if reader.error is not None:
        raise reader.error
    if not samples:
        return None
    section = FileSection(reader, info.audio, length, info.with_samples(samples))
    return DecoderInput(replace(facts, frames=samples), (*info.notes, *notes), section, flac=info)


def _facts_of_libsndfile(found: DecoderInput) -> AudioFacts:
    with found.open_decoder() as decoder:
        return AudioFacts(decoder.samplerate, decoder.channels, decoder.frames, decoder.format, decoder.subtype)


def _check_facts(name: str, facts: AudioFacts) -> None:
    if facts.codec not in _EXACT_CODECS:
        raise InexactRecording(
            f"{name}: {facts.codec} in {facts.container} is not sample-accurately seekable; it must be transcoded, "
            f"or converted to FLAC or to WAV with PCM samples"
        )
    if facts.channels < 1 or not 1 <= facts.sample_rate < 1 << 31:
        raise UnreadableRecording(
            f"{name}: the header says {facts.channels} channels at {facts.sample_rate} Hz; rewrite the header"
        )
    if not 0 <= facts.frames < _MOST_FRAMES:
        raise UnreadableRecording(
            f"{name}: the header does not say how many samples there are; write the file anew, for example as FLAC"
        )
