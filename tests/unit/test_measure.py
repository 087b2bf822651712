"""training/measure.py, on scores of a network without mistakes and with the reference model on short scenes."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.simulation.calls import ANEMONEFISH
from anemonefish.simulation.scene import scene
from anemonefish.windows import WindowGrid

SCRIPT = Path(__file__).parents[2] / "training" / "measure.py"


@pytest.fixture(scope="module")
def measure() -> Any:
    return runpy.run_path(str(SCRIPT), run_name="measure")


def perfect(measure: Any, seed: int) -> Any:
    """Score a scene with lone calls as a network without mistakes does."""
    drawn = scene(60, seed, 48_000, measure["LONE"])
    grid = WindowGrid(drawn.n_samples, 19_200, 9_600)
    begins = np.arange(grid.n_windows) * grid.hop
    scores = np.zeros(grid.n_windows, np.float32)
    for call in (calls := tuple(sound for sound in drawn.sounds if sound.label == ANEMONEFISH)):
        inside = np.minimum(begins + grid.window, call.stop) - np.maximum(begins, call.start)
        scores[inside >= min(0.5 * (call.stop - call.start), 4_800)] = 1
    return measure["Scored"](scores, grid, calls, 60.0)


def cells(measure: Any, decision: Decision) -> dict[str, tuple[str, ...]]:
    suite, scenes = measure["SUITES"][0], [perfect(measure, seed) for seed in range(5)]
    return {row.name: row.cells() for row in measure["rows_of"](suite, scenes, decision)}


def test_a_network_without_mistakes_loses_lone_calls_to_the_median_only(measure: Callable[..., Any]) -> None:
    lost, kept = cells(measure, LAB_DECISION), cells(measure, Decision(median_windows=3))
    assert int(lost["lone calls"][1]) > 10
    assert lost["  50 to 100 ms"][2].startswith("0.00 ")
    assert kept["  50 to 100 ms"][2].startswith("1.00 ")
    assert kept["lone calls"][3].startswith("1.00 ")
    assert kept["lone calls"][5] == "0.0", "no false event without a false score"


@pytest.mark.slow
def test_the_reference_model_is_measured(measure: Any, capsys: pytest.CaptureFixture[str]) -> None:
    measure["main"](["--model", "reef@1.1.0", "--scenes", "1", "--seconds", "30", "--decide", "median_windows=1"])
    printed = capsys.readouterr().out
    assert printed.count("| scenes | labels | recall |") == 2  # the model's own settings are the lab's
    assert printed.count("| empty | 0 | - |") == 2
