"""Settings of a scene are checked."""

from __future__ import annotations

import pytest

from anemonefish.errors import InvalidSettings
from anemonefish.simulation.scene_settings import SceneSettings


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
def test_invalid_settings_are_refused(change, words) -> None:
    with pytest.raises(InvalidSettings, match=words):
        SceneSettings(**change)
