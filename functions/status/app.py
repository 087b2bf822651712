"""Status: record how an execution of the state machine ended, and notify its topic and its webhook."""

import os
from typing import Any

from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.function_log import bound, log, logged
from anemonefish.cloud.messages import enqueue, publish
from anemonefish.service.execution_end import end_execution
from anemonefish.service.execution_record import Execution
from anemonefish.workflow.failures import failure_of_task


@logged("status")
def handler(event: dict[str, Any], context: object) -> None:
    """Handle an event ``Step Functions Execution Status Change``; it may arrive twice."""
    detail = event["detail"]
    failure = None
    if detail["status"] in {"FAILED", "TIMED_OUT"}:
        caught = {"Error": detail.get("error") or "States.Timeout", "Cause": detail.get("cause") or ""}
        failure = failure_of_task(caught)
    execution = end_execution(
        RecordTable(os.environ["ANEMONEFISH_RECORD_TABLE"]), detail["name"], detail["status"], failure
    )
    if execution is None:
        log("INFO", "the end of an execution changes no record", execution=detail["name"], ended=detail["status"])
        return
    job = f"jobs/{execution.owner}/{execution.id}"
    with bound(correlation_id=execution.correlation_id, execution=execution.id, job=job):
        reason = None if failure is None else failure.error
        log("INFO", "an execution ended", ended=execution.status, attempt=execution.attempt, error=reason)
        _notify(execution)


def _notify(execution: Execution) -> None:
    """Send the end of an execution to the topic and to its webhook."""
    payload = {
        "execution": execution.id,
        "status": execution.status,
        "tenant": execution.owner,
        "finished_at": execution.finished_at,
    }
    publish(os.environ["ANEMONEFISH_COMPLETION_TOPIC"], f"{execution.id} {execution.status}", payload)
    if execution.webhook and os.environ.get("ANEMONEFISH_WEBHOOK_QUEUE"):
        # An attempt ends once, so its name is the id of the message, also when the event arrives twice.
        message = {"id": execution.name, "url": execution.webhook, "notice": payload}
        if execution.correlation_id is not None:
            message["correlation_id"] = execution.correlation_id
        enqueue(os.environ["ANEMONEFISH_WEBHOOK_QUEUE"], message)
