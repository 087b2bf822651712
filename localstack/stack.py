"""A deployed stack: its outputs, its executions, its logs.

Waiting for a stack or an execution polls. That is fine on a local AWS; a real one limits DescribeExecution per account.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

__all__ = ["Execution", "Stack", "await_stack", "tell"]

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Execution:
    """How an execution of the state machine ended.

    Attributes
    ----------
    status : str
        ``SUCCEEDED``, ``FAILED``, ``TIMED_OUT`` or ``ABORTED``.
    error, cause : str or None
        The error's name and message, if it failed.
    output : Any
        Its output, if it succeeded.
    history : list of dict
        All events, as GetExecutionHistory returns them.
    children : list of list of dict
        The histories of the child executions that scored.
    reports : list of list of dict
        The histories of the child executions that wrote reports.
    """

    status: str
    error: str | None
    cause: str | None
    output: Any
    history: list[dict[str, Any]]
    children: list[list[dict[str, Any]]]
    reports: list[list[dict[str, Any]]]

    @property
    def states(self) -> list[str]:
        """The names of the states it entered, in order."""
        entered = (event.get("stateEnteredEventDetails") for event in self.history)
        return [details["name"] for details in entered if details]


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed stack.

    Attributes
    ----------
    name : str
    outputs : dict
        The template's Outputs by name.
    endpoint_url : str
        Endpoint of the local AWS.
    """

    name: str
    outputs: dict[str, str]
    endpoint_url: str
    _client: Callable[[str], Any]

    @property
    def api_url(self) -> str:
        """The URL of the stack's API on this machine."""
        api = self.outputs["ApiUrl"].removeprefix("https://").partition(".")[0]
        return f"{self.endpoint_url}/restapis/{api}/v1/_user_request_"

    @property
    def api_key(self) -> str:
        """The value of the first API key."""
        return str(
            self._client("apigateway").get_api_key(apiKey=self.outputs["FirstKeyId"], includeValue=True)["value"]
        )

    def resource(self, logical_id: str) -> str:
        """Return the physical id of a resource."""
        found = self._client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def run(self, document: Any, timeout: float = 900.0) -> Execution:
        """Run the state machine on an input and wait until it ends.

        Raises
        ------
        TimeoutError
            It did not end within ``timeout`` seconds.
        """
        states = self._client("stepfunctions")
        machine = self.outputs["StateMachineArn"]
        started = states.start_execution(stateMachineArn=machine, name=uuid4().hex, input=json.dumps(document))
        arn, deadline = started["executionArn"], time.monotonic() + timeout
        while (found := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            if time.monotonic() > deadline:
                states.stop_execution(executionArn=arn)
                raise TimeoutError(f"the execution did not end within {timeout:g} s; stack.logs() may say why")
            time.sleep(_POLL_SECONDS)
        output = json.loads(found["output"]) if found["status"] == "SUCCEEDED" else None
        children, reports = (
            [_history(states, child) for child in _children(states, arn, label)] for label in ("ranges", "reports")
        )
        history = _history(states, arn)
        return Execution(found["status"], found.get("error"), found.get("cause"), output, history, children, reports)

    def logs(self) -> str:
        """Return what all functions have logged so far."""
        group = self.resource("FunctionLogGroup")
        logs = self._client("logs")
        streams = logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
        names = [stream["logStreamName"] for page in streams for stream in page["logStreams"]]
        # Stream by stream, because the emulator returns the first 10,000 events of a query and no next page.
        events = [
            event
            for name in names
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group, logStreamNames=[name])
            for event in page["events"]
        ]
        events.sort(key=lambda event: event["timestamp"])
        return "".join(event["message"].rstrip("\n") + "\n" for event in events)


def tell(history: list[dict[str, Any]]) -> list[str]:
    """Return the outcome of each task in a history, in order: ``failed StorageError: ...`` or ``succeeded``."""
    told = []
    for event in history:
        if event["type"] == "TaskFailed":
            details = event["taskFailedEventDetails"]
            told.append(f"failed {details['error']}: {details.get('cause', '')}")
        elif event["type"] == "TaskSucceeded":
            told.append("succeeded")
    return told


def _history(states: Any, arn: str) -> list[dict[str, Any]]:
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event for page in pages for event in page["events"]]


def _children(states: Any, arn: str, label: str) -> list[str]:
    """Return the child executions of the Map with a label."""
    paginator = states.get_paginator("list_executions")
    runs = [run for run in states.list_map_runs(executionArn=arn)["mapRuns"] if f"/{label}:" in run["mapRunArn"]]
    pages = [page for run in runs for page in paginator.paginate(mapRunArn=run["mapRunArn"])]
    return [child["executionArn"] for page in pages for child in page["executions"]]


def await_stack(cloudformation: Any, name: str, timeout: float = 900.0) -> dict[str, str]:
    """Wait until a stack is created; return its outputs, or raise :class:`RuntimeError` with the reasons."""
    deadline = time.monotonic() + timeout
    while True:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if stack["StackStatus"] != "CREATE_IN_PROGRESS" or time.monotonic() > deadline:
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
                for event in reversed(events)
                if event["ResourceStatus"].endswith("FAILED")
            ]
            raise RuntimeError("\n".join([f"stack {name} is {stack['StackStatus']}", *reasons]))
        time.sleep(_POLL_SECONDS)
