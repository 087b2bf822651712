"""Record how an execution of the state machine ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime

from anemonefish import clock
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.errors import Failure
from anemonefish.execution_states import CANCELLED, FAILED, SUCCEEDED
from anemonefish.service.execution_record import Execution
from anemonefish.service.job_slots import JobSlots

__all__ = ["end_execution"]

_STATES = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "TIMED_OUT": FAILED, "ABORTED": CANCELLED}
"""Our state for each final status of Step Functions."""


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
