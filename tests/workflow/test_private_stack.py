"""A stack in a private network with a key of its own gives the same bytes as one without.

The emulator encrypts nothing and has no networks. This shows that the parameters deploy, that they reach the services,
and that the functions run with the roles of such a stack.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anemonefish.simulation.scene import scene, write_scene
from localstack import Execution, LocalAws, Stack
from localstack.packaging import load_template
from localstack.stack import await_stack
from tests.workflow.conftest import BUILD, PARAMETERS, REPOSITORY
from tests.workflow.test_smoke_suite import smoke

MISSING = {"AWS::EC2::FlowLog"}
"""Types of resources that the emulator does not have."""


def _deploy(aws: LocalAws, file: str) -> dict[str, str]:
    """Deploy a template of account/; return its outputs, which are parameters of template.yaml."""
    template = load_template(REPOSITORY / "account" / file)
    template["Resources"] = {
        name: resource for name, resource in template["Resources"].items() if resource["Type"] not in MISSING
    }
    name = f"account-{Path(file).stem.replace('_', '-')}"
    aws.client("cloudformation").create_stack(
        StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
    )
    return await_stack(aws.client("cloudformation"), name)


@pytest.fixture(scope="module")
def shared(aws: LocalAws) -> dict[str, str]:
    """Deploy the templates of account/ that the emulator can deploy."""
    outputs = [_deploy(aws, file) for file in ("network.yaml", "key.yaml", "access_logs.yaml")]
    return {name: value for found in outputs for name, value in found.items()}


@pytest.fixture(scope="module")
def private_stack(aws: LocalAws, s3: Any, shared: dict[str, str]) -> Stack:
    parameters = {**PARAMETERS, **shared, "ApiAccessLogs": "enabled"}
    return aws.deploy(REPOSITORY / "template.yaml", BUILD / "layers", parameters, name="private")


def _physical_ids(aws: LocalAws, stack: Stack) -> dict[str, str]:
    pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.name)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
    }


def _results(s3: Any, stack: Stack, job: str) -> dict[str, bytes]:
    """Return the result files of a job; the name of the input bucket is replaced, because it differs between stacks."""
    inputs = stack.outputs["InputBucketName"].encode()
    bucket, prefix = stack.outputs["OutputBucketName"], f"jobs/lab/{job}/results/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    files = {key.removeprefix(prefix): s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    return {name: content.replace(inputs, b"input-bucket") for name, content in files.items()}


def _run(s3: Any, stack: Stack, recording: Path, job: str) -> Execution:
    s3.upload_file(str(recording), stack.outputs["InputBucketName"], recording.name)
    uri = f"s3://{stack.outputs['InputBucketName']}/{recording.name}"
    return stack.run(
        {
            "job": {"tenant": "lab", "id": job},
            "recordings": [{"uri": uri, "name": recording.name}],
            "model": "reef@production",
            "settings": {"formats": ["json", "csv", "raven"]},
        }
    )


def test_results_are_the_same_bytes(stack: Stack, private_stack: Stack, s3: Any, tmp_path: Path) -> None:
    recording = tmp_path / "reef.wav"
    write_scene(scene(20, seed=3), recording)
    for deployed in (stack, private_stack):
        assert _run(s3, deployed, recording, "private-1").status == "SUCCEEDED", deployed.logs()
    results = _results(s3, private_stack, "private-1")
    assert len(results) >= 3
    assert results == _results(s3, stack, "private-1")


def test_smoke_suite_passes(private_stack: Stack) -> None:
    done = smoke(private_stack.api_url, private_stack.api_key)
    assert done.returncode == 0, done.stdout + done.stderr


def test_services_got_the_key(aws: LocalAws, private_stack: Stack, shared: dict[str, str]) -> None:
    """The emulator keeps the key of queues, secrets and log groups; the rest is in tests/unit/test_own_key.py."""
    names, key = _physical_ids(aws, private_stack), shared["KeyArn"]
    for name in ("StatusDeadLetters", "WebhookQueue", "WebhookDeadLetters"):
        attributes = aws.client("sqs").get_queue_attributes(QueueUrl=names[name], AttributeNames=["All"])["Attributes"]
        assert (attributes["KmsMasterKeyId"], attributes["SqsManagedSseEnabled"]) == (key, "false"), name
    assert aws.client("secretsmanager").describe_secret(SecretId=names["WebhookSecret"])["KmsKeyId"] == key
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    keys = {group["logGroupName"]: group.get("kmsKeyId") for group in groups}
    for name in ("FunctionLogGroup", "AnalyzeLogGroup", "ApiLogGroup"):
        assert keys[names[name]] == key, name
