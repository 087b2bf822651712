"""training/: which windows are examples of which class, and how the settings of a model are chosen."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

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
    call = training.recipes.LabelledCall
    grid = WindowGrid(16_000, 3_200, 800)
    short = training.recipes.targets_of([call(4_400, 5_200, True, 20.0)], grid)
    assert short[:, 1].tolist()[:8] == [0, 0, -1, 1, 1, 1, -1, 0]
    assert short[:, 0].tolist()[:8] == [1, 1, -1, 0, 0, 0, -1, 1]
    assert not short[:, 2].any()
    long = training.recipes.targets_of([call(2_000, 12_000, True, 20.0)], grid)
    assert (long[:, 1] == 1).sum() >= 12
    faint = training.recipes.targets_of([call(4_000, 4_800, True, 3.0)], grid)
    assert set(faint[:, 1].tolist()) == {0, -1}
    both = training.recipes.targets_of([call(4_000, 4_800, True, 20.0), call(4_000, 4_800, False, 20.0)], grid)
    assert both[3].tolist() == [0, 1, 1], "calls overlap"


def test_scenes_are_kept_for_the_next_training_with_the_same_recipes(training: Any, tmp_path: Path) -> None:
    recipe = training.recipes.Recipe("short", 2, 7, SceneSettings(), 16_000, 2.0)
    cache = tmp_path / "scenes.pickle"
    made = training.recipes.gather([recipe], 1, cache)
    assert [each.seed for each in made] == [7, 8]
    assert {len(each.samples) for each in made} == {16_000}
    cached = training.recipes.gather([recipe], 1, cache)
    assert all(np.array_equal(one.samples, other.samples) for one, other in zip(made, cached, strict=True))
    spectrograms, targets = training.recipes.examples_of(made)
    assert spectrograms.shape[1:] == (37, 45, 1)
    assert spectrograms.shape[0] == len(targets)


def test_settings_find_the_most_calls_among_those_with_few_false_events(training: Any) -> None:
    grid = WindowGrid(3_600 * 8_000, 3_200, 800)
    calls = tuple(
        training.recipes.LabelledCall(start, start + 800, True, 20.0) for start in range(80_000, 8_000_000, 80_000)
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
