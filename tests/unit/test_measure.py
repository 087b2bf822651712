"""training/measure.py, on scores of a network without mistakes and with the reference model on short scenes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.windows import WindowGrid

TRAINING = Path(__file__).parents[2] / "training"


@pytest.fixture(scope="module")
def measure() -> Any:
    sys.path.insert(0, str(TRAINING))
    try:
        return importlib.import_module("measure")
    finally:
        sys.path.remove(str(TRAINING))


@pytest.fixture(scope="module")
def suites(measure: Any) -> Any:
    return sys.modules["suites"]


@pytest.fixture(scope="module")
def unseen(measure: Any) -> Any:
    return sys.modules["unseen"]


def perfect(measure: Any, scene: Any) -> Any:
    """Score a scene with lone calls as a network without mistakes does."""
    grid = WindowGrid(len(scene.samples), 19_200, 9_600)
    begins = np.arange(grid.n_windows) * grid.hop
    scores = np.zeros(grid.n_windows, np.float32)
    for call in scene.calls:
        inside = np.minimum(begins + grid.window, call.stop) - np.maximum(begins, call.start)
        scores[inside >= min(0.5 * (call.stop - call.start), 4_800)] = 1
    return measure.Scored(scores, grid, scene.calls, 60.0)


@pytest.fixture(scope="module")
def lone(measure: Any, suites: Any) -> list[Any]:
    return [perfect(measure, suites.SUITES[0].scene(index, 60)) for index in range(3)]


def cells(measure: Any, suites: Any, lone: list[Any], decision: Decision) -> dict[str, tuple[str, ...]]:
    return {row.name: row.cells() for row in measure.rows_of(suites.SUITES[0], lone, decision)}


@pytest.mark.slow
def test_a_network_without_mistakes_loses_lone_calls_to_the_median_only(measure: Any, suites: Any, lone: Any) -> None:
    lost, kept = (cells(measure, suites, lone, each) for each in (LAB_DECISION, Decision(median_windows=3)))
    assert int(lost["lone calls"][1]) > 10
    assert lost["  50 to 100 ms"][2].startswith("0.00 ")
    assert kept["  50 to 100 ms"][2].startswith("1.00 ")
    assert kept["lone calls"][3].startswith("1.00 ")
    assert kept["lone calls"][5] == "0.0", "no false event without a false score"


@pytest.mark.slow
def test_events_of_a_model_at_another_rate_lie_at_the_times_of_the_calls(measure: Any, lone: Any) -> None:
    slow = measure.replace(lone[0], grid=WindowGrid(60 * 8000, 3_200, 1_600), rate=8000)
    assert slow.events(Decision(median_windows=3)) == lone[0].events(Decision(median_windows=3))


def test_unseen_calls_are_as_loud_as_their_labels_say(unseen: Any) -> None:
    made = unseen.unseen_scene("lone calls", 1, 40, 16_000)
    again = unseen.unseen_scene("lone calls", 1, 40, 16_000)
    assert made.samples.tobytes() == again.samples.tobytes()
    assert np.abs(made.samples).max() <= 1
    assert made.calls
    for call in made.calls:
        assert 0 <= call.start < call.stop <= len(made.samples)
        if call.snr_db > 20:
            around = np.concatenate(
                (made.samples[call.start - 1600 : call.start - 160], made.samples[call.stop + 800 :][:1440])
            )
            spectra = [np.abs(np.fft.rfft(part[:1440])) for part in (made.samples[call.start :], around)]
            band = slice(30, 110)  # 330 to 1,200 Hz
            assert spectra[0][band].max() > 2 * spectra[1][band].max()


@pytest.mark.parametrize("kind", ["bouts", "other animals", "boats", "drums", "rain", "empty"])
def test_every_kind_of_unseen_scenes_is_made(unseen: Any, kind: str) -> None:
    made = unseen.unseen_scene(kind, 2, 40, 8000)
    assert len(made.samples) == 320_000
    assert np.isfinite(made.samples).all()
    assert not made.calls or kind == "bouts"


@pytest.mark.slow
def test_the_reference_model_is_measured(measure: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    silence = tmp_path / "quiet.wav"
    soundfile.write(silence, np.random.default_rng(1).normal(0, 0.001, 32_000), 16_000)
    chosen = ["--suite", "empty", "--scenes", "1", "--seconds", "20", "--recording", str(silence)]
    measure.main(["--model", "reef@1.1.0", *chosen, "--decide", "median_windows=1"])
    printed = capsys.readouterr().out
    assert printed.count("| scenes | labels | recall |") == 2  # the model's own settings are the lab's
    assert printed.count("| unseen: empty | 0 | - |") == 2
    assert printed.count("quiet.wav: 0 events in 2.0 s") == 2


@pytest.mark.slow
def test_coverage_of_calls_per_hour_is_measured_on_sound_and_on_scores(
    measure: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every call of a deployment lies in one unit, whatever the rate of the model is."""
    monkeypatch.syspath_prepend(str(TRAINING))
    module = importlib.import_module("density_coverage")
    monkeypatch.setattr(module, "RECORDINGS", 1)
    monkeypatch.setattr(module, "CALLS_PER_MINUTE", (30.0,))
    monkeypatch.setattr(module, "RECORDING_SECONDS", 30.0)
    made: list[int] = []
    scene = measure.Suite.scene

    def counted(suite: Any, index: int, seconds: float) -> Any:
        drawn = scene(suite, index, seconds)
        made[:] = [len(drawn.calls)]
        return drawn

    monkeypatch.setattr(measure.Suite, "scene", counted)
    for name in ("reef@1.1.0", "reef@2.0.0"):
        model = module.ModelInference(name, "models")
        (deployment,) = module.simulated(model, 1, model.spec.decision, first=3)
        assert sum(deployment.calls.values()) == made[0] > 0
        assert deployment.hours == pytest.approx(30 / 3600, rel=0.02)
    module.main(["--deployments", "1", "--scores", "2", "--clips", "40", "--first", "3"])
    printed = capsys.readouterr().out
    assert "simulated sound: " in printed
    assert "scores alone: " in printed
