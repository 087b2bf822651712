"""Status: an execution of the state machine has ended. Records how, and tells who wants to know."""

import os
from typing import Any

from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.messages import enqueue, publish
from anemonefish.service.execution_end import end_execution
from anemonefish.workflow.failures import failure_of_task


def handler(event: dict[str, Any], context: object) -> None:
    """Take an event ``Step Functions Execution Status Change``; it may come twice."""
    detail = event["detail"]
    failure = None
    if detail["status"] in {"FAILED", "TIMED_OUT"}:
        named = {"Error": detail.get("error") or "States.Timeout", "Cause": detail.get("cause") or ""}
        failure = failure_of_task(named)
    execution = end_execution(
        RecordTable(os.environ["ANEMONEFISH_RECORD_TABLE"]), detail["name"], detail["status"], failure
    )
    if execution is None:
        return
    notice = {
        "execution": execution.id,
        "status": execution.status,
        "tenant": execution.owner,
        "finished_at": execution.finished_at,
    }
    publish(os.environ["ANEMONEFISH_COMPLETION_TOPIC"], f"{execution.id} {execution.status}", notice)
    if execution.webhook and os.environ.get("ANEMONEFISH_WEBHOOK_QUEUE"):
        # An attempt ends once, so its name identifies the notice, also when the event comes twice.
        message = {"id": execution.name, "url": execution.webhook, "notice": notice}
        enqueue(os.environ["ANEMONEFISH_WEBHOOK_QUEUE"], message)
