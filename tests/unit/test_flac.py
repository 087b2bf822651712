"""FLAC whose header or frames are wrong: the number of samples, and the way around damage."""

from __future__ import annotations

import io
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from anemonefish import errors
from anemonefish.audio import AudioFile, open_audio
from anemonefish.health import SignalMeter
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
def test_what_lies_behind_the_last_frame_changes_nothing(opened, behind: bytes) -> None:
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
def test_damage_is_silence_of_its_length_however_it_is_read(opened, kind: str, channels: int) -> None:
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
