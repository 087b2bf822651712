"""Transcode: a recording that cannot be entered at any sample becomes FLAC pieces that can.

Owns decoding with FFmpeg's libraries (PyAV), streaming: memory is bounded by some pieces, whatever the length.
Samples are kept as decoded, in 24 bit, at the recording's own rate and with all its channels; what an encoder padded
in front and behind, and noted, is left out as any player does. Pieces that are there are not made again, so a
transcoder that was interrupted goes on; decoding starts anew each time, because a lossy decoder's state at a sample
depends on all before it, and is a few hundred times faster than real time. Never scores, never resamples.

PyAV is BSD; the FFmpeg in its wheels is built with parts under the GPL.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anemonefish.audio import AudioFacts, encode_flac
from anemonefish.blocks import BlockReader
from anemonefish.containers import recognise
from anemonefish.errors import (
    AnemonefishError,
    EmptyRecording,
    Failure,
    OutOfTime,
    TruncatedRecording,
    UnreadableRecording,
    UnsupportedRecording,
)
from anemonefish.jobs import Job
from anemonefish.pieces import PIECE_SAMPLES, piece_key, read_index, write_index
from anemonefish.planned import TranscodeTask
from anemonefish.stores import Store, open_source

__all__ = ["transcode", "transcode_task"]

_MOST_CHANNELS = 8
"""FLAC's."""

_ENCODERS = 2
"""Pieces encoded while the next is decoded: encoding takes about as long."""

_FULL_SCALE = {"u8": 1 << 7, "s16": 1 << 15, "s32": 1 << 31, "flt": 1, "dbl": 1}
"""What a sample of each of FFmpeg's formats is divided by."""

_MISSING_SECONDS = 1.0
"""How much less than its header promises a recording may hold: headers round, encoders pad."""


def transcode(
    uri: str,
    version: str,
    name: str,
    store: Store,
    prefix: str,
    out_of_time: Callable[[], bool] = lambda: False,
) -> AudioFacts:
    """Decode a recording into FLAC pieces under ``prefix``, unless it is there.

    Parameters
    ----------
    uri, version : str
        The recording, pinned.
    name : str
        What error messages call it.
    store : Store
    prefix : str
    out_of_time : callable
        Asked after every piece; true ends the call with what is done kept.

    Raises
    ------
    RecordingError
        The recording cannot be decoded, or ends before the time its header promises.
    OutOfTime
        Call again: it goes on behind the last piece.
    StorageError
        The bytes could not be fetched or stored.
    """
    found = read_index(store, prefix)
    if found is not None:
        return found
    source = open_source(uri, version, name)
    try:
        if source.size == 0:
            raise EmptyRecording(f"{name}: the file is empty (0 bytes); copy it again from the recorder")
        with BlockReader(source) as reader:
            try:
                facts = _Transcoder(name, reader, store, prefix, out_of_time).run()
            except AnemonefishError:
                # What fails in a read looks like the end of the file to a decoder: the read's own error is the reason.
                if reader.error is not None:
                    raise reader.error from None
                raise
    finally:
        source.close()
    write_index(store, prefix, facts)
    return facts


def transcode_task(job: Job, task: TranscodeTask, out_of_time: Callable[[], bool] = lambda: False) -> Failure | None:
    """Transcode a recording of a job; return the reason, which is kept, of one that cannot be."""
    try:
        transcode(task.uri, task.version, task.path, job.store, task.prefix, out_of_time)
    except AnemonefishError as error:
        if error.retryable:
            raise
        failure = Failure.of(error)
        job.write_transcode_failure(task, failure)
        return failure
    return None


class _Transcoder:
    """One pass over a recording."""

    def __init__(
        self, name: str, reader: BlockReader, store: Store, prefix: str, out_of_time: Callable[[], bool]
    ) -> None:
        self._name = name
        self._reader = reader
        self._store = store
        self._prefix = prefix
        self._out_of_time = out_of_time
        self._done = set(store.keys(f"{prefix}/"))
        self._rate = 0

    def run(self) -> AudioFacts:
        try:
            import av
        except ImportError:
            raise UnsupportedRecording(
                f"{self._name}: this format needs PyAV, which is not installed; pip install 'anemonefish[media]'"
            ) from None
        container = recognise(self._reader)  # type: ignore[arg-type]  # RawIOBase reads like BinaryIO
        self._reader.seek(0)
        try:
            media = av.open(self._reader, mode="r", metadata_errors="ignore")
        except (av.error.FFmpegError, ValueError) as error:
            raise self._unreadable(error) from None
        with media:
            if not media.streams.audio:
                raise UnreadableRecording(f"{self._name}: there is no sound in this file")
            stream = media.streams.audio[0]
            frames, channels = self._store_pieces(self._samples(media, stream))
            promised = _promised_seconds(media, stream)
            if self._reader.error is not None:
                raise self._reader.error
            if promised is not None and frames / max(1, self._rate) < promised - _MISSING_SECONDS:
                raise TruncatedRecording(
                    f"{self._name}: the header promises {promised:.1f} s, but decoding ended after "
                    f"{frames / max(1, self._rate):.1f} s; copy the file again from the recorder"
                )
            if not frames:
                raise UnreadableRecording(f"{self._name}: not one sample could be decoded; copy the file again")
            codec = stream.codec_context.codec.canonical_name.upper()
        return AudioFacts(self._rate, channels, frames, container.name if container else "MEDIA", codec)

    def _samples(self, media: Any, stream: Any) -> Iterator[NDArray[np.int32]]:
        """Yield blocks of shape ``(n, channels)``, 24 bits at the upper end of each word."""
        import av

        seconds = 0.0
        try:
            for frame in media.decode(stream):
                if self._rate not in {0, frame.sample_rate}:
                    raise UnsupportedRecording(
                        f"{self._name}: the sample rate changes from {self._rate} to {frame.sample_rate} Hz after "
                        f"{seconds:.1f} s; split the file there"
                    )
                self._rate = frame.sample_rate
                seconds += frame.samples / frame.sample_rate
                yield _to_24_bit(frame)
        except av.error.FFmpegError as error:
            raise TruncatedRecording(
                f"{self._name}: decoding stopped after {seconds:.1f} s ({error.strerror}); copy the file again, "
                f"or convert what is sound of it to FLAC"
            ) from None

    def _store_pieces(self, blocks: Iterator[NDArray[np.int32]]) -> tuple[int, int]:
        """Encode and store pieces, some at once; return samples and channels."""
        frames = channels = 0
        pending: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_ENCODERS) as pool:
            for number, piece in enumerate(self._pieces(blocks)):
                channels = piece.shape[1]
                frames += len(piece)
                if piece_key(self._prefix, number) not in self._done:
                    pending.append(pool.submit(self._store_piece, number, piece))
                if len(pending) > _ENCODERS:
                    pending.popleft().result()
                if self._out_of_time():
                    for each in pending:
                        each.result()
                    raise OutOfTime(f"{self._name}: {number + 1} pieces are transcoded; the next call goes on there")
            for each in pending:
                each.result()
        return frames, channels

    def _pieces(self, blocks: Iterator[NDArray[np.int32]]) -> Iterator[NDArray[np.int32]]:
        """Cut and join blocks into pieces of ``PIECE_SAMPLES``, the last one shorter."""
        held: list[NDArray[np.int32]] = []
        count = 0
        for block in blocks:
            if held and held[0].shape[1] != block.shape[1]:
                raise UnsupportedRecording(f"{self._name}: the number of channels changes; split the file there")
            if block.shape[1] > _MOST_CHANNELS:
                raise UnsupportedRecording(
                    f"{self._name}: {block.shape[1]} channels are more than {_MOST_CHANNELS}; convert the file to WAV"
                )
            held.append(block)
            count += len(block)
            while count >= PIECE_SAMPLES:
                whole = np.concatenate(held)
                yield whole[:PIECE_SAMPLES]
                held, count = [whole[PIECE_SAMPLES:]], count - PIECE_SAMPLES
        if count:
            yield np.concatenate(held)

    def _store_piece(self, number: int, piece: NDArray[np.int32]) -> None:
        self._store.write(piece_key(self._prefix, number), encode_flac(piece, self._rate))

    def _unreadable(self, error: Exception) -> UnreadableRecording:
        return UnreadableRecording(
            f"{self._name}: not a readable recording ({getattr(error, 'strerror', None) or error}); "
            f"copy the file again, or convert it to FLAC"
        )


def _to_24_bit(frame: Any) -> NDArray[np.int32]:
    """Return a decoded frame, shape ``(samples, channels)``, rounded to 24 bits at the upper end of each word."""
    kind = frame.format.name
    found = frame.to_ndarray()
    planes = found if kind.endswith("p") else found.reshape(-1, len(frame.layout.channels)).T
    scale = _FULL_SCALE[kind.removesuffix("p")]
    middle = 128 if kind.startswith("u8") else 0
    samples = (planes.T.astype(np.float64) - middle) * ((1 << 23) / scale)
    whole = np.clip(np.rint(samples), -(1 << 23), (1 << 23) - 1).astype(np.int32)
    return np.ascontiguousarray(whole << 8)


def _promised_seconds(media: Any, stream: Any) -> float | None:
    """Return the length that a header tells; None where FFmpeg guesses it from the size (MPEG audio, AAC, Ogg)."""
    if not {"mp4", "m4a", "matroska", "webm"} & set(media.format.name.split(",")):
        return None
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return None if media.duration is None else media.duration / 1e6
