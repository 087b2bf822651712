"""Evaluate the templates in account/, and policies with conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from localstack.packaging import load_template
from tests.cloudformation import Stack

__all__ = ["AccountStack", "permits"]

FOLDER = Path(__file__).parents[1] / "account"
_OPERATORS = {
    "StringEquals": str.__eq__,
    "StringLike": fnmatchcase,
    "ArnLike": fnmatchcase,
    "ArnEquals": fnmatchcase,
    "Bool": str.__eq__,
}


@cache
def _loaded(file: str) -> dict[str, Any]:
    return load_template(FOLDER / file)


@dataclass(frozen=True)
class AccountStack(Stack):
    """A template of account/ as deployed with some parameters; SAM has no part in it."""

    file: str = ""

    def __init__(self, file: str, parameters: Mapping[str, Any] | None = None, region: str = "eu-central-1") -> None:
        object.__setattr__(self, "file", file)
        super().__init__(parameters or {}, name="anemonefish-account", region=region)

    @property
    def template(self) -> dict[str, Any]:
        """Return the template. It is shared, so do not change it."""
        return _loaded(self.file)

    @property
    def endpoints(self) -> dict[str, dict[str, Any]]:
        """Return the properties of the VPC endpoints by the name of their service."""
        properties = [endpoint["Properties"] for endpoint in self.resources("AWS::EC2::VPCEndpoint").values()]
        return {endpoint["ServiceName"].rpartition(".")[2]: endpoint for endpoint in properties}


def permits(statements: Iterable[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, str]) -> bool:
    """Return whether a policy allows a request; ``context`` has the values of condition keys.

    A condition on a key that is not in ``context`` is false, as in IAM. An unknown operator is an error.
    """
    effects = {
        statement["Effect"]
        for statement in statements
        if _is_among(action, statement["Action"])
        and _is_among(resource, statement["Resource"])
        and all(
            key in context and any(_OPERATORS[operator](context[key], value) for value in _listed(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    }
    return effects == {"Allow"}


def _is_among(text: str, patterns: str | list[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in _listed(patterns))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
