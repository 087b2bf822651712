"""Metrics of calls, scores and results are computed from what happened."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anemonefish.jobs.job import Job
from anemonefish.jobs.prices import USD_PER_GB_SECOND, USD_PER_INVOCATION
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.settings import Settings
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow import function_metrics
from anemonefish.workflow.aggregate import report_and_aggregate
from anemonefish.workflow.function_metrics import measured
from anemonefish.workflow.job_metrics import OutcomeMeter, ScoreMeter, reference_share
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.score import score_ranges
from tests.unit.cloud.test_embedded_metrics import metrics_of

COUNTS = {"noise": 70, "anemonefish": 20, "biological": 10}


@pytest.fixture(autouse=True)
def _in_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANEMONEFISH_STACK", "anemonefish-dev")
    monkeypatch.setenv("ANEMONEFISH_STAGE", "dev")


def emitted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [metrics_of(json.loads(line)) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def models(models_uri: str) -> ModelRepository:
    return ModelRepository(LocalStore(Path(models_uri)))


@pytest.fixture
def pinned(models: ModelRepository) -> PinnedModel:
    return models.pin("reef")


@pytest.fixture
def spec(models: ModelRepository, pinned: PinnedModel) -> ModelSpec:
    return models.spec(pinned)


def test_price_of_a_call_is_its_seconds_at_the_list_price(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([100.0, 102.0, 200.0, 202.0])
    monkeypatch.setattr(function_metrics.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(function_metrics.time, "process_time", lambda: 0.5)
    monkeypatch.setattr(function_metrics, "machine_architecture", lambda: "arm64")
    monkeypatch.setattr(function_metrics, "_calls", count())
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048")
    handler = measured(lambda event, context: event)
    assert [handler(event, None) for event in "ab"] == ["a", "b"]
    per_second = 2 * USD_PER_GB_SECOND["arm64"]
    first, second = emitted(capsys)
    assert first["ColdStarts"] == 1
    assert first["FunctionUsd"] == pytest.approx(2.5 * per_second + USD_PER_INVOCATION)
    assert second["ColdStarts"] == 0
    assert second["FunctionUsd"] == pytest.approx(2.0 * per_second + USD_PER_INVOCATION)


@pytest.mark.parametrize(("start", "cold"), [("provisioned-concurrency", 0), ("snap-start", 1)])
def test_process_that_was_started_ahead_adds_no_time_to_its_first_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], start: str, cold: int
) -> None:
    clock = iter([100.0, 101.0])
    monkeypatch.setattr(function_metrics.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(function_metrics, "machine_architecture", lambda: "arm64")
    monkeypatch.setattr(function_metrics, "_calls", count())
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024")
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", start)
    measured(lambda event, context: None)(None, None)
    [line] = emitted(capsys)
    assert line["ColdStarts"] == cold
    assert line["FunctionUsd"] == pytest.approx(USD_PER_GB_SECOND["arm64"] + USD_PER_INVOCATION)


def test_call_that_fails_has_a_price_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")

    @measured
    def handler(event: object, context: object) -> None:
        raise KeyError("window")

    with pytest.raises(KeyError):
        handler(None, None)
    [line] = emitted(capsys)
    assert line["FunctionUsd"] > 0


def test_price_is_left_out_where_it_is_unknown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", raising=False)
    measured(lambda event, context: None)(None, None)
    assert [set(line) for line in emitted(capsys)] == [{"ColdStarts"}]


def test_scores_and_results_of_a_job(
    models: ModelRepository,
    spec: ModelSpec,
    pinned: PinnedModel,
    make_recording: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from anemonefish.models.repository import ready_model

    path, broken = make_recording("a.wav", frames=48_000 * 36), tmp_path / "broken.wav"
    broken.write_bytes(b"")
    job = Job.of_tenant(LocalStore(tmp_path / "store"), "lab", "j-1")
    requests = [RecordingRequest(str(each), each.name, each.name) for each in (path, broken)]
    plan = plan_job(requests, "reef", Settings(max_range_seconds=10), models, job)
    job.write_plan(plan)
    compared = replace(spec, parity={**spec.parity, "best_class": COUNTS})
    meter = ScoreMeter(compared, pinned)
    tasks = list(plan.tasks())
    score_ranges(job, tasks, ready_model(models.store.uri, pinned), tell=meter.add)
    meter.emit(2.0)
    windows = sum(len(task.windows) for task in tasks)
    speed, scores = emitted(capsys)
    assert speed["RealTimeFactor"] == pytest.approx(windows * spec.profile.hop_seconds / 2.0, abs=1e-3)
    assert speed["WindowsCompared"] == windows
    assert speed["ReferenceTargetWindows"] == pytest.approx(windows * 0.2)
    assert 0 <= speed["TargetWindows"] <= windows
    assert scores["TargetScore"] == sorted(scores["TargetScore"])
    assert len(scores["TargetScore"]) == 100

    outcomes = OutcomeMeter()
    for outcome in report_and_aggregate(job, models):
        outcomes.add(outcome)
    outcomes.emit()
    results, failures = emitted(capsys)
    assert results["AudioHours"] == pytest.approx(36 / 3600)
    assert failures == {"Failures": 1}

    again = ScoreMeter(compared, pinned)
    score_ranges(job, tasks, ready_model(models.store.uri, pinned), tell=again.add)  # all parts exist
    again.emit(2.0)
    assert emitted(capsys) == []


def test_windows_of_the_target_are_those_whose_best_class_it_is(
    spec: ModelSpec, pinned: PinnedModel, make_recording: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = np.array([[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]], np.float32)
    task: Any = type("Task", (), {"windows": range(3), "grid": type("Grid", (), {"hop": 9600}), "sample_rate": 48_000})
    for counts, wanted in ((COUNTS, {"TargetWindows": 1, "WindowsCompared": 3}), ({}, {})):
        meter = ScoreMeter(replace(spec, parity={"best_class": counts}), pinned)
        meter.add(task, scores)
        meter.emit(1.0)
        speed, distribution = emitted(capsys)
        assert {name: value for name, value in speed.items() if name in {"TargetWindows", "WindowsCompared"}} == wanted
        assert distribution == {"TargetScore": [0.1, 0.2, 0.4]}


def test_reference_is_the_share_of_the_target_when_the_model_was_published(spec: ModelSpec) -> None:
    assert reference_share(replace(spec, parity={"best_class": COUNTS})) == 0.2
    assert reference_share(replace(spec, parity={})) is None
