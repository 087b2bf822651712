"""Executions of the state machine are started and stopped by name."""

from __future__ import annotations

import pytest

from anemonefish.cloud.clients import client
from anemonefish.cloud.step_functions import Workflow, WorkflowEnd
from anemonefish.errors import (
    StorageError,
)
from tests.fakes.service_stack import FakeStack


def test_name_is_started_once_even_after_its_end(reef: FakeStack) -> None:
    workflow = Workflow(reef.machine)
    workflow.start("e-1-1", {"b": 1, "a": 2})
    workflow.start("e-1-1", {"a": 2, "b": 1})
    workflow.stop("e-1-1", "enough")
    workflow.start("e-1-1", {"a": 2, "b": 1})
    assert reef.started() == {"e-1-1": "ABORTED"}


def test_stop_of_a_missing_or_ended_execution_does_nothing(reef: FakeStack) -> None:
    workflow = Workflow(reef.machine)
    workflow.stop("e-1-1", "never began")
    workflow.start("e-1-1", {})
    workflow.stop("e-1-1", "enough")
    workflow.stop("e-1-1", "enough")
    assert reef.started() == {"e-1-1": "ABORTED"}


def test_missing_state_machine_is_a_retryable_storage_error(reef: FakeStack) -> None:
    with pytest.raises(StorageError, match="AWS answered StateMachineDoesNotExist") as caught:
        Workflow(reef.machine.replace("analyze", "nothing")).start("e-1-1", {})
    assert caught.value.retryable


def test_end_of_an_execution_is_found(reef: FakeStack) -> None:
    workflow = Workflow(reef.machine)
    with pytest.raises(LookupError, match="e-1-1"):
        workflow.find_end("e-1-1")
    workflow.start("e-1-1", {})
    assert workflow.find_end("e-1-1") is None
    workflow.stop("e-1-1", "enough")
    found = workflow.find_end("e-1-1")
    assert found is not None
    assert found.status == "ABORTED"


def test_end_of_a_failed_execution_has_its_error(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"status": "FAILED", "error": "TruncatedRecording", "cause": "a.wav: too short"}
    monkeypatch.setattr(client("stepfunctions"), "describe_execution", lambda **_: answer)
    assert Workflow(reef.machine).find_end("e-1-1") == WorkflowEnd("FAILED", "TruncatedRecording", "a.wav: too short")
