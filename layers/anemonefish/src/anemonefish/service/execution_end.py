"""Record how an execution of the state machine ended, tell its topic and its webhook, and give its workers away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime

from anemonefish import clock
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.function_log import log_error
from anemonefish.cloud.messages import enqueue, publish
from anemonefish.cloud.step_functions import WorkflowEnd
from anemonefish.errors import Failure
from anemonefish.execution_states import CANCELLED, FAILED, SUCCEEDED
from anemonefish.jobs.job import Job
from anemonefish.service.execution_launch import Launcher
from anemonefish.service.execution_progress import ProgressCounter
from anemonefish.service.execution_record import Execution, log_errors
from anemonefish.service.job_slots import JobSlots
from anemonefish.stores import Store
from anemonefish.workflow.failures import EXECUTION, failure_of_task, record_uncaught_failure
from anemonefish.workflow.function_metrics import emit_failure

__all__ = ["ExecutionEnds", "end_execution", "failure_of_end", "notify_end", "record_uncaught_end"]

_LONGEST_CALL = 900.0
"""Seconds after which Lambda ends a call."""

_STATES = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "TIMED_OUT": FAILED, "ABORTED": CANCELLED}
"""Our state for each final status of Step Functions."""

_FAILED = ("FAILED", "TIMED_OUT")


def failure_of_end(end: WorkflowEnd) -> Failure | None:
    """Return the reason of an execution that failed or timed out; None for any other end."""
    return failure_of_task(_caught(end), EXECUTION) if end.status in _FAILED else None


def record_uncaught_end(job: Job, end: WorkflowEnd) -> None:
    """Store and count the reason of a failed job, where the state machine could not (:func:`.record_uncaught_failure`).

    Raises
    ------
    StorageError
        The reason could not be stored; try again.
    """
    failure = record_uncaught_failure(job, _caught(end)) if end.status in _FAILED else None
    if failure is not None:
        log_error("a job failed", failure.to_error(), job=job.work)  # a metric filter counts it, as in Record
        emit_failure(failure.error)


def _caught(end: WorkflowEnd) -> dict[str, str]:
    return {"Error": end.error or "States.Timeout", "Cause": end.cause or ""}


def notify_end(execution: Execution, topic: str, queue: str | None) -> None:
    """Send the end of an execution to the topic, and to its webhook if it has one and the stack calls webhooks.

    Parameters
    ----------
    execution : Execution
    topic : str
        ARN of the SNS topic.
    queue : str or None
        URL of the queue of webhooks.

    Raises
    ------
    StorageError
        SNS or SQS did not answer, or refused.
    """
    payload = {
        "execution": execution.id,
        "status": execution.status,
        "tenant": execution.owner,
        "finished_at": execution.finished_at,
    }
    publish(topic, f"{execution.id} {execution.status}", payload)
    if execution.webhook and queue:
        # An attempt ends once, so its name is the id of the message, also when the end is told twice.
        message = {"id": execution.name, "url": execution.webhook, "notice": payload}
        if execution.correlation_id is not None:
            message["correlation_id"] = execution.correlation_id
        enqueue(queue, message)


def end_execution(
    table: RecordTable,
    name: str,
    workflow_status: str,
    failure: Failure | None,
    now: Callable[[], datetime] = clock.now,
) -> Execution | None:
    """Record how the execution ``name`` of the state machine ended.

    An event that arrives twice or belongs to an earlier attempt changes nothing.

    Parameters
    ----------
    table : RecordTable
    name : str
        ``{execution}-{attempt}``.
    workflow_status : {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}
    failure : Failure or None
    now : callable

    Returns
    -------
    Execution or None
        The execution as it is now; None when the event is not about its latest attempt or contradicts its state.
    """
    identifier, state = name.rpartition("-")[0], _STATES[workflow_status]
    while True:
        record = table.read(identifier)
        if record is None or not identifier.startswith("e-"):
            return None
        execution = Execution.from_record(record)
        if execution.name != name:
            return None
        if execution.ended:  # the event came before; its notification may have failed, so it is sent again
            return execution if execution.status == state else None
        ended = replace(
            execution,
            status=state,
            started_at=execution.started_at or execution.created_at,
            finished_at=clock.to_text(now()),
            pending_since=None,
            error=None if failure is None else asdict(failure),
        )
        if table.replace(record, asdict(ended)):
            JobSlots(table, None).release(ended)
            return ended


class ExecutionEnds:
    """Ends executions: their records, and the workers that they held.

    Parameters
    ----------
    table : RecordTable
    store : Store
        The output bucket.
    launcher : Launcher
    progress : ProgressCounter
    now : callable
    """

    def __init__(
        self,
        table: RecordTable,
        store: Store,
        launcher: Launcher,
        progress: ProgressCounter,
        now: Callable[[], datetime],
    ) -> None:
        self._table = table
        self._store = store
        self._launcher = launcher
        self._progress = progress
        self._now = now

    def end(self, name: str, workflow_status: str, failure: Failure | None) -> Execution | None:
        """Record how an attempt ended, and launch the executions that get its workers.

        Parameters and answer are those of :func:`end_execution`.
        """
        ended = end_execution(self._table, name, workflow_status, failure, self._now)
        if ended is None:
            self._launcher.give_back(name)
        else:
            self.give_back(ended, ran=workflow_status != "SUCCEEDED")
        return ended

    def give_back(self, execution: Execution, *, ran: bool) -> None:
        """Give the workers of an execution that has ended to others.

        Parameters
        ----------
        execution : Execution
        ran : bool
            Whether it was stopped or failed while workers may have run. They are counted until they have ended, because
            Lambda finishes every call that has begun.
        """
        self._launcher.give_back(execution.name, self._seconds_of_last_workers(execution) if ran else 0.0)

    def _seconds_of_last_workers(self, execution: Execution) -> float:
        """Return how long workers may still run, by the plan."""
        job = Job.of_tenant(self._store, execution.owner, execution.id)
        with log_errors(execution.id):
            plan = self._progress.plan(execution, job)
            if plan is not None and plan.quote.longest_function is not None:
                return min(_LONGEST_CALL, 2 * plan.quote.longest_function.seconds + 10)
            if plan is None and not job.store.exists(job.transcodes_key):
                return 0.0
        return _LONGEST_CALL
