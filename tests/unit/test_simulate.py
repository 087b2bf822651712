from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from anemonefish.errors import InvalidSettings
from anemonefish.simulation import scene as simulate
from anemonefish.simulation.scene import SceneSettings, dominant_hz, pulse_seconds, scene, write_scene

RATE = 16000
STILL = SceneSettings(
    biological_per_minute=0,
    boat_fraction=0,
    snaps_per_minute=(0, 0),
    rustles_per_minute=(0, 0),
    hum_chance=0,
    snr_db=(25, 25),
)
EMPTY = SceneSettings(calls_per_minute=0, biological_per_minute=0)


def samples(drawn, block=RATE):
    return np.concatenate(list(drawn.blocks(block)))


def without_calls(drawn):
    """The same scene with its noise alone."""
    return scene(
        drawn.n_samples / drawn.sample_rate,
        drawn.seed,
        drawn.sample_rate,
        replace(drawn.settings, calls_per_minute=0, biological_per_minute=0),
    )


def calls_alone(drawn):
    return samples(drawn).astype(np.float64) - samples(without_calls(drawn))


def band_power(signal, rate, low, high):
    """Mean power of the part of a signal between two frequencies."""
    hz = np.fft.rfftfreq(len(signal), 1 / rate)
    spectrum = np.abs(np.fft.rfft(signal)) ** 2
    return 2 * spectrum[(hz >= low) & (hz <= high)].sum() / len(signal) ** 2


# ---------------------------------------------------------------------------------- the same scene again


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


def test_the_seed_is_the_scene() -> None:
    first, again, other = scene(12, 3, RATE), scene(12, 3, RATE), scene(12, 4, RATE)
    assert first == again
    assert first.labels != other.labels
    assert samples(first).tobytes() == samples(again).tobytes()
    assert not np.array_equal(samples(first), samples(other))


def test_a_longer_scene_begins_like_a_shorter_one() -> None:
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


def test_memory_does_not_grow_with_the_scene() -> None:
    def peak(seconds):
        tracemalloc.start()
        for _ in scene(seconds, 1, RATE, EMPTY).blocks(RATE):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(300) < 1.2 * peak(40)


# ---------------------------------------------------------------------------------- files


def test_a_written_scene_is_its_samples_in_16_bits(tmp_path) -> None:
    drawn = scene(11, 2, 48000)
    for name in ("a.wav", "b.wav"):
        write_scene(drawn, tmp_path / name)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    facts = soundfile.info(tmp_path / "a.wav")
    assert (facts.format, facts.subtype, facts.channels) == ("WAV", "PCM_16", 1)
    assert (facts.samplerate, facts.frames) == (48000, drawn.n_samples)
    written, _ = soundfile.read(tmp_path / "a.wav")
    np.testing.assert_allclose(written, samples(drawn), rtol=1e-4, atol=0.51 / 32768)


def test_a_scene_too_long_for_wav_becomes_rf64(tmp_path, monkeypatch) -> None:
    drawn = scene(3, 2, RATE)
    monkeypatch.setattr(simulate, "_RF64_FROM", 2 * drawn.n_samples)
    write_scene(drawn, tmp_path / "long.wav")
    facts = soundfile.info(tmp_path / "long.wav")
    assert (facts.format, facts.frames) == ("RF64", drawn.n_samples)


# ---------------------------------------------------------------------------------- labels and calls


@pytest.mark.parametrize("sample_rate", [8000, 44100, 48000])
def test_labels_are_sorted_and_inside(sample_rate) -> None:
    drawn = scene(600, 1, sample_rate)
    assert {label.label for label in drawn.labels} == {"anemonefish", "biological"}
    assert [label.start for label in drawn.labels] == sorted(label.start for label in drawn.labels)
    for label in drawn.labels:
        assert 0 <= label.start < label.stop <= drawn.n_samples
        assert 0 <= label.low_hz < label.high_hz <= sample_rate / 2


def test_a_call_is_not_cut_where_tiles_meet() -> None:
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
    meant = simulate._render(call, RATE)
    scale = heard @ meant / (meant @ meant)
    assert scale > 0
    np.testing.assert_allclose(heard, scale * meant, atol=1e-5 * np.abs(heard).max() + 1e-7)


def test_snr_is_what_the_scene_says() -> None:
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


def test_a_clear_call_stands_above_its_background() -> None:
    drawn = scene(60, 22, RATE, STILL)
    mixed, noise = samples(drawn), samples(without_calls(drawn))
    for sound in drawn.sounds:
        stretch = slice(sound.start, sound.stop)
        during = band_power(mixed[stretch] * np.hanning(sound.stop - sound.start), RATE, sound.low_hz, sound.high_hz)
        background = band_power(
            noise[stretch] * np.hanning(sound.stop - sound.start), RATE, sound.low_hz, sound.high_hz
        )
        assert 10 * np.log10(during / background) > 10


def test_two_fish_give_the_fit_of_frequency_against_length() -> None:
    assert dominant_hz(55) == pytest.approx(900)
    assert dominant_hz(130) == pytest.approx(370, rel=0.01)
    assert pulse_seconds(80) == pytest.approx(0.026)


@pytest.mark.parametrize("body_mm", [55.0, 80.0, 130.0])
def test_rendered_calls_peak_where_the_fit_says(body_mm) -> None:
    drawn = scene(120, 31, RATE, replace(STILL, body_mm=(body_mm, body_mm)))
    calls = calls_alone(drawn)
    peaks = []
    for sound in drawn.sounds:
        pulse = calls[sound.start : sound.start + sound.pulse]  # one pulse: a train has a comb of peaks
        spectrum = np.abs(np.fft.rfft(pulse, 1 << 16))
        peaks.append(np.fft.rfftfreq(1 << 16, 1 / RATE)[spectrum.argmax()])
    assert len(peaks) >= 10
    assert np.median(peaks) == pytest.approx(dominant_hz(body_mm), rel=0.06)
    assert np.ptp(peaks) > 0


def test_trains_have_the_pulses_of_the_literature() -> None:
    drawn = scene(4 * 3600, 1, 48000, replace(STILL, body_mm=(80.0, 80.0)))
    counts = np.array([sound.n_pulses for sound in drawn.sounds])
    pulses = np.array([sound.pulse for sound in drawn.sounds]) / 48000
    periods = np.array([sound.period for sound in drawn.sounds]) / 48000
    lengths = np.array([sound.stop - sound.start for sound in drawn.sounds]) / 48000
    assert len(counts) / 240 == pytest.approx(STILL.calls_per_minute, rel=0.1)
    assert (counts.min(), counts.max()) == (1, 8)
    assert np.median(pulses) == pytest.approx(0.026, rel=0.1)
    assert (periods > pulses).all()
    assert np.quantile(periods, 0.05) < 0.035 < np.quantile(periods, 0.95)
    assert lengths.mean() == pytest.approx(0.089, rel=0.25)


def test_larger_fish_have_longer_pulses() -> None:
    small, large = (
        np.median([sound.pulse for sound in scene(1800, 1, RATE, replace(STILL, body_mm=(mm, mm))).sounds])
        for mm in (60.0, 120.0)
    )
    assert large == pytest.approx(2 * small, rel=0.15)


def test_every_confuser_calls_within_its_range() -> None:
    drawn = scene(4 * 3600, 1, 48000, replace(EMPTY, biological_per_minute=10))
    assert {sound.label for sound in drawn.sounds} == {"biological"}
    assert {sound.voice for sound in drawn.sounds} == {voice.name for voice in simulate._VOICES}
    for voice in simulate._VOICES:
        own = [sound for sound in drawn.sounds if sound.voice == voice.name]
        assert {sound.n_pulses for sound in own} <= set(range(voice.pulses[0], voice.pulses[1] + 1))
        for sound in own:
            assert voice.pulse_ms[0] - 0.03 <= sound.pulse / 48 <= voice.pulse_ms[1] + 0.03
            assert 0.94 * voice.hz[0] <= sound.frequency_hz <= 1.06 * voice.hz[1]


def test_voices_above_the_rate_stay_out() -> None:
    drawn = scene(3600, 1, 8000)
    assert "Dascyllus aruanus chirp" not in {sound.voice for sound in drawn.sounds}


# ---------------------------------------------------------------------------------- noise


def test_snaps_are_broad_clicks_at_the_rate_asked_for() -> None:
    calm = replace(EMPTY, snaps_per_minute=(0, 0), rustles_per_minute=(0, 0), boat_fraction=0)
    snapping = replace(calm, snaps_per_minute=(600, 600), snap_db=(20, 20))
    clicks = samples(scene(60, 9, 48000, snapping)).astype(np.float64) - samples(scene(60, 9, 48000, calm))
    within = band_power(clicks, 48000, 2000, 15000) / band_power(clicks, 48000, 0, 24000)
    assert 0.6 < within < 0.99
    above = np.flatnonzero(np.abs(clicks) > 0.05 * np.quantile(np.abs(clicks), 0.9999))
    clusters = 1 + np.count_nonzero(np.diff(above) > 48)
    assert 600 * 0.85 < clusters < 2 * 600 * 1.15  # each has an echo, which may stand apart


def test_rustles_come_at_the_rate_asked_for_and_between_them_is_nothing() -> None:
    calm = replace(EMPTY, boat_fraction=0, rustles_per_minute=(0, 0))
    drawn = scene(600, 8, 8000, replace(calm, rustles_per_minute=(12, 12)))
    rustles = samples(drawn).astype(np.float64) - samples(scene(600, 8, 8000, calm))
    heard = np.flatnonzero(np.abs(rustles) > 1e-3 * np.abs(rustles).max())
    bursts = 1 + np.count_nonzero(np.diff(heard) > 8000 // 5)
    assert 12 * 10 * 0.6 < bursts < 12 * 10 * 1.3  # some overlap, some are faint
    assert np.median(np.abs(rustles)) < 0.01 * rustles.std()


def test_boats_take_the_share_of_time_asked_for_and_are_loud() -> None:
    drawn = scene(4000, 4, 8000, replace(EMPTY, snaps_per_minute=(0, 0), rustles_per_minute=(0, 0)))
    levels = [band_power(block, 8000, 100, 1000) for block in drawn.blocks(2 * 8000)]
    loud = np.mean(10 * np.log10(levels / np.median(levels)) > 7)
    assert 0.03 < loud < 0.13


def test_the_noise_is_steady_across_tiles_and_from_the_first_sample_on() -> None:
    calm = replace(
        EMPTY, snaps_per_minute=(0, 0), rustles_per_minute=(0, 0), boat_fraction=0, hum_chance=0, flow_db=(-40, -40)
    )
    noise = samples(scene(30, 6, RATE, calm)).astype(np.float64)
    tenths = noise[: 300 * RATE // 10].reshape(300, -1)
    levels = 10 * np.log10(np.square(tenths).mean(axis=1))
    around_borders = levels[[0, 1, 99, 100, 199, 200, 299]]
    assert np.abs(around_borders - np.median(levels)).max() < 5 * levels.std()
    assert levels.std() < 3


def test_a_scene_without_fish_has_no_labels() -> None:
    assert scene(300, 1, settings=EMPTY).labels == ()


def test_samples_stay_within_full_scale() -> None:
    loud = SceneSettings(ambient_dbfs=(-10, -10), snap_db=(30, 30), boat_fraction=1)
    heard = samples(scene(20, 1, RATE, loud))
    assert heard.max() == np.float32(1 - 1 / 32768)
    assert heard.min() == -1


# ---------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"calls_per_minute": -1}, "calls_per_minute must be at least 0"),
        ({"calls_per_minute": float("nan")}, "calls_per_minute"),
        ({"snr_db": (10, 3)}, "snr_db must be a pair"),
        ({"body_mm": (0, 55)}, "body_mm must begin at 1"),
        ({"calls_per_bout": (0, 4)}, "calls_per_bout must begin at 1"),
        ({"boat_fraction": 1.5}, "boat_fraction must be at most 1"),
        ({"hum_chance": 2}, "hum_chance must be at most 1"),
    ],
)
def test_impossible_settings_are_refused(change, words) -> None:
    with pytest.raises(InvalidSettings, match=words):
        SceneSettings(**change)


@pytest.mark.parametrize(
    ("seconds", "seed", "rate", "words"),
    [(0, 1, RATE, "last more"), (1, -1, RATE, "seed"), (1, 1, 4000, "8000 Hz")],
)
def test_impossible_scenes_are_refused(seconds, seed, rate, words) -> None:
    with pytest.raises(InvalidSettings, match=words):
        scene(seconds, seed, rate)


def test_a_block_has_samples() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        next(scene(1, 1, RATE).blocks(0))
