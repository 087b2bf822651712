"""The roles of the functions: they allow every call that the functions make, and nothing else.

Every function runs on moto (tests/fakes/functions.py), on enough cases that each place in the package that calls AWS
is reached (tests/fakes/every_case.py). What the recorded calls need (tests/permissions.py) is compared with the roles
of the translated template in both directions (tests/privileges.py). The role of the state machine has a test of its
own, test_state_machine_role.py.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from tests.cloudformation import Stack
from tests.fakes.every_case import call_every_function
from tests.fakes.functions import Functions, running_functions
from tests.privileges import AREAS, denied, single_grants, unused

REPOSITORY = Path(__file__).parents[2]

EVERYTHING = {"Webhooks": "enabled"}
"""Parameters with which the stack has all its functions."""

KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/engine:1"
RECORDED = Stack(EVERYTHING)
STACKS = {
    "LiteRT": RECORDED,
    "Keras": Stack({**EVERYTHING, "Engine": "keras", "EngineImage": IMAGE}),
    "China": Stack(EVERYTHING, partition="aws-cn", region="cn-north-1", name="reef"),
    "key": Stack({**EVERYTHING, "KeyArn": KEY}),
    "VPC": Stack({**EVERYTHING, "VpcSubnetIds": "subnet-0a,subnet-0b", "VpcSecurityGroupIds": "sg-0a"}),
}

OTHER_ROLES = {
    "AnalyzeStateMachineRole": "test_state_machine_role.py tests it",
    "CodeDeployServiceRole": "SAM writes it, with AWS's policy for CodeDeploy",
}
"""Roles that no function has."""

NOT_IN_FUNCTIONS = {"get_function_configuration", "get_metric_data", "list_stack_resources"}
"""Operations that only the command line calls."""

WITHOUT_RESOURCES = ("xray:Put", "ec2:")
"""Actions that IAM allows on every resource or on none, and those on network interfaces, which have no name before."""


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Functions:
    """Run every function and return what was called."""
    with running_functions(RECORDED) as functions:
        call_every_function(functions, tmp_path_factory.mktemp("recordings"))
        return functions


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> Stack:
    return STACKS[request.param]


def test_every_call_of_every_function_is_allowed(stack: Stack, called: Functions) -> None:
    missing = denied(stack, called)
    assert not missing, "\n".join(missing)


def test_every_grant_is_used(stack: Stack, called: Functions) -> None:
    left_over = unused(stack, called)
    assert not left_over, "\n".join(left_over)


def test_every_grant_of_a_stack_without_webhooks_is_used(called: Functions) -> None:
    assert unused(Stack(), called) == []


def test_every_role_belongs_to_a_function_of_its_own(stack: Stack) -> None:
    functions = stack.resources("AWS::Lambda::Function").values()
    used = [function["Properties"]["Role"] for function in functions]
    assert len(used) == len(set(used))
    assert {stack.arn(role) for role in set(stack.resources("AWS::IAM::Role")) - set(OTHER_ROLES)} == set(used)


def test_actions_are_granted_on_resources_of_the_stack(stack: Stack) -> None:
    own = [stack.arn(name).removesuffix(":*") for name in stack.resources()]
    own += [arn.replace(":stateMachine:", ":execution:") for arn in own if ":stateMachine:" in arn]
    for role in set(stack.resources("AWS::IAM::Role")) - set(OTHER_ROLES):
        for grant in single_grants(stack, stack.statements(role)):
            known = re.split(r"[*?]", grant["Resource"])[0].startswith(tuple(own))
            assert known or grant["Resource"] == KEY or grant["Action"].startswith(WITHOUT_RESOURCES), (role, grant)


def test_every_operation_of_the_package_was_called(called: Functions) -> None:
    package = REPOSITORY / "layers/anemonefish/src/anemonefish"
    sources = "".join(path.read_text() for path in (*package.glob("cloud/*.py"), *package.glob("stores/*.py")))
    written = set(re.findall(r"client\([^()]*\)\s*\.(\w+)\(", sources)) - {"get_paginator", "generate_presigned_url"}
    written |= set(re.findall(r"""(?:get_paginator|_link)\("(\w+)\"""", sources))
    operations = {xform_name(call.operation) for calls in called.calls.values() for call in calls}
    in_parts = {"create_multipart_upload", "upload_part", "complete_multipart_upload", "abort_multipart_upload"}
    assert len(written) > 20
    assert written - {"upload_file"} - NOT_IN_FUNCTIONS | in_parts <= operations


def test_every_file_of_a_job_is_in_an_area(called: Functions) -> None:
    bucket = called.name_of("OutputBucket")
    calls = [call for calls in called.calls.values() for call in calls if call.parameters.get("Bucket") == bucket]
    keys = {call.parameters["Key"] for call in calls if "Key" in call.parameters}
    assert {key.split("/")[0] for key in keys} == {"jobs", "excerpts"}
    files = {key.split("/", 3)[3] for key in keys if key.startswith("jobs/")}
    assert len(files) > 30
    pattern = "|".join(re.escape(area).replace(r"\*", ".+") for area in AREAS)
    assert {file for file in files if not re.fullmatch(pattern, file)} == set()


# --- the same on templates that are wrong ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Altered(Stack):
    """A stack whose translated template was altered."""

    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def template(self) -> dict[str, Any]:
        return dict(self.document)


def altered(role: str, sid: str, change: Callable[[dict[str, Any]], Any]) -> Altered:
    """Change one statement of one role, or of the policy of every function."""
    document = copy.deepcopy(RECORDED.template)
    properties = document["Resources"][role]["Properties"]
    policies = [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    for policy in policies or [properties["PolicyDocument"]]:
        for statement in policy["Statement"]:
            if statement.get("Sid") == sid:
                change(statement)
                return Altered(RECORDED.parameters, document=document)
    raise AssertionError(f"{role} has no statement {sid}")


@pytest.mark.parametrize(
    ("role", "sid", "change", "missing"),
    [
        ("ReviewRole", "WriteClips", {"Action": "s3:PutObject"}, ("ReviewFunction", "s3:AbortMultipartUpload")),
        ("ScoreRole", "FindJobs", {"Resource": []}, ("ScoreFunction", "s3:ListBucket")),
        ("PlanRole", "ReadRecordings", {"Action": "s3:GetObject"}, ("PlanFunction", "s3:GetObjectVersion")),
        ("HealRole", "QueryDueRecords", {"Action": "dynamodb:Scan"}, ("HealFunction", "dynamodb:Query")),
        ("NotifyRole", "ReadQueue", {"Action": "sqs:ReceiveMessage"}, ("NotifyFunction", "sqs:DeleteMessage")),
        ("StatusRole", "KeepUnhandledEvents", {"Resource": []}, ("StatusFunction", "sqs:SendMessage")),
        ("ApiRole", "ListVersionsOfUploads", {"Condition": {"StringLike": {"s3:prefix": "other/*"}}},
         ("ApiFunction", "s3:ListBucketVersions")),
        # Right for a listing, but S3 may not set the key when it looks for an object that does not exist.
        ("ApiRole", "FindUploads", {"Condition": {"StringLike": {"s3:prefix": "uploads/*"}}},
         ("ApiFunction", "s3:ListBucket")),
        ("FunctionPolicy", "WriteLogs", {"Action": "logs:PutLogEvents"}, ("ScoreFunction", "logs:CreateLogStream")),
    ],
)  # fmt: skip
def test_grant_that_is_missing_is_reported(
    role: str, sid: str, change: dict[str, Any], missing: tuple[str, str], called: Functions
) -> None:
    function, action = missing
    reported = denied(altered(role, sid, lambda statement: statement.update(change)), called)
    assert any(line.startswith(f"{function}: ") and f" allows {action} on arn:" in line for line in reported)
    assert role == "FunctionPolicy" or all(line.startswith(f"{function}: no statement of {role} ") for line in reported)


@pytest.mark.parametrize(
    ("role", "sid", "change", "left_over"),
    [
        ("ScoreRole", "WriteParts", {"Action": ["s3:PutObject", "s3:DeleteObject"]}, "s3:DeleteObject on "),
        ("TranscodeRole", "WriteAudio", {"Resource": "arn:aws:s3:::anemonefish-dev-outputbucket/jobs/*"},
         "s3:PutObject on arn:aws:s3:::anemonefish-dev-outputbucket/jobs/*/*/results/*"),
        ("RecordRole", "ReadJobs", {"Resource": "*"}, "jobs/*/*/audio/*"),
        ("ApiRole", "ListRecords", {"Action": ["dynamodb:Query", "dynamodb:Scan"]}, "dynamodb:Scan on "),
        ("ApiRole", "FindUploads", {"Condition": {"StringLikeIfExists": {"s3:prefix": ["uploads/*", "other/*"]}}},
         '{"s3:prefix": "other/*"}'),
        ("PredictRole", "ReadModels", {"Action": ["s3:GetObject", "s3:GetObjectVersion"]}, "s3:GetObjectVersion on "),
        ("FunctionPolicy", "WriteLogs",
         {"Action": ["logs:DeleteLogStream", "logs:CreateLogStream", "logs:PutLogEvents"]},
         "logs:DeleteLogStream on "),
    ],
)  # fmt: skip
def test_grant_that_nothing_uses_is_reported(
    role: str, sid: str, change: dict[str, Any], left_over: str, called: Functions
) -> None:
    reported = unused(altered(role, sid, lambda statement: statement.update(change)), called)
    assert any(left_over in line for line in reported), reported
    assert all(f", {sid}: " in line for line in reported)
    assert role == "FunctionPolicy" or all(line.startswith(f"{role}, ") for line in reported)
