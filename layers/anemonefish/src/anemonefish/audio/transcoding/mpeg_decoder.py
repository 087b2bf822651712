"""Decode a stream of MPEG audio or AAC frames, and place its samples by counting frames.

Owns :class:`MpegDecoder`. Such streams have no time stamps: the time of a sample follows from the number of frames
before it (:mod:`anemonefish.audio.mpeg_stream`). A damaged stretch becomes silence as long as the frames it held, and a
note. The samples that an encoder added before and after the recording are removed where the Info header states them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.mpeg_headers import Frame, InfoHeader, read_info
from anemonefish.audio.mpeg_stream import Gap, find_first_frame, walk
from anemonefish.audio.transcoding.decoded_blocks import BlockOrSilence, block_length, part_of, to_24_bit
from anemonefish.audio.transcoding.stretches import (
    DAMAGED,
    Stretches,
    ends_early_note,
    format_change,
    format_seconds,
    length_note,
    stretch_numbers,
)
from anemonefish.errors import UnreadableRecording, UnsupportedRecording
from anemonefish.notes import Note

__all__ = ["MpegDecoder"]

_RECENT_FRAMES = 512
"""Frames whose mean length is used."""

_PADDING_BYTES = 4
"""Bytes by which the frames of a constant bit rate differ."""

_SLACK_BYTES = 8
"""Bytes by which the length in an Info header may be wrong."""

_DECODER_DELAY = 529
"""Samples by which an MP3 decoder is late, in addition to those that the encoder added in front."""

_NO_END = 1 << 62

_ESTIMATED = "{length} (estimated from the bytes) from {start} on cannot be decoded; silence stands for it"


class MpegDecoder:
    """Decodes a stream of MPEG audio or AAC frames.

    Parameters
    ----------
    name : str
        Name of the recording in error messages.
    reader : BlockReader

    Attributes
    ----------
    rate, codec, decoded
        As of :class:`~anemonefish.audio.transcoding.media_decoder.MediaDecoder`.
    """

    def __init__(self, name: str, reader: BlockReader) -> None:
        self.rate = 0
        self.codec = ""
        self.decoded = 0
        self._name = name
        self._reader = reader
        self._damage = Stretches("damaged", DAMAGED)
        self._start = self._skipped = 0
        self._info: InfoHeader | None = None
        self._per_frame = 0
        self._frames = 0
        self._lengths: deque[int] = deque(maxlen=_RECENT_FRAMES)
        self._end = 0
        self._tail: Gap | None = None
        self._lost_at_end = 0
        self._shares: tuple[int, int] | None = None  # frames that all gaps lost, by the Info header; bytes of the gaps
        self._gaps = self._lost_so_far = 0
        self._estimated = False

    def blocks(self) -> Iterator[BlockOrSilence]:
        """Yield decoded blocks and, as numbers, the samples of silence between them."""
        found = find_first_frame(self._reader, self._reader.size)
        if found is None:
            raise UnreadableRecording(
                f"{self._name}: not a readable recording (it begins like MPEG audio, but no frames follow each other); "
                f"copy the file again, or convert it to FLAC"
            )
        self._start, self._skipped = found
        yield from self._trim(self._decode())

    def notes(self, frames: int) -> list[Note]:
        """Return what a user should know, once all blocks are read; as of ``MediaDecoder.notes``."""
        notes = self._damage.notes(self.rate)
        if self._skipped:
            message = (
                f"the first {self._skipped} bytes belong to no frame; times count from the first frame behind them"
            )
            notes.insert(0, Note("start", message, {"bytes": self._skipped}))
        end = self._end_note(frames)
        return notes if end is None else [*notes, end]

    def _end_note(self, frames: int) -> Note | None:
        info, rate = self._info, self.rate
        if info is not None and info.frames is not None:
            promised = info.frames * self._per_frame - info.delay - info.padding
            if frames - promised > self._per_frame:
                return length_note(promised, frames, rate)
            if promised - frames > self._per_frame:
                # Where the file has all bytes that the same header counts, the header's number of frames is wrong.
                if info.length is not None and self._end - self._start >= info.length - _SLACK_BYTES:
                    return length_note(promised, frames, rate)
                return ends_early_note(promised, frames, rate)
            return None
        lost = self._lost_at_end
        if info is not None and info.length is not None:
            lost += max(0, round((info.length - _SLACK_BYTES - (self._end - self._start)) / self._mean_length()))
        elif self._tail is not None and not self._tail.zeros:
            lost += 1 if self._tail.cut else int(self._tail.length / self._mean_length())
        if not lost:
            return None
        samples = lost * self._per_frame
        message = (
            f"the recording breaks off at {format_seconds(frames, rate)}: what follows, about "
            f"{format_seconds(samples, rate)}, is no whole frame"
        )
        return Note("ends-early", message, stretch_numbers(frames, frames + samples, rate))

    def _decode(self) -> Iterator[BlockOrSilence]:
        """Yield all samples that the decoder returns, including those that the encoder added."""
        import av

        codec: Any = None
        kind: tuple[object, ...] = ()
        lost = 0
        for number, item in enumerate(walk(self._reader, self._reader.size, self._start)):
            if isinstance(item, Gap):
                if item.last:
                    self._tail = item
                    break
                lost += self._frames_lost_in(item)
                if codec is not None:
                    codec.flush_buffers()  # frames after the gap must not depend on those before it
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
                yield from self._place(frame, lost)
                lost = 0
        if codec is not None:
            for frame in codec.decode(None):
                yield from self._place(frame, lost)
                lost = 0
        self._lost_at_end = lost

    def _place(self, frame: Any, lost: int) -> Iterator[BlockOrSilence]:
        if self.rate not in {0, frame.sample_rate}:
            raise format_change(self._name, (self.rate, 0), (frame.sample_rate, 0), Fraction(self.decoded, self.rate))
        self.rate, self._per_frame = frame.sample_rate, frame.samples
        if lost:
            yield lost * frame.samples
        self.decoded += frame.samples
        yield to_24_bit(frame)

    def _trim(self, items: Iterator[BlockOrSilence]) -> Iterator[BlockOrSilence]:
        """Yield the samples without those that the encoder added, where the Info header states how many they are.

        The samples after the stated end are held back until no frame follows, because the header may be wrong.
        """
        at = written = 0
        held: list[BlockOrSilence] = []
        for item in items:
            length = block_length(item)
            skip, end, last = self._bounds()
            if at + length > last:
                end = at + length
                yield from held
                written += sum(map(block_length, held))
                held = []
            kept = part_of(item, max(0, skip - at), max(0, min(length, end - at)))
            rest = part_of(item, max(0, skip - at, end - at), length)
            at += length
            if isinstance(kept, int) and kept:
                self._damage.add(written, written + kept)
            written += block_length(kept)
            if block_length(kept):
                yield kept
            if block_length(rest):  # an empty slice would keep the samples of its block in memory
                held.append(rest)

    def _bounds(self) -> tuple[int, int, int]:
        """Return the first sample to keep, the end of those to keep, and where the last frame ends by the header."""
        info = self._info
        if info is None or not info.tells_delay:
            return 0, _NO_END, _NO_END
        skip = info.delay + _DECODER_DELAY
        if info.frames is None:
            return skip, _NO_END, _NO_END
        last = info.frames * self._per_frame
        return skip, min(last, last - info.padding + _DECODER_DELAY), last

    def _frames_lost_in(self, gap: Gap) -> int:
        """Return how many frames a gap held: its share of those that the Info header misses, or by its bytes."""
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
        self._estimated = self._estimated or not constant
        if self._estimated:
            self._damage.message = _ESTIMATED
        return max(1, round(gap.length / mean))

    def _mean_length(self) -> Fraction:
        return Fraction(sum(self._lengths) or 1, max(1, len(self._lengths)))

    def _count_lost(self, info: InfoHeader, promised: int, mean: Fraction) -> tuple[int, int]:
        """Walk through the whole file once more; return the frames that all gaps lost, and the bytes of the gaps.

        Both are 0 where the header's number cannot be right, or includes frames that are missing at the end.
        """
        frames = length = end = 0
        for item in walk(self._reader, self._reader.size, self._start):
            if isinstance(item, Frame):
                frames += 1
                end = item.offset + len(item.data)
            elif item.last:
                return 0, 0
            else:
                length += item.length
        lost = promised - (frames - 1)  # the header counts all frames but its own
        absent = 0 if info.length is None else max(0, info.length - (end - self._start))
        return (lost, length) if 1 <= lost <= 2 * (length + absent) / mean + 2 else (0, 0)
