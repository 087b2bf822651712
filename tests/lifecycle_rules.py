"""Evaluate the lifecycle rules of a bucket in template.yaml: what happens to an object, and after how many days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.cloudformation import Stack

__all__ = ["Fate", "fate", "rules_of"]

_FILTERS = {"Prefix", "TagFilters", "ObjectSizeGreaterThan"}
_ACTIONS = {"ExpirationInDays", "Transitions", "AbortIncompleteMultipartUpload"}


@dataclass(frozen=True)
class Fate:
    """What happens to an object.

    Attributes
    ----------
    deleted : int or None
        Days until it is deleted; None for one that is kept.
    moved : tuple of (str, int)
        Storage classes that it moves to, each with the days until then.
    """

    deleted: int | None = None
    moved: tuple[tuple[str, int], ...] = ()


def rules_of(stack: Stack, bucket: str) -> list[dict[str, Any]]:
    """Return the lifecycle rules of a bucket; one with an unknown property is an error."""
    rules: list[dict[str, Any]] = stack.resources()[bucket]["Properties"]["LifecycleConfiguration"]["Rules"]
    for rule in rules:
        unknown = rule.keys() - _FILTERS - _ACTIONS - {"Id", "Status"}
        assert not unknown, f"{rule['Id']}: {unknown}"
        assert rule["Status"] == "Enabled", rule["Id"]
        assert rule.keys() & _ACTIONS, f"{rule['Id']} does nothing"
    return rules


def fate(rules: Iterable[Mapping[str, Any]], key: str, size: int, tags: Mapping[str, str]) -> Fate:
    """Return what happens to a complete object under these rules."""
    deleted: list[int] = []
    moved: list[tuple[str, int]] = []
    for rule in rules:
        if _selects(rule, key, size, tags):
            if "ExpirationInDays" in rule:
                deleted.append(int(rule["ExpirationInDays"]))
            moved += [(move["StorageClass"], int(move["TransitionInDays"])) for move in rule.get("Transitions", ())]
    assert len(deleted) <= 1, f"{key}: two rules delete it"
    assert not (deleted and moved), f"{key}: one rule deletes it and another archives it"
    return Fate(next(iter(deleted), None), tuple(moved))


def _selects(rule: Mapping[str, Any], key: str, size: int, tags: Mapping[str, str]) -> bool:
    return (
        key.startswith(rule.get("Prefix", ""))
        and all(tags.get(tag["Key"]) == tag["Value"] for tag in rule.get("TagFilters", ()))
        and size > int(rule.get("ObjectSizeGreaterThan", -1))
    )
