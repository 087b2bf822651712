"""Review: after the results, clips to listen to and pictures to look at, where the job's settings ask for them."""

import os
from typing import Any

from anemonefish.jobs.job import Job
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store
from anemonefish.workflow.function_metrics import function_handler
from anemonefish.workflow.review import store_review


@function_handler("review")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Store clips and pictures below ``results/review``; answer with the aggregate's words and how many there are."""
    job = Job.at(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), event.get("job"))
    models = ModelRepository(open_store(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}"))
    return {**event, "review": store_review(job, models).counts()}
