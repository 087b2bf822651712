"""Records: small JSON documents with an owner, in one DynamoDB table.

Owns the table's attributes and indexes. A record is created once, and replaced only if its revision is still the one
that was read (compare and swap), so no concurrent change is overwritten.

=============  =======================================================================
attribute      content
=============  =======================================================================
``id``         partition key
``owner``      the tenant
``listed``     on records that are listed: the tenant, or ``tenant/kind``; key of the index ``by_owner``
``created``    ISO 8601; sort key of the index
``document``   the record as JSON
``revision``   counts replacements
``expires``    seconds since 1970, when DynamoDB may delete it
``due``        ISO 8601, on records that need attention from then on; sort key of the index ``by_due``
``attention``  always ``due``, on the same records; key of the index ``by_due``
=============  =======================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from anemonefish.cloud.clients import client, error_code, translate_errors

__all__ = ["Record", "RecordTable"]

_INDEX = "by_owner"
_DUE_INDEX = "by_due"
_DUE = {"attention": {"S": "due"}}
_PER_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record.

    Attributes
    ----------
    id, owner : str
    created : str
        ISO 8601, UTC.
    document : dict
        Any JSON object.
    expires : int
        Seconds since 1970.
    listed : bool
        Whether :meth:`RecordTable.page` lists it.
    kind : str
        Which of its owner's lists it is in; executions are in the list with the empty name.
    revision : int
        How often it was replaced.
    due : str or None
        ISO 8601, UTC; :meth:`RecordTable.due` lists the record from this moment on.
    """

    id: str
    owner: str
    created: str
    document: dict[str, Any]
    expires: int
    listed: bool = False
    kind: str = ""
    revision: int = 0
    due: str | None = None


class RecordTable:
    """The records of one table."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """Name of the DynamoDB table."""
        return self._name

    def create(self, record: Record) -> bool:
        """Write a new record; return False if one with its id exists."""
        return self._put(record, "attribute_not_exists(id)", {})

    def replace(
        self, record: Record, document: dict[str, Any], expires: int | None = None, *, due: str | None = None
    ) -> bool:
        """Replace a record's document and ``due``; return False if ``record`` is no longer the latest revision."""
        latest = replace(
            record, document=document, expires=expires or record.expires, revision=record.revision + 1, due=due
        )
        return self._put(latest, "revision = :seen", {":seen": {"N": str(record.revision)}})

    def read(self, identifier: str) -> Record | None:
        """Return a record by a consistent read, or None when there is none."""
        with translate_errors("the record"):
            answer = client("dynamodb").get_item(
                TableName=self._name, Key={"id": {"S": identifier}}, ConsistentRead=True
            )
        return _record(answer["Item"]) if "Item" in answer else None

    def read_many(self, identifiers: Sequence[str]) -> dict[str, Record]:
        """Return the records that exist, by id."""
        records: dict[str, Record] = {}
        wanted = list(dict.fromkeys(identifiers))
        for start in range(0, len(wanted), _PER_BATCH):
            keys: Any = [{"id": {"S": identifier}} for identifier in wanted[start : start + _PER_BATCH]]
            request: Any = {self._name: {"Keys": keys, "ConsistentRead": True}}
            while request:
                with translate_errors("the records"):
                    answer = client("dynamodb").batch_get_item(RequestItems=request)
                records |= {item["id"]["S"]: _record(item) for item in answer["Responses"].get(self._name, [])}
                request = answer.get("UnprocessedKeys")
        return records

    def page(self, owner: str, limit: int, after: str | None = None, kind: str = "") -> Iterator[Record]:
        """Yield the listed records of an owner, newest first, at most ``limit``.

        Parameters
        ----------
        after : str, optional
            Id of the last record of the page before.
        kind : str
            Which list of the owner.
        """
        listed = _list_of(owner, kind)
        request: dict[str, Any] = {
            "IndexName": _INDEX,
            "KeyConditionExpression": "listed = :listed",
            "ExpressionAttributeValues": {":listed": {"S": listed}},
            "ScanIndexForward": False,
        }
        if after is not None and (last := self.read(after)) is not None and last.owner == owner:
            key = {"id": {"S": last.id}, "listed": {"S": listed}, "created": {"S": last.created}}
            request["ExclusiveStartKey"] = key
        yield from islice(map(_record, self._query(request, limit)), limit)

    def since(self, owner: str, moment: str, kind: str) -> Iterator[Record]:
        """Yield the listed records of an owner that were created at or after ``moment``, newest first."""
        request: dict[str, Any] = {
            "IndexName": _INDEX,
            "KeyConditionExpression": "listed = :listed AND created >= :moment",
            "ExpressionAttributeValues": {":listed": {"S": _list_of(owner, kind)}, ":moment": {"S": moment}},
            "ScanIndexForward": False,
        }
        yield from map(_record, self._query(request, None))

    def due(self, moment: str, limit: int) -> list[str]:
        """Return ids of records of all owners that are due at ``moment``, the longest overdue first.

        The index may be a second behind the table: read a record again before you change it.
        """
        request: dict[str, Any] = {
            "IndexName": _DUE_INDEX,
            "KeyConditionExpression": "attention = :due AND due <= :moment",
            "ExpressionAttributeValues": {":due": _DUE["attention"], ":moment": {"S": moment}},
        }
        return [str(item["id"]["S"]) for item in islice(self._query(request, limit), limit)]

    def _query(self, request: dict[str, Any], limit: int | None) -> Iterator[Any]:
        """Yield the items of a query; DynamoDB returns up to a megabyte per page."""
        sizes = {} if limit is None else {"Limit": limit}
        while True:
            with translate_errors("the records"):
                answer = client("dynamodb").query(TableName=self._name, **request, **sizes)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request = {**request, "ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _put(self, record: Record, condition: str, values: dict[str, Any]) -> bool:
        item: dict[str, Any] = {
            "id": {"S": record.id},
            "owner": {"S": record.owner},
            "created": {"S": record.created},
            "document": {"S": json.dumps(record.document, sort_keys=True)},
            "expires": {"N": str(record.expires)},
            "revision": {"N": str(record.revision)},
        }
        if record.listed:
            item["listed"] = {"S": _list_of(record.owner, record.kind)}
        if record.due is not None:
            item |= {"due": {"S": record.due}, **_DUE}
        more = {"ExpressionAttributeValues": values} if values else {}
        with translate_errors("the record"):
            try:
                client("dynamodb").put_item(TableName=self._name, Item=item, ConditionExpression=condition, **more)
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def _list_of(owner: str, kind: str) -> str:
    """Return the key of an owner's list; names of tenants contain no slash."""
    return f"{owner}/{kind}" if kind else owner


def _record(item: Any) -> Record:
    return Record(
        id=item["id"]["S"],
        owner=item["owner"]["S"],
        created=item["created"]["S"],
        document=json.loads(item["document"]["S"]),
        expires=int(item["expires"]["N"]),
        listed="listed" in item,
        kind=item["listed"]["S"].partition("/")[2] if "listed" in item else "",
        revision=int(item["revision"]["N"]),
        due=item["due"]["S"] if "due" in item else None,
    )
