"""Recordings as mono samples, addressed by sample index.

Owns opening a recording wherever it lies, the facts about it, and reading any stretch of it. Reads go through
one block cache (:mod:`anemonefish.audio.blocks`), so a worker fetches the bytes of its range and no others. Decoding
is libsndfile's, but for the 16-bit samples of a WAV, which need none; where its samples lie, and how many there
are, :mod:`.audio.chunks` and :mod:`.audio.flac` find out, because headers are often wrong. Channels are
averaged, as in training, unless one is asked for.

Promises: facts come from the header and the last frames alone; a stretch has exactly the samples asked for or an error
that names the file and the place; a stretch of FLAC that cannot be decoded is silence and said, or refused where that
is wanted; the same stretch has the same samples however it is cut. Never resamples (:mod:`.audio.resample` does)
and never reads a whole recording.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from functools import reduce
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, cast

import numpy as np
import soundfile
from numpy.typing import DTypeLike, NDArray

from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.chunks import SampleData, find_data_chunk, locate_samples
from anemonefish.audio.flac import Hole, StreamInfo, count_samples, decode_around_damage, read_stream_info
from anemonefish.audio.formats import after_tags, recognise
from anemonefish.audio.headers import Metadata, read_metadata
from anemonefish.audio.health import SignalMeter
from anemonefish.errors import (
    EmptyRecording,
    InexactRecording,
    InvalidSamples,
    TruncatedRecording,
    UnreadableRecording,
    UnsupportedRecording,
)
from anemonefish.notes import Note, is_partial
from anemonefish.stores import ByteSource, open_source

__all__ = [
    "EXACT_CODECS",
    "AudioFacts",
    "AudioFile",
    "Samples",
    "check_channel",
    "encode_flac",
    "mean_of_channels",
    "open_audio",
]

_ADDED_IN_ORDER = 8
"""From so many numbers on, numpy adds in eight sums side by side."""

LOUDEST = 1e12
"""Largest sample taken. Full scale is 1; float files scaled like integers reach 2**31, nothing real goes further."""

EXACT_CODECS = frozenset({"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"})
"""Codecs that store each sample by itself; ADPCM and GSM code blocks, and cannot be entered at any sample."""

_FLOAT_CODECS = frozenset({"FLOAT", "DOUBLE"})
"""Codecs that can say what is no sample."""

_READABLE = "it must be WAV, RF64, W64, AIFF, FLAC, OGG, Opus, MP3, M4A, AAC or WebM with an intact header"

_SEARCH_BYTES = 1 << 24
"""Bytes a decoder may read beyond those of the samples that are asked for: libFLAC seeks by searching, and would read a
hole of the file some hundred times. Where that is not enough, the frames are decoded one by one."""

_MAX_FRAMES = 1 << 62  # libsndfile's word for "the header does not say" is the largest 63-bit number


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What a header says about a recording.

    Attributes
    ----------
    sample_rate : int
        Samples per second and channel.
    channels : int
        Number of channels, at least 1.
    frames : int
        Number of samples per channel.
    container, codec : str
        libsndfile's names, for example ``WAV`` and ``PCM_24``.
    """

    sample_rate: int
    channels: int
    frames: int
    container: str
    codec: str


class Samples(Protocol):
    """Mono samples of one sample rate, readable by index."""

    @property
    def sample_rate(self) -> int: ...  # noqa: D102
    @property
    def n_samples(self) -> int: ...  # noqa: D102

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the samples ``[start, stop)``, shape ``(stop - start,)``, within [-1, 1] for integer PCM."""
        ...

    def expect(self, stop: int) -> None:
        """Take note that no sample from ``stop`` on will be read."""
        ...


@dataclass(frozen=True, slots=True)
class _Opened:
    """A recording as it was found: facts, notes, and what its samples are read from."""

    facts: AudioFacts
    notes: tuple[Note, ...]
    view: _View
    data: SampleData | None = None
    flac: StreamInfo | None = None

    def decoder(self) -> soundfile.SoundFile:
        """Open a decoder; raise :class:`soundfile.LibsndfileError` when there is none."""
        self.view.seek(0)
        if self.data is None:
            return soundfile.SoundFile(self.view)
        how = self.data.encoding
        return soundfile.SoundFile(
            self.view,
            samplerate=how.sample_rate,
            channels=how.channels,
            subtype=how.codec,
            endian="BIG" if how.big_endian else "LITTLE",
            format="RAW",
        )


class AudioFile:
    """One open recording; made by :func:`open_audio`.

    Attributes
    ----------
    facts : AudioFacts
        How many samples there are, and how they are stored.
    notes : tuple of Note
        What is wrong with the header, or with the file.
    source : ByteSource
        Where the bytes come from; its ``version`` pins them.
    """

    def __init__(
        self,
        source: ByteSource,
        reader: BlockReader,
        found: _Opened,
        dtype: DTypeLike,
        channel: int | None,
        damaged: str,
    ) -> None:
        self.source = source
        self.facts = found.facts
        self.notes = found.notes
        self._reader = reader
        self._found = found
        self._sound = found.decoder()
        self._dtype = np.dtype(dtype)
        self._channel = channel
        self._keeps_damaged = damaged == "keep"
        self._hole: Hole | None = None
        self._meter: SignalMeter | None = None
        self._meter_offset = 0

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.facts.sample_rate

    @property
    def n_samples(self) -> int:
        """Length in samples of the mono signal."""
        return self.facts.frames

    def metadata(self) -> Metadata:
        """Return what the header says besides the sound; raise :class:`StorageError` when it cannot be fetched."""
        with BlockReader(self.source) as reader:  # not the decoder's: that has a position, and maybe another header
            found = read_metadata(reader, self.source.size)  # type: ignore[arg-type]  # reads like BinaryIO
            if reader.error is not None:
                raise reader.error
        return found

    def watch(self, meter: SignalMeter, offset: int = 0) -> None:
        """Show every sample that is read to a meter; the recording begins at its sample ``offset``."""
        self._meter, self._meter_offset = meter, offset

    def expect(self, stop: int) -> None:
        """Say that no sample from ``stop`` on will be read, so that none is fetched ahead.

        Reading it works all the same. Where a sample's bytes cannot be told beforehand (FLAC), nothing is promised.
        """
        if self._found.data is not None:
            self._reader.expect(self._found.data.offset + stop * self._found.data.encoding.frame_bytes)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the samples ``[start, stop)`` of the channel asked for, or averaged over all.

        Returns
        -------
        ndarray, shape (stop - start,), float32 or float64
            The dtype the file was opened with.

        Raises
        ------
        TruncatedRecording
            The file ends before ``stop``, or a stretch cannot be decoded and damage is refused.
        InvalidSamples
            A sample is NaN, infinite or beyond :data:`LOUDEST`.
        StorageError, RecordingChanged
            The bytes could not be fetched.
        """
        frames = self.frames(start, stop)
        if self._channel is not None:
            frames = frames[:, self._channel - 1 : self._channel]
        mono = np.ascontiguousarray(mean_of_channels(frames))
        if self.facts.codec in _FLOAT_CODECS:  # integers are always finite
            self._check_finite(mono, start)
        if self._meter is not None:
            self._meter.take(self._meter_offset + start, frames, mono)
        return mono

    def frames(self, start: int, stop: int, dtype: DTypeLike | None = None) -> NDArray[Any]:
        """Return the samples ``[start, stop)`` of every channel; errors as of :meth:`read`.

        Parameters
        ----------
        start, stop : int
        dtype : {"float32", "float64", "int32"}, optional
            The one the file was opened with, unless given. Integers have the sample in their upper bits.

        Returns
        -------
        ndarray, shape (stop - start, channels)
        """
        dtype = np.dtype(dtype or self._dtype)
        words = self._words_at()
        if self._hole is not None:  # libFLAC would search a hole again and again, however long it is
            frames = np.empty((0, self.facts.channels), dtype)
        elif words is None:
            frames = self._ask_libsndfile(start, stop, dtype)
        else:
            frames = self._take_words(words, start, min(stop, self.n_samples), dtype)
        if len(frames) != stop - start and self._reader.error is None:
            frames = self._around_damage(start, stop, dtype, len(frames))
        if self._reader.error is not None:
            raise self._reader.error
        return frames

    def _check_finite(self, mono: NDArray[Any], start: int) -> None:
        sound = np.abs(mono) <= LOUDEST  # NaN compares false
        if not sound.all():
            where = start + int(np.argmin(sound))
            raise InvalidSamples(
                f"{self.source.name}: sample {where} ({where / self.sample_rate:.6f} s) is not a finite number "
                f"anywhere near full scale; export the recording again as 16 or 24 bit PCM"
            )

    def _ask_libsndfile(self, start: int, stop: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        self._found.view.allow((stop - start) * self.facts.channels * 8 + _SEARCH_BYTES)
        try:
            if self._sound.tell() != start:
                self._sound.seek(start)
            frames: NDArray[Any] = self._sound.read(stop - start, dtype=dtype.name, always_2d=True)
        except soundfile.LibsndfileError:
            frames = np.empty((0, self.facts.channels), dtype)
        return frames

    def _words_at(self) -> int | None:
        """Return the offset of 16-bit samples that can be taken as they lie in the file, or None for all others."""
        data = self._found.data
        return data.offset if data and data.encoding.codec == "PCM_16" and not data.encoding.big_endian else None

    def _take_words(self, offset: int, start: int, stop: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return what libsndfile would: it also divides 16-bit samples by 2**15, but asks for 8 KiB at a time."""
        bytes_each = 2 * self.facts.channels
        taken = bytearray(max(0, stop - start) * bytes_each)
        self._reader.seek(offset + start * bytes_each)
        n = self._reader.readinto(memoryview(taken)) // bytes_each
        words = np.frombuffer(taken, "<i2", n * self.facts.channels)
        frames: NDArray[Any] = words.reshape(n, self.facts.channels).astype(dtype)
        if dtype.kind == "i":
            frames <<= 16
        else:
            frames *= 2.0**-15
        return frames

    def _around_damage(self, start: int, stop: int, dtype: np.dtype[Any], decoded: int) -> NDArray[Any]:
        """Decode what is sound of a stretch that the decoder gave up on."""
        if self._found.flac is None or not self._keeps_damaged or stop > self.n_samples:
            raise TruncatedRecording(
                f"{self.source.name}: there should be {self.n_samples} samples, but decoding stopped at sample "
                f"{start + decoded}; copy the file again from the recorder"
                f"{'' if self._keeps_damaged else ', or set damaged to keep'}"
            )
        frames, missing, self._hole = decode_around_damage(
            _binary(self._reader), self._reader.size, self._found.flac, start, stop, dtype, self._hole
        )
        if self._meter is not None:
            for first, last in missing:
                self._meter.miss(self._meter_offset + first, self._meter_offset + last)
        return frames

    def close(self) -> None:
        """Close the decoder and the source."""
        self._sound.close()
        self._reader.close()
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_audio(
    uri: str,
    *,
    version: str | None = None,
    name: str | None = None,
    channel: int | None = None,
    dtype: DTypeLike = "float32",
    damaged: str = "keep",
) -> AudioFile:
    """Open a recording by path or ``s3://bucket/key`` and find out what is really there.

    Parameters
    ----------
    uri : str
        Where the recording lies.
    version : str, optional
        The version a job was planned on (``ByteSource.version``).
    name : str, optional
        What error messages call it; ``uri`` unless given.
    channel : int, optional
        The channel to listen to, counted from 1; the mean of all unless given.
    dtype : {"float32", "float64"}
        Type of the samples that :meth:`AudioFile.read` returns.
    damaged : {"keep", "refuse"}
        What to do with a recording of which a part is missing.

    Raises
    ------
    RecordingNotFound, RecordingChanged, EmptyRecording
        There is nothing there, another version, or zero bytes.
    UnreadableRecording
        Not audio, a broken header, or no channels.
    TruncatedRecording
        There is no sample, or fewer than promised and damage is refused.
    InexactRecording
        A format that cannot be entered at any sample.
    UnsupportedRecording
        There is no such channel.
    """
    source = open_source(uri, version, name)
    try:
        return _open(source, dtype, channel, damaged)
    except BaseException:
        source.close()
        raise


def _open(source: ByteSource, dtype: DTypeLike, channel: int | None, damaged: str) -> AudioFile:
    if source.size == 0:
        raise EmptyRecording(f"{source.name}: the file is empty (0 bytes); copy it again from the recorder")
    reader = BlockReader(source)
    try:
        found = _find(source, reader)
        _check_facts(source.name, found.facts)
        if damaged == "refuse" and is_partial(found.notes):
            words = "; ".join(note.message for note in found.notes)
            raise TruncatedRecording(f"{source.name}: {words}; copy the file again, or set damaged to keep")
        check_channel(source.name, found.facts, channel)
        return AudioFile(source, reader, found, dtype, channel, damaged)
    except soundfile.LibsndfileError as error:
        if reader.error is not None:
            raise reader.error from None
        words = error.error_string.strip().rstrip(".")
        if _leads_to_samples(source, reader):
            raise InexactRecording(
                f"{source.name}: libsndfile does not read it ({words}); it must be transcoded, or converted to FLAC"
            ) from None
        raise UnreadableRecording(f"{source.name}: not a readable recording ({words}); {_READABLE}") from None


def _leads_to_samples(source: ByteSource, reader: BlockReader) -> bool:
    """Say whether a chunked file has samples, in whatever codec: FFmpeg reads many that libsndfile does not."""
    try:
        chunk = find_data_chunk(_binary(reader), source.size)
    except struct.error:  # a header that ends within itself
        return False
    return chunk is not None and len(chunk.format) >= 16 and chunk.offset < source.size


def _find(source: ByteSource, reader: BlockReader) -> _Opened:
    """Find the samples of a recording."""
    file = _binary(reader)
    container = recognise(file)
    if reader.error is not None:
        raise reader.error
    if container is None:
        raise UnreadableRecording(
            f"{source.name}: not a readable recording (its first bytes belong to no format); {_READABLE}"
        )
    if not container.exact:
        raise InexactRecording(
            f"{source.name}: {container.name} is not sample-accurately seekable; it must be transcoded, "
            f"or converted to FLAC or to WAV with PCM samples"
        )
    data = locate_samples(file, source.size, source.name)
    if reader.error is not None:
        raise reader.error
    if data is not None:
        how = data.encoding
        facts = AudioFacts(how.sample_rate, how.channels, data.frames, data.container, how.codec)
        return _Opened(facts, data.notes, _View(reader, data.offset, data.length), data)
    if container.name == "FLAC" and (found := _find_flac(source, reader)) is not None:
        return found
    found = _Opened(_NOTHING, (), _View(reader, 0, source.size))
    return replace(found, facts=_facts_of(found))


def _find_flac(source: ByteSource, reader: BlockReader) -> _Opened | None:
    """Find the samples of a FLAC file; None where its metadata are not what RFC 9639 says."""
    file = _binary(reader)
    info = read_stream_info(file, after_tags(file))
    if info is None:
        return None
    # The decoder sees no other metadata: it reads all of them, and gives up on a picture or a seek table that lies.
    view = _View(reader, info.audio, source.size - info.audio, head=info.head)
    try:
        facts = _facts_of(_Opened(_NOTHING, (), view))
    except soundfile.LibsndfileError as error:
        if reader.error is not None:
            raise reader.error from None
        raise InexactRecording(
            f"{source.name}: libsndfile does not decode this FLAC ({error.error_string.strip().rstrip('.')}); it must "
            f"be transcoded, or converted to FLAC with 16 or 24 bits"
        ) from None
    samples, notes = count_samples(file, source.size, info)
    if reader.error is not None:
        raise reader.error
    if not samples:
        return None
    view = _View(reader, info.audio, source.size - info.audio, head=info.with_samples(samples))
    return _Opened(replace(facts, frames=samples), (*info.notes, *notes), view, flac=info)


def _facts_of(found: _Opened) -> AudioFacts:
    """Return what libsndfile says of a recording."""
    with found.decoder() as sound:
        return AudioFacts(sound.samplerate, sound.channels, sound.frames, sound.format, sound.subtype)


def mean_of_channels(frames: NDArray[Any]) -> NDArray[Any]:
    """Return what ``frames.mean(axis=1)`` returns, bit for bit, and far sooner where there are few channels.

    Parameters
    ----------
    frames : ndarray, shape (n, channels), float32 or float64

    Returns
    -------
    ndarray, shape (n,), dtype of ``frames``
    """
    channels = frames.shape[1]
    if channels == 1:
        return frames[:, 0]
    # numpy adds up to seven numbers in their order, one row at a time; column by column is 29 times faster for two.
    if channels < _ADDED_IN_ORDER:
        total: NDArray[Any] = reduce(np.add, frames.T)
        total /= frames.dtype.type(channels)
        return total
    mean: NDArray[Any] = frames.mean(axis=1)
    return mean


def check_channel(name: str, facts: AudioFacts, channel: int | None) -> None:
    """Raise :class:`UnsupportedRecording` for a channel that is not there."""
    if channel is not None and channel > facts.channels:
        raise UnsupportedRecording(
            f"{name}: there is no channel {channel}, the recording has {facts.channels}; "
            f"set channel to one of them, or to null for their mean"
        )


def encode_flac(frames: NDArray[np.int32], sample_rate: int) -> bytes:
    """Return a FLAC file of 24 bit.

    Parameters
    ----------
    frames : ndarray, shape (n, channels), int32
        Samples at the upper end of each word; the lowest eight bits are dropped.
    sample_rate : int
        In Hz.
    """
    made = io.BytesIO()
    soundfile.write(made, frames, sample_rate, format="FLAC", subtype="PCM_24", compression_level=0.25)
    return made.getvalue()


class _View(io.RawIOBase):
    """A stretch of a file as a file of its own, with another head in front."""

    def __init__(self, reader: BlockReader, offset: int, size: int, head: bytes = b"") -> None:
        super().__init__()
        self.size = len(head) + size
        self._reader = reader
        self._offset = offset - len(head)
        self._head = head
        self._position = 0
        self._allowed = self.size + _SEARCH_BYTES

    def allow(self, count: int) -> None:
        """Let a decoder have so many bytes more; behind them it meets the end of the file."""
        self._allowed = count

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is wider
        view = memoryview(buffer).cast("B")[: max(0, min(self.size - self._position, self._allowed))]
        head = self._head[self._position :][: len(view)]
        view[: len(head)] = head
        self._reader.seek(self._offset + self._position + len(head))
        count = len(head) + self._reader.readinto(view[len(head) :])
        self._position += count
        self._allowed -= count
        return count


def _binary(file: io.RawIOBase) -> BinaryIO:
    """Return a raw file as what parsers ask for: they only seek and read."""
    return cast("BinaryIO", file)


_NOTHING = AudioFacts(0, 0, 0, "", "")


def _check_facts(uri: str, facts: AudioFacts) -> None:
    if facts.codec not in EXACT_CODECS:
        raise InexactRecording(
            f"{uri}: {facts.codec} in {facts.container} is not sample-accurately seekable; it must be transcoded, "
            f"or converted to FLAC or to WAV with PCM samples"
        )
    if facts.channels < 1 or not 1 <= facts.sample_rate < 1 << 31:
        raise UnreadableRecording(
            f"{uri}: the header says {facts.channels} channels at {facts.sample_rate} Hz; rewrite the header"
        )
    if not 0 <= facts.frames < _MAX_FRAMES:
        raise UnreadableRecording(
            f"{uri}: the header does not say how many samples there are; write the file anew, for example as FLAC"
        )
