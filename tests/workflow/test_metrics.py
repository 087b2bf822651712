"""Every metric of ours is emitted by a real execution, and every alarm on one of them can therefore fire."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anemonefish.cloud.embedded_metrics import NAMESPACE, UNITS
from localstack import LocalAws, Stack
from tests.cloudformation import Stack as Template
from tests.unit.cloud.test_embedded_metrics import metrics_of
from tests.unit.test_alarms import RUNBOOK, own_metrics
from tests.workflow.conftest import Api, RunJob, await_true, tenant_of

REFERENCE = {"noise": 70, "anemonefish": 20, "biological": 10}
NOT_PROVOKED = {"EndsLost", "JobsWaiting", "LongestWait"}
"""A lost event is found after 15 minutes; tests/unit/service/test_execution_launch.py moves the clock."""


def metric_lines(stack: Stack) -> list[dict[str, Any]]:
    """Return the lines of metrics in the log, each checked against the format."""
    lines = [json.loads(text) for text in stack.logs().split("\n") if text.startswith("{")]
    found = [line for line in lines if line.get("message") == "metrics"]
    for line in found:
        metrics_of(line)
    return found


def emitted(lines: list[dict[str, Any]]) -> set[tuple[str, str, tuple[str, ...]]]:
    """Return namespace, name and the names of the dimensions of every metric in the lines."""
    directives = [directive for line in lines for directive in line["_aws"]["CloudWatchMetrics"]]
    return {
        (directive["Namespace"], metric["Name"], tuple(sorted(names)))
        for directive in directives
        for metric in directive["Metrics"]
        for names in directive["Dimensions"]
    }


def documented_sources() -> dict[str, set[str]]:
    """Return the functions that emit each metric, as docs/operations.md says."""
    rows = [line.split("|") for line in RUNBOOK.splitlines() if line.startswith("| `")]
    found = {
        name: set(source.strip().split(", "))
        for _, names, _, source, _ in rows
        for name in re.findall(r"`(\w+)`", names)
    }
    return {name: found[name] for name in UNITS}


@pytest.fixture
def compared_model(stack: Stack, s3: Any) -> str:
    """Publish the reference model once more, with the counts that newer bundles have."""
    bucket = stack.outputs["ModelsBucketName"]
    source, target = "reef/1.1.0/", "reef/1.1.0-compared/"
    for item in s3.list_objects_v2(Bucket=bucket, Prefix=source)["Contents"]:
        data = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        if item["Key"].endswith("model.json"):
            document = json.loads(data)
            document["version"] = "1.1.0-compared"
            document["parity"]["best_class"] = REFERENCE
            data = json.dumps(document).encode()
        s3.put_object(Bucket=bucket, Key=target + item["Key"].removeprefix(source), Body=data)
    return "reef@1.1.0-compared"


def test_metrics_of_an_execution_are_its_own_numbers(
    stack: Stack, api: Api, s3: Any, compared_model: str, make_recording: Callable[..., Path]
) -> None:
    upload = api.upload(make_recording("measured.wav", frames=48_000 * 60))
    body = {"recordings": [upload], "model": compared_model, "settings": {"max_range_seconds": 20}}
    execution = api("POST", "/executions", json=body, headers={"x-correlation-id": "measured-1"}).json()["id"]
    assert api.ended(execution)["status"] == "SUCCEEDED"

    def lines() -> list[dict[str, Any]]:
        return [line for line in metric_lines(stack) if line["correlation_id"] == "measured-1"]

    wanted = {"api", "plan", "score", "report", "aggregate", "status"}
    await_true(lambda: {line["function"] for line in lines()} >= wanted, "the metrics of the status function")
    found = lines()
    assert {(line["Stack"], line["Stage"]) for line in found} == {(stack.name, "dev")}

    def values(name: str) -> list[Any]:
        return [line[name] for line in found if name in line]

    assert values("AudioHours") == [pytest.approx(60 / 3600)]
    events = [float(line.split(b",")[0]) for line in api.file(execution, "csv").splitlines()[1:]]
    assert values("Events") == [len(events)]
    key = f"jobs/{tenant_of(s3, stack, execution)}/{execution}/plan.json"
    plan = json.loads(s3.get_object(Bucket=stack.outputs["OutputBucketName"], Key=key)["Body"].read())
    windows = plan["quote"]["windows"]
    assert sum(values("WindowsCompared")) == windows
    assert sum(values("ReferenceTargetWindows")) == pytest.approx(windows * 0.2, abs=0.01)
    scores = [value for line in values("TargetScore") for value in line]
    assert all(0 <= value <= 1 for value in scores)
    assert {line["Model"] for line in found if "TargetScore" in line} == {compared_model}
    assert all(value > 0 for value in values("RealTimeFactor"))
    assert len(values("FunctionUsd")) == len(values("ColdStarts")) >= 5
    assert 0 < math.fsum(values("FunctionUsd")) < 0.1
    assert len(values("QuotedUsd")) == 1


def test_every_metric_of_ours_is_emitted(
    stack: Stack,
    trouble_stack: Stack,
    api: Api,
    compared_model: str,
    run_job: RunJob,
    make_recording: Callable[..., Path],
) -> None:
    execution, _ = run_job(stack, make_recording("every.wav"), model=compared_model)
    assert execution.status == "SUCCEEDED"
    clip = make_recording("clip.wav", frames=48_000 * 2).read_bytes()
    assert api("POST", "/predict", files={"audio_file": ("clip.wav", clip)}).status_code == 200
    failed, _ = run_job(trouble_stack, make_recording("always-fails.wav"))
    assert failed.status == "FAILED"
    await_true(lambda: any("JobSeconds" in line for line in metric_lines(stack)), "the status function")
    lines = metric_lines(stack) + metric_lines(trouble_stack)
    found = emitted(lines)
    assert {name for _, name, _ in found} == set(UNITS) - NOT_PROVOKED
    for name, wanted in documented_sources().items():
        sources = {line["function"] for line in lines if name in line}
        if wanted == {"every function"}:
            assert sources >= {"api", "predict", "plan", "score", "report", "aggregate", "record", "status"}, name
        elif name == "Failures":  # requests and recordings do not fail here
            assert "record" in sources <= wanted
        elif name not in NOT_PROVOKED:
            assert sources == wanted, name
    assert {line["Error"] for line in lines if "Failures" in line} >= {"InvalidSamples"}
    listened = {
        (namespace, name, tuple(sorted(dimensions)))
        for namespace, name, dimensions in own_metrics(Template({"Webhooks": "enabled"}))
        if namespace == NAMESPACE
    }
    assert listened - found <= {(NAMESPACE, name, ("Stack", "Stage")) for name in NOT_PROVOKED}


def test_alarms_on_plain_metrics_go_off_in_the_emulator(aws: LocalAws, stack: Stack) -> None:
    """The emulator compares the statistic with the threshold; tests/unit/test_alarms.py evaluates the rest."""
    cloudwatch = aws.client("cloudwatch")
    alarms = [
        alarm
        for page in cloudwatch.get_paginator("describe_alarms").paginate()
        for alarm in page["MetricAlarms"]
        if alarm["AlarmName"].startswith(stack.name) and "ScoreDrift" not in alarm["AlarmName"]
    ]
    assert len(alarms) >= 10
    for alarm in alarms:
        value = alarm["Threshold"] + 1
        datum = {"MetricName": alarm["MetricName"], "Dimensions": alarm["Dimensions"], "Value": value}
        cloudwatch.put_metric_data(Namespace=alarm["Namespace"], MetricData=[datum])
        [after] = cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
        assert after["StateValue"] == "ALARM", alarm["AlarmName"]
