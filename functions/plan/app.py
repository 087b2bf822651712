"""Plan: the first task of an execution. Parses the execution's input, calls the domain, answers the Map."""

import os
from typing import Any

from anemonefish.cloud.function_log import current, logged
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.request import JobRequest, distinct
from anemonefish.models.repository import ModelRepository
from anemonefish.service.limits import Limits
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.workflow.planner import plan_job, plan_resumed, with_runnable_engine, without_transcodes


@logged("plan")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write ``plan.json`` and ``ranges.jsonl``; answer with what the state machine needs to go on.

    Where recordings must be transcoded the answer counts those; ``event["again"]`` is the same input after that.
    """
    transcoded = "again" in event
    event = event["again"] if transcoded else event
    job = Job.of_input(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), event)
    if event.get("resume") and (resumed := plan_resumed(job)) is not None:
        plan, missing = resumed
        job.write_ranges(missing)
        return _answer(job, plan, len(missing))
    # An API keeps what was asked for beside the job, because an execution's input is small.
    request = JobRequest.from_dict(event) if "recordings" in event else job.read_request()
    request.check_within(f"s3://{os.environ['ANEMONEFISH_INPUT_BUCKET']}/")
    models = ModelRepository(open_store(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}"))
    limits, settings = Limits.from_environment(os.environ), Settings.load(request.settings)
    plan = plan_job(distinct(request.recordings), request.model, settings, models, job, most_workers=limits.workers)
    limits.check_quote(plan.quote)
    plan = without_transcodes(plan) if transcoded else plan
    if transcodes := job.transcodes(plan):
        job.write_transcodes(transcodes)
        return _answer(job, plan, 0) | {"transcode_count": len(transcodes)}
    plan = with_runnable_engine(plan, models, most_workers=limits.workers)
    job.write_plan(plan)
    return _answer(job, plan, sum(1 for _ in plan.batches()))


def _answer(job: Job, plan: Plan, workers: int) -> dict[str, Any]:
    return {
        "transcode_count": 0,
        "transcodes_key": job.transcodes_key,
        "job": job.work,
        "correlation_id": current("correlation_id"),
        "bucket": os.environ["ANEMONEFISH_OUTPUT_BUCKET"],
        "ranges_key": job.ranges_key,
        "worker_count": workers,
        # A request may ask for fewer workers than the stack allows, never for more.
        "max_concurrency": min(plan.settings.max_concurrency, int(os.environ["ANEMONEFISH_MAX_CONCURRENCY"])),
        # One recording: the first failed range ends the job. Several: the others finish, each on its own.
        "tolerated_failure_percentage": 0 if len(plan.recordings) == 1 else 100,
        "model": plan.model.to_dict(),
    }
