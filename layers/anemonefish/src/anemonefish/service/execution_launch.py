"""Launch an accepted execution: write the job's request, start the state machine, and record that it runs.

Every step can be repeated. The request has the same bytes each time, and the state machine starts one execution per
name. An execution that is still PENDING after the grace period is launched again by the next request for it or by the
schedule. The record is claimed first (compare and swap), so only one of several concurrent calls launches it.

An execution starts when the queue (:mod:`.worker_budget`) gives it workers. Until then it stays PENDING, which is no
error. Each call that changes the queue launches the executions that got workers by the change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from anemonefish import clock
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.function_log import log, log_error
from anemonefish.cloud.step_functions import Workflow
from anemonefish.errors import AnemonefishError, Failure, InvalidRequest, StorageError
from anemonefish.execution_states import CANCELLED, FAILED, PENDING, RUNNING
from anemonefish.jobs.job import Job
from anemonefish.jobs.request import JobRequest
from anemonefish.models.repository import PinnedModel
from anemonefish.service.execution_record import Execution, find_execution, log_errors, replace_execution
from anemonefish.service.job_queue import QueuedJob
from anemonefish.service.job_slots import JobSlots
from anemonefish.service.upload_record import Upload, complete_uploads
from anemonefish.service.worker_budget import WorkerBudget
from anemonefish.stores import Store

__all__ = ["CHECK_AFTER", "GRACE", "Launcher"]

GRACE = timedelta(seconds=20)
"""Grace period: a PENDING record older than this is launched by the next request."""

CHECK_AFTER = timedelta(minutes=15)
"""The schedule asks Step Functions about an execution that has been RUNNING for this long, and again after it."""

_LAUNCH_TIMEOUT = timedelta(hours=1)
"""An execution that cannot be launched for this long has failed. The time in the queue does not count."""

_QUEUE_CHECK = timedelta(hours=1)
"""The schedule looks at an execution that waits in the queue after this time, in case the queue lost it."""


class Launcher:
    """Launches executions.

    Parameters
    ----------
    table : RecordTable
    workflow : Workflow
    store : Store
        The output bucket.
    input_bucket : str
    slots : JobSlots
    budget : WorkerBudget
    now : callable
    """

    def __init__(
        self,
        *,
        table: RecordTable,
        workflow: Workflow,
        store: Store,
        input_bucket: str,
        slots: JobSlots,
        budget: WorkerBudget,
        now: Callable[[], datetime],
    ) -> None:
        self._table = table
        self._workflow = workflow
        self._store = store
        self._input_bucket = input_bucket
        self._slots = slots
        self._budget = budget
        self._now = now

    def is_overdue(self, execution: Execution) -> bool:
        """Return whether an execution has been PENDING for longer than the grace period."""
        since = execution.pending_since or execution.created_at
        return execution.status == PENDING and self._now() > clock.from_text(since) + GRACE

    def launch_if_overdue(self, record: Record, execution: Execution, uploads: tuple[str, ...] = ()) -> Execution:
        """Launch an execution that is overdue; return it as it is now.

        Parameters
        ----------
        uploads : tuple of str
            Ids of its uploads, if the caller knows them: a record of an older version does not.
        """
        if not self.is_overdue(execution):
            return execution
        queue, started = self._budget.start_next()
        self.launch_started(started)
        if execution.name in started:
            return self._read(execution)
        if execution.name in queue.waiting:
            if (record.due or "") <= clock.to_text(self._now()):
                replace_execution(self._table, record, execution, self._now() + _QUEUE_CHECK)
            return execution
        return self._claim_and_launch(record, execution, uploads)

    def launch_started(self, names: Iterable[str]) -> None:
        """Launch attempts that got their workers; an error of one is logged, and the schedule launches it later."""
        pending = list(names)
        while pending:
            name = pending.pop(0)
            try:
                record = self._table.read(name.rpartition("-")[0])
                execution = None if record is None else Execution.from_record(record)
                if record is None or execution is None or execution.name != name or execution.ended:
                    pending += self._budget.release(name)
                elif execution.status == PENDING:
                    self._claim_and_launch(record, execution)
            except AnemonefishError as error:
                log_error("an execution could not be launched", error, execution=name.rpartition("-")[0])

    def give_back(self, name: str, seconds: float = 0) -> None:
        """Give the workers of an attempt that has ended to other executions, and launch these.

        Parameters
        ----------
        name : str
        seconds : float
            How long its last workers may still run.
        """
        with log_errors(name.rpartition("-")[0]):
            self.launch_started(self._budget.release(name, seconds))

    def _claim_and_launch(self, record: Record, execution: Execution, uploads: tuple[str, ...] = ()) -> Execution:
        now = self._now()
        claimed = replace(execution, pending_since=clock.to_text(now), uploads=execution.uploads or uploads)
        latest = replace_execution(self._table, record, claimed, now + GRACE)
        if latest is None:  # another request launches it, or it has ended
            return self._read(execution)
        return self.launch(latest, claimed)

    def launch(self, record: Record, execution: Execution, uploads: Sequence[Upload] | None = None) -> Execution:
        """Launch an execution; return it as it is now.

        It stays PENDING while it waits in the queue. After an error that can be retried it stays PENDING until the
        launch timeout; after any other error it is FAILED.
        """
        tried_since = clock.from_text(execution.accepted_at or execution.created_at)
        try:
            job, others = self._budget.admit(execution)
            self.launch_started(others)
            if job is not None:
                tried_since = self._now() if job.started is None else clock.from_text(job.started)
            self._write_request(execution, uploads)
            if job is not None and job.started is None:
                return self._wait(record, execution)
            self._workflow.start(execution.name, _input_of(execution, job))
        except AnemonefishError as error:
            log_error("an execution could not be launched", error, **_fields_of(execution))
            if error.retryable and self._now() <= tried_since + _LAUNCH_TIMEOUT:
                return execution
            return self._fail(record, execution, error)
        workers = None if job is None else job.workers
        log("INFO", "an execution was launched", attempt=execution.attempt, workers=workers, **_fields_of(execution))
        return self._record_start(record, execution)

    def _wait(self, record: Record, execution: Execution) -> Execution:
        """Record that an execution waits in the queue."""
        log("INFO", "an execution waits for workers", attempt=execution.attempt, **_fields_of(execution))
        latest = replace_execution(self._table, record, execution, self._now() + _QUEUE_CHECK)
        if latest is None:
            return self._read(execution)
        job = self._budget.read().jobs.get(execution.name)
        if job is None or job.started is None:
            return execution
        # It got workers meanwhile, and the call that gave them could not claim the record because of this change.
        return self._claim_and_launch(latest, execution)

    def _record_start(self, record: Record, execution: Execution) -> Execution:
        """Record that an execution runs; stop it if it has been cancelled meanwhile."""
        now = self._now()
        running = replace(execution, status=RUNNING, started_at=clock.to_text(now), pending_since=None, uploads=())
        try:
            if replace_execution(self._table, record, running, now + CHECK_AFTER) is not None:
                return running
        except StorageError as error:  # it runs; the next request records that
            log_error("the start of an execution could not be recorded", error, **_fields_of(execution))
            return execution
        latest = self._read(execution)
        if latest.name != execution.name or latest.ended:
            self.give_back(execution.name)
        if latest.name != execution.name or latest.status in {CANCELLED, FAILED}:
            with log_errors(execution.id):  # after an error here, DELETE can stop it
                self._workflow.stop(execution.name, "stopped before it was started")
        return latest

    def _fail(self, record: Record, execution: Execution, error: AnemonefishError) -> Execution:
        """Record that an execution could not be launched."""
        # The answer to a successful start may have been lost: a failed execution must not run.
        with suppress(AnemonefishError):
            self._workflow.stop(execution.name, "could not be started")
        cause = f"{type(error).__name__}: {error}"
        message = (
            f"the execution could not be started: {cause}; resume it when the cause is repaired, or start a new one "
            f"with a new key"
        )
        failed = replace(
            execution,
            status=FAILED,
            finished_at=clock.to_text(self._now()),
            pending_since=None,
            error=asdict(Failure("LaunchFailed", message)),
        )
        if not self._table.replace(record, asdict(failed)):
            return self._read(execution)
        self._slots.release(failed)
        self.give_back(failed.name)
        # A metric filter in monitoring.yaml reads this line and raises the alarm.
        log("ERROR", "an execution was given up", launch=FAILED, reason=cause, **_fields_of(failed))
        return failed

    def _write_request(self, execution: Execution, uploads: Sequence[Upload] | None) -> None:
        """Write the job's request, unless it is already there."""
        job = Job.of_tenant(self._store, execution.owner, execution.id)
        if uploads is None:
            if job.store.exists(job.request_key):
                return
            if not execution.uploads:
                raise InvalidRequest("neither the job's request nor the record of the execution names its recordings")
            uploads = complete_uploads(self._table, execution.owner, execution.uploads, self._now())
        model = PinnedModel.from_dict(execution.model).reference
        recordings = tuple(upload.request(self._input_bucket) for upload in uploads)
        job.write_request(JobRequest(recordings, model, execution.settings))

    def _read(self, execution: Execution) -> Execution:
        return find_execution(self._table, execution.owner, execution.id)[1]


def _input_of(execution: Execution, job: QueuedJob | None) -> dict[str, Any]:
    """Return the input of the state machine. It has the same bytes for every launch of an attempt."""
    document: dict[str, Any] = {
        "job": {"tenant": execution.owner, "id": execution.id},
        "resume": execution.attempt > 1,
    }
    if job is not None:
        document["workers"] = job.workers
    if execution.correlation_id is not None:
        document["correlation_id"] = execution.correlation_id
    return document


def _fields_of(execution: Execution) -> dict[str, str | None]:
    job = f"jobs/{execution.owner}/{execution.id}"
    return {"correlation_id": execution.correlation_id, "execution": execution.id, "job": job}
