"""An update of the stack: the API's alias moves to a version with the new configuration, and only when there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from localstack import LocalAws, Stack
from localstack.packaging import CAPABILITIES
from tests.workflow.conftest import BUILD, await_true

REPOSITORY = Path(__file__).parents[2]
FUNCTIONS = ("ApiFunction", "PredictFunction")


@pytest.fixture(scope="module")
def updated(aws: LocalAws, s3: Any) -> Stack:
    """Deploy a stack of its own, because its updates would disturb other tests."""
    return aws.deploy(REPOSITORY / "template.yaml", BUILD / "layers", {"MaxJobs": 3}, name="updated")


def _update(aws: LocalAws, stack: Stack, **parameters: str) -> None:
    cloudformation = aws.client("cloudformation")
    names = cloudformation.describe_stacks(StackName=stack.name)["Stacks"][0]["Parameters"]
    values = [
        {"ParameterKey": name, "ParameterValue": parameters[name]}
        if (name := each["ParameterKey"]) in parameters
        else {"ParameterKey": name, "UsePreviousValue": True}
        for each in names
    ]
    cloudformation.update_stack(
        StackName=stack.name, UsePreviousTemplate=True, Parameters=values, Capabilities=CAPABILITIES
    )

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=stack.name)["Stacks"][0]["StackStatus"])

    await_true(lambda: not status().endswith("PROGRESS"), "the update")
    assert status() == "UPDATE_COMPLETE"


def _live(aws: LocalAws, stack: Stack) -> dict[str, dict[str, Any]]:
    """Return the configuration that the alias of each function means."""
    functions, cloudformation = aws.client("lambda"), aws.client("cloudformation")
    names = {
        name: cloudformation.describe_stack_resource(StackName=stack.name, LogicalResourceId=name)[
            "StackResourceDetail"
        ]["PhysicalResourceId"]
        for name in FUNCTIONS
    }
    return {
        name: functions.get_function_configuration(FunctionName=physical, Qualifier="live")
        for name, physical in names.items()
    }


def test_api_answers_from_the_version_that_an_update_published(aws: LocalAws, updated: Stack) -> None:
    before = _live(aws, updated)
    _update(aws, updated, MaxJobs="4")
    after = _live(aws, updated)
    for name in FUNCTIONS:
        assert before[name]["Version"] != after[name]["Version"] != "$LATEST"
    assert before["ApiFunction"]["Environment"]["Variables"]["ANEMONEFISH_MAX_JOBS"] == "3"
    assert after["ApiFunction"]["Environment"]["Variables"]["ANEMONEFISH_MAX_JOBS"] == "4"

    answer = httpx.get(f"{updated.api_url}/usage", headers={"x-api-key": updated.api_key})
    assert answer.json()["jobs"]["limit"] == 4, answer.text
