"""Record: keeps the reason of a failed range, report or execution, and hands the words to the Fail state."""

import os
from contextlib import suppress
from typing import Any

from anemonefish.cloud.function_log import log_error
from anemonefish.errors import AnemonefishError, Failure
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import RangeTask
from anemonefish.jobs.report_tasks import ReportTask
from anemonefish.stores import open_store
from anemonefish.workflow.failures import (
    SCORE,
    failure_of_task,
    record_job_failure,
    record_range_failure,
    record_report_failure,
)
from anemonefish.workflow.function_metrics import emit_failure, function_handler


@function_handler("record")
def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Store the reason; answer ``{"error", "cause"}`` for ErrorPath and CausePath.

    The state machine says which it is: ``execution`` (the whole input), or ``job`` and ``ranges`` or ``reports``, and
    which ``function`` failed. An execution's input is a stranger's words, so its job is named by tenant and id, never
    by a prefix.
    """
    failure = failure_of_task(event.get("error"), event.get("function", SCORE))
    # Neither an unusable job name nor a store that is down may hide the reason: the Fail state says it all the same.
    with suppress(AnemonefishError):
        failure = _of_execution(event) if "execution" in event else _of_worker(event)
    return {"error": failure.error, "cause": failure.message}


def _of_execution(event: dict[str, Any]) -> Failure:
    job = Job.of_input(_store(), event["execution"])
    failure = record_job_failure(job, event.get("error"), event.get("function", SCORE))
    # A metric filter in monitoring.yaml counts these lines: 5xx is the system's fault, 4xx that of its input.
    log_error("a job failed", failure.to_error())
    emit_failure(failure.error)
    return failure


def _of_worker(event: dict[str, Any]) -> Failure:
    job = Job.at(_store(), event.get("job"))
    if "reports" in event:
        return record_report_failure(job, ReportTask.from_dict(event["reports"]), event.get("error"))
    return record_range_failure(job, RangeTask.list_from(event.get("ranges")), event.get("error"))


def _store() -> Any:
    return open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}")
