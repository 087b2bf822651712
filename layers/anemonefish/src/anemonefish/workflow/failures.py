"""Map Step Functions errors to our exception classes.

The ``Error`` and ``Cause`` of a failed task become a :class:`.Failure`, which is stored as the reason of a range, of
reports, or of a whole job. The cause of an error in a function is JSON with a traceback; only its message is kept.
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
from anemonefish.jobs.report_tasks import ReportTask
from anemonefish.results.stored_outcomes import StoredOutcomes

__all__ = [
    "EXECUTION",
    "SCORE",
    "failure_of_task",
    "record_job_failure",
    "record_range_failure",
    "record_report_failure",
    "record_uncaught_failure",
]

_LONGEST = 8_000
"""Most characters of a reason; Step Functions keeps 32,768 of a cause."""

SCORE = "score"
"""Name of the function that scores, and of the Map of its calls."""

EXECUTION = "execution"
"""The whole execution of the state machine, which may fail outside of every function."""

_OVERTIME, _DIED = "it did not finish in the time it is given", "its process died, most likely for want of memory"
_WORDS = {
    "States.Timeout": _OVERTIME,
    "Sandbox.Timedout": _OVERTIME,
    "Lambda.Unknown": _DIED,
    "Runtime.ExitError": _DIED,
    "Runtime.OutOfMemory": "its process ran out of memory",
    "States.ExceedToleratedFailureThreshold": "a range failed, and its reason could not be stored; resume the job",
    "States.DataLimitExceeded": "the input or output of a state was larger than Step Functions allows (256 KiB)",
    "Lambda.TooManyRequestsException": "the account's concurrency is used up; lower max_concurrency and resume",
}

_FEWER_RECORDINGS = "start several jobs with fewer recordings each"
_SMALLER_REPORTS = "set a longer hop_seconds or fewer formats, or split the recording"
_MENDS = {
    SCORE: {_OVERTIME: "cut finer with max_range_seconds", _DIED: "raise the stack's ScoreMemory"},
    "plan": {_OVERTIME: _FEWER_RECORDINGS, _DIED: _FEWER_RECORDINGS},
    "report": {_OVERTIME: _SMALLER_REPORTS, _DIED: _SMALLER_REPORTS},
    "aggregate": {_OVERTIME: _FEWER_RECORDINGS, _DIED: _FEWER_RECORDINGS},
    EXECUTION: {_OVERTIME: "an execution has a day; resume it to continue"},
}
"""What to do when a function, or the whole execution, took too long or died."""


def failure_of_task(caught: object, function: str = SCORE) -> Failure:
    """Turn the input of a Catch, or of a failed Map, into a reason.

    Parameters
    ----------
    caught : object
        ``{"Error": name, "Cause": text}``; the text of a Lambda error is JSON.
    function : {"score", "plan", "report", "aggregate", "execution"}
        What failed.

    Returns
    -------
    Failure
        With the name of the class for our errors. For timeouts, crashes and throttling it is ``RangeFailed``, or
        ``FunctionFailed`` if it is not ``score`` that failed, with the service's name in the message.
    """
    fields = caught if isinstance(caught, Mapping) else {}
    name, cause = str(fields.get("Error") or "Unknown"), str(fields.get("Cause") or "")
    message = _message(cause)[:_LONGEST]
    if name in error_classes():
        return Failure(name, message)
    told = _told(name, function) or message or "no cause was given"
    if function == SCORE:
        return Failure("RangeFailed", f"{name}: {told}")
    return Failure("FunctionFailed", f"{function}: {name}: {told}")


def _told(name: str, function: str) -> str | None:
    """Return what an error of AWS means for a function, and what to do."""
    words = _WORDS.get(name)
    kind = _DIED if name == "Runtime.OutOfMemory" else words
    mend = _MENDS.get(function, {}).get(kind or "")
    return f"{words}; {mend}" if mend else words


def record_range_failure(job: Job, tasks: Sequence[RangeTask], caught: object) -> Failure:
    """Store why ranges have no scores; return the reason.

    When one worker had several ranges, those with scores or with another reason are unchanged.
    """
    failure = failure_of_task(caught)
    for task in tasks:
        if len(tasks) == 1 or not (job.store.exists(job.part_key(task)) or job.read_range_failure(task)):
            job.write_range_failure(task, failure)
    return failure


def record_report_failure(job: Job, task: ReportTask, caught: object) -> Failure:
    """Store why recordings have no reports; return the reason. Those with reports or another reason are unchanged."""
    failure = failure_of_task(caught, "report")
    StoredOutcomes(job, job.read_plan(task)).write_missing_failures(failure)
    return failure


def record_job_failure(job: Job, caught: object, function: str = SCORE) -> Failure:
    """Store why a job ended without results; return the reason.

    A Map that stopped says only that too many items failed; the reason of the job is then that of its first failed
    range.
    """
    failure = failure_of_task(caught, function)
    if isinstance(caught, Mapping) and caught.get("Error") == "States.ExceedToleratedFailureThreshold":
        failure = _first_range_failure(job) or failure
    job.store.write(job.failure_key, dump_json(asdict(failure)))
    return failure


def record_uncaught_failure(job: Job, caught: Mapping[str, str]) -> Failure | None:
    """Store why a job ended where the state machine did not; return the reason.

    No Catch gets ``States.Runtime``, ``States.DataLimitExceeded`` and the timeout of the whole execution, so the state
    ``RecordFailure`` is not entered. The names of our errors come from that state.

    Returns
    -------
    Failure or None
        None where the state machine stored the reason.
    """
    if caught["Error"] in error_classes() and job.store.exists(job.failure_key):
        return None
    failure = failure_of_task(caught, EXECUTION)
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
    except (ValueError, RecursionError):
        return cause
    return str(document.get("errorMessage", cause)) if isinstance(document, dict) else cause
