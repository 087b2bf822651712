"""Status: record how an execution of the state machine ended, launch the next one, and notify topic and webhook."""

import os
from typing import Any

from anemonefish.cloud.function_log import bound, log, logged
from anemonefish.cloud.step_functions import WorkflowEnd
from anemonefish.service.api.services import services
from anemonefish.service.execution_end import failure_of_end, notify_end


@logged("status")
def handler(event: dict[str, Any], context: object) -> None:
    """Handle an event ``Step Functions Execution Status Change``; it may arrive twice."""
    detail = event["detail"]
    failure = failure_of_end(WorkflowEnd(detail["status"], detail.get("error"), detail.get("cause")))
    execution = services().executions.end(detail["name"], detail["status"], failure)
    if execution is None:
        log("INFO", "the end of an execution changes no record", execution=detail["name"], ended=detail["status"])
        return
    job = f"jobs/{execution.owner}/{execution.id}"
    with bound(correlation_id=execution.correlation_id, execution=execution.id, job=job):
        reason = None if failure is None else failure.error
        log("INFO", "an execution ended", ended=execution.status, attempt=execution.attempt, error=reason)
        notify_end(execution, os.environ["ANEMONEFISH_COMPLETION_TOPIC"], os.environ.get("ANEMONEFISH_WEBHOOK_QUEUE"))
