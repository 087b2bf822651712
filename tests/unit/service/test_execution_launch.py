"""An accepted execution is launched once, by whichever call comes first after its launch failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from threading import Barrier
from typing import Any
from unittest.mock import Mock

import pytest

from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.step_functions import Workflow, WorkflowEnd
from anemonefish.errors import (
    StorageError,
    WrongState,
)
from anemonefish.execution_states import CANCELLED, FAILED, PENDING, RUNNING, SUCCEEDED
from anemonefish.jobs.request import RecordingRequest
from anemonefish.service.execution_end import end_execution
from anemonefish.service.execution_launch import CHECK_AFTER
from anemonefish.service.execution_record import Execution
from anemonefish.stores.folder import LocalStore
from tests.fakes.service_stack import (
    BEGAN,
    REASON,
    UPLOADS,
    Died,
    FakeStack,
    abandoned,
    denied,
    lost_answer,
    make_request,
    refused,
)

NEW_FIELDS = {"accepted_at", "pending_since", "uploads"}


@pytest.mark.parametrize("begun", [False, True])
def test_stale_pending_execution_is_relaunched(reef: FakeStack, monkeypatch: pytest.MonkeyPatch, begun: bool) -> None:
    left = abandoned(reef, monkeypatch, begun=begun)
    reef.now = BEGAN + timedelta(seconds=20)
    assert reef.start("key") == left  # it still has this moment
    assert len(reef.started()) == int(begun)
    reef.now += timedelta(milliseconds=1)
    taken = reef.start("key")
    assert taken == replace(left, status=RUNNING, started_at="2026-11-23T10:00:20.001Z", pending_since=None, uploads=())
    assert reef.started() == {left.name: "RUNNING"}
    assert reef.start("key") == taken


def test_concurrent_relaunches_start_one_execution(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    left = abandoned(reef, monkeypatch)
    reef.now = BEGAN + timedelta(minutes=1)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: reef.start("key"), range(8)))
    assert {answer.status for answer in answers} <= {PENDING, RUNNING}
    assert reef.started() == {left.name: "RUNNING"}
    assert reef.executions.get("lab", left.id).status == RUNNING
    assert reef.record(left).revision == 2  # one says that it launches it, and that it runs


def test_slow_launch_does_not_change_the_record_of_its_relaunch(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_end_that_is_recorded_before_its_start_stays(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Workflow.start

    def quick(workflow: Workflow, name: str, document: dict[str, Any]) -> None:
        real(workflow, name, document)
        reef.now += timedelta(seconds=5)
        end_execution(reef.table, name, "SUCCEEDED", None, lambda: reef.now)

    monkeypatch.setattr(Workflow, "start", quick)
    execution = reef.start()
    assert (execution.status, execution.started_at, execution.seconds) == (SUCCEEDED, execution.created_at, 5.0)


def test_record_that_is_deleted_during_a_start_is_a_storage_error(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RecordTable, "create", lambda *_: False)
    with pytest.raises(StorageError, match="send the request again"):
        reef.start("key")


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


HEALERS: dict[str, Callable[[FakeStack, Execution], object]] = {
    "the same key": lambda reef, left: reef.executions.find_by_key("lab", make_request(), "key"),
    "GET": lambda reef, left: reef.executions.get("lab", left.id),
    "resume": lambda reef, left: reef.executions.resume("lab", left.id),
    "the schedule": lambda reef, left: reef.executions.heal(),
}


steps = pytest.mark.parametrize("step", BREAKS)


healers = pytest.mark.parametrize("healer", HEALERS)


ways = pytest.mark.parametrize("way", [denied("ThrottlingException"), Died()], ids=["denied", "died"])


def left_behind(reef: FakeStack, monkeypatch: pytest.MonkeyPatch, step: str, way: BaseException) -> Execution:
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
def test_accepted_execution_is_launched_by_the_next_call(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, step: str, healer: str, way: BaseException
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
    uri = "s3://reef-input/uploads/lab/u-a/a.wav"
    assert request.recordings == (RecordingRequest(uri, "a.wav", "a.wav", version='"a"'),)
    assert reef.record(left).due == "2026-11-23T10:15:21.000Z"
    assert reef.executions.heal() == []


@steps
@healers
@ways
def test_failed_resume_is_launched_by_the_next_call(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, step: str, healer: str, way: BaseException
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
def test_start_without_a_record_is_not_accepted_and_keeps_the_key_free(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, way: BaseException
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


def test_execution_is_launched_when_the_answer_of_its_record_is_lost(reef: FakeStack) -> None:
    with lost_answer():
        assert reef.start("key").status == RUNNING
    assert len(reef.started()) == 1


@healers
def test_pending_execution_is_not_relaunched_within_the_grace_period(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, healer: str
) -> None:
    left = left_behind(reef, monkeypatch, "before the start", Died())
    reef.now = BEGAN + timedelta(seconds=20)
    with suppress(WrongState):
        HEALERS[healer](reef, left)
    assert reef.executions.get("lab", left.id) == left
    assert reef.started() == {}


def test_concurrent_calls_of_every_kind_launch_once(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_late_launch_and_its_relaunch_start_one_execution(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, healer: str
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


def test_execution_that_is_cancelled_during_its_launch_does_not_run(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_execution_fails_after_an_hour_of_failed_launches(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, healer: str, code: str
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


def test_execution_that_failed_to_launch_can_be_resumed(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        break_request(patch, denied())
        left = reef.start("key")
        reef.now += timedelta(hours=2)
        assert reef.executions.get("lab", left.id).status == FAILED
    again = reef.executions.resume("lab", left.id)
    assert (again.status, again.attempt) == (RUNNING, 2)
    assert len(reef.executions.job(again).read_request().recordings) == 1


@healers
def test_execution_of_a_deleted_upload_fails_at_once(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, healer: str
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


def test_state_machine_name_with_another_input_fails_the_launch(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = left_behind(reef, monkeypatch, "before the start", Died())
    client("stepfunctions").start_execution(stateMachineArn=reef.machine, name=left.name, input='{"job": "mine"}')
    reef.now = BEGAN + timedelta(minutes=1)
    failed = reef.executions.get("lab", left.id)
    assert (failed.status, failed.error["error"]) == (FAILED, "LaunchFailed")
    assert "with another input" in failed.error["message"]


@pytest.mark.parametrize("healer", ["the same key", "GET"])
@pytest.mark.parametrize("requested", [False, True])
def test_record_of_an_older_version_is_launched(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, healer: str, requested: bool
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


def test_error_of_one_execution_does_not_stop_the_schedule(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        break_start(patch, denied())
        odd, well = reef.start("odd"), reef.start("well")
    reef.table.replace(reef.record(odd), {"nothing": "known"}, due="2026-11-23T09:00:00.000Z")
    reef.now = BEGAN + timedelta(minutes=1)
    assert [each.id for each in reef.executions.heal()] == [well.id]
    assert reef.started() == {well.name: "RUNNING"}


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        (WorkflowEnd("SUCCEEDED"), SUCCEEDED, None),
        (WorkflowEnd("FAILED", "TruncatedRecording", "a.wav: too short"), FAILED, "TruncatedRecording"),
        (WorkflowEnd("TIMED_OUT"), FAILED, "FunctionFailed"),
        (WorkflowEnd("ABORTED"), CANCELLED, None),
    ],
)
def test_schedule_records_an_end_whose_event_was_lost(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, end: WorkflowEnd, status: str, error: str | None
) -> None:
    execution = reef.start()
    monkeypatch.setattr(Workflow, "find_end", lambda _, name: end if name == execution.name else None)
    reef.now += CHECK_AFTER - timedelta(seconds=1)
    assert reef.executions.heal() == []
    reef.now += timedelta(seconds=2)
    [healed] = reef.executions.heal()
    assert healed == reef.executions.get("lab", execution.id)
    assert (healed.status, (healed.error or {}).get("error")) == (status, error)
    assert reef.executions.heal() == []
    assert reef.executions.count_unfinished("lab") == 0


def test_lost_end_is_counted_and_its_reason_stored(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANEMONEFISH_STACK", "reef")
    monkeypatch.setenv("ANEMONEFISH_STAGE", "dev")
    execution = reef.start()
    monkeypatch.setattr(Workflow, "find_end", lambda *_: WorkflowEnd("FAILED", "States.Runtime", "odd"))
    reef.now += CHECK_AFTER + timedelta(seconds=1)
    assert [each.status for each in reef.executions.heal()] == [FAILED]
    job = reef.executions.job(execution)
    assert b"States.Runtime: odd" in job.store.read(job.failure_key)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["EndsLost"] for line in lines if "EndsLost" in line] == [1]
    assert [line["Error"] for line in lines if "Failures" in line] == ["FunctionFailed"]
    assert [line["status"] for line in lines if line["message"] == "a job failed"] == [500]


def test_schedule_asks_again_about_an_execution_that_still_runs(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = reef.start()
    for _ in range(3):
        reef.now += CHECK_AFTER + timedelta(seconds=1)
        assert reef.executions.heal() == []
        assert reef.executions.get("lab", execution.id).status == RUNNING
    monkeypatch.setattr(Workflow, "find_end", lambda *_: WorkflowEnd("SUCCEEDED"))
    assert reef.executions.heal() == []  # it was asked a moment ago
    reef.now += CHECK_AFTER + timedelta(seconds=1)
    assert [each.status for each in reef.executions.heal()] == [SUCCEEDED]


@pytest.mark.parametrize(("results", "status"), [(True, SUCCEEDED), (False, FAILED)])
def test_schedule_ends_an_execution_that_step_functions_does_not_know(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch, results: bool, status: str
) -> None:
    execution = reef.start()
    if results:
        job = reef.executions.job(execution)
        job.store.write(job.manifest_key, b'{"recordings": []}')
    reef.now += CHECK_AFTER + timedelta(seconds=1)
    reef.set_machine("arn:aws:states:us-east-1:123456789012:stateMachine:another")
    assert [each.status for each in reef.executions.heal()] == [status]
    assert reef.executions.heal() == []


def test_workflow_gets_the_correlation_id_of_the_request_that_started_it(reef: FakeStack) -> None:
    execution = reef.executions.start("lab", make_request(), UPLOADS[:1], None, "r-1")
    assert reef.record(execution).document["correlation_id"] == "r-1"
    assert reef.input_of(execution.name)["correlation_id"] == "r-1"


def test_repeated_request_keeps_the_correlation_id_of_the_first(reef: FakeStack) -> None:
    first = reef.executions.start("lab", make_request(), UPLOADS[:1], "key", "r-1")
    again = reef.executions.start("lab", make_request(), UPLOADS[:1], "key", "r-2")
    assert (again.id, again.correlation_id) == (first.id, "r-1")
    assert len(reef.started()) == 1


def test_resumed_attempt_has_the_correlation_id_of_its_own_request(reef: FakeStack) -> None:
    execution = reef.executions.start("lab", make_request(), UPLOADS[:1], None, "r-1")
    reef.end(execution, "FAILED", REASON)
    resumed = reef.executions.resume("lab", execution.id, "r-2")
    assert reef.input_of(resumed.name)["correlation_id"] == "r-2"
    assert reef.input_of(execution.name)["correlation_id"] == "r-1"


def test_correlation_id_is_not_part_of_the_request_of_a_job(reef: FakeStack) -> None:
    requests = []
    for number in range(2):
        execution = reef.executions.start("lab", make_request(), UPLOADS[:1], None, f"r-{number}")
        requests.append(reef.store.read(f"jobs/lab/{execution.id}/request.json"))
    assert requests[0] == requests[1]
    assert b"r-1" not in requests[1]


def test_log_line_of_a_launch_names_the_execution(reef: FakeStack, capsys: pytest.CaptureFixture[str]) -> None:
    execution = reef.executions.start("lab", make_request(), UPLOADS[:1], None, "r-1")
    [line] = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["message"], line["correlation_id"], line["execution"], line["job"]) == (
        "an execution was launched", "r-1", execution.id, f"jobs/lab/{execution.id}",
    )  # fmt: skip
