"""The log lines of one execution are joined by the correlation id of the request that started it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anemonefish.cloud.function_log import KEYS
from localstack import Stack
from tests.workflow.conftest import Api, RunJob, await_true, tenant_of


def lines_of(stack: Stack, correlation_id: str) -> list[dict[str, Any]]:
    """Return the log lines with a correlation id."""
    lines = [json.loads(text) for text in stack.logs().split("\n") if text.startswith("{")]
    return [line for line in lines if line.get("correlation_id") == correlation_id]


def functions_of(lines: list[dict[str, Any]]) -> set[str]:
    return {line["function"] for line in lines}


def test_log_lines_of_an_execution_are_joined_by_the_id_of_its_request(
    stack: Stack, api: Api, make_recording: Callable[..., Path]
) -> None:
    upload = api.upload(make_recording("joined.wav", frames=48_000 * 10))
    headers = {"x-correlation-id": "cruise-7.night_2"}
    body = {"recordings": [upload], "settings": {"max_range_seconds": 3}}
    execution = api("POST", "/executions", json=body, headers=headers).json()["id"]
    assert api.ended(execution)["status"] == "SUCCEEDED"
    wanted = {"api", "plan", "score", "report", "aggregate", "status"}
    await_true(lambda: functions_of(lines_of(stack, "cruise-7.night_2")) == wanted, "the line of the status function")
    lines = lines_of(stack, "cruise-7.night_2")
    assert all(set(KEYS) <= set(line) for line in lines)
    assert all(line["execution"] == execution for line in lines if line["function"] != "api")
    ranges = {line["range"] for line in lines if line["message"] == "a range was scored"}
    assert len(ranges) == api("GET", f"/executions/{execution}").json()["ranges_total"] > 1
    [recording] = {line["recording"] for line in lines if line["range"]}
    assert recording.startswith("uploads/")
    text = json.dumps(lines)
    assert "X-Amz-Signature" not in text
    assert api.key not in text


def test_request_without_a_header_uses_its_own_id(stack: Stack, api: Api, make_recording: Callable[..., Path]) -> None:
    execution = api.start(api.upload(make_recording("own-id.wav")))["id"]
    assert api.ended(execution)["status"] == "SUCCEEDED"
    lines = [json.loads(text) for text in stack.logs().split("\n") if text.startswith("{")]
    used = {
        line["correlation_id"] for line in lines if line.get("execution") == execution and line["function"] == "score"
    }
    assert len(used) == 1
    [started] = [line for line in lines_of(stack, used.pop()) if line["message"] == "an execution was launched"]
    assert (started["function"], started["execution"]) == ("api", execution)


def test_reason_of_a_failed_execution_is_joined_too(
    trouble_stack: Stack, run_job: RunJob, make_recording: Callable[..., Path]
) -> None:
    execution, _ = run_job(trouble_stack, make_recording("always-fails.wav"), correlation_id="unlucky")
    assert execution.status == "FAILED"
    lines = lines_of(trouble_stack, "unlucky")
    assert {"plan", "score", "record"} <= functions_of(lines)
    assert {line["error"] for line in lines if line["message"] == "a range failed"} == {"InvalidSamples"}


def test_plan_and_parts_do_not_depend_on_the_correlation_id(
    stack: Stack, api: Api, s3: Any, make_recording: Callable[..., Path]
) -> None:
    upload, bucket = api.upload(make_recording("twice.wav")), stack.outputs["OutputBucketName"]
    stored = []
    for correlation_id in ("first", "second"):
        answer = api("POST", "/executions", json={"recordings": [upload]}, headers={"x-correlation-id": correlation_id})
        execution = answer.json()["id"]
        assert api.ended(execution)["status"] == "SUCCEEDED"
        prefix = f"jobs/{tenant_of(s3, stack, execution)}/{execution}/"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page["Contents"] if "/map/" not in item["Key"]]
        stored.append({key.removeprefix(prefix): s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys})
    assert any(name.startswith("parts/") for name in stored[0])
    assert stored[0] == stored[1]
