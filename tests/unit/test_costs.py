"""What a quote rests on: calibrations, measured here and in an account, and how they are reckoned with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from anemonefish import errors
from anemonefish.cli.main import main
from anemonefish.jobs.calibration import Calibration, Observation, fit, read_calibration, write_calibration
from anemonefish.jobs.costs import CostModel
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.request import RecordingRequest
from anemonefish.layer_check import machine_architecture
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.settings import Settings
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.score import Scored
from anemonefish.workflow.speed import NAMESPACE, Stopwatch, score_metrics

MEASURED = Calibration(
    model="reef@1.1.0",
    hash="",
    engine="litert",
    architecture="arm64",
    memory_mb=1769,
    seconds_per_window=0.01,
    seconds_per_range=2.0,
    calls=10,
    windows=5_000,
    where="anemonefish-dev",
    measured_at="2026-11-23T10:00:00.000Z",
)


@pytest.fixture
def models(models_uri: str, tmp_path: Path) -> ModelRepository:
    shutil.copytree(models_uri, tmp_path / "models")
    return ModelRepository(LocalStore(tmp_path / "models"))


@pytest.fixture
def pinned(models: ModelRepository) -> PinnedModel:
    return models.pin("reef")


def plan(models: ModelRepository, path: Path, **overrides: object) -> Plan:
    return plan_job([RecordingRequest(str(path), path.name, path.name)], "reef", Settings.load(overrides, {}), models)


# --- reckoning ---------------------------------------------------------------------------------------------------


@given(st.floats(1e-6, 10), st.floats(0.01, 100), st.integers(1, 500), st.integers(501, 10_000))
def test_two_calls_tell_a_windows_share_from_a_calls(window: float, call: float, short: int, long: int) -> None:
    found = fit([Observation(n, call + n * window) for n in (short, long)])
    assert found == pytest.approx((window, call), rel=1e-4)


def test_calls_that_tell_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        fit([Observation(10, 1.0), Observation(10, 2.0)])
    with pytest.raises(ValueError, match="took no longer"):
        fit([Observation(10, 2.0), Observation(20, 1.0)])


def test_a_quote_by_hand(models: ModelRepository, pinned: PinnedModel) -> None:
    """1,000 windows on each of 20 workers, ten at a time: 5 + 0.1 + 2 x (2 + 10) + 1.2 seconds."""
    cost = CostModel.of(models.spec(pinned), Settings.load({"max_concurrency": 10}, {}), MEASURED)
    assert cost.range_seconds(1_000) == pytest.approx(12)
    assert cost.makespan(20, 1_000) == pytest.approx(5 + 0.1 + 24 + 1.2)
    seconds = 20 * 2.0 + 5 + 20_000 * (0.01 + 60e-6)
    usd = seconds * 1769 / 1024 * 0.0000133334 + 20 * 0.2e-6 + (8 + 60) * 0.025e-3
    assert cost.usd(20, 20, 20_000) == pytest.approx(usd)
    settings = Settings.load({"max_concurrency": 10}, {})
    quick = CostModel.of(models.spec(pinned), settings, replace(MEASURED, seconds_per_job=1.5))
    assert quick.makespan(20, 1_000) == pytest.approx(cost.makespan(20, 1_000) - 3.5)


@pytest.mark.parametrize(("memory", "factor"), [(1769, 1.0), (3008, 1.0), (512, 1769 / 512)])
def test_memory_below_a_core_slows_and_more_than_one_does_not_speed(
    models: ModelRepository, pinned: PinnedModel, memory: int, factor: float
) -> None:
    cost = CostModel.of(models.spec(pinned), Settings.load({"memory_mb": memory}, {}), MEASURED)
    assert (cost.seconds_per_window, cost.seconds_per_range) == pytest.approx((0.01 * factor, 2.0 * factor))
    assert ("; times" in cost.basis) == (factor != 1)
    half = CostModel.of(models.spec(pinned), Settings.load({"memory_mb": memory}, {}), replace(MEASURED, memory_mb=512))
    assert half.seconds_per_window == pytest.approx(0.01 * factor * 512 / 1769)


def test_a_variant_is_quoted_without_what_it_gained_on_the_publishers_processor(
    models: ModelRepository, pinned: PinnedModel
) -> None:
    found, settings = models.spec(pinned), Settings.load({}, {})
    variants = {"winograd": 0.014, "int8": 0.03}
    spec = replace(found, compute={"seconds_per_window": 0.02, "seconds_per_range": 1.0, "variants": variants})
    kinds = {
        "litert": pinned,
        "winograd": replace(pinned, engine="ncnn", variant="winograd"),
        "ncnn by default": replace(pinned, engine="ncnn"),
        "int8": replace(pinned, variant="int8"),
    }
    costs = {kind: CostModel.of(spec, settings, pinned=each) for kind, each in kinds.items()}
    assert {kind: cost.seconds_per_window for kind, cost in costs.items()} == pytest.approx(
        {"litert": 0.12, "winograd": 0.12, "ncnn by default": 0.12, "int8": 0.18}
    )
    assert "depends on the processor" not in costs["litert"].basis
    for kind in ("winograd", "ncnn by default", "int8"):
        assert "gains depends on the processor and is not counted" in costs[kind].basis
    older = replace(spec, compute=spec.compute | {"variants": {}})  # published before variants were measured
    assert CostModel.of(older, settings, pinned=kinds["int8"]).seconds_per_window == pytest.approx(0.12)


# --- what a quote says -------------------------------------------------------------------------------------------


def test_a_quote_says_what_it_rests_on(
    models: ModelRepository, pinned: PinnedModel, make_recording: Callable[..., Path]
) -> None:
    path = make_recording(frames=48_000 * 60)
    guessed = plan(models, path).quote
    assert guessed.assumptions is not None
    assert guessed.assumptions.basis.startswith("estimated: 6 times")
    write_calibration(models, pinned, replace(MEASURED, hash=pinned.hash))
    measured = plan(models, path)
    assert measured.quote.assumptions is not None
    assert "measured at 2026-11-23T10:00:00.000Z on anemonefish-dev" in measured.quote.assumptions.basis
    assert measured.quote.expected_seconds == pytest.approx(5 + 0.01 + 2 + 299 * 0.01 + 299 * 60e-6, abs=0.1)
    # On another processor nothing was measured.
    assert plan(models, path, architecture="x86_64").quote.assumptions.basis.startswith("estimated: 3 times")  # type: ignore[union-attr]
    assert Plan.from_json(measured.to_json()) == measured


def test_a_plan_made_before_quotes_had_assumptions_is_read(
    models: ModelRepository, make_recording: Callable[..., Path]
) -> None:
    made = plan(models, make_recording())
    document = json.loads(made.to_json())
    del document["quote"]["assumptions"]
    assert Plan.from_json(json.dumps(document).encode()) == replace(made, quote=replace(made.quote, assumptions=None))


def test_a_calibration_changes_no_result(
    models: ModelRepository, pinned: PinnedModel, make_recording: Callable[..., Path]
) -> None:
    path = make_recording(frames=48_000 * 60)
    before = plan(models, path)
    write_calibration(models, pinned, replace(MEASURED, hash=pinned.hash))
    after = plan(models, path)
    assert after.quote != before.quote
    assert after.identity_of(after.recordings[0]) == before.identity_of(before.recordings[0])
    assert models.catalog()[0].versions == ("1.0.0", "1.1.0")  # it is no version


@pytest.mark.parametrize(
    "damage",
    [b"not JSON", b"[]", b"{}", {"seconds_per_window": 0}, {"architecture": "sparc"}, {"memory_mb": -1}, {"hash": "x"}],
)
def test_a_damaged_calibration_names_itself_and_the_mend(
    models: ModelRepository, pinned: PinnedModel, damage: bytes | dict[str, Any]
) -> None:
    where = write_calibration(models, pinned, replace(MEASURED, hash=pinned.hash))
    key = where.removeprefix(f"{models.store.uri}/")
    assert key == "reef/calibrations/1.1.0-litert-arm64.json"
    content = damage if isinstance(damage, bytes) else json.dumps({**asdict(MEASURED), "hash": pinned.hash} | damage)
    models.store.write(key, content if isinstance(content, bytes) else content.encode())
    with pytest.raises(errors.InvalidBundle, match=r"1\.1\.0-litert-arm64\.json is .*anemonefish calibrate again"):
        read_calibration(models, pinned, "arm64")


# --- measured here -----------------------------------------------------------------------------------------------


def test_calibrate_measures_this_machine_and_the_next_quote_knows(
    models: ModelRepository, make_recording: Callable[..., Path]
) -> None:
    folder = str(models.store.uri)
    for _ in range(5):
        done = CliRunner().invoke(main, ["calibrate", "--models", folder, "--json"])
        if "let the machine rest and try again" not in done.output:
            break
    assert done.exit_code == 0, done.output
    made = Calibration(**json.loads(done.stdout))
    here = machine_architecture()
    assert (made.model, made.architecture, made.memory_mb, made.calls) == ("reef@1.1.0", here, 1769, 6)
    assert 1e-5 < made.seconds_per_window < 10
    path = str(make_recording(frames=48_000 * 60))
    quoted = CliRunner().invoke(main, ["plan", path, "--models", folder, "--json", "--set", f"architecture={here}"])
    assert json.loads(quoted.stdout)["assumptions"]["seconds_per_window"] == made.seconds_per_window
    shown = CliRunner().invoke(main, ["plan", path, "--models", folder, "--set", f"architecture={here}"])
    assert "s a window" in shown.stdout
    assert made.measured_at in shown.stdout


# --- what a worker says (tests/workflow/test_calibrate.py reads it) ------------------------------------------------


def test_a_worker_says_how_long_its_windows_took(pinned: PinnedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stopwatch, "_first_call", True)
    watch = Stopwatch()
    assert watch.overhead > 0.1  # what this process computed before: its imports
    watch.ready()
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "score", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769"}
    line = score_metrics(Scored(1, 299, 1, 0), pinned, watch, environment)
    assert line is not None
    said = json.loads(line)
    directive = said["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == NAMESPACE
    assert all(said[name] for name in directive["Dimensions"][0])
    assert {each["Name"]: each["Unit"] for each in directive["Metrics"]} == {
        "Windows": "Count", "ScoringSeconds": "Seconds", "OverheadSeconds": "Seconds",
    }  # fmt: skip
    assert said["Windows"] == 299
    assert 0 <= said["ScoringSeconds"] < 60
    later = Stopwatch()
    later.ready()
    assert later.overhead < 0.1
    assert score_metrics(Scored(2, 500, 1, 0), pinned, watch, environment) is None  # a part was there already
