"""Launch an accepted execution: write the job's request, start the state machine, and record that it runs.

Every step can be repeated. The request has the same bytes each time, and the state machine starts one execution per
name. An execution that is still PENDING after the grace period is launched again by the next request for it or by the
schedule. The record is claimed first (compare and swap), so only one of several concurrent calls launches it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from anemonefish.service.job_slots import JobSlots
from anemonefish.service.upload_record import Upload, complete_uploads
from anemonefish.stores import Store

__all__ = ["CHECK_AFTER", "GRACE", "Launcher"]

GRACE = timedelta(seconds=20)
"""Grace period: a PENDING record older than this is launched by the next request."""

CHECK_AFTER = timedelta(minutes=15)
"""The schedule asks Step Functions about an execution that has been RUNNING for this long, and again after it."""

_LAUNCH_TIMEOUT = timedelta(hours=1)
"""An execution that cannot be launched for this long has failed."""


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
        now: Callable[[], datetime],
    ) -> None:
        self._table = table
        self._workflow = workflow
        self._store = store
        self._input_bucket = input_bucket
        self._slots = slots
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
        now = self._now()
        claimed = replace(execution, pending_since=clock.to_text(now), uploads=execution.uploads or uploads)
        latest = replace_execution(self._table, record, claimed, now + GRACE)
        if latest is None:  # another request launches it, or it has ended
            return self._read(execution)
        return self.launch(latest, claimed)

    def launch(self, record: Record, execution: Execution, uploads: Sequence[Upload] | None = None) -> Execution:
        """Launch an execution; return it as it is now.

        After an error that can be retried the execution stays PENDING until the launch timeout; after any other error
        it is FAILED.
        """
        try:
            self._write_request(execution, uploads)
            self._workflow.start(execution.name, _input_of(execution))
        except AnemonefishError as error:
            log_error("an execution could not be launched", error, **_fields_of(execution))
            accepted = clock.from_text(execution.accepted_at or execution.created_at)
            if error.retryable and self._now() <= accepted + _LAUNCH_TIMEOUT:
                return execution
            return self._fail(record, execution, error)
        log("INFO", "an execution was launched", attempt=execution.attempt, **_fields_of(execution))
        return self._record_start(record, execution)

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


def _input_of(execution: Execution) -> dict[str, Any]:
    """Return the input of the state machine. It has the same bytes for every launch of an attempt."""
    document = {"job": {"tenant": execution.owner, "id": execution.id}, "resume": execution.attempt > 1}
    if execution.correlation_id is not None:
        document["correlation_id"] = execution.correlation_id
    return document


def _fields_of(execution: Execution) -> dict[str, str | None]:
    job = f"jobs/{execution.owner}/{execution.id}"
    return {"correlation_id": execution.correlation_id, "execution": execution.id, "job": job}
