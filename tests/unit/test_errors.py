"""The tree and what other files say of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anemonefish import errors
from anemonefish.errors import AnemonefishError, error_classes, recording_error
from anemonefish.workflow.failures import failure_of_task

REPOSITORY = Path(__file__).parents[2]


def tasks(states: dict[str, dict[str, object]]) -> list[dict[str, object]]:
    found = [state for state in states.values() if state["Type"] == "Task"]
    for state in states.values():
        if state["Type"] == "Map":
            found += tasks(state["ItemProcessor"]["States"])
    return found


@pytest.fixture(scope="module")
def machine() -> dict[str, object]:
    document: dict[str, object] = json.loads((REPOSITORY / "statemachine" / "analyze.asl.json").read_text())
    return document


def test_the_state_machine_never_retries_what_cannot_mend_itself(machine: dict[str, object]) -> None:
    final = sorted(
        name
        for name, cls in error_classes().items()
        if cls.__module__ == errors.__name__ and not cls.retryable and not issubclass(cls, errors.RequestError)
    )
    raising = [task for task in tasks(machine["States"]) if "RecordFunction" not in str(task["Parameters"])]
    assert len(raising) == 7
    for task in raising:
        first = task["Retry"][0]
        assert sorted(first["ErrorEquals"]) == final
        assert first["MaxAttempts"] == 0


def test_every_task_has_a_timeout(machine: dict[str, object]) -> None:
    assert all("TimeoutSeconds" in task for task in tasks(machine["States"]))


def test_the_drawing_in_the_docstring_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    tree = {name for name, cls in error_classes().items() if cls.__module__ == errors.__name__}
    assert all(name in drawn for name in tree)
    assert set(errors.__all__) - {"Failure", "error_classes", "first_line", "recording_error", "short_repr"} == tree


def test_every_class_knows_its_status() -> None:
    for name, cls in error_classes().items():
        assert 400 <= cls.status < 600, name
        assert (
            cls.retryable == issubclass(cls, errors.StorageError | errors.OutOfTime)
            or cls.__module__ != errors.__name__
        )
    assert recording_error("InvalidSamples")
    assert not recording_error("StorageError")
    assert not recording_error("ValueError")


@pytest.mark.parametrize(
    ("caught", "error", "message"),
    [
        ({"Error": "InvalidSamples", "Cause": '{"errorMessage": "a.wav: sample 3", "errorType": "InvalidSamples", '
          '"stackTrace": ["File app.py"]}'}, "InvalidSamples", "a.wav: sample 3"),
        ({"Error": "States.Timeout", "Cause": ""}, "RangeFailed", "States.Timeout: it did not finish in the time"),
        ({"Error": "KeyError", "Cause": '{"errorMessage": "\'x\'"}'}, "RangeFailed", "KeyError: 'x'"),
        ({"Error": "Lambda.Unknown", "Cause": "killed"}, "RangeFailed", "want of memory"),
        ({"Error": "States.Runtime", "Cause": "plain words"}, "RangeFailed", "States.Runtime: plain words"),
        ({}, "RangeFailed", "no cause was given"),
        (None, "RangeFailed", "no cause was given"),
    ],
)  # fmt: skip
def test_what_was_caught_is_told_without_a_traceback(caught: object, error: str, message: str) -> None:
    failure = failure_of_task(caught)
    assert failure.error == error
    assert message in failure.message
    assert "stackTrace" not in failure.message
    assert isinstance(failure.to_error(), AnemonefishError)
