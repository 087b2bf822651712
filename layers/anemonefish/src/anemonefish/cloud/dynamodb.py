"""Records: small documents with an owner, in one DynamoDB table.

Owns the table's keys and promises that nobody overwrites what he has not seen: a record is created once and
replaced only by whoever read its latest revision (compare and swap). Knows nothing of what a document says.

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

from anemonefish.cloud.clients import client, code_of, service_answers

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
        Anything JSON.
    expires : int
        Seconds since 1970.
    listed : bool
        Whether :meth:`RecordTable.page` lists it.
    kind : str
        The list of its owner that it is in; executions are in the one without a name.
    revision : int
        How often it was replaced.
    due : str or None
        ISO 8601, UTC: from this moment on :meth:`RecordTable.due` lists it.
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
        """Write a new record; answer whether it was new."""
        return self._put(record, "attribute_not_exists(id)", {})

    def replace(
        self, record: Record, document: dict[str, Any], expires: int | None = None, *, due: str | None = None
    ) -> bool:
        """Replace a record's document and ``due``; answer whether ``record`` was still the latest."""
        latest = replace(
            record, document=document, expires=expires or record.expires, revision=record.revision + 1, due=due
        )
        return self._put(latest, "revision = :seen", {":seen": {"N": str(record.revision)}})

    def read(self, identifier: str) -> Record | None:
        """Return a record as it is now."""
        with service_answers("the record"):
            answer = client("dynamodb").get_item(
                TableName=self._name, Key={"id": {"S": identifier}}, ConsistentRead=True
            )
        return _record(answer["Item"]) if "Item" in answer else None

    def read_many(self, identifiers: Sequence[str]) -> dict[str, Record]:
        """Return those records that exist, by id."""
        found: dict[str, Record] = {}
        wanted = list(dict.fromkeys(identifiers))
        for start in range(0, len(wanted), _PER_BATCH):
            keys: Any = [{"id": {"S": each}} for each in wanted[start : start + _PER_BATCH]]
            request: Any = {self._name: {"Keys": keys, "ConsistentRead": True}}
            while request:
                with service_answers("the records"):
                    answer = client("dynamodb").batch_get_item(RequestItems=request)
                found |= {item["id"]["S"]: _record(item) for item in answer["Responses"].get(self._name, [])}
                request = answer.get("UnprocessedKeys")
        return found

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

        The index follows the table within a second or so: read a record before anything is done to it.
        """
        request: dict[str, Any] = {
            "IndexName": _DUE_INDEX,
            "KeyConditionExpression": "attention = :due AND due <= :moment",
            "ExpressionAttributeValues": {":due": _DUE["attention"], ":moment": {"S": moment}},
        }
        return [str(item["id"]["S"]) for item in islice(self._query(request, limit), limit)]

    def _query(self, request: dict[str, Any], limit: int | None) -> Iterator[Any]:
        """Yield the items of a query; DynamoDB answers a megabyte at a time."""
        sizes = {} if limit is None else {"Limit": limit}
        while True:
            with service_answers("the records"):
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
        with service_answers("the record"):
            try:
                client("dynamodb").put_item(TableName=self._name, Item=item, ConditionExpression=condition, **more)
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def _list_of(owner: str, kind: str) -> str:
    """Return the key of an owner's list; no tenant has a slash."""
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
