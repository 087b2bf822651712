"""The URL and the key of a deployed stage, from its outputs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from shipping import deployed_api
from shipping.deployed_api import stack_and_region, url_and_key

URL = "https://abc.execute-api.eu-central-1.amazonaws.com/v1"
OUTPUTS = {"ApiUrl": URL, "FirstKeyId": "k123", "ModelsBucketName": "models"}


@pytest.fixture
def clients() -> dict[str, Any]:
    return {name: boto3.client(name, "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
            for name in ("cloudformation", "apigateway")}  # fmt: skip


def _describes(client: Any, stack: str, outputs: dict[str, str]) -> Stubber:
    listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    stack_description = {"StackName": stack, "CreationTime": 0, "StackStatus": "CREATE_COMPLETE", "Outputs": listed}
    stubber = Stubber(client)
    stubber.add_response("describe_stacks", {"Stacks": [stack_description]}, {"StackName": stack})
    return stubber


def _has_key(client: Any, value: str) -> Stubber:
    stubber = Stubber(client)
    stubber.add_response("get_api_key", {"value": value}, {"apiKey": "k123", "includeValue": True})
    return stubber


def test_stack_of_a_stage_is_the_one_in_samconfig() -> None:
    assert stack_and_region("staging") == ("anemonefish-staging", None)
    with pytest.raises(SystemExit, match="no stage nothing"):
        stack_and_region("nothing")


def test_stack_of_the_guided_deployment_is_the_saved_one(tmp_path: Path) -> None:
    (tmp_path / "samconfig.toml").write_text('[default.deploy.parameters]\nstack_name = "anemonefish"\n')
    assert stack_and_region("default", tmp_path) == ("anemonefish", None)
    saved = '[default.deploy.parameters]\nstack_name = "reef"\nregion = "ap-southeast-2"\n'
    (tmp_path / "samconfig.local.toml").write_text(saved)
    assert stack_and_region("default", tmp_path) == ("reef", "ap-southeast-2")


def test_url_and_key_are_read_from_the_stack(clients: dict[str, Any]) -> None:
    with _describes(clients["cloudformation"], "reef", OUTPUTS), _has_key(clients["apigateway"], "secret"):
        assert url_and_key(clients["cloudformation"], clients["apigateway"], "reef") == (URL, "secret")


def test_stack_without_keys_is_refused(clients: dict[str, Any]) -> None:
    with (
        _describes(clients["cloudformation"], "reef", {"ApiUrl": URL}),
        pytest.raises(SystemExit, match="Authorization is not api-key"),
    ):
        url_and_key(clients["cloudformation"], clients["apigateway"], "reef")


@pytest.mark.parametrize(("runner", "status"), [("", 0), ("true", 3)])
def test_command_gets_url_and_key_and_the_key_is_masked_in_the_log_of_a_runner(
    clients: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    runner: str,
    status: int,
) -> None:
    monkeypatch.setattr(boto3, "client", lambda name, _: clients[name])
    monkeypatch.setattr(deployed_api.account, "main", lambda _: 0)
    monkeypatch.setenv("GITHUB_ACTIONS", runner)
    seen = tmp_path / "seen"
    program = f"""import os, pathlib
pathlib.Path({str(seen)!r}).write_text(os.environ['URL'] + ' ' + os.environ['KEY'])
raise SystemExit({status})"""
    with (
        _describes(clients["cloudformation"], "anemonefish-dev", OUTPUTS),
        _has_key(clients["apigateway"], "secret"),
    ):
        assert deployed_api.main(["dev", sys.executable, "-c", program]) == status
    assert seen.read_text() == f"{URL} secret"
    assert capfd.readouterr().out == ("::add-mask::secret\n" if runner else "")


def test_stage_that_is_not_deployed_is_named(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "client", lambda name, _: clients[name])
    monkeypatch.setattr(deployed_api.account, "main", lambda _: 0)
    with Stubber(clients["cloudformation"]) as stubber:
        stubber.add_client_error("describe_stacks", "ValidationError", "Stack with id anemonefish-dev does not exist")
        with pytest.raises(SystemExit, match=r"does not exist; deploy the stack anemonefish-dev first"):
            deployed_api.main(["dev", "true"])
