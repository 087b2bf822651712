"""Report: one child of the second Distributed Map. Writes the reports of a recording, or of several short ones.

It also draws their timelines, where the job's settings ask for pictures, because it has the scores.
"""

import os
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from typing import Any

from anemonefish.cloud.function_log import fields_of_range, log_outcome
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import PlannedRecording
from anemonefish.jobs.report_tasks import ReportTask
from anemonefish.models.repository import ModelRepository
from anemonefish.results.recording_result import RecordingResult
from anemonefish.stores import open_store
from anemonefish.workflow.function_metrics import function_handler
from anemonefish.workflow.report import report_task
from anemonefish.workflow.timelines import store_timeline


@function_handler("report")
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write the reports of the recordings ``event["reports"]``; those that exist are not written again."""
    job = Job.at(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), event.get("job"))
    models = ModelRepository(open_store(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}"))
    return asdict(report_task(job, ReportTask.from_dict(event.get("reports")), models, _log_recording, _draw))


def _log_recording(recording: PlannedRecording) -> AbstractContextManager[None]:
    """Log how the reports of each recording ended, also where a worker has several."""
    return log_outcome("reports were written", "reports could not be written", **_fields(recording))


def _draw(job: Job, result: RecordingResult) -> None:
    """Draw the timeline of a recording. Its reports do not fail with it; the review says that it is missing."""
    if "pictures" in result.settings.review:
        told = log_outcome("a timeline was drawn", "a timeline could not be drawn", **_fields(result.recording))
        with suppress(Exception), told:
            store_timeline(job, result)


def _fields(recording: PlannedRecording) -> dict[str, str | None]:
    return fields_of_range({"uri": recording.uri})
