"""Executions: jobs that an API starts, follows, stops and resumes.

Owns the record of a job: who started it, what it is doing and how it ended. The record is an index; the truth lies
in the job's folder. Promises that one Idempotency-Key makes one execution however often and however concurrently it
is sent, that an execution which was accepted is started even if its first caller dies, and that nobody sees another
tenant's. Progress is counted from parts; no execution is ever described.

    PENDING ──► RUNNING ──► SUCCEEDED
       ▲           ├──────► FAILED ────┐
       │           └──────► CANCELLED ─┤
       └───────────── resume ──────────┘
"""

from __future__ import annotations

import hashlib
import json
from base64 import b32encode
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from anemonefish import clock
from anemonefish.cloud.table import Record, RecordTable
from anemonefish.cloud.workflow import Workflow
from anemonefish.errors import ExecutionNotFound, Failure, IdempotencyConflict, StorageError, WrongState, shown
from anemonefish.jobs import Job
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.plan import check_settings, plan_job
from anemonefish.planned import Plan
from anemonefish.request import JobRequest, RecordingRequest
from anemonefish.settings import Settings
from anemonefish.stores import Store
from anemonefish.uploads import Upload, new_id

__all__ = ["Execution", "Executions", "Order", "Progress", "RecordingProgress", "end_execution"]

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED = "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"
ENDED = frozenset({SUCCEEDED, FAILED, CANCELLED})

_STATUS_OF_WORKFLOW = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "TIMED_OUT": FAILED, "ABORTED": CANCELLED}
_PATIENCE = timedelta(seconds=20)
"""Whoever created a record starts it within this time, or whoever comes next does."""


_MOST_PLANS = 32
"""Plans kept between polls; one of a thousand recordings has half a megabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a client asks for.

    Attributes
    ----------
    uploads : tuple of str
        Ids of complete uploads.
    model : str
    settings : dict
        By name, as the client gave them.
    webhook : str or None
    """

    uploads: tuple[str, ...]
    model: str
    settings: dict[str, Any]
    webhook: str | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the order: two orders with one fingerprint ask for the same."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The record of a job.

    Attributes
    ----------
    id, owner, fingerprint : str
    status : {"PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"}
    model : dict
        A pinned model: what an alias meant when the job was started.
    settings : dict
    recordings : int
        How many.
    created_at : str
        ISO 8601, UTC; so are ``started_at`` and ``finished_at``.
    attempt : int
        1, and one more each time it is resumed.
    error : dict or None
        Name and words, when it failed.
    webhook : str or None
    """

    id: str
    owner: str
    fingerprint: str
    status: str
    model: dict[str, str | None]
    settings: dict[str, Any]
    recordings: int
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    attempt: int = 1
    error: dict[str, str] | None = None
    webhook: str | None = None

    @property
    def name(self) -> str:
        """Name of the state machine's execution that is working on it."""
        return f"{self.id}-{self.attempt}"

    @property
    def ended(self) -> bool:
        """Whether nothing works on it any more."""
        return self.status in ENDED

    @property
    def seconds(self) -> float | None:
        """Seconds that the last attempt took."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (clock.from_text(self.finished_at) - clock.from_text(self.started_at)).total_seconds()


@dataclass(frozen=True, slots=True)
class RecordingProgress:
    """How far one recording is."""

    name: str
    ranges_done: int
    ranges_total: int | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; totals are None until it is planned."""

    recordings: tuple[RecordingProgress, ...]
    expected_seconds: float | None

    @property
    def done(self) -> int:
        """Ranges that have scores."""
        return sum(each.ranges_done for each in self.recordings)

    @property
    def total(self) -> int | None:
        """Ranges in all."""
        totals = [each.ranges_total for each in self.recordings]
        return None if None in totals else sum(each or 0 for each in totals)

    def expected_end(self, started: datetime, now: datetime) -> datetime | None:
        """Return when the job should end: by the plan, or by its own pace once there is one."""
        if self.expected_seconds is None or self.total is None:
            return None
        if 0 < self.done < self.total:
            pace = (now - started) / self.done
            return now + pace * (self.total - self.done)
        return max(now, started + timedelta(seconds=self.expected_seconds))


class Executions:
    """The jobs of all tenants.

    Parameters
    ----------
    table : RecordTable
    workflow : Workflow
    store : Store
        The output bucket.
    models : ModelRepository
    bucket : str
        The input bucket.
    keep : timedelta
        How long a record is kept after its start.
    now : callable
    """

    def __init__(
        self,
        table: RecordTable,
        workflow: Workflow,
        store: Store,
        models: ModelRepository,
        bucket: str,
        keep: timedelta,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._table = table
        self._workflow = workflow
        self._store = store
        self._models = models
        self._bucket = bucket
        self._keep = keep
        self._now = now
        self._plans: dict[str, Plan] = {}

    def quote(self, order: Order, uploads: Sequence[Upload]) -> Plan:
        """Plan a job without starting it; see :func:`anemonefish.plan.plan_job`."""
        return plan_job(self._recordings(uploads), order.model, Settings.load(order.settings), self._models)

    def replayed(self, owner: str, order: Order, key: str | None) -> Execution | None:
        """Return the execution that this key has made already, if it has.

        Raises
        ------
        IdempotencyConflict
            The key came with another order.
        """
        record = None if key is None else self._table.read(_id_of(owner, key))
        return None if record is None else self._same(record, order)

    def start(self, owner: str, order: Order, uploads: Sequence[Upload], key: str | None) -> Execution:
        """Start a job, once for each key.

        Parameters
        ----------
        uploads : sequence of Upload
            Those of the order, complete.
        key : str or None
            The client's Idempotency-Key; without one every call is a new job.

        Raises
        ------
        InvalidSettings, ModelNotFound, InvalidRequest
            The order cannot be filled.
        IdempotencyConflict
            The key came with another order.
        """
        settings, model = Settings.load(order.settings), self._models.pin(order.model)
        check_settings(self._models.spec(model), settings)
        moment = self._now()
        execution = Execution(
            id=_id_of(owner, key) if key is not None else new_id("e"),
            owner=owner,
            fingerprint=order.fingerprint,
            status=PENDING,
            model=model.to_dict(),
            settings=order.settings,
            recordings=len(uploads),
            created_at=clock.to_text(moment),
            webhook=order.webhook,
        )
        record = Record(
            id=execution.id,
            owner=owner,
            created=execution.created_at,
            document=asdict(execution),
            expires=int((moment + self._keep).timestamp()),
            listed=True,
        )
        if self._table.create(record):
            return self._launch(record, execution, uploads)
        return self._started_by_another(execution.id, order, uploads)

    def get(self, owner: str, identifier: str) -> Execution:
        """Return a tenant's execution; raise :class:`ExecutionNotFound` when there is none."""
        return self._owned(owner, identifier)[1]

    def page(self, owner: str, limit: int, after: str | None) -> list[Execution]:
        """Return a page of a tenant's executions, newest first."""
        return [Execution(**record.document) for record in self._table.page(owner, limit, after)]

    def progress(self, execution: Execution) -> Progress:
        """Count the parts of a job."""
        plan = self._plan(execution)
        if plan is None:
            request = self.job(execution).read_request() if execution.started_at else None
            names = [each.name for each in request.recordings] if request else []
            return Progress(tuple(RecordingProgress(name, 0, None, None) for name in names), None)
        # A job of one recording that succeeded has every part: no listing is needed to know.
        whole = execution.status == SUCCEEDED and execution.recordings == 1
        scored = set() if whole else self.job(execution).scored()
        recordings = []
        for number, recording in enumerate(plan.recordings):
            names = [task.name for task in plan.tasks_of(number)]
            done = len(names) if whole else sum(name in scored for name in names)
            recordings.append(RecordingProgress(recording.name, done, len(names), recording.failure))
        return Progress(tuple(recordings), plan.quote.expected_seconds)

    def refreshed(self, execution: Execution, progress: Progress) -> Execution:
        """Return the execution as its manifest says: AWS delivers the event of its end on a best-effort basis."""
        if execution.status == RUNNING and progress.total == progress.done and self._has_results(execution):
            return end_execution(self._table, execution.name, "SUCCEEDED", None, self._now) or execution
        return execution

    def stop(self, owner: str, identifier: str) -> Execution:
        """Stop a job; what is scored stays.

        Raises
        ------
        WrongState
            It has ended.
        """
        while True:
            record, execution = self._owned(owner, identifier)
            if execution.status == CANCELLED:
                return execution
            if execution.ended:
                raise WrongState(
                    f"execution {identifier} has {execution.status.lower()} already; there is nothing to stop"
                )
            self._workflow.stop(execution.name, "stopped through the API")
            stopped = replace(execution, status=CANCELLED, finished_at=clock.to_text(self._now()))
            if self._table.replace(record, asdict(stopped)):
                return stopped

    def resume(self, owner: str, identifier: str) -> Execution:
        """Start an ended job again, for the ranges it lacks.

        Raises
        ------
        WrongState
            It runs, or has succeeded.
        """
        record, execution = self._owned(owner, identifier)
        if not execution.ended or execution.status == SUCCEEDED:
            raise WrongState(f"execution {identifier} is {execution.status}; only one that failed or was "
                             f"cancelled can be resumed")  # fmt: skip
        again = replace(
            execution, status=PENDING, attempt=execution.attempt + 1, started_at=None, finished_at=None, error=None
        )
        if not self._table.replace(record, asdict(again)):
            raise WrongState(f"execution {identifier} was changed by another request at the same time; look again")
        return self._launch(replace(record, revision=record.revision + 1), again, None)

    def job(self, execution: Execution) -> Job:
        """Return where an execution's job lies."""
        return Job.of_tenant(self._store, execution.owner, execution.id)

    def _launch(self, record: Record, execution: Execution, uploads: Sequence[Upload] | None) -> Execution:
        """Write what is asked for, start the state machine, and say so in the record.

        Any of it may be repeated: the request has the same bytes, an execution's name is used once.
        """
        job = self.job(execution)
        if uploads is not None:
            model = PinnedModel.from_dict(execution.model).reference
            job.write_request(JobRequest(tuple(self._recordings(uploads)), model, execution.settings))
        named = {"tenant": execution.owner, "id": execution.id}
        self._workflow.start(execution.name, {"job": named, "resume": execution.attempt > 1})
        running = replace(execution, status=RUNNING, started_at=clock.to_text(self._now()))
        if self._table.replace(record, asdict(running)):
            return running
        return self._owned(execution.owner, execution.id)[1]

    def _started_by_another(self, identifier: str, order: Order, uploads: Sequence[Upload]) -> Execution:
        record = self._table.read(identifier)
        if record is None:
            raise StorageError(f"execution {identifier} went away while it was started; send the request again")
        execution = self._same(record, order)
        late = self._now() > clock.from_text(execution.created_at) + _PATIENCE
        return self._launch(record, execution, uploads) if execution.status == PENDING and late else execution

    def _same(self, record: Record, order: Order) -> Execution:
        execution = Execution(**record.document)
        if execution.fingerprint != order.fingerprint:
            raise IdempotencyConflict(
                f"this Idempotency-Key has made execution {execution.id} of another body; use a new key for a new order"
            )
        return execution

    def _owned(self, owner: str, identifier: str) -> tuple[Record, Execution]:
        record = self._table.read(identifier)
        if record is None or record.owner != owner or not identifier.startswith("e-"):
            raise ExecutionNotFound(f"there is no execution {shown(identifier)}; list them to find its id")
        return record, Execution(**record.document)

    def _recordings(self, uploads: Sequence[Upload]) -> list[RecordingRequest]:
        return [upload.request(self._bucket) for upload in uploads]

    def _plan(self, execution: Execution) -> Plan | None:
        """Return the plan of a job; one that is made never changes, so it is read once."""
        if execution.id not in self._plans:
            job = self.job(execution)
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            try:
                self._plans[execution.id] = Plan.from_json(job.store.read(job.plan_key))
            except FileNotFoundError:
                return None
        return self._plans[execution.id]

    def _has_results(self, execution: Execution) -> bool:
        job = self.job(execution)
        return job.store.exists(job.manifest_key)


def end_execution(
    table: RecordTable,
    name: str,
    workflow_status: str,
    failure: Failure | None,
    now: Callable[[], datetime] = clock.now,
) -> Execution | None:
    """Record how the execution ``name`` of the state machine ended.

    An event may come late, twice, or for an attempt that another has followed: those change nothing.

    Returns
    -------
    Execution or None
        As it stands; None when the event tells nothing of it.
    """
    identifier, status = name.rpartition("-")[0], _STATUS_OF_WORKFLOW[workflow_status]
    while True:
        record = table.read(identifier)
        if record is None or not identifier.startswith("e-"):
            return None
        execution = Execution(**record.document)
        if execution.name != name:
            return None
        if execution.ended:  # told before; who failed to pass it on is called again
            return execution if execution.status == status else None
        ended = replace(
            execution,
            status=status,
            started_at=execution.started_at or execution.created_at,
            finished_at=clock.to_text(now()),
            error=None if failure is None else asdict(failure),
        )
        if table.replace(record, asdict(ended)):
            return ended


def _id_of(owner: str, key: str) -> str:
    """Return the id that a tenant's Idempotency-Key always makes."""
    digest = hashlib.sha256(f"{owner}\0{key}".encode()).digest()[:16]
    return f"e-{b32encode(digest).decode().rstrip('=').lower()}"
