"""The limit of bytes that one tenant stores.

The sum of a tenant's announced and stored bytes is in its usage record (:mod:`anemonefish.cloud.ledger`). It can be too
large: after a call that was interrupted between the usage record and the upload's record, and after the bucket has
deleted recordings. It is counted again before an upload is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from anemonefish import clock
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.ledger import Account, Ledger
from anemonefish.cloud.s3_links import Transfers
from anemonefish.errors import StorageLimitReached
from anemonefish.service.upload_record import OPEN, UPLOADS, Upload

__all__ = ["StorageQuota"]

_TIME_PARTS_ARE_KEPT = timedelta(days=4)
"""S3 deletes the parts of an incomplete upload two days after it began, and takes up to a day to do so."""

_QUIET = timedelta(minutes=1)
"""Bytes are counted only when no upload was begun for this long; a call that begins one takes less than half of it."""


class StorageQuota:
    """The stored bytes of all tenants.

    Parameters
    ----------
    table : RecordTable
    transfers : Transfers
        Of the input bucket.
    limit : int or None
        Largest sum of announced and stored bytes of one tenant; None is no limit.
    now : callable
    """

    def __init__(
        self, table: RecordTable, transfers: Transfers, limit: int | None, now: Callable[[], datetime]
    ) -> None:
        self._table = table
        self._ledger = Ledger(table.name)
        self._transfers = transfers
        self._limit = limit
        self._now = now

    def reserve(self, owner: str, filename: str, size: int) -> None:
        """Add the bytes of a new upload to the tenant's sum.

        Raises
        ------
        StorageLimitReached
            The sum would exceed the limit, also after a new count.
        """
        if self._add(owner, size) or (self._count(owner) and self._add(owner, size)):
            return
        used = self._ledger.read(owner).stored
        raise StorageLimitReached(
            f"{filename}: {size} bytes are more than fit: {used} of {self._limit} bytes are announced or stored; "
            f"delete uploads that are no longer needed (DELETE /uploads/{{id}}), or wait until they expire"
        )

    def release(self, owner: str, size: int) -> None:
        """Subtract the bytes of an upload from the tenant's sum."""
        self._ledger.subtract(owner, size)

    def used(self, owner: str) -> int:
        """Return how many bytes a tenant has announced and stored; they are counted again if possible."""
        account = self._count(owner)
        return (account or self._ledger.read(owner)).stored

    def _add(self, owner: str, size: int) -> bool:
        return self._ledger.add(owner, size, self._limit, clock.to_text(self._now()))

    def _count(self, owner: str) -> Account | None:
        """Count a tenant's bytes and correct the sum; return None if an upload may just be beginning.

        The count is the bytes in S3, and the announced bytes of open uploads that may still arrive.
        """
        account, now = self._ledger.read(owner), self._now()
        if not account.changed or clock.from_text(account.changed) + _QUIET > now:
            return None
        stored = self._transfers.sizes(f"uploads/{owner}/")
        open_since = clock.to_text(now - _TIME_PARTS_ARE_KEPT)
        uploads = [Upload.from_record(record) for record in self._table.since(owner, open_since, UPLOADS)]
        announced = sum(upload.size for upload in uploads if upload.status == OPEN and upload.key not in stored)
        total = sum(stored.values()) + announced
        return replace(account, stored=total) if self._ledger.correct(owner, account, total) else None
