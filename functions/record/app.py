"""Record: keeps the reason of a failed range or a failed execution, and hands the words to the Fail state."""

import os
from contextlib import suppress
from typing import Any

from anemonefish.errors import AnemonefishError
from anemonefish.failures import failure_of_task, record_job_failure, record_range_failure
from anemonefish.jobs import Failure, Job
from anemonefish.stores import open_store


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Store the reason; answer ``{"error", "cause"}`` for ErrorPath and CausePath."""
    failure = failure_of_task(event.get("error"))
    # Neither an unusable job name nor a store that is down may hide the reason: the Fail state says it all the same.
    with suppress(AnemonefishError):
        failure = _record(_job(event.get("job")), event)
    return {"error": failure.error, "cause": failure.message}


def _record(job: Job, event: dict[str, Any]) -> Failure:
    if isinstance(event.get("job"), str) and "range" in event:
        return record_range_failure(job, int(event["range"]["index"]), event.get("error"))
    return record_job_failure(job, event.get("error"))


def _job(named: object) -> Job:
    store = open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}")
    if isinstance(named, dict):
        return Job.of_tenant(store, named.get("tenant"), named.get("id"))
    return Job.at(store, named)
