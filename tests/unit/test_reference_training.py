"""training/: which sounds are drawn, which windows are examples of which class, and how settings are chosen."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from anemonefish.simulation.scene import scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.windows import WindowGrid

TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture(scope="module")
def training() -> Any:
    sys.path.insert(0, str(TRAINING))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in ("recipes", "choose")})
    finally:
        sys.path.remove(str(TRAINING))


def test_a_window_is_a_call_if_it_holds_most_of_it_and_ignored_if_it_holds_less(training: Any) -> None:
    def call(start: int, stop: int, is_target: bool, snr_db: float) -> Any:
        sound = "one pulse" if is_target else "gurnard"
        return training.recipes.LabelledCall(start, stop, is_target, snr_db, sound)

    grid = WindowGrid(16_000, 3_200, 800)
    short = training.recipes.targets_of([call(4_400, 5_200, True, 20.0)], grid)
    assert short[:, 1].tolist()[:8] == [0, 0, -1, 1, 1, 1, -1, 0]
    assert short[:, 0].tolist()[:8] == [1, 1, -1, 0, 0, 0, -1, 1]
    assert not short[:, 2].any()
    sounds = dict(zip(training.recipes.SOUNDS, short.T[3:], strict=True))
    assert np.array_equal(sounds.pop("one pulse"), short[:, 1])
    assert not np.any(list(sounds.values()))
    long = training.recipes.targets_of([call(2_000, 12_000, True, 20.0)], grid)
    assert (long[:, 1] == 1).sum() >= 12
    faint = training.recipes.targets_of([call(4_000, 4_800, True, 3.0)], grid)
    assert set(faint[:, 1].tolist()) == {0, -1}
    both = training.recipes.targets_of([call(4_000, 4_800, True, 20.0), call(4_000, 4_800, False, 20.0)], grid)
    assert both[3].tolist()[:3] == [0, 1, 1], "calls overlap"


def test_noise_is_kept_for_the_next_training_with_the_same_recipes(training: Any, tmp_path: Path) -> None:
    recipe = training.recipes.Recipe("short", 2, 7, SceneSettings(), 16_000, 2.0)
    cache = tmp_path / "scenes.pickle"
    made = training.recipes.seas_of([recipe], 1, cache)
    assert [each.seed for each in made] == [7, 8]
    kept = cache.stat().st_mtime_ns
    cached = training.recipes.seas_of([recipe], 1, cache)
    assert cache.stat().st_mtime_ns == kept
    assert all(np.array_equal(one.quiet, other.quiet) for one, other in zip(made, cached, strict=True))
    training.recipes.seas_of([replace(recipe, seconds=3.0)], 1, cache)
    assert cache.stat().st_mtime_ns > kept, "another recipe"


def test_a_draw_is_a_scene_of_the_simulator_and_others_have_other_calls_in_the_same_water(training: Any) -> None:
    settings = SceneSettings(calls_per_minute=40, biological_per_minute=40, gain_db=(3.0, 3.0), offset=(0.01, 0.01))
    sea = training.recipes.Sea.of(training.recipes.Recipe("reef", 1, 5, settings, seconds=20.0), 5)
    first, second = sea.draw(0), sea.draw(1)
    simulated = np.concatenate(list(scene(20.0, 5, 8_000, settings).blocks(8_000)))
    assert np.abs(first.samples / 32_768 - simulated).max() < 0.02 * np.abs(simulated).max()
    assert len(first.calls) == len(scene(20.0, 5, 8_000, settings).sounds)
    assert [call.start for call in first.calls] != [call.start for call in second.calls]
    assert np.array_equal(sea.draw(1).samples, second.samples)


def test_varied_calls_are_widened_where_a_recipe_says_so(training: Any) -> None:
    settings = SceneSettings(calls_per_minute=60, biological_per_minute=40, varied_share=0.5)
    recipe = training.recipes.Recipe("reef", 1, 5, settings, seconds=20.0)
    usual, widened = (training.recipes.Sea.of(replace(recipe, widened=wide), 5).draw(1) for wide in (False, True))
    assert widened.calls == usual.calls
    changed = np.flatnonzero(widened.samples != usual.samples)
    fish = [call for call in usual.calls if call.is_target]
    reflected = 0.06 * 8_000  # of the simulator and of the widening
    reached = [any(call.start <= at < call.stop + reflected for at in changed) for call in fish]
    assert all(any(call.start <= at < call.stop + reflected for call in fish) for at in changed), "of anemonefish only"
    assert 0 < sum(reached) < len(fish), "calls that the simulator varies"


def test_easy_sounds_are_rarer_where_a_recipe_says_so(training: Any) -> None:
    settings = SceneSettings(calls_per_minute=120, biological_per_minute=120, lone_share=1.0)
    recipe = training.recipes.Recipe("reef", 1, 5, settings, seconds=40.0)

    def share(thinned: bool) -> tuple[float, float]:
        sea = training.recipes.Sea.of(replace(recipe, thinned=thinned), 5)
        calls = [call.sound for number in range(4) for call in sea.draw(number).calls]
        fish = [name for name in calls if name in training.recipes.SOUNDS[:2]]
        others = [name for name in calls if name not in training.recipes.SOUNDS[:2]]
        pops = sum(name.startswith("Plectroglyphidodon") for name in others)
        return fish.count("one pulse") / len(fish), pops / len(others)

    assert all(hard > 1.4 * usual for hard, usual in zip(share(True), share(False), strict=True))


def test_a_training_hears_no_window_twice(training: Any) -> None:
    recipe = training.recipes.Recipe("reef", 1, 5, SceneSettings(calls_per_minute=60), seconds=10.0)
    pool = training.recipes.Pool([training.recipes.Sea.of(recipe, 5)], 1)
    spectrograms, targets = pool.draw(150)
    assert spectrograms.shape == (150, *training.recipes.PROFILE.input_shape(8_000))
    assert targets.shape == (150, 3 + len(training.recipes.SOUNDS))
    assert len({window.tobytes() for window in spectrograms}) == 150
    again, _ = training.recipes.Pool([training.recipes.Sea.of(recipe, 5)], 1).draw(150)
    assert np.array_equal(spectrograms, again), "one seed, one training"


def test_settings_find_the_most_calls_among_those_with_few_false_events(training: Any) -> None:
    grid = WindowGrid(3_600 * 8_000, 3_200, 800)
    calls = tuple(
        training.recipes.LabelledCall(start, start + 800, True, 20.0, "one pulse")
        for start in range(80_000, 8_000_000, 80_000)
    )
    begins = np.arange(grid.n_windows) * grid.hop
    scores = np.zeros(grid.n_windows, np.float32)
    for call in calls:
        scores[(begins <= call.start) & (begins + grid.window >= call.stop)] = 0.72
    lone = training.choose.Validated("lone calls", scores, grid, calls, 3600.0)
    confused = np.zeros(grid.n_windows, np.float32)
    confused[::1_000] = 0.9
    others = training.choose.Validated("other animals", confused, grid, (), 3600.0)
    decision = training.choose.choose([lone, others])
    chosen = training.choose.figures([lone, others], decision)
    assert chosen["lone calls"]["recall_loud"] == 1
    assert chosen["other animals"]["false_per_hour"] == 0, "single windows are no event"
