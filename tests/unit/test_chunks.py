"""Headers of WAV, RF64, W64 and AIFF that are wrong: what is there is read, and said."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from anemonefish import errors
from anemonefish.audio import open_audio
from anemonefish.stores import open_source, open_store
from anemonefish.transcode import transcode

RATE, FRAMES = 48_000, 100_000
WORDS = np.random.default_rng(7).integers(-20_000, 20_000, FRAMES).astype("<i2")
SAMPLES = WORDS / 2.0**15
DATA = WORDS.tobytes()


def chunk(name: bytes, body: bytes, size: int | None = None, *, pad: bool = True) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (pad and len(body) & 1)


def fmt(
    bits: int = 16, channels: int = 1, block: int | None = None, byte_rate: int | None = None, code: int = 1
) -> bytes:
    block = channels * -(-bits // 8) if block is None else block
    byte_rate = RATE * block if byte_rate is None else byte_rate
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, RATE, byte_rate, block, bits))


def wav(*chunks: bytes, riff: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def read(tmp_path: Path, content: bytes, **options: Any) -> tuple[np.ndarray, list[str]]:
    path = tmp_path / "recording.wav"
    path.write_bytes(content)
    with open_audio(str(path), dtype="float64", **options) as audio:
        return audio.read(0, audio.n_samples), [note.code for note in audio.notes]


@pytest.mark.parametrize(
    "declared",
    [0, 1, 43, 44, 1_000, FRAMES, 2 * FRAMES - 70_000, 2 * FRAMES + 8, 2 * FRAMES + 36, 2 * FRAMES + 44, 0x7FFFFFFF,
     0x7FFFF000, 0x80000000, 0xFFFFFFFE, 0xFFFFFFD3],
)  # fmt: skip
@pytest.mark.parametrize("riff", [None, 36, 0])
def test_a_wrong_length_of_the_data_chunk_loses_no_sample(tmp_path: Path, declared: int, riff: int | None) -> None:
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"data", DATA, size=declared), riff=riff))
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == ["header-length"]


@pytest.mark.parametrize("declared", [2 * FRAMES, 0xFFFFFFFF])
def test_a_right_length_and_a_stream_without_one_need_no_note(tmp_path: Path, declared: int) -> None:
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"data", DATA, size=declared)))
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == []


@pytest.mark.parametrize(
    "behind",
    [chunk(b"LIST", b"INFO" + bytes(400)), chunk(b"bext", bytes(602)) + chunk(b"junk", b"x" * 100_001), bytes(32_768),
     bytes(1_000_000), b"\x01"],
    ids=["a chunk", "two chunks", "zeros of a cluster", "many zeros", "an odd byte"],
)  # fmt: skip
def test_what_follows_the_samples_is_not_read_as_samples(tmp_path: Path, behind: bytes) -> None:
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"data", DATA)) + behind)
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == []


def test_leftovers_behind_the_samples_are_left_out_and_said(tmp_path: Path) -> None:
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"data", DATA)) + b"\xf0" * 5_000)
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == ["header-length"]


@pytest.mark.parametrize("container", ["WAV", "RF64", "W64", "AIFF"])
def test_a_file_that_ends_early_is_read_to_its_end(tmp_path: Path, container: str) -> None:
    path = tmp_path / "cut.bin"
    soundfile.write(path, WORDS, RATE, format=container, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: -RATE * 2])
    with open_audio(str(path), dtype="float64") as audio:
        np.testing.assert_array_equal(audio.read(0, audio.n_samples), SAMPLES[:-RATE])
        (note,) = audio.notes
        assert note.code == "ends-early"
        assert (note.numbers["start_sample"], note.numbers["stop_sample"]) == (FRAMES - RATE, FRAMES)
    with pytest.raises(errors.TruncatedRecording, match="are missing"):
        open_audio(str(path), damaged="refuse")


@pytest.mark.parametrize("container", ["RF64", "W64", "AIFF"])
def test_the_other_containers_lose_no_sample_either(tmp_path: Path, container: str) -> None:
    path = tmp_path / "wrong.bin"
    soundfile.write(path, WORDS, RATE, format=container, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    name, order = {"RF64": (b"ds64", "<Q"), "W64": (b"data", "<Q"), "AIFF": (b"SSND", ">I")}[container]
    at = content.index(name) + {"RF64": 16, "W64": 16, "AIFF": 4}[container]
    content[at : at + struct.calcsize(order)] = struct.pack(order, 24 + 100)
    path.write_bytes(content)
    with open_audio(str(path), dtype="float64") as audio:
        np.testing.assert_array_equal(audio.read(0, audio.n_samples), SAMPLES)
        assert [note.code for note in audio.notes] == ["header-length"]


@pytest.mark.parametrize(
    "before",
    [chunk(b"inst", bytes(7), pad=False), chunk(b"fact", b""), chunk(b"LIST", b"INFO" + bytes(31), pad=False),
     chunk(b"junk", bytes(20), size=9_000_000), chunk(b"bext", bytes(602), size=600), chunk(b"FLLR", bytes(4_000))],
    ids=["odd without padding", "empty fact", "odd LIST without padding", "beyond the file", "too short", "FLLR"],
)  # fmt: skip
def test_odd_chunks_before_the_samples_are_passed(tmp_path: Path, before: bytes) -> None:
    samples, _ = read(tmp_path, wav(fmt(), before, chunk(b"data", DATA)))
    np.testing.assert_array_equal(samples, SAMPLES)


def test_a_header_and_nothing_else_has_no_samples(tmp_path: Path) -> None:
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"data", b"")))
    assert (len(samples), notes) == (0, ["no-samples"])


def _extensible(bits: int, block: int, valid: int) -> bytes:
    body = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE, RATE * block, block, bits, 22, valid, 4)
    return chunk(b"fmt ", body + bytes.fromhex("0100000000001000800000aa00389b71"))


@pytest.mark.parametrize("head", [fmt(bits=24, block=4), _extensible(24, 4, 24), _extensible(24, 4, 0)])
def test_24_bits_in_four_bytes_are_read_as_such(tmp_path: Path, head: bytes) -> None:
    samples, notes = read(tmp_path, wav(head, chunk(b"data", (WORDS.astype("<i4") << 16).tobytes())))
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == ["header-layout"]


@pytest.mark.parametrize("block", [0, 1, 4])
def test_block_align_alone_against_the_other_fields_is_overruled(tmp_path: Path, block: int) -> None:
    samples, notes = read(tmp_path, wav(fmt(block=block, byte_rate=2 * RATE), chunk(b"data", DATA)))
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == ["header-layout"]


@pytest.mark.parametrize(
    "head",
    [fmt(bits=24, block=2), fmt(bits=16, block=4), fmt(bits=16, channels=2, block=2), fmt(bits=8, block=2),
     fmt(bits=32, block=2)],
)  # fmt: skip
def test_a_layout_that_would_make_noise_is_refused(tmp_path: Path, head: bytes) -> None:
    with pytest.raises(errors.UnreadableRecording, match="contradicts itself"):
        read(tmp_path, wav(head, chunk(b"data", DATA)))


def test_a_codec_that_libsndfile_does_not_know_is_transcoded(tmp_path: Path) -> None:
    """MPEG layer 2 in a WAV: FFmpeg reads it, so the recording is not lost."""
    path = tmp_path / "mp2.wav"
    with av.open(str(path), "w", format="wav") as media:
        stream = media.add_stream("mp2", rate=RATE, layout="mono")
        for first in range(0, FRAMES, 1152):
            frame = av.AudioFrame.from_ndarray(WORDS[None, first : first + 1152].astype("<i2"), "s16", "mono")
            frame.sample_rate, frame.pts = RATE, first
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    with pytest.raises(errors.InexactRecording, match="must be transcoded"):
        open_audio(str(path))
    facts = transcode(
        str(path), open_source(str(path)).version, "mp2.wav", open_store(str(tmp_path / "store")), "p"
    ).facts
    assert (facts.sample_rate, facts.channels) == (RATE, 1)
    assert abs(facts.frames - FRAMES) < 2_000
