"""A state machine whose executions end when a test says so, and which checks how many workers run at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from anemonefish.cloud.step_functions import Workflow, WorkflowEnd
from anemonefish.errors import StorageError

__all__ = ["FakeMachine"]


@dataclass
class FakeMachine(Workflow):
    """Executions by name.

    Attributes
    ----------
    limit : int
        Workers that may run at once.
    inputs : dict
        Input of each execution that was started.
    ended : dict
        Status of each execution that has ended.
    most : int
        Largest number of workers that ran at once.
    order : list of str
        Names in the order of their starts.
    """

    limit: int
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    most: int = 0
    order: list[str] = field(default_factory=list)

    def start(self, name: str, document: dict[str, Any]) -> None:
        if name in self.inputs:
            assert self.inputs[name] == document, "each launch of an attempt has the same input"
            return
        self.inputs[name] = document
        self.order.append(name)
        self.most = max(self.most, self.workers)
        assert self.workers <= self.limit, f"{self.workers} of {self.limit} workers"

    def stop(self, name: str, reason: str) -> None:
        if name in self.inputs:
            self.ended.setdefault(name, "ABORTED")

    def find_end(self, name: str) -> WorkflowEnd | None:
        if name not in self.inputs:
            raise LookupError(name)
        status = self.ended.get(name)
        return None if status is None else WorkflowEnd(status, "RangeFailed", "a.wav")

    @property
    def running(self) -> list[str]:
        """Names of the executions that run."""
        return [name for name in self.inputs if name not in self.ended]

    @property
    def workers(self) -> int:
        """Workers of the executions that run."""
        return sum(self.inputs[name]["workers"] for name in self.running)


def unavailable(*_: Any, **__: Any) -> Any:
    """Raise what a call of AWS raises that was throttled."""
    raise StorageError("the service: AWS answered ThrottlingException; try again")
