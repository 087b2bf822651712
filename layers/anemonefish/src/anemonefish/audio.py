"""Recordings as mono samples, addressed by sample index.

Owns opening a recording wherever it lies, the facts about it, and reading any stretch of it. Reads go through
one block cache (:mod:`anemonefish.blocks`), so a worker fetches the bytes of its range and no others. Decoding
is libsndfile's, but for the 16-bit samples of a WAV, which need none. Channels are averaged, as in training, unless
one is asked for.

Promises: facts come from the header alone; a stretch has exactly the samples asked for or an error that names
the file and the place; the same stretch has the same samples however it is cut. Never resamples
(:mod:`anemonefish.resample` does) and never reads a whole recording.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import reduce
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import soundfile
from numpy.typing import DTypeLike, NDArray

from anemonefish.blocks import BlockReader
from anemonefish.containers import DataChunk, find_data_chunk, recognise, rf64_header
from anemonefish.errors import (
    EmptyRecording,
    InexactRecording,
    InvalidSamples,
    TruncatedRecording,
    UnreadableRecording,
    UnsupportedRecording,
)
from anemonefish.metadata import Metadata, read_metadata
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

_LITTLE_ENDIAN = frozenset({"WAV", "WAVEX", "RF64", "W64"})
"""Containers whose samples :mod:`anemonefish.containers` finds and whose lowest byte comes first."""

_READABLE = "it must be WAV, RF64, W64, AIFF, FLAC, OGG, Opus, MP3, M4A, AAC or WebM with an intact header"

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


class AudioFile:
    """One open recording; made by :func:`open_audio`.

    Attributes
    ----------
    facts : AudioFacts
        What the header says.
    source : ByteSource
        Where the bytes come from; its ``version`` pins them.
    """

    def __init__(
        self,
        source: ByteSource,
        reader: BlockReader,
        sound: soundfile.SoundFile,
        dtype: DTypeLike,
        channel: int | None,
        chunk: DataChunk | None,
    ) -> None:
        self.source = source
        self.facts = AudioFacts(sound.samplerate, sound.channels, sound.frames, sound.format, sound.subtype)
        self._reader = reader
        self._sound = sound
        self._dtype = np.dtype(dtype)
        self._channel = channel
        self._chunk = chunk
        self._words_at = _words_at(self.facts, chunk)

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

    def expect(self, stop: int) -> None:
        """Say that no sample from ``stop`` on will be read, so that none is fetched ahead.

        Reading it works all the same. Where a sample's bytes cannot be told beforehand (FLAC), nothing is promised.
        """
        if self._chunk is not None and self._chunk.declared and self.facts.frames:
            self._reader.expect(self._chunk.offset + -(-self._chunk.declared * stop // self.facts.frames))

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the samples ``[start, stop)`` of the channel asked for, or averaged over all.

        Returns
        -------
        ndarray, shape (stop - start,), float32 or float64
            The dtype the file was opened with.

        Raises
        ------
        TruncatedRecording
            The file ends, or stops being decodable, before ``stop``.
        InvalidSamples
            A sample is NaN, infinite or beyond :data:`LOUDEST`.
        StorageError, RecordingChanged
            The bytes could not be fetched.
        """
        frames = self._decode(start, stop)
        if len(frames) != stop - start:
            raise TruncatedRecording(
                f"{self.source.name}: the header promises {self.n_samples} samples, but decoding stopped at sample "
                f"{start + len(frames)}; copy the file again from the recorder, or cut it there"
            )
        mono = self._mono(frames)
        if self.facts.codec not in _FLOAT_CODECS:  # whole numbers are none of that
            return mono
        sound = np.abs(mono) <= LOUDEST  # NaN compares false
        if not sound.all():
            where = start + int(np.argmin(sound))
            raise InvalidSamples(
                f"{self.source.name}: sample {where} ({where / self.sample_rate:.6f} s) is not a finite number "
                f"anywhere near full scale; export the recording again as 16 or 24 bit PCM"
            )
        return mono

    def _mono(self, frames: NDArray[Any]) -> NDArray[Any]:
        if self._channel is not None:
            return np.ascontiguousarray(frames[:, self._channel - 1])
        return mean_of_channels(frames)

    def _decode(self, start: int, stop: int) -> NDArray[Any]:
        if self._words_at is None:
            frames = self._ask_libsndfile(start, stop)
        else:
            frames = self._take_words(self._words_at, start, min(stop, self.n_samples))
        if self._reader.error is not None:
            raise self._reader.error
        return frames

    def _ask_libsndfile(self, start: int, stop: int) -> NDArray[Any]:
        try:
            if self._sound.tell() != start:
                self._sound.seek(start)
            frames: NDArray[Any] = self._sound.read(stop - start, dtype=self._dtype.name, always_2d=True)
        except soundfile.LibsndfileError:
            frames = np.empty((0, self.facts.channels), self._dtype)
        return frames

    def _take_words(self, offset: int, start: int, stop: int) -> NDArray[Any]:
        """Return what libsndfile would: it also divides 16-bit samples by 2**15, but asks for 8 KiB at a time."""
        bytes_each = 2 * self.facts.channels
        taken = bytearray(max(0, stop - start) * bytes_each)
        self._reader.seek(offset + start * bytes_each)
        n = self._reader.readinto(memoryview(taken)) // bytes_each
        words = np.frombuffer(taken, "<i2", n * self.facts.channels)
        frames: NDArray[Any] = words.reshape(n, self.facts.channels).astype(self._dtype)
        frames *= 2.0**-15
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
) -> AudioFile:
    """Open a recording by path or ``s3://bucket/key`` and check what its header promises.

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

    Raises
    ------
    RecordingNotFound, RecordingChanged, EmptyRecording
        There is nothing there, another version, or zero bytes.
    UnreadableRecording
        Not audio, a broken header, or no channels.
    TruncatedRecording
        The data is shorter than the header promises.
    InexactRecording
        A format that cannot be entered at any sample.
    UnsupportedRecording
        There is no such channel.
    """
    source = open_source(uri, version, name)
    try:
        return _open(source, dtype, channel)
    except BaseException:
        source.close()
        raise


def _open(source: ByteSource, dtype: DTypeLike, channel: int | None) -> AudioFile:
    if source.size == 0:
        raise EmptyRecording(f"{source.name}: the file is empty (0 bytes); copy it again from the recorder")
    reader = BlockReader(source)
    try:
        chunk = _look_at(source, reader)
        if chunk is not None and chunk.wrapped:
            head = rf64_header(chunk)
            reader.close()
            reader = BlockReader(_Spliced(source, head, chunk))
            chunk = DataChunk(len(head), chunk.declared)
        reader.seek(0)
        sound = soundfile.SoundFile(reader)
    except soundfile.LibsndfileError as error:
        if reader.error is not None:
            raise reader.error from None
        raise UnreadableRecording(
            f"{source.name}: not a readable recording ({error.error_string.strip().rstrip('.')}); {_READABLE}"
        ) from None
    audio = AudioFile(source, reader, sound, dtype, channel, chunk)
    _check_facts(source.name, audio.facts)
    check_channel(source.name, audio.facts, channel)
    return audio


def _words_at(facts: AudioFacts, chunk: DataChunk | None) -> int | None:
    """Return the offset of 16-bit samples that can be taken as they lie in the file, or None for all others."""
    if chunk is None or chunk.declared is None or facts.codec != "PCM_16" or facts.container not in _LITTLE_ENDIAN:
        return None
    # Where the two disagree about the length, libsndfile knows something of the file that is not known here.
    return chunk.offset if chunk.declared // (2 * max(1, facts.channels)) == facts.frames else None


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


class _Spliced:
    """A recording behind another header."""

    def __init__(self, source: ByteSource, head: bytes, chunk: DataChunk) -> None:
        self._source = source
        self._head = head
        self._offset = chunk.offset
        self.name = source.name
        self.version = source.version
        self.size = len(head) + (chunk.declared or 0)

    def read(self, offset: int, length: int) -> bytes:
        head = self._head[offset : offset + length]
        begin = max(0, offset - len(self._head))
        rest = min(length - len(head), self.size - len(self._head) - begin)
        return head + self._source.read(self._offset + begin, rest) if rest > 0 else head

    def close(self) -> None:
        self._source.close()


def _look_at(source: ByteSource, reader: BlockReader) -> DataChunk | None:
    """Refuse what libsndfile would misread; return where the samples lie, if chunks say so."""
    container = recognise(reader)  # type: ignore[arg-type]  # RawIOBase reads like BinaryIO
    chunk = find_data_chunk(reader, source.size)  # type: ignore[arg-type]
    if reader.error is not None:
        raise reader.error
    if container is None:
        raise UnreadableRecording(
            f"{source.name}: not a readable recording (its first bytes belong to no format); {_READABLE}"
        )
    if not container.exact:
        raise InexactRecording(
            f"{source.name}: {container.name} cannot be entered at any sample; it must be transcoded, "
            f"or converted to FLAC or to WAV with PCM samples"
        )
    if chunk is not None and chunk.declared is not None:
        _check_length(source, chunk, chunk.declared)
    return chunk


def _check_length(source: ByteSource, chunk: DataChunk, declared: int) -> None:
    """Hold the length that a chunked container promises against the object's size."""
    present = source.size - chunk.offset
    if declared > present:
        raise TruncatedRecording(
            f"{source.name}: the header promises {declared} bytes of samples from byte {chunk.offset} on, "
            f"but the file ends after {max(0, present)} of them, at byte {source.size}; "
            f"copy the file again from the recorder, or rewrite its header to keep what is there"
        )
    if declared == 0 and present > 0:
        raise UnreadableRecording(
            f"{source.name}: the header says there are no samples, but {present} bytes follow it at byte "
            f"{chunk.offset}; the recorder was probably cut off while writing: rewrite the header"
        )
    if source.size > 1 << 32 and present - declared >= 1 << 32:
        raise UnreadableRecording(
            f"{source.name}: {present} bytes of samples do not fit the header, which says {declared}; "
            f"convert the file to RF64, W64 or FLAC"
        )


def _check_facts(uri: str, facts: AudioFacts) -> None:
    if facts.codec not in EXACT_CODECS:
        raise InexactRecording(
            f"{uri}: {facts.codec} in {facts.container} cannot be entered at any sample; it must be transcoded, "
            f"or converted to FLAC or to WAV with PCM samples"
        )
    if facts.channels < 1 or facts.sample_rate < 1:
        raise UnreadableRecording(
            f"{uri}: the header says {facts.channels} channels at {facts.sample_rate} Hz; rewrite the header"
        )
    if not 0 <= facts.frames < _MAX_FRAMES:
        raise UnreadableRecording(
            f"{uri}: the header does not say how many samples there are; write the file anew, for example as FLAC"
        )
