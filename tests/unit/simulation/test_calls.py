"""Calls have the frequencies, pulses and counts of the literature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anemonefish.simulation.calls import VOICES, dominant_hz, pulse_seconds
from anemonefish.simulation.scene import scene
from tests.unit.simulation.scenes import EMPTY, RATE, STILL, calls_alone


def test_dominant_frequency_and_pulse_follow_the_fit() -> None:
    assert dominant_hz(55) == pytest.approx(900)
    assert dominant_hz(130) == pytest.approx(370, rel=0.01)
    assert pulse_seconds(80) == pytest.approx(0.026)


@pytest.mark.parametrize("body_mm", [55.0, 80.0, 130.0])
def test_rendered_calls_have_the_dominant_frequency(body_mm) -> None:
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


def test_calls_of_other_animals_lie_within_their_ranges() -> None:
    drawn = scene(4 * 3600, 1, 48000, replace(EMPTY, biological_per_minute=10))
    assert {sound.label for sound in drawn.sounds} == {"biological"}
    assert {sound.voice for sound in drawn.sounds} == {voice.name for voice in VOICES}
    for voice in VOICES:
        own = [sound for sound in drawn.sounds if sound.voice == voice.name]
        assert {sound.n_pulses for sound in own} <= set(range(voice.pulses[0], voice.pulses[1] + 1))
        for sound in own:
            assert voice.pulse_ms[0] - 0.03 <= sound.pulse / 48 <= voice.pulse_ms[1] + 0.03
            assert 0.94 * voice.hz[0] <= sound.frequency_hz <= 1.06 * voice.hz[1]


def test_voices_above_the_rate_are_left_out() -> None:
    drawn = scene(3600, 1, 8000)
    assert "Dascyllus aruanus chirp" not in {sound.voice for sound in drawn.sounds}
