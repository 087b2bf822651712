"""The state machine: start an execution, stop it.

DescribeExecution is limited to 15 calls a second and account: it is called only when a name is taken, to see whether
the execution that has it is ours. How an execution ended comes as an event, how far it is shows in its parts.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from anemonefish.cloud.clients import client, code_of, service_answers
from anemonefish.errors import LaunchFailed

__all__ = ["Workflow"]


class Workflow:
    """Executions of one state machine, by name."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    def start(self, name: str, document: dict[str, Any]) -> None:
        """Start the execution ``name``, unless it was started before with the same input.

        Raises
        ------
        LaunchFailed
            The name belongs to an execution with another input.
        StorageError
            AWS did not answer, or refused.
        """
        with service_answers("the workflow"):
            try:
                client("stepfunctions").start_execution(
                    stateMachineArn=self._arn, name=name, input=json.dumps(document, sort_keys=True)
                )
            except ClientError as error:
                if code_of(error) != "ExecutionAlreadyExists":
                    raise
                self._check_input(name, document)

    def _check_input(self, name: str, document: dict[str, Any]) -> None:
        found = client("stepfunctions").describe_execution(executionArn=self._execution_arn(name))
        if json.loads(found.get("input") or "null") != document:
            raise LaunchFailed(f"the state machine has run {name} with another input; start the job with a new key")

    def stop(self, name: str, reason: str) -> None:
        """Stop the execution ``name``; one that has ended stays as it is."""
        with service_answers("the workflow"):
            try:
                client("stepfunctions").stop_execution(executionArn=self._execution_arn(name), cause=reason)
            except ClientError as error:
                if code_of(error) not in {"ExecutionDoesNotExist", "ValidationException"}:
                    raise

    def _execution_arn(self, name: str) -> str:
        return f"{self._arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
