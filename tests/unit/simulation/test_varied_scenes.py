"""Scenes of more variety: pulses, drums, boats, rain, water and recorders; the default sounds do not move."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anemonefish.errors import InvalidSettings
from anemonefish.simulation.calls import ANEMONEFISH, BIOLOGICAL, DRUM, render
from anemonefish.simulation.scene import scene
from anemonefish.simulation.scene_settings import VARIED, SceneSettings
from anemonefish.simulation.waters import MEASURED_DB
from tests.unit.simulation.scenes import EMPTY, RATE, STILL

BUSY = replace(VARIED, calls_per_minute=40, biological_per_minute=20, drums_per_minute=20)


def samples(seed: int, settings: SceneSettings, seconds: float = 20) -> np.ndarray:
    return np.concatenate(list(scene(seconds, seed, RATE, settings).blocks(RATE)))


def test_half_of_the_bouts_are_lone_calls_and_periods_reach_110_ms() -> None:
    drawn = scene(600, 1, RATE, replace(BUSY, biological_per_minute=0, drums_per_minute=0))
    calls = [sound for sound in drawn.sounds if sound.label == ANEMONEFISH]
    periods = np.array([call.period for call in calls if call.shape.modes]) / RATE
    assert 0.095 < periods.max() <= 0.111
    assert periods.min() > 0.012
    near = [any(other is not call and abs(other.start - call.start) < 2 * RATE for other in calls) for call in calls]
    plain = scene(600, 1, RATE, replace(STILL, calls_per_minute=40))
    assert len(calls) < 0.75 * len(plain.sounds), "a lone call takes the place of a bout"
    assert not all(near)


def test_shapes_vary_between_bouts_and_not_within_one() -> None:
    drawn = scene(300, 2, RATE, replace(BUSY, lone_share=0.0, biological_per_minute=0, drums_per_minute=0))
    assert {len(sound.shape.modes) for sound in drawn.sounds} == {0, 1, 2}
    assert {len(sound.shape.reflections) for sound in drawn.sounds} == {0, 1, 2}
    assert {bool(sound.shape.onset) for sound in drawn.sounds} == {False, True}
    by_shape = {(sound.shape, sound.pulse) for sound in drawn.sounds}
    assert len(by_shape) < len(drawn.sounds) / 2


def test_every_sound_is_rendered_to_its_end_with_its_power() -> None:
    for sound in scene(40, 3, RATE, BUSY).sounds:
        wave = render(sound, RATE)
        assert len(wave) == sound.end(RATE) - sound.start
        if not sound.shape.reflections:
            assert np.square(wave).sum() / (sound.n_pulses * sound.pulse) == pytest.approx(1)
        assert np.isfinite(wave).all()


def test_drums_are_low_trains_that_are_no_anemonefish() -> None:
    drawn = scene(600, 4, RATE, replace(EMPTY, drums_per_minute=20))
    assert {(sound.label, sound.voice) for sound in drawn.sounds} == {(BIOLOGICAL, DRUM.name)}
    assert max(sound.frequency_hz for sound in drawn.sounds) < 320
    assert min(sound.n_pulses for sound in drawn.sounds) >= 5


def test_variety_moves_no_sound_that_the_defaults_have() -> None:
    plain = scene(120, 5, RATE, SceneSettings())
    varied = scene(120, 5, RATE, SceneSettings(drums_per_minute=20, rain_chance=1, boat_detail_share=1))
    assert set(plain.sounds) <= set(varied.sounds)
    begins = {sound.start for sound in plain.sounds}
    reshaped = scene(120, 5, RATE, SceneSettings(varied_share=1)).sounds
    first_of_bouts = begins & {sound.start for sound in reshaped}
    assert len(first_of_bouts) >= len(begins) / 4


def test_recorder_adds_its_offset_and_clips() -> None:
    offset = samples(6, replace(EMPTY, offset=(0.02, 0.02)))
    assert offset.mean() == pytest.approx(0.02, abs=2e-3)
    loud = samples(6, replace(EMPTY, gain_db=(60.0, 60.0)))
    assert (np.abs(loud) > 0.9999).mean() > 0.1
    assert np.abs(loud).max() <= 1


def test_water_has_the_slope_and_the_spectrum_of_a_recording() -> None:
    still = replace(STILL, calls_per_minute=0, colour_db=0.0, flow_db=(-60.0, -60.0), recorder_dbfs=(-140.0, -140.0))

    def levels(settings: SceneSettings) -> np.ndarray:
        spectrum = np.square(np.abs(np.fft.rfft(samples(7, settings, 30))))
        hz = np.fft.rfftfreq(30 * RATE, 1 / RATE)
        bands = [spectrum[(hz > low) & (hz < 1.2 * low)].mean() for low in (500, 1000, 2000)]
        return np.asarray(10 * np.log10(bands))

    tilt = levels(replace(still, slope_db=(-6.0, -6.0))) - levels(still)
    assert np.diff(tilt) == pytest.approx([-6, -6], abs=0.6)
    measured = np.diff(levels(replace(still, measured_share=1.0)))
    steps = [np.diff(template[4:7]) for template in MEASURED_DB]
    assert min(np.abs(measured - step).max() for step in steps) < 1.5


def test_rain_boats_and_hum_are_louder_than_the_water_alone() -> None:
    still = replace(STILL, calls_per_minute=0)
    quiet = samples(8, still).std()
    assert samples(8, replace(still, rain_chance=1, rain_db=(20.0, 20.0))).std() > 2 * quiet
    assert samples(8, replace(still, hum_chance=1, hum_db=(20.0, 20.0), hum_harmonics=16)).std() > 2 * quiet
    boats = replace(still, boat_fraction=1.0)
    assert (samples(8, boats) != samples(8, replace(boats, boat_detail_share=1))).any()


@pytest.mark.parametrize("name", ["lone_share", "varied_share", "rain_chance", "boat_detail_share", "measured_share"])
def test_a_share_above_one_is_refused(name: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{name} must be at most 1"):
        SceneSettings(**{name: 1.5})
