"""A stack of the service on moto: its table, its state machine, a clock that tests move, and calls that fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.step_functions import Workflow
from anemonefish.errors import (
    Failure,
    StorageError,
)
from anemonefish.execution_states import PENDING
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.service.execution_record import Execution, ExecutionRequest
from anemonefish.service.executions import Executions
from anemonefish.service.limits import Limits
from anemonefish.service.upload_record import Upload
from anemonefish.settings import Settings
from anemonefish.stores import Store
from anemonefish.workflow.planner import plan_job

BEGAN = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


KEEP = timedelta(days=365)


NUMBERS = count()


REASON = Failure("TruncatedRecording", "a.wav: the header promises more")


UPLOADS = [
    Upload(
        id=f"u-{letter}",
        owner="lab",
        filename=f"{letter}.wav",
        key=f"uploads/lab/u-{letter}/{letter}.wav",
        size=4,
        status="COMPLETE",
        created_at="2026-11-23T09:00:00.000Z",
        expires_at="2026-12-23T09:00:00.000Z",
        etag=f'"{letter}"',
    )
    for letter in "ab"
]


@dataclass
class FakeStack:
    """The executions of a stack, its clock and its machine."""

    table: RecordTable
    store: Store
    models: ModelRepository
    machine: str
    now: datetime = BEGAN

    def __post_init__(self) -> None:
        self.set_limits(Limits())

    def set_limits(self, limits: Limits, workflow: Workflow | None = None) -> None:
        """Make the executions anew, with the limits of one tenant and another state machine."""
        self.executions = Executions(
            table=self.table,
            workflow=workflow or Workflow(self.machine),
            store=self.store,
            models=self.models,
            input_bucket="reef-input",
            keep=KEEP,
            now=lambda: self.now,
            limits=limits,
        )

    def set_machine(self, arn: str) -> None:
        """Make the executions anew, with another state machine."""
        self.machine = arn
        self.set_limits(Limits())

    def start(self, key: str | None = None, owner: str = "lab", **more: Any) -> Execution:
        """Start a job of the first upload."""
        return self.executions.start(owner, make_request(**more), UPLOADS[:1], key)

    def end(self, execution: Execution, status: str, failure: Failure | None = None) -> Execution | None:
        """Tell how an execution of the state machine ended."""
        return self.executions.end(execution.name, status, failure)

    def started(self) -> dict[str, str]:
        """Return every execution of the state machine and its status."""
        found = client("stepfunctions").list_executions(stateMachineArn=self.machine)["executions"]
        return {each["name"]: each["status"] for each in found}

    def input_of(self, name: str) -> Any:
        """Return what an execution of the state machine was given."""
        arn = f"{self.machine.replace(':stateMachine:', ':execution:')}:{name}"
        return json.loads(client("stepfunctions").describe_execution(executionArn=arn)["input"])

    def record(self, execution: Execution) -> Record:
        """Return the record of an execution as it is now."""
        record = self.table.read(execution.id)
        assert record is not None
        return record


def make_request(**more: Any) -> ExecutionRequest:
    return ExecutionRequest(**{"uploads": ("u-a",), "model": "reef@production", "settings": {"threshold": 0.6}, **more})


class Died(BaseException):
    """A function whose process ends here."""


def dies(*_: Any, **__: Any) -> Any:
    raise Died


def abandoned(reef: FakeStack, monkeypatch: pytest.MonkeyPatch, *, begun: bool = False) -> Execution:
    """Return an execution whose starter died before the workflow began, or before it could say that it had."""
    with monkeypatch.context() as patch:
        if begun:
            patch.setattr(RecordTable, "replace", dies)
        else:
            patch.setattr(Workflow, "start", dies)
        with pytest.raises(Died):
            reef.start("key")
    found = reef.executions.page("lab", 1, None)[0]
    assert (found.status, found.started_at, len(reef.started())) == (PENDING, None, int(begun))
    return found


def denied(code: str = "AccessDeniedException") -> StorageError:
    return StorageError(f"the service: AWS answered {code}; try again")


class lost_answer:  # noqa: N801
    """The first answer of DynamoDB to a write is lost after it was done, and the client sends it again."""

    def __enter__(self) -> None:
        self.times = 0
        client("dynamodb").meta.events.register_first("needs-retry.dynamodb.PutItem", self._again, "lost")

    def _again(self, attempts: int, **_: Any) -> int | None:
        self.times += attempts == 1
        return 0 if attempts == 1 and self.times == 1 else None

    def __exit__(self, *_: object) -> None:
        client("dynamodb").meta.events.unregister("needs-retry.dynamodb.PutItem", self._again, "lost")
        assert self.times > 0


def refused(code: str) -> Callable[..., Any]:
    """Return a call that AWS answers with an error."""

    def call(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "Call")

    return call


def write_plan(reef: FakeStack, execution: Execution, paths: list[Path]) -> None:
    requests = [RecordingRequest(str(path), path.name, path.name) for path in paths]
    settings = Settings.load(execution.settings, {})
    model = PinnedModel.from_dict(execution.model).reference
    reef.executions.job(execution).write_plan(plan_job(requests, model, settings, reef.models))


def score(reef: FakeStack, execution: Execution, *numbers: int) -> None:
    """Write parts of a plan, the scores of which are made up."""
    job = reef.executions.job(execution)
    plan = job.read_plan()
    classes = len(reef.models.spec(plan.model).classes)
    for number, task in enumerate(plan.tasks()):
        if number in numbers:
            scores = np.random.default_rng(number).uniform(0, 1, (len(task.windows), classes)).astype(np.float32)
            path = Path(job.store.uri, job.part_key(task))
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, scores)
