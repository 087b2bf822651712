"""Start and stop executions of the Step Functions state machine.

DescribeExecution is limited to 15 calls a second for the account. It is called when the name of a new execution is
taken, to compare the inputs, and by the schedule that looks for ends that were not recorded. No poll calls it: the end
of an execution arrives as an event, and its progress is counted from parts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from anemonefish.cloud.clients import client, error_code, translate_errors
from anemonefish.errors import LaunchFailed

__all__ = ["Workflow", "WorkflowEnd"]

_ENDED = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})


@dataclass(frozen=True, slots=True)
class WorkflowEnd:
    """How an execution of the state machine ended.

    Attributes
    ----------
    status : {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
    error, cause : str or None
        The state machine's words, if it failed.
    """

    status: str
    error: str | None = None
    cause: str | None = None


class Workflow:
    """Executions of one state machine, by name."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    def start(self, name: str, document: dict[str, Any]) -> None:
        """Start the execution ``name``; do nothing if it was started before with the same input.

        Raises
        ------
        LaunchFailed
            The name belongs to an execution with another input.
        StorageError
            AWS did not answer, or refused.
        """
        with translate_errors("the workflow"):
            try:
                client("stepfunctions").start_execution(
                    stateMachineArn=self._arn, name=name, input=json.dumps(document, sort_keys=True)
                )
            except ClientError as error:
                if error_code(error) != "ExecutionAlreadyExists":
                    raise
                self._check_input(name, document)

    def _check_input(self, name: str, document: dict[str, Any]) -> None:
        execution = client("stepfunctions").describe_execution(executionArn=self._execution_arn(name))
        if json.loads(execution.get("input") or "null") != document:
            raise LaunchFailed(f"the state machine has run {name} with another input; start the job with a new key")

    def stop(self, name: str, reason: str) -> None:
        """Stop the execution ``name``; do nothing if it has ended or does not exist."""
        with translate_errors("the workflow"):
            try:
                client("stepfunctions").stop_execution(executionArn=self._execution_arn(name), cause=reason)
            except ClientError as error:
                if error_code(error) not in {"ExecutionDoesNotExist", "ValidationException"}:
                    raise

    def find_end(self, name: str) -> WorkflowEnd | None:
        """Return how the execution ``name`` ended, or None while it runs.

        Raises
        ------
        LookupError
            Step Functions does not know the execution.
        StorageError
            AWS did not answer, or refused.
        """
        with translate_errors("the workflow"):
            try:
                found = client("stepfunctions").describe_execution(executionArn=self._execution_arn(name))
            except ClientError as error:
                if error_code(error) != "ExecutionDoesNotExist":
                    raise
                raise LookupError(name) from None
        if found["status"] not in _ENDED:
            return None
        return WorkflowEnd(found["status"], found.get("error"), found.get("cause"))

    def _execution_arn(self, name: str) -> str:
        return f"{self._arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
