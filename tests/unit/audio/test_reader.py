"""Reading by sample index: every container, any stretch, and the errors for broken recordings."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from anemonefish import errors
from anemonefish.audio.formats import recognise
from anemonefish.audio.reader import open_audio
from anemonefish.audio.samples import mean_of_channels

MakeRecording = Callable[..., Path]

CONTAINERS = [
    ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"),
    ("WAVEX", "PCM_16"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("RF64", "PCM_24"),
    ("W64", "PCM_16"), ("W64", "PCM_24"),
    ("AIFF", "PCM_16"), ("AIFF", "PCM_24"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"),
]  # fmt: skip


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(("container", "codec"), CONTAINERS)
def test_any_stretch_equals_the_whole(make_recording: MakeRecording, container: str, codec: str, channels: int) -> None:
    path = make_recording("recording.bin", frames=50_001, channels=channels, format=container, subtype=codec)
    whole, rate = soundfile.read(path, dtype="float64", always_2d=True)
    expected = whole[:, 0] if channels == 1 else whole.mean(axis=1)
    with open_audio(str(path), dtype="float64") as audio:
        assert (audio.sample_rate, audio.n_samples, audio.facts.channels) == (rate, 50_001, channels)
        assert audio.facts.container == container
        for start, stop in [(0, 50_001), (49_000, 50_001), (1, 2), (17_001, 33_333), (33_333, 33_333), (0, 7)]:
            np.testing.assert_array_equal(audio.read(start, stop), expected[start:stop])


def test_float32_samples_equal_those_of_libsndfile(make_recording: MakeRecording) -> None:
    path = make_recording(frames=1_000, subtype="PCM_24")
    with open_audio(str(path)) as audio:
        read = audio.read(0, 1_000)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, soundfile.read(path, dtype="float32")[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64", "W64", "AIFF"])
def test_every_16_bit_sample_equals_that_of_libsndfile(tmp_path: Path, container: str, dtype: str) -> None:
    path = tmp_path / "every.bin"
    words = np.arange(-(1 << 15), 1 << 15, dtype=np.int16)
    soundfile.write(path, np.stack((words, words[::-1])).T, 48_000, format=container, subtype="PCM_16")
    expected, _ = soundfile.read(path, dtype=dtype)
    for channel in (1, 2):
        with open_audio(str(path), dtype=dtype, channel=channel) as audio:
            read = audio.read(0, len(words))
        assert read.dtype == dtype
        np.testing.assert_array_equal(read, expected[:, channel - 1])


def test_chunks_after_the_samples_are_not_read_as_samples(make_recording: MakeRecording) -> None:
    path = make_recording(frames=1_000, subtype="PCM_16")
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 400) + b"INFO" + bytes(396))
    with open_audio(str(path)) as audio:
        np.testing.assert_array_equal(audio.read(900, 1_000), soundfile.read(path, dtype="float32")[0][900:])
        with pytest.raises(errors.TruncatedRecording, match="stopped at sample 1000"):
            audio.read(900, 1_100)


@given(data=st.data())
def test_random_stretches_of_flac(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "random.flac"
    if not path.exists():
        soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 300_000), 96_000, subtype="PCM_24")
    whole, _ = soundfile.read(path, dtype="float32")
    with open_audio(str(path)) as audio:
        for _ in range(3):
            start = data.draw(st.integers(0, 300_000))
            stop = data.draw(st.integers(start, 300_000))
            np.testing.assert_array_equal(audio.read(start, stop), whole[start:stop])


def test_a_recording_without_samples_is_read(tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    soundfile.write(path, np.zeros(0), 48_000)
    with open_audio(str(path)) as audio:
        assert audio.n_samples == 0


@pytest.mark.parametrize(("name", "subtype"), [("a.wav", "PCM_16"), ("a.wav", "PCM_24"), ("a.w64", "PCM_16"),
    ("a.aiff", "PCM_16"), ("a.flac", "PCM_16")])  # fmt: skip
def test_only_the_needed_bytes_are_read(
    make_recording: MakeRecording, monkeypatch: pytest.MonkeyPatch, name: str, subtype: str
) -> None:
    path = make_recording(name, frames=48_000 * 600, subtype=subtype)
    with open_audio(str(path)) as audio:
        read: list[int] = []
        original = audio.source.read
        monkeypatch.setattr(
            audio.source, "read", lambda offset, length: read.append(length) or original(offset, length)
        )
        audio.expect(48_000 * 360)
        for second in range(60, 360):
            audio.read(48_000 * second, 48_000 * (second + 1))
    assert 0.5 * path.stat().st_size < sum(read) <= 1.05 * 0.5 * path.stat().st_size + (3 << 20) * (name == "a.flac")
    assert len(read) < 60


# --- bad input: a class of the tree, the file's name, the place and the mend -------------------------------------


def _cut(path: Path, keep: int) -> Path:
    path.write_bytes(path.read_bytes()[:keep])
    return path


def _patch(path: Path, offset: int, data: bytes) -> Path:
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(content)
    return path


def _bad_files(make: MakeRecording, folder: Path) -> dict[str, tuple[Path, type[errors.AnemonefishError], str]]:
    """Return broken files by what is wrong with them, with the class and a word of the message."""
    empty = folder / "empty.wav"
    empty.write_bytes(b"")
    text = folder / "notes.wav"
    text.write_text("12:30 reef, calm sea\n" * 50)
    return {
        "missing": (folder / "nothing.wav", errors.RecordingNotFound, "no such file"),
        "folder": (folder, errors.RecordingNotFound, "folder"),
        "empty": (empty, errors.EmptyRecording, "0 bytes"),
        "not audio": (text, errors.UnreadableRecording, "not a readable recording"),
        "truncated header": (_cut(make("header.wav"), 30), errors.UnreadableRecording, "header"),
        "one byte": (_cut(make("byte.wav"), 1), errors.UnreadableRecording, "header"),
        "no sample of a wav": (_cut(make("cut.wav"), 44), errors.TruncatedRecording, "at byte 44"),
        "no sample of a w64": (_cut(make("cut.w64"), 104), errors.TruncatedRecording, "at byte 104"),
        "no channels": (_patch(make("mute.wav"), 22, b"\0\0"), errors.UnreadableRecording, "mute.wav"),
        "no sample rate": (_patch(make("slow.wav"), 24, bytes(4)), errors.UnreadableRecording, "slow.wav"),
        "block codec": (make("block.wav", subtype="MS_ADPCM"), errors.InexactRecording, "MS_ADPCM in WAV"),
        "lossy container": (make("noise.ogg"), errors.InexactRecording, "convert"),
    }  # fmt: skip


@pytest.mark.parametrize("case", [
    "missing", "folder", "empty", "not audio", "truncated header", "one byte", "no sample of a wav",
    "no sample of a w64", "no channels", "no sample rate", "block codec", "lossy container",
])  # fmt: skip
def test_a_bad_file_is_refused_when_opened(case: str, make_recording: MakeRecording, tmp_path: Path) -> None:
    path, expected, word = _bad_files(make_recording, tmp_path)[case]
    with pytest.raises(expected, match=word) as caught:
        open_audio(str(path))
    assert type(caught.value) is expected
    assert str(path) in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf"), 1e30])
def test_samples_that_are_not_finite_are_refused(tmp_path: Path, poison: float) -> None:
    samples = np.zeros(10_000, np.float32)
    samples[7_777] = poison
    path = tmp_path / "poison.wav"
    soundfile.write(path, samples, 48_000, subtype="FLOAT")
    with open_audio(str(path)) as audio:
        audio.read(0, 7_777)
        with pytest.raises(errors.InvalidSamples, match=r"sample 7777 \(0\.162021 s\)"):
            audio.read(5_000, 10_000)


def test_a_file_that_changed_after_planning_is_refused(make_recording: MakeRecording) -> None:
    path = make_recording()
    with open_audio(str(path)) as audio:
        version = audio.source.version
    path.write_bytes(path.read_bytes() + b"\0\0")
    with pytest.raises(errors.RecordingChanged, match="start a new job"):
        open_audio(str(path), version=version)


@given(st.integers(1, 20), st.sampled_from([np.float32, np.float64]), st.integers(0, 99))
def test_the_mean_of_channels_equals_numpys_bit_for_bit(channels: int, dtype: type, seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = (random.normal(size=(500, channels)) * 10.0 ** random.integers(-9, 2, (500, channels))).astype(dtype)
    assert mean_of_channels(frames).tobytes() == frames.mean(axis=1).tobytes()
    assert mean_of_channels(frames).dtype == dtype


def _beyond_4_gb(path: Path, declared: int, more: int = 0) -> Path:
    """Make a sparse plain WAV with 4 GiB and 2,000 bytes of samples, the last of which are not zero."""
    soundfile.write(path, np.zeros(1_000), 48_000, subtype="PCM_16")
    _patch(path, 40, struct.pack("<I", declared))
    with path.open("r+b") as file:
        file.seek(44 + (1 << 32) + 1_998)
        file.write(struct.pack("<h", 16_384))
        file.write(b"LIST" + struct.pack("<I", more) + bytes(more) if more else b"")
    return path


@pytest.mark.parametrize(("declared", "more"), [(2_000, 0), (2_000, 100), (0xFFFFFFFF, 0), (0, 0), (777, 0)])
def test_a_plain_wav_above_4_gb_is_read_to_its_end(tmp_path: Path, declared: int, more: int) -> None:
    """The header says how many bytes there are modulo 4 GiB, or nothing, or nonsense."""
    with open_audio(str(_beyond_4_gb(tmp_path / "long.wav", declared, more))) as audio:
        assert audio.n_samples == (1 << 31) + 1_000
        assert audio.read((1 << 31) + 998, (1 << 31) + 1_000).tolist() == [0.0, 0.5]


@pytest.mark.parametrize("version", [b"", b"ID3\x04\0\0\0\0\x02\x01" + bytes(257)])
@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"RIFF....WAVE", "WAV"),
        (b"RF64....WAVE", "RF64"),
        (b"BW64....WAVE", "RF64"),
        (b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000"), "W64"),
        (b"FORM....AIFF", "AIFF"),
        (b"FORM....AIFC", "AIFF"),
        (b"fLaC", "FLAC"),
        (b"OggS", "OGG"),
        (b"....ftypM4A ", "MP4"),
        (b"\x1aE\xdf\xa3", "WEBM"),
        (b"\xff\xf1\x50\x80", "AAC"),
        (b"\xff\xfb\x90\x64", "MP3"),
        (b"\xff\xf3\x40\xc4", "MP3"),
        (b"\xff\xff\xff\xff", None),
        (b"RIFF....AVI ", None),
        (b"notes", None),
        (b"", None),
    ],
)
def test_a_container_is_recognised_by_its_first_bytes(head: bytes, name: str | None, version: bytes) -> None:
    found = recognise(io.BytesIO(version + head))
    assert (found and found.name) == name
