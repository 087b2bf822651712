"""Recordings as mono samples, addressed by sample index.

Owns opening a recording wherever it lies, the facts about it, and reading any stretch of it. Reads go through
one block cache (:mod:`anemonefish.blocks`), so a worker fetches the bytes of its range and no others. Decoding
is libsndfile's. Channels are averaged, as in training, unless one is asked for.

Promises: facts come from the header alone; a stretch has exactly the samples asked for or an error that names
the file and the place; the same stretch has the same samples however it is cut. Never resamples
(:mod:`anemonefish.resample` does) and never reads a whole recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import soundfile
from numpy.typing import DTypeLike, NDArray

from anemonefish.blocks import BlockReader
from anemonefish.containers import find_data_chunk
from anemonefish.errors import (
    EmptyRecording,
    InvalidSamples,
    TruncatedRecording,
    UnreadableRecording,
    UnsupportedRecording,
)
from anemonefish.stores import ByteSource, open_source

__all__ = ["EXACT_CODECS", "EXACT_CONTAINERS", "AudioFacts", "AudioFile", "Samples", "open_audio"]

EXACT_CONTAINERS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC"})
"""Containers (libsndfile's names) in which seeking is exact to the sample."""

LOUDEST = 1e12
"""Largest sample taken. Full scale is 1; float files scaled like integers reach 2**31, nothing real goes further."""

EXACT_CODECS = frozenset({"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"})
"""Codecs that store each sample by itself; ADPCM and GSM code blocks, and cannot be entered at any sample."""

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
        channel: int | None = None,
    ) -> None:
        self.source = source
        self.facts = AudioFacts(sound.samplerate, sound.channels, sound.frames, sound.format, sound.subtype)
        self._reader = reader
        self._sound = sound
        self._dtype = np.dtype(dtype)
        self._channel = channel

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.facts.sample_rate

    @property
    def n_samples(self) -> int:
        """Length in samples of the mono signal."""
        return self.facts.frames

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
        mono: NDArray[Any] = frames[:, 0] if self.facts.channels == 1 else frames.mean(axis=1)
        return mono

    def _decode(self, start: int, stop: int) -> NDArray[Any]:
        try:
            if self._sound.tell() != start:
                self._sound.seek(start)
            frames: NDArray[Any] = self._sound.read(stop - start, dtype=self._dtype.name, always_2d=True)
        except soundfile.LibsndfileError:
            frames = np.empty((0, self.facts.channels), self._dtype)
        if self._reader.error is not None:
            raise self._reader.error
        return frames

    def close(self) -> None:
        """Close the decoder and the source."""
        self._sound.close()
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
    UnsupportedRecording
        A container that cannot be sought exactly, or no such channel.
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
        _check_length(source, reader)
        reader.seek(0)
        sound = soundfile.SoundFile(reader)
    except soundfile.LibsndfileError as error:
        if reader.error is not None:
            raise reader.error from None
        raise UnreadableRecording(
            f"{source.name}: not a readable recording ({error.error_string.strip().rstrip('.')}); "
            f"it must be WAV, RF64, W64, AIFF or FLAC with an intact header"
        ) from None
    audio = AudioFile(source, reader, sound, dtype, channel)
    _check_facts(source.name, audio.facts)
    if channel is not None and channel > audio.facts.channels:
        raise UnsupportedRecording(
            f"{source.name}: there is no channel {channel}, the recording has {audio.facts.channels}; "
            f"set channel to one of them, or to null for their mean"
        )
    return audio


def _check_length(source: ByteSource, reader: BlockReader) -> None:
    """Hold the length that a chunked container promises against the object's size."""
    chunk = find_data_chunk(reader, source.size)  # type: ignore[arg-type]  # RawIOBase reads like BinaryIO
    if reader.error is not None:
        raise reader.error
    if chunk is None or chunk.declared is None:
        return
    present = source.size - chunk.offset
    if chunk.declared > present:
        raise TruncatedRecording(
            f"{source.name}: the header promises {chunk.declared} bytes of samples from byte {chunk.offset} on, "
            f"but the file ends after {max(0, present)} of them, at byte {source.size}; "
            f"copy the file again from the recorder, or rewrite its header to keep what is there"
        )
    if chunk.declared == 0 and present > 0:
        raise UnreadableRecording(
            f"{source.name}: the header says there are no samples, but {present} bytes follow it at byte "
            f"{chunk.offset}; the recorder was probably cut off while writing: rewrite the header"
        )
    if source.size > 1 << 32 and present - chunk.declared >= 1 << 32:
        raise UnreadableRecording(
            f"{source.name}: {present} bytes of samples do not fit a plain WAV header, which says {chunk.declared}; "
            f"convert the file to RF64, W64 or FLAC"
        )


def _check_facts(uri: str, facts: AudioFacts) -> None:
    if facts.container not in EXACT_CONTAINERS or facts.codec not in EXACT_CODECS:
        raise UnsupportedRecording(
            f"{uri}: {facts.codec} in {facts.container} cannot be read exactly from any sample; "
            f"convert the file to FLAC or to WAV with PCM samples"
        )
    if facts.channels < 1 or facts.sample_rate < 1:
        raise UnreadableRecording(
            f"{uri}: the header says {facts.channels} channels at {facts.sample_rate} Hz; rewrite the header"
        )
    if not 0 <= facts.frames < _MAX_FRAMES:
        raise UnreadableRecording(
            f"{uri}: the header does not say how many samples there are; write the file anew, for example as FLAC"
        )
