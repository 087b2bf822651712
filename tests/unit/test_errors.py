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


AWS_ERRORS_THAT_MAY_PASS = {
    # The function could not be invoked: docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
    "Lambda.TooManyRequestsException", "Lambda.ServiceException", "Lambda.AWSLambdaException",
    "Lambda.SdkClientException", "Lambda.ClientExecutionTimeoutException",
    # The function is being created, updated or reactivated: docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
    "Lambda.CodeArtifactUserPendingException", "Lambda.ResourceConflictException", "Lambda.ResourceNotReadyException",
    # The process died or took too long.
    "Lambda.Unknown", "Runtime.ExitError", "Runtime.OutOfMemory", "Sandbox.Timedout", "States.Timeout",
}  # fmt: skip


def test_every_task_retries_exactly_the_errors_that_may_pass(machine: dict[str, object]) -> None:
    own = {name: cls for name, cls in error_classes().items() if cls.__module__ == errors.__name__}
    retryable = {name for name, cls in own.items() if cls.retryable}
    assert retryable
    found = tasks(machine["States"])
    assert len(found) == 12
    for task in found:
        names = [name for retrier in task["Retry"] for name in retrier["ErrorEquals"]]
        assert sorted(names) == sorted(retryable | AWS_ERRORS_THAT_MAY_PASS)
        assert all(retrier["MaxAttempts"] > 0 for retrier in task["Retry"])


def test_a_map_is_run_again_only_when_it_could_not_read_or_write_s3(machine: dict[str, object]) -> None:
    maps = [state for state in machine["States"].values() if state["Type"] == "Map"]
    assert len(maps) == 3
    for state in maps:
        [retrier] = state["Retry"]
        assert retrier["ErrorEquals"] == ["States.ItemReaderFailed", "States.ResultWriterFailed"]


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
        ({"Error": "Runtime.OutOfMemory", "Cause": ""}, "RangeFailed", "ran out of memory"),
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


TOO_SLOW, NO_MEMORY = "it did not finish in the time it is given; ", "its process ran out of memory; "
FEWER, SMALLER = (
    "start several jobs with fewer recordings each",
    "set a longer hop_seconds or fewer formats, or split the",
)
BUSY = "the account's concurrency is used up; lower max_concurrency and resume"


@pytest.mark.parametrize(
    ("function", "caught", "error", "message"),
    [
        ("score", "Sandbox.Timedout", "RangeFailed", f"{TOO_SLOW}cut finer with max_range_seconds"),
        ("score", "Runtime.OutOfMemory", "RangeFailed", f"{NO_MEMORY}raise the stack's ScoreMemory"),
        ("plan", "Sandbox.Timedout", "FunctionFailed", f"{TOO_SLOW}{FEWER}"),
        ("report", "States.Timeout", "FunctionFailed", f"{TOO_SLOW}{SMALLER} recording"),
        ("report", "Runtime.OutOfMemory", "FunctionFailed", f"{NO_MEMORY}{SMALLER} recording"),
        ("aggregate", "States.Timeout", "FunctionFailed", f"{TOO_SLOW}{FEWER}"),
        ("execution", "States.Timeout", "FunctionFailed", f"{TOO_SLOW}an execution has a day; resume it to continue"),
        ("aggregate", "KeyError", "FunctionFailed", "no cause was given"),
        ("aggregate", "Lambda.TooManyRequestsException", "FunctionFailed", BUSY),
    ],
)
def test_reason_says_which_function_failed_and_what_to_change(
    function: str, caught: str, error: str, message: str
) -> None:
    failure = failure_of_task({"Error": caught, "Cause": ""}, function)
    assert failure.error == error
    assert failure.message == (f"{caught}: {message}" if function == "score" else f"{function}: {caught}: {message}")


def test_record_failure_knows_the_function_of_every_catch(machine: dict[str, object]) -> None:
    """Only the names in ``_MENDS`` come with what to change, so every Catch says which function it is about."""
    states = machine["States"]
    caught = {name: catch["Next"] for name, state in states.items() for catch in state.get("Catch", [])}
    told = {name: states[target].get("Result") for name, target in caught.items()}
    assert told == {
        "Plan": "plan", "PlanAgain": "plan", "TranscodeRecordings": "score", "ScoreRanges": "score",
        "WriteReports": "score", "Aggregate": "aggregate", "Review": None, "RecordFailure": None,
    }  # fmt: skip
    passes = [state for state in states.values() if state["Type"] == "Pass"]
    assert all((state["ResultPath"], state["Next"]) == ("$.function", "RecordFailure") for state in passes)
