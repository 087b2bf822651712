"""Score: one child of the Distributed Map. Scores a range of a long recording, or several short recordings."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from anemonefish.cloud.function_log import bound, fields_of_range, log_outcome
from anemonefish.cloud.xray import traced
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import RangeTask
from anemonefish.models.repository import PinnedModel, ready_model
from anemonefish.stores import open_store
from anemonefish.workflow.function_metrics import function_handler
from anemonefish.workflow.job_metrics import ScoreMeter
from anemonefish.workflow.score import score_ranges
from anemonefish.workflow.speed import Stopwatch, score_metrics


@function_handler("score")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Store the scores of ``event["ranges"]``; the model is loaded and verified once per process."""
    watch = Stopwatch()
    job = Job.at(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), event.get("job"))
    tasks = RangeTask.list_from(event.get("ranges"))
    pinned = PinnedModel.from_dict(event.get("model"))
    model = ready_model(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}", pinned)
    watch.ready()
    meter = ScoreMeter(model.spec, pinned)
    scored = score_ranges(job, tasks, model, _log_range, meter.add)
    meter.emit(watch.scoring)
    if line := score_metrics(scored, pinned, watch, os.environ):
        print(line)  # CloudWatch reads metrics out of the log
    return asdict(scored)


@contextmanager
def _log_range(task: RangeTask) -> Iterator[None]:
    """Log and trace how each range ended, also where a worker has several."""
    with (
        bound(**fields_of_range(task.to_dict())),
        traced("range"),
        log_outcome("a range was scored", "a range failed", windows=len(task.windows)),
    ):
        yield
