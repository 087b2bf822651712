"""Transcode a recording whose format is not sample-accurately seekable to FLAC pieces that are.

Owns :func:`transcode`. FFmpeg's libraries (PyAV) decode the recording as a stream: memory holds some pieces, however
long the recording is. The samples are kept as decoded, in 24 bits, at the recording's own sample rate and with all its
channels; samples that an encoder added and declared are removed, as players do.

Pieces that exist are not stored again, so an interrupted transcoder resumes. It decodes from the start each time,
because a lossy decoder's state depends on all samples before; decoding is a few hundred times faster than real time.

Every sample keeps its place in time:

* In containers with time stamps (WebM, Matroska, Ogg, MP4 and others), it is where its time stamp says
  (:mod:`anemonefish.audio.transcoding.timestamps`). The recording begins with its first sample; a note reports a first
  time stamp of more than a tenth of a second, which a capture has that joined a live stream late.
* In MP3 and AAC streams, which have no time stamps, it is where the number of frames before it says
  (:mod:`anemonefish.audio.transcoding.mpeg_decoder`).
* A stretch that is missing (a hole in the time stamps) or cannot be decoded (damage) becomes silence of the same
  length, with a note. A file that ends earlier than its header says ends there, with a note. A recording fails only
  where not one sample can be decoded.

PyAV is BSD-licensed; the FFmpeg in its wheels is built with parts under the GPL.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.flac_encoder import encode_flac
from anemonefish.audio.formats import recognise
from anemonefish.audio.pieces import PIECE_SAMPLES, Transcoded, find_transcoded, piece_key, write_index
from anemonefish.audio.samples import AudioFacts
from anemonefish.audio.transcoding.decoded_blocks import Block, BlockOrSilence, with_silence
from anemonefish.audio.transcoding.media_decoder import MediaDecoder
from anemonefish.audio.transcoding.mpeg_decoder import MpegDecoder
from anemonefish.errors import AnemonefishError, EmptyRecording, OutOfTime, UnreadableRecording, UnsupportedRecording
from anemonefish.stores import Kind, Store, open_source

__all__ = ["transcode"]

_MOST_CHANNELS = 8
"""Most channels of a FLAC file."""

_ENCODERS = 2
"""Pieces that are encoded while the next one is decoded: encoding takes about as long as decoding."""

_MPEG_STREAMS = frozenset({"MP3", "AAC"})


def transcode(
    uri: str,
    version: str,
    name: str,
    store: Store,
    prefix: str,
    out_of_time: Callable[[], bool] = lambda: False,
) -> Transcoded:
    """Decode a recording into FLAC pieces under ``prefix``, unless they are there already.

    Parameters
    ----------
    uri, version : str
        The recording and the version of it.
    name : str
        Name of the recording in error messages.
    store : Store
    prefix : str
        Prefix of the pieces' keys.
    out_of_time : callable
        Called after every piece; where it returns true, the call ends and keeps the pieces that are stored.

    Returns
    -------
    Transcoded
        With a note on everything that is missing or doubtful. :func:`~anemonefish.audio.pieces.check_whole` refuses
        such a recording; what is stored does not depend on that.

    Raises
    ------
    RecordingError
        Not one sample of the recording can be decoded, or it has a format that pieces cannot hold.
    OutOfTime
        Another call resumes after the last piece.
    StorageError
        The bytes could not be fetched or stored.
    """
    existing = find_transcoded(store, prefix)
    if existing is not None:
        return existing
    source = open_source(uri, version, name)
    try:
        if source.size == 0:
            raise EmptyRecording(f"{name}: the file is empty (0 bytes); copy it again from the recorder")
        with BlockReader(source) as reader:
            try:
                transcoded = _Transcoder(name, reader, store, prefix, out_of_time).run()
            except AnemonefishError:
                # A failed read looks like the end of the file to a decoder, so the read's own error is the reason.
                if reader.error is not None:
                    raise reader.error from None
                raise
    finally:
        source.close()
    write_index(store, prefix, transcoded)
    return transcoded


class _Transcoder:
    """Decodes one recording and stores its pieces."""

    def __init__(
        self, name: str, reader: BlockReader, store: Store, prefix: str, out_of_time: Callable[[], bool]
    ) -> None:
        self._name = name
        self._reader = reader
        self._store = store
        self._prefix = prefix
        self._out_of_time = out_of_time
        self._stored = set(store.keys(f"{prefix}/"))

    def run(self) -> Transcoded:
        try:
            import av  # noqa: F401  # the decoders need it; this is the one place that reports its absence
        except ImportError:
            raise UnsupportedRecording(
                f"{self._name}: this format needs PyAV, which is not installed; pip install 'anemonefish[media]'"
            ) from None
        container = recognise(self._reader)
        if container is None:
            raise UnreadableRecording(
                f"{self._name}: not a readable recording (its first bytes belong to no format); "
                f"convert it to WAV or FLAC"
            )
        kind = container.name
        is_mpeg = kind in _MPEG_STREAMS
        decoder = MpegDecoder(self._name, self._reader) if is_mpeg else MediaDecoder(self._name, self._reader, kind)
        frames, channels = self._store_pieces(decoder)
        if self._reader.error is not None:
            raise self._reader.error
        if not decoder.decoded:
            raise UnreadableRecording(f"{self._name}: not one sample could be decoded; copy the file again")
        if is_mpeg:  # the first two bytes said which one it is, and the decoder knows better
            kind = "AAC" if decoder.codec == "AAC" else "MP3"
        facts = AudioFacts(decoder.rate, channels, frames, kind, decoder.codec)
        return Transcoded(facts, tuple(decoder.notes(frames)))

    def _store_pieces(self, decoder: MpegDecoder | MediaDecoder) -> tuple[int, int]:
        """Encode and store the pieces, some at once; return samples per channel and channels."""
        frames = channels = 0
        pending: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_ENCODERS) as pool:
            for number, piece in enumerate(self._pieces(decoder.blocks())):
                channels = piece.shape[1]
                frames += len(piece)
                if piece_key(self._prefix, number) not in self._stored:
                    pending.append(pool.submit(self._store_piece, number, piece, decoder.rate))
                if len(pending) > _ENCODERS:
                    pending.popleft().result()
                if self._out_of_time():
                    for future in pending:
                        future.result()
                    raise OutOfTime(f"{self._name}: {number + 1} pieces are transcoded; the next call resumes there")
            for future in pending:
                future.result()
        return frames, channels

    def _pieces(self, items: Iterator[BlockOrSilence]) -> Iterator[Block]:
        """Divide and join blocks into pieces of ``PIECE_SAMPLES``; the last one is shorter."""
        held: list[Block] = []
        count = 0
        for block in with_silence(items):
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

    def _store_piece(self, number: int, piece: Block, rate: int) -> None:
        self._store.write(piece_key(self._prefix, number), encode_flac(piece, rate), Kind.AUDIO)
