"""Evaluate the templates in account/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from localstack.packaging import load_template
from tests.cloudformation import Stack

__all__ = ["AccountStack"]

FOLDER = Path(__file__).parents[1] / "account"


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
