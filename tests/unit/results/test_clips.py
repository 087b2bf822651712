"""Clips have exactly the samples of the recording, names that sort, and the highest scores are chosen first."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.errors import (
    InvalidSamples,
    InvalidSettings,
    RecordingNotFound,
    UnsupportedRecording,
)
from anemonefish.results.clips import ClipSource, choose_clips, clip_name, cut_clips
from anemonefish.results.events import Event


def event(start: int, stop: int, score: float = 0.5, label: str = "anemonefish") -> Event:
    return Event(start=start, stop=stop, label=label, mean_score=score, max_score=score, n_windows=1)


def source(path: Path, *events: Event, rate: int = 48_000) -> ClipSource:
    return ClipSource(name=path.name, uri=str(path), sample_rate=rate, events=events)


@pytest.mark.parametrize(
    ("subtype", "stored"), [("PCM_16", "PCM_16"), ("PCM_24", "PCM_24"), ("PCM_U8", "PCM_S8"), ("ULAW", "PCM_16")]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_clip_has_exactly_the_samples_of_the_recording(
    make_recording: Callable[..., Path], tmp_path: Path, subtype: str, stored: str, channels: int
) -> None:
    path = make_recording(frames=200_000, channels=channels, subtype=subtype)
    made = cut_clips([source(path, event(60_000, 150_000))], tmp_path / "clips", padding_seconds=0.25)
    (clip,) = made.clips
    assert (clip.start, clip.stop, made.left_out) == (48_000, 162_000, 0)
    info = soundfile.info(clip.path)
    assert (info.format, info.subtype, info.samplerate, info.channels) == ("FLAC", stored, 48_000, channels)
    whole, _ = soundfile.read(path, dtype="int32")
    np.testing.assert_array_equal(soundfile.read(clip.path, dtype="int32")[0], whole[48_000:162_000])


def test_float_samples_are_rounded_to_24_bit(make_recording: Callable[..., Path], tmp_path: Path) -> None:
    path = make_recording(subtype="FLOAT")
    (clip,) = cut_clips([source(path, event(0, 48_000))], tmp_path, padding_seconds=0).clips
    written, whole = soundfile.read(clip.path)[0], soundfile.read(path)[0]
    assert np.abs(written - whole).max() <= 2**-23


def test_padding_ends_at_the_end_of_the_recording(make_recording: Callable[..., Path], tmp_path: Path) -> None:
    path = make_recording(frames=48_000)
    made = cut_clips([source(path, event(0, 10), event(47_000, 48_000))], tmp_path).clips
    assert [(clip.start, clip.stop) for clip in made] == [(0, 48_000), (0, 48_000)]


def test_events_at_another_sample_rate_are_cut_at_the_same_time(
    make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    path = make_recording(frames=44_100, rate=44_100)
    (clip,) = cut_clips([source(path, event(16_001, 24_001), rate=48_000)], tmp_path, padding_seconds=0).clips
    assert clip.start == int(Fraction(16_001 * 44_100, 48_000)) == 14_700
    assert clip.stop == 22_051  # 22,050.9 is rounded up, so that the event is complete
    assert soundfile.info(clip.path).samplerate == 44_100


def test_clip_names_sort_by_recording_and_time(make_recording: Callable[..., Path], tmp_path: Path) -> None:
    path = make_recording(frames=20 * 8_000, rate=8_000)
    events = [event(8_000 * second, 8_000 * second + 800, 0.5 + second / 100) for second in (2, 10, 1)]
    made = cut_clips([source(path, *events, rate=8_000)], tmp_path / "clips").clips
    names = [clip.path.name for clip in made]
    assert names == sorted(names) == sorted(path.name for path in (tmp_path / "clips").iterdir())
    assert names[0] == "noise.wav_000001.000s_anemonefish_0.510.flac"


def test_two_events_have_two_files(make_recording: Callable[..., Path], tmp_path: Path) -> None:
    path = make_recording()
    made = cut_clips([source(path, event(0, 10), event(0, 20)), source(path, event(0, 30))], tmp_path / "clips").clips
    assert len({clip.path for clip in made}) == 3
    assert made[1].path.name.endswith("_0.500_2.flac")


@given(st.text(max_size=300), st.text(max_size=300))
def test_clip_name_is_a_plain_file_name(recording: str, label: str) -> None:
    name = clip_name(recording, Fraction(1, 3), label, 0.5)
    assert name == Path(name).name
    assert len(name) < 200
    assert name.isascii()
    assert not set(name) & set('/\\:*?"<>| ')
    assert not name.startswith(".")
    assert "_000000.333s_" in name


def test_events_with_the_highest_scores_are_chosen() -> None:
    one = ClipSource(name="b", uri="b", sample_rate=1, events=(event(5, 6, 0.9), event(1, 2, 0.7)))
    two = ClipSource(name="a", uri="a", sample_rate=1, events=(event(3, 4, 0.7), event(9, 10, 0.1)))
    kept, left_out = choose_clips([one, two], 2)
    assert [(source.name, [event.start for event in source.events]) for source in kept] == [("b", [5]), ("a", [3])]
    assert left_out == 2
    assert choose_clips([one, two], None)[1] == 0
    assert [event.start for event in choose_clips([one, two], None)[0][0].events] == [1, 5]
    assert choose_clips([one, two], 0) == ([], 4)


def test_padding_and_limit_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="padding"):
        cut_clips([], tmp_path, padding_seconds=-1)
    with pytest.raises(InvalidSettings, match="padding"):
        cut_clips([], tmp_path, padding_seconds=float("nan"))
    with pytest.raises(InvalidSettings, match="number of clips"):
        cut_clips([], tmp_path, limit=-1)


def test_too_many_channels_for_flac_is_an_error(make_recording: Callable[..., Path], tmp_path: Path) -> None:
    path = make_recording(frames=100, channels=9)
    with pytest.raises(UnsupportedRecording, match="9 at 48000 Hz"):
        cut_clips([source(path, event(0, 10))], tmp_path / "clips")


def test_clip_of_a_truncated_recording_ends_with_it(make_recording: Callable[..., Path], tmp_path: Path) -> None:
    path = make_recording(frames=48_000)
    path.write_bytes(path.read_bytes()[: 44 + 2 * 30_000])
    (clip,) = cut_clips([source(path, event(20_000, 30_000))], tmp_path / "clips").clips
    assert (clip.start, clip.stop) == (0, 30_000)
    np.testing.assert_array_equal(soundfile.read(clip.path, dtype="int16")[0], soundfile.read(path, dtype="int16")[0])


def test_clip_has_silence_where_the_recording_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "damaged.flac"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 100_000), 48_000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(2_000) + content[len(content) // 2 + 2_000 :])
    (clip,) = cut_clips([source(path, event(40_000, 60_000))], tmp_path / "clips").clips
    samples, _ = soundfile.read(clip.path)
    assert len(samples) == clip.stop - clip.start
    assert 4_096 <= np.count_nonzero(samples == 0) < 13_000


def test_nan_sample_leaves_no_incomplete_clip(tmp_path: Path) -> None:
    samples = np.zeros(100_000)
    samples[90_000] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, 48_000, "FLOAT")
    with pytest.raises(InvalidSamples, match="not a finite number"):
        cut_clips([source(tmp_path / "a.wav", event(0, 100_000))], tmp_path / "clips")
    assert not list(tmp_path.glob("clips/*"))


def test_missing_recording_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordingNotFound):
        cut_clips([source(tmp_path / "absent.wav", event(0, 10))], tmp_path / "clips")
