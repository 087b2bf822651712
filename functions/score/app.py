"""Score: one child of the Distributed Map. Scores one range of one recording."""

import os
from dataclasses import asdict
from typing import Any

from anemonefish.jobs import Job, RangeTask
from anemonefish.models.repository import PinnedModel, ready_model
from anemonefish.score import score_range
from anemonefish.stores import open_store


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Store the scores of ``event["range"]``; the model is loaded and verified once per process."""
    job = Job.at(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), event.get("job"))
    task = RangeTask.from_dict(event.get("range"))
    model = ready_model(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}", PinnedModel.from_dict(event.get("model")))
    return asdict(score_range(job, task, model))
