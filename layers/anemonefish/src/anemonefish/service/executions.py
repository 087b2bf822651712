"""Executions: the jobs that clients of the API start, follow, stop and resume.

An execution is accepted when its record is written. One Idempotency-Key makes one execution, however often and
concurrently it is sent. An accepted execution is started, or it ends as FAILED with the reason. A tenant sees its own
executions only. The states are drawn in :mod:`anemonefish.execution_states`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from anemonefish import clock
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.step_functions import Workflow
from anemonefish.errors import (
    AnemonefishError,
    Failure,
    IdempotencyConflict,
    JobTooLong,
    OutOfTime,
    QuoteTooLarge,
    StorageError,
    TooManyJobs,
    WrongState,
)
from anemonefish.execution_states import CANCELLED, PENDING, RUNNING, SUCCEEDED, UNSUCCESSFUL
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.models.repository import ModelRepository
from anemonefish.results.review_state import ReviewState, read_review_state
from anemonefish.service.execution_end import ExecutionEnds
from anemonefish.service.execution_healing import Healer
from anemonefish.service.execution_launch import GRACE, Launcher
from anemonefish.service.execution_progress import Progress, ProgressCounter
from anemonefish.service.execution_record import (
    Execution,
    ExecutionRequest,
    execution_id,
    find_execution,
    replace_execution,
)
from anemonefish.service.job_slots import JobSlots
from anemonefish.service.limits import Limits
from anemonefish.service.upload_record import Upload, new_id
from anemonefish.service.worker_budget import WorkerBudget
from anemonefish.settings import Settings
from anemonefish.stores import Store
from anemonefish.workflow.planner import check_settings, plan_job

__all__ = ["MOST_QUOTED_AT_START", "QUOTE_SECONDS", "Executions"]

NO_LIMITS = Limits()

QUOTE_SECONDS = 20.0
"""Time for a quote. API Gateway waits 29 seconds, which include a cold start and the headers that are still read."""

MOST_QUOTED_AT_START = 16
"""A request of at most this many recordings is planned before it is accepted: their headers are read in parallel."""

_REVIEW_TIMEOUT = timedelta(hours=2)
"""Clips and plots are written within this time after the results (four attempts of 15 minutes), or not at all."""


class Executions:
    """The executions of all tenants.

    Parameters
    ----------
    table : RecordTable
    workflow : Workflow
    store : Store
        The output bucket.
    models : ModelRepository
    input_bucket : str
    keep : timedelta
        How long a record is kept after the start of its execution.
    now : callable
    limits : Limits
        What one tenant may spend.
    """

    def __init__(
        self,
        *,
        table: RecordTable,
        workflow: Workflow,
        store: Store,
        models: ModelRepository,
        input_bucket: str,
        keep: timedelta,
        now: Callable[[], datetime] = clock.now,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self._table = table
        self._workflow = workflow
        self._store = store
        self._models = models
        self._input_bucket = input_bucket
        self._keep = keep
        self._now = now
        self._limits = limits
        self._slots = JobSlots(table, limits.jobs, now)
        self._budget = WorkerBudget(table, limits.all_workers, limits.workers, now)
        self._launcher = Launcher(
            table=table,
            workflow=workflow,
            store=store,
            input_bucket=input_bucket,
            slots=self._slots,
            budget=self._budget,
            now=now,
        )
        self._progress = ProgressCounter()
        self._ends = ExecutionEnds(table, store, self._launcher, self._progress, now)
        self._healer = Healer(table, store, workflow, self._launcher, self._budget, self._ends, now)

    def quote(self, request: ExecutionRequest, uploads: Sequence[Upload]) -> Plan:
        """Plan a job without starting it; see :func:`anemonefish.workflow.planner.plan_job`.

        Raises
        ------
        QuoteTooLarge
            The headers of the recordings could not all be read within :data:`QUOTE_SECONDS`.
        """
        recordings = [upload.request(self._input_bucket) for upload in uploads]
        settings, deadline = Settings.load(request.settings), time.monotonic() + QUOTE_SECONDS
        try:
            return plan_job(
                recordings,
                request.model,
                settings,
                self._models,
                out_of_time=lambda: time.monotonic() > deadline,
                most_workers=self._limits.workers,
            )
        except OutOfTime as error:
            raise QuoteTooLarge(
                f"{error} within {QUOTE_SECONDS:g} s, the limit for one answer; quote the recordings in several "
                f"requests and add up the answers, or start the execution, which has 15 minutes to plan"
            ) from None

    def find_by_key(self, owner: str, request: ExecutionRequest, key: str | None) -> Execution | None:
        """Return the execution that an Idempotency-Key has started; it is launched if that is overdue.

        Raises
        ------
        IdempotencyConflict
            The key was sent with another request before.
        """
        record = None if key is None else self._table.read(execution_id(owner, key))
        if record is None:
            return None
        return self._launcher.launch_if_overdue(record, _with_same_request(record, request), request.uploads)

    def start(
        self,
        owner: str,
        request: ExecutionRequest,
        uploads: Sequence[Upload],
        key: str | None,
        correlation_id: str | None = None,
    ) -> Execution:
        """Start a job, once for each key.

        Parameters
        ----------
        owner : str
        request : ExecutionRequest
        uploads : sequence of Upload
            The complete uploads that the request names.
        key : str or None
            The client's Idempotency-Key; without one every call starts a new job.
        correlation_id : str or None
            The id of this request, which joins its log lines with those of the execution.

        Raises
        ------
        InvalidSettings, ModelNotFound, InvalidRequest
            The request is invalid.
        IdempotencyConflict
            The key was sent with another request before.
        JobTooExpensive, JobTooLong, TooManyJobs
            The request exceeds what one tenant may spend.
        """
        settings, model = Settings.load(request.settings), self._models.pin(request.model)
        check_settings(self._models.spec(model), settings)
        plan = self._checked_plan(request, uploads)
        now = self._now()
        execution = Execution(
            id=execution_id(owner, key) if key is not None else new_id("e"),
            owner=owner,
            fingerprint=request.fingerprint,
            status=PENDING,
            model=model.to_dict(),
            settings=request.settings,
            recordings=len(uploads),
            created_at=clock.to_text(now),
            webhook=request.webhook,
            accepted_at=clock.to_text(now),
            pending_since=clock.to_text(now),
            uploads=request.uploads,
            correlation_id=correlation_id,
            workers=self._workers(settings, plan),
        )
        record = Record(
            id=execution.id,
            owner=owner,
            created=execution.created_at,
            document=asdict(execution),
            expires=int((now + self._keep).timestamp()),
            listed=True,
            due=clock.to_text(now + GRACE),
        )
        try:
            self._slots.take(execution)
        except TooManyJobs:
            if (existing := self.find_by_key(owner, request, key)) is not None:
                return existing
            raise
        if self._table.create(record):
            return self._launcher.launch(record, execution, uploads)
        return self._existing(execution, request, uploads)

    def get(self, owner: str, identifier: str) -> Execution:
        """Return a tenant's execution; it is launched if that is overdue.

        Raises
        ------
        ExecutionNotFound
            The tenant has no execution with this id.
        """
        return self._launcher.launch_if_overdue(*find_execution(self._table, owner, identifier))

    def page(self, owner: str, limit: int, after: str | None) -> list[Execution]:
        """Return a page of a tenant's executions, newest first."""
        return [Execution.from_record(record) for record in self._table.page(owner, limit, after)]

    def count_unfinished(self, owner: str) -> int:
        """Return how many executions of a tenant have not ended."""
        return self._slots.count(owner)

    def heal(self, most: int = 200) -> list[Execution]:
        """Launch and end executions that were left behind; see :meth:`.execution_healing.Healer.heal`."""
        return self._healer.heal(most)

    def queue_position(self, execution: Execution) -> int | None:
        """Return the place of an execution that waits for workers of other jobs, from 1; None if it does not wait."""
        return None if execution.status != PENDING else self._budget.read().positions().get(execution.name)

    def progress(self, execution: Execution) -> Progress:
        """Count the progress of a job from its parts."""
        return self._progress.count(execution, self.job(execution))

    def review(self, execution: Execution) -> ReviewState | None:
        """Return the state of clips and plots; None unless they were requested and the job succeeded."""
        if execution.status != SUCCEEDED or execution.finished_at is None or not execution.settings.get("review"):
            return None
        overdue = self._now() > clock.from_text(execution.finished_at) + _REVIEW_TIMEOUT
        return read_review_state(self.job(execution), overdue=overdue)

    def refresh(self, execution: Execution, progress: Progress) -> Execution:
        """End a running execution whose results exist: AWS delivers the event of its end at best effort only.

        Results in which a recording failed by the system may be those of the attempt before, so they end nothing.
        """
        if (
            execution.status == RUNNING
            and progress.total == progress.done
            and self.job(execution).misses_recordings() is False
        ):
            return self.end(execution.name, "SUCCEEDED", None) or execution
        return execution

    def end(self, name: str, workflow_status: str, failure: Failure | None) -> Execution | None:
        """Record how an attempt ended; see :meth:`.execution_end.ExecutionEnds.end`."""
        return self._ends.end(name, workflow_status, failure)

    def stop(self, owner: str, identifier: str) -> Execution:
        """Stop a job; its stored scores are kept.

        Raises
        ------
        WrongState
            It has ended.
        """
        while True:
            record, execution = find_execution(self._table, owner, identifier)
            if execution.ended and execution.status != CANCELLED:
                raise WrongState(
                    f"execution {identifier} has {execution.status.lower()} already; there is nothing to stop"
                )
            self._workflow.stop(execution.name, "stopped through the API")
            if execution.status == CANCELLED:
                return execution
            stopped = replace(execution, status=CANCELLED, finished_at=clock.to_text(self._now()), pending_since=None)
            if self._table.replace(record, asdict(stopped)):
                self._slots.release(stopped)
                self._ends.give_back(stopped, ran=execution.status == RUNNING)
                return stopped

    def resume(self, owner: str, identifier: str, correlation_id: str | None = None) -> Execution:
        """Run an ended job again for the ranges without scores, or launch an execution that is overdue.

        A job that succeeded is run again if recordings failed by the system and not by their own fault. The new attempt
        has the correlation id of this request.

        Raises
        ------
        WrongState
            It runs, is being launched, or has succeeded with nothing left to do.
        TooManyJobs
            The tenant runs as many executions as it may.
        """
        record, execution = find_execution(self._table, owner, identifier)
        if self._launcher.is_overdue(execution):
            return self._launcher.launch_if_overdue(record, execution)
        incomplete = execution.status == SUCCEEDED and self.job(execution).misses_recordings()
        if execution.status not in UNSUCCESSFUL and not incomplete:
            raise WrongState(
                f"execution {identifier} is {execution.status}; only one that failed, was cancelled, or has recordings "
                f"that failed by the system can be resumed"
            )
        now = self._now()
        resumed = replace(
            execution,
            status=PENDING,
            attempt=execution.attempt + 1,
            correlation_id=correlation_id,
            started_at=None,
            finished_at=None,
            error=None,
            accepted_at=clock.to_text(now),
            pending_since=clock.to_text(now),
        )
        self._slots.take(resumed)
        latest = replace_execution(self._table, record, resumed, now + GRACE)
        if latest is None:
            self._slots.release(resumed)
            raise WrongState(f"execution {identifier} was changed by another request at the same time; look again")
        return self._launcher.launch(latest, resumed)

    def job(self, execution: Execution) -> Job:
        """Return the job of an execution."""
        return Job.of_tenant(self._store, execution.owner, execution.id)

    def _existing(self, execution: Execution, request: ExecutionRequest, uploads: Sequence[Upload]) -> Execution:
        """Return the execution whose record was there already.

        Another request with the same key wrote it, or this one did and the answer of DynamoDB was lost.
        """
        record = self._table.read(execution.id)
        if record is None:
            raise StorageError(f"execution {execution.id} was deleted while it was started; send the request again")
        existing = _with_same_request(record, request)
        if existing == execution and record.revision == 0:
            return self._launcher.launch(record, execution, uploads)
        if existing.slot != execution.slot:
            self._slots.release(execution)
        return self._launcher.launch_if_overdue(record, existing, request.uploads)

    def _checked_plan(self, request: ExecutionRequest, uploads: Sequence[Upload]) -> Plan | None:
        """Return the plan of a job where it is known quickly; raise if the job is too expensive or too long.

        The job checks that itself too.
        """
        limited = self._limits.job_usd is not None or self._limits.all_workers is not None
        if not limited or len(uploads) > MOST_QUOTED_AT_START:
            return None
        try:
            plan = self.quote(request, uploads)
        except JobTooLong:
            raise
        except AnemonefishError:
            return None  # the job reports the error of the recording
        self._limits.check_quote(plan.quote)
        return plan

    def _workers(self, settings: Settings, plan: Plan | None) -> int | None:
        """Return how many workers a job needs at the same time: those of its plan, as far as its length is known."""
        if self._limits.all_workers is None:
            return None
        most = self._limits.workers_of_job(settings.max_concurrency)
        if plan is None or plan.quote.workers is None or any(recording.inexact for recording in plan.recordings):
            return most
        return max(1, min(most, max(plan.quote.workers, plan.quote.report_workers or 0)))


def _with_same_request(record: Record, request: ExecutionRequest) -> Execution:
    """Return the execution of a record; raise :class:`IdempotencyConflict` if it was started with another request."""
    execution = Execution.from_record(record)
    if execution.fingerprint != request.fingerprint:
        raise IdempotencyConflict(
            f"this Idempotency-Key was sent before with another body, for execution {execution.id}; use a new key"
        )
    return execution
