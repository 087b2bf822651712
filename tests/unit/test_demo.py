"""What ``make demo`` prints after the analysis: calls found of calls made, and commands that work."""

from __future__ import annotations

import csv
import shlex

import pytest
from click.testing import CliRunner

import anemonefish as af
from anemonefish.cli.main import main
from anemonefish.front.simulated_recordings import SimulatedRecording
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store
from localstack.demo import REPOSITORY, comparison, next_steps
from tests.reference_models import LAB_MODEL

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimulatedRecording:
    folder = tmp_path_factory.mktemp("demo")
    return af.simulate(folder / "my reef.wav", seconds=30, seed=3, snr_db=(12, 30), calls_per_bout=(1, 3))


def spec(reference: str) -> ModelSpec:
    models = ModelRepository(open_store(str(REPOSITORY / "models")))
    return models.spec(models.pin(reference))


def lines(made: SimulatedRecording, spans: list[tuple[float, float]]) -> list[str]:
    rows = [{"start_time": f"{start:.6f}", "end_time": f"{stop:.6f}"} for start, stop in spans]
    return list(comparison(made, rows, spec(LAB_MODEL)))


def test_every_call_is_found_by_events_on_the_calls(made: SimulatedRecording) -> None:
    calls = [(each.start_time, each.end_time) for each in made.annotations if each.label == "anemonefish"]
    first, second, *reasons = lines(made, calls)
    assert first.startswith(f"made:  {len(calls)} calls in ")
    assert f"{len(calls)} of {len(calls)} calls lie in an event" in second
    assert f"0 of {len(calls)} events hold no call" in second
    assert reasons == []


def test_lost_lone_calls_have_a_reason(made: SimulatedRecording) -> None:
    _, second, *reasons = lines(made, [(0.0, 0.001)])
    assert f"0 of {made.n_calls} calls lie in an event" in second
    assert "1 of 1 events hold no call" in second
    assert reasons[0] == "why lone calls are lost:"
    assert "lone calls of up to 200 ms are lost" in reasons[1]


def test_the_commands_that_follow_work(made: SimulatedRecording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.path.parent)
    monkeypatch.setenv("ANEMONEFISH_MODELS", str(REPOSITORY / "models"))
    results = made.path.parent / "results"
    af.detect(made.path, folder=results, processes=1)
    with (results / "my reef.wav.events.csv").open() as file:
        assert len(list(comparison(made, list(csv.DictReader(file)), spec("reef")))) >= 2
    steps = list(next_steps(made.path, results, made))
    commands = [shlex.split(step) for step in steps if step.startswith("  anemonefish ")]
    assert [command[1] for command in commands] == ["evaluate", "detect", "models"]
    for command in commands:
        ended = CliRunner().invoke(main, command[1:], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
