"""Read any stretch of a recording as mono samples, wherever the recording is stored.

Owns :func:`open_audio` and :class:`AudioFile`. Reads go through one block cache (:mod:`anemonefish.audio.blocks`), so a
worker fetches the bytes of its range and little else. libsndfile decodes all formats but the 16-bit samples of WAV,
which need no decoding; :mod:`anemonefish.audio.decoder_input` finds the samples, because headers are often wrong.
Channels are averaged, as in training, unless one is chosen.

* Opening a recording reads its header and its last frames only; no call reads a whole recording.
* A read returns exactly the samples asked for, or raises an error that names the file and the place.
* A stretch of FLAC that cannot be decoded is returned as silence and reported in a note; on request it is refused.
* The same stretch has the same samples however it is divided into reads.

:mod:`anemonefish.audio.resample` changes the sample rate.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np
import soundfile
from numpy.typing import DTypeLike, NDArray

from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.decoder_input import SEARCH_BYTES, DecoderInput, decoder_errors, find_decoder_input
from anemonefish.audio.flac_damage import Hole, decode_around_damage
from anemonefish.audio.headers import Metadata, read_metadata
from anemonefish.audio.samples import LOUDEST, check_channel, mean_of_channels
from anemonefish.audio.signal_meter import SignalMeter
from anemonefish.errors import EmptyRecording, InvalidSamples, TruncatedRecording
from anemonefish.notes import is_partial
from anemonefish.stores import ByteSource, open_source

__all__ = ["AudioFile", "open_audio"]

_FLOAT_CODECS = frozenset({"FLOAT", "DOUBLE"})
"""Codecs whose samples may be NaN or infinite; integer PCM cannot be."""


class AudioFile:
    """One open recording, as :func:`open_audio` returns it.

    Attributes
    ----------
    facts : AudioFacts
        How many samples there are, and how they are stored.
    notes : tuple of Note
        What is wrong in the header, or in the file.
    source : ByteSource
        Where the bytes come from, in one version of the file.
    """

    def __init__(
        self,
        source: ByteSource,
        reader: BlockReader,
        found: DecoderInput,
        dtype: DTypeLike,
        channel: int | None,
        damaged: str,
    ) -> None:
        self.source = source
        self.facts = found.facts
        self.notes = found.notes
        self._reader = reader
        self._input = found
        self._decoder = found.open_decoder()
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
        """Return the descriptive texts of the header; raise :class:`StorageError` when it cannot be fetched."""
        with BlockReader(self.source) as reader:  # the decoder's reader must keep its position
            metadata = read_metadata(reader, self.source.size)
            if reader.error is not None:
                raise reader.error
        return metadata

    def watch(self, meter: SignalMeter, offset: int = 0) -> None:
        """Pass every sample that is read to a meter, in which the recording begins at the sample ``offset``."""
        self._meter, self._meter_offset = meter, offset

    def expect(self, stop: int) -> None:
        """Say that no sample from ``stop`` on will be read, so that none is fetched ahead.

        Such samples can still be read. The call does nothing for FLAC, where the bytes of a sample are not known.
        """
        if self._input.data is not None:
            self._reader.expect(self._input.data.offset + stop * self._input.data.encoding.frame_bytes)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the samples ``[start, stop)`` of the chosen channel, or averaged over all channels.

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
        if self.facts.codec in _FLOAT_CODECS:
            self._check_finite(mono, start)
        if self._meter is not None:
            self._meter.measure(self._meter_offset + start, frames, mono)
        return mono

    def frames(self, start: int, stop: int, dtype: DTypeLike | None = None) -> NDArray[Any]:
        """Return the samples ``[start, stop)`` of every channel; errors as of :meth:`read`.

        Parameters
        ----------
        start, stop : int
        dtype : {"float32", "float64", "int32"}, optional
            The type the file was opened with, unless given. Integers hold the sample in their upper bits.

        Returns
        -------
        ndarray, shape (stop - start, channels)
        """
        dtype = np.dtype(dtype or self._dtype)
        pcm16_offset = self._pcm16_offset()
        if self._hole is not None:  # libFLAC would search a long hole with every read
            frames = np.empty((0, self.facts.channels), dtype)
        elif pcm16_offset is None:
            frames = self._decode(start, stop, dtype)
        else:
            frames = self._read_pcm16(pcm16_offset, start, min(stop, self.n_samples), dtype)
        if len(frames) != stop - start and self._reader.error is None:
            frames = self._decode_around_damage(start, stop, dtype, len(frames))
        if self._reader.error is not None:
            raise self._reader.error
        return frames

    def _check_finite(self, mono: NDArray[Any], start: int) -> None:
        is_valid = np.abs(mono) <= LOUDEST  # NaN compares false
        if not is_valid.all():
            sample = start + int(np.argmin(is_valid))
            raise InvalidSamples(
                f"{self.source.name}: sample {sample} ({sample / self.sample_rate:.6f} s) is not a finite number "
                f"anywhere near full scale; export the recording again as 16 or 24 bit PCM"
            )

    def _decode(self, start: int, stop: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        self._input.section.limit_reads((stop - start) * self.facts.channels * 8 + SEARCH_BYTES)
        try:
            if self._decoder.tell() != start:
                self._decoder.seek(start)
            frames: NDArray[Any] = self._decoder.read(stop - start, dtype=dtype.name, always_2d=True)
        except soundfile.LibsndfileError:
            frames = np.empty((0, self.facts.channels), dtype)
        return frames

    def _pcm16_offset(self) -> int | None:
        """Return the offset of little-endian 16-bit samples, which need no decoder; None for all other codecs."""
        data = self._input.data
        return data.offset if data and data.encoding.codec == "PCM_16" and not data.encoding.big_endian else None

    def _read_pcm16(self, offset: int, start: int, stop: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the samples that libsndfile would return, sooner: libsndfile reads 8 KiB at a time."""
        frame_bytes = 2 * self.facts.channels
        content = bytearray(max(0, stop - start) * frame_bytes)
        self._reader.seek(offset + start * frame_bytes)
        n = self._reader.readinto(memoryview(content)) // frame_bytes
        samples = np.frombuffer(content, "<i2", n * self.facts.channels)
        if dtype.kind == "i":
            frames: NDArray[Any] = samples.astype(dtype) << 16
        else:
            frames = np.multiply(samples, 2.0**-15, dtype=dtype)
        return frames.reshape(n, self.facts.channels)

    def _decode_around_damage(self, start: int, stop: int, dtype: np.dtype[Any], decoded: int) -> NDArray[Any]:
        """Decode the intact frames of a stretch in which the decoder stopped after ``decoded`` samples."""
        if self._input.flac is None or not self._keeps_damaged or stop > self.n_samples:
            raise TruncatedRecording(
                f"{self.source.name}: there should be {self.n_samples} samples, but decoding stopped at sample "
                f"{start + decoded}; copy the file again from the recorder"
                f"{'' if self._keeps_damaged else ', or set damaged to keep'}"
            )
        frames, missing, self._hole = decode_around_damage(
            self._reader, self._reader.size, self._input.flac, start, stop, dtype, self._hole
        )
        if self._meter is not None:
            for first, last in missing:
                self._meter.add_missing(self._meter_offset + first, self._meter_offset + last)
        return frames

    def close(self) -> None:
        """Close the decoder and the source."""
        self._decoder.close()
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
    """Open a recording by path or ``s3://bucket/key`` and find the samples that are really there.

    Parameters
    ----------
    uri : str
        Path or ``s3://bucket/key``.
    version : str, optional
        The version that a job was planned with (``ByteSource.version``); the current one unless given.
    name : str, optional
        Name of the recording in error messages; ``uri`` unless given.
    channel : int, optional
        The channel to read, counted from 1; the mean of all unless given.
    dtype : {"float32", "float64"}
        Type of the samples that :meth:`AudioFile.read` returns.
    damaged : {"keep", "refuse"}
        Whether a recording of which a part is missing is read or refused.

    Raises
    ------
    RecordingNotFound, RecordingChanged, EmptyRecording
        There is no such file, it has another version, or it has zero bytes.
    UnreadableRecording
        No known format, a broken header, or no channels.
    TruncatedRecording
        There is no sample, or fewer than the header promises and ``damaged`` is ``refuse``.
    InexactRecording
        The format is not sample-accurately seekable; the recording is transcoded first.
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
    with decoder_errors(source.name, reader):
        found = find_decoder_input(source.name, reader)
        if damaged == "refuse" and is_partial(found.notes):
            words = "; ".join(note.message for note in found.notes)
            raise TruncatedRecording(f"{source.name}: {words}; copy the file again, or set damaged to keep")
        check_channel(source.name, found.facts, channel)
        return AudioFile(source, reader, found, dtype, channel, damaged)
