"""Decode a recording in a container that FFmpeg demuxes, and place its samples by their time stamps.

Owns :class:`MediaDecoder`, for all containers except streams of MPEG audio and AAC
(:mod:`anemonefish.audio.transcoding.mpeg_decoder`). What is missing between two time stamps, or cannot be decoded,
becomes silence and a note.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.chunks import find_data_chunk
from anemonefish.audio.transcoding.decoded_blocks import BlockOrSilence, to_24_bit
from anemonefish.audio.transcoding.demuxer import Demuxer
from anemonefish.audio.transcoding.header_length import promised_seconds
from anemonefish.audio.transcoding.stretches import (
    DAMAGED,
    Stretches,
    format_change,
    format_seconds,
    promise_note,
    stretch_numbers,
)
from anemonefish.audio.transcoding.timestamps import Timeline
from anemonefish.errors import UnreadableRecording, UnsupportedRecording
from anemonefish.notes import Note

__all__ = ["MediaDecoder"]

_FORMATS = {
    "WAV": "wav",
    "RF64": "wav",
    "W64": "w64",
    "AIFF": "aiff",
    "FLAC": "flac",
    "OGG": "ogg",
    "MP4": "mov",
    "WEBM": "matroska",
    "CAF": "caf",
    "AU": "au",
    "ASF": "asf",
    "WAVPACK": "wv",
}
"""FFmpeg's name of each container, so that FFmpeg does not guess the format."""

_ROUNDED_SECONDS = {"matroska": Fraction(1), "mov": Fraction(1, 10), "flac": Fraction(0)}
"""How far the length in a header may differ from the samples: browsers measure it with a clock, MP4 counts packets."""

_LATE_START_SECONDS = Fraction(1, 10)
"""A first time stamp later than this makes a note; encoders start up to some packets late."""

_MOST_ODD = 8
"""Packets in a row with another sample rate or number of channels that count as damage; more are a change."""

_MOST_LEAPS = 20
"""Leaps of the clock that have a note."""

_HOLE = "the time stamps leave out {length} from {start} on; silence stands for it"


class MediaDecoder:
    """Decodes a recording in a container with time stamps.

    Parameters
    ----------
    name : str
        Name of the recording in error messages.
    reader : BlockReader
    kind : str
        Name of the container, as in :data:`anemonefish.audio.formats.CONTAINERS`.

    Attributes
    ----------
    rate : int
        Samples per second; 0 until the first frame is decoded.
    codec : str
        FFmpeg's name, in capitals.
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
        self._demuxer: Demuxer | None = None
        self._timeline = Timeline()
        self._holes = Stretches("time-gap", _HOLE)
        self._damage = Stretches("damaged", DAMAGED)
        self._leaps: list[tuple[int, Fraction]] = []
        self._promised: Fraction | None = None
        self._rounded = Fraction(1)
        self._lost_at_end = 0
        self._tick: Fraction | None = None

    def blocks(self) -> Iterator[BlockOrSilence]:
        """Yield decoded blocks and, as numbers, the samples of silence between them."""
        with self._open() as media:
            if not media.streams.audio:
                raise UnreadableRecording(f"{self._name}: there is no sound in this file")
            stream = media.streams.audio[0]
            if stream.codec_context is None:
                raise UnsupportedRecording(
                    f"{self._name}: FFmpeg has no decoder for the sound of this file; convert it to WAV or FLAC"
                )
            self.codec = stream.codec_context.codec.canonical_name.upper()
            self._timeline = Timeline(uneven=self.codec == "VORBIS")
            if self.codec == "FLAC":  # a damaged frame would be decoded into noise
                stream.codec_context.options = {"err_detect": "crccheck+explode"}
            self._demuxer = Demuxer(self._reader, self._kind, media, stream)
            yield from self._decode(self._demuxer, stream.codec_context)
            self._promised = promised_seconds(media, stream)
            names = media.format.name
            self._rounded = next((span for name, span in _ROUNDED_SECONDS.items() if name in names), Fraction(1))

    def notes(self, frames: int) -> list[Note]:
        """Return what a user should know, once all blocks are read.

        Parameters
        ----------
        frames : int
            All samples of a channel, silence included.
        """
        notes = [*self._holes.notes(self.rate), *self._damage.notes(self.rate), *self._clock_notes()]
        end = promise_note(self._promised_range(), frames, self.rate, self._rounded)
        if end is None or end.code != "ends-early":
            end = self._end_note(frames) or end
        return notes if end is None else [*notes, end]

    def _open(self) -> Any:
        import av

        self._reader.seek(0)
        try:
            return av.open(self._reader, mode="r", format=_FORMATS[self._kind], metadata_errors="ignore")
        except (av.error.FFmpegError, ValueError) as error:
            raise UnreadableRecording(
                f"{self._name}: not a readable recording ({getattr(error, 'strerror', None) or error}); "
                f"copy the file again, or convert it to FLAC"
            ) from None

    def _decode(self, demuxer: Demuxer, codec: Any) -> Iterator[BlockOrSilence]:
        import av

        lost = odd = 0  # samples that could not be decoded since the last frame; packets of another format
        shape: tuple[int, int] | None = None
        torn = stepped = False
        for number, timed in enumerate(demuxer.packets()):
            packet = timed.packet
            torn = torn or number in demuxer.torn
            stepped = stepped or timed.stepped
            if timed.refused is not None:
                self._leaps.append((self._timeline.written, timed.refused))
            # Damage begins inside the packet before it, and the decoder of Opus turns any bytes into sound.
            is_suspect = self._kind == "WEBM" and number + 1 in demuxer.torn
            try:
                frames = None if is_suspect else codec.decode(packet)
            except av.error.FFmpegError:
                frames = None
            if frames is None:
                lost += _packet_samples(packet, self.rate or codec.sample_rate or 0)
                continue
            for frame in frames:
                found = frame.sample_rate, len(frame.layout.channels)
                shape = shape or found
                if found != shape:
                    odd += 1
                    lost += frame.samples * shape[0] // max(1, frame.sample_rate)
                    if odd > _MOST_ODD:
                        raise format_change(self._name, shape, found, Fraction(self._timeline.written, shape[0]))
                    continue
                self.rate = frame.sample_rate
                odd = 0
                yield from self._place(frame, lost, torn=torn, stepped=stepped)
                lost, torn, stepped = 0, False, False
        self._lost_at_end = lost

    def _place(self, frame: Any, lost: int, *, torn: bool, stepped: bool) -> Iterator[BlockOrSilence]:
        start = self._timeline.written
        if self._tick is None:  # PyAV makes a new fraction each time, but all frames of a stream have the same
            self._tick = Fraction(frame.time_base or 1)
        silence = self._timeline.silence_before(
            frame.pts, self._tick, frame.samples, self.rate, lost=lost, stepped=stepped
        )
        if silence:
            # An encoder of FLAC leaves no samples out, so missing samples were there once.
            is_damage = lost or torn or self._kind == "FLAC"
            (self._damage if is_damage else self._holes).add(start, start + silence)
            yield silence
        self.decoded += frame.samples
        yield to_24_bit(frame)

    def _clock_notes(self) -> list[Note]:
        notes = [
            Note(
                "time-gap",
                f"the time stamps leap ahead by {float(span):.3f} s at {format_seconds(at, self.rate)}, more than a "
                f"hole of a recording is; no silence stands for it, and times behind it count on",
                {**stretch_numbers(at, at, self.rate), "leap_seconds": float(span)},
            )
            for at, span in self._leaps[:_MOST_LEAPS]
        ]
        lead = self._timeline.lead
        if lead is not None and lead > _LATE_START_SECONDS:
            message = f"the first time stamp is {float(lead):.3f} s; times count from there, the first sample"
            notes.append(Note("start", message, {"first_stamp_seconds": float(lead), "sample_rate": self.rate}))
        return notes

    def _promised_range(self) -> tuple[Fraction, Fraction] | None:
        """Return the shortest and the longest length that a header may mean: some count from the time stamp 0."""
        if self._promised is None:
            return None
        lead = self._timeline.lead or Fraction(0)
        return self._promised - lead if 0 < lead < self._promised else self._promised, self._promised

    def _end_note(self, frames: int) -> Note | None:
        """Return the note on a file whose last bytes are missing or cannot be decoded."""
        demuxer = cast("Demuxer", self._demuxer)
        lost = self._lost_at_end + demuxer.samples_of_cut_page(self.rate) + self._missing_of_data_chunk(frames)
        if unread := demuxer.unread_bytes():
            message = (
                f"decoding ends at {format_seconds(frames, self.rate)}, and the last {unread} bytes cannot be read"
            )
        elif lost or demuxer.stopped:
            more = f"; {format_seconds(lost, self.rate)} of what follows cannot be decoded" if lost else ""
            message = f"the recording breaks off at {format_seconds(frames, self.rate)}{more}"
        else:
            return None
        return Note("ends-early", message, stretch_numbers(frames, frames + lost, self.rate))

    def _missing_of_data_chunk(self, frames: int) -> int:
        """Return the samples that the data chunk of a WAV, W64 or AIFF file promises and does not have."""
        if self._kind not in {"WAV", "RF64", "W64", "AIFF"}:
            return 0
        chunk = find_data_chunk(self._reader, self._reader.size)
        if chunk is None:
            return 0
        present = self._reader.size - chunk.offset
        missing = (chunk.declared or 0) - present
        # Recorders write the size of the file instead of that of the samples: nothing is missing then.
        return frames * missing // present if present > 0 and missing > chunk.offset else 0


def _packet_samples(packet: Any, rate: int) -> int:
    """Return the samples of a packet that could not be decoded, by the duration that its container states."""
    return 0 if packet is None or not packet.duration else round(packet.duration * packet.time_base * rate)
