"""Logs of the stack: all functions share a log group, and its metric filters count only what they should."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from anemonefish.cloud import clients
from tests.cloudformation import Stack

REPOSITORY = Path(__file__).parents[2]
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/engine:1"
STACKS = [Stack({"Webhooks": "enabled"}), Stack({"Engine": "keras", "EngineImage": IMAGE})]


@pytest.fixture(params=STACKS, ids=["LiteRT", "Keras"])
def stack(request: pytest.FixtureRequest) -> Stack:
    found: Stack = request.param
    return found


def test_every_function_writes_json_to_the_shared_log_group(stack: Stack) -> None:
    groups = stack.resources("AWS::Logs::LogGroup")
    assert set(groups) == {"FunctionLogGroup", "AnalyzeLogGroup"}
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == stack.values["LogRetentionDays"]
    wanted = {"LogGroup": stack.resolved({"Ref": "FunctionLogGroup"}), "LogFormat": "JSON"}
    for name, function in stack.resources("AWS::Lambda::Function").items():
        assert function["Properties"]["LoggingConfig"] == wanted, name


def _counts(stack: Stack, line: str) -> int:
    """Return how often the metric filters of the shared log group count a line."""
    filters = stack.resources("AWS::Logs::MetricFilter").values()
    group = stack.resolved({"Ref": "FunctionLogGroup"})
    patterns = [each["Properties"]["FilterPattern"] for each in filters if each["Properties"]["LogGroupName"] == group]
    return sum(_matches(pattern, json.loads(line)) for pattern in patterns)


def _matches(pattern: str, line: dict[str, Any]) -> bool:
    """Match a JSON filter pattern of CloudWatch Logs, as far as the template uses them."""
    terms = re.fullmatch(r"\{ (.*) \}", pattern)
    assert terms is not None, pattern
    for term in terms[1].split(" && "):
        found = re.fullmatch(r'\$\.(\w+) (?:= "([^"]*)"|>= (\d+))', term)
        assert found is not None, term
        value = line.get(found[1])
        if found[2] is not None and not (isinstance(value, str) and fnmatch.fnmatchcase(value, found[2])):
            return False
        if found[3] is not None and not (isinstance(value, int) and value >= int(found[3])):
            return False
    return True


@pytest.mark.parametrize(("error", "count"), [("KeyError", 1), ("StorageError", 1), ("EmptyRecording", 0)])
def test_a_job_that_the_system_failed_is_counted_once(
    stack: Stack, error: str, count: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("ANEMONEFISH_OUTPUT_BUCKET", "output")
    with mock_aws():
        clients.client.cache_clear()
        boto3.client("s3").create_bucket(Bucket="output")
        _record_handler()({"execution": {"job": {"tenant": "lab", "id": "j-1"}}, "error": {"Error": error}}, None)
    clients.client.cache_clear()
    lines = capsys.readouterr().out.splitlines()
    assert sum(_counts(stack, line) for line in lines) == count


def _record_handler() -> Any:
    spec = importlib.util.spec_from_file_location("record_app", REPOSITORY / "functions" / "record" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ({"launch": "FAILED", "execution": "e-1", "message": "AccessDenied"}, 1),  # api, heal
        ({"launch": "RETRY", "execution": "e-1", "message": "ThrottlingException"}, 0),
        ({"level": "INFO", "message": "answered", "route": "GET /models", "path": "/models", "status": 503}, 0),  # api
        ({"job": "jobs/lab/j", "error": "StorageError", "message": "failed", "status": 503}, 0),  # any function
        ({"message_id": "m-1", "error": "StorageError", "message": "a webhook was not delivered", "status": 503}, 0),
        ({"time": "2026-11-20T00:00:00Z", "type": "platform.report", "record": {"status": "error"}}, 0),  # Lambda
    ],
)
def test_lines_of_other_functions_are_counted_only_when_a_launch_failed(
    stack: Stack, line: dict[str, Any], count: int
) -> None:
    assert _counts(stack, json.dumps(line)) == count
