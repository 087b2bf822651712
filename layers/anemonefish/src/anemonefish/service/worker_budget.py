"""The workers that all jobs of the stack may run together, shared out by the queue of jobs.

The queue (:mod:`.job_queue`) is one item of the table of records. Each change reads the item, lets the jobs start that
may start, and writes it by compare and swap. So concurrent calls never give the same workers to two jobs. The records
of the executions remain the truth: an entry whose execution has ended is removed by the schedule, and an execution
without an entry is added again when it is launched.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from anemonefish import clock
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.errors import StorageError
from anemonefish.service.execution_record import Execution
from anemonefish.service.job_queue import JobQueue, QueuedJob

__all__ = ["WorkerBudget"]

_ITEM = "queue"
_TRIES = 40
_KEEP = timedelta(days=3650)

_MOST_JOBS = 3_000
"""A DynamoDB item has 400 KB, and a job takes about 110 bytes of it."""


class WorkerBudget:
    """The workers of all jobs.

    Parameters
    ----------
    table : RecordTable
    limit : int or None
        Workers that all jobs together may run; with None there is no queue and every job starts at once.
    default : int or None
        Workers of a job whose record does not say how many it needs.
    now : callable
    """

    def __init__(
        self, table: RecordTable, limit: int | None, default: int | None, now: Callable[[], datetime] = clock.now
    ) -> None:
        self._table = table
        self._limit = limit
        self._default = default
        self._now = now

    def read(self) -> JobQueue:
        """Return the queue by a consistent read; it is empty where there is no limit."""
        record = None if self._limit is None else self._table.read(_ITEM)
        return JobQueue() if record is None else JobQueue.from_document(record.document)

    def admit(self, execution: Execution) -> tuple[QueuedJob | None, list[str]]:
        """Put an execution into the queue, unless it is there, and start the jobs that may start.

        Returns
        -------
        job : QueuedJob or None
            The execution in the queue; None where there is no limit, so it may start.
        started : list of str
            Names of other attempts that got their workers; they must be launched.

        Raises
        ------
        StorageError
            DynamoDB did not answer, or the queue is full.
        """
        if self._limit is None:
            return None, []
        workers = min(execution.workers or self._default or self._limit, self._limit)
        job = QueuedJob(execution.owner, workers, execution.accepted_at or execution.created_at)
        queue, started = self._change(lambda queue: queue.add(execution.name, job))
        return queue.jobs[execution.name], [name for name in started if name != execution.name]

    def release(self, name: str, seconds: float = 0) -> list[str]:
        """Remove an attempt that has ended, and return the names of the attempts that got their workers.

        Parameters
        ----------
        name : str
        seconds : float
            How long its last workers may still run. They are counted until then.
        """
        until = clock.to_text(self._now() + timedelta(seconds=seconds)) if seconds > 0 else None
        return self._change(lambda queue: queue.remove(name, until))[1]

    def start_next(self) -> tuple[JobQueue, list[str]]:
        """Start the jobs that may start; return the queue, and the names of the attempts that got their workers."""
        return self._change(lambda _: None)

    def _change(self, change: Callable[[JobQueue], None]) -> tuple[JobQueue, list[str]]:
        if self._limit is None:
            return JobQueue(), []
        for tries in range(_TRIES):
            record = self._table.read(_ITEM)
            queue = JobQueue() if record is None else JobQueue.from_document(record.document)
            change(queue)
            if len(queue.jobs) > _MOST_JOBS:
                raise StorageError(f"the queue is full, because {_MOST_JOBS} jobs wait or run; try again later")
            started = queue.start_next(self._limit, clock.to_text(self._now()))
            if self._write(record, queue):
                return queue, started
            time.sleep(random.uniform(0, 0.01 * (tries + 1)))
        raise StorageError(f"the queue of jobs was changed by others {_TRIES} times at the same time; try again")

    def _write(self, record: Record | None, queue: JobQueue) -> bool:
        """Write the queue if it differs from the record; return False if another call has changed it."""
        document, now = queue.to_document(), self._now()
        expires = int((now + _KEEP).timestamp())
        if record is not None:
            return record.document == document or self._table.replace(record, document, expires)
        if not queue.jobs:
            return True
        return self._table.create(
            Record(id=_ITEM, owner="", created=clock.to_text(now), document=document, expires=expires)
        )
