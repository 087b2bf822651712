"""What the template bounds: routes without a key, what one key may spend, and the answers' size."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))  # localstack is a folder of the repository, not an installed package

from localstack.packaging import load_template  # noqa: E402

LIMITS = {"MaxJobUsd": "ANEMONEFISH_MAX_JOB_USD", "MaxJobs": "ANEMONEFISH_MAX_JOBS",
          "MaxStoredGb": "ANEMONEFISH_MAX_STORED_GB"}  # fmt: skip


@pytest.fixture(scope="module")
def template() -> Any:
    return load_template(REPOSITORY / "template.yaml")


@pytest.fixture(scope="module")
def api(template: Any) -> Any:
    return template["Resources"]["Api"]["Properties"]


def test_every_route_without_a_key_has_a_throttle_of_its_own(api: Any) -> None:
    settings = {(each["HttpMethod"], each["ResourcePath"]): each for each in api["MethodSettings"]}
    rest = settings["*", "/*"]
    opened = [
        (method.upper(), path)
        for path, methods in api["DefinitionBody"]["paths"].items()
        for method, operation in methods.items()
        if operation["security"] == [] and method != "options"
    ]
    assert len(opened) == 6  # GET and HEAD of three routes
    for method, path in opened:
        own = settings[method, "/" + path.replace("/", "~1")]  # how CloudFormation writes the path of a method
        assert own["ThrottlingRateLimit"] <= rest["ThrottlingRateLimit"] / 50
        assert own["ThrottlingBurstLimit"] <= rest["ThrottlingBurstLimit"] / 50


def test_one_key_leaves_excerpts_to_the_others(template: Any, api: Any) -> None:
    path = "/executions/{execution}/recordings/{proxy+}"
    assert "get" in api["DefinitionBody"]["paths"][path]
    settings = {(each["HttpMethod"], each["ResourcePath"]): each for each in api["MethodSettings"]}
    everybody = settings["GET", "/" + path.replace("/", "~1")]
    [stage] = template["Resources"]["UsagePlan"]["Properties"]["ApiStages"]
    of_a_key = stage["Throttle"][f"{path}/GET"]
    assert 2 * of_a_key["RateLimit"] <= everybody["ThrottlingRateLimit"]
    assert 2 * of_a_key["BurstLimit"] <= everybody["ThrottlingBurstLimit"]


def test_answers_are_compressed_and_json_stays_text(api: Any) -> None:
    assert 0 < api["MinimumCompressionSize"] <= 2048
    assert api["DefinitionBody"]["x-amazon-apigateway-binary-media-types"] == ["multipart/form-data"]


def test_the_functions_know_the_limits(template: Any) -> None:
    def variables(function: str) -> dict[str, Any]:
        return dict(template["Resources"][function]["Properties"]["Environment"]["Variables"])

    for parameter, variable in LIMITS.items():
        assert variables("ApiFunction")[variable] == {"Ref": parameter}
    assert variables("PlanFunction")["ANEMONEFISH_MAX_JOB_USD"] == {"Ref": "MaxJobUsd"}


def test_the_limits_are_documented_with_their_defaults(template: Any) -> None:
    rows = (REPOSITORY / "docs/deploy.md").read_text().splitlines()
    for parameter in (*LIMITS, "HealSchedule"):
        (row,) = [each for each in rows if each.startswith(f"| `{parameter}` |")]
        default = template["Parameters"][parameter]["Default"]
        assert (f"{default:,}" if isinstance(default, int) else str(default)) in row


def test_the_function_that_heals_runs_on_its_schedule(template: Any) -> None:
    properties = template["Resources"]["HealFunction"]["Properties"]
    assert properties["Events"]["Schedule"]["Properties"]["Schedule"] == {"Ref": "HealSchedule"}


def test_throttled_function_is_answered_with_a_time_to_try_again(api: Any) -> None:
    answers = api["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]
    busy = answers["INTEGRATION_FAILURE"]  # API Gateway's answer for a function that Lambda throttled
    assert busy["statusCode"] == "503"
    assert json.loads(busy["responseTemplates"]["application/json"])["error"] == "ServiceBusy"
    for name in ("INTEGRATION_FAILURE", "DEFAULT_5XX", "THROTTLED"):
        for headers in answers[name]["responseParameters"]["Fn::If"][1:]:
            assert headers["gatewayresponse.header.Retry-After"] == "'5'"


def tasks(states: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every task of a state machine, also those inside of a Map."""
    for name, state in states.items():
        if state["Type"] == "Task":
            yield name, state
        yield from tasks(state.get("ItemProcessor", {}).get("States", {}))


def test_every_task_waits_about_an_hour_for_concurrency() -> None:
    definition = json.loads((REPOSITORY / "statemachine/analyze.asl.json").read_text())
    found = dict(tasks(definition["States"]))
    assert {"Plan", "ScoreTogether", "Aggregate", "RecordFailure"} <= set(found)
    for name, state in found.items():
        first = next(retry for retry in state["Retry"] if "Lambda.TooManyRequestsException" in retry["ErrorEquals"])
        assert first["JitterStrategy"] == "FULL", name
        delays = [
            min(first["MaxDelaySeconds"], first["IntervalSeconds"] * first["BackoffRate"] ** count)
            for count in range(first["MaxAttempts"])
        ]
        assert 3000 <= sum(delays) / 2 <= 4200, name  # full jitter waits half of a delay on average
