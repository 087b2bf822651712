"""Aggregate: the last task of an execution. Parts become reports and the manifest."""

import os
from typing import Any

from anemonefish.cloud.function_log import current, logged
from anemonefish.jobs.job import Job
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store
from anemonefish.workflow.aggregate import aggregate_job


@logged("aggregate")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write results, summary and manifest; answer with how many there are."""
    job = Job.at(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), event.get("job"))
    aggregate = aggregate_job(job, ModelRepository(open_store(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}")))
    return {
        "job": job.work,
        "correlation_id": current("correlation_id"),
        "manifest": job.manifest_key,
        "recordings": len(aggregate.outcomes),
        "failed": aggregate.failed,
        "events": aggregate.events,
        "asks_for_review": bool(job.read_plan().settings.review),
    }
