"""Plan: the first task of an execution. Parses the execution's input, calls the domain, answers the Map."""

import os
from typing import Any

from anemonefish.cloud.function_log import current
from anemonefish.jobs.job import Job
from anemonefish.jobs.request import JobRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.service.limits import Limits
from anemonefish.stores import open_store
from anemonefish.workflow.function_metrics import emit_quote, function_handler
from anemonefish.workflow.plan_step import PlanStep, plan_step


@function_handler("plan")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write ``plan.json`` and the items of the Maps; answer with what the state machine needs to go on.

    Where recordings must be transcoded the answer counts those; ``event["again"]`` is the same input after that.
    """
    transcoded = "again" in event
    event = event["again"] if transcoded else event
    job = Job.of_input(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), event)
    models = ModelRepository(open_store(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}"))
    limits, resume = Limits.from_environment(os.environ), bool(event.get("resume"))
    made = plan_step(job, lambda: _request(job, event), models, limits.check_quote,
                     resume=resume, transcoded=transcoded, most_workers=limits.workers)  # fmt: skip
    if not (resume or made.transcodes):
        emit_quote(made.plan.quote.expected_usd)
    workers = limits.workers_of_job(made.plan.settings.max_concurrency, event.get("workers"))
    return _answer(job, made, workers)


def _request(job: Job, event: dict[str, Any]) -> JobRequest:
    """Return what was asked for. An API keeps it beside the job, because an execution's input is small."""
    request = JobRequest.from_dict(event) if "recordings" in event else job.read_request()
    request.check_within(f"s3://{os.environ['ANEMONEFISH_INPUT_BUCKET']}/")
    return request


def _answer(job: Job, made: PlanStep, workers: int) -> dict[str, Any]:
    return {
        "transcode_count": made.transcodes,
        "transcodes_key": job.transcodes_key,
        "job": job.work,
        "correlation_id": current("correlation_id"),
        "bucket": os.environ["ANEMONEFISH_OUTPUT_BUCKET"],
        "ranges_key": job.ranges_key,
        "worker_count": made.workers,
        "max_concurrency": workers,
        # One recording: the first failed range ends the job. Several: the others finish, each on its own.
        "tolerated_failure_percentage": 0 if len(made.plan.recordings) == 1 else 100,
        "model": made.plan.model.to_dict(),
    }
