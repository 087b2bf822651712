"""Recover the packets of a damaged Matroska or WebM file that FFmpeg skips.

Where a cluster is damaged, FFmpeg continues with the next cluster and loses up to half a minute of sound. Owns
:func:`recovered_packets`, which finds the blocks after the damage by their bytes and derives their time stamps.

Source: RFC 9559 (clusters, SimpleBlock); RFC 8794 (EBML).
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from anemonefish.audio.seekable import SeekableFile, peek_at

__all__ = ["UNEXPLAINED_BYTES", "recovered_packets"]

UNEXPLAINED_BYTES = 1_024
"""More bytes between two packets than any header explains: the demuxer skipped a damaged stretch."""

_CLUSTER = bytes.fromhex("1f43b675")
_UNKNOWN_LENGTH = bytes.fromhex("01ffffffffffffff")
_SIMPLE_BLOCK = 0xA3
_BLOCK_HEADER = 4
_SURE_BLOCKS = 3
"""Blocks in a row that prove a cluster."""

_MOST_HEAD = 1 << 20
_MOST_CLUSTER = 1 << 24


def recovered_packets(
    file: SeekableFile, last: Any, begin: int, end: int, following: int | None
) -> Iterator[tuple[Any, int]]:
    """Yield the packets in a stretch that FFmpeg skipped, each with its offset in the file.

    Parameters
    ----------
    file : SeekableFile
        Its position is kept, because FFmpeg reads on from there.
    last : av.Packet
        The last packet before the damage.
    begin, end : int
        The stretch, in bytes.
    following : int or None
        Time stamp of the packet after the stretch.
    """
    before, stamp = peek_at(file, last.pos, _BLOCK_HEADER), last.pts  # a packet's position is that of its block
    head = peek_at(file, 0, _MOST_HEAD)
    head = head[: max(0, head.find(_CLUSTER))] + _CLUSTER + _UNKNOWN_LENGTH + b"\xe7\x81\0"
    while end - begin > UNEXPLAINED_BYTES and (at := _first_block(file, begin, end, before)) is not None:
        blocks = peek_at(file, at, min(end - at, _MOST_CLUSTER)).partition(_CLUSTER)[0]
        packets = _packets_of(head + blocks)
        if not packets:
            return
        offsets = [at + packet.pos - len(head) for packet in packets]
        step = _time_in_cluster(peek_at(file, offsets[0], _BLOCK_HEADER)) - _time_in_cluster(before)
        begin = offsets[-1] + packets[-1].size + _BLOCK_HEADER
        if step >= 0:
            shift = stamp + step - packets[0].pts
        elif following is not None:  # the head of their cluster, with its time, is lost: they end where it begins
            shift = following - packets[-1].pts - (packets[-1].duration or 0)
        else:
            return
        for packet in packets:
            packet.pts += shift
        # Side data of the first packet of a file says how many samples to drop: those that the encoder added.
        packets[0] = _without_side_data(packets[0])
        yield from zip(packets, offsets, strict=True)
        before, stamp = peek_at(file, offsets[-1], _BLOCK_HEADER), packets[-1].pts


def _first_block(file: SeekableFile, begin: int, end: int, like: bytes) -> int | None:
    """Return the offset from which blocks of one track follow each other; None where none do."""
    data = peek_at(file, begin, min(end - begin, _MOST_CLUSTER))
    at = data.find(b"\xa3")
    while at >= 0:
        stop, count = at, 0
        while count < _SURE_BLOCKS and (after := _end_of_block(data, stop, like[0])) is not None:
            stop, count = after, count + 1
        if count == _SURE_BLOCKS or (count > 0 and stop == len(data)):
            return begin + at
        at = data.find(b"\xa3", at + 1)
    return None


def _end_of_block(data: bytes, at: int, track: int) -> int | None:
    """Return the end of the SimpleBlock of a track that begins at an offset; None where none begins there."""
    if len(data) < at + 9 or data[at] != _SIMPLE_BLOCK or not data[at + 1]:
        return None
    width = 9 - data[at + 1].bit_length()
    length = int.from_bytes(data[at + 1 : at + 1 + width], "big") & ((1 << 7 * width) - 1)
    begin, end = at + 1 + width, at + 1 + width + length
    laced = len(data) <= begin + 3 or data[begin + 3] & 6
    return end if end <= len(data) and length > _BLOCK_HEADER and data[begin] == track and not laced else None


def _packets_of(data: bytes) -> list[Any]:
    """Return the packets of the first audio stream in a Matroska file, up to the first damage."""
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


def _without_side_data(packet: Any) -> Any:
    import av

    bare = av.Packet(bytes(packet))
    bare.pts, bare.dts, bare.duration, bare.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    return bare


def _time_in_cluster(block: bytes) -> int:
    """Return the time of a block in its cluster, from its first four bytes: track, time, flags."""
    return int.from_bytes(block[1:3], "big", signed=True)
