"""Executions over DynamoDB and Step Functions (moto, in this process): one start each, and what becomes of it."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Barrier, Lock
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.stepfunctions.models import StepFunctionBackend

from anemonefish import clock
from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.ledger import Ledger
from anemonefish.cloud.messages import publish
from anemonefish.cloud.step_functions import Workflow
from anemonefish.errors import (
    DecisionNotFound,
    ExecutionNotFound,
    Failure,
    IdempotencyConflict,
    InvalidSamples,
    InvalidSettings,
    JobTooExpensive,
    ModelNotFound,
    RecordingNotFound,
    StorageError,
    TooManyJobs,
    WrongState,
)
from anemonefish.execution_states import CANCELLED, FAILED, PENDING, RUNNING, SUCCEEDED
from anemonefish.jobs.job import Job
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.service.downloads import JobResults
from anemonefish.service.execution_end import end_execution
from anemonefish.service.execution_progress import Progress, RecordingProgress
from anemonefish.service.execution_record import Execution, ExecutionRequest
from anemonefish.service.executions import Executions
from anemonefish.service.limits import Limits
from anemonefish.service.upload_record import Upload
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.stores import Store, open_store
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.aggregate import aggregate_job
from anemonefish.workflow.planner import plan_job

REPOSITORY = Path(__file__).parents[2]
BEGAN = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
KEEP = timedelta(days=365)
NUMBERS = count()
NEW_FIELDS = {"accepted_at", "pending_since", "uploads"}
KEYS = ("id", "listed", "created", "attention", "due")
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


@pytest.fixture(scope="module")
def cloud() -> Iterator[None]:
    """Services of our own, each of which checks and writes in one step, as AWS does and moto does not."""

    def at_once(real: Callable[..., Any]) -> Callable[..., Any]:
        lock = Lock()

        def locked(*given: Any, **named: Any) -> Any:
            with lock:
                return real(*given, **named)

        return locked

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.setattr(DynamoDBBackend, "put_item", at_once(DynamoDBBackend.put_item))
        patch.setattr(DynamoDBBackend, "update_item", at_once(DynamoDBBackend.update_item))
        patch.setattr(StepFunctionBackend, "start_execution", at_once(StepFunctionBackend.start_execution))
        client.cache_clear()
        for service in ("dynamodb", "stepfunctions", "sns", "sqs"):
            client(service)
        yield
    client.cache_clear()


@dataclass
class Reef:
    """The executions of a stack, its clock and its machine."""

    table: RecordTable
    store: Store
    models: ModelRepository
    machine: str
    now: datetime = BEGAN

    def __post_init__(self) -> None:
        self.set_limits(Limits())

    def set_limits(self, limits: Limits) -> None:
        """Make the executions anew, with the limits of one tenant."""
        self.executions = Executions(
            table=self.table,
            workflow=Workflow(self.machine),
            store=self.store,
            models=self.models,
            input_bucket="reef-input",
            keep=KEEP,
            now=lambda: self.now,
            limits=limits,
        )

    def start(self, key: str | None = None, owner: str = "lab", **more: Any) -> Execution:
        """Start a job of the first upload."""
        return self.executions.start(owner, a_request(**more), UPLOADS[:1], key)

    def end(self, execution: Execution, status: str, failure: Failure | None = None) -> Execution | None:
        """Tell how an execution of the state machine ended."""
        return end_execution(self.table, execution.name, status, failure, lambda: self.now)

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


@pytest.fixture
def reef(cloud: None, models_uri: str, tmp_path: Path) -> Reef:
    number = next(NUMBERS)
    client("dynamodb").create_table(
        TableName=f"records-{number}",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in KEYS],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_owner",
                "KeySchema": [
                    {"AttributeName": "listed", "KeyType": "HASH"},
                    {"AttributeName": "created", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            },
            {
                "IndexName": "by_due",
                "KeySchema": [
                    {"AttributeName": "attention", "KeyType": "HASH"},
                    {"AttributeName": "due", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            },
        ],
    )
    machine = client("stepfunctions").create_state_machine(
        name=f"analyze-{number}",
        definition='{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
        roleArn="arn:aws:iam::123456789012:role/analyze",
    )["stateMachineArn"]
    table, store = RecordTable(f"records-{number}"), LocalStore(tmp_path / "output")
    for upload in UPLOADS:
        table.create(
            Record(id=upload.id, owner="lab", created=upload.created_at, document=asdict(upload), expires=2_000_000_000)
        )
    models = ModelRepository(open_store(models_uri))
    return Reef(table, store, models, machine)


def a_request(**more: Any) -> ExecutionRequest:
    return ExecutionRequest(**{"uploads": ("u-a",), "model": "reef@production", "settings": {"threshold": 0.6}, **more})


class Died(BaseException):
    """A function whose process ends here."""


def dies(*_: Any, **__: Any) -> Any:
    raise Died


# --- starting ----------------------------------------------------------------------------------------------------


def test_a_start_is_recorded_asked_for_and_begun(reef: Reef) -> None:
    execution = reef.start(webhook="https://hooks.example.org/x")
    assert re.fullmatch(r"e-[a-z2-7]{26}", execution.id)
    assert execution.model == reef.models.pin("reef").to_dict()  # what the alias means now
    assert execution == Execution(
        id=execution.id,
        owner="lab",
        fingerprint=a_request(webhook="https://hooks.example.org/x").fingerprint,
        status=RUNNING,
        model=execution.model,
        settings={"threshold": 0.6},
        recordings=1,
        created_at="2026-11-23T10:00:00.000Z",
        started_at="2026-11-23T10:00:00.000Z",
        webhook="https://hooks.example.org/x",
        accepted_at="2026-11-23T10:00:00.000Z",
    )
    assert reef.executions.get("lab", execution.id) == execution
    assert reef.started() == {f"{execution.id}-1": "RUNNING"}
    named = {"tenant": "lab", "id": execution.id}
    assert reef.input_of(execution.name) == {"job": named, "resume": False}
    request = reef.executions.job(execution).read_request()
    assert request.recordings == (RecordingRequest("s3://reef-input/uploads/lab/u-a/a.wav", "a.wav", "a.wav", '"a"'),)
    assert (request.model, request.settings) == ("reef@1.1.0", {"threshold": 0.6})


def test_a_record_is_kept_as_long_as_the_stack_says(reef: Reef) -> None:
    execution = reef.start()
    assert reef.record(execution).expires == (BEGAN + KEEP).timestamp()
    reef.now += timedelta(days=3)
    reef.end(execution, "FAILED", REASON)
    again = reef.executions.resume("lab", execution.id)
    assert reef.record(again).expires == (BEGAN + KEEP).timestamp()


def test_without_a_key_every_call_is_a_new_job(reef: Reef) -> None:
    first, second = reef.start(), reef.start()
    assert first.id != second.id
    assert len(reef.started()) == 2


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"model": "nemo"}, ModelNotFound),
        ({"model": "reef@9.9.9"}, ModelNotFound),
        ({"settings": {"threshold": 2}}, InvalidSettings),
        ({"settings": {"treshold": 0.5}}, InvalidSettings),
        ({"settings": {"target_class": "whale"}}, InvalidSettings),
        ({"settings": {"window_seconds": 3}}, InvalidSettings),
        ({"settings": {"time_zone": "Atlantis/Reef"}}, InvalidSettings),
    ],
)
def test_an_order_that_cannot_be_filled_leaves_nothing(reef: Reef, more: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        reef.start("key", **more)
    assert reef.started() == {}
    assert reef.executions.page("lab", 10, None) == []
    assert reef.start("key").status == RUNNING  # the key is not used up


# --- one key, one execution --------------------------------------------------------------------------------------


def test_many_threads_with_one_key_make_one_record_and_one_start(reef: Reef) -> None:
    together = Barrier(16)

    def start(_: int) -> Execution:
        together.wait()
        return reef.start("the key")

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(start, range(16)))
    assert len({answer.id for answer in answers}) == 1
    assert {answer.status for answer in answers} <= {PENDING, RUNNING}
    assert reef.started() == {answers[0].name: "RUNNING"}
    assert [each.status for each in reef.executions.page("lab", 10, None)] == [RUNNING]
    assert reef.record(answers[0]).revision == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"uploads": ("u-b",)},
        {"uploads": ("u-a", "u-b")},
        {"model": "reef@1.1.0"},
        {"settings": {}},
        {"settings": {"threshold": 0.7}},
        {"webhook": "https://hooks.example.org/x"},
    ],
)
def test_the_same_key_with_another_body_is_a_conflict(reef: Reef, changed: dict[str, Any]) -> None:
    first = reef.start("key")
    with pytest.raises(IdempotencyConflict, match=first.id):
        reef.executions.start("lab", a_request(**changed), UPLOADS[:1], "key")
    with pytest.raises(IdempotencyConflict, match="use a new key"):
        reef.executions.find_by_key("lab", a_request(**changed), "key")
    assert len(reef.started()) == 1


def test_the_order_of_settings_makes_no_other_body_and_that_of_recordings_does() -> None:
    one = a_request(settings={"threshold": 0.6, "median_windows": 3}, uploads=("u-a", "u-b"))
    assert one.fingerprint == replace(one, settings={"median_windows": 3, "threshold": 0.6}).fingerprint
    assert one.fingerprint != replace(one, uploads=("u-b", "u-a")).fingerprint


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "FAILED", "ABORTED"])
def test_a_key_that_comes_again_is_answered_with_what_became_of_it(reef: Reef, status: str) -> None:
    first = reef.start("key")
    if status != "RUNNING":
        reef.end(first, status, REASON if status == "FAILED" else None)
    reef.now += timedelta(days=2)
    as_it_stands = reef.executions.get("lab", first.id)
    assert reef.executions.find_by_key("lab", a_request(), "key") == as_it_stands
    assert reef.start("key") == as_it_stands
    assert len(reef.started()) == 1


def test_a_key_that_is_new_or_none_replays_nothing(reef: Reef) -> None:
    reef.start("key")
    assert reef.executions.find_by_key("lab", a_request(), "other key") is None
    assert reef.executions.find_by_key("lab", a_request(), None) is None


def test_tenants_do_not_share_keys(reef: Reef) -> None:
    mine, theirs = reef.start("key", "lab"), reef.start("key", "other")
    assert mine.id != theirs.id
    assert reef.executions.find_by_key("lab", a_request(settings={"threshold": 0.6}), "key") == mine
    # Neither may a tenant and a key be cut elsewhere.
    assert reef.start("cb", "a").id != reef.start("b", "ac").id


# --- a starter that dies -----------------------------------------------------------------------------------------


def abandoned(reef: Reef, monkeypatch: pytest.MonkeyPatch, *, begun: bool = False) -> Execution:
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


@pytest.mark.parametrize("begun", [False, True])
def test_who_comes_too_late_is_replaced(reef: Reef, monkeypatch: pytest.MonkeyPatch, begun: bool) -> None:
    left = abandoned(reef, monkeypatch, begun=begun)
    reef.now = BEGAN + timedelta(seconds=20)
    assert reef.start("key") == left  # it still has this moment
    assert len(reef.started()) == int(begun)
    reef.now += timedelta(milliseconds=1)
    taken = reef.start("key")
    assert taken == replace(left, status=RUNNING, started_at="2026-11-23T10:00:20.001Z", pending_since=None, uploads=())
    assert reef.started() == {left.name: "RUNNING"}
    assert reef.start("key") == taken


def test_of_many_who_take_over_one_does(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    left = abandoned(reef, monkeypatch)
    reef.now = BEGAN + timedelta(minutes=1)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: reef.start("key"), range(8)))
    assert {answer.status for answer in answers} <= {PENDING, RUNNING}
    assert reef.started() == {left.name: "RUNNING"}
    assert reef.executions.get("lab", left.id).status == RUNNING
    assert reef.record(left).revision == 2  # one says that it launches it, and that it runs


def test_a_starter_who_was_only_slow_changes_nothing(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Workflow.start

    def slow(workflow: Workflow, name: str, document: dict[str, Any]) -> None:
        monkeypatch.setattr(Workflow, "start", real)
        reef.now += timedelta(seconds=30)
        other.append(reef.start("key"))
        reef.now += timedelta(seconds=30)
        real(workflow, name, document)

    other: list[Execution] = []
    monkeypatch.setattr(Workflow, "start", slow)
    assert reef.start("key") == other[0]
    assert (other[0].status, other[0].started_at) == (RUNNING, "2026-11-23T10:00:30.000Z")
    assert len(reef.started()) == 1


def test_an_end_that_overtakes_its_start_stays(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Workflow.start

    def quick(workflow: Workflow, name: str, document: dict[str, Any]) -> None:
        real(workflow, name, document)
        reef.now += timedelta(seconds=5)
        end_execution(reef.table, name, "SUCCEEDED", None, lambda: reef.now)

    monkeypatch.setattr(Workflow, "start", quick)
    execution = reef.start()
    assert (execution.status, execution.started_at, execution.seconds) == (SUCCEEDED, execution.created_at, 5.0)


def test_a_record_that_vanishes_while_it_is_started_is_worth_another_try(
    reef: Reef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordTable, "create", lambda *_: False)
    with pytest.raises(StorageError, match="send the request again"):
        reef.start("key")


# --- an accepted execution runs ------------------------------------------------------------------------------------


def denied(code: str = "AccessDeniedException") -> StorageError:
    return StorageError(f"the service: AWS answered {code}; try again")


def break_request(patch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let nothing be written into the output bucket."""
    patch.setattr(LocalStore, "write", Mock(side_effect=error))


def break_start(patch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let StartExecution be refused."""
    patch.setattr(Workflow, "start", Mock(side_effect=error))


def break_answer(patch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let StartExecution work, and its answer be lost."""
    real = Workflow.start

    def start(workflow: Workflow, name: str, document: dict[str, Any]) -> None:
        real(workflow, name, document)
        raise error

    patch.setattr(Workflow, "start", start)


def break_note(patch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the record not be told that it runs."""
    patch.setattr(RecordTable, "replace", Mock(side_effect=error))


BREAKS = {
    "before the request": (break_request, 0),
    "before the start": (break_start, 0),
    "after the start": (break_answer, 1),
    "before it is noted": (break_note, 1),
}
HEALERS: dict[str, Callable[[Reef, Execution], object]] = {
    "the same key": lambda reef, left: reef.executions.find_by_key("lab", a_request(), "key"),
    "GET": lambda reef, left: reef.executions.get("lab", left.id),
    "resume": lambda reef, left: reef.executions.resume("lab", left.id),
    "the schedule": lambda reef, left: reef.executions.heal(),
}
steps = pytest.mark.parametrize("step", BREAKS)
healers = pytest.mark.parametrize("healer", HEALERS)
ways = pytest.mark.parametrize("way", [denied("ThrottlingException"), Died()], ids=["denied", "died"])


def left_behind(reef: Reef, monkeypatch: pytest.MonkeyPatch, step: str, way: BaseException) -> Execution:
    """Return an execution whose launch went wrong at a step."""
    breaks, started = BREAKS[step]
    with monkeypatch.context() as patch:
        breaks(patch, way)
        try:
            answer = reef.start("key")
        except Died:
            pass
        else:
            assert answer.status == PENDING  # it is accepted: its record is there
    left = reef.executions.page("lab", 1, None)[0]
    assert (left.status, len(reef.started())) == (PENDING, started)
    return left


@steps
@healers
@ways
def test_an_accepted_execution_is_launched_by_whoever_asks_next(
    reef: Reef, monkeypatch: pytest.MonkeyPatch, step: str, healer: str, way: BaseException
) -> None:
    left = left_behind(reef, monkeypatch, step, way)
    reef.now = BEGAN + timedelta(seconds=21)
    HEALERS[healer](reef, left)
    healed = reef.executions.get("lab", left.id)
    assert healed == replace(
        left, status=RUNNING, started_at="2026-11-23T10:00:21.000Z", pending_since=None, uploads=()
    )
    assert reef.started() == {left.name: "RUNNING"}
    request = reef.executions.job(left).read_request()
    assert request.recordings == (RecordingRequest("s3://reef-input/uploads/lab/u-a/a.wav", "a.wav", "a.wav", '"a"'),)
    assert reef.record(left).due == "2026-11-24T11:00:21.000Z"
    assert reef.executions.heal() == []


@steps
@healers
@ways
def test_a_resume_that_could_not_be_launched_is_launched_by_whoever_asks_next(
    reef: Reef, monkeypatch: pytest.MonkeyPatch, step: str, healer: str, way: BaseException
) -> None:
    first = reef.start("key")
    reef.end(first, "FAILED", REASON)
    reef.now += timedelta(hours=3)
    breaks, started = BREAKS[step]
    if step == "before the request":
        return  # it is there since the first attempt
    with monkeypatch.context() as patch:
        if step == "before it is noted":  # the write that resumes works, the one that says it runs does not
            real, calls = RecordTable.replace, count()

            def second(table: RecordTable, *given: Any, **named: Any) -> bool:
                if next(calls):
                    raise way
                return real(table, *given, **named)

            patch.setattr(RecordTable, "replace", second)
        else:
            breaks(patch, way)
        with suppress(Died):
            assert reef.executions.resume("lab", first.id).status == PENDING
    assert len(reef.started()) == 1 + started
    reef.now += timedelta(seconds=21)
    HEALERS[healer](reef, first)
    healed = reef.executions.get("lab", first.id)
    assert (healed.status, healed.attempt) == (RUNNING, 2)
    assert set(reef.started()) == {f"{first.id}-1", f"{first.id}-2"}
    assert reef.input_of(healed.name)["resume"] is True


@pytest.mark.parametrize("way", [denied(), Died()], ids=["denied", "died"])
def test_what_was_never_recorded_is_not_accepted_and_its_key_is_free(
    reef: Reef, monkeypatch: pytest.MonkeyPatch, way: BaseException
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(RecordTable, "create", Mock(side_effect=way))
        with pytest.raises(type(way)):
            reef.start("key")
    reef.now += timedelta(minutes=2)
    assert reef.executions.heal() == []
    assert reef.executions.page("lab", 1, None) == []
    assert reef.start("key").status == RUNNING
    assert len(reef.started()) == 1


def test_a_record_whose_answer_got_lost_is_launched_at_once(reef: Reef) -> None:
    with lost_answer():
        assert reef.start("key").status == RUNNING
    assert len(reef.started()) == 1


@healers
def test_within_the_grace_period_nobody_else_launches(reef: Reef, monkeypatch: pytest.MonkeyPatch, healer: str) -> None:
    left = left_behind(reef, monkeypatch, "before the start", Died())
    reef.now = BEGAN + timedelta(seconds=20)
    with suppress(WrongState):
        HEALERS[healer](reef, left)
    assert reef.executions.get("lab", left.id) == left
    assert reef.started() == {}


def test_healers_at_once_launch_one(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    left = left_behind(reef, monkeypatch, "before the start", Died())
    reef.now = BEGAN + timedelta(minutes=1)
    real, starts = Workflow.start, []

    def counted(workflow: Workflow, name: str, document: dict[str, Any]) -> None:
        starts.append(name)
        real(workflow, name, document)

    monkeypatch.setattr(Workflow, "start", counted)
    together = Barrier(12)

    def heal(number: int) -> None:
        together.wait()
        with suppress(WrongState):
            list(HEALERS.values())[number % 4](reef, left)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(heal, range(12)))
    assert reef.executions.get("lab", left.id).status == RUNNING
    assert (starts, reef.started()) == ([left.name], {left.name: "RUNNING"})


@pytest.mark.parametrize("healer", ["GET", "the schedule"])
def test_a_launch_that_was_only_late_and_its_healer_start_one_execution(
    reef: Reef, monkeypatch: pytest.MonkeyPatch, healer: str
) -> None:
    real = Workflow.start

    def late(workflow: Workflow, name: str, document: dict[str, Any]) -> None:
        monkeypatch.setattr(Workflow, "start", real)
        reef.now += timedelta(seconds=25)
        HEALERS[healer](reef, reef.executions.page("lab", 1, None)[0])
        real(workflow, name, document)

    monkeypatch.setattr(Workflow, "start", late)
    assert reef.start("key").status == RUNNING
    assert len(reef.started()) == 1


def test_what_is_cancelled_while_it_is_launched_does_not_run(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Workflow.start

    def late(workflow: Workflow, name: str, document: dict[str, Any]) -> None:
        reef.executions.stop("lab", name.rpartition("-")[0])
        real(workflow, name, document)

    monkeypatch.setattr(Workflow, "start", late)
    execution = reef.start("key")
    assert execution.status == CANCELLED
    assert reef.started() == {execution.name: "ABORTED"}


@healers
@pytest.mark.parametrize("code", ["AccessDeniedException", "StateMachineDoesNotExist", "ThrottlingException"])
def test_a_launch_that_stays_impossible_fails_after_an_hour(
    reef: Reef, monkeypatch: pytest.MonkeyPatch, healer: str, code: str
) -> None:
    launches = Mock(side_effect=refused(code))
    monkeypatch.setattr(client("stepfunctions"), "start_execution", launches)
    left = reef.start("key")
    assert left.status == PENDING
    while not Execution.from_record(reef.record(left)).ended:
        reef.now += timedelta(minutes=5)
        HEALERS[healer](reef, left)
    assert reef.now == BEGAN + timedelta(minutes=65)
    failed = Execution.from_record(reef.record(left))
    assert (failed.status, failed.error["error"]) == (FAILED, "LaunchFailed")
    assert code in failed.error["message"]
    assert "resume it when the cause is repaired" in failed.error["message"]
    assert reef.executions.heal() == []


def test_what_failed_to_launch_can_be_resumed_when_that_is_mended(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        break_request(patch, denied())
        left = reef.start("key")
        reef.now += timedelta(hours=2)
        assert reef.executions.get("lab", left.id).status == FAILED
    again = reef.executions.resume("lab", left.id)
    assert (again.status, again.attempt) == (RUNNING, 2)
    assert len(reef.executions.job(again).read_request().recordings) == 1


@healers
def test_a_request_that_cannot_be_written_any_more_fails_at_once(
    reef: Reef, monkeypatch: pytest.MonkeyPatch, healer: str
) -> None:
    left = left_behind(reef, monkeypatch, "before the request", Died())
    record = reef.table.read("u-a")
    assert record is not None
    reef.table.replace(record, {**record.document, "status": "DELETED"})
    reef.now = BEGAN + timedelta(minutes=1)
    HEALERS[healer](reef, left)
    failed = Execution.from_record(reef.record(left))
    assert (failed.status, failed.error["error"]) == (FAILED, "LaunchFailed")
    assert "UploadNotFound: there is no upload 'u-a'; it was deleted" in failed.error["message"]
    assert reef.started() == {}


def test_a_name_that_somebody_else_has_used_is_not_taken_for_ours(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    left = left_behind(reef, monkeypatch, "before the start", Died())
    client("stepfunctions").start_execution(stateMachineArn=reef.machine, name=left.name, input='{"job": "mine"}')
    reef.now = BEGAN + timedelta(minutes=1)
    failed = reef.executions.get("lab", left.id)
    assert (failed.status, failed.error["error"]) == (FAILED, "LaunchFailed")
    assert "with another input" in failed.error["message"]


@pytest.mark.parametrize("healer", ["the same key", "GET"])
@pytest.mark.parametrize("requested", [False, True])
def test_a_record_of_an_older_version_is_launched(
    reef: Reef, monkeypatch: pytest.MonkeyPatch, healer: str, requested: bool
) -> None:
    left = left_behind(reef, monkeypatch, "before the start" if requested else "before the request", Died())
    record = reef.record(left)
    old = {name: value for name, value in record.document.items() if name not in NEW_FIELDS}
    reef.table.replace(record, old)
    reef.now = BEGAN + timedelta(minutes=1)
    HEALERS[healer](reef, left)
    healed = Execution.from_record(reef.record(left))
    if healer == "GET" and not requested:  # nothing says what its uploads were
        assert (healed.status, healed.error["error"]) == (FAILED, "LaunchFailed")
    else:
        assert healed.status == RUNNING
        assert reef.started() == {left.name: "RUNNING"}


def test_one_that_cannot_be_healed_takes_no_other_along(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        break_start(patch, denied())
        odd, well = reef.start("odd"), reef.start("well")
    reef.table.replace(reef.record(odd), {"nothing": "known"}, due="2026-11-23T09:00:00.000Z")
    reef.now = BEGAN + timedelta(minutes=1)
    assert [each.id for each in reef.executions.heal()] == [well.id]
    assert reef.started() == {well.name: "RUNNING"}


@pytest.mark.parametrize(("results", "status"), [(True, SUCCEEDED), (False, FAILED)])
def test_an_end_that_was_never_told_is_found_after_a_day(reef: Reef, results: bool, status: str) -> None:
    execution = reef.start()
    if results:
        job = reef.executions.job(execution)
        job.store.write(job.manifest_key, b"{}")
    reef.now += timedelta(hours=25, seconds=-1)
    assert reef.executions.heal() == []
    reef.now += timedelta(seconds=2)
    assert [each.status for each in reef.executions.heal()] == [status]
    assert reef.executions.heal() == []


# --- what one tenant may spend -------------------------------------------------------------------------------------


@pytest.fixture
def two_jobs(reef: Reef) -> Reef:
    """A stack where each tenant may have two jobs at once."""
    reef.set_limits(Limits(jobs=2))
    return reef


def test_no_tenant_has_more_jobs_at_once_than_it_may(two_jobs: Reef) -> None:
    first, _ = two_jobs.start("1"), two_jobs.start("2")
    with pytest.raises(TooManyJobs, match="2 executions have not ended yet") as caught:
        two_jobs.start("3")
    assert caught.value.status == 429
    assert len(two_jobs.started()) == 2
    assert two_jobs.start("1").id == first.id  # what is accepted is answered all the same
    assert two_jobs.start("1", owner="other").status == RUNNING
    two_jobs.end(first, "SUCCEEDED")
    assert two_jobs.start("3").status == RUNNING
    assert two_jobs.executions.count_unfinished("lab") == 2


@pytest.mark.parametrize("end", ["FAILED", "ABORTED", "stop"])
def test_a_resume_takes_a_place_too(two_jobs: Reef, end: str) -> None:
    first = two_jobs.start("1")
    if end == "stop":
        two_jobs.executions.stop("lab", first.id)
    else:
        two_jobs.end(first, end, REASON)
    two_jobs.start("2")
    third = two_jobs.start("3")
    with pytest.raises(TooManyJobs):
        two_jobs.executions.resume("lab", first.id)
    assert two_jobs.executions.get("lab", first.id).ended
    two_jobs.end(third, "SUCCEEDED")
    assert two_jobs.executions.resume("lab", first.id).status == RUNNING


def test_starts_at_once_do_not_pass_the_limit(two_jobs: Reef) -> None:
    def start(number: int) -> bool:
        try:
            return bool(two_jobs.start(f"{number}"))
        except TooManyJobs:
            return False

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(start, range(24))) == 2
    assert len(two_jobs.started()) == 2


@pytest.mark.parametrize("died", ["before the record", "at the end"])
def test_a_place_that_a_call_left_behind_when_it_died_is_found(
    two_jobs: Reef, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    with monkeypatch.context() as patch:
        if died == "at the end":
            for key in ("1", "2"):
                execution = two_jobs.start(key)
                patch.setattr(Ledger, "leave", dies)
                with pytest.raises(Died):
                    two_jobs.end(execution, "SUCCEEDED")
        else:
            patch.setattr(RecordTable, "create", dies)
            for key in ("1", "2"):
                with pytest.raises(Died):
                    two_jobs.start(key)
    if died == "before the record":
        with pytest.raises(TooManyJobs):  # they may still be on their way
            two_jobs.start("3")
        two_jobs.now += timedelta(seconds=61)
    assert two_jobs.start("3").status == RUNNING
    assert two_jobs.start("4").status == RUNNING
    with pytest.raises(TooManyJobs):
        two_jobs.start("5")


def test_a_job_above_the_most_usd_is_refused_in_words(
    reef: Reef, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    write_scene(scene(20, seed=1), path)
    monkeypatch.setattr(Upload, "request", lambda *_: RecordingRequest(str(path), "a.wav", "a.wav"))
    cost = reef.executions.quote(a_request(), UPLOADS[:1]).quote.expected_usd
    reef.set_limits(Limits(job_usd=cost * 0.99))
    with pytest.raises(JobTooExpensive, match=r"expected to cost 0\.00 USD \(1 recordings, .* MaxJobUsd") as caught:
        reef.start("key")
    assert caught.value.status == 413
    assert (reef.started(), reef.executions.page("lab", 1, None)) == ({}, [])
    reef.set_limits(Limits(job_usd=cost))
    assert reef.start("key").status == RUNNING


def test_limits_come_from_the_environment() -> None:
    assert Limits.from_environment({}) == Limits()
    named = {"ANEMONEFISH_MAX_JOB_USD": "2.5", "ANEMONEFISH_MAX_JOBS": "3", "ANEMONEFISH_MAX_STORED_GB": "0.5"}
    assert Limits.from_environment(named) == Limits(2.5, 3, 500_000_000)
    assert Limits.from_environment(dict.fromkeys(named, "")) == Limits()


# --- the end -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "failure", "status", "error"),
    [
        ("SUCCEEDED", None, SUCCEEDED, None),
        ("FAILED", REASON, FAILED, {"error": "TruncatedRecording", "message": "a.wav: the header promises more"}),
        ("TIMED_OUT", Failure("RangeFailed", "t"), FAILED, {"error": "RangeFailed", "message": "t"}),
        ("ABORTED", None, CANCELLED, None),
    ],
)
def test_an_end_is_recorded_as_the_state_machine_tells_it(
    reef: Reef, told: str, failure: Failure | None, status: str, error: dict[str, str] | None
) -> None:
    execution = reef.start()
    reef.now += timedelta(seconds=90)
    ended = reef.end(execution, told, failure)
    assert ended == replace(execution, status=status, finished_at="2026-11-23T10:01:30.000Z", error=error)
    assert reef.executions.get("lab", execution.id) == ended
    assert ended.ended
    assert ended.seconds == 90.0


@pytest.mark.parametrize("first", ["SUCCEEDED", "FAILED", "ABORTED"])
@pytest.mark.parametrize("second", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_an_end_is_recorded_once(reef: Reef, first: str, second: str) -> None:
    execution = reef.start()
    ended = reef.end(execution, first, REASON if first == "FAILED" else None)
    before = reef.record(execution)
    reef.now += timedelta(hours=1)
    again = reef.end(execution, second, Failure("RangeFailed", "another"))
    same = (first, second) in {("FAILED", "TIMED_OUT")} or first == second
    assert again == (ended if same else None)  # told again, so that a notice which got lost goes out
    assert reef.record(execution) == before


@pytest.mark.parametrize("late", ["SUCCEEDED", "FAILED", "ABORTED"])
def test_the_end_of_an_earlier_attempt_changes_nothing(reef: Reef, late: str) -> None:
    first = reef.start()
    reef.end(first, "FAILED", REASON)
    second = reef.executions.resume("lab", first.id)
    before = reef.record(second)
    assert reef.end(first, late, REASON) is None
    assert reef.record(second) == before
    ended = reef.end(second, "SUCCEEDED")
    assert ended is not None
    assert (ended.status, ended.attempt, ended.error) == (SUCCEEDED, 2, None)
    assert reef.end(first, late, REASON) is None


@pytest.mark.parametrize("name", ["e-unknown-1", "e-", "by-hand", "u-a-1", "3f0c5c39-58d4-4d57-9d5e-8d5a2b7c6f01"])
def test_the_end_of_somebody_elses_execution_is_nothing_to_us(reef: Reef, name: str) -> None:
    for identifier in ("u-a", "by"):
        document = asdict(UPLOADS[0])
        reef.table.create(Record(id=identifier, owner="lab", created="2026", document=document, expires=2_000_000_000))
    assert end_execution(reef.table, name, "SUCCEEDED", None) is None


def test_two_ends_at_once_are_one(reef: Reef) -> None:
    execution = reef.start()
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: reef.end(execution, "SUCCEEDED"), range(8)))
    assert all(each == told[0] for each in told)
    assert reef.record(execution).revision == 2


def test_an_end_that_somebody_else_got_ahead_of_is_tried_again(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = reef.start()
    real, ahead = RecordTable.replace, []

    def beaten(table: RecordTable, record: Record, document: dict[str, Any], expires: int | None = None) -> bool:
        if not ahead:
            ahead.append(real(table, record, {**record.document, "webhook": "changed meanwhile"}))
        return real(table, record, document, expires)

    monkeypatch.setattr(RecordTable, "replace", beaten)
    ended = reef.end(execution, "SUCCEEDED")
    assert ended is not None
    assert (ended.status, ended.webhook) == (SUCCEEDED, "changed meanwhile")


# --- stopping and resuming ---------------------------------------------------------------------------------------


def test_what_runs_is_stopped(reef: Reef) -> None:
    execution = reef.start()
    reef.now += timedelta(seconds=7)
    stopped = reef.executions.stop("lab", execution.id)
    assert stopped == replace(execution, status=CANCELLED, finished_at="2026-11-23T10:00:07.000Z")
    assert reef.started() == {execution.name: "ABORTED"}
    assert reef.executions.stop("lab", execution.id) == stopped  # whoever asks twice is answered twice
    told = reef.end(execution, "ABORTED")
    assert told == stopped  # the event comes afterwards; its notice goes out


def test_what_has_not_begun_is_stopped(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    left = abandoned(reef, monkeypatch)
    assert reef.executions.stop("lab", left.id).status == CANCELLED
    reef.now += timedelta(minutes=1)
    assert reef.start("key").status == CANCELLED  # nobody takes over what was stopped
    assert reef.started() == {}


@pytest.mark.parametrize(("told", "word"), [("SUCCEEDED", "succeeded"), ("FAILED", "failed")])
def test_what_has_ended_cannot_be_stopped(reef: Reef, told: str, word: str) -> None:
    execution = reef.start()
    reef.end(execution, told, REASON)
    before = reef.record(execution)
    with pytest.raises(WrongState, match=f"has {word} already"):
        reef.executions.stop("lab", execution.id)
    assert reef.record(execution) == before
    assert reef.started() == {execution.name: "RUNNING"}  # nothing was told to stop


def test_an_end_that_comes_while_it_is_stopped_is_the_end(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = reef.start()
    monkeypatch.setattr(Workflow, "stop", lambda *_: reef.end(execution, "SUCCEEDED"))
    with pytest.raises(WrongState, match="has succeeded already"):
        reef.executions.stop("lab", execution.id)
    assert reef.executions.get("lab", execution.id).status == SUCCEEDED


def test_a_stop_whose_answer_got_lost_has_stopped(reef: Reef) -> None:
    execution = reef.start()
    with lost_answer():
        assert reef.executions.stop("lab", execution.id).status == CANCELLED


def test_an_end_whose_answer_got_lost_is_told(reef: Reef) -> None:
    execution = reef.start()
    with lost_answer():
        ended = reef.end(execution, "FAILED", REASON)
    assert ended == reef.executions.get("lab", execution.id)
    assert ended.status == FAILED


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


@pytest.mark.parametrize("told", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_what_failed_or_was_stopped_goes_on(reef: Reef, told: str) -> None:
    first = reef.start(webhook="https://hooks.example.org/x")
    request = reef.executions.job(first).read_request()
    reef.now += timedelta(hours=1)
    reef.end(first, told, None if told == "ABORTED" else REASON)
    reef.now += timedelta(hours=1)
    again = reef.executions.resume("lab", first.id)
    moment = "2026-11-23T12:00:00.000Z"
    assert again == replace(first, attempt=2, started_at=moment, accepted_at=moment)
    assert again.name == f"{first.id}-2"
    assert set(reef.started()) == {first.name, again.name}
    assert reef.input_of(again.name) == {"job": {"tenant": "lab", "id": first.id}, "resume": True}
    assert reef.executions.job(again).read_request() == request
    reef.end(again, "FAILED", REASON)
    assert reef.executions.resume("lab", first.id).name == f"{first.id}-3"


@pytest.mark.parametrize("told", [None, "SUCCEEDED"])
def test_what_runs_or_succeeded_cannot_be_resumed(reef: Reef, told: str | None) -> None:
    execution = reef.start()
    if told:
        reef.end(execution, told)
    with pytest.raises(WrongState, match=f"is {told or RUNNING}; only one that failed or was cancelled"):
        reef.executions.resume("lab", execution.id)
    assert set(reef.started()) == {execution.name}


def test_what_is_being_launched_cannot_be_resumed(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    left = abandoned(reef, monkeypatch)
    with pytest.raises(WrongState, match="is PENDING"):
        reef.executions.resume("lab", left.id)


def test_of_many_who_resume_one_does(reef: Reef) -> None:
    first = reef.start()
    reef.end(first, "FAILED", REASON)
    together = Barrier(8)

    def resume(_: int) -> Execution | None:
        together.wait()
        try:
            return reef.executions.resume("lab", first.id)
        except WrongState:
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for answer in pool.map(resume, range(8)) if answer]
    assert [(answer.status, answer.attempt) for answer in answers] == [(RUNNING, 2)]
    assert set(reef.started()) == {first.name, f"{first.id}-2"}


def test_a_stop_whose_service_is_down_stops_nothing(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = reef.start()
    with monkeypatch.context() as patch:
        patch.setattr(reef.executions, "_workflow", Workflow(reef.machine.replace("analyze", "another")))
        patch.setattr(client("stepfunctions"), "stop_execution", refused("ThrottlingException"))
        with pytest.raises(StorageError, match="the workflow: AWS answered ThrottlingException"):
            reef.executions.stop("lab", execution.id)
    assert reef.executions.get("lab", execution.id) == execution


def refused(code: str) -> Callable[..., Any]:
    """Return a call that AWS answers with an error."""

    def call(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "Call")

    return call


# --- the state machine -------------------------------------------------------------------------------------------


def test_a_name_is_started_once_whether_it_runs_or_has_ended(reef: Reef) -> None:
    workflow = Workflow(reef.machine)
    workflow.start("e-1-1", {"b": 1, "a": 2})
    workflow.start("e-1-1", {"a": 2, "b": 1})
    workflow.stop("e-1-1", "enough")
    workflow.start("e-1-1", {"a": 2, "b": 1})
    assert reef.started() == {"e-1-1": "ABORTED"}


def test_to_stop_what_never_ran_or_has_ended_is_no_error(reef: Reef) -> None:
    workflow = Workflow(reef.machine)
    workflow.stop("e-1-1", "never began")
    workflow.start("e-1-1", {})
    workflow.stop("e-1-1", "enough")
    workflow.stop("e-1-1", "enough")
    assert reef.started() == {"e-1-1": "ABORTED"}


def test_a_machine_that_is_not_there_is_worth_another_try(reef: Reef) -> None:
    with pytest.raises(StorageError, match="AWS answered StateMachineDoesNotExist") as caught:
        Workflow(reef.machine.replace("analyze", "nothing")).start("e-1-1", {})
    assert caught.value.retryable


# --- whose, and in which order -----------------------------------------------------------------------------------


def test_another_tenants_execution_is_not_there(reef: Reef) -> None:
    execution = reef.start()
    calls = [reef.executions.get, reef.executions.stop, reef.executions.resume]
    for identifier in (execution.id, "e-nothing", "u-a"):
        for call in calls:
            with pytest.raises(ExecutionNotFound) as caught:
                call("other", identifier)
            assert str(caught.value) == f"there is no execution '{identifier}'; list them to find its id"
    assert reef.executions.page("other", 10, None) == []
    assert reef.executions.page("other", 10, execution.id) == []
    assert reef.started() == {execution.name: "RUNNING"}


def test_an_upload_is_no_execution_of_its_owner(reef: Reef) -> None:
    reef.table.create(
        Record(id="u-a", owner="lab", created=UPLOADS[0].created_at, document=asdict(UPLOADS[0]), expires=2_000_000_000)
    )
    with pytest.raises(ExecutionNotFound):
        reef.executions.get("lab", "u-a")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_the_list_is_newest_first_in_pages_without_gaps_or_repeats(reef: Reef, limit: int) -> None:
    started = []
    for number in range(7):
        reef.now = BEGAN + timedelta(milliseconds=number)
        started.append(reef.start().id)
        reef.start(owner="other")
    reef.executions.stop("lab", started[3])  # what changes keeps its place
    seen: list[str] = []
    while page := reef.executions.page("lab", limit, seen[-1] if seen else None):
        seen += [each.id for each in page]
    assert seen == started[::-1]


def test_executions_of_one_moment_are_listed_once_each(reef: Reef) -> None:
    started = {reef.start().id for _ in range(5)}
    seen: list[str] = []
    while page := reef.executions.page("lab", 2, seen[-1] if seen else None):
        seen += [each.id for each in page]
    assert (len(seen), set(seen)) == (5, started)


# --- progress ----------------------------------------------------------------------------------------------------


@pytest.fixture
def planned(reef: Reef, make_recording: Callable[..., Path]) -> Execution:
    """A running job of two recordings in three ranges."""
    order = a_request(uploads=("u-a", "u-b"), settings={"max_range_seconds": 1, "formats": ["json", "csv"]})
    execution = reef.executions.start("lab", order, UPLOADS, None)
    write_plan(reef, execution, [make_recording("a.wav", frames=96_000), make_recording("b.wav", frames=48_000)])
    return execution


def write_plan(reef: Reef, execution: Execution, paths: list[Path]) -> None:
    requests = [RecordingRequest(str(path), path.name, path.name) for path in paths]
    settings = Settings.load(execution.settings, {})
    reef.executions.job(execution).write_plan(plan_job(requests, "reef", settings, reef.models))


def score(reef: Reef, execution: Execution, *numbers: int) -> None:
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


def test_before_there_is_a_plan_only_the_names_are_known(reef: Reef) -> None:
    execution = reef.executions.start("lab", a_request(uploads=("u-a", "u-b")), UPLOADS, None)
    progress = reef.executions.progress(execution)
    assert progress.recordings == (
        RecordingProgress("a.wav", 0, None, None),
        RecordingProgress("b.wav", 0, None, None),
    )
    assert (progress.done, progress.total, progress.expected_seconds) == (0, None, None)
    assert progress.expected_end(BEGAN, BEGAN) is None


def test_before_anything_is_written_nothing_is_known(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reef.executions.progress(abandoned(reef, monkeypatch)) == Progress((), None)


@pytest.mark.parametrize(("scored", "done"), [((), [0, 0]), ((1,), [1, 0]), ((2,), [0, 1]), ((0, 1, 2), [2, 1])])
def test_progress_is_counted_from_parts(
    reef: Reef, planned: Execution, scored: tuple[int, ...], done: list[int]
) -> None:
    score(reef, planned, *scored)
    progress = reef.executions.progress(planned)
    assert [each.ranges_done for each in progress.recordings] == done
    assert [each.ranges_total for each in progress.recordings] == [2, 1]
    assert (progress.done, progress.total) == (sum(done), 3)
    assert progress.expected_seconds is not None


def test_a_part_of_another_plan_does_not_count(reef: Reef, planned: Execution) -> None:
    job = reef.executions.job(planned)
    job.store.write(f"{job.kept}/parts/0123456789abcdef/00000000-00000005.npy", b"")
    assert reef.executions.progress(planned).done == 0


def test_a_recording_that_cannot_be_planned_says_why(
    reef: Reef, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "b.wav").write_bytes(b"no sound")
    execution = reef.executions.start("lab", a_request(uploads=("u-a", "u-b")), UPLOADS, None)
    write_plan(reef, execution, [make_recording("a.wav"), tmp_path / "b.wav"])
    whole, broken = reef.executions.progress(execution).recordings
    assert (whole.ranges_total, whole.failure) == (1, None)
    assert broken.failure is not None
    assert (broken.ranges_total, broken.failure.error) == (0, "UnreadableRecording")


def test_a_single_recording_that_succeeded_is_whole_without_a_listing(
    reef: Reef, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = reef.start(settings={"max_range_seconds": 1})
    write_plan(reef, execution, [make_recording("a.wav", frames=144_000)])
    ended = reef.end(execution, "SUCCEEDED")
    assert ended is not None
    monkeypatch.setattr(Job, "scored", dies)
    progress = reef.executions.progress(ended)
    assert progress.done == progress.total == 3


def test_a_plan_is_read_once(reef: Reef, planned: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    first = reef.executions.progress(planned)
    Path(reef.executions.job(planned).store.uri, reef.executions.job(planned).plan_key).unlink()
    assert reef.executions.progress(planned) == first


@pytest.mark.parametrize(
    ("done", "total", "expected", "passed", "left"),
    [
        (0, 4, 60.0, 10, 50),  # as the plan says
        (0, 4, 60.0, 90, 0),  # late already: now, never in the past
        (1, 4, 60.0, 10, 30),  # its own pace
        (3, 4, 60.0, 90, 30),
        (4, 4, 60.0, 10, 50),  # results are being written
        (4, 4, 60.0, 90, 0),
    ],
)
def test_the_end_is_expected_by_the_plan_and_then_by_the_pace(
    done: int, total: int, expected: float, passed: int, left: int
) -> None:
    progress = Progress((RecordingProgress("a.wav", done, total, None),), expected)
    now = BEGAN + timedelta(seconds=passed)
    assert progress.expected_end(BEGAN, now) == now + timedelta(seconds=left)


def refreshed(reef: Reef, execution: Execution) -> Execution:
    return reef.executions.refresh(execution, reef.executions.progress(execution))


def test_an_end_nobody_told_of_is_seen_in_the_manifest(reef: Reef, planned: Execution) -> None:
    job = reef.executions.job(planned)
    score(reef, planned, 0, 1)
    job.store.write(job.manifest_key, b"{}")
    assert refreshed(reef, planned) == planned  # a manifest of before: ranges are missing
    score(reef, planned, 2)
    Path(job.store.uri, job.manifest_key).unlink()
    assert refreshed(reef, planned) == planned  # results are being written
    job.store.write(job.manifest_key, b"{}")
    reef.now += timedelta(minutes=1)
    ended = refreshed(reef, planned)
    assert (ended.status, ended.finished_at) == (SUCCEEDED, "2026-11-23T10:01:00.000Z")
    assert reef.executions.get("lab", planned.id) == ended
    assert reef.end(planned, "SUCCEEDED") == ended  # the event comes late: its notice goes out


@pytest.mark.parametrize("status", [PENDING, FAILED, CANCELLED])
def test_only_what_runs_is_looked_after(reef: Reef, planned: Execution, status: str) -> None:
    job = reef.executions.job(planned)
    score(reef, planned, 0, 1, 2)
    job.store.write(job.manifest_key, b"{}")
    execution = replace(planned, status=status)
    assert refreshed(reef, execution) == execution


# --- notices -----------------------------------------------------------------------------------------------------


@pytest.fixture
def told(reef: Reef, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[Any], list[Any]]]:
    """Return a function that hands an event to the status function; it answers with the notices it made."""
    spec = importlib.util.spec_from_file_location("status_app", REPOSITORY / "functions/status/app.py")
    assert spec is not None
    assert spec.loader is not None
    app: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    sqs, sns, number = client("sqs"), client("sns"), next(NUMBERS)
    listener, hooks = (sqs.create_queue(QueueName=f"{name}-{number}")["QueueUrl"] for name in ("listener", "hooks"))
    topic = sns.create_topic(Name=f"ends-{number}")["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=listener, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    monkeypatch.setenv("ANEMONEFISH_RECORD_TABLE", reef.table.name)
    monkeypatch.setenv("ANEMONEFISH_COMPLETION_TOPIC", topic)
    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_QUEUE", hooks)

    def received(queue: str) -> list[Any]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ())
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def tell(name: str, status: str, **detail: str) -> tuple[list[Any], list[Any]]:
        app.handler({"detail": {"name": name, "status": status, **detail}}, None)
        return [json.loads(each["Message"]) for each in received(listener)], received(hooks)

    tell.__dict__["without_hooks"] = lambda: monkeypatch.delenv("ANEMONEFISH_WEBHOOK_QUEUE")
    return tell


HOOK = "https://hooks.example.org/x"


def test_an_end_is_told_to_the_topic_and_once_to_the_webhook(reef: Reef, told: Any) -> None:
    execution = reef.start(webhook=HOOK)
    topic, hooks = told(execution.name, "SUCCEEDED")
    finished = reef.executions.get("lab", execution.id).finished_at
    notice = {"execution": execution.id, "status": "SUCCEEDED", "tenant": "lab", "finished_at": finished}
    assert topic == [notice]
    assert hooks == [{"id": execution.name, "url": HOOK, "notice": notice}]


def test_who_named_no_webhook_is_not_called(reef: Reef, told: Any) -> None:
    topic, hooks = told(reef.start().name, "SUCCEEDED")
    assert (len(topic), hooks) == (1, [])


def test_a_stack_without_webhooks_calls_none(reef: Reef, told: Any) -> None:
    told.without_hooks()
    topic, hooks = told(reef.start(webhook=HOOK).name, "SUCCEEDED")
    assert (len(topic), hooks) == (1, [])


def test_an_event_that_comes_again_tells_the_same_again(reef: Reef, told: Any) -> None:
    execution = reef.start(webhook=HOOK)
    first = told(execution.name, "SUCCEEDED")
    assert told(execution.name, "SUCCEEDED") == first  # a notice may come twice, and never with other words
    assert told(execution.name, "FAILED") == ([], [])


def test_an_attempt_that_another_followed_is_not_told(reef: Reef, told: Any) -> None:
    first = reef.start(webhook=HOOK)
    told(first.name, "FAILED", error="InvalidSamples", cause="{}")
    second = reef.executions.resume("lab", first.id)
    assert told(first.name, "FAILED", error="InvalidSamples", cause="{}") == ([], [])
    topic, hooks = told(second.name, "SUCCEEDED")
    assert [each["status"] for each in topic] == ["SUCCEEDED"]
    assert [(each["id"], each["notice"]["status"]) for each in hooks] == [(f"{first.id}-2", "SUCCEEDED")]


def test_what_was_stopped_is_told_when_the_state_machine_says_so(reef: Reef, told: Any) -> None:
    execution = reef.start(webhook=HOOK)
    stopped = reef.executions.stop("lab", execution.id)
    topic, _ = told(execution.name, "ABORTED")
    assert [(each["status"], each["finished_at"]) for each in topic] == [("CANCELLED", stopped.finished_at)]


@pytest.mark.parametrize(
    ("status", "detail", "error", "words"),
    [
        ("FAILED", {"error": "InvalidSamples", "cause": "a.wav: NaN"}, "InvalidSamples", "a.wav: NaN"),
        ("FAILED", {"error": "States.Runtime", "cause": "odd"}, "RangeFailed", "States.Runtime: odd"),
        ("FAILED", {}, "RangeFailed", "did not finish in the time"),
        ("TIMED_OUT", {}, "RangeFailed", "did not finish in the time"),
    ],
)
def test_a_failure_is_kept_in_the_words_of_the_tree(
    reef: Reef, told: Any, status: str, detail: dict[str, str], error: str, words: str
) -> None:
    execution = reef.start()
    topic, _ = told(execution.name, status, **detail)
    assert topic[0]["status"] == "FAILED"
    kept = reef.executions.get("lab", execution.id).error
    assert kept is not None
    assert kept["error"] == error
    assert words in kept["message"]


def test_an_execution_started_by_hand_is_not_told(reef: Reef, told: Any) -> None:
    assert told("by-hand", "SUCCEEDED") == ([], [])


def test_a_topic_that_is_not_there_is_worth_another_try(reef: Reef) -> None:
    with pytest.raises(StorageError, match="the topic: AWS answered NotFound"):
        publish("arn:aws:sns:eu-central-1:123456789012:nothing", "subject", {})


# --- results -----------------------------------------------------------------------------------------------------


@pytest.fixture
def results(reef: Reef, planned: Execution) -> JobResults:
    """Results of a job whose second recording failed."""
    job = reef.executions.job(planned)
    score(reef, planned, 0, 1)
    job.write_range_failure(list(job.read_plan().tasks())[2], Failure("InvalidSamples", "b.wav: NaN"))
    aggregate_job(job, reef.models)
    return JobResults(job, reef.models)


def test_there_are_no_results_before_the_end(reef: Reef, planned: Execution) -> None:
    with pytest.raises(WrongState, match="no results yet"):
        JobResults(reef.executions.job(planned), reef.models)


def test_every_recording_has_its_numbers_or_its_reason(results: JobResults) -> None:
    whole, broken = results.recordings()
    assert (whole.name, whole.windows, whole.failure) == ("a.wav", 9, None)
    assert whole.events == len(results.result(0, results.settings_of(None)).events)
    assert (broken.name, broken.windows, broken.events) == ("b.wav", None, None)
    assert broken.failure == Failure("InvalidSamples", "b.wav: NaN")
    for form in ("json", "raven"):
        with pytest.raises(InvalidSamples, match=r"b\.wav: NaN"):
            results.file(1, form, None)


@pytest.mark.parametrize("number", [-1, 2, 10**9])
def test_a_recording_that_there_is_not(results: JobResults, number: int) -> None:
    calls: list[Callable[[], object]] = [
        lambda: results.file(number, "json", None),
        lambda: results.result(number, results.settings_of(None)),
        lambda: results.decide(number, {}),
    ]
    for call in calls:
        with pytest.raises(RecordingNotFound, match="recordings 0 to 1, not"):
            call()


def test_a_file_that_the_job_wrote_is_not_made_again(results: JobResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobResults, "_make", dies)
    key, name = results.file(0, "csv", None)
    assert key == f"{results._job.results}/a.wav.events.csv"
    assert name == "a.wav.events.csv"


def test_a_file_nobody_asked_for_is_made_once_when_somebody_does(
    results: JobResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, name = results.file(0, "raven", None)
    assert (key.startswith(f"{results._job.work}/decisions/d-"), name) == (True, "a.wav.selections.txt")
    assert results._job.store.exists(key)
    monkeypatch.setattr(JobResults, "_make", dies)
    assert results.file(0, "raven", None) == (key, name)


def test_a_decision_is_named_by_what_it_decides(results: JobResults) -> None:
    first, _ = results.decide(0, {"threshold": 0.7, "median_windows": 3})
    again, _ = results.decide(0, {"median_windows": 3, "threshold": 0.7})
    other, _ = results.decide(0, {"threshold": 0.8})
    assert re.fullmatch(r"d-[0-9a-f]{16}", first)
    assert first == again != other
    settings = results.settings_of(first)
    assert (settings.threshold, settings.median_windows) == (0.7, 3)
    assert replace(settings, threshold=0.5, median_windows=5) == results.settings_of(None)
    key, _ = results.file(0, "csv", first)
    assert key == f"{results._job.work}/decisions/{first}/a.wav.events.csv"


def test_a_decision_gives_other_events_of_the_same_scores(results: JobResults) -> None:
    none = results.decide(0, {"threshold": 0.999})[1]
    most = results.decide(0, {"threshold": 0.0, "median_windows": 1, "min_duration_seconds": 0})[1]
    assert len(none.events) < len(most.events)
    assert np.array_equal(none.scores, most.scores)


def test_an_environment_changes_no_decision(results: JobResults, monkeypatch: pytest.MonkeyPatch) -> None:
    decision, before = results.decide(0, {"median_windows": 3})
    monkeypatch.setenv("ANEMONEFISH_THRESHOLD", "0.99")
    assert results.decide(0, {"median_windows": 3})[0] == decision
    assert results.settings_of(decision).threshold == before.settings.threshold == 0.5


@pytest.mark.parametrize(
    "changes", [{"threshold": 1}, {"median_windows": 2}, {"target_class": "whale"}, {"treshold": 0.5}]
)
def test_a_decision_that_cannot_be_made_leaves_nothing(results: JobResults, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings):
        results.decide(0, changes)
    assert list(results._job.store.keys(f"{results._job.work}/decisions/")) == []


@pytest.mark.parametrize("decision", ["d-0123456789abcdef", "d-", "..", "x" * 1_000])
def test_a_decision_nobody_made_is_not_there(results: JobResults, decision: str) -> None:
    with pytest.raises(DecisionNotFound, match="decide first") as caught:
        results.settings_of(decision)
    assert len(str(caught.value)) < 400


def test_a_decision_of_another_job_is_not_there(reef: Reef, results: JobResults) -> None:
    decision, _ = results.decide(0, {"threshold": 0.7})
    other = reef.start("other")
    job = reef.executions.job(other)
    for key in (results._job.plan_key, results._job.manifest_key):
        job.store.write(key.replace(results._job.work, job.work), job.store.read(key))
    with pytest.raises(DecisionNotFound):
        JobResults(job, reef.models).settings_of(decision)


def test_files_of_the_whole_job_are_those_of_the_manifest_and_for_review(results: JobResults) -> None:
    results._job.store.write(f"{results._job.results}/review/a.wav/1.png", b"")
    found = dict(results.files())
    assert found[f"{results._job.results}/review/a.wav/1.png"] == "review/a.wav/1.png"
    assert "summary.csv" in found.values()
    assert all(results._job.store.exists(key) for key in found)
    assert not any(name.startswith("a.wav") for name in found.values())


def test_the_clock_writes_what_it_reads() -> None:
    assert clock.from_text(clock.to_text(BEGAN)) == BEGAN
    assert clock.to_text(BEGAN.astimezone(clock.from_text("2026-01-01T00:00:00+10:00").tzinfo)) == clock.to_text(BEGAN)
