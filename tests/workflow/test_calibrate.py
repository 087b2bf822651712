"""Tests of ``calibrate`` with the metrics of a deployed stack's workers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from anemonefish import clock
from anemonefish.cli.main import main
from anemonefish.cloud import clients
from anemonefish.cloud.cloudwatch import metric_sums
from anemonefish.jobs.calibration import Calibration
from localstack import LocalAws, Stack
from tests.reference_models import n_windows

from .conftest import REPOSITORY, RunJob, await_true


@pytest.fixture
def account(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the environment in which the command line uses the local AWS as its account."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": aws.endpoint_url,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    clients.client.cache_clear()
    yield
    clients.client.cache_clear()


def metrics_of_workers(stack: Stack) -> list[dict[str, Any]]:
    """Return the metrics of scored ranges that CloudWatch would read from the log."""
    lines = [line for line in stack.logs().split("\n") if '"CloudWatchMetrics"' in line and '"Windows"' in line]
    return [json.loads(line[line.index("{") :]) for line in lines]


def test_metrics_of_workers_are_the_basis_of_the_next_quote(
    aws: LocalAws, stack: Stack, s3: Any, run_job: RunJob, make_recording: Callable[..., Path], account: None
) -> None:
    path = make_recording("speed.wav", frames=48_000 * 60)
    before = metrics_of_workers(stack)
    for _ in range(2):
        assert run_job(stack, path)[0].status == "SUCCEEDED"
    # A worker answers before its last lines are in the log.
    await_true(lambda: len(metrics_of_workers(stack)) == len(before) + 2)
    metrics = [each for each in metrics_of_workers(stack) if each not in before]
    assert [each["Windows"] for each in metrics] == 2 * [n_windows(60)]
    assert all(0 < each["ScoringSeconds"] < 900 and 0 <= each["OverheadSeconds"] < 900 for each in metrics)

    # Store the metrics as CloudWatch does with such lines. The stack's processor is arm64 on every machine.
    for age, values in ((0, metrics[0]), (3, metrics[1]), (40, metrics[1])):
        directive = values["_aws"]["CloudWatchMetrics"][0]
        named = {name: values[name] for name in directive["Dimensions"][0]} | {"Architecture": "arm64"}
        dimensions = [{"Name": name, "Value": value} for name, value in named.items()]
        when = clock.now() - timedelta(days=age, minutes=1)
        aws.client("cloudwatch").put_metric_data(
            Namespace=directive["Namespace"],
            MetricData=[
                {"MetricName": each["Name"], "Value": values[each["Name"]], "Unit": each["Unit"],
                 "Dimensions": dimensions, "Timestamp": when}
                for each in directive["Metrics"]
            ],
        )  # fmt: skip
    expected = 0.0
    for name, milliseconds in {"PlanFunction": 1_500, "AggregateFunction": 2_500}.items():
        resource = aws.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId=name)
        function = resource["StackResourceDetail"]["PhysicalResourceId"]
        sums, calls = metric_sums("AWS/Lambda", ("Duration",), {"FunctionName": function}, 14)  # of other tests
        expected += (sums["Duration"] + milliseconds) / (calls + 1) / 1000
        datum = {"MetricName": "Duration", "Value": milliseconds, "Unit": "Milliseconds",
                 "Dimensions": [{"Name": "FunctionName", "Value": function}]}  # fmt: skip
        aws.client("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=[datum])
    models = f"s3://{stack.outputs['ModelsBucketName']}"
    done = CliRunner().invoke(main, ["calibrate", "--models", models, "--stack", stack.name, "--json"])
    assert done.exit_code == 0, done.output
    made = Calibration(**json.loads(done.stdout))
    assert (made.calls, made.windows, made.architecture, made.where) == (2, 2 * n_windows(60), "arm64", stack.name)
    assert made.seconds_per_window == pytest.approx(sum(each["ScoringSeconds"] for each in metrics) / made.windows)
    assert made.seconds_per_job == pytest.approx(expected)

    quoted = CliRunner().invoke(main, ["plan", str(path), "--models", models, "--json"])
    key = f"{made.model.replace('@', '/calibrations/')}-litert-arm64.json"
    s3.delete_object(Bucket=stack.outputs["ModelsBucketName"], Key=key)  # other tests must not use it
    assert json.loads(quoted.stdout)["assumptions"]["seconds_per_window"] == made.seconds_per_window


def test_stack_without_metrics_is_named_in_the_error(aws: LocalAws, trouble_stack: Stack, account: None) -> None:
    template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    aws.client("cloudformation").create_stack(StackName="elsewhere", TemplateBody=template)
    for name, words in {
        trouble_stack.name: "InvalidRequest: CloudWatch knows no window of reef@",  # its workers write no metrics
        "elsewhere": "InvalidRequest: stack elsewhere has no score function",
        "nothing": "StorageError: stack nothing: AWS answered",
    }.items():
        done = CliRunner().invoke(main, ["calibrate", "--models", str(REPOSITORY / "models"), "--stack", name])
        assert done.exit_code == 1
        assert words in done.stderr.replace("\n", " "), done.stderr
