"""What a client asks for, and the record of the execution that it starts.

The record is an index of the job: who started it, in which state it is and how it ended. Recordings, plan and results
are in the job's folder. A record is written by compare and swap, see :mod:`anemonefish.cloud.dynamodb`.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b32encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Self

from anemonefish import clock
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.function_log import log_error
from anemonefish.errors import AnemonefishError, ExecutionNotFound, short_repr
from anemonefish.execution_states import ENDED

__all__ = [
    "Execution",
    "ExecutionRequest",
    "execution_id",
    "find_execution",
    "log_errors",
    "replace_execution",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRequest:
    """What a client asks for.

    Attributes
    ----------
    uploads : tuple of str
        Ids of complete uploads.
    model : str
    settings : dict
        By name, as the client sent them.
    webhook : str or None
    """

    uploads: tuple[str, ...]
    model: str
    settings: dict[str, Any]
    webhook: str | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the request; requests with equal content have the same fingerprint."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """The record of a job.

    Attributes
    ----------
    id, owner, fingerprint : str
    status : {"PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"}
    model : dict
        The pinned model: the version that the alias named when the job was started.
    settings : dict
    recordings : int
        Number of recordings.
    created_at : str
        ISO 8601, UTC; so are ``started_at`` and ``finished_at``.
    accepted_at : str or None
        When this attempt was accepted; None in records of older versions.
    pending_since : str or None
        When a request last tried to launch it; None once it runs.
    uploads : tuple of str
        Ids of its uploads until it runs; after that the request in the job's folder has them.
    correlation_id : str or None
        Joins the log lines of this attempt; None in records of older versions.
    workers : int or None
        Workers that it needs at the same time; None where that is not known.
    attempt : int
        1, and one more for each resume.
    error : dict or None
        Class and message of the error, if it failed.
    webhook : str or None
    restore : dict or None
        When archived results were asked for; see :mod:`anemonefish.service.result_archive`.
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
    correlation_id: str | None = None
    workers: int | None = None
    restore: dict[str, Any] | None = None

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """Read a record, also one that an older version wrote."""
        document = record.document
        return cls(**{**document, "uploads": tuple(document.get("uploads", ()))})

    @property
    def name(self) -> str:
        """Name of the state machine's execution for this attempt."""
        return f"{self.id}-{self.attempt}"

    @property
    def slot(self) -> str:
        """Name of this attempt in the list of jobs that its tenant runs at once."""
        return f"{self.name}@{self.accepted_at}"

    @property
    def ended(self) -> bool:
        """Whether it has succeeded, failed or been cancelled."""
        return self.status in ENDED

    @property
    def seconds(self) -> float | None:
        """Duration of the last attempt in seconds; None until it has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (clock.from_text(self.finished_at) - clock.from_text(self.started_at)).total_seconds()


def execution_id(owner: str, key: str) -> str:
    """Return the id of the execution for a tenant's Idempotency-Key; the same key always has the same id."""
    digest = hashlib.sha256(f"{owner}\0{key}".encode()).digest()[:16]
    return f"e-{b32encode(digest).decode().rstrip('=').lower()}"


def find_execution(table: RecordTable, owner: str, identifier: str) -> tuple[Record, Execution]:
    """Return a tenant's execution and its record.

    Raises
    ------
    ExecutionNotFound
        The tenant has no execution with this id.
    """
    record = table.read(identifier)
    if record is None or record.owner != owner or not identifier.startswith("e-"):
        raise ExecutionNotFound(f"there is no execution {short_repr(identifier)}; list them to find its id")
    return record, Execution.from_record(record)


def replace_execution(table: RecordTable, record: Record, execution: Execution, due: datetime) -> Record | None:
    """Replace the record of an execution that has not ended.

    Parameters
    ----------
    due : datetime
        When the schedule must look at it again.

    Returns
    -------
    Record or None
        The new record; None when another request has changed it.
    """
    document, due_text = asdict(execution), clock.to_text(due)
    if not table.replace(record, document, due=due_text):
        return None
    return replace(record, document=document, due=due_text, revision=record.revision + 1)


@contextmanager
def log_errors(identifier: str) -> Iterator[None]:
    """Log an error of anemonefish and continue after the ``with`` block."""
    try:
        yield
    except AnemonefishError as error:
        log_error("an execution could not be changed", error, execution=identifier)
