"""Read the packets of one audio stream, and find where the file is damaged.

Owns :class:`Demuxer`: FFmpeg's demuxer, continued after errors, with the packets that it skipped
(:mod:`anemonefish.audio.transcoding.matroska_recovery`) and with time stamps that can be trusted
(:mod:`anemonefish.audio.transcoding.ogg_pages`, :mod:`anemonefish.audio.transcoding.timestamps`).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.transcoding.header_length import promised_seconds
from anemonefish.audio.transcoding.matroska_recovery import UNEXPLAINED_BYTES, recovered_packets
from anemonefish.audio.transcoding.ogg_pages import OggPages
from anemonefish.audio.transcoding.timestamps import TimedPacket, correct_timestamps

__all__ = ["Demuxer"]

_MOST_FAILURES = 64
"""Errors in a row after which a demuxer is given up."""

_UNREAD_BYTES = 1 << 14
"""Bytes after the last packet that may be an index, in addition to a twentieth of the file."""


class Demuxer:
    """The packets of one audio stream.

    Parameters
    ----------
    reader : BlockReader
        The file that ``media`` reads.
    kind : str
        Name of the container, as in :data:`anemonefish.audio.formats.CONTAINERS`.
    media : av.container.InputContainer
    stream : av.audio.stream.AudioStream

    Attributes
    ----------
    torn : set of int
        Numbers of the packets before which bytes are missing or damaged.
    stopped : bool
        Whether the demuxer's last call failed.
    """

    def __init__(self, reader: BlockReader, kind: str, media: Any, stream: Any) -> None:
        self.torn: set[int] = set()
        self.stopped = False
        self._reader = reader
        self._kind = kind
        self._media = media
        self._stream = stream
        self._streams = len(media.streams)
        self._at = self._read_to = -1  # where the last packet, or its page, begins, and where it ends
        self._pages = OggPages(reader, self.torn)

    def packets(self) -> Iterator[TimedPacket[Any]]:
        """Yield the packets with time stamps that can be trusted, and finally None, which flushes the decoder."""
        packets = self._demux()
        if self._kind == "OGG":
            packets = self._pages.with_corrected_stamps(packets)
        yield from correct_timestamps(packets, Fraction(self._stream.time_base))
        yield TimedPacket(None)

    def unread_bytes(self) -> int:
        """Return how many bytes at the end of the file were not read; 0 where an index may fill them."""
        unread = self._reader.size - self._read_to if self._streams == 1 and self._read_to >= 0 else 0
        return unread if unread > _UNREAD_BYTES + self._reader.size // 20 else 0

    def samples_of_cut_page(self, rate: int) -> int:
        """Return the samples of the last page of an Ogg file that the end of the file cuts off."""
        return self._pages.lost_samples(rate) if self._kind == "OGG" else 0

    def _demux(self) -> Iterator[Any]:
        import av

        number = failures = 0
        last: Any = None
        packets = self._media.demux(self._stream)
        while failures < _MOST_FAILURES and self._reader.error is None:
            try:
                packet = next(packets)
            except StopIteration:
                promised = promised_seconds(self._media, self._stream)
                end = None if promised is None else round(promised / self._stream.time_base)
                for recovered in self._recover(last, self._read_to, self._reader.size, end):
                    self.torn.add(number)
                    yield recovered
                return
            except av.error.FFmpegError:
                failures += 1
                self.torn.add(number)
                self.stopped = True
                packets = self._media.demux(self._stream)
                continue
            if packet.size:
                failures, self.stopped = 0, False
                read_to = self._read_to
                if self._is_torn(packet):
                    self.torn.add(number)
                    for recovered in self._recover(last, read_to, packet.pos, packet.pts):
                        number += 1
                        yield recovered
                    if packet.pos - self._read_to > UNEXPLAINED_BYTES:
                        self.torn.add(number)
                    self._at, self._read_to = packet.pos, packet.pos + packet.size
                number += 1
                last = packet
                yield packet

    def _recover(self, last: Any, begin: int, end: int, following: int | None) -> Iterator[Any]:
        """Yield the packets of a Matroska file in a stretch that FFmpeg skipped."""
        if self._kind != "WEBM" or self._streams > 1 or last is None or last.pts is None:
            return
        for packet, offset in recovered_packets(self._reader, last, begin, end, following):
            self._at, self._read_to = offset, offset + packet.size
            yield packet

    def _is_torn(self, packet: Any) -> bool:
        """Return whether bytes lie before a packet that neither a header nor the packet before it explains."""
        if packet is None or not packet.pos or packet.pos < 0 or self._streams > 1 or self._kind not in {"WEBM", "OGG"}:
            return False
        if packet.pos == self._at:  # all packets of a page of Ogg have its position
            self._read_to += packet.size
            return False
        torn = self._read_to >= 0 and packet.pos - self._read_to > UNEXPLAINED_BYTES
        self._at, self._read_to = packet.pos, packet.pos + packet.size
        return torn
