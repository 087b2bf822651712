"""Costs are calculated from a calibration or an estimate, and a quote names its assumptions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from anemonefish.jobs.calibration import Calibration, write_calibration
from anemonefish.jobs.costs import CostModel
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.settings import Settings
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.planner import plan_job

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


def test_costs_of_an_example_calculated_by_hand(models: ModelRepository, pinned: PinnedModel) -> None:
    """20 workers, ten at a time, score 1,000 windows each: 5 + 0.1 + 2 x (2 + 10) + 1.2 seconds."""
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
def test_memory_below_one_vcpu_slows_a_worker_and_more_memory_does_not_speed_it_up(
    models: ModelRepository, pinned: PinnedModel, memory: int, factor: float
) -> None:
    cost = CostModel.of(models.spec(pinned), Settings.load({"memory_mb": memory}, {}), MEASURED)
    assert (cost.seconds_per_window, cost.seconds_per_range) == pytest.approx((0.01 * factor, 2.0 * factor))
    assert ("; times" in cost.basis) == (factor != 1)
    half = CostModel.of(models.spec(pinned), Settings.load({"memory_mb": memory}, {}), replace(MEASURED, memory_mb=512))
    assert half.seconds_per_window == pytest.approx(0.01 * factor * 512 / 1769)


def test_variant_without_calibration_is_not_assumed_to_be_faster(models: ModelRepository, pinned: PinnedModel) -> None:
    found, settings = models.spec(pinned), Settings.load({}, {})
    variants = {"winograd": 0.014, "int8": 0.03}
    spec = replace(found, compute={"seconds_per_window": 0.02, "seconds_per_range": 1.0, "variants": variants})
    kinds = {
        "litert": pinned,
        "winograd": replace(pinned, engine="ncnn", variant="winograd"),
        "ncnn by default": replace(pinned, engine="ncnn"),
        "int8": replace(pinned, variant="int8"),
    }
    costs = {kind: CostModel.of(spec, settings, pinned=variant) for kind, variant in kinds.items()}
    assert {kind: cost.seconds_per_window for kind, cost in costs.items()} == pytest.approx(
        {"litert": 0.12, "winograd": 0.12, "ncnn by default": 0.12, "int8": 0.18}
    )
    assert "depends on the processor" not in costs["litert"].basis
    for kind in ("winograd", "ncnn by default", "int8"):
        assert "gains depends on the processor and is not counted" in costs[kind].basis
    older = replace(spec, compute=spec.compute | {"variants": {}})  # published before variants were measured
    assert CostModel.of(older, settings, pinned=kinds["int8"]).seconds_per_window == pytest.approx(0.12)


def test_quote_names_its_assumptions(
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
    # There is no calibration for the other processor.
    assert plan(models, path, architecture="x86_64").quote.assumptions.basis.startswith("estimated: 3 times")  # type: ignore[union-attr]
    assert Plan.from_json(measured.to_json()) == measured


def test_plan_of_an_older_version_without_assumptions_is_read(
    models: ModelRepository, make_recording: Callable[..., Path]
) -> None:
    made = plan(models, make_recording())
    document = json.loads(made.to_json())
    del document["quote"]["assumptions"]
    assert Plan.from_json(json.dumps(document).encode()) == replace(made, quote=replace(made.quote, assumptions=None))


def test_calibration_does_not_change_the_identity_of_recordings(
    models: ModelRepository, pinned: PinnedModel, make_recording: Callable[..., Path]
) -> None:
    path = make_recording(frames=48_000 * 60)
    before = plan(models, path)
    write_calibration(models, pinned, replace(MEASURED, hash=pinned.hash))
    after = plan(models, path)
    assert after.quote != before.quote
    assert after.identity_of(after.recordings[0]) == before.identity_of(before.recordings[0])
    assert models.catalog()[0].versions == ("1.0.0", "1.1.0")  # a calibration is not a version
