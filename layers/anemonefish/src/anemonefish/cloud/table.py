"""Records: small documents with an owner, in one DynamoDB table.

Owns the table's keys and promises that nobody overwrites what he has not seen: a record is created once and
replaced only by whoever read its latest revision (compare and swap). Knows nothing of what a document says.

=============  =======================================================================
attribute      content
=============  =======================================================================
``id``         partition key
``owner``      the tenant
``listed``     the tenant again, on records that are listed; key of the index ``by_owner``
``created``    ISO 8601; sort key of the index
``document``   the record as JSON
``revision``   counts replacements
``expires``    seconds since 1970, when DynamoDB may delete it
=============  =======================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from anemonefish.cloud.clients import client, code_of, service_answers

__all__ = ["Record", "RecordTable"]

_INDEX = "by_owner"
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
        Whether :meth:`RecordTable.page` tells of it.
    revision : int
        How often it was replaced.
    """

    id: str
    owner: str
    created: str
    document: dict[str, Any]
    expires: int
    listed: bool = False
    revision: int = 0


class RecordTable:
    """The records of one table."""

    def __init__(self, name: str) -> None:
        self._name = name

    def create(self, record: Record) -> bool:
        """Write a new record; answer whether it was new."""
        return self._put(record, "attribute_not_exists(id)", {})

    def replace(self, record: Record, document: dict[str, Any], expires: int | None = None) -> bool:
        """Replace a record's document; answer whether ``record`` was still the latest."""
        latest = Record(
            id=record.id,
            owner=record.owner,
            created=record.created,
            document=document,
            expires=expires or record.expires,
            listed=record.listed,
            revision=record.revision + 1,
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

    def page(self, owner: str, limit: int, after: str | None = None) -> Iterator[Record]:
        """Yield the listed records of an owner, newest first, at most ``limit``.

        Parameters
        ----------
        after : str, optional
            Id of the last record of the page before.
        """
        start: dict[str, Any] = {}
        if after is not None and (last := self.read(after)) is not None and last.owner == owner:
            key = {"id": {"S": last.id}, "listed": {"S": owner}, "created": {"S": last.created}}
            start = {"ExclusiveStartKey": key}
        with service_answers("the records"):
            answer = client("dynamodb").query(
                TableName=self._name,
                IndexName=_INDEX,
                KeyConditionExpression="listed = :owner",
                ExpressionAttributeValues={":owner": {"S": owner}},
                ScanIndexForward=False,
                Limit=limit,
                **start,
            )
        yield from map(_record, answer["Items"])

    def _put(self, record: Record, condition: str, values: dict[str, Any]) -> bool:
        item = {
            "id": {"S": record.id},
            "owner": {"S": record.owner},
            "created": {"S": record.created},
            "document": {"S": json.dumps(record.document, sort_keys=True)},
            "expires": {"N": str(record.expires)},
            "revision": {"N": str(record.revision)},
        }
        if record.listed:
            item["listed"] = {"S": record.owner}
        more = {"ExpressionAttributeValues": values} if values else {}
        with service_answers("the record"):
            try:
                client("dynamodb").put_item(TableName=self._name, Item=item, ConditionExpression=condition, **more)
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def _record(item: Any) -> Record:
    return Record(
        id=item["id"]["S"],
        owner=item["owner"]["S"],
        created=item["created"]["S"],
        document=json.loads(item["document"]["S"]),
        expires=int(item["expires"]["N"]),
        listed="listed" in item,
        revision=int(item["revision"]["N"]),
    )
