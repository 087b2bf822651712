"""Every alarm listens to a metric that somebody emits, goes off when it is fed, and has its place in the runbook."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import numpy as np
import pytest

from anemonefish.cloud.embedded_metrics import NAMESPACE, UNITS
from tests.cloudformation import Stack

REPOSITORY = Path(__file__).parents[2]
RUNBOOK = (REPOSITORY / "docs" / "operations.md").read_text()
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/engine:1"
STACKS = [
    Stack({"Webhooks": "enabled", "TrafficShift": "Canary10Percent5Minutes"}),
    Stack({"Engine": "keras", "EngineImage": IMAGE}),
]

DOCUMENTED = {
    ("AWS/Lambda", "Duration"): {("FunctionName",)},
    ("AWS/Lambda", "Errors"): {("FunctionName",), ("FunctionName", "Resource")},
    ("AWS/Lambda", "Throttles"): {("FunctionName",)},
    ("AWS/Lambda", "ConcurrentExecutions"): {("FunctionName",)},
    ("AWS/ApiGateway", "5XXError"): {("ApiName",), ("ApiName", "Stage")},
    ("AWS/States", "ExecutionsStarted"): {("StateMachineArn",)},
    ("AWS/States", "ExecutionsSucceeded"): {("StateMachineArn",)},
    ("AWS/States", "ExecutionsFailed"): {("StateMachineArn",)},
    ("AWS/States", "ExecutionsTimedOut"): {("StateMachineArn",)},
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {("QueueName",)},
}
"""Metrics of AWS with their dimensions, from the pages of each service:
docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html,
docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html,
docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"""

OWN = dict.fromkeys(UNITS, ("Stack", "Stage")) | {
    "Failures": ("Stack", "Stage", "Error"),
    "TargetScore": ("Stack", "Stage", "Model"),
}
"""Our metrics with their dimensions; tests/workflow/test_metrics.py checks that executions emit them."""

Key = tuple[str, str, frozenset[tuple[str, str]]]
"""A metric: namespace, name, dimensions with their values."""

NOT_WATCHED = {"ModelsFunction": "CloudFormation reports it", "NotifyFunction": "its queue has dead letters"}
"""Functions without an alarm of their own, and who tells instead."""


@pytest.fixture(params=STACKS, ids=["LiteRT", "Keras"])
def stack(request: pytest.FixtureRequest) -> Stack:
    found: Stack = request.param
    return found


def alarms_of(stack: Stack) -> dict[str, dict[str, Any]]:
    return {name: alarm["Properties"] for name, alarm in stack.resources("AWS::CloudWatch::Alarm").items()}


def queries_of(alarm: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the metrics of an alarm by their ids, in the form of a metric query."""
    if "MetricName" in alarm:
        metric = {name: alarm.get(name, []) for name in ("Namespace", "MetricName", "Dimensions")}
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        return {"value": {"Metric": metric, "Stat": statistic, "Period": alarm["Period"]}}
    return {query["Id"]: query["MetricStat"] for query in alarm["Metrics"] if "MetricStat" in query}


def key_of(query: Mapping[str, Any]) -> Key:
    metric = query["Metric"]
    dimensions = frozenset((each["Name"], each["Value"]) for each in metric.get("Dimensions", ()))
    return metric["Namespace"], metric["MetricName"], dimensions


def own_metrics(stack: Stack) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield namespace, name and dimensions of every metric that an alarm listens to."""
    for alarm in alarms_of(stack).values():
        for query in queries_of(alarm).values():
            namespace, name, dimensions = key_of(query)
            yield namespace, name, tuple(sorted(dimension for dimension, _ in dimensions))


# ------------------------------------------------------------------ evaluate alarms, as CloudWatch does

Values = Mapping[Key, list[list[float]]]
"""The values of each metric, one list for each period, the latest first."""


def statistic(name: str, values: list[float]) -> float:
    match name:
        case "Sum":
            return sum(values)
        case "Average":
            return sum(values) / len(values)
        case "Maximum":
            return max(values)
        case _:
            assert re.fullmatch(r"p\d+", name), name
            return float(np.percentile(values, float(name[1:])))


def state_of(alarm: Mapping[str, Any], values: Values) -> str:
    """Return OK or ALARM: it goes off when all its periods breach. Missing data do not breach."""
    assert alarm["TreatMissingData"] == "notBreaching"
    breaching = [_breaches(alarm, values, period) for period in range(alarm["EvaluationPeriods"])]
    return "ALARM" if all(breaching) else "OK"


def _breaches(alarm: Mapping[str, Any], values: Values, period: int) -> bool:
    found: dict[str, float] = {}
    for name, query in queries_of(alarm).items():
        periods = values.get(key_of(query), [])
        if period >= len(periods) or not periods[period]:
            return False
        found[name] = statistic(query["Stat"], periods[period])
    value = found["value"] if "value" in found else _calculate(alarm, found)
    match alarm["ComparisonOperator"]:
        case "GreaterThanThreshold":
            return value > float(alarm["Threshold"])
        case "GreaterThanOrEqualToThreshold":
            return value >= float(alarm["Threshold"])
        case operator:
            raise AssertionError(operator)


def _calculate(alarm: Mapping[str, Any], found: dict[str, float]) -> float:
    """Calculate the expression of metric math that an alarm compares."""
    [expression] = [query["Expression"] for query in alarm["Metrics"] if query.get("ReturnData", True)]
    functions = {"ABS": abs, "IF": lambda condition, then, otherwise: then if condition else otherwise}
    with np.errstate(invalid="ignore"):  # both values of IF are calculated, also 0 / 0
        names = functions | {name: np.float64(value) for name, value in found.items()}
        return float(eval(expression, {"__builtins__": {}}, names))


def breaching_values(name: str, alarm: Mapping[str, Any]) -> dict[Key, list[list[float]]]:
    """Return values that an alarm must go off for."""
    if name == "ScoreDriftAlarm":
        fed = {"windows": 20_000.0, "target": 12_000.0, "reference": 2_000.0}
    else:
        fed = {"value": float(alarm["Threshold"]) + (1 if float(alarm["Threshold"]) >= 1 else 0.01)}
    queries = queries_of(alarm)
    return {key_of(queries[each]): [[value]] * alarm["EvaluationPeriods"] for each, value in fed.items()}


def test_every_alarm_tells_the_topic(stack: Stack) -> None:
    topic = stack.resolved({"Ref": "AlarmTopic"})
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms_of(stack).values())


def test_alarm_goes_off_when_its_metric_is_fed_and_only_then(stack: Stack) -> None:
    for name, alarm in alarms_of(stack).items():
        values = breaching_values(name, alarm)
        assert state_of(alarm, values) == "ALARM", name
        assert state_of(alarm, {}) == "OK", name
        quiet = {key: [[0.0]] * len(periods) for key, periods in values.items()}
        assert state_of(alarm, quiet) == "OK", name
        elsewhere = {
            (namespace, metric, dimensions | {("FunctionName", "another")}): periods
            for (namespace, metric, dimensions), periods in values.items()
        }
        assert state_of(alarm, elsewhere) == "OK", name
        if alarm["EvaluationPeriods"] > 1:
            once = {key: periods[:1] for key, periods in values.items()}
            assert state_of(alarm, once) == "OK", name


def test_drift_of_a_few_windows_shows_nothing(stack: Stack) -> None:
    alarm = alarms_of(stack)["ScoreDriftAlarm"]
    keys = {each: key_of(query) for each, query in queries_of(alarm).items()}

    def state(windows: float, target: float, reference: float) -> str:
        fed = {"windows": windows, "target": target, "reference": reference}
        return state_of(alarm, {keys[each]: [[value]] for each, value in fed.items()})

    assert state(9_999, 9_999, 0) == "OK"
    assert state(20_000, 4_000, 2_000) == "OK"
    assert state(20_000, 0, 8_000) == "ALARM"


# --------------------------------------------------------------------- every metric has somebody who emits it


def test_every_metric_is_emitted_with_these_dimensions(stack: Stack) -> None:
    transformations = [
        (transformation["MetricNamespace"], transformation["MetricName"])
        for each in stack.resources("AWS::Logs::MetricFilter").values()
        for transformation in each["Properties"]["MetricTransformations"]
    ]
    for namespace, name, dimensions in own_metrics(stack):
        if namespace == NAMESPACE:
            assert dimensions == OWN[name], name
        elif namespace == stack.name:
            assert (namespace, name) in transformations
            assert dimensions == ()
        else:
            assert dimensions in DOCUMENTED[namespace, name], name


def test_dimensions_have_the_values_of_this_stack(stack: Stack) -> None:
    functions = {stack.resolved({"Ref": name}) for name in stack.resources("AWS::Lambda::Function")}
    queues = {stack.resolved({"Fn::GetAtt": [name, "QueueName"]}) for name in stack.resources("AWS::SQS::Queue")}
    allowed = {
        "FunctionName": functions,
        "QueueName": queues,
        "StateMachineArn": {stack.resolved({"Ref": "AnalyzeStateMachine"})},
        "Resource": {f"{function}:live" for function in functions},
        "ApiName": {stack.name},
        "Stack": {stack.name},
        "Stage": {stack.values["Stage"]},
    }
    for name, alarm in alarms_of(stack).items():
        for query in queries_of(alarm).values():
            for dimension, value in key_of(query)[2]:
                assert value in allowed[dimension], name
    api = next(iter(stack.resources("AWS::ApiGateway::RestApi").values()))["Properties"]
    assert api["Body"]["info"]["title"] == stack.name  # CloudWatch's ApiName


def test_every_dead_letter_queue_has_an_alarm(stack: Stack) -> None:
    names = {name for name in stack.resources("AWS::SQS::Queue") if "DeadLetters" in name}
    assert names
    watched = {value for alarm in alarms_of(stack).values() for query in queries_of(alarm).values()
               for dimension, value in key_of(query)[2] if dimension == "QueueName"}  # fmt: skip
    assert watched == {stack.resolved({"Fn::GetAtt": [name, "QueueName"]}) for name in names}


def test_duration_of_every_function_is_watched_below_its_timeout(stack: Stack) -> None:
    watched = {}
    for alarm in alarms_of(stack).values():
        for query in queries_of(alarm).values():
            namespace, name, dimensions = key_of(query)
            if (namespace, name) == ("AWS/Lambda", "Duration"):
                watched[dict(dimensions)["FunctionName"]] = float(alarm["Threshold"]) / 1000
    for name, function in stack.resources("AWS::Lambda::Function").items():
        if name in NOT_WATCHED:
            continue
        timeout = function["Properties"]["Timeout"]
        assert 0.3 * timeout < watched[stack.resolved({"Ref": name})] < timeout, name


def test_alarms_of_the_dashboard_are_all_alarms(stack: Stack) -> None:
    [dashboard] = stack.resources("AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(dashboard["Properties"]["DashboardBody"])["widgets"]
    [shown] = [widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm"]
    assert len(shown) == len(set(shown)) == len(alarms_of(stack))
    for widget in widgets:
        previous: list[Any] = []
        for metric in widget["properties"].get("metrics", ()):
            if isinstance(metric[0], dict):
                for name in re.findall(r'MetricName="(\w+)"', metric[0]["expression"]):
                    dimensions = ",".join(OWN[name])
                    assert f"{{{NAMESPACE},{dimensions}}}" in metric[0]["expression"]
                continue
            words = [word for word in metric if isinstance(word, str)]
            if words[0] == "...":
                words = previous[: len(previous) - len(words[1:])] + words[1:]
            words = [previous[index] if word == "." else word for index, word in enumerate(words)]
            previous = words
            namespace, name, *pairs = words
            names = tuple(pairs[::2])
            if namespace == NAMESPACE:
                assert names == OWN[name], name
            elif namespace != stack.name:
                assert names in DOCUMENTED[namespace, name], name


# ------------------------------------------------------------------------------------------- the runbook


def sections() -> dict[str, str]:
    """Return the text below each heading ``### NameAlarm`` of the runbook."""
    parts = re.split(r"^### (\w+)$", RUNBOOK, flags=re.MULTILINE)[1:]
    named = zip(parts[::2], parts[1::2], strict=True)
    return {name: re.split(r"^##? ", text, flags=re.MULTILINE)[0] for name, text in named}


def test_every_alarm_has_its_section_and_names_it(stack: Stack) -> None:
    found = sections()
    assert set(found) == {name for each in STACKS for name in alarms_of(each)}
    for name, alarm in alarms_of(stack).items():
        assert alarm["AlarmDescription"].endswith(f"(docs/operations.md, {name})")
        assert len(alarm["AlarmDescription"]) <= 1024
        for word in ("**Means.**", "**Look.**", "**Do.**"):
            assert word in found[name], (name, word)


def commands() -> list[str]:
    joined = RUNBOOK.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.startswith("    aws ")]


def test_commands_of_the_runbook_exist_with_their_options() -> None:
    assert len(commands()) >= 8
    session = botocore.session.get_session()
    for command in commands():
        _, service, operation, *rest = shlex.split(command.split(" | ")[0].split(" > ")[0])
        names = {"s3": None, "stepfunctions": "stepfunctions", "apigateway": "apigateway"}
        if names.get(service, service) is None:  # `aws s3 cp` and so on are no operations
            continue
        client = session.create_client(service, region_name="eu-central-1")
        if operation == "tail":
            assert service == "logs"
            continue
        method = operation.replace("-", "_")
        api = client.meta.method_to_api_mapping[method]
        members = {
            re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
            for name in client.meta.service_model.operation_model(api).input_shape.members
        }
        options = {word.removeprefix("--") for word in rest if word.startswith("--")}
        assert options <= members | {"query", "output", "no-cli-pager"}, command


def test_messages_in_the_queries_of_the_runbook_are_logged() -> None:
    sources = "".join(
        path.read_text()
        for folder in ("functions", "layers/anemonefish/src/anemonefish")
        for path in (REPOSITORY / folder).rglob("*.py")
    )
    messages = re.findall(r'message = "([^"]+)"', RUNBOOK)
    assert messages
    assert [message for message in messages if f'"{message}"' not in sources] == []
