"""Heal executions that were left behind: an interrupted call, or the lost event of an end.

A schedule calls this. It launches what is overdue, records the ends whose events were lost, and corrects the queue, so
that an execution that has ended does not keep its workers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from anemonefish import clock
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.embedded_metrics import emit
from anemonefish.cloud.function_log import log, log_error
from anemonefish.cloud.step_functions import Workflow, WorkflowEnd
from anemonefish.errors import FunctionFailed
from anemonefish.execution_states import PENDING, RUNNING
from anemonefish.jobs.job import Job
from anemonefish.service.execution_end import ExecutionEnds, failure_of_end, record_uncaught_end
from anemonefish.service.execution_launch import CHECK_AFTER, GRACE, Launcher
from anemonefish.service.execution_record import Execution, replace_execution
from anemonefish.service.job_queue import JobQueue, QueuedJob
from anemonefish.service.worker_budget import WorkerBudget
from anemonefish.stores import Store

__all__ = ["Healer"]


class Healer:
    """Heals executions.

    Parameters
    ----------
    table : RecordTable
    store : Store
        The output bucket.
    workflow : Workflow
    launcher : Launcher
    budget : WorkerBudget
    ends : ExecutionEnds
    now : callable
    """

    def __init__(
        self,
        table: RecordTable,
        store: Store,
        workflow: Workflow,
        launcher: Launcher,
        budget: WorkerBudget,
        ends: ExecutionEnds,
        now: Callable[[], datetime],
    ) -> None:
        self._table = table
        self._store = store
        self._workflow = workflow
        self._launcher = launcher
        self._budget = budget
        self._ends = ends
        self._now = now

    def heal(self, most: int) -> list[Execution]:
        """Launch executions that are overdue, record the ends whose events were lost, and correct the queue.

        Parameters
        ----------
        most : int
            Largest number of overdue executions.

        Returns
        -------
        list of Execution
            Those that changed, as they are now. The error of one execution is logged and does not affect the others.
        """
        healed: list[Execution] = []
        for identifier in self._table.due(clock.to_text(self._now()), most):
            try:
                record = self._table.read(identifier)
                if record is not None:
                    healed += self._heal(record, Execution.from_record(record))
            except Exception as error:
                log_error("an execution could not be healed", error, execution=identifier)
        self._correct_queue()
        return healed

    def _correct_queue(self) -> None:
        """Remove what has ended from the queue, and launch what got workers but was not launched."""
        queue = self._budget.read()
        records = self._table.read_many([name.rpartition("-")[0] for name in queue.jobs])
        for name, job in queue.jobs.items():
            try:
                record = records.get(name.rpartition("-")[0])
                execution = None if record is None else Execution.from_record(record)
                if job.until is None and (execution is None or execution.name != name or execution.ended):
                    self._launcher.give_back(name)
                elif execution is not None and job.until is None and self._is_left(execution, job):
                    self._launcher.launch_started([name])
            except Exception as error:
                log_error("the queue could not be corrected", error, execution=name.rpartition("-")[0])
        queue, started = self._budget.start_next()
        self._launcher.launch_started(started)
        _report(queue, self._now())

    def _is_left(self, execution: Execution, job: QueuedJob) -> bool:
        """Return whether an execution has workers but was not launched."""
        left = execution.status == PENDING and job.started is not None
        return left and self._now() > clock.from_text(job.started or "") + GRACE

    def _heal(self, record: Record, execution: Execution) -> list[Execution]:
        """Treat an execution that is due; return it if it has changed."""
        if execution.status != RUNNING:
            return [self._launcher.launch_if_overdue(record, execution)]
        try:
            end = self._workflow.find_end(execution.name)
        except LookupError:
            end = self._end_of_unknown(execution)
        if end is None:
            replace_execution(self._table, record, execution, self._now() + CHECK_AFTER)
            return []
        record_uncaught_end(Job.of_tenant(self._store, execution.owner, execution.id), end)
        ended = self._ends.end(execution.name, end.status, failure_of_end(end))
        if ended is None:
            return []
        emit({"EndsLost": 1})
        return [ended]

    def _end_of_unknown(self, execution: Execution) -> WorkflowEnd:
        """Return the end of an execution that Step Functions does not know, as after its state machine was replaced."""
        if Job.of_tenant(self._store, execution.owner, execution.id).misses_recordings() is False:
            return WorkflowEnd("SUCCEEDED")
        cause = "Step Functions does not know the execution any more; resume it to continue"
        return WorkflowEnd("FAILED", FunctionFailed.__name__, cause)


def _report(queue: JobQueue, now: datetime) -> None:
    """Log the queue, and emit its metrics while jobs wait."""
    waiting = queue.waiting
    if not waiting:
        return
    longest = (now - clock.from_text(min(job.since for job in waiting.values()))).total_seconds()
    log("INFO", "jobs wait for workers", waiting=len(waiting), running_workers=queue.running_workers)
    emit({"JobsWaiting": len(waiting), "LongestWait": longest})
