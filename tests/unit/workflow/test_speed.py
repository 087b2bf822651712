"""A worker logs how long its windows took (tests/workflow/test_calibrate.py reads the log)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.score import Scored
from anemonefish.workflow.speed import NAMESPACE, Stopwatch, score_metrics


@pytest.fixture
def models(models_uri: str, tmp_path: Path) -> ModelRepository:
    shutil.copytree(models_uri, tmp_path / "models")
    return ModelRepository(LocalStore(tmp_path / "models"))


@pytest.fixture
def pinned(models: ModelRepository) -> PinnedModel:
    return models.pin("reef")


def test_worker_logs_the_time_of_its_windows_as_metrics(pinned: PinnedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stopwatch, "_first_call", True)
    watch = Stopwatch()
    assert watch.overhead > 0.1  # the imports of this process count as overhead of its first call
    watch.ready()
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "score", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769"}
    line = score_metrics(Scored(1, 299, 1, 0), pinned, watch, environment)
    assert line is not None
    record = json.loads(line)
    directive = record["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == NAMESPACE
    assert all(record[name] for name in directive["Dimensions"][0])
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "Windows": "Count",
        "ScoringSeconds": "Seconds",
        "OverheadSeconds": "Seconds",
    }
    assert record["Windows"] == 299
    assert 0 <= record["ScoringSeconds"] < 60
    later = Stopwatch()
    later.ready()
    assert later.overhead < 0.1
    assert (
        score_metrics(Scored(2, 500, 1, 0), pinned, watch, environment) is None
    )  # nothing is logged where a part existed already
