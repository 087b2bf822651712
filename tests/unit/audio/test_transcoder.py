"""Transcoding: every lossy format becomes pieces that are complete and in their place in time, damaged or not."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import weakref
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from anemonefish import errors
from anemonefish.audio import pieces
from anemonefish.audio.blocks import BlockReader
from anemonefish.audio.formats import CONTAINERS
from anemonefish.audio.pieces import PieceReader, Transcoded, check_whole, piece_key, read_index, write_index
from anemonefish.audio.samples import AudioFacts
from anemonefish.audio.transcoding.mpeg_decoder import MpegDecoder
from anemonefish.audio.transcoding.transcoder import transcode
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import TranscodeTask
from anemonefish.notes import Note, is_partial
from anemonefish.results.recording_result import RecordingResult
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.stores import open_source, open_store
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.predict import predict_clip
from anemonefish.workflow.transcode import transcode_task
from tests.reference_models import LAB_MODEL

RATE = 48_000
SECONDS = 20

LOSSY = {
    "a.mp3": ("libmp3lame", "mp3", {}),
    "variable.mp3": ("libmp3lame", "mp3", {}),
    "bare.mp3": ("libmp3lame", "mp3", {"write_xing": "0", "id3v2_version": "0"}),
    "a.m4a": ("aac", "mp4", {}),
    "streamed.m4a": ("aac", "mp4", {"movflags": "frag_keyframe+empty_moov"}),
    "fast.m4a": ("aac", "mp4", {"movflags": "faststart"}),
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
        if path.name.endswith("variable.mp3"):
            stream.options = {"flags": "+qscale", "global_quality": str(118 * 4)}
        for start in range(0, len(samples), 4_800):
            block = np.stack([samples[start : start + 4_800] * (-1) ** each for each in range(channels)])
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=layout)
            frame.sample_rate, frame.pts = RATE, start
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))


def run(path: Path, folder: Path, **more: object) -> tuple[LocalStore, AudioFacts]:
    store = open_store(str(folder))
    return store, transcoded(path, folder, **more).facts


def transcoded(path: Path, folder: Path, **more: object) -> Transcoded:
    source = open_source(str(path))
    source.close()
    return transcode(str(path), source.version, path.name, open_store(str(folder)), "audio/x", **more)


def samples_of(made: Transcoded, folder: Path) -> np.ndarray:
    with PieceReader(open_store(str(folder)), "audio/x", made.facts, "x", None, "float32") as reader:
        return reader.read(0, made.facts.frames)


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    """Say whether two stretches are one sound in one place: a decoder that lost packets dithers otherwise."""
    return float(np.corrcoef(found, expected)[0, 1]) > 0.95


def stretches(made: Transcoded, code: str) -> list[tuple[int, int]]:
    return [
        (int(note.numbers["start_sample"]), int(note.numbers["stop_sample"]))
        for note in made.notes
        if note.code == code
    ]


def lag(found: np.ndarray, sound: np.ndarray) -> int:
    """Return by how many samples ``found`` is late."""
    length = 1 << 19
    a, b = np.fft.rfft(sound[RATE : RATE + length // 2], length), np.fft.rfft(found[RATE : RATE + length // 2], length)
    peak = int(np.argmax(np.fft.irfft(b * np.conj(a))))
    return peak if peak < length // 2 else peak - length


@pytest.mark.parametrize("name", LOSSY)
def test_every_format_keeps_its_length_and_its_place(
    lossy: Callable[..., Path], sound: np.ndarray, tmp_path: Path, name: str
) -> None:
    store, facts = run(lossy(name), tmp_path)
    found = PieceReader(store, "audio/x", facts, name, None, "float32").read(0, facts.frames)
    assert facts.container in CONTAINERS
    assert (facts.sample_rate, facts.channels) == (RATE, 1)
    assert 0 <= facts.frames - len(sound) <= 2 * 1_152 + DELAY.get(name, 0)
    assert lag(found, sound) == DELAY.get(name, 0)


def test_pieces_hold_the_decoders_samples_in_24_bits(
    lossy: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_SAMPLES", 100_000)
    monkeypatch.setattr("anemonefish.audio.transcoding.transcoder.PIECE_SAMPLES", 100_000)
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


def test_an_interrupted_transcoder_resumes(
    lossy: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE_SAMPLES", 100_000)
    monkeypatch.setattr("anemonefish.audio.transcoding.transcoder.PIECE_SAMPLES", 100_000)
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


@pytest.mark.parametrize(("name", "promised"), [("a.webm", 20.0), ("a.mp3", 20.0), ("fast.m4a", 20.0)])
def test_a_cut_file_is_read_to_its_end_and_the_missing_stretch_is_noted(
    lossy: Callable[..., Path], tmp_path: Path, name: str, promised: float
) -> None:
    made = transcoded(cut(lossy(name), 0.5, tmp_path), tmp_path / "store")
    (note,) = made.notes
    assert note.code == "ends-early"
    assert is_partial(made.notes)
    assert 0.4 * SECONDS < made.facts.frames / RATE < 0.6 * SECONDS
    assert note.numbers["start_sample"] == made.facts.frames
    assert note.numbers["stop_sample"] == pytest.approx(promised * RATE, abs=0.05 * RATE)
    with pytest.raises(
        errors.TruncatedRecording, match=rf"cut-.*{name}: the header promises 20\.0.*set damaged to keep"
    ):
        check_whole(f"cut-{name}", made.notes)


@pytest.mark.parametrize("name", ["bare.mp3", "a.aac", "a.opus", "a.flac.ogg", "streamed.m4a", "a.wav"])
def test_a_cut_file_without_a_length_ends_inside_a_packet(
    lossy: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    made = transcoded(cut(lossy(name), 0.5, tmp_path), tmp_path / "store")
    assert 0.4 * SECONDS < made.facts.frames / RATE < 0.6 * SECONDS
    assert [note.code for note in made.notes] == ["ends-early"]
    assert int(made.notes[0].numbers["stop_sample"]) > made.facts.frames


def test_an_mp4_without_its_index_is_refused(lossy: Callable[..., Path], tmp_path: Path) -> None:
    short = cut(lossy("a.m4a"), 0.5, tmp_path)
    with pytest.raises(errors.UnreadableRecording, match=r"cut-.*a\.m4a: not a readable recording \(.*copy the file"):
        run(short, tmp_path / "store")


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as media:
        stream = media.add_stream("mpeg4", rate=24)
        stream.width = stream.height = 64
        for _ in range(3):
            media.mux(stream.encode(av.VideoFrame(64, 64, "rgb24")))
        media.mux(stream.encode(None))
    with pytest.raises(errors.UnreadableRecording, match="there is no sound"):
        run(path, tmp_path / "store")


def test_noise_with_the_first_bytes_of_a_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp3"
    path.write_bytes(b"\xff\xfb\x90\x64" + np.random.default_rng(1).bytes(100_000))
    with pytest.raises((errors.UnreadableRecording, errors.TruncatedRecording), match=r"noise\.mp3: "):
        run(path, tmp_path / "store")


def test_a_storage_error_is_raised_and_not_read_as_the_end(
    lossy: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anemonefish.stores.folder import LocalSource

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


class Pipe(io.RawIOBase):
    """A file without a way back, as a live stream is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += bytes(data)
        return len(data)


def with_stamps(
    path: Path,
    samples: np.ndarray,
    codec: str,
    container: str,
    stamp: Callable[[float], float | None],
    options: dict[str, str] | None = None,
    rate: int = RATE,
    *,
    live: bool = False,
) -> Path:
    """Encode, and let ``stamp`` say by the seconds of each packet which it has in the file; None leaves it out."""
    target = Pipe() if live else str(path)
    with av.open(target, "w", format=container, options=options or {}) as media:
        stream = media.add_stream(codec, rate=rate, layout="mono")
        packets = []
        for start in range(0, len(samples), 4_800):
            block = (samples[start : start + 4_800] * 32_767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            packets += stream.encode(frame)
        for packet in [*packets, *stream.encode(None)]:
            seconds = float(packet.pts * packet.time_base)
            wanted = stamp(seconds)
            if wanted is not None:
                packet.pts = packet.dts = packet.pts + round((wanted - seconds) / packet.time_base)
                media.mux(packet)
    if live:
        path.write_bytes(bytes(target.data))
    return path


CLOCKED = {
    "live.webm": ("libopus", "webm", {"live": "1"}, True),
    "a.webm": ("libopus", "webm", {}, False),
    "a.mka": ("aac", "matroska", {}, False),
    "pcm.mka": ("pcm_s16le", "matroska", {}, False),
    "a.m4a": ("aac", "mp4", {}, False),
    "streamed.m4a": ("aac", "mp4", {"movflags": "frag_keyframe+empty_moov", "frag_duration": "500000"}, False),
    "alac.mov": ("alac", "mov", {}, False),
    "a.opus": ("libopus", "ogg", {}, False),
}


@pytest.mark.parametrize("name", CLOCKED)
def test_a_hole_in_the_time_stamps_is_silence_of_its_length(sound: np.ndarray, tmp_path: Path, name: str) -> None:
    codec, container, options, live = CLOCKED[name]

    def make(kind: str, stamp: Callable[[float], float | None]) -> tuple[Transcoded, np.ndarray]:
        path = with_stamps(tmp_path / f"{kind}-{name}", sound, codec, container, stamp, options, live=live)
        made = transcoded(path, tmp_path / kind)
        return made, samples_of(made, tmp_path / kind)

    whole, expected = make("whole", lambda seconds: seconds)
    made, found = make("hole", lambda seconds: None if 2 <= seconds < 4 else seconds)
    assert not whole.notes
    assert [note.code for note in made.notes] == ["time-gap"]
    ((start, stop),) = stretches(made, "time-gap")
    assert stop - start == pytest.approx(2 * RATE, abs=4_096)
    assert made.facts.frames == whole.facts.frames
    assert not found[start:stop].any()
    assert np.abs(found - expected)[: start - 1].max() < 1e-6
    assert same(found[stop + RATE :], expected[stop + RATE :])


@pytest.mark.parametrize("name", ["live.webm", "a.webm", "a.mka", "streamed.m4a", "a.opus"])
def test_the_first_time_stamp_does_not_move_a_stream(sound: np.ndarray, tmp_path: Path, name: str) -> None:
    codec, container, options, live = CLOCKED[name]
    path = with_stamps(tmp_path / name, sound, codec, container, lambda seconds: seconds + 5_000, options, live=live)
    made = transcoded(path, tmp_path / "store")
    assert made.facts.frames == pytest.approx(len(sound), abs=2_048)
    assert {note.code for note in made.notes} <= {"start"}
    assert abs(lag(samples_of(made, tmp_path / "store"), sound)) <= 1_100


def test_a_cluster_with_a_wrong_time_makes_no_silence(sound: np.ndarray, tmp_path: Path) -> None:
    path = with_stamps(tmp_path / "a.webm", sound, "libopus", "webm", lambda seconds: seconds)
    data = bytearray(path.read_bytes())
    at = data.find(b"\x1fC\xb6u", data.find(b"\x1fC\xb6u") + 4)  # the second cluster
    at = data.find(b"\xe7\x82", at) + 2
    data[at : at + 2] = (60_000).to_bytes(2, "big")
    path.write_bytes(bytes(data))
    made = transcoded(path, tmp_path / "store")
    assert made.facts.frames == pytest.approx(len(sound), abs=1_000)
    assert abs(lag(samples_of(made, tmp_path / "store"), sound)) <= 400
    assert not made.notes


def test_a_hole_of_hours_is_written_piece_by_piece(sound: np.ndarray, tmp_path: Path) -> None:
    hours = 3 * 3_600.0
    path = with_stamps(
        tmp_path / "a.mka", sound[: 8_000 * 10], "pcm_s16le", "matroska",
        lambda seconds: seconds + (hours if seconds >= 4.8 else 0), rate=8_000,
    )  # fmt: skip
    tracemalloc.start()
    made = transcoded(path, tmp_path / "store")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert stretches(made, "time-gap") == [(38_400, 38_400 + 3 * 3_600 * 8_000)]
    assert made.facts.frames == 8_000 * (10 + 3 * 3_600)
    assert peak < 120e6


def test_an_interrupted_transcoder_leaves_the_same_bytes_around_a_hole(
    sound: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anemonefish.audio.transcoding.transcoder.PIECE_SAMPLES", 100_000)
    path = with_stamps(
        tmp_path / "a.webm", sound, "libopus", "webm", lambda seconds: None if 3 <= seconds < 9 else seconds
    )
    transcoded(path, tmp_path / "whole")
    calls = iter([False, False, False, True])
    with pytest.raises(errors.OutOfTime):
        transcoded(path, tmp_path / "cut", out_of_time=lambda: next(calls))
    (tmp_path / "cut" / piece_key("audio/x", 1)).unlink()
    transcoded(path, tmp_path / "cut")
    whole, again = open_store(str(tmp_path / "whole")), open_store(str(tmp_path / "cut"))
    assert [(key, whole.read(key)) for key in whole.keys("")] == [(key, again.read(key)) for key in again.keys("")]


def damaged(path: Path, folder: Path, length: int = 2_000, at: float = 0.5, fill: str = "zeros") -> Path:
    data = path.read_bytes()
    begin = int(len(data) * at)
    junk = bytes(length) if fill == "zeros" else np.random.default_rng(5).bytes(length)
    made = folder / f"{fill}-{length}-{path.name}"
    made.write_bytes(data[:begin] + (b"" if fill == "absent" else junk) + data[begin + length :])
    return made


@pytest.mark.parametrize("fill", ["zeros", "noise"])
@pytest.mark.parametrize(
    "name", ["a.mp3", "bare.mp3", "variable.mp3", "a.aac", "a.m4a", "a.webm", "a.opus", "a.flac.ogg"]
)
def test_a_damaged_stretch_is_silence_and_what_follows_is_in_its_place(
    lossy: Callable[..., Path], sound: np.ndarray, tmp_path: Path, name: str, fill: str
) -> None:
    path = lossy(name)
    whole = transcoded(path, tmp_path / "whole")
    made = transcoded(damaged(path, tmp_path, fill=fill), tmp_path / "store")
    assert [note.code for note in made.notes] == ["damaged"]
    assert is_partial(made.notes)
    # the length of an AAC frame is known only on average
    assert abs(made.facts.frames - whole.facts.frames) <= (3 * 1_024 if name == "a.aac" else 1_152)
    ((start, stop),) = stretches(made, "damaged")
    found, expected = samples_of(made, tmp_path / "store"), samples_of(whole, tmp_path / "whole")
    assert 0 < stop - start < 5.1 * RATE
    assert not found[start:stop].any()
    assert np.abs(found[:start] - expected[:start]).max() < 1e-6
    assert np.abs(found).max() <= 1.2 * np.abs(expected).max()
    if name != "a.aac":
        tail = slice(stop + RATE, min(len(found), len(expected)))
        assert same(found[tail], expected[tail])


@pytest.mark.parametrize("name", ["a.mp3", "variable.mp3"])
def test_bytes_that_are_absent_from_the_middle_are_counted_by_the_info_header(
    lossy: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    whole = transcoded(lossy(name), tmp_path / "whole")
    made = transcoded(damaged(lossy(name), tmp_path, 20_000, fill="absent"), tmp_path / "store")
    assert made.facts.frames == whole.facts.frames
    assert [note.code for note in made.notes] == ["damaged"]


def test_two_damaged_stretches_share_what_the_info_header_misses(lossy: Callable[..., Path], tmp_path: Path) -> None:
    whole = transcoded(lossy("variable.mp3"), tmp_path / "whole")
    twice = damaged(damaged(lossy("variable.mp3"), tmp_path, 3_000, 0.3), tmp_path, 6_000, 0.7)
    made = transcoded(twice, tmp_path / "store")
    assert made.facts.frames == whole.facts.frames
    first, second = (stop - start for start, stop in stretches(made, "damaged"))
    assert 1.5 * first < second < 2.5 * first


def test_lost_frames_are_estimated_without_an_info_header_and_the_note_says_so(
    lossy: Callable[..., Path], tmp_path: Path
) -> None:
    made = transcoded(damaged(lossy("a.aac"), tmp_path), tmp_path / "store")
    assert "estimated" in made.notes[0].message


@pytest.mark.parametrize(("factor", "code"), [(0.5, "header-length"), (3.0, "header-length"), (0.0, None)])
def test_a_wrong_info_header_is_noted_and_every_frame_is_read(
    lossy: Callable[..., Path], sound: np.ndarray, tmp_path: Path, factor: float, code: str | None
) -> None:
    data = bytearray(lossy("a.mp3").read_bytes())
    at = max(data.find(b"Xing"), data.find(b"Info")) + 8
    frames = int.from_bytes(data[at : at + 4], "big")
    data[at : at + 4] = round(frames * factor).to_bytes(4, "big")
    path = tmp_path / "lies.mp3"
    path.write_bytes(bytes(data))
    made = transcoded(path, tmp_path / "store")
    assert [note.code for note in made.notes] == ([] if code is None else [code])
    assert not is_partial(made.notes)
    assert made.facts.frames == frames * 1_152 - 1_105
    assert lag(samples_of(made, tmp_path / "store"), sound) == 0


def id3(length: int) -> bytes:
    return b"ID3\4\0\0" + bytes(length >> shift & 127 for shift in (21, 14, 7, 0))


def ape(length: int) -> bytes:
    return b"APETAGEX" + struct.pack("<4I", 2_000, length + 32, 1, 0xA0000000) + bytes(8 + length + 32)


JUNK = {
    "zeros": bytes(512),
    "text": b"recorded by nobody " * 300,
    "noise": np.random.default_rng(1).bytes(60_000),
    "an ID3 tag that is too long": id3(200_000_000) + bytes(300),
    "an ID3 tag that is too short": id3(10) + bytes(90_000),
    "an ID3 tag whose length is none": b"ID3\4\0\0\xff\xff\xff\xff" + bytes(100),
}


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("name", ["bare.mp3", "a.aac"])
def test_bytes_before_the_first_frame_are_skipped(
    lossy: Callable[..., Path], tmp_path: Path, junk: str, name: str
) -> None:
    whole = transcoded(lossy(name), tmp_path / "whole")
    path = tmp_path / name
    path.write_bytes(JUNK[junk] + lossy(name).read_bytes())
    made = transcoded(path, tmp_path / "store")
    assert made.facts == whole.facts
    assert [note.code for note in made.notes] == ["start"]
    assert np.array_equal(samples_of(made, tmp_path / "store"), samples_of(whole, tmp_path / "whole"))


@pytest.mark.parametrize("tag", [id3(90_000) + bytes(90_000), ape(200_000), id3(50) + bytes(50) + ape(100)])
def test_tags_before_the_first_frame_make_no_note(lossy: Callable[..., Path], tmp_path: Path, tag: bytes) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(tag + lossy("a.mp3").read_bytes() + ape(500) + b"TAG" + bytes(125))
    assert transcoded(path, tmp_path / "store") == transcoded(lossy("a.mp3"), tmp_path / "whole")


NO_SOUND = {
    "random": np.random.default_rng(2).bytes(300_000),
    "zeros": bytes(100_000),
    "ones": b"\xff" * 300_000,
    "text": b"not a recording\n" * 9_000,
    "utf-16": "\ufeffnot a recording\n".encode("utf-16le") * 9_000,
    "a JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + np.random.default_rng(3).bytes(200_000).replace(b"\xff", b"\xff\0"),
    "two frames in noise": np.random.default_rng(4).bytes(9_000) + 2 * (b"\xff\xfb\x94\x64" + bytes(380)),
    **{
        f"noise behind {head!r}": head + np.random.default_rng(6).bytes(100_000)
        for head in (b"OggS", b"\x1aE\xdf\xa3", b"\0\0\0\x18ftypM4A ", b"\0\0\0\x08free", b"caff", b"wvpk")
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_SOUND)
def test_bytes_of_no_recording_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(NO_SOUND[kind])
    with pytest.raises(errors.UnreadableRecording, match=r"a\.mp3: "):
        transcoded(path, tmp_path / "store")


def test_a_damaged_flac_frame_becomes_silence(sound: np.ndarray, tmp_path: Path) -> None:
    whole = tmp_path / "a.flac"
    soundfile.write(whole, sound, RATE, subtype="PCM_24")
    made = transcoded(damaged(whole, tmp_path, 100, fill="noise"), tmp_path / "store")
    ((start, stop),) = stretches(made, "damaged")
    found = samples_of(made, tmp_path / "store")
    assert made.facts.frames == len(sound)
    assert not found[start:stop].any()
    keep = np.r_[0:start, stop : len(sound)]
    assert np.abs(found[keep] - sound[keep]).max() <= 2.0**-22


def test_notes_are_kept_in_the_index_and_an_index_without_them_is_read(
    lossy: Callable[..., Path], tmp_path: Path
) -> None:
    made = transcoded(damaged(lossy("a.mp3"), tmp_path), tmp_path / "store")
    store = open_store(str(tmp_path / "store"))
    assert read_index(store, "audio/x") == made
    document = json.loads(store.read("audio/x/index.json"))
    assert document.pop("notes")
    store.write("audio/old/index.json", json.dumps(document).encode())
    assert read_index(store, "audio/old") == Transcoded(made.facts, ())


def test_a_refused_recording_can_be_analysed_later(lossy: Callable[..., Path], tmp_path: Path) -> None:
    path = damaged(lossy("a.mp3"), tmp_path)
    source = open_source(str(path))
    source.close()
    job = Job(open_store(str(tmp_path / "store")), "", "", shared="kept")
    prefix = job.pieces_prefix(str(path), source.version)
    assert (
        transcode_task(job, TranscodeTask(uri=str(path), version=source.version, path="a.mp3", prefix=prefix)) is None
    )
    made = read_index(job.store, prefix)
    assert made is not None
    with pytest.raises(errors.TruncatedRecording, match=r"a\.mp3: .* cannot be decoded"):
        check_whole("a.mp3", made.notes)
    assert job.read_transcode_failure(prefix) is None
    check_whole("a.mp3", [Note("time-gap", "a hole", {})])
    write_index(job.store, prefix, made)


@pytest.mark.parametrize(("codec", "container"), [("pcm_s16le", "caf"), ("pcm_s16be", "au"), ("aac", "mov")])
def test_other_containers_are_transcoded(sound: np.ndarray, tmp_path: Path, codec: str, container: str) -> None:
    path = with_stamps(tmp_path / "a", sound, codec, container, lambda seconds: seconds)
    made = transcoded(path, tmp_path / "store")
    assert not made.notes
    assert abs(lag(samples_of(made, tmp_path / "store"), sound)) == 0


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_vorbis_between_long_and_short_blocks_has_no_holes(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.ogg"
    busy = scene(15, seed=1, settings=SceneSettings(calls_per_minute=60, calls_per_bout=(1, 1)))
    sound = np.concatenate(list(busy.blocks(RATE)))
    with soundfile.SoundFile(path, "w", rate, 2, "VORBIS", format="OGG") as file:
        for start in range(0, len(sound), RATE):  # libsndfile overflows its stack on longer blocks
            block = sound[start : start + RATE]
            file.write(np.stack([block, -0.5 * block], axis=1))
    made = transcoded(path, tmp_path / "store")
    expected, _ = soundfile.read(path, always_2d=True, dtype="float32")
    assert not made.notes
    assert made.facts.frames == len(expected)
    assert np.abs(samples_of(made, tmp_path / "store") - expected.mean(axis=1)).max() < 1e-4


@pytest.mark.parametrize("at", [0.1, 0.3, 0.5, 0.502, 0.7, 0.9])
def test_a_damaged_webm_is_recovered_within_a_cluster(lossy: Callable[..., Path], tmp_path: Path, at: float) -> None:
    path = lossy("a.webm")
    whole = transcoded(path, tmp_path / "whole")
    made = transcoded(damaged(path, tmp_path, 2_000, at, fill="noise"), tmp_path / "store")
    ((start, stop),) = stretches(made, "damaged")
    assert stop - start < 0.5 * RATE  # FFmpeg alone loses up to five seconds
    assert made.facts.frames == whole.facts.frames
    found, expected = samples_of(made, tmp_path / "store"), samples_of(whole, tmp_path / "whole")
    assert not found[start:stop].any()
    assert np.array_equal(found[:start], expected[:start])
    assert same(found[stop + RATE // 2 :], expected[stop + RATE // 2 :])


def test_predict_keeps_times_behind_a_hole_and_notes_it(tmp_path: Path) -> None:
    reef = np.concatenate(list(scene(10, seed=9).blocks(RATE))).astype(np.float32)
    models = str(Path(__file__).parents[3] / "models")

    def found(name: str, stamp: Callable[[float], float | None], damaged: str = "keep") -> RecordingResult:
        path = with_stamps(tmp_path / name, reef, "libopus", "webm", stamp, {"live": "1"}, live=True)
        return predict_clip(path, name, LAB_MODEL, Settings.load({"damaged": damaged}), models, path.stat().st_size)

    whole = found("a.webm", lambda seconds: seconds)
    hole = found("hole.webm", lambda seconds: None if 0.5 <= seconds < 1.5 else seconds)
    assert [note.code for note in hole.recording.notes if note.code == "time-gap"] == ["time-gap"]
    assert not [note for note in whole.recording.notes if note.code == "time-gap"]
    late = [event for event in whole.events if event.start > 3 * RATE]
    assert [(event.start, event.stop) for event in hole.events if event.start > 3 * RATE] == [
        (event.start, event.stop) for event in late
    ]
    assert late


def test_predict_refuses_a_damaged_clip_with_damaged_refuse(lossy: Callable[..., Path], tmp_path: Path) -> None:
    path = damaged(lossy("a.mp3"), tmp_path)
    models = str(Path(__file__).parents[3] / "models")
    kept = predict_clip(path, "a.mp3", "reef", Settings.load({}), models, path.stat().st_size)
    assert "damaged" in {note.code for note in kept.recording.notes}
    with pytest.raises(errors.TruncatedRecording, match=r"a\.mp3: .* cannot be decoded"):
        predict_clip(path, "a.mp3", "reef", Settings.load({"damaged": "refuse"}), models, path.stat().st_size)


@pytest.mark.parametrize(("codec", "container"), [("aac", "mp4"), ("libopus", "webm")])
def test_eight_channels_are_transcoded(tmp_path: Path, codec: str, container: str) -> None:
    path = tmp_path / "a"
    noise = np.random.default_rng(0).normal(0, 0.1, (8, 960 * 20)).astype(np.float32)
    with av.open(str(path), "w", format=container) as media:
        stream = media.add_stream(codec, rate=RATE, layout="7.1")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(noise.T.reshape(1, -1)), format="flt", layout="7.1")
        frame.sample_rate, frame.pts = RATE, 0
        context = stream.codec_context
        resampler = av.AudioResampler(context.format, "7.1", RATE, frame_size=context.frame_size or 960)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            media.mux(stream.encode(part))
        media.mux(stream.encode(None))
    made = transcoded(path, tmp_path / "store")
    assert made.facts.channels == 8
    assert made.facts.frames >= noise.shape[1]


def test_decoded_mp3_blocks_are_released(lossy: Callable[..., Path]) -> None:
    with BlockReader(open_source(str(lossy("bare.mp3")))) as reader:
        blocks = MpegDecoder("a.mp3", reader).blocks()
        some = (next(blocks) for _ in range(50))
        memories = [weakref.ref(block if block.base is None else block.base) for block in some]
        assert sum(memory() is not None for memory in memories) < 10
