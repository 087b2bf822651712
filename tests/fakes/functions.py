"""The functions of template.yaml, run in this process on moto; every call to AWS is recorded with its function.

moto does not check permissions. :mod:`tests.permissions` says what the recorded calls need.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

import anemonefish.clock
from anemonefish.cloud.clients import client
from tests.cloudformation import Stack
from tests.fakes.aws import mocked_aws
from tests.permissions import Call

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))  # localstack is a folder of the repository, not an installed package

from localstack.packaging import load_template  # noqa: E402

__all__ = ["Functions", "running_functions"]


class Functions:
    """The functions of a stack and what they called.

    Attributes
    ----------
    stack : Stack
    calls : dict of str to list of Call
        By the logical id of the function.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.calls: dict[str, list[Call]] = defaultdict(list)
        self._running: str | None = None
        self._fault: tuple[str, str] | None = None
        self._folders = _folders()
        session = boto3.DEFAULT_SESSION
        assert session is not None
        events = session.events
        events.register("provide-client-params.*.*", self._remember)
        events.register("after-call.*.*", self._record)
        self._create()

    def invoke(self, name: str, event: Any) -> Any:
        """Call the handler of a function as a new process with its environment would."""
        properties = self.stack.resources("AWS::Lambda::Function")[name]["Properties"]
        environment = properties["Environment"]["Variables"] | _OF_THE_TEST
        _forget()
        context = SimpleNamespace(aws_request_id="r-1", get_remaining_time_in_millis=lambda: 900_000)
        with patch.dict(os.environ, {key: str(value) for key, value in environment.items()}):
            module = _load(self._folders[name])
            self._running = name
            try:
                return module.handler(event, context)
            finally:
                self._running = None

    @contextmanager
    def failing(self, operation: str, code: str = "InternalError") -> Iterator[None]:
        """Let an operation of the running function fail."""
        self._fault = (operation, code)
        try:
            yield
        finally:
            self._fault = None

    def name_of(self, resource: str) -> str:
        """Return the physical name of a resource."""
        return str(self.stack.resolved({"Ref": resource}))

    def _remember(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        if self._running is None:
            return
        call = Call(model.service_model.service_name, model.name, dict(params))
        context["recorded_call"] = call
        fails = self._fault is not None and self._fault[0] == model.name
        if context.get("is_presign_request") or fails:
            self.calls[self._running].append(call)
        if self._fault is not None and fails:
            raise ClientError({"Error": {"Code": self._fault[1], "Message": ""}}, model.name)

    def _record(self, http_response: Any, context: dict[str, Any], **_: Any) -> None:
        call = context.get("recorded_call")
        if call is not None and self._running is not None:
            answered = Call(call.service, call.operation, call.parameters, http_response.status_code)
            self.calls[self._running].append(answered)

    def _create(self) -> None:
        """Create the resources of the template that functions use."""
        for name, resource in self.stack.resources().items():
            if resource["Type"] in _CREATE:
                _CREATE[resource["Type"]](self.stack, name, resource["Properties"])


@contextmanager
def running_functions(stack: Stack) -> Iterator[Functions]:
    """Create the resources of a stack on moto, and record what its functions call.

    Every file that is uploaded counts as large, so it is uploaded in parts.
    """
    defaults = TransferConfig.__init__.__defaults__
    with pytest.MonkeyPatch.context() as change, mocked_aws(stack.region):
        boto3.setup_default_session(region_name=stack.region)
        change.setattr(TransferConfig.__init__, "__defaults__", (1, *defaults[1:]))
        yield Functions(stack)
    boto3.DEFAULT_SESSION = None
    _forget()


@contextmanager
def later(**time: float) -> Iterator[None]:
    """Move the package's clock forward; the arguments are those of ``timedelta``."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(**time)

    with patch.object(anemonefish.clock, "datetime", Later):
        yield


_OF_THE_TEST = {
    "ANEMONEFISH_LAYER_ROOT": str(REPOSITORY / "models"),  # in place of /opt
    "POWERTOOLS_TRACE_DISABLED": "1",
    "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", "/tmp"),
}


def _folders() -> dict[str, Path]:
    """Return the folder of each function in ``functions/`` by its logical id."""
    folders = {}
    for name, resource in load_template(REPOSITORY / "template.yaml")["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            folders[name] = REPOSITORY / properties["CodeUri"]
    return folders


def _load(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{folder.name}_app", folder / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _forget() -> None:
    """Clear what the package keeps between calls of one process."""
    for name, module in list(sys.modules.items()):
        if name.startswith("anemonefish.") and module is not None:
            for value in list(vars(module).values()):
                if callable(getattr(value, "cache_clear", None)):
                    value.cache_clear()
    if "anemonefish.cloud.secrets_manager" in sys.modules:
        sys.modules["anemonefish.cloud.secrets_manager"]._known.clear()


def _create_bucket(stack: Stack, name: str, properties: Mapping[str, Any]) -> None:
    bucket = stack.resolved({"Ref": name})
    client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": stack.region})
    if "VersioningConfiguration" in properties:
        client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration=properties["VersioningConfiguration"])


def _create_table(stack: Stack, name: str, properties: Mapping[str, Any]) -> None:
    wanted = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    client("dynamodb").create_table(
        TableName=stack.resolved({"Ref": name}), **{key: properties[key] for key in wanted if key in properties}
    )


def _create_machine(stack: Stack, name: str, properties: Mapping[str, Any]) -> None:
    definition = '{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}'
    client("stepfunctions").create_state_machine(
        name=properties["StateMachineName"], definition=definition, roleArn=properties["RoleArn"]
    )


_CREATE: dict[str, Callable[[Stack, str, Mapping[str, Any]], Any]] = {
    "AWS::S3::Bucket": _create_bucket,
    "AWS::DynamoDB::Table": _create_table,
    "AWS::StepFunctions::StateMachine": _create_machine,
    "AWS::SNS::Topic": lambda stack, name, _: client("sns").create_topic(Name=f"{stack.name}-{name}"),
    "AWS::SQS::Queue": lambda stack, name, _: client("sqs").create_queue(QueueName=f"{stack.name}-{name}"),
    "AWS::SecretsManager::Secret": lambda stack, name, _: client("secretsmanager").create_secret(
        Name=stack.arn(name).rpartition(":")[2], SecretString="whsec_" + "A" * 64
    ),
}
