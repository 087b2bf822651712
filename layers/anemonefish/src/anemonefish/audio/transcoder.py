"""Transcode: a recording that is not sample-accurately seekable becomes FLAC pieces that are.

Owns decoding with FFmpeg's libraries (PyAV), streaming: memory is bounded by some pieces, whatever the length.
Samples are kept as decoded, in 24 bit, at the recording's own rate and with all its channels; what an encoder padded
in front and behind, and noted, is left out as any player does. Pieces that exist are not made again, so a
transcoder that was interrupted resumes; decoding starts anew each time, because a lossy decoder's state at a sample
depends on all before it, and is a few hundred times faster than real time. Never scores, never resamples.

Every sample lies where it was recorded:

* In a container with time stamps (WebM, Matroska, Ogg, MP4 and the like) where they say; see
  :mod:`.audio.timestamps`. The recording begins with its first sample, whatever its time stamp: a capture that
  joined a live stream late has a large one. One of more than a tenth of a second is told in a note.
* In MP3 and AAC streams, which have none, behind as many frames as stand before it; see :mod:`anemonefish.audio.mpeg`.
* A stretch that is not there (a hole in the time stamps), or cannot be decoded (damage), becomes silence of its length
  and a note. A file that ends before its header says so ends there, with a note. Only a recording of which nothing can
  be decoded has failed.

PyAV is BSD; the FFmpeg in its wheels is built with parts under the GPL.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from fractions import Fraction
from io import BytesIO
from itertools import groupby
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.chunks import find_data_chunk
from anemonefish.audio.formats import recognise
from anemonefish.audio.mpeg import Frame, Gap, InfoHeader, find_first_frame, read_info, walk
from anemonefish.audio.pieces import PIECE_SAMPLES, Transcoded, piece_key, read_index, write_index
from anemonefish.audio.reader import AudioFacts, encode_flac
from anemonefish.audio.timestamps import Judged, Stretches, Timeline, seconds, steadied
from anemonefish.errors import (
    AnemonefishError,
    EmptyRecording,
    Failure,
    OutOfTime,
    UnreadableRecording,
    UnsupportedRecording,
)
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import TranscodeTask
from anemonefish.notes import Note
from anemonefish.stores import Store, open_source

__all__ = ["header_length", "transcode", "transcode_task"]

_Block = NDArray[np.int32]
"""Decoded samples, shape ``(n, channels)``, 24 bits at the upper end of each word."""

_MOST_CHANNELS = 8
"""FLAC's."""

_ENCODERS = 2
"""Pieces encoded while the next is decoded: encoding takes about as long."""

_FULL_SCALE = {"u8": 1 << 7, "s16": 1 << 15, "s32": 1 << 31, "s64": 1 << 63, "flt": 1, "dbl": 1}
"""What a sample of each of FFmpeg's formats is divided by."""

_FORMATS = {
    "WAV": "wav", "RF64": "wav", "W64": "w64", "AIFF": "aiff", "FLAC": "flac", "OGG": "ogg", "MP4": "mov",
    "WEBM": "matroska", "CAF": "caf", "AU": "au", "ASF": "asf", "WAVPACK": "wv",
}  # fmt: skip
"""FFmpeg's name of each container: nothing is guessed from bytes that happen to look like another."""

_ROUNDED_SECONDS = {"matroska": Fraction(1), "mov": Fraction(1, 10), "flac": Fraction(0)}
"""How far the length in a header and the samples may differ: browsers measure it with a clock, MP4 counts packets."""

_LEAD_SECONDS = Fraction(1, 10)
"""From what first time stamp on a note is made; encoders begin some packets late."""

_SILENT_BLOCK = 1 << 16
"""Samples of silence made at once."""

_UNEXPLAINED_BYTES = 1_024
"""Bytes between two packets that no header explains: a damaged stretch that the demuxer passed over."""

_MOST_FAILURES = 64
"""Errors of a demuxer in a row, each of which it may get over."""

_MOST_ODD = 8
"""Packets in a row with another sample rate or number of channels that are damage; more are a change."""

_MOST_LEAPS = 20

_UNREAD_BYTES = 1 << 14
"""Bytes behind the last packet, and a twentieth of the file, may be an index."""

_CLUSTER = bytes.fromhex("1f43b675")
_NO_LENGTH = bytes.fromhex("01ffffffffffffff")
_SIMPLE_BLOCK = 0xA3
_BLOCK_HEADER = 4
_SURE_BLOCKS = 3
_MOST_HEAD = 1 << 20
_MOST_CLUSTER = 1 << 24

_OGG_PAGE_BYTES = 27 + 255 + 255 * 255
"""The longest page."""

_RECENT_FRAMES = 512
_PADDING_BYTES = 4
"""How much the frames of a constant bit rate differ."""

_SLACK_BYTES = 8
_DECODER_DELAY = 529
"""Samples by which an MP3 decoder is late, in addition to what the encoder put in front."""

_NEVER = 1 << 62

_DAMAGED = "{length} from {start} on cannot be decoded; silence stands for it"
_GUESSED = "{length} (estimated from the bytes) from {start} on cannot be decoded; silence stands for it"
_HOLE = "the time stamps leave out {length} from {start} on; silence stands for it"


def transcode(
    uri: str,
    version: str,
    name: str,
    store: Store,
    prefix: str,
    out_of_time: Callable[[], bool] = lambda: False,
) -> Transcoded:
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

    Returns
    -------
    Transcoded
        With a note for all that is missing or doubtful. :func:`~anemonefish.audio.pieces.check_whole` refuses such a
        recording; what is stored does not depend on that.

    Raises
    ------
    RecordingError
        Nothing of the recording can be decoded.
    OutOfTime
        Call again: it resumes behind the last piece.
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
                made = _Transcoder(name, reader, store, prefix, out_of_time).run()
            except AnemonefishError:
                # What fails in a read looks like the end of the file to a decoder: the read's own error is the reason.
                if reader.error is not None:
                    raise reader.error from None
                raise
    finally:
        source.close()
    write_index(store, prefix, made)
    return made


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


def header_length(path: str) -> tuple[int, int]:
    """Return samples and channels of a local file as its header tells them, before anything is decoded.

    Samples are 0 where no header tells them: of MPEG audio, AAC and Ogg FFmpeg guesses the length from the size.
    """
    with suppress(ImportError):  # transcoding says that PyAV is missing
        import av

        with suppress(av.error.FFmpegError, ValueError), av.open(path, metadata_errors="ignore") as media:
            stream = next(iter(media.streams.audio), None)
            if stream is None:
                return 0, 1
            context = stream.codec_context
            seconds = max(_promised_seconds(media, stream) or 0.0, 0.0)
            return int(seconds * (context.sample_rate or 0)), max(1, context.channels)
    return 0, 1


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

    def run(self) -> Transcoded:
        try:
            import av  # noqa: F401  # decoders need it; its absence is told once, here
        except ImportError:
            raise UnsupportedRecording(
                f"{self._name}: this format needs PyAV, which is not installed; pip install 'anemonefish[media]'"
            ) from None
        file = cast("BinaryIO", self._reader)
        container = recognise(file)
        if container is None:
            raise UnreadableRecording(
                f"{self._name}: not a readable recording (its first bytes belong to no format); "
                f"convert it to WAV or FLAC"
            )
        kind = container.name
        streams = {"MP3", "AAC"}
        decoder = _Mpeg(self._name, self._reader) if kind in streams else _Media(self._name, self._reader, kind)
        frames, channels = self._store_pieces(decoder)
        if self._reader.error is not None:
            raise self._reader.error
        if not decoder.decoded:
            raise UnreadableRecording(f"{self._name}: not one sample could be decoded; copy the file again")
        if kind in streams:  # two bytes said which; the frames know better
            kind = "AAC" if decoder.codec == "AAC" else "MP3"
        facts = AudioFacts(decoder.rate, channels, frames, kind, decoder.codec)
        return Transcoded(facts, tuple(decoder.notes(frames)))

    def _store_pieces(self, decoder: _Mpeg | _Media) -> tuple[int, int]:
        """Encode and store pieces, some at once; return samples and channels."""
        frames = channels = 0
        pending: deque[Future[None]] = deque()
        with ThreadPoolExecutor(_ENCODERS) as pool:
            for number, piece in enumerate(self._pieces(decoder.blocks())):
                channels = piece.shape[1]
                frames += len(piece)
                if piece_key(self._prefix, number) not in self._done:
                    pending.append(pool.submit(self._store_piece, number, piece, decoder.rate))
                if len(pending) > _ENCODERS:
                    pending.popleft().result()
                if self._out_of_time():
                    for each in pending:
                        each.result()
                    raise OutOfTime(f"{self._name}: {number + 1} pieces are transcoded; the next call goes on there")
            for each in pending:
                each.result()
        return frames, channels

    def _pieces(self, blocks: Iterator[_Block | int]) -> Iterator[_Block]:
        """Cut and join blocks into pieces of ``PIECE_SAMPLES``, the last one shorter."""
        held: list[_Block] = []
        count = 0
        for block in _filled(blocks):
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

    def _store_piece(self, number: int, piece: _Block, rate: int) -> None:
        self._store.write(piece_key(self._prefix, number), encode_flac(piece, rate))


def _filled(blocks: Iterator[_Block | int]) -> Iterator[_Block]:
    """Yield blocks, silence (a number of samples) as blocks too; silence of hours is never held at once."""
    before = 0
    channels = 0
    for block in blocks:
        if not isinstance(block, int):
            channels = block.shape[1]
            yield from _silence(before, channels)
            before = 0
            yield block
        elif channels:
            yield from _silence(block, channels)
        else:
            before += block


def _silence(samples: int, channels: int) -> Iterator[_Block]:
    for start in range(0, samples, _SILENT_BLOCK):
        yield np.zeros((min(_SILENT_BLOCK, samples - start), channels), np.int32)


class _Media:
    """A recording in a container that FFmpeg demuxes, placed by its time stamps.

    Attributes
    ----------
    rate : int
        Samples per second; 0 until the first frame is decoded.
    codec : str
        FFmpeg's name.
    decoded : int
        Samples that were decoded, silence not counted.
    """

    def __init__(self, name: str, reader: BlockReader, kind: str) -> None:
        self.rate = 0
        self.codec = ""
        self.decoded = 0
        self._name = name
        self._reader = reader
        self._kind = kind
        self._timeline = Timeline()
        self._holes = Stretches("time-gap", _HOLE)
        self._damage = Stretches("damaged", _DAMAGED)
        self._leaps: list[tuple[int, Fraction]] = []
        self._promised: Fraction | None = None
        self._rounded = Fraction(1)
        self._torn: set[int] = set()  # numbers of packets before which the demuxer passed over damage
        self._stopped = False
        self._lost_behind = 0
        self._streams = 1
        self._at = self._read_to = -1
        self._last_page: tuple[int, Fraction] | None = None
        self._tick: Fraction | None = None

    def blocks(self) -> Iterator[_Block | int]:
        """Yield decoded blocks and, as numbers, the samples of silence between them."""
        import av

        self._reader.seek(0)
        try:
            media = av.open(
                cast("BinaryIO", self._reader), mode="r", format=_FORMATS[self._kind], metadata_errors="ignore"
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise UnreadableRecording(
                f"{self._name}: not a readable recording ({getattr(error, 'strerror', None) or error}); "
                f"copy the file again, or convert it to FLAC"
            ) from None
        with media:
            if not media.streams.audio:
                raise UnreadableRecording(f"{self._name}: there is no sound in this file")
            stream = media.streams.audio[0]
            self._streams = len(media.streams)
            self.codec = stream.codec_context.codec.canonical_name.upper()
            self._timeline = Timeline(uneven=self.codec == "VORBIS")
            if self.codec == "FLAC":  # a damaged frame would be decoded into noise
                stream.codec_context.options = {"err_detect": "crccheck+explode"}
            yield from self._placed(media, stream)
            self._promised = _promised_seconds(media, stream)
            self._rounded = next((s for n, s in _ROUNDED_SECONDS.items() if n in media.format.name), Fraction(1))

    def notes(self, frames: int) -> list[Note]:
        """Return what a user should know, once all blocks are read; ``frames`` are all samples, silence included."""
        made = [*self._holes.notes(self.rate), *self._damage.notes(self.rate), *self._notes_of_stamps()]
        end = _promise_note(self._seconds_promised(), frames, self.rate, self._rounded)
        if end is None or end.code != "ends-early":
            end = self._note_of_the_end(frames) or end
        return made if end is None else [*made, end]

    def _notes_of_stamps(self) -> list[Note]:
        made = [
            Note(
                "time-gap",
                f"the time stamps leap ahead by {float(span):.3f} s at {seconds(at, self.rate)}, more than a hole "
                f"of a recording is; no silence stands for it, and times behind it count on",
                {"start_sample": at, "stop_sample": at, "sample_rate": self.rate, "leap_seconds": float(span)},
            )
            for at, span in self._leaps[:_MOST_LEAPS]
        ]
        lead = self._timeline.lead
        if lead is not None and lead > _LEAD_SECONDS:
            message = f"the first time stamp is {float(lead):.3f} s; times count from there, the first sample"
            made.append(Note("start", message, {"first_stamp_seconds": float(lead), "sample_rate": self.rate}))
        return made

    def _seconds_promised(self) -> tuple[Fraction, Fraction] | None:
        """Return the shortest and the longest length that a header may mean: some count from the time stamp 0."""
        if self._promised is None:
            return None
        lead = self._timeline.lead or Fraction(0)
        return self._promised - lead if 0 < lead < self._promised else self._promised, self._promised

    def _note_of_the_end(self, frames: int) -> Note | None:
        """Return what the bytes say about the end, where no length does."""
        lost = self._lost_behind + (self._lost_page() if self._kind == "OGG" else 0)
        if self._kind in {"WAV", "RF64", "W64", "AIFF"}:
            chunk = find_data_chunk(cast("BinaryIO", self._reader), self._reader.size)
            present = 0 if chunk is None else self._reader.size - chunk.offset
            absent = 0 if chunk is None else (chunk.declared or 0) - present
            # Recorders write the size of the file for that of the samples: nothing is missing there.
            if chunk is not None and present > 0 and absent > chunk.offset:
                lost += frames * absent // present
        unread = self._reader.size - self._read_to if self._streams == 1 and self._read_to >= 0 else 0
        if unread > _UNREAD_BYTES + self._reader.size // 20:
            message = f"decoding ends at {seconds(frames, self.rate)}, and the last {unread} bytes cannot be read"
        elif lost or self._stopped:
            more = f"; {seconds(lost, self.rate)} of what follows cannot be decoded" if lost else ""
            message = f"the recording breaks off at {seconds(frames, self.rate)}{more}"
        else:
            return None
        numbers = {"start_sample": frames, "stop_sample": frames + lost, "sample_rate": self.rate}
        return Note("ends-early", message, numbers)

    def _placed(self, media: Any, stream: Any) -> Iterator[_Block | int]:
        import av

        lost = odd = 0  # samples that could not be decoded since the last frame; packets of another kind
        shape: tuple[int, int] | None = None
        torn = stepped = False
        for number, judged in enumerate(self._packets(media, stream)):
            packet = judged.packet
            torn = torn or number in self._torn
            stepped = stepped or judged.stepped
            if judged.refused is not None:
                self._leaps.append((self._timeline.written, judged.refused))
            try:
                # Damage begins inside the packet before it, and Opus decodes whatever bytes it gets.
                suspect = self._kind == "WEBM" and number + 1 in self._torn
                frames = [] if suspect else stream.codec_context.decode(packet)
                lost += _length_of(packet, self.rate or stream.codec_context.sample_rate or 0) if suspect else 0
            except av.error.FFmpegError:
                frames = []
                lost += _length_of(packet, self.rate or stream.codec_context.sample_rate or 0)
            for frame in frames:
                found = frame.sample_rate, len(frame.layout.channels)
                shape = shape or found
                if found != shape:
                    odd += 1
                    lost += frame.samples * shape[0] // max(1, frame.sample_rate)
                    if odd > _MOST_ODD:
                        raise _changed(self._name, shape, found, Fraction(self._timeline.written, shape[0]))
                    continue
                self.rate = frame.sample_rate
                odd = 0
                yield from self._place(frame, lost, torn=torn, stepped=stepped)
                lost, torn, stepped = 0, False, False
        self._lost_behind = lost

    def _place(self, frame: Any, lost: int, *, torn: bool, stepped: bool) -> Iterator[_Block | int]:
        start = self._timeline.written
        if self._tick is None:  # one for all frames of a stream; PyAV makes a new fraction each time
            self._tick = Fraction(frame.time_base or 1)
        silence = self._timeline.silence_before(
            frame.pts, self._tick, frame.samples, self.rate, lost=lost, stepped=stepped
        )
        if silence:
            # An encoder of FLAC leaves nothing out: what is not there was there.
            (self._damage if lost or torn or self._kind == "FLAC" else self._holes).add(start, start + silence)
            yield silence
        self.decoded += frame.samples
        yield _to_24_bit(frame)

    def _packets(self, media: Any, stream: Any) -> Iterator[Judged[Any]]:
        """Yield packets with time stamps that can be believed, and at last the one that empties the decoder."""
        packets = self._demuxed(media, stream)
        if self._kind == "OGG":
            packets = self._placed_by_pages(packets)
        yield from steadied(packets, Fraction(stream.time_base))
        yield Judged(None)

    def _demuxed(self, media: Any, stream: Any) -> Iterator[Any]:
        import av

        number = failures = 0
        last: Any = None
        packets = media.demux(stream)
        while failures < _MOST_FAILURES and self._reader.error is None:
            try:
                packet = next(packets)
            except StopIteration:
                promised = _promised_seconds(media, stream)
                stop = None if promised is None else round(promised / stream.time_base)
                for found in self._recovered(last, self._read_to, self._reader.size, stop):
                    self._torn.add(number)
                    yield found
                return
            except av.error.FFmpegError:
                failures += 1
                self._torn.add(number)
                self._stopped = True
                packets = media.demux(stream)
                continue
            if packet.size:
                failures, self._stopped = 0, False
                read_to = self._read_to
                if self._is_torn(packet):
                    self._torn.add(number)
                    for found in self._recovered(last, read_to, packet.pos, packet.pts):
                        number += 1
                        yield found
                    if packet.pos - self._read_to > _UNEXPLAINED_BYTES:
                        self._torn.add(number)
                    self._at, self._read_to = packet.pos, packet.pos + packet.size
                number += 1
                last = packet
                yield packet

    def _recovered(self, last: Any, begin: int, end: int, behind: int | None) -> Iterator[Any]:
        """Yield the packets of a cluster of Matroska behind damage: FFmpeg goes on with the next cluster only.

        Parameters
        ----------
        last : Packet or None
            The last one before the damage.
        begin, end : int
            Offsets of the bytes that were passed over.
        behind : int or None
            Time stamp of what follows them.
        """
        if self._kind != "WEBM" or self._streams > 1 or last is None or last.pts is None:
            return
        before, stamp = self._bytes(last.pos, _BLOCK_HEADER), last.pts  # a packet's position is that of its block
        head = self._bytes(0, _MOST_HEAD)
        head = head[: max(0, head.find(_CLUSTER))] + _CLUSTER + _NO_LENGTH + b"\xe7\x81\0"
        while end - begin > _UNEXPLAINED_BYTES and (at := self._first_block(begin, end, before)) is not None:
            blocks = self._bytes(at, min(end - at, _MOST_CLUSTER)).partition(_CLUSTER)[0]
            packets = _packets_of(head + blocks)
            if not packets:
                return
            offsets = [at + packet.pos - len(head) for packet in packets]
            step = _relative(self._bytes(offsets[0], _BLOCK_HEADER)) - _relative(before)
            begin = offsets[-1] + packets[-1].size + _BLOCK_HEADER
            if step >= 0:
                shift = stamp + step - packets[0].pts
            elif behind is not None:  # the head of their cluster, with its time, is lost: they reach to the next one
                shift = behind - packets[-1].pts - (packets[-1].duration or 0)
            else:
                return
            for packet in packets:
                packet.pts += shift
            # The first packet of a file is told to leave out what the encoder put in front.
            packets[0] = _bare(packets[0])
            for packet, offset in zip(packets, offsets, strict=True):
                self._at, self._read_to = offset, offset + packet.size
                yield packet
            before, stamp = self._bytes(offsets[-1], _BLOCK_HEADER), packets[-1].pts

    def _first_block(self, begin: int, end: int, like: bytes) -> int | None:
        """Return the offset from which blocks of one track follow each other; None where none do."""
        data = self._bytes(begin, min(end - begin, _MOST_CLUSTER))
        at = data.find(b"\xa3")
        while at >= 0:
            stop, count = at, 0
            while count < _SURE_BLOCKS and (after := _end_of_block(data, stop, like[0])) is not None:
                stop, count = after, count + 1
            if count == _SURE_BLOCKS or (count > 0 and stop == len(data)):
                return begin + at
            at = data.find(b"\xa3", at + 1)
        return None

    def _bytes(self, offset: int, length: int) -> bytes:
        """Read bytes of the file and leave its position, from which FFmpeg reads on."""
        position = self._reader.tell()
        self._reader.seek(offset)
        data = self._reader.read(length) or b""
        self._reader.seek(position)
        return data

    def _placed_by_pages(self, packets: Iterator[Any]) -> Iterator[Any]:
        """Correct the time stamps of Ogg behind lost pages: FFmpeg counts on for a page, as if nothing were missing."""
        number = 0
        before: list[Any] = []
        for _, page in groupby(packets, lambda packet: packet.pos):
            group = list(page)
            if before and number in self._torn:
                self._place_page(before, group)
            yield from group
            before = group
            self._last_page = group[0].pos, Fraction(group[0].time_base)
            number += len(group)

    def _place_page(self, before: list[Any], page: list[Any]) -> None:
        """Place the packets of a page by its granule position, which counts samples to the end of the page."""
        ends = [(_end_of(packets), self._granule(packets[0].pos)) for packets in (before, page)]
        (end, granule), (_, last) = ends
        if end is None or granule is None or last is None or any(packet.duration is None for packet in page):
            return
        stamp = end + last - granule - sum(packet.duration for packet in page)
        if page[0].pts is None or stamp > page[0].pts:
            for packet in page:
                packet.pts = stamp
                stamp += packet.duration

    def _lost_page(self) -> int:
        """Return the samples of a last page of Ogg that the end of the file cuts off."""
        begin = max(0, self._reader.size - _OGG_PAGE_BYTES)
        data = self._bytes(begin, _OGG_PAGE_BYTES)
        at = data.rfind(b"OggS")
        head = data[at : at + 27 + 255]
        if at < 0 or len(head) < 27 or self._last_page is None:
            return 0
        length = 27 + head[26] + sum(head[27 : 27 + head[26]])
        offset, tick = self._last_page
        last, granule = self._granule(offset), self._granule(begin + at)
        if at + length <= len(data) or last is None or granule is None:
            return 0
        return max(0, round((granule - last) * tick * self.rate))

    def _granule(self, offset: int) -> int | None:
        """Return the granule position of the page that begins at an offset; None where there is none."""
        head = self._bytes(offset, 14)
        granule = int.from_bytes(head[6:14], "little", signed=True)
        return granule if head[:4] == b"OggS" and granule >= 0 else None

    def _is_torn(self, packet: Any) -> bool:
        """Say whether bytes lie between two packets that neither of them nor a header explains."""
        if packet is None or not packet.pos or packet.pos < 0 or self._streams > 1 or self._kind not in {"WEBM", "OGG"}:
            return False
        if packet.pos == self._at:  # all packets of a page of Ogg have its position
            self._read_to += packet.size
            return False
        torn = self._read_to >= 0 and packet.pos - self._read_to > _UNEXPLAINED_BYTES
        self._at, self._read_to = packet.pos, packet.pos + packet.size
        return torn


class _Mpeg:
    """A stream of MPEG audio or AAC frames, placed by counting them; attributes as of :class:`_Media`."""

    def __init__(self, name: str, reader: BlockReader) -> None:
        self.rate = 0
        self.codec = ""
        self.decoded = 0
        self._name = name
        self._reader = reader
        self._file = cast("BinaryIO", reader)
        self._damage = Stretches("damaged", _DAMAGED)
        self._start = self._junk = 0
        self._info: InfoHeader | None = None
        self._per_frame = 0
        self._frames = 0
        self._lengths: deque[int] = deque(maxlen=_RECENT_FRAMES)
        self._end = 0
        self._tail: Gap | None = None
        self._lost_behind = 0
        self._shares: tuple[int, int] | None = None  # by the Info header: frames that all gaps lost, bytes of the gaps
        self._gaps = self._lost_so_far = 0
        self._guessed = False

    def blocks(self) -> Iterator[_Block | int]:
        """Yield decoded blocks and, as numbers, the samples of silence between them."""
        found = find_first_frame(self._file, self._reader.size)
        if found is None:
            raise UnreadableRecording(
                f"{self._name}: not a readable recording (it begins like MPEG audio, but no frames follow each other); "
                f"copy the file again, or convert it to FLAC"
            )
        self._start, self._junk = found
        yield from self._trimmed(self._decoded())

    def notes(self, frames: int) -> list[Note]:
        """Return what a user should know, once all blocks are read; ``frames`` are all samples, silence included."""
        made = self._damage.notes(self.rate)
        if self._junk:
            message = f"the first {self._junk} bytes belong to no frame; times count from the first frame behind them"
            made.insert(0, Note("start", message, {"bytes": self._junk}))
        end = self._note_of_the_end(frames)
        return made if end is None else [*made, end]

    def _note_of_the_end(self, frames: int) -> Note | None:
        info, rate = self._info, self.rate
        if info is not None and info.frames is not None:
            promised = info.frames * self._per_frame - info.delay - info.padding
            if frames - promised > self._per_frame:
                return _length_note(promised, frames, rate)
            if promised - frames > self._per_frame:
                # Where all of the bytes are there that the same header counts, its number of frames is what is wrong.
                if info.length is not None and self._end - self._start >= info.length - _SLACK_BYTES:
                    return _length_note(promised, frames, rate)
                return _early_note(promised, frames, rate)
            return None
        lost = self._lost_behind
        if info is not None and info.length is not None:
            lost += max(0, round((info.length - _SLACK_BYTES - (self._end - self._start)) / self._mean_length()))
        elif self._tail is not None and not self._tail.zeros:
            lost += 1 if self._tail.cut else int(self._tail.length / self._mean_length())
        if not lost:
            return None
        samples = lost * self._per_frame
        message = (
            f"the recording breaks off at {seconds(frames, rate)}: what follows, about {seconds(samples, rate)}, "
            f"is no whole frame"
        )
        return Note("ends-early", message, _stretch(frames, frames + samples, rate))

    def _decoded(self) -> Iterator[_Block | int]:
        """Yield all samples that the decoder gives, what the encoder put in front and behind included."""
        import av

        codec: Any = None
        kind: tuple[object, ...] = ()
        lost = 0
        for number, item in enumerate(walk(self._file, self._reader.size, self._start)):
            if isinstance(item, Gap):
                if item.last:
                    self._tail = item
                    break
                lost += self._lost_frames(item)
                if codec is not None:
                    codec.flush_buffers()  # frames behind it must not be made of what was before it
                continue
            self._end = item.offset + len(item.data)
            if number == 0 and (info := read_info(item)) is not None:
                self._info = info
                continue
            if codec is None:
                codec, kind = av.CodecContext.create(item.header.codec, "r"), item.header.kind
                self.codec = codec.codec.canonical_name.upper()
            if item.header.kind != kind:
                raise UnsupportedRecording(
                    f"{self._name}: the sample rate, the channels or the codec change at byte {item.offset}; "
                    f"split the file there"
                )
            self._frames += 1
            self._lengths.append(len(item.data))
            try:
                frames = codec.decode(av.Packet(item.data))
            except av.error.FFmpegError:
                lost += 1
                codec.flush_buffers()
                continue
            for frame in frames:
                yield from self._placed(frame, lost)
                lost = 0
        if codec is not None:
            for frame in codec.decode(None):
                yield from self._placed(frame, lost)
                lost = 0
        self._lost_behind = lost

    def _placed(self, frame: Any, lost: int) -> Iterator[_Block | int]:
        if self.rate not in {0, frame.sample_rate}:
            raise _changed(self._name, (self.rate, 0), (frame.sample_rate, 0), Fraction(self.decoded, self.rate))
        self.rate, self._per_frame = frame.sample_rate, frame.samples
        if lost:
            yield lost * frame.samples
        self.decoded += frame.samples
        yield _to_24_bit(frame)

    def _trimmed(self, items: Iterator[_Block | int]) -> Iterator[_Block | int]:
        """Leave out what the encoder put in front and behind, where the Info header tells it.

        What lies behind the end is held until it is known that no frame follows: the header may lie.
        """
        at = written = 0
        held: list[_Block | int] = []
        for item in items:
            length = _length(item)
            skip, end, last = self._bounds()
            if at + length > last:
                end = at + length
                yield from held
                written += sum(map(_length, held))
                held = []
            kept = _part(item, max(0, skip - at), max(0, min(length, end - at)))
            behind = _part(item, max(0, skip - at, end - at), length)
            at += length
            if isinstance(kept, int) and kept:
                self._damage.add(written, written + kept)
            written += _length(kept)
            if _length(kept):
                yield kept
            held.append(behind)

    def _bounds(self) -> tuple[int, int, int]:
        """Return the first sample that is kept, the end of those that are, and where the header says frames end."""
        info = self._info
        if info is None or not info.tells_delay:
            return 0, _NEVER, _NEVER
        skip = info.delay + _DECODER_DELAY
        if info.frames is None:
            return skip, _NEVER, _NEVER
        last = info.frames * self._per_frame
        return skip, min(last, last - info.padding + _DECODER_DELAY), last

    def _lost_frames(self, gap: Gap) -> int:
        """Return how many frames a gap was: by its bytes, or by the Info header where frames differ in length."""
        mean = self._mean_length()
        constant = not self._lengths or max(self._lengths) - min(self._lengths) <= _PADDING_BYTES
        if self._info is not None and self._info.frames is not None:
            if self._shares is None:
                self._shares = self._count_lost(self._info, self._info.frames, mean)
            lost, length = self._shares
            if lost > 0 and length > 0:
                self._gaps += gap.length
                so_far = round(Fraction(lost * self._gaps, length))
                share, self._lost_so_far = so_far - self._lost_so_far, so_far
                return share
        self._guessed = self._guessed or not constant
        if self._guessed:
            self._damage.message = _GUESSED
        return max(1, round(gap.length / mean))

    def _mean_length(self) -> Fraction:
        return Fraction(sum(self._lengths) or 1, max(1, len(self._lengths)))

    def _count_lost(self, info: InfoHeader, promised: int, mean: Fraction) -> tuple[int, int]:
        """Walk the whole file once more; return the frames that all gaps lost, and the bytes of the gaps.

        Zeros where the header cannot be believed, or does not tell what is missing inside from what is at the end.
        """
        frames = length = end = 0
        for item in walk(self._file, self._reader.size, self._start):
            if isinstance(item, Frame):
                frames += 1
                end = item.offset + len(item.data)
            elif item.last:
                return 0, 0
            else:
                length += item.length
        lost = promised - (frames - 1)  # the header's own frame does not count
        absent = 0 if info.length is None else max(0, info.length - (end - self._start))
        return (lost, length) if 1 <= lost <= 2 * (length + absent) / mean + 2 else (0, 0)


def _packets_of(data: bytes) -> list[Any]:
    """Return the packets of the first sound in a Matroska file, up to the first damage."""
    import av

    found: list[Any] = []
    try:
        with av.open(BytesIO(data), mode="r", format="matroska", metadata_errors="ignore") as media:
            for packet in media.demux(media.streams.audio[0]):
                if packet.size and packet.pts is not None and packet.pos is not None:
                    found.append(packet)  # noqa: PERF401  # those before an error are kept
    except (av.error.FFmpegError, IndexError):
        pass
    return found


def _bare(packet: Any) -> Any:
    """Return a packet without its side data."""
    import av

    made = av.Packet(bytes(packet))
    made.pts, made.dts, made.duration, made.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    return made


def _end_of_block(data: bytes, at: int, track: int) -> int | None:
    """Return the end of the SimpleBlock of a track that begins at an offset; None where there is none."""
    if len(data) < at + 9 or data[at] != _SIMPLE_BLOCK or not data[at + 1]:
        return None
    width = 9 - data[at + 1].bit_length()
    length = int.from_bytes(data[at + 1 : at + 1 + width], "big") & ((1 << 7 * width) - 1)
    begin, end = at + 1 + width, at + 1 + width + length
    laced = len(data) <= begin + 3 or data[begin + 3] & 6
    return end if end <= len(data) and length > _BLOCK_HEADER and data[begin] == track and not laced else None


def _relative(block: bytes) -> int:
    """Return the time of a block in its cluster, from its first four bytes: track, time, flags."""
    return int.from_bytes(block[1:3], "big", signed=True)


def _end_of(packets: list[Any]) -> int | None:
    """Return the time stamp of the end of a run of packets; None where one is not known."""
    if packets[0].pts is None or any(packet.duration is None for packet in packets):
        return None
    end: int = packets[0].pts + sum(packet.duration for packet in packets)
    return end


def _length(item: _Block | int) -> int:
    return item if isinstance(item, int) else len(item)


def _part(item: _Block | int, start: int, stop: int) -> _Block | int:
    return max(0, stop - start) if isinstance(item, int) else item[start:stop]


def _length_of(packet: Any, rate: int) -> int:
    """Return the samples of a packet that could not be decoded, by the duration its container tells."""
    return 0 if packet is None or not packet.duration else round(packet.duration * packet.time_base * rate)


def _changed(name: str, before: tuple[int, int], after: tuple[int, int], at: Fraction) -> UnsupportedRecording:
    if before[0] != after[0]:
        return UnsupportedRecording(
            f"{name}: the sample rate changes from {before[0]} to {after[0]} Hz after {float(at):.1f} s; "
            f"split the file there"
        )
    return UnsupportedRecording(f"{name}: the number of channels changes after {float(at):.1f} s; split the file there")


def _promise_note(promised: tuple[Fraction, Fraction] | None, frames: int, rate: int, rounded: Fraction) -> Note | None:
    """Return the note for a header whose length is not that of the samples."""
    if promised is None:
        return None
    shortest, longest = promised
    if frames < (shortest - rounded) * rate:
        return _early_note(round(shortest * rate), frames, rate)
    if frames > (longest + rounded) * rate:
        return _length_note(round(longest * rate), frames, rate)
    return None


def _early_note(promised: int, frames: int, rate: int) -> Note:
    return Note(
        "ends-early",
        f"the header promises {seconds(promised, rate)}, but the file ends after {seconds(frames, rate)}: "
        f"{seconds(promised - frames, rate)} are missing",
        _stretch(frames, promised, rate),
    )


def _length_note(promised: int, frames: int, rate: int) -> Note:
    return Note(
        "header-length",
        f"the header says {seconds(promised, rate)}, the file holds {seconds(frames, rate)}; all of it was read",
        {"header_samples": promised, "samples": frames, "sample_rate": rate},
    )


def _stretch(start: int, stop: int, rate: int) -> dict[str, int | float | str]:
    return {"start_sample": start, "stop_sample": stop, "sample_rate": rate}


def _to_24_bit(frame: Any) -> _Block:
    """Return a decoded frame, shape ``(samples, channels)``, rounded to 24 bits at the upper end of each word."""
    kind = frame.format.name
    found = frame.to_ndarray()
    planes = found if kind.endswith("p") else found.reshape(-1, len(frame.layout.channels)).T
    scale = _FULL_SCALE[kind.removesuffix("p")]
    middle = 128 if kind.startswith("u8") else 0
    samples = (planes.T.astype(np.float64) - middle) * ((1 << 23) / scale)
    whole = np.clip(np.rint(samples), -(1 << 23), (1 << 23) - 1).astype(np.int32)
    return np.ascontiguousarray(whole << 8)


def _promised_seconds(media: Any, stream: Any) -> Fraction | None:
    """Return the length that a header tells; None where FFmpeg derives it from what it found."""
    formats = set(media.format.name.split(","))
    if "flac" in formats:
        return Fraction(stream.duration) * stream.time_base if stream.duration else None
    if "mov" in formats:  # a fragmented file has no table of its packets: FFmpeg adds up the fragments that are there
        known = stream.frames and stream.duration is not None
        return Fraction(stream.duration) * stream.time_base if known else None
    if "matroska" not in formats:
        return None
    own = _clock_time(stream.metadata.get("DURATION", ""))
    if own is not None or len(media.streams) > 1:
        return own
    return None if media.duration is None else Fraction(media.duration, 1_000_000)


def _clock_time(text: str) -> Fraction | None:
    """Read ``00:01:02.345678901``; None for anything else."""
    try:
        hours, minutes, rest = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + Fraction(rest)
    except ValueError:
        return None
