"""Record how an execution of the state machine ended, and tell its topic and its webhook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime

from anemonefish import clock
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.messages import enqueue, publish
from anemonefish.cloud.step_functions import WorkflowEnd
from anemonefish.errors import Failure
from anemonefish.execution_states import CANCELLED, FAILED, SUCCEEDED
from anemonefish.service.execution_record import Execution
from anemonefish.service.job_slots import JobSlots
from anemonefish.workflow.failures import failure_of_task

__all__ = ["end_execution", "failure_of_end", "notify_end"]

_STATES = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "TIMED_OUT": FAILED, "ABORTED": CANCELLED}
"""Our state for each final status of Step Functions."""


def failure_of_end(end: WorkflowEnd) -> Failure | None:
    """Return the reason of an execution that failed or timed out; None for any other end."""
    if end.status not in {"FAILED", "TIMED_OUT"}:
        return None
    return failure_of_task({"Error": end.error or "States.Timeout", "Cause": end.cause or ""}, "execution")


def notify_end(execution: Execution, topic: str, queue: str | None) -> None:
    """Send the end of an execution to the topic, and to its webhook if it has one and the stack calls webhooks.

    Parameters
    ----------
    execution : Execution
    topic : str
        ARN of the SNS topic.
    queue : str or None
        URL of the queue of webhooks.

    Raises
    ------
    StorageError
        SNS or SQS did not answer, or refused.
    """
    payload = {
        "execution": execution.id,
        "status": execution.status,
        "tenant": execution.owner,
        "finished_at": execution.finished_at,
    }
    publish(topic, f"{execution.id} {execution.status}", payload)
    if execution.webhook and queue:
        # An attempt ends once, so its name is the id of the message, also when the end is told twice.
        message = {"id": execution.name, "url": execution.webhook, "notice": payload}
        if execution.correlation_id is not None:
            message["correlation_id"] = execution.correlation_id
        enqueue(queue, message)


def end_execution(
    table: RecordTable,
    name: str,
    workflow_status: str,
    failure: Failure | None,
    now: Callable[[], datetime] = clock.now,
) -> Execution | None:
    """Record how the execution ``name`` of the state machine ended.

    An event that arrives twice or belongs to an earlier attempt changes nothing.

    Parameters
    ----------
    table : RecordTable
    name : str
        ``{execution}-{attempt}``.
    workflow_status : {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
    failure : Failure or None
    now : callable

    Returns
    -------
    Execution or None
        The execution as it is now; None when the event is not about its latest attempt or contradicts its state.
    """
    identifier, state = name.rpartition("-")[0], _STATES[workflow_status]
    while True:
        record = table.read(identifier)
        if record is None or not identifier.startswith("e-"):
            return None
        execution = Execution.from_record(record)
        if execution.name != name:
            return None
        if execution.ended:  # the event came before; its notification may have failed, so it is sent again
            return execution if execution.status == state else None
        ended = replace(
            execution,
            status=state,
            started_at=execution.started_at or execution.created_at,
            finished_at=clock.to_text(now()),
            pending_since=None,
            error=None if failure is None else asdict(failure),
        )
        if table.replace(record, asdict(ended)):
            JobSlots(table, None).release(ended)
            return ended
