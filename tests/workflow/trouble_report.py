"""A report function that fails on demand. It is deployed in place of functions/report/app.py and calls it.

The name of a recording determines how the worker of its reports fails.
"""

import os
from typing import Any

import real_report_app

from anemonefish.errors import StorageError
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.workflow import report

report_recording = report.report_recording


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    report.report_recording = report_or_fail
    return real_report_app.handler(event, context)


def report_or_fail(job: Job, plan: Plan, spec: Any, number: int, *more: Any) -> Any:
    name = plan.recordings[number].name
    # Below outcomes/, because the role lets a report worker write there.
    first = not job.store.exists(f"{job.work}/outcomes/attempts/{name}")
    job.store.write(f"{job.work}/outcomes/attempts/{name}", b"")
    outcome = report_recording(job, plan, spec, number, *more)
    if "report-fails-once" in name and first:
        raise StorageError(f"{name}: S3 answered 503; try again")
    if "report-killed-once" in name and first:
        os._exit(137)
    if "report-killed-always" in name:
        os._exit(137)
    if "report-breaks" in name:
        raise KeyError("window")
    return outcome
