"""What calls to AWS need: the IAM actions of each, their resources, and the condition keys that AWS sets.

The names are those of the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/). Three rules are not in its tables:

- A presigned link is a call of the one who signs it, made later.
- S3 answers 404 for a missing object only if the caller may list the bucket, otherwise 403
  (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html). AWS does not say whether ``s3:prefix`` is set
  for this check, so a policy must allow it in both cases: without the key, and with the object's key as the prefix.
- Lambda itself uses a function's role for its logs and traces, its queue and its failed events, its network interfaces.
- A service that encrypts with a key of the account uses the key in the name of the caller.

A call that is not listed here is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cloudformation import Stack

__all__ = ["Call", "Permission", "permissions_of", "permissions_of_key", "permissions_of_lambda"]

MISSING = 404
PARTS = {"UploadPart", "CompleteMultipartUpload"}
"""Calls of a multipart upload that need nothing but ``s3:PutObject``."""


@dataclass(frozen=True)
class Call:
    """A call to AWS.

    Attributes
    ----------
    service : str
        As botocore names it.
    operation : str
    parameters : mapping
    status : int or None
        HTTP status of the answer; None for a presigned link, and for a call that was not sent.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    status: int | None = None


@dataclass(frozen=True, order=True)
class Permission:
    """An action on a resource, with the condition keys of the call.

    Attributes
    ----------
    action, resource : str
    context : tuple of (str, str)
    """

    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = ()


def permissions_of(call: Call, stack: Stack) -> list[Permission]:
    """Return everything that the caller must be allowed, so that AWS answers a call as it did."""
    match call.service:
        case "s3":
            return list(_of_s3(call, stack))
        case "dynamodb":
            return list(_of_dynamodb(call, stack))
        case service:
            return [_of_one_resource(service, call, stack)]


def _of_s3(call: Call, stack: Stack) -> Iterator[Permission]:
    given = call.parameters
    bucket = f"arn:{stack.partition}:s3:::{given['Bucket']}"
    key = str(given.get("Key", ""))
    version = "Version" if given.get("VersionId") else ""
    match call.operation:
        case "GetObject" | "HeadObject":
            yield Permission(f"s3:GetObject{version}", f"{bucket}/{key}")
            if call.status == MISSING:
                yield Permission("s3:ListBucket", bucket)
                yield Permission("s3:ListBucket", bucket, (("s3:prefix", key),))
        case "PutObject" | "CreateMultipartUpload":
            yield Permission("s3:PutObject", f"{bucket}/{key}")
            if given.get("Tagging"):
                yield Permission("s3:PutObjectTagging", f"{bucket}/{key}")
        case operation if operation in PARTS:
            yield Permission("s3:PutObject", f"{bucket}/{key}")
        case "AbortMultipartUpload" | "RestoreObject" as operation:
            yield Permission(f"s3:{operation}", f"{bucket}/{key}")
        case "ListParts":
            yield Permission("s3:ListMultipartUploadParts", f"{bucket}/{key}")
        case "DeleteObject":
            yield Permission(f"s3:DeleteObject{version}", f"{bucket}/{key}")
        case "GetObjectTagging" | "PutObjectTagging" as operation:
            yield Permission(f"s3:{operation.replace('Object', f'Object{version}')}", f"{bucket}/{key}")
        case "ListObjectsV2" | "ListObjectVersions" as operation:
            action = "ListBucket" if operation == "ListObjectsV2" else "ListBucketVersions"
            context = (("s3:prefix", str(given["Prefix"])),) if "Prefix" in given else ()
            yield Permission(f"s3:{action}", bucket, context)
        case operation:
            raise NotImplementedError(f"which permissions does s3 {operation} need?")


def _of_dynamodb(call: Call, stack: Stack) -> Iterator[Permission]:
    given = call.parameters
    tables = f"arn:{stack.partition}:dynamodb:{stack.region}:{stack.account}:table"
    match call.operation:
        case "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" as operation:
            yield Permission(f"dynamodb:{operation}", f"{tables}/{given['TableName']}")
        case "Query" | "Scan" as operation:
            index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
            yield Permission(f"dynamodb:{operation}", f"{tables}/{given['TableName']}{index}")
        case "BatchGetItem" | "BatchWriteItem" as operation:
            for table in given["RequestItems"]:
                yield Permission(f"dynamodb:{operation}", f"{tables}/{table}")
        case "TransactWriteItems" | "TransactGetItems":
            actions = {"Get": "GetItem", "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
            for part in given["TransactItems"]:
                [(kind, item)] = part.items()
                yield Permission(f"dynamodb:{actions.get(kind, 'ConditionCheckItem')}", f"{tables}/{item['TableName']}")
        case operation:
            raise NotImplementedError(f"which permissions does dynamodb {operation} need?")


_ONE_RESOURCE = {
    ("stepfunctions", "StartExecution"): ("states", "stateMachineArn"),
    ("stepfunctions", "StopExecution"): ("states", "executionArn"),
    ("stepfunctions", "DescribeExecution"): ("states", "executionArn"),
    ("stepfunctions", "RedriveExecution"): ("states", "executionArn"),
    ("sns", "Publish"): ("sns", "TopicArn"),
    ("sqs", "SendMessage"): ("sqs", "QueueUrl"),
    ("secretsmanager", "GetSecretValue"): ("secretsmanager", "SecretId"),
}
"""Calls whose action has the operation's name: the prefix of the action, and the parameter with the resource."""


def _of_one_resource(service: str, call: Call, stack: Stack) -> Permission:
    if (service, call.operation) not in _ONE_RESOURCE:
        raise NotImplementedError(f"which permissions does {service} {call.operation} need?")
    prefix, parameter = _ONE_RESOURCE[service, call.operation]
    resource = str(call.parameters[parameter])
    if service == "sqs":
        name = resource.rpartition("/")[2]
        resource = f"arn:{stack.partition}:sqs:{stack.region}:{stack.account}:{name}"
    return Permission(f"{prefix}:{call.operation}", resource)


def permissions_of_lambda(stack: Stack, function: str) -> list[Permission]:
    """Return what Lambda does as the role of a function, for the function's configuration."""
    properties = stack.resources("AWS::Lambda::Function")[function]["Properties"]
    group = properties["LoggingConfig"]["LogGroup"]
    streams = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:{group}:log-stream"
    stream = f"{streams}:2026/11/29/{stack.name}-{function}[$LATEST]0f1e2d"
    needed = [Permission(f"logs:{action}", stream) for action in ("CreateLogStream", "PutLogEvents")]
    if properties["TracingConfig"]["Mode"] == "Active":
        needed += [Permission(f"xray:{action}", "*") for action in ("PutTraceSegments", "PutTelemetryRecords")]
    if "KmsKeyArn" in properties:
        needed.append(_through("lambda", "Decrypt", stack))
    if properties.get("VpcConfig"):
        needed += [Permission(f"ec2:{action}", "*") for action in _NETWORK_INTERFACES]
    for source in stack.resources("AWS::Lambda::EventSourceMapping").values():
        if source["Properties"]["FunctionName"] == _name(stack, function):
            queue = source["Properties"]["EventSourceArn"]
            needed += [Permission(f"sqs:{action}", queue) for action in _QUEUE]
    for config in stack.resources("AWS::Lambda::EventInvokeConfig").values():
        if config["Properties"]["FunctionName"] == _name(stack, function):
            destination = config["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]
            needed.append(Permission("sqs:SendMessage", destination))
    return needed


def permissions_of_key(permission: Permission, stack: Stack) -> list[Permission]:
    """Return what a call with this permission needs of the stack's own key."""
    service, _, operation = permission.action.partition(":")
    actions = _RECORDS if service == "dynamodb" else _USES_OF_KEY.get((service, operation), ())
    return [_through(service, action, stack) for action in actions]


def _through(service: str, action: str, stack: Stack) -> Permission:
    via = f"{service}.{stack.region}.amazonaws.com"
    return Permission(f"kms:{action}", str(stack.values["KeyArn"]), (("kms:ViaService", via),))


_USES_OF_KEY = {
    ("s3", "GetObject"): ("Decrypt",),
    ("s3", "GetObjectVersion"): ("Decrypt",),
    ("s3", "PutObject"): ("GenerateDataKey", "Decrypt"),  # Decrypt for uploads in parts
    ("sns", "Publish"): ("GenerateDataKey", "Decrypt"),
    ("sqs", "SendMessage"): ("GenerateDataKey", "Decrypt"),
    ("sqs", "ReceiveMessage"): ("Decrypt",),
    ("secretsmanager", "GetSecretValue"): ("Decrypt",),
}
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html, and the pages in test_own_key.py"""

_RECORDS = ("Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "DescribeKey")
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html"""

_QUEUE = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
"""https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""

_NETWORK_INTERFACES = (
    "CreateNetworkInterface",
    "DescribeNetworkInterfaces",
    "DescribeSubnets",
    "DeleteNetworkInterface",
    "AssignPrivateIpAddresses",
    "UnassignPrivateIpAddresses",
)
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html"""


def _name(stack: Stack, function: str) -> Any:
    return stack.resolved({"Ref": function})
