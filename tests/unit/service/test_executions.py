"""Executions are started once for each key, listed, stopped and resumed (DynamoDB and Step Functions of moto)."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import Record
from anemonefish.cloud.step_functions import Workflow
from anemonefish.errors import (
    ExecutionNotFound,
    IdempotencyConflict,
    InvalidSettings,
    ModelNotFound,
    StorageError,
    WrongState,
)
from anemonefish.execution_states import CANCELLED, PENDING, RUNNING, SUCCEEDED
from anemonefish.jobs.request import RecordingRequest
from anemonefish.service.execution_record import Execution
from tests.fakes.service_stack import (
    BEGAN,
    KEEP,
    REASON,
    UPLOADS,
    FakeStack,
    abandoned,
    lost_answer,
    make_request,
    refused,
)
from tests.reference_models import LAB_MODEL

# --- starting ----------------------------------------------------------------------------------------------------


def test_start_writes_record_and_request_and_starts_the_state_machine(reef: FakeStack) -> None:
    execution = reef.start(webhook="https://hooks.example.org/x")
    assert re.fullmatch(r"e-[a-z2-7]{26}", execution.id)
    assert execution.model == reef.models.pin("reef").to_dict()  # what the alias means now
    assert execution == Execution(
        id=execution.id,
        owner="lab",
        fingerprint=make_request(webhook="https://hooks.example.org/x").fingerprint,
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
    uri = "s3://reef-input/uploads/lab/u-a/a.wav"
    assert request.recordings == (RecordingRequest(uri, "a.wav", "a.wav", version='"a"'),)
    assert (request.model, request.settings) == (reef.models.pin("reef").reference, {"threshold": 0.6})


def test_record_expires_after_the_configured_time(reef: FakeStack) -> None:
    execution = reef.start()
    assert reef.record(execution).expires == (BEGAN + KEEP).timestamp()
    reef.now += timedelta(days=3)
    reef.end(execution, "FAILED", REASON)
    again = reef.executions.resume("lab", execution.id)
    assert reef.record(again).expires == (BEGAN + KEEP).timestamp()


def test_each_start_without_a_key_is_a_new_job(reef: FakeStack) -> None:
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
        ({"settings": {"time_zone": "Atlantis/FakeStack"}}, InvalidSettings),
    ],
)
def test_invalid_request_leaves_no_record_and_keeps_the_key_free(
    reef: FakeStack, more: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        reef.start("key", **more)
    assert reef.started() == {}
    assert reef.executions.page("lab", 10, None) == []
    assert reef.start("key").status == RUNNING  # the key is not used up


# --- one key, one execution --------------------------------------------------------------------------------------


def test_concurrent_starts_with_one_key_make_one_execution(reef: FakeStack) -> None:
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
        {"model": LAB_MODEL},
        {"settings": {}},
        {"settings": {"threshold": 0.7}},
        {"webhook": "https://hooks.example.org/x"},
    ],
)
def test_same_key_with_another_body_is_a_conflict(reef: FakeStack, changed: dict[str, Any]) -> None:
    first = reef.start("key")
    with pytest.raises(IdempotencyConflict, match=first.id):
        reef.executions.start("lab", make_request(**changed), UPLOADS[:1], "key")
    with pytest.raises(IdempotencyConflict, match="use a new key"):
        reef.executions.find_by_key("lab", make_request(**changed), "key")
    assert len(reef.started()) == 1


def test_fingerprint_ignores_the_order_of_settings_but_not_of_recordings() -> None:
    one = make_request(settings={"threshold": 0.6, "median_windows": 3}, uploads=("u-a", "u-b"))
    assert one.fingerprint == replace(one, settings={"median_windows": 3, "threshold": 0.6}).fingerprint
    assert one.fingerprint != replace(one, uploads=("u-b", "u-a")).fingerprint


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "FAILED", "ABORTED"])
def test_repeated_key_returns_the_execution_as_it_is_now(reef: FakeStack, status: str) -> None:
    first = reef.start("key")
    if status != "RUNNING":
        reef.end(first, status, REASON if status == "FAILED" else None)
    reef.now += timedelta(days=2)
    as_it_stands = reef.executions.get("lab", first.id)
    assert reef.executions.find_by_key("lab", make_request(), "key") == as_it_stands
    assert reef.start("key") == as_it_stands
    assert len(reef.started()) == 1


def test_unknown_or_missing_key_finds_no_execution(reef: FakeStack) -> None:
    reef.start("key")
    assert reef.executions.find_by_key("lab", make_request(), "other key") is None
    assert reef.executions.find_by_key("lab", make_request(), None) is None


def test_keys_of_two_tenants_are_independent(reef: FakeStack) -> None:
    mine, theirs = reef.start("key", "lab"), reef.start("key", "other")
    assert mine.id != theirs.id
    assert reef.executions.find_by_key("lab", make_request(settings={"threshold": 0.6}), "key") == mine
    # Neither may a tenant and a key be cut elsewhere.
    assert reef.start("cb", "a").id != reef.start("b", "ac").id


# --- stopping and resuming ---------------------------------------------------------------------------------------


def test_running_execution_is_stopped(reef: FakeStack) -> None:
    execution = reef.start()
    reef.now += timedelta(seconds=7)
    stopped = reef.executions.stop("lab", execution.id)
    assert stopped == replace(execution, status=CANCELLED, finished_at="2026-11-23T10:00:07.000Z")
    assert reef.started() == {execution.name: "ABORTED"}
    assert reef.executions.stop("lab", execution.id) == stopped  # whoever asks twice is answered twice
    told = reef.end(execution, "ABORTED")
    assert told == stopped  # the event comes afterwards; its notice goes out


def test_pending_execution_is_stopped_and_not_launched_later(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    left = abandoned(reef, monkeypatch)
    assert reef.executions.stop("lab", left.id).status == CANCELLED
    reef.now += timedelta(minutes=1)
    assert reef.start("key").status == CANCELLED  # nobody takes over what was stopped
    assert reef.started() == {}


@pytest.mark.parametrize(("told", "word"), [("SUCCEEDED", "succeeded"), ("FAILED", "failed")])
def test_ended_execution_cannot_be_stopped(reef: FakeStack, told: str, word: str) -> None:
    execution = reef.start()
    reef.end(execution, told, REASON)
    before = reef.record(execution)
    with pytest.raises(WrongState, match=f"has {word} already"):
        reef.executions.stop("lab", execution.id)
    assert reef.record(execution) == before
    assert reef.started() == {execution.name: "RUNNING"}  # nothing was told to stop


def test_end_during_a_stop_wins(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = reef.start()
    monkeypatch.setattr(Workflow, "stop", lambda *_: reef.end(execution, "SUCCEEDED"))
    with pytest.raises(WrongState, match="has succeeded already"):
        reef.executions.stop("lab", execution.id)
    assert reef.executions.get("lab", execution.id).status == SUCCEEDED


def test_stop_succeeds_when_the_answer_of_its_write_is_lost(reef: FakeStack) -> None:
    execution = reef.start()
    with lost_answer():
        assert reef.executions.stop("lab", execution.id).status == CANCELLED


@pytest.mark.parametrize("told", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_failed_or_stopped_execution_is_resumed_as_the_next_attempt(reef: FakeStack, told: str) -> None:
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
def test_running_or_succeeded_execution_cannot_be_resumed(reef: FakeStack, told: str | None) -> None:
    execution = reef.start()
    if told:
        reef.end(execution, told)
    with pytest.raises(WrongState, match=f"is {told or RUNNING}; only one that failed, was cancelled"):
        reef.executions.resume("lab", execution.id)
    assert set(reef.started()) == {execution.name}


def test_pending_execution_cannot_be_resumed_within_the_grace_period(
    reef: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = abandoned(reef, monkeypatch)
    with pytest.raises(WrongState, match="is PENDING"):
        reef.executions.resume("lab", left.id)


def test_concurrent_resumes_start_one_attempt(reef: FakeStack) -> None:
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


def test_failed_stop_changes_nothing(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    execution = reef.start()
    with monkeypatch.context() as patch:
        patch.setattr(reef.executions, "_workflow", Workflow(reef.machine.replace("analyze", "another")))
        patch.setattr(client("stepfunctions"), "stop_execution", refused("ThrottlingException"))
        with pytest.raises(StorageError, match="the workflow: AWS answered ThrottlingException"):
            reef.executions.stop("lab", execution.id)
    assert reef.executions.get("lab", execution.id) == execution


# --- whose, and in which order -----------------------------------------------------------------------------------


def test_execution_of_another_tenant_is_not_found(reef: FakeStack) -> None:
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


def test_id_of_an_upload_is_not_found_as_an_execution(reef: FakeStack) -> None:
    reef.table.create(
        Record(id="u-a", owner="lab", created=UPLOADS[0].created_at, document=asdict(UPLOADS[0]), expires=2_000_000_000)
    )
    with pytest.raises(ExecutionNotFound):
        reef.executions.get("lab", "u-a")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_list_executions_newest_first_without_gaps_or_repeats(reef: FakeStack, limit: int) -> None:
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


def test_executions_of_the_same_time_are_listed_once_each(reef: FakeStack) -> None:
    started = {reef.start().id for _ in range(5)}
    seen: list[str] = []
    while page := reef.executions.page("lab", 2, seen[-1] if seen else None):
        seen += [each.id for each in page]
    assert (len(seen), set(seen)) == (5, started)
