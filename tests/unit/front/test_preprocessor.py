"""AudioPreprocessor: samples, windows and spectrograms as in training, and as in a job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import anemonefish as af
from tests.reference_models import spec_of

MakeRecording = Callable[..., Path]


def test_audio_is_read_as_training_read_it(make_recording: MakeRecording) -> None:
    path = make_recording("two.wav", channels=2, subtype="PCM_24")
    samples, rate = af.AudioPreprocessor("stft-db").load_audio(path)
    expected, _ = soundfile.read(path)
    assert rate == 48_000
    assert samples.dtype == np.float64
    assert np.array_equal(samples, expected.mean(axis=1))
    assert np.array_equal(af.AudioPreprocessor(channel=2).load_audio(path)[0], expected[:, 1])
    assert af.AudioPreprocessor("image").load_audio(path)[0].dtype == np.float32


def test_compressed_audio_is_transcoded_first(make_recording: MakeRecording) -> None:
    path = make_recording("noise.ogg", frames=96_000, format="OGG")
    samples, rate = af.AudioPreprocessor().load_audio(path)
    assert (len(samples), rate) == (96_000, 48_000)
    assert np.abs(samples).max() > 0.1


def test_recording_that_cannot_be_read_raises_its_error(tmp_path: Path) -> None:
    with pytest.raises(af.errors.RecordingNotFound):
        af.AudioPreprocessor().load_audio(tmp_path / "missing.wav")
    (tmp_path / "broken.mp3").write_bytes(b"ID3 nothing")
    with pytest.raises(af.RecordingError):
        af.AudioPreprocessor().load_audio(tmp_path / "broken.mp3")


@pytest.mark.parametrize("profile", ["stft-db", "image"])
def test_steps_give_the_spectrograms_of_the_profile(profile: str) -> None:
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, 3 * 8_000)
    preprocessor = af.AudioPreprocessor(profile)
    segments = preprocessor.segment_audio(samples, 8_000)
    one_by_one = np.stack([preprocessor.create_spectrogram(window, 8_000) for window in segments.windows])
    assert np.array_equal(one_by_one, af.spectrograms(profile, samples, 8_000))
    assert np.array_equal(one_by_one, preprocessor.create_spectrograms(segments.windows, 8_000))


def test_windows_lie_wholly_inside(make_recording: MakeRecording) -> None:
    preprocessor = af.AudioPreprocessor(window_seconds=0.5, hop_seconds=0.25)
    segments = preprocessor.segment_audio(np.arange(2_000.0), 1_000)
    assert segments.windows.shape == (7, 500)
    assert np.array_equal(segments.windows[:, 0], np.arange(7) * 250)
    assert segments.start_seconds.tolist() == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5]
    assert segments.end_seconds[-1] == 2
    assert preprocessor.segment_audio(np.zeros(499), 1_000).windows.shape == (0, 500)
    with pytest.raises(af.InvalidSettings, match="one-dimensional"):
        preprocessor.segment_audio(np.zeros((2, 500)), 1_000)


def test_model_decides_profile_and_rate(make_recording: MakeRecording) -> None:
    preprocessor, spec = af.AudioPreprocessor(model="reef"), spec_of()
    samples, rate = preprocessor.load_audio(make_recording("slow.wav", rate=32_000, frames=32_000))
    assert (rate, len(samples)) == (spec.sample_rate, spec.sample_rate)
    assert preprocessor.profile == af.load_model("reef").spec.profile == spec.profile
    window, hop = spec.profile.window_seconds, spec.profile.hop_seconds
    assert f"windows of {window:g} s every {hop:g} s, at {spec.sample_rate} Hz" in repr(preprocessor)
