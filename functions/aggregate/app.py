"""Aggregate: after the reports, the summary and the tables of the whole job, and the manifest."""

import os
from dataclasses import asdict
from typing import Any

from anemonefish.cloud.function_log import current
from anemonefish.jobs.job import Job
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store
from anemonefish.workflow.aggregate import aggregate_job
from anemonefish.workflow.function_metrics import function_handler
from anemonefish.workflow.job_metrics import OutcomeMeter


@function_handler("aggregate")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write summary, tables and manifest; answer with how many recordings and events there are."""
    job = Job.at(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), event.get("job"))
    plan = job.read_plan()
    models = ModelRepository(open_store(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}"))
    meter = OutcomeMeter()
    totals = aggregate_job(job, plan, models, meter.add)
    meter.emit()
    return {
        "job": job.work,
        "correlation_id": current("correlation_id"),
        "manifest": job.manifest_key,
        **asdict(totals),
        "asks_for_review": bool(plan.settings.review),
    }
