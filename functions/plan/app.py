"""Plan: the first task of an execution. Parses the execution's input, calls the domain, answers the Map."""

import os
from typing import Any

from anemonefish.errors import InvalidRequest
from anemonefish.jobs import Job, RecordingRequest, shown
from anemonefish.models.repository import ModelRepository
from anemonefish.plan import plan_job
from anemonefish.settings import Settings
from anemonefish.stores import open_store

MAX_RECORDINGS = 1_000
"""An execution's input is at most 256 KiB, and an aggregate has 15 minutes: start several jobs."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Write ``plan.json`` and ``ranges.jsonl``; answer with what the state machine needs to go on."""
    job = _job(event)
    plan = plan_job(
        _recordings(event.get("recordings")),
        str(event.get("model") or "reef@production"),
        Settings.load(event.get("settings")),
        ModelRepository(open_store(f"s3://{os.environ['ANEMONEFISH_MODELS_BUCKET']}")),
    )
    job.write_plan(plan)
    return {
        "job": job.work,
        "bucket": os.environ["ANEMONEFISH_OUTPUT_BUCKET"],
        "ranges_key": job.ranges_key,
        "range_count": plan.quote.ranges,
        # A request may ask for fewer workers than the stack allows, never for more.
        "max_concurrency": min(plan.settings.max_concurrency, int(os.environ["ANEMONEFISH_MAX_CONCURRENCY"])),
        # One recording: the first failed range ends the job. Several: the others finish, each on its own.
        "tolerated_failure_percentage": 0 if len(plan.recordings) == 1 else 100,
        "model": plan.model.to_dict(),
    }


def _recordings(listed: object) -> list[RecordingRequest]:
    if not isinstance(listed, list) or len(listed) > MAX_RECORDINGS:
        raise InvalidRequest(f"recordings must be a list of at most {MAX_RECORDINGS} objects with a uri")
    recordings = [RecordingRequest.from_dict(recording) for recording in listed]
    bucket = f"s3://{os.environ['ANEMONEFISH_INPUT_BUCKET']}/"
    for recording in recordings:
        if not recording.uri.startswith(bucket):
            raise InvalidRequest(f"{shown(recording.uri)}: recordings are read from {bucket} only; upload it there")
    return recordings


def _job(event: dict[str, Any]) -> Job:
    named = event.get("job")
    if not isinstance(named, dict):
        raise InvalidRequest("job must be an object with tenant and id")
    store = open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}")
    return Job.of_tenant(store, named.get("tenant"), named.get("id"))
