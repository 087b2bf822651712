"""Frames of MPEG audio (MP3, MP2, MP1) and of AAC (ADTS): what the header of a frame says.

Owns :class:`FrameHeader` with its two parsers, and the Info, Xing and VBRI headers, which count the frames of a stream
(:func:`read_info`). :mod:`anemonefish.audio.mpeg_stream` finds the frames in a file. Nothing is decoded.

Sources: ISO/IEC 11172-3 and 13818-3 (MPEG audio), ISO/IEC 13818-7 (ADTS), the Xing and LAME tag specifications, the
VBRI header of Fraunhofer IIS.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["FRAME_PARSERS", "HEADER_BYTES", "Frame", "FrameHeader", "FrameParser", "InfoHeader", "read_info"]

HEADER_BYTES = 10
"""Bytes that a parser of a frame header needs."""

_KBITS = {  # by (version 1 or not, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_ADTS_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What the first bytes of a frame say.

    Attributes
    ----------
    kind : tuple
        The decoder and the properties that are equal in all frames of one stream.
    length : int
        Bytes of the frame, its header included.
    samples : int
        Samples per channel of the frame, as its header counts them.
    sample_rate : int
        In Hz, as the header says; an AAC decoder may give twice as many (SBR).
    """

    kind: tuple[object, ...]
    length: int
    samples: int
    sample_rate: int

    @property
    def codec(self) -> str:
        """Name of FFmpeg's decoder."""
        return str(self.kind[0])


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame.

    Attributes
    ----------
    offset : int
        Of its first byte, in the file.
    header : FrameHeader
    data : bytes
    """

    offset: int
    header: FrameHeader
    data: bytes


@dataclass(frozen=True, slots=True)
class InfoHeader:
    """The first frame of many MP3 files, which holds no sound and counts the frames after it.

    Attributes
    ----------
    frames : int or None
        Number of frames that follow; None where it is not stated.
    length : int or None
        Bytes from the header's own first byte to the end of the last frame; None where it is not stated.
    delay, padding : int
        Samples that the encoder added before and after the recording.
    tells_delay : bool
        Whether the header states ``delay`` and ``padding``.
    """

    frames: int | None
    length: int | None
    delay: int = 0
    padding: int = 0
    tells_delay: bool = False


def _mpeg_header(data: bytes | bytearray | memoryview, at: int = 0) -> FrameHeader | None:
    """Read the header of an MPEG audio frame; None where there is none, or its bit rate is ``free``."""
    if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    rate_index, bits_index = data[at + 2] >> 2 & 3, data[at + 2] >> 4
    if version == 1 or layer == 4 or rate_index == 3 or bits_index in {0, 15}:
        return None
    first = version == 3
    rate = _RATES[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    bits = 1000 * _KBITS[first, layer][bits_index - 1]
    padding = data[at + 2] >> 1 & 1
    if layer == 1:
        length, samples = (12 * bits // rate + padding) * 4, 384
    else:
        samples = 1_152 if layer == 2 or first else 576
        length = samples // 8 * bits // rate + padding
    mono = data[at + 3] >> 6 == 3
    return FrameHeader((f"mp{layer}float", rate, mono), length, samples, rate)


def _adts_header(data: bytes | bytearray | memoryview, at: int = 0) -> FrameHeader | None:
    """Read the header of an AAC frame (ADTS); None where there is none."""
    if len(data) < at + 7 or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        return None
    rate_index = data[at + 2] >> 2 & 15
    length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    if rate_index >= len(_ADTS_RATES) or length < 7:
        return None
    rate = _ADTS_RATES[rate_index]
    channels = (data[at + 2] & 1) << 2 | data[at + 3] >> 6
    kind = ("aac", data[at + 1] & 0xFE, data[at + 2] >> 6, rate, channels)
    return FrameHeader(kind, length, 1_024 * ((data[at + 6] & 3) + 1), rate)


FrameParser = Callable[[bytes | bytearray | memoryview, int], FrameHeader | None]
FRAME_PARSERS: tuple[FrameParser, ...] = (_adts_header, _mpeg_header)


def read_info(frame: Frame) -> InfoHeader | None:
    """Return the Info, Xing or VBRI header that a frame is, or None for a frame of sound."""
    data = frame.data
    if frame.header.codec != "mp3float":
        return None
    first, mono = data[1] >> 3 & 3 == 3, data[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    if data[36:40] == b"VBRI" and len(data) >= 54:
        length, frames = struct.unpack_from(">II", data, 46)
        return InfoHeader(frames or None, length or None)
    for at in (4 + side, 6 + side):  # a checksum of two bytes may follow the frame header
        if data[at : at + 4] in {b"Xing", b"Info"}:
            return _read_xing(data, at)
    return None


def _read_xing(data: bytes, at: int) -> InfoHeader:
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    at += 8
    numbers: dict[int, int] = {}
    for flag, length in ((1, 4), (2, 4), (4, 100), (8, 4)):
        if flags & flag:
            numbers[flag] = int.from_bytes(data[at : at + min(length, 4)], "big")
            at += length
    frames, stream_length = numbers.get(1) or None, numbers.get(2) or None
    tag = data[at : at + 24]
    if len(tag) < 24 or tag[:4] not in {b"LAME", b"Lavf", b"Lavc"}:
        return InfoHeader(frames, stream_length)
    word = int.from_bytes(tag[21:24], "big")
    return InfoHeader(frames, stream_length, word >> 12, word & 0xFFF, tells_delay=True)
