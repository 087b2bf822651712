"""FLAC below the decoder: the STREAMINFO block, and where frames begin and which samples they hold.

Owns :func:`read_stream_info`, which trusts the first frame where STREAMINFO contradicts it, and :func:`frame_headers`,
which finds frames by their headers. A header counts where its own check sum is right; whether the frame after it can be
decoded is found out by :mod:`anemonefish.audio.flac_damage`.

Source: RFC 9639, sections 8.2 (STREAMINFO), 9.1 (frame header) and 9.1.8 (its CRC-8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from anemonefish.audio.seekable import BinaryFile, read_at
from anemonefish.notes import Note

__all__ = ["SEARCH_WINDOW", "FlacFrame", "StreamInfo", "frame_headers", "longest_frame", "read_stream_info"]

SEARCH_WINDOW = 1 << 16
"""Bytes that are searched for frame headers at once."""

_HEADER_BYTES = 16  # most bytes of a frame header
_STREAM_INFO_BYTES = 42  # bytes of the mark, a block header and STREAMINFO
_RATES = dict(enumerate((88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000), 1))
_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}


def _crc8_table() -> bytes:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc << 1 ^ 0x07 if crc & 0x80 else crc << 1) & 0xFF
        table.append(crc)
    return bytes(table)


_CRC8 = _crc8_table()


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the STREAMINFO block of a FLAC file says.

    Attributes
    ----------
    offset : int
        Where ``fLaC`` stands; an ID3 tag may stand before it.
    audio : int
        Where the first frame should begin.
    block : int or None
        Samples per frame, of which the last frame may have fewer; None where frames differ.
    sample_rate, channels, bits : int
    samples : int
        Number of samples per channel; 0 where the writer did not know it.
    head : bytes
        The mark and STREAMINFO, changed so that it is the only block of metadata.
    notes : tuple of Note
        What is wrong in STREAMINFO, judged by the first frame.
    """

    offset: int
    audio: int
    block: int | None
    sample_rate: int
    channels: int
    bits: int
    samples: int
    head: bytes
    notes: tuple[Note, ...] = ()

    def with_samples(self, samples: int) -> bytes:
        """Return :attr:`head` with another number of samples."""
        word = int.from_bytes(self.head[18:26], "big") >> 36 << 36 | samples
        return self.head[:18] + word.to_bytes(8, "big") + self.head[26:]


@dataclass(frozen=True, slots=True)
class FlacFrame:
    """A frame as its header describes it: where it begins, and the samples ``[start, stop)`` that it holds."""

    offset: int
    start: int
    stop: int


def read_stream_info(file: BinaryFile, offset: int) -> StreamInfo | None:
    """Read the metadata of a FLAC file whose mark stands at ``offset``; None where there is no valid STREAMINFO.

    Where the first frame contradicts STREAMINFO, the frame is trusted, as FFmpeg does.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    offset : int
        Where ``fLaC`` stands.
    """
    head = read_at(file, offset, _STREAM_INFO_BYTES)
    if len(head) < _STREAM_INFO_BYTES or head[:4] != b"fLaC" or head[4] & 0x7F:
        return None
    smallest, largest = int.from_bytes(head[8:10], "big"), int.from_bytes(head[10:12], "big")
    word = int.from_bytes(head[18:26], "big")
    rate, channels, bits = word >> 44, (word >> 41 & 7) + 1, (word >> 36 & 31) + 1
    audio = offset + 4
    for _ in range(1 << 10):
        block = read_at(file, audio, 4)
        if len(block) < 4:
            return None
        audio += 4 + int.from_bytes(block[1:], "big")
        if block[0] & 0x80:
            break
    only = head[:4] + b"\x80" + head[5:]
    fixed = smallest if smallest == largest and smallest else None
    info = StreamInfo(offset, audio, fixed, rate, channels, bits, word & (1 << 36) - 1, only)
    return _corrected(info, read_at(file, audio, _HEADER_BYTES), largest)


def frame_headers(file: BinaryFile, start: int, stop: int, info: StreamInfo) -> Iterator[FlacFrame]:
    """Yield the frames whose headers begin at the bytes ``[start, stop)``.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    start, stop : int
        Offsets in bytes.
    info : StreamInfo
    """
    for begin in range(start, stop, SEARCH_WINDOW):
        data = read_at(file, begin, min(SEARCH_WINDOW, stop - begin) + _HEADER_BYTES)
        at = data.find(b"\xff")
        while 0 <= at < min(SEARCH_WINDOW, stop - begin):
            if at + 1 < len(data) and data[at + 1] in {0xF8, 0xF9}:
                frame = _parse(data, at, begin, info)
                if frame is not None:
                    yield frame
            at = data.find(b"\xff", at + 1)


def longest_frame(info: StreamInfo) -> int:
    """Return an upper bound for the bytes of a frame: its samples uncompressed, and some for headers and rounding."""
    return (info.block or 65_535) * info.channels * (info.bits // 8 + 2) + 1024


def _corrected(info: StreamInfo, frame_head: bytes, largest: int) -> StreamInfo:
    """Return STREAMINFO with the properties that the head of the first frame states."""
    if len(frame_head) < _HEADER_BYTES or frame_head[:2] not in {b"\xff\xf8", b"\xff\xf9"}:
        return info
    fixed, channel_code = frame_head[1] == 0xF8, frame_head[3] >> 4
    seen = replace(
        info,
        block=info.block or largest or 1,
        sample_rate=_RATES.get(frame_head[2] & 15, info.sample_rate),
        channels=channel_code + 1 if channel_code < 8 else 2,
        bits=_BITS.get(frame_head[3] >> 1 & 7, info.bits),
    )
    frame = _parse(frame_head, 0, info.audio, seen)
    if frame is None:
        return info
    block = (frame.stop if frame.start == 0 else seen.block) if fixed else None
    word = seen.sample_rate << 44 | (seen.channels - 1) << 41 | (seen.bits - 1) << 36 | info.samples
    sizes = info.head[8:12] if block is None else block.to_bytes(2, "big") * 2
    head = info.head[:8] + sizes + info.head[12:18] + word.to_bytes(8, "big") + info.head[26:]
    notes: tuple[Note, ...] = ()
    if word.to_bytes(8, "big") != info.head[18:26]:
        said = f"{info.channels} channels of {info.bits} bits at {info.sample_rate} Hz"
        words = f"{seen.channels} of {seen.bits} bits at {seen.sample_rate} Hz, which was taken"
        notes = (
            Note(
                "header-layout", f"the header says {said}, the first frame {words}", {"header_rate": info.sample_rate}
            ),
        )
    return replace(seen, block=block, head=head, notes=notes)


def _parse(data: bytes, at: int, base: int, info: StreamInfo) -> FlacFrame | None:
    """Read the frame header at ``data[at:]``, at the byte ``base + at`` of the file; None where there is none."""
    head = data[at : at + _HEADER_BYTES]
    number = _coded_number(head, 4) if len(head) >= 6 and _fits(head, info) else None
    if number is None:
        return None
    value, end = number
    block_code, rate_code = head[2] >> 4, head[2] & 15
    extra = {6: 1, 7: 2}.get(block_code, 0)
    length = end + extra + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if len(head) <= length or _crc8(head[:length]) != head[length]:
        return None
    count = _block_size(block_code, int.from_bytes(head[end : end + extra], "big"))
    fixed = head[1] == 0xF8
    if fixed and info.block is None:
        return None
    start = value * (info.block or 0) if fixed else value
    return FlacFrame(base + at, start, start + count)


def _fits(head: bytes, info: StreamInfo) -> bool:
    """Return whether the codes of a frame header are legal and agree with STREAMINFO."""
    block_code, rate_code, channel_code, bits_code = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    channels = channel_code + 1 if channel_code < 8 else 2
    legal = block_code != 0 and rate_code != 15 and channel_code <= 10 and not head[3] & 1
    bits = _BITS.get(bits_code) if bits_code else info.bits
    rate = _RATES.get(rate_code, info.sample_rate)
    return legal and (channels, bits, rate) == (info.channels, info.bits, info.sample_rate)


def _coded_number(head: bytes, at: int) -> tuple[int, int] | None:
    """Read a number that is coded like a character of UTF-8, in up to seven bytes; return it and where it ends."""
    first = head[at]
    if first < 0x80:
        return first, at + 1
    ones = 8 - (first ^ 0xFF).bit_length()
    if not 2 <= ones <= 7 or at + ones > len(head):
        return None
    value = first & (0x7F >> ones)
    for byte in head[at + 1 : at + ones]:
        if byte & 0xC0 != 0x80:
            return None
        value = value << 6 | byte & 0x3F
    return value, at + ones


def _block_size(code: int, extra: int) -> int:
    if code in {6, 7}:
        return extra + 1
    return {1: 192}.get(code) or (576 << code - 2 if code < 6 else 256 << code - 8)


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc = _CRC8[crc ^ byte]
    return crc
