"""Report: one child of the second Distributed Map. Writes the reports of a recording, or of several short ones."""

import os
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

from anemonefish.cloud.function_log import fields_of_range, log_outcome
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import PlannedRecording
from anemonefish.jobs.report_tasks import ReportTask
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store
from anemonefish.workflow.function_metrics import function_handler
from anemonefish.workflow.report import report_task


@function_handler("report")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write the reports of the recordings ``event["reports"]``; those that exist are not written again."""
    job = Job.at(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), event.get("job"))
    models = ModelRepository(open_store(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}"))
    return asdict(report_task(job, ReportTask.from_dict(event.get("reports")), models, _log_recording))


def _log_recording(recording: PlannedRecording) -> AbstractContextManager[None]:
    """Log how the reports of each recording ended, also where a worker has several."""
    fields = fields_of_range({"uri": recording.uri})
    return log_outcome("reports were written", "reports could not be written", **fields)
