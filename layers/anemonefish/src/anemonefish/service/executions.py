"""Executions: jobs that an API starts, follows, stops and resumes.

Owns the record of a job: who started it, what it is doing and how it ended. The record is an index; the truth lies
in the job's folder. Promises that one Idempotency-Key makes one execution however often and however concurrently it
is sent, that an execution which was accepted is started or ends as FAILED with the reason, and that nobody sees
another tenant's. Progress is counted from parts; no execution is described to answer a poll.

    PENDING ──► RUNNING ──► SUCCEEDED
       ▲  │        ├──────► FAILED ◄───┐
       │  └────────┼── not launched ───┘
       │           └──────► CANCELLED
       └── resume of what FAILED or was CANCELLED

An execution is accepted when its record is written. From there every step can be repeated: the request has the same
bytes, and the state machine takes a name once. A record that is PENDING for longer than the grace period is launched
again by the next request for it (the same key, GET, resume) and by a schedule (:meth:`Executions.heal`). Whoever
launches it again first writes so into the record, so that one does at a time.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from base64 import b32encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from anemonefish import clock
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.ledger import Ledger
from anemonefish.cloud.step_functions import Workflow
from anemonefish.errors import (
    AnemonefishError,
    ExecutionNotFound,
    Failure,
    IdempotencyConflict,
    InvalidRequest,
    OutOfTime,
    QuoteTooLarge,
    StorageError,
    TooManyJobs,
    WrongState,
    shown,
)
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.request import JobRequest, RecordingRequest
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.service.downloads import ReviewState, read_review_state
from anemonefish.service.limits import Limits
from anemonefish.service.uploads import Upload, complete_uploads, new_id
from anemonefish.settings import Settings
from anemonefish.stores import Store
from anemonefish.workflow.planner import check_settings, plan_job

__all__ = ["Execution", "Executions", "Order", "Progress", "RecordingProgress", "end_execution"]

PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED = "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"
ENDED = frozenset({SUCCEEDED, FAILED, CANCELLED})

_STATUS_OF_WORKFLOW = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "TIMED_OUT": FAILED, "ABORTED": CANCELLED}
_GRACE = timedelta(seconds=20)
"""Grace period: a PENDING record older than this is launched by the next request."""

_LAUNCH_WITHIN = timedelta(hours=1)
"""An execution that cannot be launched for so long has failed."""

_RUNS_AT_MOST = timedelta(hours=25)
"""The state machine ends every execution after 24 hours: a record that is RUNNING for longer has lost its end."""

_REVIEW_WITHIN = timedelta(hours=2)
"""Clips and pictures are there so long after the results, or do not come any more: four tries of 15 minutes."""

_ABANDONED = timedelta(minutes=1)
"""A call that takes a place among the running jobs writes the record within this time, or has died."""

_QUOTED_AT_START = 16
"""An order of so many recordings is planned before it is accepted: their headers are read at once."""

NO_LIMITS = Limits()

QUOTE_SECONDS = 20.0
"""API Gateway waits 29 seconds; a cold start and headers that are being read when the time is over are in them."""

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
    accepted_at : str or None
        When this attempt was accepted; None in records of older versions.
    pending_since : str or None
        When it was last tried to launch it; None once it runs.
    uploads : tuple of str
        Ids of its uploads until it runs; from then on the request in the job's folder says what is analysed.
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
    accepted_at: str | None = None
    pending_since: str | None = None
    uploads: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: Record) -> Self:
        """Read a record, also one of an older version."""
        document = record.document
        return cls(**{**document, "uploads": tuple(document.get("uploads", ()))})

    @property
    def name(self) -> str:
        """Name of the state machine's execution that is working on it."""
        return f"{self.id}-{self.attempt}"

    @property
    def place(self) -> str:
        """Name of this attempt among the jobs that its tenant has at once."""
        return f"{self.name}@{self.accepted_at}"

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
    limits : Limits
        What one tenant may spend.
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
        limits: Limits = NO_LIMITS,
    ) -> None:
        self._table = table
        self._ledger = Ledger(table.name)
        self._limits = limits
        self._workflow = workflow
        self._store = store
        self._models = models
        self._bucket = bucket
        self._keep = keep
        self._now = now
        self._plans: dict[str, Plan] = {}

    def quote(self, order: Order, uploads: Sequence[Upload]) -> Plan:
        """Plan a job without starting it; see :func:`anemonefish.workflow.planner.plan_job`.

        Raises
        ------
        QuoteTooLarge
            The recordings could not all be looked at within :data:`QUOTE_SECONDS`.
        """
        recordings, settings = self._recordings(uploads), Settings.load(order.settings)
        deadline = time.monotonic() + QUOTE_SECONDS
        try:
            return plan_job(
                recordings, order.model, settings, self._models, out_of_time=lambda: time.monotonic() > deadline
            )
        except OutOfTime as error:
            raise QuoteTooLarge(
                f"{error} within {QUOTE_SECONDS:g} s, which is as long as one answer may take; quote them in several "
                f"requests and add up what they say, or start the execution: it has 15 minutes for this"
            ) from None

    def replayed(self, owner: str, order: Order, key: str | None) -> Execution | None:
        """Return the execution that this key has made already, if it has; it is launched if it still waits for that.

        Raises
        ------
        IdempotencyConflict
            The key came with another order.
        """
        record = None if key is None else self._table.read(_id_of(owner, key))
        if record is None:
            return None
        return self._relaunched(record, self._same(record, order), order.uploads)

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
        JobTooExpensive, TooManyJobs
            The order is beyond what one tenant may spend.
        """
        settings, model = Settings.load(order.settings), self._models.pin(order.model)
        check_settings(self._models.spec(model), settings)
        self._check_cost(order, uploads)
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
            accepted_at=clock.to_text(moment),
            pending_since=clock.to_text(moment),
            uploads=order.uploads,
        )
        record = Record(
            id=execution.id,
            owner=owner,
            created=execution.created_at,
            document=asdict(execution),
            expires=int((moment + self._keep).timestamp()),
            listed=True,
            due=clock.to_text(moment + _GRACE),
        )
        try:
            self._take_place(execution)
        except TooManyJobs:
            if (again := self.replayed(owner, order, key)) is not None:
                return again
            raise
        if self._table.create(record):
            return self._launch(record, execution, uploads)
        return self._started_before(execution, order, uploads)

    def get(self, owner: str, identifier: str) -> Execution:
        """Return a tenant's execution, launched if it still waits for that.

        Raises
        ------
        ExecutionNotFound
            The tenant has none by that id.
        """
        return self._relaunched(*self._owned(owner, identifier))

    def page(self, owner: str, limit: int, after: str | None) -> list[Execution]:
        """Return a page of a tenant's executions, newest first."""
        return [Execution.of(record) for record in self._table.page(owner, limit, after)]

    def at_once(self, owner: str) -> int:
        """Return how many executions of a tenant have not ended."""
        self._clear_places(owner)
        return len(self._ledger.read(owner).running)

    def heal(self, most: int = 200) -> list[Execution]:
        """Do what is overdue: launch what waits for it, and end what has run for longer than it can.

        Returns
        -------
        list of Execution
            As they stand now. One that cannot be mended takes no other along.
        """
        healed = []
        for identifier in self._table.due(clock.to_text(self._now()), most):
            try:
                record = self._table.read(identifier)
                if record is not None:
                    healed.append(self._healed(record, Execution.of(record)))
            except Exception as error:
                _log(identifier, error)
        return healed

    def _healed(self, record: Record, execution: Execution) -> Execution:
        if execution.status != RUNNING:
            return self._relaunched(record, execution)
        if self._now() <= clock.from_text(execution.started_at or execution.created_at) + _RUNS_AT_MOST:
            return execution
        ending: tuple[str, Failure | None] = ("SUCCEEDED", None)
        if not self._has_results(execution):
            ending = ("TIMED_OUT", Failure("RangeFailed", "the job ran for a day and was ended; resume it to go on"))
        return end_execution(self._table, execution.name, *ending, self._now) or execution

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

    def review(self, execution: Execution) -> ReviewState | None:
        """Return how clips and pictures stand; None unless they were asked for and the job succeeded."""
        if execution.status != SUCCEEDED or execution.finished_at is None or not execution.settings.get("review"):
            return None
        overdue = self._now() > clock.from_text(execution.finished_at) + _REVIEW_WITHIN
        return read_review_state(self.job(execution), overdue=overdue)

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
            if execution.ended and execution.status != CANCELLED:
                raise WrongState(
                    f"execution {identifier} has {execution.status.lower()} already; there is nothing to stop"
                )
            self._workflow.stop(execution.name, "stopped through the API")
            if execution.status == CANCELLED:
                return execution
            stopped = replace(execution, status=CANCELLED, finished_at=clock.to_text(self._now()), pending_since=None)
            if self._table.replace(record, asdict(stopped)):
                _leave(self._ledger, stopped)
                return stopped

    def resume(self, owner: str, identifier: str) -> Execution:
        """Start an ended job again, for the ranges it lacks, or launch one that still waits for that.

        Raises
        ------
        WrongState
            It runs, has succeeded, or is being launched.
        TooManyJobs
            The tenant has as many executions at once as it may.
        """
        record, execution = self._owned(owner, identifier)
        if self._waits(execution):
            return self._relaunched(record, execution)
        if not execution.ended or execution.status == SUCCEEDED:
            raise WrongState(f"execution {identifier} is {execution.status}; only one that failed or was "
                             f"cancelled can be resumed")  # fmt: skip
        moment = self._now()
        again = replace(
            execution,
            status=PENDING,
            attempt=execution.attempt + 1,
            started_at=None,
            finished_at=None,
            error=None,
            accepted_at=clock.to_text(moment),
            pending_since=clock.to_text(moment),
        )
        self._take_place(again)
        latest = self._replaced(record, again, moment + _GRACE)
        if latest is None:
            _leave(self._ledger, again)
            raise WrongState(f"execution {identifier} was changed by another request at the same time; look again")
        return self._launch(latest, again)

    def job(self, execution: Execution) -> Job:
        """Return where an execution's job lies."""
        return Job.of_tenant(self._store, execution.owner, execution.id)

    def _waits(self, execution: Execution) -> bool:
        """Whether an execution is PENDING for longer than the grace period."""
        since = execution.pending_since or execution.created_at
        return execution.status == PENDING and self._now() > clock.from_text(since) + _GRACE

    def _relaunched(self, record: Record, execution: Execution, uploads: tuple[str, ...] = ()) -> Execution:
        """Launch an execution that waits for it; return it as it stands.

        ``uploads`` are those of its order: a record of an older version does not name them.
        """
        if not self._waits(execution):
            return execution
        moment = self._now()
        claimed = replace(execution, pending_since=clock.to_text(moment), uploads=execution.uploads or uploads)
        latest = self._replaced(record, claimed, moment + _GRACE)
        if latest is None:  # another request launches it, or it has ended
            return self._owned(execution.owner, execution.id)[1]
        return self._launch(latest, claimed)

    def _launch(self, record: Record, execution: Execution, uploads: Sequence[Upload] | None = None) -> Execution:
        """Write what is asked for, start the state machine, and say so in the record.

        Any of it may be repeated. What AWS refuses leaves the execution PENDING until it has waited too long; what no
        repetition can mend fails it at once.
        """
        try:
            self._write_request(execution, uploads)
            named = {"tenant": execution.owner, "id": execution.id}
            self._workflow.start(execution.name, {"job": named, "resume": execution.attempt > 1})
        except AnemonefishError as error:
            _log(execution.id, error)
            accepted = clock.from_text(execution.accepted_at or execution.created_at)
            if error.retryable and self._now() <= accepted + _LAUNCH_WITHIN:
                return execution
            return self._not_launched(record, execution, error)
        moment = self._now()
        running = replace(execution, status=RUNNING, started_at=clock.to_text(moment), pending_since=None, uploads=())
        try:
            if self._replaced(record, running, moment + _RUNS_AT_MOST) is not None:
                return running
        except StorageError as error:  # it runs; the next request says so in the record
            _log(execution.id, error)
            return execution
        latest = self._owned(execution.owner, execution.id)[1]
        if latest.name != execution.name or latest.status in {CANCELLED, FAILED}:
            with _logged(execution.id):  # DELETE stops it again
                self._workflow.stop(execution.name, "stopped before it was started")
        return latest

    def _not_launched(self, record: Record, execution: Execution, error: AnemonefishError) -> Execution:
        """Fail an execution that cannot be launched."""
        # A start whose answer was lost may have worked: nothing runs for a record that has failed.
        with suppress(AnemonefishError):
            self._workflow.stop(execution.name, "could not be started")
        words = f"{type(error).__name__}: {error}"
        failed = replace(
            execution,
            status=FAILED,
            finished_at=clock.to_text(self._now()),
            pending_since=None,
            error=asdict(Failure("LaunchFailed", f"the execution could not be started: {words}; resume it when that "
                                                 f"is mended, or start it again with a new key")),
        )  # fmt: skip
        if not self._table.replace(record, asdict(failed)):
            return self._owned(execution.owner, execution.id)[1]
        _leave(self._ledger, failed)
        # What the alarm listens to (a metric filter in template.yaml).
        print(json.dumps({"launch": FAILED, "execution": failed.id, "message": words}), file=sys.stderr)
        return failed

    def _write_request(self, execution: Execution, uploads: Sequence[Upload] | None) -> None:
        """Write what is asked for, unless it is there."""
        job = self.job(execution)
        if uploads is None:
            if job.store.exists(job.request_key):
                return
            if not execution.uploads:
                raise InvalidRequest("nothing says any more what it should analyse")
            uploads = complete_uploads(self._table, execution.owner, execution.uploads, self._now())
        model = PinnedModel.from_dict(execution.model).reference
        job.write_request(JobRequest(tuple(self._recordings(uploads)), model, execution.settings))

    def _replaced(self, record: Record, execution: Execution, due: datetime) -> Record | None:
        """Write an execution that has not ended; return the record as it then is, None when it had changed."""
        written = asdict(execution), clock.to_text(due)
        if not self._table.replace(record, written[0], due=written[1]):
            return None
        return replace(record, document=written[0], due=written[1], revision=record.revision + 1)

    def _started_before(self, execution: Execution, order: Order, uploads: Sequence[Upload]) -> Execution:
        """Return what the record says that was there already: another request's, or ours if its answer was lost."""
        record = self._table.read(execution.id)
        if record is None:
            raise StorageError(f"execution {execution.id} went away while it was started; send the request again")
        found = self._same(record, order)
        if found == execution and record.revision == 0:
            return self._launch(record, execution, uploads)
        if found.place != execution.place:
            _leave(self._ledger, execution)
        return self._relaunched(record, found, order.uploads)

    def _check_cost(self, order: Order, uploads: Sequence[Upload]) -> None:
        """Refuse what is too expensive, where that is known soon; the job's own plan is checked as well."""
        if self._limits.job_usd is None or len(uploads) > _QUOTED_AT_START:
            return
        try:
            plan = self.quote(order, uploads)
        except AnemonefishError:
            return  # the job says what is wrong with a recording
        self._limits.check_quote(plan.quote)

    def _take_place(self, execution: Execution) -> None:
        """Take a place among the tenant's running jobs; look for those that have ended before it is refused."""
        most = self._limits.jobs
        if self._ledger.enter(execution.owner, execution.place, most):
            return
        if self._clear_places(execution.owner) and self._ledger.enter(execution.owner, execution.place, most):
            return
        raise TooManyJobs(
            f"{most} executions have not ended yet, and that is how many one key may have at once here; wait for one, "
            f"or stop one (DELETE /executions/{{id}})"
        )

    def _clear_places(self, owner: str) -> bool:
        """Remove what has ended from the tenant's running jobs: a call that died may have left it there."""
        places = {place: _attempt_of(place) for place in self._ledger.read(owner).running}
        records = self._table.read_many([identifier for identifier, _, _ in places.values()])
        gone = False
        for place, (identifier, attempt, accepted) in places.items():
            record = records.get(identifier)
            latest = None if record is None else Execution.of(record)
            if latest is None or latest.attempt < attempt:
                over = self._now() > clock.from_text(accepted) + _ABANDONED
            else:
                over = latest.ended or latest.place != place
            if over:
                self._ledger.leave(owner, place)
                gone = True
        return gone

    def _same(self, record: Record, order: Order) -> Execution:
        execution = Execution.of(record)
        if execution.fingerprint != order.fingerprint:
            raise IdempotencyConflict(
                f"this Idempotency-Key has made execution {execution.id} of another body; use a new key for a new order"
            )
        return execution

    def _owned(self, owner: str, identifier: str) -> tuple[Record, Execution]:
        record = self._table.read(identifier)
        if record is None or record.owner != owner or not identifier.startswith("e-"):
            raise ExecutionNotFound(f"there is no execution {shown(identifier)}; list them to find its id")
        return record, Execution.of(record)

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
        execution = Execution.of(record)
        if execution.name != name:
            return None
        if execution.ended:  # told before; who failed to pass it on is called again
            return execution if execution.status == status else None
        ended = replace(
            execution,
            status=status,
            started_at=execution.started_at or execution.created_at,
            finished_at=clock.to_text(now()),
            pending_since=None,
            error=None if failure is None else asdict(failure),
        )
        if table.replace(record, asdict(ended)):
            _leave(Ledger(table.name), ended)
            return ended


def _id_of(owner: str, key: str) -> str:
    """Return the id that a tenant's Idempotency-Key always makes."""
    digest = hashlib.sha256(f"{owner}\0{key}".encode()).digest()[:16]
    return f"e-{b32encode(digest).decode().rstrip('=').lower()}"


def _attempt_of(place: str) -> tuple[str, int, str]:
    """Return id, attempt and the moment of acceptance that a place tells of."""
    name, _, accepted = place.partition("@")
    identifier, _, attempt = name.rpartition("-")
    return identifier, int(attempt), accepted


def _leave(ledger: Ledger, execution: Execution) -> None:
    """Give a place back; what fails here is found when the tenant's places are used up."""
    with _logged(execution.id):
        ledger.leave(execution.owner, execution.place)


@contextmanager
def _logged(identifier: str) -> Iterator[None]:
    """Log an error of the tree and go on."""
    try:
        yield
    except AnemonefishError as error:
        _log(identifier, error)


def _log(identifier: str, error: Exception) -> None:
    status = getattr(error, "status", 500)
    words = {"execution": identifier, "error": type(error).__name__, "message": str(error), "status": status}
    print(json.dumps(words), file=sys.stderr)
