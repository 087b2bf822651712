"""Current usage of each tenant, in the table of the records.

Owns one item for each tenant with a set of names (running jobs) and a sum (bytes stored). DynamoDB checks a limit and
writes in one step, so concurrent calls cannot exceed it together. A call that was interrupted may leave a value that is
too high; :meth:`Ledger.leave` and :meth:`Ledger.correct` correct it after a new count.

==================  ==================================================================
attribute           content
==================  ==================================================================
``id``              partition key, ``usage/{tenant}``
``owner``           the tenant
``running``         set of names
``total_stored``    sum
``changes``         counts changes of the sum
``changed``         ISO 8601, when something was last added to the sum
==================  ==================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from anemonefish.cloud.clients import client, error_code, translate_errors

__all__ = ["Account", "Ledger"]


@dataclass(frozen=True, slots=True)
class Account:
    """Current usage of one tenant.

    Attributes
    ----------
    running : frozenset of str
    stored : int
    changes : int
        How often ``stored`` was changed.
    changed : str
        When ``stored`` was last increased; empty if never.
    """

    running: frozenset[str] = frozenset()
    stored: int = 0
    changes: int = 0
    changed: str = ""


class Ledger:
    """The accounts of all tenants, in one DynamoDB table."""

    def __init__(self, table: str) -> None:
        self._table = table

    def read(self, owner: str) -> Account:
        """Return the account of a tenant by a consistent read."""
        with translate_errors("the usage"):
            item = client("dynamodb").get_item(TableName=self._table, Key=_key(owner), ConsistentRead=True).get("Item")
        if item is None:
            return Account()
        return Account(
            frozenset(item.get("running", {}).get("SS", ())),
            int(item.get("total_stored", {}).get("N", 0)),
            int(item.get("changes", {}).get("N", 0)),
            str(item.get("changed", {}).get("S", "")),
        )

    def enter(self, owner: str, name: str, most: int | None) -> bool:
        """Add a name to the set unless it would then hold more than ``most``; return whether the name is in it."""
        values: dict[str, Any] = {":names": {"SS": [name]}, ":owner": {"S": owner}}
        condition = None
        if most is not None:
            values |= {":name": {"S": name}, ":most": {"N": str(most)}}
            condition = "attribute_not_exists(running) OR size(running) < :most OR contains(running, :name)"
        return self._update(owner, "ADD running :names SET #owner = :owner", values, condition, {"#owner": "owner"})

    def leave(self, owner: str, name: str) -> None:
        """Remove a name from the set, if it is there."""
        self._update(owner, "DELETE running :names", {":names": {"SS": [name]}}, "attribute_exists(id)")

    def add(self, owner: str, amount: int, most: int | None, moment: str) -> bool:
        """Add to the sum unless it would then be more than ``most``; return whether it was added."""
        values: dict[str, Any] = {
            ":amount": {"N": str(amount)},
            ":one": {"N": "1"},
            ":moment": {"S": moment},
            ":owner": {"S": owner},
        }
        condition = None
        if most is not None:
            if amount > most:
                return False
            values[":room"] = {"N": str(most - amount)}
            condition = "attribute_not_exists(total_stored) OR total_stored <= :room"
        change = "ADD total_stored :amount, changes :one SET changed = :moment, #owner = :owner"
        return self._update(owner, change, values, condition, {"#owner": "owner"})

    def subtract(self, owner: str, amount: int) -> None:
        """Subtract from the sum."""
        values = {":amount": {"N": str(-amount)}, ":one": {"N": "1"}}
        self._update(owner, "ADD total_stored :amount, changes :one", values, "attribute_exists(total_stored)")

    def correct(self, owner: str, seen: Account, stored: int) -> bool:
        """Set the sum to a new count; return False if the sum was changed after ``seen`` was read."""
        values = {":stored": {"N": str(stored)}, ":one": {"N": "1"}, ":seen": {"N": str(seen.changes)}}
        return self._update(owner, "SET total_stored = :stored ADD changes :one", values, "changes = :seen")

    def _update(
        self,
        owner: str,
        change: str,
        values: dict[str, Any],
        condition: str | None,
        names: dict[str, str] | None = None,
    ) -> bool:
        more: dict[str, Any] = {} if condition is None else {"ConditionExpression": condition}
        if names:
            more["ExpressionAttributeNames"] = names
        with translate_errors("the usage"):
            try:
                client("dynamodb").update_item(
                    TableName=self._table,
                    Key=_key(owner),
                    UpdateExpression=change,
                    ExpressionAttributeValues=values,
                    **more,
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def _key(owner: str) -> dict[str, Any]:
    return {"id": {"S": f"usage/{owner}"}}
