"""Transcode: turns one recording that is not sample-accurately seekable into FLAC pieces under the job's prefix."""

import os
from typing import Any

from anemonefish.errors import InvalidRequest
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import TranscodeTask
from anemonefish.stores import open_store
from anemonefish.workflow.function_metrics import function_handler
from anemonefish.workflow.transcode import transcode_task

LEFT_MS = 60_000  # what the last pieces, which are being encoded, may still take


@function_handler("transcode")
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Transcode ``event["recording"]``; one that cannot be has a reason in the store, and the others go on."""
    job = Job.at(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), event.get("job"))
    task = TranscodeTask.from_dict(event.get("recording"))
    if task.prefix != job.pieces_prefix(task.uri, task.version):
        raise InvalidRequest(f"{task.path}: its pieces belong below {job.kept}; recordings come from transcodes.jsonl")
    failure = transcode_task(job, task, lambda: context.get_remaining_time_in_millis() < LEFT_MS)
    return {"error": None if failure is None else failure.error}
