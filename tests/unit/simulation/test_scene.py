"""A scene is reproducible, is written to a file, and its labels are exact."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from anemonefish.errors import InvalidSettings
from anemonefish.simulation import scene as scene_module
from anemonefish.simulation.calls import render
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from tests.unit.simulation.scenes import EMPTY, RATE, STILL, band_power, calls_alone, samples, without_calls


@pytest.mark.parametrize("block", [1, 1000, RATE, 10 * RATE, 77_777, 10**7])
def test_any_block_size_gives_the_same_samples(block) -> None:
    drawn = scene(2 if block == 1 else 25.5, seed=7, sample_rate=RATE)
    blocks = list(drawn.blocks(block))
    assert {len(one) for one in blocks[:-1]} <= {block}
    assert 1 <= len(blocks[-1]) <= block
    assert all(one.dtype == np.float32 for one in blocks)
    joined = np.concatenate(blocks)
    assert len(joined) == drawn.n_samples
    np.testing.assert_array_equal(joined, samples(drawn, 4321))


def test_same_seed_gives_the_same_scene() -> None:
    first, again, other = scene(12, 3, RATE), scene(12, 3, RATE), scene(12, 4, RATE)
    assert first == again
    assert first.labels != other.labels
    assert samples(first).tobytes() == samples(again).tobytes()
    assert not np.array_equal(samples(first), samples(other))


def test_longer_scene_begins_like_a_shorter_one() -> None:
    short, long = scene(14, 5, RATE), scene(33, 5, RATE)
    assert long.labels[: len(short.labels)] == short.labels
    # Only what hangs over the end of the short scene is missing there.
    same = min(short.n_samples, *(label.start for label in long.labels if label.stop > short.n_samples))
    np.testing.assert_array_equal(samples(long)[:same], samples(short)[:same])


def test_calls_do_not_change_the_noise() -> None:
    drawn = scene(30, 11, RATE)
    difference = calls_alone(drawn)
    outside = np.ones(drawn.n_samples, bool)
    for label in drawn.labels:
        outside[label.start : label.stop] = False
        assert np.abs(difference[label.start : label.stop]).max() > 0
    assert np.count_nonzero(difference[outside]) == 0


def test_memory_is_independent_of_the_length() -> None:
    def peak(seconds):
        tracemalloc.start()
        for _ in scene(seconds, 1, RATE, EMPTY).blocks(RATE):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(300) < 1.2 * peak(40)


def test_written_scene_has_its_samples_in_16_bits(tmp_path) -> None:
    drawn = scene(11, 2, 48000)
    for name in ("a.wav", "b.wav"):
        write_scene(drawn, tmp_path / name)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    facts = soundfile.info(tmp_path / "a.wav")
    assert (facts.format, facts.subtype, facts.channels) == ("WAV", "PCM_16", 1)
    assert (facts.samplerate, facts.frames) == (48000, drawn.n_samples)
    written, _ = soundfile.read(tmp_path / "a.wav")
    np.testing.assert_allclose(written, samples(drawn), rtol=1e-4, atol=0.51 / 32768)


def test_scene_too_long_for_wav_is_written_as_rf64(tmp_path, monkeypatch) -> None:
    drawn = scene(3, 2, RATE)
    monkeypatch.setattr(scene_module, "_RF64_FROM", 2 * drawn.n_samples)
    write_scene(drawn, tmp_path / "long.wav")
    facts = soundfile.info(tmp_path / "long.wav")
    assert (facts.format, facts.frames) == ("RF64", drawn.n_samples)


@pytest.mark.parametrize("sample_rate", [8000, 44100, 48000])
def test_labels_are_sorted_and_inside_the_scene(sample_rate) -> None:
    drawn = scene(600, 1, sample_rate)
    assert {label.label for label in drawn.labels} == {"anemonefish", "biological"}
    assert [label.start for label in drawn.labels] == sorted(label.start for label in drawn.labels)
    for label in drawn.labels:
        assert 0 <= label.start < label.stop <= drawn.n_samples
        assert 0 <= label.low_hz < label.high_hz <= sample_rate / 2


def test_call_across_two_tiles_is_complete() -> None:
    border = 10 * RATE
    dense = replace(STILL, calls_per_minute=120)
    drawn, call = next(
        (drawn, sound)
        for drawn in (scene(20, seed, RATE, dense) for seed in range(100))
        for sound in drawn.sounds
        if sound.start < border - sound.pulse // 2
        and sound.stop > border + sound.pulse // 2
        and not any(s is not sound and s.start < sound.stop and s.stop > sound.start for s in drawn.sounds)
    )
    heard = calls_alone(drawn)[call.start : call.stop]
    meant = render(call, RATE)
    scale = heard @ meant / (meant @ meant)
    assert scale > 0
    np.testing.assert_allclose(heard, scale * meant, atol=1e-5 * np.abs(heard).max() + 1e-7)


def test_calls_have_the_snr_of_the_settings() -> None:
    drawn = scene(60, 21, RATE, STILL)
    noise, calls = samples(without_calls(drawn)), calls_alone(drawn)
    found = []
    for sound in drawn.sounds:
        call = calls[sound.start : sound.stop]
        # Mean over the pulses only: a call's silences are not part of its level.
        power = band_power(call, RATE, sound.low_hz, sound.high_hz) * len(call) / (sound.n_pulses * sound.pulse)
        found.append(10 * np.log10(power / band_power(noise, RATE, sound.low_hz, sound.high_hz)))
    assert len(found) >= 5
    # The band holds 90 % or more of a call's power, and the noise differs from its mean by chance.
    np.testing.assert_allclose(found, 25, atol=1.5)


def test_call_with_a_high_snr_is_louder_than_the_noise() -> None:
    drawn = scene(60, 22, RATE, STILL)
    mixed, noise = samples(drawn), samples(without_calls(drawn))
    for sound in drawn.sounds:
        stretch = slice(sound.start, sound.stop)
        during = band_power(mixed[stretch] * np.hanning(sound.stop - sound.start), RATE, sound.low_hz, sound.high_hz)
        background = band_power(
            noise[stretch] * np.hanning(sound.stop - sound.start), RATE, sound.low_hz, sound.high_hz
        )
        assert 10 * np.log10(during / background) > 10


def test_scene_without_calls_has_no_labels() -> None:
    assert scene(300, 1, settings=EMPTY).labels == ()


def test_samples_stay_within_full_scale() -> None:
    loud = SceneSettings(ambient_dbfs=(-10, -10), snap_db=(30, 30), boat_fraction=1)
    heard = samples(scene(20, 1, RATE, loud))
    assert heard.max() == np.float32(1 - 1 / 32768)
    assert heard.min() == -1


@pytest.mark.parametrize(
    ("seconds", "seed", "rate", "words"),
    [(0, 1, RATE, "last more"), (1, -1, RATE, "seed"), (1, 1, 4000, "8000 Hz")],
)
def test_invalid_length_seed_or_rate_is_refused(seconds, seed, rate, words) -> None:
    with pytest.raises(InvalidSettings, match=words):
        scene(seconds, seed, rate)


def test_empty_block_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        next(scene(1, 1, RATE).blocks(0))
