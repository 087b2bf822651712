"""The queue of jobs: which waiting jobs may start, so that all jobs together run a limited number of workers.

A job runs with all workers that it needs, or it waits. Jobs start in this order: the tenant that runs the fewest
workers; of equal tenants the one whose last start is longest ago; of a tenant's jobs the oldest. The first job in this
order is the next one. If it needs more workers than are free, other jobs may start before it, but only with workers
that the next job does not need: jobs that started while it waits, and the next job itself, fit into the limit together.
So a small job does not wait for a large one if there is room, and no job waits forever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from typing import Any, Self

__all__ = ["JobQueue", "QueuedJob"]


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job that waits or runs.

    Attributes
    ----------
    owner : str
        The tenant.
    workers : int
        Workers that it needs; once it has started, workers that it may run.
    since : str
        When it was accepted. ISO 8601, UTC; so are the other times.
    started : str or None
        When it got its workers; None while it waits.
    until : str or None
        It has ended, but its last workers may run until this time and are counted.
    """

    owner: str
    workers: int
    since: str
    started: str | None = None
    until: str | None = None


@dataclass(slots=True)
class JobQueue:
    """All jobs that wait or run, and the last start of each tenant.

    Attributes
    ----------
    jobs : dict of str to QueuedJob
        By the name of their attempt.
    served : dict of str to str
        When a job of a tenant started last. Tenants without a job are forgotten when no job waits.
    """

    jobs: dict[str, QueuedJob] = field(default_factory=dict)
    served: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_document` wrote."""
        return cls({name: QueuedJob(*job) for name, job in document["jobs"].items()}, dict(document["served"]))

    def to_document(self) -> dict[str, Any]:
        """Return the queue as JSON."""
        return {"jobs": {name: list(astuple(job)) for name, job in self.jobs.items()}, "served": dict(self.served)}

    @property
    def running_workers(self) -> int:
        """Workers of all jobs that run."""
        return sum(job.workers for job in self.jobs.values() if job.started is not None)

    @property
    def waiting(self) -> dict[str, QueuedJob]:
        """The jobs that wait."""
        return {name: job for name, job in self.jobs.items() if job.started is None}

    def add(self, name: str, job: QueuedJob) -> None:
        """Add a job; do nothing if it is there."""
        self.jobs.setdefault(name, job)

    def remove(self, name: str, until: str | None = None) -> None:
        """Remove a job; with ``until``, count the workers of one that ran until then."""
        job = self.jobs.get(name)
        if job is None or job.until is not None:
            return
        if job.started is None or until is None:
            del self.jobs[name]
        else:
            self.jobs[name] = replace(job, until=until)

    def start_next(self, limit: int, now: str) -> list[str]:
        """Start every job that may start now, and return their names in order.

        Parameters
        ----------
        limit : int
            Workers that all jobs together may run.
        now : str
        """
        for name, job in list(self.jobs.items()):
            if job.until is not None and job.until <= now:
                del self.jobs[name]
        started: list[str] = []
        while (next_name := self._startable(limit)) is not None:
            job = self.jobs[next_name]
            self.jobs[next_name] = replace(job, workers=min(job.workers, limit), started=now)
            self.served[job.owner] = now
            started.append(next_name)
        if not self.waiting:
            owners = {job.owner for job in self.jobs.values()}
            self.served = {owner: moment for owner, moment in self.served.items() if owner in owners}
        return started

    def positions(self) -> dict[str, int]:
        """Return the place of each waiting job in the order in which the jobs are expected to start, from 1."""
        order = _Order(self)
        return {name: place for place, name in enumerate(iter(order.take, None), 1)}

    def _startable(self, limit: int) -> str | None:
        """Return the first job in order that may start with the workers that are free."""
        running = [job for job in self.jobs.values() if job.started is not None]
        free = limit - sum(job.workers for job in running)
        if free < 1:
            return None
        order = _Order(self)
        first = order.take()
        if first is None:
            return None
        needed = min(self.jobs[first].workers, limit)
        if needed <= free:
            return first
        since = self.jobs[first].since
        beside = limit - needed - sum(job.workers for job in running if (job.started or "") > since)
        room = min(free, beside)
        return next((name for name in iter(order.take, None) if self.jobs[name].workers <= room), None)


class _Order:
    """The order in which jobs start: each job that was taken counts as running when the next one is chosen."""

    def __init__(self, queue: JobQueue) -> None:
        self._jobs = queue.jobs
        self._served: dict[str, tuple[int, str]] = {owner: (0, moment) for owner, moment in queue.served.items()}
        self._running: dict[str, int] = {}
        self._waiting: dict[str, list[str]] = {}
        self._taken = 0
        for job in queue.jobs.values():
            if job.started is not None:
                self._running[job.owner] = self._running.get(job.owner, 0) + job.workers
        for name, job in sorted(queue.waiting.items(), key=lambda item: (item[1].since, item[0]), reverse=True):
            self._waiting.setdefault(job.owner, []).append(name)

    def take(self) -> str | None:
        """Return the next job; None when all have been taken."""
        if not self._waiting:
            return None
        owner = min(self._waiting, key=self._rank)
        name = self._waiting[owner].pop()
        if not self._waiting[owner]:
            del self._waiting[owner]
        self._taken += 1
        self._running[owner] = self._running.get(owner, 0) + self._jobs[name].workers
        self._served[owner] = (self._taken, "")
        return name

    def _rank(self, owner: str) -> tuple[int, tuple[int, str], str, str]:
        oldest = self._waiting[owner][-1]
        return self._running.get(owner, 0), self._served.get(owner, (0, "")), self._jobs[oldest].since, oldest
