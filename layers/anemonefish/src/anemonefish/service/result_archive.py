"""Results that were moved to the archive: refuse their download with the reason, and restore them on request.

A stack with ``DeepArchiveDays`` moves large reports to S3 Glacier Deep Archive. Restoring makes copies that can be
downloaded for a week. The record of the execution says when that was asked for and when the copies are ready.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from anemonefish import clock
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.s3_archive import Archive, StorageState, StoredFile
from anemonefish.errors import ResultArchived, WrongState
from anemonefish.execution_states import SUCCEEDED
from anemonefish.jobs.job import Job
from anemonefish.service.execution_record import Execution, find_execution
from anemonefish.stores import Store

__all__ = ["KEPT_DAYS", "TIERS", "ResultArchive"]

TIERS = {"standard": timedelta(hours=12), "bulk": timedelta(hours=48)}
"""How long S3 takes at most, by the name of its retrieval tier in lower case."""

KEPT_DAYS = 7
"""For how long the copies are kept."""

_SECONDS = 15.0
"""Time for the requests of one call; the next call continues. API Gateway waits 29 seconds."""

_AT_ONCE = 10
"""As many as a client has connections."""


class ResultArchive:
    """The archived results of executions.

    Parameters
    ----------
    table : RecordTable
    store : Store
        The output bucket.
    archive : Archive
        Of the same bucket.
    now : callable
    """

    def __init__(
        self, *, table: RecordTable, store: Store, archive: Archive, now: Callable[[], datetime] = clock.now
    ) -> None:
        self._table = table
        self._store = store
        self._archive = archive
        self._now = now

    def check_readable(self, execution: Execution, key: str, name: str) -> None:
        """Raise :class:`ResultArchived` for a file that S3 does not send; the message says what to do."""
        state = self._archive.state(key)
        if state is StorageState.RESTORING:
            asked = execution.restore or {"requested_at": "some hours ago", "ready_by": "48 hours after that"}
            raise ResultArchived(
                f"{name} is being restored from the archive since {asked['requested_at']}; download it when it is "
                f"ready, at the latest by {asked['ready_by']}"
            )
        if state is StorageState.ARCHIVED:
            raise ResultArchived(
                f"{name} is in the archive; restore it (POST /executions/{execution.id}/restore, or anemonefish remote "
                f"restore {execution.id}), which takes up to 12 hours, and download it then"
            )

    def page(self, results: str, after: str, most: int) -> list[StoredFile]:
        """Return up to ``most`` files of a folder of results that follow the file ``after``, in the order of names."""
        return self._archive.page(f"{results}/", f"{results}/{after}", most)

    def restore(self, owner: str, identifier: str, tier: str) -> Execution:
        """Ask for the archived results of an execution.

        Files whose copies are being made are not asked for twice, and existing copies are kept for another week.

        Parameters
        ----------
        owner, identifier : str
        tier : {"standard", "bulk"}

        Returns
        -------
        Execution
            Its ``restore`` says what was asked for. Where ``files_left`` is not 0, another call continues.

        Raises
        ------
        ExecutionNotFound
            The tenant has no execution with this id.
        WrongState
            It has no results, or none of them is in the archive.
        """
        _, execution = find_execution(self._table, owner, identifier)
        if execution.status != SUCCEEDED:
            raise WrongState(f"execution {identifier} has no results, it is {execution.status}")
        job = Job.of_tenant(self._store, owner, identifier)
        files = [
            found for folder in ("results", "decisions") for found in self._archive.archived(f"{job.work}/{folder}/")
        ]
        if not files:
            raise WrongState(f"no file of execution {identifier} is in the archive; download its results")
        begun, left = self._request([key for key, running in files if not running], tier)
        while True:
            record, execution = find_execution(self._table, owner, identifier)
            asked = replace(execution, restore=self._asked(execution.restore, tier, begun, len(files), left))
            if self._table.replace(record, asdict(asked)):
                return asked

    def _request(self, keys: list[str], tier: str) -> tuple[bool, int]:
        """Ask for copies of objects; return whether one is made now, and for how many there was no time."""
        deadline = time.monotonic() + _SECONDS

        def request(key: str) -> bool | None:
            if time.monotonic() > deadline:
                return None
            return self._archive.restore(key, KEPT_DAYS, tier.capitalize())

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = list(pool.map(request, keys))
        return any(answers), answers.count(None)

    def _asked(self, before: dict[str, Any] | None, tier: str, begun: bool, files: int, left: int) -> dict[str, Any]:
        """Return what the record says; times of an earlier request stay where no other copy is made now."""
        now = self._now()
        asked = {
            "tier": tier,
            "requested_at": clock.to_text(now),
            "ready_by": clock.to_text(now + TIERS[tier]),
            "kept_until": clock.to_text(now + timedelta(days=KEPT_DAYS)),
            "files": files,
            "files_left": left,
        }
        if before is not None and not begun:
            asked |= {name: before[name] for name in ("tier", "requested_at", "ready_by")}
        return asked
