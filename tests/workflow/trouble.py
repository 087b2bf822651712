"""A score function that fails on demand. It is deployed in place of functions/score/app.py and calls it.

The name of a recording determines how the worker of its ranges fails.
"""

import os
import time
from typing import Any

import boto3
import real_app

from anemonefish.errors import InvalidSamples, StorageError
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import RangeTask
from anemonefish.workflow import score

score_range = score.score_range


_FIRST = 4
"""Number of ranges of a held recording that are scored before the test stops its execution."""


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    score.score_range = score_or_fail
    return real_app.handler(event, context)


def score_or_fail(job: Job, task: RangeTask, model: Any, tell: Any) -> bool:
    name, attempt = task.uri, _attempt(job, task)
    if "held" in name and task.windows.start >= _FIRST * len(task.windows):
        _wait_for_release(job)
    if "fails-twice" in name and attempt <= 2:
        raise StorageError(f"{name}: S3 answered 503 at attempt {attempt}; try again")
    if "dies-once" in name and attempt == 1:
        os._exit(137)
    if "always-fails" in name:
        raise InvalidSamples(f"{name}: sample 5 is not a finite number; export the recording again")
    if "has-a-defect" in name:
        raise KeyError("window")
    if "always-dies" in name:
        os._exit(137)
    return score_range(job, task, model, tell)


def _wait_for_release(job: Job) -> None:
    """Wait until the test has stopped the execution (released_when_stopped)."""
    s3, bucket = boto3.client("s3"), os.environ["ANEMONEFISH_OUTPUT_BUCKET"]
    while True:
        try:
            s3.head_object(Bucket=bucket, Key=f"{job.work}/parts/released")
        except s3.exceptions.ClientError:
            time.sleep(0.1)
        else:
            return


def _attempt(job: Job, task: RangeTask) -> int:
    """Count the attempts to score this range, in all processes."""
    s3, bucket = boto3.client("s3"), os.environ["ANEMONEFISH_OUTPUT_BUCKET"]
    prefix = f"{job.work}/parts/attempts/{task.name}/"  # where the role lets a worker read and write
    attempt = 1
    while True:
        try:
            s3.head_object(Bucket=bucket, Key=f"{prefix}{attempt}")
        except s3.exceptions.ClientError:
            s3.put_object(Bucket=bucket, Key=f"{prefix}{attempt}", Body=b"")
            return attempt
        attempt += 1
