"""Frames of MPEG audio and AAC: headers, Info headers, tags, and the walk around damage."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from anemonefish.audio.leading_tags import tag_length
from anemonefish.audio.mpeg_headers import Frame, read_info
from anemonefish.audio.mpeg_stream import Gap, find_first_frame, walk

MONO_48 = bytes((0xFF, 0xFB, 0x94, 0xC4))  # MPEG-1 layer III, 128 kbit/s, 48 kHz: 384 bytes
MONO_16 = bytes((0xFF, 0xF3, 0x88, 0xC4))  # MPEG-2 layer III, 64 kbit/s, 16 kHz: 288 bytes


def frame(head: bytes = MONO_48, length: int = 384, body: bytes = b"") -> bytes:
    return (head + body).ljust(length, b"\x55")


def found(data: bytes) -> list[Frame | Gap]:
    first = find_first_frame(io.BytesIO(data), len(data))
    assert first is not None
    return list(walk(io.BytesIO(data), len(data), first[0]))


def xing(side: int, frames: int, length: int, name: bytes = b"Info") -> bytes:
    return bytes(side) + name + struct.pack(">III", 3, frames, length)


@pytest.mark.parametrize(("head", "length", "side"), [(MONO_48, 384, 17), (MONO_16, 288, 9)])
@pytest.mark.parametrize("name", [b"Info", b"Xing"])
def test_an_info_header_counts_frames_and_bytes(head: bytes, length: int, side: int, name: bytes) -> None:
    data = frame(head, length, xing(side, 5, 6 * length, name)) + 5 * frame(head, length)
    items = found(data)
    assert [item.offset for item in items] == [number * length for number in range(6)]
    assert isinstance(items[0], Frame)
    info = read_info(items[0])
    assert info is not None
    assert (info.frames, info.length, info.tells_delay) == (5, 6 * length, False)
    assert isinstance(items[1], Frame)
    assert read_info(items[1]) is None


def test_a_lame_tag_tells_delay_and_padding() -> None:
    tag = b"LAME3.100".ljust(21, b"\0") + ((576 << 12) | 1_105).to_bytes(3, "big")
    items = found(frame(body=xing(17, 9, 0) + tag) + 9 * frame())
    assert isinstance(items[0], Frame)
    info = read_info(items[0])
    assert info is not None
    assert (info.frames, info.length, info.delay, info.padding, info.tells_delay) == (9, None, 576, 1_105, True)


def test_a_vbri_header_counts_frames_and_bytes() -> None:
    body = bytes(32) + b"VBRI" + struct.pack(">HHHII", 1, 0, 75, 3_840, 9)
    items = found(frame(body=body) + 9 * frame())
    assert isinstance(items[0], Frame)
    info = read_info(items[0])
    assert info is not None
    assert (info.frames, info.length) == (9, 3_840)


def test_a_gap_begins_with_the_frame_that_is_damaged_and_ends_with_the_next_whole_one() -> None:
    data = bytearray(40 * frame())
    data[10 * 384 + 100 : 15 * 384 + 7] = bytes(5 * 384 - 93)
    gaps = [item for item in found(bytes(data)) if isinstance(item, Gap)]
    assert gaps == [Gap(10 * 384, 6 * 384)]


def test_a_single_frame_header_in_a_damaged_stretch_is_ignored() -> None:
    data = 10 * frame() + b"\0" * 100 + frame(MONO_16, 288) + b"\0" * 380 + 10 * frame()
    items = found(data)
    assert {item.header.sample_rate for item in items if isinstance(item, Frame)} == {48_000}
    assert [item.length for item in items if isinstance(item, Gap)] == [384 + 100 + 288 + 380]


def test_frames_of_another_format_are_yielded_when_they_continue() -> None:
    items = found(10 * frame() + 10 * frame(MONO_16, 288))
    assert {item.header.sample_rate for item in items if isinstance(item, Frame)} == {48_000, 16_000}


@pytest.mark.parametrize(
    "tail", [b"", b"TAG" + bytes(125), bytes(5_000), b"ID3\4\0\0\0\0\0\x0a" + bytes(10), b"\xff\xfb"]
)
def test_tags_after_the_last_frame_lose_no_frame(tail: bytes) -> None:
    items = found(10 * frame() + tail)
    assert sum(isinstance(item, Frame) for item in items) == 10
    assert all(item.zeros or not item.length or len(tail) < 10 for item in items if isinstance(item, Gap))


def test_a_frame_cut_off_by_the_end_of_the_file_is_reported() -> None:
    *frames, gap = found(10 * frame() + frame()[:200])
    assert len(frames) == 10
    assert gap == Gap(3_840, 200, last=True, zeros=False, cut=True)


def test_a_tag_between_frames_is_no_gap() -> None:
    tag = b"ID3\4\0\0\0\0\x02\0" + bytes(256)
    items = found(10 * frame() + tag + 10 * frame())
    assert len(items) == 20
    assert all(isinstance(item, Frame) for item in items)


def test_lengths_of_tags() -> None:
    assert tag_length(b"ID3\4\0\0\0\0\x02\x01" + bytes(22)) == 10 + 257
    assert tag_length(b"ID3\4\0\x10\0\0\x02\x01" + bytes(22)) == 20 + 257
    assert tag_length(b"APETAGEX" + struct.pack("<4I", 2_000, 132, 1, 0xA0000000) + bytes(8)) == 164
    assert tag_length(b"APETAGEX" + struct.pack("<4I", 2_000, 132, 1, 0) + bytes(8)) == 132
    assert tag_length(b"no tag") == 0


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_hold_no_stream(seed: int) -> None:
    data = np.random.default_rng(seed).bytes(200_000)
    assert find_first_frame(io.BytesIO(data), len(data)) is None
    assert find_first_frame(io.BytesIO(MONO_48 + data), len(data) + 4) is None


def test_a_file_of_a_few_frames_is_a_stream() -> None:
    assert find_first_frame(io.BytesIO(2 * frame()), 768) == (0, 0)
    assert find_first_frame(io.BytesIO(bytes(9) + 2 * frame()), 777) is None
    assert find_first_frame(io.BytesIO(b""), 0) is None
