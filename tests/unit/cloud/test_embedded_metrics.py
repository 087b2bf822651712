"""Lines of metrics follow CloudWatch's embedded metric format.

The schema is AWS's, without titles and examples: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from anemonefish.cloud.embedded_metrics import MOST_VALUES, NAMESPACE, UNITS, emit
from anemonefish.cloud.function_log import KEYS, bound

NAME = {"type": "string", "pattern": "^(.*)$", "minLength": 1, "maxLength": 250}
UNIT = (
    "^(Seconds|Microseconds|Milliseconds|Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|Kilobits|Megabits|Gigabits"
    "|Terabits|Percent|Count|Bytes\\/Second|Kilobytes\\/Second|Megabytes\\/Second|Gigabytes\\/Second|Terabytes\\/Second"
    "|Bits\\/Second|Kilobits\\/Second|Megabits\\/Second|Gigabits\\/Second|Terabits\\/Second|Count\\/Second|None)$"
)
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": {"type": "string", "pattern": "^(.*)$", "minLength": 1, "maxLength": 1024},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "array", "minItems": 1, "maxItems": 30, "items": NAME},
                            },
                            "Metrics": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "properties": {
                                        "Name": {**NAME, "maxLength": 1024},
                                        "Unit": {"type": "string", "pattern": UNIT},
                                        "StorageResolution": {"type": "integer", "enum": [1, 60]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}


def metrics_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a line of metrics, after checking everything that the specification demands."""
    jsonschema.validate(document, SCHEMA)
    values: dict[str, Any] = {}
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimensions in directive["Dimensions"]:
            assert all(isinstance(document[name], str) and document[name] for name in dimensions)
        for metric in directive["Metrics"]:
            value = document[metric["Name"]]
            numbers = value if isinstance(value, list) else [value]
            assert 0 < len(numbers) <= MOST_VALUES
            assert all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers)
            values[metric["Name"]] = value
    return values


@pytest.fixture
def in_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANEMONEFISH_STACK", "anemonefish-dev")
    monkeypatch.setenv("ANEMONEFISH_STAGE", "dev")


@pytest.mark.usefixtures("in_stack")
def test_line_follows_the_schema_and_is_joined_with_the_other_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with bound(correlation_id="cruise-7", function="score"):
        emit({"TargetScore": [0.25, 0.75], "Events": 3}, Model="reef@1.1.0")
    line = json.loads(capsys.readouterr().out)
    assert metrics_of(line) == {"TargetScore": [0.25, 0.75], "Events": 3}
    directive = line["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == NAMESPACE
    assert directive["Dimensions"] == [["Stack", "Stage", "Model"]]
    assert (line["Stack"], line["Stage"], line["Model"]) == ("anemonefish-dev", "dev", "reef@1.1.0")
    assert set(KEYS) < set(line)
    assert line["correlation_id"] == "cruise-7"


@pytest.mark.usefixtures("in_stack")
def test_every_metric_has_a_unit_that_cloudwatch_knows(capsys: pytest.CaptureFixture[str]) -> None:
    for name in UNITS:
        emit({name: 1})
        assert metrics_of(json.loads(capsys.readouterr().out)) == {name: 1}


@pytest.mark.usefixtures("in_stack")
def test_metric_without_a_unit_is_refused() -> None:
    with pytest.raises(KeyError, match="Evnts"):
        emit({"Evnts": 1})


def test_nothing_is_logged_outside_of_a_stack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ANEMONEFISH_STACK", raising=False)
    emit({"Events": 1})
    assert capsys.readouterr().out == ""
