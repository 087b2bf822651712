"""The limit of jobs that one tenant runs at once.

Each attempt of an execution takes a slot when it is accepted and releases it when it ends. The slots of a tenant are a
set in its usage record (:mod:`anemonefish.cloud.ledger`). A call that was interrupted may leave a slot behind; it is
found and released when the slots are counted or used up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from anemonefish import clock
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.ledger import Ledger
from anemonefish.errors import TooManyJobs
from anemonefish.service.execution_record import Execution, log_errors

__all__ = ["JobSlots"]

_ABANDONED = timedelta(minutes=1)
"""A call writes the record within this time after it took a slot, or it was interrupted."""


class JobSlots:
    """The slots of all tenants.

    Parameters
    ----------
    table : RecordTable
    limit : int or None
        Largest number of jobs of one tenant at once; None is no limit.
    now : callable
    """

    def __init__(self, table: RecordTable, limit: int | None, now: Callable[[], datetime] = clock.now) -> None:
        self._table = table
        self._ledger = Ledger(table.name)
        self._limit = limit
        self._now = now

    def take(self, execution: Execution) -> None:
        """Take a slot for an execution.

        Raises
        ------
        TooManyJobs
            All slots are taken by executions that have not ended.
        """
        if self._ledger.enter(execution.owner, execution.slot, self._limit):
            return
        released = self._release_ended(execution.owner)
        if released and self._ledger.enter(execution.owner, execution.slot, self._limit):
            return
        raise TooManyJobs(
            f"{self._limit} executions have not ended yet, which is the limit for one key; wait until one has ended, "
            f"or stop one (DELETE /executions/{{id}})"
        )

    def release(self, execution: Execution) -> None:
        """Release the slot of an execution; an error is only logged, because the slot is found later."""
        with log_errors(execution.id):
            self._ledger.leave(execution.owner, execution.slot)

    def count(self, owner: str) -> int:
        """Return how many executions of a tenant have not ended."""
        self._release_ended(owner)
        return len(self._ledger.read(owner).running)

    def _release_ended(self, owner: str) -> bool:
        """Release the slots of executions that have ended; return whether there were any."""
        slots = {slot: _parse(slot) for slot in self._ledger.read(owner).running}
        records = self._table.read_many([identifier for identifier, _, _ in slots.values()])
        released = False
        for slot, (identifier, attempt, accepted) in slots.items():
            record = records.get(identifier)
            latest = None if record is None else Execution.from_record(record)
            if latest is None or latest.attempt < attempt:
                ended = self._now() > clock.from_text(accepted) + _ABANDONED
            else:
                ended = latest.ended or latest.slot != slot
            if ended:
                self._ledger.leave(owner, slot)
                released = True
        return released


def _parse(slot: str) -> tuple[str, int, str]:
    """Return the id, the attempt and the time of acceptance of a slot."""
    name, _, accepted = slot.partition("@")
    identifier, _, attempt = name.rpartition("-")
    return identifier, int(attempt), accepted
