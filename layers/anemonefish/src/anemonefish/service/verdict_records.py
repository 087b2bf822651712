"""The verdicts that people gave on the stretches of a job, in the table of the records.

There is a record for each reviewer of an execution, which is replaced by compare and swap, and one that lists the
reviewers. Two reviewers never write the same record, and two requests of one reviewer never overwrite each other's
verdicts. A reviewer's name is data: it is hashed in the key of the record. The verdicts are kept as long as the record
of their execution.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any

from anemonefish import clock
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.errors import InvalidRequest, short_repr
from anemonefish.service.execution_record import Execution

__all__ = ["LONGEST_NAME", "MOST_REVIEWERS", "MOST_VERDICTS", "StretchVerdict", "VerdictRecords", "checked_name"]

MOST_VERDICTS = 5_000
"""Most verdicts of one reviewer on one execution; compressed, they fit the 400 KB of one item of DynamoDB."""

MOST_REVIEWERS = 50
"""Most reviewers of one execution."""

LONGEST_NAME = 80
"""Most characters of a reviewer's name, and of a class that a reviewer names."""

_MOST_CHARACTERS = 350_000
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that a name cannot have: controls, marks that turn the direction of text, line ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StretchVerdict:
    """The verdict of one reviewer on one stretch.

    Attributes
    ----------
    recording : int
        Its number in the execution.
    start, stop : int
        Samples at the rate of the analysis, half-open.
    label : str
        The class that was looked for.
    verdict : str or None
        ``yes``, ``no``, ``unsure`` or ``other:`` with a class; None deletes the verdict.
    calls : int or None
        How many calls the reviewer counted.
    mark_start, mark_stop : int or None
        Where the reviewer marked the sound, in samples at the rate of the analysis.
    kind : str or None
        ``event`` or ``segment``, if the client said which.
    reviewer, judged_at : str
        Set by :class:`VerdictRecords`.
    """

    recording: int
    start: int
    stop: int
    label: str
    verdict: str | None
    calls: int | None = None
    mark_start: int | None = None
    mark_stop: int | None = None
    kind: str | None = None
    judged_at: str = ""
    reviewer: str = ""

    @property
    def stretch(self) -> tuple[int, int, int, str]:
        """What it is about; a reviewer has one verdict on it."""
        return self.recording, self.start, self.stop, self.label

    @property
    def sort_key(self) -> tuple[int, int, int, str]:
        """Its sort_key in the list of all verdicts on an execution; no two have the same."""
        return self.recording, self.start, self.stop, _digest(f"{self.label}\0{self.reviewer}")[:16]


_COLUMNS = tuple(field.name for field in fields(StretchVerdict) if field.name != "reviewer")
"""What is stored of a verdict; a record says which columns it has, and its reviewer once."""


class VerdictRecords:
    """The verdicts of all tenants.

    Parameters
    ----------
    table : RecordTable
    keep : timedelta
        How long a record is kept after the start of its execution.
    now : callable
    """

    def __init__(self, table: RecordTable, keep: timedelta, now: Callable[[], datetime] = clock.now) -> None:
        self._table = table
        self._keep = keep
        self._now = now

    def put(self, execution: Execution, reviewer: str, verdicts: Sequence[StretchVerdict]) -> int:
        """Store, replace or delete verdicts of a reviewer; return how many the reviewer has on the execution now.

        A verdict that is sent again as it is keeps the time at which it was given.

        Parameters
        ----------
        execution : Execution
        reviewer : str
            See :func:`checked_name`.
        verdicts : sequence of StretchVerdict

        Raises
        ------
        InvalidRequest
            There would be too many verdicts or reviewers.
        """
        identifier = _of_reviewer(execution, reviewer)
        moment = clock.to_text(self._now())
        while True:
            record = self._table.read(identifier)
            known = {} if record is None else {verdict.stretch: verdict for verdict in _decoded(record)}
            changed = _changed(known, verdicts, moment)
            if changed == known:
                return len(known)
            packed = _encoded(reviewer, changed.values())
            self._add_reviewer(execution, reviewer)
            document = {"reviewer": reviewer, "columns": list(_COLUMNS), "verdicts": packed}
            if self._write(record, identifier, execution, document):
                return len(changed)

    def read(self, execution: Execution) -> list[StretchVerdict]:
        """Return all verdicts on an execution, in the order of their stretches."""
        listed = self._table.read(_reviewers_of(execution))
        names = [] if listed is None else listed.document["reviewers"]
        records = self._table.read_many([_of_reviewer(execution, name) for name in names])
        found = [verdict for record in records.values() for verdict in _decoded(record)]
        return sorted(found, key=lambda verdict: verdict.sort_key)

    def _add_reviewer(self, execution: Execution, reviewer: str) -> None:
        """Add a reviewer to the list."""
        identifier = _reviewers_of(execution)
        while True:
            record = self._table.read(identifier)
            names = [] if record is None else list(record.document["reviewers"])
            if reviewer in names:
                return
            if len(names) >= MOST_REVIEWERS:
                raise InvalidRequest(
                    f"reviewer: {len(names)} people have judged this execution, and {MOST_REVIEWERS} are the most; "
                    f"use one of their names"
                )
            if self._write(record, identifier, execution, {"reviewers": [*names, reviewer]}):
                return

    def _write(self, record: Record | None, identifier: str, execution: Execution, document: dict[str, Any]) -> bool:
        if record is not None:
            return self._table.replace(record, document)
        created, expires = execution.created_at, clock.from_text(execution.created_at) + self._keep
        return self._table.create(
            Record(
                id=identifier,
                owner=execution.owner,
                created=created,
                document=document,
                expires=int(expires.timestamp()),
            )
        )


def checked_name(name: str, what: str) -> str:
    """Return a name that people typed, without white space around it and in one Unicode form.

    Raises
    ------
    InvalidRequest
        It is empty or too long, or has characters that cannot be seen.

    Examples
    --------
    >>> checked_name(" Ana ", "reviewer")
    'Ana'
    """
    found = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(found) <= LONGEST_NAME or any(unicodedata.category(each) in _UNWANTED for each in found):
        raise InvalidRequest(
            f"{what} must have 1 to {LONGEST_NAME} characters, without line ends and control characters, not "
            f"{short_repr(name)}"
        )
    return found


def _changed(
    known: dict[tuple[int, int, int, str], StretchVerdict], verdicts: Sequence[StretchVerdict], moment: str
) -> dict[tuple[int, int, int, str], StretchVerdict]:
    changed = dict(known)
    for verdict in verdicts:
        before = changed.get(verdict.stretch)
        if verdict.verdict is None:
            changed.pop(verdict.stretch, None)
        elif before is None or replace(before, judged_at="", reviewer="") != verdict:
            changed[verdict.stretch] = replace(verdict, judged_at=moment)
    return changed


def _encoded(reviewer: str, verdicts: Any) -> str:
    rows = [[getattr(verdict, column) for column in _COLUMNS] for verdict in verdicts]
    text = base64.b64encode(zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 9)).decode()
    if len(rows) > MOST_VERDICTS or len(text) > _MOST_CHARACTERS:
        raise InvalidRequest(
            f"{reviewer} would have {len(rows)} verdicts on this execution, more than are kept (at most "
            f"{MOST_VERDICTS}); download them, and delete those that are no longer needed"
        )
    return text


def _decoded(record: Record) -> Iterator[StretchVerdict]:
    """Yield the verdicts of a record.

    During an update two versions of the API run at once, so the record may have more columns, or fewer.
    """
    columns, reviewer = record.document["columns"], str(record.document["reviewer"])
    for row in json.loads(zlib.decompress(base64.b64decode(record.document["verdicts"]))):
        stored = zip(columns, row, strict=True)
        known: dict[str, Any] = {column: value for column, value in stored if column in _COLUMNS}
        yield StretchVerdict(**known, reviewer=reviewer)


def _reviewers_of(execution: Execution) -> str:
    return f"verdicts/{execution.id}"


def _of_reviewer(execution: Execution, reviewer: str) -> str:
    return f"verdicts/{execution.id}/{_digest(reviewer)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
