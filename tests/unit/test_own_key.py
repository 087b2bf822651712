"""A key of one's own (KeyArn): everything that is stored is encrypted with it, and everyone who needs it may use it.

What services need of a key is what AWS documents:

- CloudWatch Logs: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
- SNS and its sources: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
- SQS and its sources: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.account_templates import AccountStack
from tests.cloudformation import Stack, is_allowed

REPOSITORY = Path(__file__).parents[2]
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/engine:1"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
ON = {"KeyArn": KEY, "Webhooks": "enabled", "ApiAccessLogs": "enabled"}
STACKS = {"LiteRT": Stack(ON), "Keras": Stack({**ON, "Engine": "keras", "EngineImage": IMAGE})}
OFF = Stack({"Webhooks": "enabled", "ApiAccessLogs": "enabled"})

KEY_PROPERTY = {
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SecretsManager::Secret": "KmsKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::Lambda::Function": "KmsKeyArn",
}
"""Types of resources with the property that names their key."""

WITHOUT_KEY = {
    "AWS::ECR::Repository": "the image holds public code",
    "AWS::StepFunctions::StateMachine": "its events would lose error and cause, which the function status reads",
}
"""Types that could have a key and have none, and why."""

STORING = {*KEY_PROPERTY, *WITHOUT_KEY, "AWS::S3::Bucket", "AWS::DynamoDB::Table"}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> Stack:
    return STACKS[request.param]


def _with_key(stack: Stack) -> Iterator[tuple[str, Any]]:
    """Yield each resource that stores something, with its key."""
    for name, resource in stack.resources().items():
        properties = resource["Properties"]
        match resource["Type"]:
            case "AWS::S3::Bucket":
                [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
                yield name, rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")
            case "AWS::DynamoDB::Table":
                yield name, properties["SSESpecification"].get("KMSMasterKeyId")
            case kind if kind in KEY_PROPERTY:
                yield name, properties.get(KEY_PROPERTY[kind])


def test_everything_that_is_stored_is_encrypted_with_the_key(stack: Stack) -> None:
    keys = dict(_with_key(stack))
    assert len(keys) >= 20
    assert {name for name, key in keys.items() if key != KEY} == set()


def test_every_type_that_can_have_a_key_is_known_here(stack: Stack) -> None:
    """A new kind of storage must be encrypted with the key too, or say here why it is not."""
    kinds = {resource["Type"] for resource in stack.template["Resources"].values()}
    other = {
        kind for kind in kinds - STORING if kind.split("::")[1] in {"S3", "DynamoDB", "SQS", "SNS", "Kinesis", "EFS"}
    }
    assert other <= {
        "AWS::S3::BucketPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
    }


def test_without_a_key_the_keys_of_aws_are_used_as_before() -> None:
    assert {name for name, key in _with_key(OFF) if key is not None} == set()
    for queue in OFF.resources("AWS::SQS::Queue").values():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True
    for bucket in OFF.resources("AWS::S3::Bucket").values():
        [rule] = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    [table] = OFF.resources("AWS::DynamoDB::Table").values()
    assert table["Properties"]["SSESpecification"] == {"SSEEnabled": False}
    assert "kms:" not in str(OFF.resources("AWS::IAM::Role")) + str(OFF.resources("AWS::IAM::ManagedPolicy"))


def test_the_key_excludes_other_kinds_of_encryption(stack: Stack) -> None:
    for queue in stack.resources("AWS::SQS::Queue").values():
        assert queue["Properties"]["SqsManagedSseEnabled"] is False  # SQS accepts one kind only
    for bucket in stack.resources("AWS::S3::Bucket").values():
        [rule] = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert rule["BucketKeyEnabled"] is True


# --- who may use the key ---------------------------------------------------------------------------------------------


USED_THROUGH = {"s3": "s3", "dynamodb": "dynamodb", "sqs": "sqs", "sns": "sns", "secretsmanager": "secretsmanager"}
"""The service that uses the key, by the prefix of a role's actions."""


def test_role_may_use_the_key_through_every_service_that_it_may_call(stack: Stack) -> None:
    # AWS's policy of CodeDeploy allows triggers, of which there are none.
    roles = set(stack.resources("AWS::IAM::Role")) - {"CodeDeployServiceRole"}
    assert len(roles) >= 11
    for role in roles:
        statements = stack.statements(role)
        actions = {
            action
            for statement in statements
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        }
        for service in {action.partition(":")[0] for action in actions} & USED_THROUGH.keys():
            via = {"kms:ViaService": f"{USED_THROUGH[service]}.eu-central-1.amazonaws.com"}
            for action in ("kms:Decrypt", *(("kms:GenerateDataKey",) if service != "secretsmanager" else ())):
                assert is_allowed(statements, action, KEY, via), (role, service, action)
        assert not is_allowed(statements, "kms:Decrypt", KEY, {}), role  # not by a call of its own
        via_s3 = {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
        assert not is_allowed(statements, "kms:Decrypt", KEY.replace("0a1b", "ffff"), via_s3), role
        assert not is_allowed(statements, "kms:ScheduleKeyDeletion", KEY, via_s3), role


def test_dynamodb_gets_every_action_that_it_documents(stack: Stack) -> None:
    via = {"kms:ViaService": "dynamodb.eu-central-1.amazonaws.com"}
    for role in ("ApiRole", "HealRole", "StatusRole"):
        for action in ("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "DescribeKey"):
            assert is_allowed(stack.statements(role), f"kms:{action}", KEY, via), (role, action)


@pytest.fixture(scope="module")
def key_policy() -> list[dict[str, Any]]:
    [key] = AccountStack("key.yaml").resources("AWS::KMS::Key").values()
    statements: list[dict[str, Any]] = key["Properties"]["KeyPolicy"]["Statement"]
    return statements


def _of(statements: list[dict[str, Any]], service: str) -> list[dict[str, Any]]:
    """Return the statements for a service."""
    found = []
    for statement in statements:
        named = statement["Principal"].get("Service", [])
        if service in ([named] if isinstance(named, str) else named):
            found.append(statement)
    return found


def test_log_groups_of_the_account_can_be_encrypted(key_policy: list[dict[str, Any]]) -> None:
    statements = _of(key_policy, "logs.eu-central-1.amazonaws.com")
    for group in STACKS["LiteRT"].resources("AWS::Logs::LogGroup").values():
        name = group["Properties"]["LogGroupName"]
        context = {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:eu-central-1:123456789012:log-group:{name}"}
        for action in ("Encrypt", "Decrypt", "ReEncryptFrom", "GenerateDataKey", "DescribeKey"):
            assert is_allowed(statements, f"kms:{action}", "*", context), (name, action)
    other = {"kms:EncryptionContext:aws:logs:arn": "arn:aws:logs:eu-central-1:999999999999:log-group:x"}
    assert not is_allowed(statements, "kms:Decrypt", "*", other)


@pytest.mark.parametrize("service", ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"])
def test_alarms_can_publish_to_an_encrypted_topic(key_policy: list[dict[str, Any]], service: str) -> None:
    statements = _of(key_policy, service)
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert is_allowed(statements, action, "*", {"aws:SourceAccount": "123456789012"})
        assert not is_allowed(statements, action, "*", {"aws:SourceAccount": "999999999999"})


def test_undelivered_events_can_be_kept_in_an_encrypted_queue(key_policy: list[dict[str, Any]]) -> None:
    """EventBridge sends no condition key with which its account could be checked."""
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert is_allowed(_of(key_policy, "events.amazonaws.com"), action, "*", {})


def test_statements_of_the_page_are_those_of_the_template(key_policy: list[dict[str, Any]]) -> None:
    page = (REPOSITORY / "docs" / "network.md").read_text(encoding="utf-8")
    [block] = re.findall(r"(?:^    [{ ].*\n)+", page, re.MULTILINE)
    documented = json.loads(f"[{block}]")
    assert [statement["Sid"] for statement in documented] == ["LogsEncrypt", "AlarmsPublish", "EventsAreKept"]
    assert documented == key_policy[1:]  # the first lets IAM decide, as in every key


def test_key_outlives_its_stack_and_is_rotated() -> None:
    [key] = AccountStack("key.yaml").resources("AWS::KMS::Key").values()
    assert key["DeletionPolicy"] == key["UpdateReplacePolicy"] == "Retain"
    assert key["Properties"]["EnableKeyRotation"] is True
