"""The state machine: start an execution, stop it.

Never describes one: DescribeExecution is limited to 15 calls a second and account. How an execution ended comes
as an event, how far it is shows in its parts.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from anemonefish.cloud.clients import client, code_of, service_answers

__all__ = ["Workflow"]


class Workflow:
    """Executions of one state machine, by name."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    def start(self, name: str, document: dict[str, Any]) -> None:
        """Start the execution ``name``, unless it was started before."""
        with service_answers("the workflow"):
            try:
                client("stepfunctions").start_execution(
                    stateMachineArn=self._arn, name=name, input=json.dumps(document, sort_keys=True)
                )
            except ClientError as error:
                if code_of(error) != "ExecutionAlreadyExists":
                    raise

    def stop(self, name: str, reason: str) -> None:
        """Stop the execution ``name``; one that has ended stays as it is."""
        arn = f"{self._arn.replace(':stateMachine:', ':execution:', 1)}:{name}"
        with service_answers("the workflow"):
            try:
                client("stepfunctions").stop_execution(executionArn=arn, cause=reason)
            except ClientError as error:
                if code_of(error) not in {"ExecutionDoesNotExist", "ValidationException"}:
                    raise
