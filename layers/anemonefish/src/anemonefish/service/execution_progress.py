"""Count the progress of a job from its stored parts; no DescribeExecution is called to answer a poll."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from anemonefish.errors import Failure
from anemonefish.execution_states import SUCCEEDED
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.service.execution_record import Execution

__all__ = ["Progress", "ProgressCounter", "RecordingProgress"]

_CACHED_PLANS = 32
"""Number of plans kept between polls; the plan of a thousand recordings has half a megabyte."""


@dataclass(frozen=True, slots=True)
class RecordingProgress:
    """Progress of one recording."""

    name: str
    ranges_done: int
    ranges_total: int | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a job; totals are None until it is planned."""

    recordings: tuple[RecordingProgress, ...]
    expected_seconds: float | None

    @property
    def done(self) -> int:
        """Number of ranges that have scores."""
        return sum(recording.ranges_done for recording in self.recordings)

    @property
    def total(self) -> int | None:
        """Number of all ranges."""
        totals = [recording.ranges_total for recording in self.recordings]
        return None if None in totals else sum(total or 0 for total in totals)

    def expected_end(self, started: datetime, now: datetime) -> datetime | None:
        """Return when the job should end: by the plan at first, by its own speed once ranges are scored."""
        if self.expected_seconds is None or self.total is None:
            return None
        if 0 < self.done < self.total:
            per_range = (now - started) / self.done
            return now + per_range * (self.total - self.done)
        return max(now, started + timedelta(seconds=self.expected_seconds))


class ProgressCounter:
    """Counts the progress of jobs; a plan is cached unless a resume may plan recordings of it again."""

    def __init__(self) -> None:
        self._plans: dict[str, Plan] = {}

    def count(self, execution: Execution, job: Job) -> Progress:
        """Return the progress of an execution's job."""
        plan = self.plan(execution, job)
        if plan is None:
            request = job.read_request() if execution.started_at else None
            names = [recording.name for recording in request.recordings] if request else []
            return Progress(tuple(RecordingProgress(name, 0, None, None) for name in names), None)
        # A job of one recording that succeeded has every part, so the parts need not be listed.
        complete = execution.status == SUCCEEDED and execution.recordings == 1
        scored = set() if complete else _scored(execution, job)
        recordings = []
        for number, recording in enumerate(plan.recordings):
            tasks = [task.name for task in plan.tasks_of(number)]
            done = len(tasks) if complete else sum(task in scored for task in tasks)
            recordings.append(RecordingProgress(recording.name, done, len(tasks), recording.failure))
        return Progress(tuple(recordings), plan.quote.expected_seconds)

    def plan(self, execution: Execution, job: Job) -> Plan | None:
        """Return the plan of an execution's job; None until there is one."""
        if execution.id in self._plans:
            return self._plans[execution.id]
        try:
            plan = Plan.from_json(job.store.read(job.plan_key))
        except FileNotFoundError:
            return None
        if not any(recording.failure is not None and recording.failure.by_system for recording in plan.recordings):
            if len(self._plans) >= _CACHED_PLANS:
                self._plans.clear()
            self._plans[execution.id] = plan
        return plan


def _scored(execution: Execution, job: Job) -> set[str]:
    """Return the names of the scored ranges: of a job that succeeded by its manifest, because parts expire."""
    if execution.status == SUCCEEDED:
        with suppress(FileNotFoundError):
            return set(json.loads(job.store.read(job.manifest_key))["parts"])
    return job.scored()
