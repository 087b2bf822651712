"""FLAC beneath its decoder: frames, how many samples there really are, and the way around damage.

Owns what libFLAC leaves open. STREAMINFO may say nothing of the number of samples (0 means unknown), or something
wrong: the last frame that decodes says how many there are. And where a stretch cannot be decoded, libsndfile gives up
for good: here each frame is decoded by itself, those that cannot be are silence, and every other sample keeps its
place. Frames are found by their header, whose own check sum must fit; whether one is sound, the decoder says.

What a stretch decodes to depends on its frames alone, never on where reading began: cuts change nothing.

Source: RFC 9639, sections 8.2 (STREAMINFO), 9.1 (frame header) and 9.1.8 (its CRC-8).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import DTypeLike, NDArray

from anemonefish.notes import Note

__all__ = ["Hole", "StreamInfo", "count_samples", "decode_around_damage", "read_stream_info"]

_MOST_HEADER = 16  # bytes of a frame header at most
_STREAM_INFO = 42  # bytes: the mark, a block header and STREAMINFO
_WINDOW = 1 << 16
_NEAR = 1 << 18
"""Bytes that are searched frame by frame; further away, halves are thrown away."""

_FEW_FRAMES = 16
"""Frames that are walked through rather than searched for."""

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
    """What the first block of a FLAC file says.

    Attributes
    ----------
    offset : int
        Where ``fLaC`` stands; an ID3 tag may lie before it.
    audio : int
        Where the first frame is expected.
    block : int or None
        Samples of a frame (the last one has fewer); None where they vary.
    sample_rate, channels, bits : int
    samples : int
        Number of samples per channel; 0 where the writer did not know.
    head : bytes
        The mark and STREAMINFO as the only block of metadata.
    notes : tuple of Note
        What STREAMINFO has wrong by the first frame.
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
class Hole:
    """Samples ``[start, stop)`` that no sound frame holds; the frame of ``stop`` begins at the byte ``offset``.

    With ``start`` equal to ``stop`` it is only a place from which decoding goes on.
    """

    start: int
    stop: int
    offset: int


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame by its header: where it begins, and the samples it holds."""

    offset: int
    start: int
    stop: int


def read_stream_info(file: BinaryIO, offset: int) -> StreamInfo | None:
    """Read the metadata of a FLAC file whose mark stands at ``offset``; None where it has none.

    Where the first frame says something else than STREAMINFO, the frame is believed, as FFmpeg does.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    offset : int
        Of ``fLaC``.
    """
    head = _read(file, offset, _STREAM_INFO)
    if len(head) < _STREAM_INFO or head[:4] != b"fLaC" or head[4] & 0x7F:
        return None
    smallest, largest = int.from_bytes(head[8:10], "big"), int.from_bytes(head[10:12], "big")
    word = int.from_bytes(head[18:26], "big")
    rate, channels, bits = word >> 44, (word >> 41 & 7) + 1, (word >> 36 & 31) + 1
    audio = offset + 4
    for _ in range(1 << 10):
        block = _read(file, audio, 4)
        if len(block) < 4:
            return None
        audio += 4 + int.from_bytes(block[1:], "big")
        if block[0] & 0x80:
            break
    only = head[:4] + b"\x80" + head[5:]
    fixed = smallest if smallest == largest and smallest else None
    info = StreamInfo(offset, audio, fixed, rate, channels, bits, word & (1 << 36) - 1, only)
    return _corrected(info, _read(file, audio, _MOST_HEADER), largest)


def _corrected(info: StreamInfo, frame_head: bytes, largest: int) -> StreamInfo:
    """Return what the head of the first frame says where STREAMINFO says something else."""
    if len(frame_head) < _MOST_HEADER or frame_head[:2] not in {b"\xff\xf8", b"\xff\xf9"}:
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


def count_samples(file: BinaryIO, size: int, info: StreamInfo) -> tuple[int, tuple[Note, ...]]:
    """Return how many samples the file holds by its last sound frame, and what STREAMINFO has wrong.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    info : StreamInfo

    Returns
    -------
    samples : int
        0 where no frame was found.
    notes : tuple of Note
    """
    last, cut = _last_frame(file, size, info)
    found = last.stop if last is not None else 0
    said = info.samples
    numbers: dict[str, int | float | str] = {"header_samples": said, "samples": found}
    notes: list[Note] = []
    # Behind a frame of full length, a header that promises a little more tells of a last frame that is lost.
    full = last is not None and last.stop - last.start == info.block
    cut_to = said if cut is not None or (full and 0 < said - found <= (info.block or 0)) else 0
    if cut is not None and said <= found < cut.start + (info.block or 65_535):
        cut_to = max(said, cut.stop)
    if said == 0:
        words = f"the header does not say how many samples there are; {found} were found and read"
        notes.append(Note("header-length", words, numbers))
    elif found > said:
        words = f"the header says {said} samples, but {found} are there; all of them were read"
        notes.append(Note("header-length", words, numbers))
    elif found < said and cut_to <= found:
        words = f"the header says {said} samples, but the file ends with a whole frame after {found}; all were read"
        notes.append(Note("header-length", words, numbers))
    if found and cut_to > found and found != said:
        rate = max(1, info.sample_rate)
        words = f"the header promises {said} samples, but the file" if said > found else "the file"
        words += f" ends at byte {size}, after {found} that can be decoded"
        words += f"; {(cut_to - found) / rate:.6f} s from {found / rate:.6f} s on are missing"
        stretch = {"start_sample": found, "stop_sample": cut_to, "sample_rate": rate}
        notes.append(Note("ends-early", words, {**numbers, **stretch}))
    return found, tuple(notes)


def decode_around_damage(
    file: BinaryIO, size: int, info: StreamInfo, start: int, stop: int, dtype: DTypeLike, hole: Hole | None = None
) -> tuple[NDArray[Any], list[tuple[int, int]], Hole | None]:
    """Decode the samples ``[start, stop)`` frame by frame; what cannot be decoded is zero.

    Parameters
    ----------
    file : seekable binary file
        Its position is moved.
    size : int
        Length of the file in bytes.
    info : StreamInfo
    start, stop : int
        Samples per channel.
    dtype : {"float32", "float64", "int32"}
    hole : Hole, optional
        One that an earlier call found: it is not searched again, however long it is.

    Returns
    -------
    frames : ndarray, shape (stop - start, channels)
    missing : list of (int, int)
        Stretches of samples within ``[start, stop)`` that are zero because their frame is missing or damaged.
    hole : Hole or None
        The last one that was met, for the next call.
    """
    made = np.zeros((stop - start, info.channels), dtype)
    missing, reached = [], start
    begin = info.audio if hole is None or start < hole.start else hole.offset
    if hole is None or not hole.start <= start <= hole.stop + _FEW_FRAMES * (info.block or 4096):
        begin = _frame_before(file, size, info, start, begin)
    for frame, data in _frames_from(file, size, info, begin):
        samples = _decode(info, frame, data, dtype) if frame.stop > reached else None
        if samples is None:
            continue
        if frame.start > reached:
            hole = Hole(reached, frame.start, frame.offset)
        if frame.start >= stop:
            break
        first, end = max(frame.start, reached), min(frame.stop, stop)
        made[first - start : end - start] = samples[first - frame.start : end - frame.start]
        if first > reached:
            missing.append((reached, first))
        reached = end
        if reached == stop:
            hole = Hole(frame.start, frame.start, frame.offset)
            break
    else:
        hole = Hole(reached, 1 << 36, size)
    if reached < stop:
        missing.append((reached, stop))
    return made, missing, hole


def _decode(info: StreamInfo, frame: _Frame, data: bytes, dtype: DTypeLike) -> NDArray[Any] | None:
    """Decode one frame; None when it is damaged."""
    count = frame.stop - frame.start
    try:
        with soundfile.SoundFile(io.BytesIO(info.with_samples(count) + data)) as sound:
            samples: NDArray[Any] = sound.read(count, dtype=np.dtype(dtype).name, always_2d=True)
    except soundfile.LibsndfileError:
        return None
    return samples if len(samples) == count else None


def _frame_before(file: BinaryIO, size: int, info: StreamInfo, sample: int, low: int) -> int:
    """Return an offset from ``low`` on from which the frame of a sample can be met, and not long before it."""
    high = size
    while high - low > _NEAR:
        middle = (low + high) // 2
        found = next(_headers(file, middle, high, info), None)
        if found is not None and found.start <= sample:
            low = found.offset
        else:
            high = middle
    return low


def _frames_from(file: BinaryIO, size: int, info: StreamInfo, offset: int) -> Iterator[tuple[_Frame, bytes]]:
    """Yield frames from an offset on, each with the bytes up to the next one's header."""
    frame: _Frame | None = None
    for following in _headers(file, offset, size, info):
        if frame is not None:
            yield frame, _frame_bytes(file, info, frame, following.offset)
        frame = following
    if frame is not None:
        yield frame, _frame_bytes(file, info, frame, size)


def _frame_bytes(file: BinaryIO, info: StreamInfo, frame: _Frame, stop: int) -> bytes:
    return _read(file, frame.offset, min(stop - frame.offset, _longest_frame(info)))


def _longest_frame(info: StreamInfo) -> int:
    """Return more bytes than any frame has: samples as they are, and something for headers and rounding."""
    return (info.block or 65_535) * info.channels * (info.bits // 8 + 2) + 1024


def _last_frame(file: BinaryIO, size: int, info: StreamInfo) -> tuple[_Frame | None, _Frame | None]:
    """Return the last frame that decodes, and the first one behind it that does not."""
    cut: _Frame | None = None
    stop = size
    step = max(_WINDOW, _longest_frame(info))
    while stop > info.audio:
        begin = max(info.audio, stop - step)
        if begin > info.audio and next(_headers(file, begin, stop, info), None) is None:
            # Much junk behind the sound: halve towards it instead of walking back through all of it.
            stop = _end_of_frames(file, info, begin)
            continue
        for frame in reversed(list(_headers(file, begin, stop, info))):
            if _decode(info, frame, _read(file, frame.offset, _longest_frame(info)), "float32") is not None:
                return frame, cut
            cut = frame
        stop = begin
    return None, cut


def _end_of_frames(file: BinaryIO, info: StreamInfo, stop: int) -> int:
    """Return an offset before ``stop`` with the last frame header shortly before it."""
    step = max(_WINDOW, _longest_frame(info))
    low, high = info.audio, stop
    while high - low > step:
        middle = (low + high) // 2
        if next(_headers(file, middle, min(high, middle + step), info), None) is not None:
            low = middle
        else:
            high = middle
    return high


def _headers(file: BinaryIO, start: int, stop: int, info: StreamInfo) -> Iterator[_Frame]:
    """Yield the frames whose headers begin in ``[start, stop)``."""
    for begin in range(start, stop, _WINDOW):
        data = _read(file, begin, min(_WINDOW, stop - begin) + _MOST_HEADER)
        at = data.find(b"\xff")
        while 0 <= at < min(_WINDOW, stop - begin):
            if at + 1 < len(data) and data[at + 1] in {0xF8, 0xF9}:
                frame = _parse(data, at, begin, info)
                if frame is not None:
                    yield frame
            at = data.find(b"\xff", at + 1)


def _parse(data: bytes, at: int, base: int, info: StreamInfo) -> _Frame | None:
    """Read the frame header at ``data[at:]``; None for bytes that only look like one."""
    head = data[at : at + _MOST_HEADER]
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
    return _Frame(base + at, start, start + count)


def _fits(head: bytes, info: StreamInfo) -> bool:
    """Say whether the codes of a frame header are legal and mean what STREAMINFO says."""
    block_code, rate_code, channel_code, bits_code = head[2] >> 4, head[2] & 15, head[3] >> 4, head[3] >> 1 & 7
    channels = channel_code + 1 if channel_code < 8 else 2
    legal = block_code != 0 and rate_code != 15 and channel_code <= 10 and not head[3] & 1
    bits = _BITS.get(bits_code) if bits_code else info.bits
    rate = _RATES.get(rate_code, info.sample_rate)
    return legal and (channels, bits, rate) == (info.channels, info.bits, info.sample_rate)


def _coded_number(head: bytes, at: int) -> tuple[int, int] | None:
    """Read a number in the manner of UTF-8, of up to seven bytes; return it and where it ends."""
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


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
