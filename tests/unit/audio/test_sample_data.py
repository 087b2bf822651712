"""Wrong headers of WAV, RF64, W64 and AIFF: all samples that are there are read, and a note says so."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from anemonefish import errors
from anemonefish.audio.reader import open_audio
from anemonefish.audio.transcoding.transcoder import transcode
from anemonefish.stores import open_source, open_store

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
def test_chunks_after_the_samples_are_not_read_as_samples(tmp_path: Path, behind: bytes) -> None:
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"data", DATA)) + behind)
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == []


def test_leftovers_after_the_samples_are_not_read_and_noted(tmp_path: Path) -> None:
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
def test_odd_chunks_before_the_samples_are_skipped(tmp_path: Path, before: bytes) -> None:
    samples, _ = read(tmp_path, wav(fmt(), before, chunk(b"data", DATA)))
    np.testing.assert_array_equal(samples, SAMPLES)


def test_a_header_and_nothing_else_has_no_samples(tmp_path: Path) -> None:
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"data", b"")))
    assert (len(samples), notes) == (0, ["no-samples"])


def _extensible(bits: int, block: int, valid: int) -> bytes:
    body = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE, RATE * block, block, bits, 22, valid, 4)
    return chunk(b"fmt ", body + bytes.fromhex("0100000000001000800000aa00389b71"))


@pytest.mark.parametrize("head", [fmt(bits=24, block=4), _extensible(24, 4, 24), _extensible(24, 4, 0)])
def test_24_bits_in_four_bytes_are_read(tmp_path: Path, head: bytes) -> None:
    samples, notes = read(tmp_path, wav(head, chunk(b"data", (WORDS.astype("<i4") << 16).tobytes())))
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == ["header-layout"]


@pytest.mark.parametrize("block", [0, 1, 4])
def test_a_wrong_block_align_alone_is_overruled(tmp_path: Path, block: int) -> None:
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


def silent_start(samples: int) -> bytes:
    return np.concatenate((np.zeros(samples, "<i2"), WORDS[samples:])).tobytes()


@pytest.mark.parametrize("declared", [0, 44])
def test_silent_first_samples_are_no_padding_behind_a_placeholder(tmp_path: Path, declared: int) -> None:
    data = silent_start(40_000)
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"data", data, size=declared)))
    np.testing.assert_array_equal(samples, np.frombuffer(data, "<i2") / 2.0**15)
    assert notes == ["header-length"]


@pytest.mark.parametrize(
    ("behind", "notes"),
    [(b"\xff" * 300_000, []), (bytes(200_000) + b"old" * 60_000, ["header-length"]),
     (b"ID3\x03\0\0\0\x10\0\0" + b"\x11" * 262_144, ["header-length"]),
     (b"APETAGEX" + b"\x21\x43" * 150_000, ["header-length"]), (chunk(b"data", DATA), ["header-length"])],
    ids=["erased flash", "padding and an older file", "ID3 with a picture", "APE", "a second data chunk"],
)  # fmt: skip
def test_many_bytes_after_a_right_length_are_no_samples(tmp_path: Path, behind: bytes, notes: list[str]) -> None:
    samples, found = read(tmp_path, wav(fmt(), chunk(b"data", DATA)) + behind)
    np.testing.assert_array_equal(samples, SAMPLES)
    assert found == notes


@pytest.mark.parametrize("declared", [0, 44, FRAMES, 0x7FFFFFFF])
def test_chunks_after_the_samples_are_no_samples_where_the_length_is_wrong(tmp_path: Path, declared: int) -> None:
    behind = chunk(b"cue ", bytes(28)) + chunk(b"iXML", b"<BWFXML>" + b"x" * 601) + chunk(b"bext", bytes(602))
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"data", DATA, size=declared), behind))
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == ["header-length"]


def test_a_large_header_does_not_hide_that_a_file_ends_early(tmp_path: Path) -> None:
    before = chunk(b"LIST", b"INFO" + bytes(200_000))
    _, notes = read(tmp_path, wav(fmt(), before, chunk(b"data", DATA, size=2 * FRAMES + 150_000)))
    assert notes == ["ends-early"]
    content = wav(fmt(), before, chunk(b"data", DATA, size=2 * FRAMES + 200_056))  # the size of the file
    samples, notes = read(tmp_path, content)
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == ["header-length"]


@pytest.mark.parametrize(
    "chunks",
    [(chunk(b"data", DATA), fmt()), (fmt(), fmt(bits=8), chunk(b"data", DATA)),
     (fmt(), chunk(b"data", b""), chunk(b"data", DATA)),
     (chunk(b"JUNK", b"data\x10\0\0\0" + bytes(20), size=4_000_000_000), fmt(), chunk(b"data", DATA)),
     (fmt(), chunk(b"LIST", b"INFO" + b"a" * 500_001, pad=False), chunk(b"data", DATA)),
     (fmt(), chunk(b"inst", bytes(7), pad=False), b"x", chunk(b"data", DATA))],
    ids=["data before fmt", "fmt twice", "an empty data chunk first", "the word data in JUNK", "large odd LIST",
         "padding that is not zero"],
)  # fmt: skip
def test_chunks_in_any_order_are_followed(tmp_path: Path, chunks: tuple[bytes, ...]) -> None:
    samples, _ = read(tmp_path, wav(*chunks))
    np.testing.assert_array_equal(samples, SAMPLES)


def test_an_odd_chunk_without_padding_is_skipped_whatever_the_next_length_is(tmp_path: Path) -> None:
    data = silent_start(10)[: 700 * 256 + 0x40]  # b"ata" and 0x40 could be a name, and its length 0x2BC
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"inst", bytes(7), pad=False), chunk(b"data", data)))
    np.testing.assert_array_equal(samples, np.frombuffer(data, "<i2") / 2.0**15)
    assert notes == []


@pytest.mark.parametrize("declared", [0xFFFFFFFF, 0x7FFFFFFF, 0])
def test_a_header_with_a_placeholder_and_nothing_else_has_no_samples(tmp_path: Path, declared: int) -> None:
    samples, notes = read(tmp_path, wav(fmt(), chunk(b"data", b"", size=declared)))
    assert (len(samples), notes) == (0, ["no-samples"])


@pytest.mark.parametrize(
    ("container", "declared"),
    [("RF64", (1 << 64) - 1), ("RF64", (1 << 63) - 1), ("RF64", 0xFFFFFFFF), ("W64", (1 << 63) - 1),
     ("W64", 0x7FFFFFFF), ("AIFF", 0x7FFFFFFF), ("AIFF", 0x7F000008), ("AIFF", 0xFFFFFFFF), ("AIFF", 0)],
)  # fmt: skip
def test_a_placeholder_in_any_container_loses_no_sample(tmp_path: Path, container: str, declared: int) -> None:
    path = tmp_path / "stream.bin"
    soundfile.write(path, WORDS, RATE, format=container, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    name, order = {"RF64": (b"ds64", "<Q"), "W64": (b"data", "<Q"), "AIFF": (b"SSND", ">I")}[container]
    at = content.index(name) + {"RF64": 16, "W64": 16, "AIFF": 4}[container]
    content[at : at + struct.calcsize(order)] = struct.pack(order, declared)
    path.write_bytes(content)
    with open_audio(str(path), dtype="float64") as audio:
        np.testing.assert_array_equal(audio.read(0, audio.n_samples), SAMPLES)
        assert [note.code for note in audio.notes] == ["header-length"]


@pytest.mark.parametrize("length", [1_000, 100_000])
def test_an_aligned_wave64_chunk_after_the_samples_is_found(tmp_path: Path, length: int) -> None:
    path = tmp_path / "recording.w64"
    soundfile.write(path, WORDS[:-3], RATE, format="W64", subtype="PCM_16")
    content = path.read_bytes()
    content += bytes(-len(content) % 8) + b"junk" + bytes.fromhex("f3acd3118cd100c04f8edb8a")
    path.write_bytes(content + struct.pack("<Q", 24 + length) + b"q" * length)
    with open_audio(str(path), dtype="float64") as audio:
        np.testing.assert_array_equal(audio.read(0, audio.n_samples), SAMPLES[:-3])
        assert audio.notes == ()


def aiff(*chunks: tuple[bytes, bytes], pad: bool = True) -> bytes:
    body = b"".join(
        name + struct.pack(">I", len(content)) + content + b"\0" * (pad and len(content) & 1)
        for name, content in chunks
    )
    return b"FORM" + struct.pack(">I", 4 + len(body)) + b"AIFC" + body


def comm(bits: int = 16, compression: bytes = b"NONE", rate: int = RATE) -> tuple[bytes, bytes]:
    mantissa = rate << (64 - rate.bit_length())
    head = struct.pack(">hIhHQ", 1, FRAMES, bits, 16382 + rate.bit_length(), mantissa)
    return b"COMM", head + compression + b"\0\0"


BIG = WORDS.astype(">i2").tobytes()
LITTLE_24 = (WORDS.astype("<i4") << 8).view("u1").reshape(-1, 4)[:, :3].tobytes()


@pytest.mark.parametrize(
    ("bits", "compression", "data"),
    [(16, b"sowt", DATA), (24, b"sowt", LITTLE_24), (24, b"42ni", LITTLE_24), (16, b"twos", BIG),
     (32, b"23ni", (WORDS.astype("<i4") << 16).tobytes())],
)  # fmt: skip
def test_every_order_of_bytes_in_aifc_is_read(tmp_path: Path, bits: int, compression: bytes, data: bytes) -> None:
    samples, notes = read(tmp_path, aiff(comm(bits, compression), (b"SSND", bytes(8) + data)))
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == []


def test_an_odd_aiff_chunk_without_padding_is_skipped(tmp_path: Path) -> None:
    samples, notes = read(tmp_path, aiff(comm(), (b"NAME", b"abc"), (b"SSND", bytes(8) + BIG), pad=False))
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == []


def test_an_offset_in_ssnd_beyond_the_file_is_ignored(tmp_path: Path) -> None:
    samples, notes = read(tmp_path, aiff(comm(), (b"SSND", struct.pack(">II", 0x7FFFFFFF, 0) + BIG)))
    np.testing.assert_array_equal(samples, SAMPLES)
    assert notes == ["header-layout"]


@pytest.mark.parametrize("content", [
    wav(chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 0xFFFFFFFF, 2, 2, 16)), chunk(b"data", DATA)),
    aiff(comm(rate=1 << 40), (b"SSND", bytes(8) + BIG)),
], ids=["WAV", "AIFF"])  # fmt: skip
def test_a_sample_rate_that_no_decoder_takes_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(errors.UnreadableRecording, match="rewrite the header"):
        read(tmp_path, content)
