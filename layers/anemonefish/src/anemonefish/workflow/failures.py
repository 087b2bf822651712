"""Map Step Functions errors to our exception classes.

The ``Error`` and ``Cause`` of a failed task become a :class:`.Failure`, which is stored as the reason of a range or of
a whole job. The cause of an error in a function is JSON with a traceback; only its message is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from anemonefish.canonical import dump_json
from anemonefish.errors import Failure, error_classes
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import RangeTask

__all__ = ["failure_of_task", "record_job_failure", "record_range_failure"]

_LONGEST = 8_000
"""Most characters of a reason; Step Functions keeps 32,768 of a cause."""

_WORDS = {
    "States.Timeout": "it did not finish in the time it is given; cut finer with max_range_seconds",
    "Sandbox.Timedout": "it did not finish in the time it is given; cut finer with max_range_seconds",
    "Lambda.Unknown": "its process died, most likely for want of memory; raise the stack's ScoreMemory",
    "Runtime.ExitError": "its process died, most likely for want of memory; raise the stack's ScoreMemory",
    "Runtime.OutOfMemory": "its process ran out of memory; raise the stack's ScoreMemory",
    "States.ExceedToleratedFailureThreshold": "a range failed, and its reason could not be stored; resume the job",
    "Lambda.TooManyRequestsException": "the account's concurrency is used up; lower max_concurrency and resume",
}


def failure_of_task(caught: object) -> Failure:
    """Turn the input of a Catch, or of a failed Map, into a reason.

    Parameters
    ----------
    caught : object
        ``{"Error": name, "Cause": text}``; the text of a Lambda error is JSON.

    Returns
    -------
    Failure
        With the name of the class for our errors; ``RangeFailed``, with the service's name in the message, for
        timeouts, crashes and throttling.
    """
    fields = caught if isinstance(caught, Mapping) else {}
    name, cause = str(fields.get("Error") or "Unknown"), str(fields.get("Cause") or "")
    message = _message(cause)[:_LONGEST]
    if name in error_classes():
        return Failure(name, message)
    return Failure("RangeFailed", f"{name}: {_WORDS.get(name) or message or 'no cause was given'}")


def record_range_failure(job: Job, tasks: Sequence[RangeTask], caught: object) -> Failure:
    """Store why ranges have no scores; return the reason.

    When one worker had several ranges, those with scores or with another reason are unchanged.
    """
    failure = failure_of_task(caught)
    for task in tasks:
        if len(tasks) == 1 or not (job.store.exists(job.part_key(task)) or job.read_range_failure(task)):
            job.write_range_failure(task, failure)
    return failure


def record_job_failure(job: Job, caught: object) -> Failure:
    """Store why a job ended without results; return the reason.

    A Map that stopped says only that too many items failed; the reason of the job is then that of its first failed
    range.
    """
    failure = failure_of_task(caught)
    if isinstance(caught, Mapping) and caught.get("Error") == "States.ExceedToleratedFailureThreshold":
        failure = _first_range_failure(job) or failure
    job.store.write(job.failure_key, dump_json(asdict(failure)))
    return failure


def _first_range_failure(job: Job) -> Failure | None:
    scored, reasons = job.scored(), job.failed()
    unscored = (task for task in job.read_plan().tasks() if task.name not in scored)
    first = next((task for task in unscored if task.reason_name in reasons), None)
    return None if first is None else job.read_range_failure(first)


def _message(cause: str) -> str:
    try:
        document: Any = json.loads(cause)
    except ValueError:
        return cause
    return str(document.get("errorMessage", cause)) if isinstance(document, dict) else cause
