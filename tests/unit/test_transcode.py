"""Transcoding: what cannot be entered at any sample becomes pieces that can, whole and at the right place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from anemonefish import errors, pieces
from anemonefish.audio import AudioFacts
from anemonefish.containers import CONTAINERS
from anemonefish.pieces import PieceReader, piece_key, read_index
from anemonefish.simulate import scene
from anemonefish.stores import open_source, open_store
from anemonefish.stores.local import LocalStore
from anemonefish.transcode import transcode

RATE = 48_000
SECONDS = 20

LOSSY = {
    "a.mp3": ("libmp3lame", "mp3", {}),
    "bare.mp3": ("libmp3lame", "mp3", {"write_xing": "0", "id3v2_version": "0"}),
    "a.m4a": ("aac", "mp4", {}),
    "streamed.m4a": ("aac", "mp4", {"movflags": "frag_keyframe+empty_moov"}),
    "a.aac": ("aac", "adts", {}),
    "a.opus": ("libopus", "ogg", {}),
    "a.webm": ("libopus", "webm", {}),
    "a.flac.ogg": ("flac", "ogg", {}),
    "a.wav": ("adpcm_ms", "wav", {}),
}
# What the encoder puts in front is told by most containers; these have no place for it, or were written without.
DELAY = {"bare.mp3": 1_105, "a.aac": 1_024, "streamed.m4a": 1_024}


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    made = scene(SECONDS, seed=3)
    return np.concatenate(list(made.blocks(100_000))).astype(np.float32)


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory, sound: np.ndarray) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("lossy")

    def make(name: str, samples: np.ndarray | None = None, channels: int = 1) -> Path:
        codec, container, options = LOSSY[name]
        path = folder / f"{channels}-{0 if samples is None else len(samples)}-{name}"
        if not path.exists():
            encode(path, sound if samples is None else samples, codec, container, options, channels)
        return path

    return make


def encode(path: Path, samples: np.ndarray, codec: str, container: str, options: dict[str, str], channels: int) -> None:
    layout = "mono" if channels == 1 else "stereo"
    with av.open(str(path), "w", format=container, options=options) as media:
        stream = media.add_stream(codec, rate=RATE, layout=layout)
        stream.bit_rate = 160_000 * channels
        for start in range(0, len(samples), 4_800):
            block = np.stack([samples[start : start + 4_800] * (-1) ** each for each in range(channels)])
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
            frame.sample_rate, frame.pts = RATE, start
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))


def run(path: Path, folder: Path, **more: object) -> tuple[LocalStore, AudioFacts]:
    store = open_store(str(folder))
    source = open_source(str(path))
    source.close()
    return store, transcode(str(path), source.version, path.name, store, "audio/x", **more)


def lag(found: np.ndarray, sound: np.ndarray) -> int:
    """Return by how many samples ``found`` is late."""
    length = 1 << 19
    a, b = np.fft.rfft(sound[RATE : RATE + length // 2], length), np.fft.rfft(found[RATE : RATE + length // 2], length)
    peak = int(np.argmax(np.fft.irfft(b * np.conj(a))))
    return peak if peak < length // 2 else peak - length


@pytest.mark.parametrize("name", LOSSY)
def test_every_format_is_whole_and_in_its_place(
    lossy: Callable[..., Path], sound: np.ndarray, tmp_path: Path, name: str
) -> None:
    store, facts = run(lossy(name), tmp_path)
    found = PieceReader(store, "audio/x", facts, name, None, "float32").read(0, facts.frames)
    assert facts.container in CONTAINERS
    assert (facts.sample_rate, facts.channels) == (RATE, 1)
    assert 0 <= facts.frames - len(sound) <= 2 * 1_152 + DELAY.get(name, 0)
    assert lag(found, sound) == DELAY.get(name, 0)


def test_samples_are_those_of_the_decoder_in_24_bit(
    lossy: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_SAMPLES", 100_000)
    monkeypatch.setattr("anemonefish.transcode.PIECE_SAMPLES", 100_000)
    path = lossy("a.mp3", channels=2)
    with av.open(str(path)) as media:
        decoded = np.concatenate([frame.to_ndarray() for frame in media.decode(audio=0)], axis=1)
    store, facts = run(path, tmp_path)
    assert facts.frames == decoded.shape[1]
    assert len(list(store.keys("audio/x/"))) == -(-facts.frames // 100_000) + 1
    for channel in (1, 2):
        reader = PieceReader(store, "audio/x", facts, "a", channel, "float64")
        whole = reader.read(0, facts.frames)
        assert np.abs(whole - np.clip(decoded[channel - 1], -1, 1)).max() <= 2.0**-24
        for start, stop in [(0, 1), (99_999, 100_001), (150_000, 420_000), (facts.frames - 1, facts.frames), (7, 7)]:
            assert np.array_equal(reader.read(start, stop), whole[start:stop])
    with pytest.raises(errors.UnsupportedRecording, match="there is no channel 3"):
        PieceReader(store, "audio/x", facts, "a", 3, "float64")


def test_an_interrupted_transcoder_goes_on(
    lossy: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_SAMPLES", 100_000)
    monkeypatch.setattr("anemonefish.transcode.PIECE_SAMPLES", 100_000)
    path = lossy("a.m4a")
    whole, _ = run(path, tmp_path / "whole")
    calls = iter([False, False, True])
    with pytest.raises(errors.OutOfTime, match="3 pieces are transcoded"):
        run(path, tmp_path / "cut", out_of_time=lambda: next(calls))
    store = open_store(str(tmp_path / "cut"))
    assert read_index(store, "audio/x") is None
    before = {number: Path(store.uri, piece_key("audio/x", number)).stat().st_mtime_ns for number in range(3)}
    run(path, tmp_path / "cut")
    assert before == {number: Path(store.uri, piece_key("audio/x", number)).stat().st_mtime_ns for number in range(3)}
    assert [(key, store.read(key)) for key in store.keys("")] == [(key, whole.read(key)) for key in whole.keys("")]


def cut(path: Path, keep: float, folder: Path) -> Path:
    short = folder / f"cut-{path.name}"
    short.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    return short


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.webm", r"the header promises 20\.0 s, but decoding ended after (9|10)\.\d s"),
        ("streamed.m4a", r"decoding stopped after (9|10)\.\d s"),
    ],
)
def test_a_cut_file_is_told_with_the_place(lossy: Callable[..., Path], tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(errors.TruncatedRecording, match=rf"cut-.*{name}: {words}"):
        run(cut(lossy(name), 0.5, tmp_path), tmp_path / "store")


@pytest.mark.parametrize("name", ["bare.mp3", "a.opus"])
def test_a_stream_promises_nothing_and_what_is_there_is_taken(
    lossy: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    _, facts = run(cut(lossy(name), 0.5, tmp_path), tmp_path / "store")
    assert 0.4 * SECONDS < facts.frames / RATE < 0.6 * SECONDS


def test_an_index_at_the_end_that_was_cut_off(lossy: Callable[..., Path], tmp_path: Path) -> None:
    short = cut(lossy("a.m4a"), 0.5, tmp_path)
    with pytest.raises(errors.UnreadableRecording, match=r"cut-.*a\.m4a: not a readable recording \(.*copy the file"):
        run(short, tmp_path / "store")


def test_a_film_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as media:
        stream = media.add_stream("mpeg4", rate=24)
        stream.width = stream.height = 64
        for _ in range(3):
            media.mux(stream.encode(av.VideoFrame(64, 64, "rgb24")))
        media.mux(stream.encode(None))
    with pytest.raises(errors.UnreadableRecording, match="there is no sound"):
        run(path, tmp_path / "store")


def test_noise_that_begins_like_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp3"
    path.write_bytes(b"\xff\xfb\x90\x64" + np.random.default_rng(1).bytes(100_000))
    with pytest.raises((errors.UnreadableRecording, errors.TruncatedRecording), match=r"noise\.mp3: "):
        run(path, tmp_path / "store")


def test_a_storage_error_is_not_taken_for_the_end(
    lossy: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anemonefish.stores.local import LocalSource

    real = LocalSource.read

    def read(self: LocalSource, offset: int, length: int) -> bytes:
        if offset > 100_000:
            raise errors.StorageError("a.mp3: S3 did not answer; try again")
        return real(self, offset, length)

    monkeypatch.setattr(LocalSource, "read", read)
    with pytest.raises(errors.StorageError, match="did not answer"):
        run(lossy("a.mp3"), tmp_path)


def test_nothing_is_decoded_twice(lossy: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, facts = run(lossy("a.mp3"), tmp_path)
    monkeypatch.setattr(av, "open", None)
    assert run(lossy("a.mp3"), tmp_path)[1] == facts


def test_pieces_open_in_any_player(lossy: Callable[..., Path], tmp_path: Path) -> None:
    store, facts = run(lossy("a.opus"), tmp_path)
    info = soundfile.info(str(Path(store.uri, piece_key("audio/x", 0))))
    assert (info.format, info.subtype, info.frames, info.samplerate) == ("FLAC", "PCM_24", facts.frames, RATE)
