"""Start and stop executions of the Step Functions state machine.

DescribeExecution is limited to 15 calls a second for the account. It is called only when the name of a new execution is
taken, to compare the inputs. The end of an execution arrives as an event, and its progress is counted from parts.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from anemonefish.cloud.clients import client, error_code, translate_errors
from anemonefish.errors import LaunchFailed

__all__ = ["Workflow"]


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

    def _execution_arn(self, name: str) -> str:
        return f"{self._arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
