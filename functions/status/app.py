"""Status: record how an execution of the state machine ended, launch the next one, and notify topic and webhook."""

import json
import os
from contextlib import suppress
from typing import Any

from anemonefish.cloud.embedded_metrics import emit
from anemonefish.cloud.function_log import bound, fields_of_input, log
from anemonefish.cloud.step_functions import WorkflowEnd
from anemonefish.errors import InvalidRequest
from anemonefish.jobs.job import Job
from anemonefish.service.api.services import services
from anemonefish.service.execution_end import failure_of_end, notify_end, record_uncaught_end
from anemonefish.stores import open_store
from anemonefish.workflow.function_metrics import function_handler


@function_handler("status")
def handler(event: dict[str, Any], context: object) -> None:
    """Handle an event ``Step Functions Execution Status Change``; it may arrive twice."""
    detail = event["detail"]
    end = WorkflowEnd(detail["status"], detail.get("error"), detail.get("cause"))
    document = json.loads(detail.get("input") or "{}")
    with bound(**fields_of_input(document)):
        if detail.get("startDate") and detail.get("stopDate"):
            emit({"JobSeconds": (detail["stopDate"] - detail["startDate"]) / 1000})
        with suppress(InvalidRequest):  # the execution was started without the API, and its input names no job
            store = open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}")
            record_uncaught_end(Job.of_input(store, document), end)
    failure = failure_of_end(end)
    execution = services().executions.end(detail["name"], detail["status"], failure)
    if execution is None:
        log("INFO", "the end of an execution changes no record", execution=detail["name"], ended=detail["status"])
        return
    job = f"jobs/{execution.owner}/{execution.id}"
    with bound(correlation_id=execution.correlation_id, execution=execution.id, job=job):
        reason = None if failure is None else failure.error
        log("INFO", "an execution ended", ended=execution.status, attempt=execution.attempt, error=reason)
        notify_end(execution, os.environ["ANEMONEFISH_COMPLETION_TOPIC"], os.environ.get("ANEMONEFISH_WEBHOOK_QUEUE"))
