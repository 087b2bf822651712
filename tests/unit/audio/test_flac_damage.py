"""FLAC whose header or frames are wrong: the number of samples, and decoding around damage."""

from __future__ import annotations

import io
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from anemonefish import errors
from anemonefish.audio.reader import AudioFile, open_audio
from anemonefish.audio.signal_meter import SignalMeter
from anemonefish.windows import WindowGrid, WindowRange

RATE, FRAMES = 48_000, 300_000
_noise = np.random.default_rng(3).normal(0, 2_000, (FRAMES, 2))
WORDS = np.cumsum(_noise * 0.05, axis=0).astype("<i2")


def encoded(channels: int = 1, subtype: str = "PCM_16") -> bytearray:
    made = io.BytesIO()
    soundfile.write(made, WORDS[:, :channels], RATE, format="FLAC", subtype=subtype)
    return bytearray(made.getvalue())


def with_total(content: bytearray, total: int) -> bytes:
    word = int.from_bytes(content[18:26], "big") >> 36 << 36 | total
    return bytes(content[:18]) + word.to_bytes(8, "big") + bytes(content[26:])


@pytest.fixture
def opened(tmp_path: Path):
    def open_(content: bytes, **options) -> AudioFile:
        path = tmp_path / "recording.flac"
        path.write_bytes(content)
        return open_audio(str(path), dtype="float64", **options)

    return open_


@pytest.mark.parametrize("total", [0, 1, FRAMES // 2, FRAMES - 1, FRAMES + 1, 2 * FRAMES, (1 << 36) - 1])
@pytest.mark.parametrize("before", [b"", b"ID3\x04\0\0\0\0\x02\x01" + bytes(257)], ids=["plain", "behind a tag"])
def test_a_wrong_total_loses_no_sample(opened, total: int, before: bytes) -> None:
    with opened(before + with_total(encoded(), total)) as audio:
        np.testing.assert_array_equal(audio.read(0, audio.n_samples), WORDS[:, 0] / 2.0**15)
        np.testing.assert_array_equal(audio.read(150_001, 150_009), WORDS[150_001:150_009, 0] / 2.0**15)
        assert [note.code for note in audio.notes] == ["header-length"]


@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125), bytes(65_536), bytes(5_000_000), b"x" * 3_000_000])
def test_bytes_after_the_last_frame_are_ignored(opened, behind: bytes) -> None:
    with opened(bytes(encoded()) + behind) as audio:
        assert (audio.n_samples, audio.notes) == (FRAMES, ())


def test_a_flac_that_ends_early_is_read_to_its_last_whole_frame(opened) -> None:
    content = bytes(encoded())
    content = content[: len(content) // 2]
    with opened(content) as audio:
        (note,) = audio.notes
        assert note.code == "ends-early"
        assert note.numbers["stop_sample"] == FRAMES
        assert 0.4 * FRAMES < audio.n_samples == note.numbers["start_sample"] < 0.6 * FRAMES
        np.testing.assert_array_equal(audio.read(0, audio.n_samples), WORDS[: audio.n_samples, 0] / 2.0**15)
    with pytest.raises(errors.TruncatedRecording, match="are missing"):
        opened(content, damaged="refuse")


@pytest.mark.parametrize("total", [0, FRAMES // 4, FRAMES])
def test_a_flac_that_ends_within_a_frame_is_partial_whatever_its_header_says(opened, total: int) -> None:
    content = with_total(encoded(), total)
    with opened(content[: len(content) // 2]) as audio:
        (note,) = (note for note in audio.notes if note.code == "ends-early")
        assert note.numbers["start_sample"] == audio.n_samples < note.numbers["stop_sample"] <= FRAMES
        np.testing.assert_array_equal(audio.read(0, audio.n_samples), WORDS[: audio.n_samples, 0] / 2.0**15)


def test_a_lost_last_frame_is_noted(opened) -> None:
    content = encoded()
    last = content.rindex(b"\xff\xf8")
    content[last : last + 16] = bytes(16)
    with opened(bytes(content)) as audio:
        (note,) = audio.notes
        assert (note.code, note.numbers["stop_sample"]) == ("ends-early", FRAMES)


def metadata(*blocks: tuple[int, bytes], total: int = FRAMES) -> bytes:
    """Return a FLAC with other blocks of metadata behind STREAMINFO."""
    content = with_total(encoded(), total)
    first = content.index(b"\xff\xf8")
    made = content[:4] + b"\0" + content[5:42]
    for number, (kind, body) in enumerate(blocks, start=1):
        made += bytes([kind | 0x80 * (number == len(blocks))]) + len(body).to_bytes(3, "big") + body
    return made + content[first:]


@pytest.mark.parametrize("total", [0, FRAMES])
@pytest.mark.parametrize(
    "block",
    [(6, b"\0\0\0\3" + b"\xff\xf8\xc9" * 1_700_000),
     (3, (0).to_bytes(8, "big") + (99_999).to_bytes(8, "big") + b"\x10\0"), (100, b"x" * 77), (1, b"")],
    ids=["a broken picture of 5 MB", "a seek table that lies", "a reserved block", "no padding"],
)  # fmt: skip
def test_other_metadata_do_not_matter(opened, block: tuple[int, bytes], total: int) -> None:
    with opened(metadata(block, total=total)) as audio:
        np.testing.assert_array_equal(audio.read(0, audio.n_samples), WORDS[:, 0] / 2.0**15)
        np.testing.assert_array_equal(audio.read(150_001, 150_009), WORDS[150_001:150_009, 0] / 2.0**15)
        assert [note.code for note in audio.notes] == (["header-length"] if total == 0 else [])


@pytest.mark.parametrize("tag", [b"x" * 100 + b"fLaC" + b"y" * 24, bytes(1 << 21)], ids=["with the mark", "of 2 MiB"])
def test_a_tag_before_the_flac_mark_is_skipped(opened, tag: bytes) -> None:
    length = bytes([len(tag) >> 21 & 127, len(tag) >> 14 & 127, len(tag) >> 7 & 127, len(tag) & 127])
    with opened((b"ID3\x04\0\0" + length + tag) * 2 + with_total(encoded(), 0)) as audio:
        np.testing.assert_array_equal(audio.read(0, audio.n_samples), WORDS[:, 0] / 2.0**15)


@pytest.mark.parametrize(
    ("at", "value", "codes"),
    [(8, b"\0\x64", []), (8, b"\0\0\0\0", []), (10, b"\0\x10", []), (18, b"\0\0\x10", ["header-layout"]),
     (20, b"\x02", ["header-layout"]), (20, b"\xf2", ["header-layout"])],
    ids=["smallest block", "no block size", "largest block", "sample rate", "channels", "bits and channels"],
)  # fmt: skip
@pytest.mark.parametrize("total", [0, FRAMES])
def test_the_first_frame_is_trusted_where_streaminfo_is_damaged(
    opened, at: int, value: bytes, codes: list[str], total: int
) -> None:
    content = bytearray(with_total(encoded(), total))
    content[at : at + len(value)] = value
    with opened(bytes(content)) as audio:
        assert (audio.sample_rate, audio.facts.channels, audio.facts.codec) == (RATE, 1, "PCM_16")
        np.testing.assert_array_equal(audio.read(0, audio.n_samples), WORDS[:, 0] / 2.0**15)
        assert [note.code for note in audio.notes if note.code != "header-length"] == codes


def test_a_long_hole_is_searched_once(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(encoded())
    middle = len(content) // 3
    content = content[:middle] + bytes(20_000_000) + content[-60_000:]
    with opened(content) as audio:
        fetched = 0
        read = audio.source.read

        def counted(offset: int, length: int) -> bytes:
            nonlocal fetched
            fetched += length
            return read(offset, length)

        monkeypatch.setattr(audio.source, "read", counted)
        parts = [audio.read(start, start + 1_000) for start in range(0, FRAMES, 1_000)]
    assert fetched < 12 * len(content)  # libFLAC by itself: 340 times
    whole = np.concatenate(parts)
    missing = whole == 0
    np.testing.assert_array_equal(whole[~missing], (WORDS[:, 0] / 2.0**15)[~missing])
    assert 0.4 * FRAMES < missing.sum() < 0.8 * FRAMES


def damaged(kind: str, channels: int) -> bytes:
    content, random_ = bytes(encoded(channels)), random.Random(1)
    middle = len(content) // 2
    return {
        "a cluster of zeros": content[:middle] + bytes(4_096) + content[middle + 4_096 :],
        "one byte": content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :],
        "bytes lost": content[:middle] + content[middle + 5_000 :],
        "noise": content[:middle] + random_.randbytes(30_000) + content[middle + 30_000 :],
        "bytes added": content[:middle] + random_.randbytes(30_000) + content[middle:],
        "two holes": content[:middle]
        + bytes(4_096)
        + content[middle + 4_096 : -60_000]
        + bytes(50)
        + content[-59_950:],
    }[kind]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["a cluster of zeros", "one byte", "bytes lost", "noise", "bytes added", "two holes"])
def test_damage_becomes_silence_of_its_length_however_it_is_read(opened, kind: str, channels: int) -> None:
    content = damaged(kind, channels)
    right = WORDS[:, :channels].mean(axis=1) / 2.0**15
    with opened(content) as audio:
        assert audio.n_samples == FRAMES
        whole, missing = _read(audio, [0, FRAMES])
    sound = np.ones(FRAMES, bool)
    for start, stop in missing:
        sound[start:stop] = False
    np.testing.assert_array_equal(whole[sound], right[sound])
    assert not whole[~sound].any()
    assert 0 < (~sound).sum() < 60_000
    for seed in range(4):
        cuts = sorted({0, FRAMES, *np.random.default_rng(seed).integers(0, FRAMES, 7).tolist()})
        with opened(content) as audio:
            again, seen = _read(audio, cuts)
        assert again.tobytes() == whole.tobytes()
        assert seen == missing
    with (
        opened(content, damaged="refuse") as audio,
        pytest.raises(errors.TruncatedRecording, match="stopped at sample"),
    ):
        audio.read(0, FRAMES)


def _read(audio: AudioFile, cuts: list[int]) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    meter = SignalMeter(WindowGrid(FRAMES, 4_800, 2_400), WindowRange(0, 124), RATE, RATE, FRAMES, "PCM_16")
    audio.watch(meter)
    parts = [audio.read(start, stop) for start, stop in pairwise(cuts)]
    return np.concatenate(parts), meter.observed().missing
