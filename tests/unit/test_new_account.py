"""What a new account refuses is no default here: memory, reserved concurrency, throttles.

Lambda's quotas: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (new accounts have less memory
and concurrency than the page's 10,240 MB and 1,000); a reservation must leave 100 unreserved.
API Gateway's: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from localstack.packaging import load_template
from tests.cloudformation import Stack

REPOSITORY = Path(__file__).parents[2]
MEMORY_MB = 3008
CONCURRENCY = 10
ENGINE_IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/engine:1"
API_BURST = 1250  # of the account, in the regions that have the least
FEWEST_LEFT = 2  # executions left to the API and to predict while a job runs


def _stage(name: str) -> dict[str, str]:
    document = tomllib.loads((REPOSITORY / "samconfig.toml").read_text())
    words: list[str] = document[name]["deploy"]["parameters"]["parameter_overrides"]
    return dict(word.split("=", 1) for word in words)


STACKS = {
    "defaults": Stack(),
    "Keras": Stack({"Engine": "keras", "EngineImage": ENGINE_IMAGE}),
    "Webhooks": Stack({"Webhooks": "enabled", "AllowedOrigins": "https://lab.example.org"}),
    **{stage: Stack(_stage(stage)) for stage in ("default", "dev", "staging", "prod")},
}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> Stack:
    return STACKS[request.param]


@pytest.fixture
def functions(stack: Stack) -> dict[str, dict[str, Any]]:
    found = {name: each["Properties"] for name, each in stack.resources("AWS::Lambda::Function").items()}
    assert len(found) >= 9
    return found


def test_no_function_takes_more_memory_than_a_new_account_allows(functions: dict[str, dict[str, Any]]) -> None:
    sizes = {name: int(properties["MemorySize"]) for name, properties in functions.items()}
    assert {name: size for name, size in sizes.items() if size > MEMORY_MB} == {}


def test_every_function_is_within_the_limits_of_every_account(functions: dict[str, dict[str, Any]]) -> None:
    for name, properties in functions.items():
        assert int(properties["MemorySize"]) >= 128, name
        assert int(properties["Timeout"]) <= 900, name
        assert int(properties.get("EphemeralStorage", {"Size": 512})["Size"]) <= 10_240, name


def test_no_concurrency_is_reserved_or_provisioned(stack: Stack, functions: dict[str, dict[str, Any]]) -> None:
    assert [name for name, properties in functions.items() if "ReservedConcurrentExecutions" in properties] == []
    for kind in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
        for name, resource in stack.resources(kind).items():
            assert "ProvisionedConcurrencyConfig" not in resource["Properties"], name


def test_concurrency_of_the_api_may_be_reserved_by_parameter() -> None:
    functions = Stack({"ApiReservedConcurrency": 20}).resources("AWS::Lambda::Function")
    reserved = {
        name: function["Properties"].get("ReservedConcurrentExecutions") for name, function in functions.items()
    }
    assert {name: count for name, count in reserved.items() if count is not None} == dict.fromkeys(
        ("ApiFunction", "PredictFunction", "ExcerptFunction"), 20
    )


@pytest.mark.parametrize("name", ["defaults", "default", "dev"])
def test_workers_leave_concurrency_to_the_api_in_a_new_account(name: str) -> None:
    values = STACKS[name].values
    assert int(values["MaxConcurrency"]) <= int(values["MaxWorkers"]) <= CONCURRENCY - FEWEST_LEFT


def test_api_is_throttled_below_what_the_account_has(stack: Stack) -> None:
    for resource in stack.resources("AWS::ApiGateway::Stage").values():
        for method in resource["Properties"]["MethodSettings"]:
            assert int(method["ThrottlingBurstLimit"]) <= API_BURST


def test_memory_may_be_raised_by_parameter_up_to_lambdas_limit() -> None:
    parameters = {
        name: parameter for name, parameter in Stack().template["Parameters"].items() if name.endswith("Memory")
    }
    assert {"ScoreMemory", "TranscodeMemory"} <= set(parameters)
    for name, parameter in parameters.items():
        assert int(parameter["Default"]) <= MEMORY_MB < int(parameter["MaxValue"]) == 10_240, name
        assert "3,008" in parameter["Description"], name
    larger = Stack({"TranscodeMemory": 3538, "ScoreMemory": 4096}).resources("AWS::Lambda::Function")
    assert larger["TranscodeFunction"]["Properties"]["MemorySize"] == 3538
    assert larger["ScoreFunction"]["Properties"]["MemorySize"] == 4096


def test_guided_deployment_asks_in_the_order_of_the_groups_and_every_question_has_an_answer() -> None:
    """``sam deploy --guided`` asks in the order of Parameters, the console in that of the groups."""
    template = load_template(REPOSITORY / "template.yaml")
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    names = [name for group in groups for name in group["Parameters"]]
    assert names == list(template["Parameters"])
    assert names[:3] == ["Stage", "Architecture", "AlarmEmail"]
    assert [name for name, parameter in template["Parameters"].items() if "Default" not in parameter] == []
    # A parameter that is not in the digest would not reach the functions behind the API (tests/unit/test_updates.py).
    digest = template["Resources"]["ConfigurationDigest"]["Properties"]["Values"]
    assert digest[: len(names)] == [{"Ref": name} for name in names]


def test_stages_give_only_parameters_that_the_template_has() -> None:
    for stage in ("default", "dev", "staging", "prod"):
        assert set(_stage(stage)) <= set(Stack().template["Parameters"])


def test_commands_of_the_documentation_work_in_a_new_account() -> None:
    for path in [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]:
        commands = "\n".join(line for line in path.read_text().splitlines() if line.startswith("    "))
        sizes = [int(size) for size in re.findall(r"Memory=(\d+)", commands)]
        assert [size for size in sizes if size > MEMORY_MB] == [], path
