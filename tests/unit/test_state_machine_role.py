"""The state machine's role: it may make every call that the workflow makes, and no other.

The calls are read from statemachine/analyze.asl.json, the role from the translated template, the input of the states
from the plan function itself. What each integration needs is what AWS documents for it:

- Distributed Map: https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
- Lambda tasks:    https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
- logs:            https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
- X-Ray:           https://docs.aws.amazon.com/step-functions/latest/dg/concepts-xray-tracing.html
"""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from anemonefish.cloud import clients
from anemonefish.simulation.scene import scene, write_scene
from tests.cloudformation import Stack, is_allowed, statements_of

REPOSITORY = Path(__file__).parents[2]
ASL = REPOSITORY / "statemachine" / "analyze.asl.json"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/engine:1"
STACKS = {
    "LiteRT": Stack(),
    "Keras": Stack({"Engine": "keras", "EngineImage": IMAGE}),
    "China": Stack(partition="aws-cn", region="cn-north-1", name="reef"),
}
JOBS = [("lab", "e-2026"), ("tenant_2-B", "my-first_job")]

RESULT_FILES = ("manifest.json", "SUCCEEDED_0.json", "FAILED_0.json", "PENDING_0.json")
LOG_DELIVERY = (
    "CreateLogDelivery",
    "GetLogDelivery",
    "UpdateLogDelivery",
    "DeleteLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "DescribeResourcePolicies",
    "DescribeLogGroups",
)
TRACING = ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets")


@dataclass(frozen=True, order=True)
class Call:
    """One call to AWS that the state machine makes as its role, and the state that makes it."""

    action: str
    resource: str
    state: str


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """What the plan function answers for each job: the input of the states behind it."""
    buckets = {kind: f"anemonefish-dev-{kind}bucket" for kind in ("input", "output", "models")}
    recording = tmp_path_factory.mktemp("plan") / "a.wav"
    write_scene(scene(5, seed=1), recording)
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("ANEMONEFISH_MAX_CONCURRENCY", "5")
        for kind, bucket in buckets.items():
            patch.setenv(f"ANEMONEFISH_{kind.upper()}_BUCKET", bucket)
        clients.client.cache_clear()
        client = boto3.client("s3")
        for bucket in buckets.values():
            client.create_bucket(Bucket=bucket)
        models = REPOSITORY / "models"
        for path in (file for file in models.rglob("*") if file.is_file()):
            client.upload_file(str(path), buckets["models"], path.relative_to(models).as_posix())
        client.upload_file(str(recording), buckets["input"], "a.wav")
        plan = _handler("plan")
        recordings = [{"uri": f"s3://{buckets['input']}/a.wav", "name": "a.wav"}]
        answered = {
            (tenant, job): plan.handler(
                {"job": {"tenant": tenant, "id": job}, "recordings": recordings, "model": "reef@production"}, None
            )
            for tenant, job in JOBS
        }
    clients.client.cache_clear()
    return answered


def _handler(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"{name}_app", REPOSITORY / "functions" / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the calls ------------------------------------------------------------------------------------------------------


def calls(stack: Stack, answer: Mapping[str, Any]) -> set[Call]:
    """Return every call of an execution whose plan function gave this answer."""
    [(name, machine)] = stack.resources("AWS::StepFunctions::StateMachine").items()
    properties = machine["Properties"]
    substitutions = properties["DefinitionSubstitutions"]
    definition = json.loads(re.sub(r"\$\{(\w+)\}", lambda found: substitutions[found[1]], ASL.read_text()))
    # The stack of the test has other bucket names than the plan function saw; the kind of a bucket is in its name.
    given = {**answer, "bucket": stack.arn("OutputBucket").rpartition(":")[2]}
    found = set(_calls_of(definition["States"], given, stack, stack.arn(name)))
    if properties["TracingConfiguration"]["Enabled"]:
        found |= {Call(f"xray:{action}", "*", "(tracing)") for action in TRACING}
    if properties["LoggingConfiguration"]["Level"] != "OFF":
        found |= {Call(f"logs:{action}", "*", "(logging)") for action in LOG_DELIVERY}
    return found


def _calls_of(states: Mapping[str, Any], given: Mapping[str, Any], stack: Stack, machine: str) -> Iterator[Call]:
    for name, state in states.items():
        match state["Type"]:
            case "Task":
                yield from _task(name, state, stack)
            case "Map":
                processor = state["ItemProcessor"]
                yield from _calls_of(processor["States"], given, stack, machine)
                if processor["ProcessorConfig"]["Mode"] == "DISTRIBUTED":
                    yield from _distributed(name, state, given, stack, machine)
            case "Choice" | "Succeed" | "Fail" | "Pass" | "Wait":
                pass
            case kind:
                raise NotImplementedError(f"{name}: {kind}")


def _task(name: str, state: Mapping[str, Any], stack: Stack) -> Iterator[Call]:
    assert state["Resource"] == f"arn:{stack.partition}:states:::lambda:invoke", f"{name}: which actions does it take?"
    yield Call("lambda:InvokeFunction", state["Parameters"]["FunctionName"], name)


def _distributed(
    name: str, state: Mapping[str, Any], given: Mapping[str, Any], stack: Stack, machine: str
) -> Iterator[Call]:
    bucket = f"arn:{stack.partition}:s3:::"
    reader, writer = state["ItemReader"], state["ResultWriter"]
    assert reader["Resource"] == f"arn:{stack.partition}:states:::s3:getObject", name
    source = _parameters(reader["Parameters"], given)
    yield Call("s3:GetObject", f"{bucket}{source['Bucket']}/{source['Key']}", name)

    assert writer["Resource"] == f"arn:{stack.partition}:states:::s3:putObject", name
    target = _parameters(writer["Parameters"], given)
    for file in RESULT_FILES:
        key = f"{bucket}{target['Bucket']}/{target['Prefix']}/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0/{file}"
        for action in ("PutObject", "GetObject", "ListMultipartUploadParts", "AbortMultipartUpload"):
            yield Call(f"s3:{action}", key, name)

    yield Call("states:StartExecution", machine, name)
    executions = machine.replace(":stateMachine:", ":execution:")
    for execution in (f"{executions}:11111111-2222", f"{executions}/{state['Label']}:33333333-4444"):
        for action in ("DescribeExecution", "StopExecution"):
            yield Call(f"states:{action}", execution, name)
    # Somebody redrives the parent in the console; a child of the kind Express would be started anew.
    assert state["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] == "STANDARD"
    yield Call("states:RedriveExecution", f"{executions}/{state['Label']}:33333333-4444", name)


def _parameters(parameters: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, str]:
    return {
        name.removesuffix(".$"): _evaluated(value, given) if name.endswith(".$") else value
        for name, value in parameters.items()
    }


def _evaluated(expression: str, given: Mapping[str, Any]) -> str:
    """Evaluate the little of JSONPath that reader and writer use."""
    if path := re.fullmatch(r"\$\.(\w+)", expression):
        return str(given[path[1]])
    if call := re.fullmatch(r"States\.Format\('([^']*)', (\$\.\w+(?:, \$\.\w+)*)\)", expression):
        return call[1].format(*(_evaluated(argument, given) for argument in call[2].split(", ")))
    raise NotImplementedError(expression)


@cache
def _role(stack_name: str) -> tuple[dict[str, Any], ...]:
    stack = STACKS[stack_name]
    [machine] = stack.resources("AWS::StepFunctions::StateMachine").values()
    roles = stack.resources("AWS::IAM::Role")
    [role] = [role for name, role in roles.items() if stack.arn(name) == machine["Properties"]["RoleArn"]]
    trust = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert [statement["Principal"] for statement in trust] == [{"Service": ["states.amazonaws.com"]}]
    return tuple(statements_of(role))


def denied(statements: Iterable[Mapping[str, Any]], wanted: Iterable[Call]) -> list[Call]:
    """Return the calls that a role with these statements may not make."""
    listed = list(statements)
    return sorted(call for call in wanted if not is_allowed(listed, call.action, call.resource))


# --- the tests ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=STACKS)
def stack_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def wanted(stack_name: str, answers: dict[tuple[str, str], dict[str, Any]]) -> set[Call]:
    return {call for answer in answers.values() for call in calls(STACKS[stack_name], answer)}


def test_role_allows_every_call_of_the_workflow(stack_name: str, wanted: set[Call]) -> None:
    assert denied(_role(stack_name), wanted) == []


def test_calls_cover_every_state_and_every_job(wanted: set[Call]) -> None:
    definition = json.loads(re.sub(r"\$\{\w+\}", "x", ASL.read_text()))
    covered = {call.state for call in wanted if not call.state.startswith("(")}
    assert covered == set(_calling_states(definition["States"]))
    keys = {call.resource.partition(":::")[2].partition("/")[2] for call in wanted if call.action == "s3:GetObject"}
    assert {key for key in keys if key.endswith(".jsonl")} == {
        f"jobs/{tenant}/{job}/{file}"
        for tenant, job in JOBS
        for file in ("ranges.jsonl", "reports.jsonl", "transcodes.jsonl")
    }


def _calling_states(states: Mapping[str, Any]) -> Iterator[str]:
    for name, state in states.items():
        if "Resource" in state or "ItemReader" in state:
            yield name
        if "ItemProcessor" in state:
            yield from _calling_states(state["ItemProcessor"]["States"])


def _without(statements: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the statements with one thing taken out each time: a statement, an action, a resource."""
    listed = [copy.deepcopy(dict(statement)) for statement in statements]
    for number, statement in enumerate(listed):
        label = statement.get("Sid", f"managed policy {number}")
        yield label, [*listed[:number], *listed[number + 1 :]]
        if "Sid" not in statement:
            continue  # a managed policy is attached or not; its words are AWS's
        for element in ("Action", "Resource"):
            values = statement[element] if isinstance(statement[element], list) else [statement[element]]
            for value in values if len(values) > 1 else ():
                smaller = {**statement, element: [other for other in values if other != value]}
                yield f"{label}: {value}", [*listed[:number], smaller, *listed[number + 1 :]]


def test_every_grant_is_needed_and_missed_when_it_is_taken_out(stack_name: str, wanted: set[Call]) -> None:
    missed = {label: denied(statements, wanted) for label, statements in _without(_role(stack_name))}
    for label, calls_denied in missed.items():
        print(f"{label:110} {len(calls_denied):3} denied, first {calls_denied[0] if calls_denied else '-'}")
    assert len(missed) > 25
    assert [label for label, calls_denied in missed.items() if not calls_denied] == []


def test_role_without_transcodes_file_is_reported(stack_name: str, wanted: set[Call]) -> None:
    [statements] = [
        statements for label, statements in _without(_role(stack_name)) if label.endswith("transcodes.jsonl")
    ]
    missing = denied(statements, wanted)
    assert {(call.action, call.state) for call in missing} == {("s3:GetObject", "TranscodeRecordings")}
    assert len(missing) == len(JOBS)


def test_grant_that_nothing_uses_is_reported(stack_name: str, wanted: set[Call]) -> None:
    wider = copy.deepcopy(list(_role(stack_name)))
    wider[1]["Action"] = [wider[1]["Action"], "s3:DeleteObject"]
    unused = [label for label, statements in _without(wider) if not denied(statements, wanted)]
    assert unused == [f"{wider[1]['Sid']}: s3:DeleteObject"]


@pytest.mark.parametrize(
    ("action", "bucket", "key"),
    [
        ("s3:GetObject", "InputBucket", "uploads/lab/u-1/a.wav"),
        ("s3:GetObject", "ModelsBucket", "reef/production.json"),
        ("s3:GetObject", "OutputBucket", "jobs/lab/e-1/results/a.wav.json"),
        ("s3:PutObject", "OutputBucket", "jobs/lab/e-1/ranges.jsonl"),
        ("s3:PutObject", "OutputBucket", "jobs/lab/e-1/manifest.json"),
        ("s3:DeleteObject", "OutputBucket", "jobs/lab/e-1/map/x/manifest.json"),
    ],
)
def test_role_does_not_reach_recordings_models_and_results(stack_name: str, action: str, bucket: str, key: str) -> None:
    assert not is_allowed(_role(stack_name), action, f"{STACKS[stack_name].arn(bucket)}/{key}")


def test_deny_outweighs_allow() -> None:
    allow = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::reef/*"}
    deny = {"Effect": "Deny", "Action": "S3:GETOBJECT", "Resource": ["arn:aws:s3:::reef/secret?/*"]}
    assert is_allowed([allow, deny], "s3:GetObject", "arn:aws:s3:::reef/a.b")
    assert not is_allowed([allow, deny], "s3:GetObject", "arn:aws:s3:::reef/secret1/a")
    assert not is_allowed([allow], "s3:GetObject", "arn:aws:s3:::Reef/a")
    assert not is_allowed([], "s3:GetObject", "arn:aws:s3:::reef/a")
    with pytest.raises(NotImplementedError, match="NotAction"):
        is_allowed([{**allow, "NotAction": "s3:*"}], "s3:GetObject", "arn:aws:s3:::reef/a")


def test_condition_restricts_a_grant() -> None:
    grant = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::reef"}

    def allows(operator: str, **context: str) -> bool:
        conditioned = {**grant, "Condition": {operator: {"prefix": ["jobs/*", "audio"]}}}
        return is_allowed([conditioned], "s3:ListBucket", "arn:aws:s3:::reef", context)

    assert allows("StringLike", prefix="jobs/a")
    assert allows("StringLike", prefix="audio")
    assert not allows("StringLike", prefix="job")
    assert not allows("StringLike")
    assert allows("StringLikeIfExists")
    assert not allows("StringLikeIfExists", prefix="job")
    assert allows("StringEquals", prefix="audio")
    assert not allows("StringEquals", prefix="jobs/a")
    with pytest.raises(NotImplementedError, match="NumericLessThan"):
        allows("NumericLessThan", prefix="3")
