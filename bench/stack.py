"""The stack on a local AWS with the models of the benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from bench.lab import MODELS, REPOSITORY
from localstack import Execution, LocalAws, Stack
from localstack.demo import analyse, upload_models

__all__ = ["Deployed", "Run", "deployed", "lacking"]

_BUILD = REPOSITORY / ".build"
_MINISTACK = REPOSITORY / ".venv-ministack" / "bin" / "python"
_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class Run:
    """Duration of an execution, from its history.

    Attributes
    ----------
    workers : int
        Number of children of its Map.
    seconds, map_seconds : float
        Duration of the execution, and of the Map alone.
    """

    workers: int
    seconds: float
    map_seconds: float

    @classmethod
    def of(cls, execution: Execution) -> Run:
        """Read the times of an execution. Raise :class:`RuntimeError` if it failed."""
        if execution.status != "SUCCEEDED":
            raise RuntimeError(f"the execution {execution.status}: {execution.error}: {execution.cause}")
        history = execution.history
        map_seconds = _seconds(_first(history, "MapStateEntered"), _first(history, "MapStateExited"))
        return cls(len(execution.children), _seconds(history[0], history[-1]), map_seconds)


@dataclass
class Deployed:
    """A deployed stack on which executions can be run."""

    aws: LocalAws
    stack: Stack
    _numbers: Iterator[int] = field(default_factory=count)

    def run(self, path: Path, model: str, **settings: Any) -> Run:
        """Analyse a recording in a new job, which uses no part of another job."""
        job = f"bench-{next(self._numbers)}"
        options = {"model": model, "settings": settings}
        return Run.of(analyse(self.aws.client("s3"), self.stack, job, [path], _TIMEOUT, **options))


def lacking() -> str:
    """Return the commands that must run before a local AWS can start; empty if it can start."""
    needed = {"make layers": _BUILD / "layers" / "ready", "make .venv-ministack/ready": _MINISTACK}
    return ", ".join(command for command, path in needed.items() if not path.exists())


@contextmanager
def deployed() -> Iterator[Deployed]:
    """Start a local AWS with the stack and every model, with as many workers as cores."""
    for model in MODELS.values():
        model.ensure()
    with LocalAws.start(_BUILD, _MINISTACK) as aws:
        stack = aws.deploy(REPOSITORY / "template.yaml", _BUILD / "layers")
        for folder in {model.store for model in MODELS.values()}:
            upload_models(aws.client("s3"), stack, Path(folder))
        yield Deployed(aws, stack)


def _first(history: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(event for event in history if event["type"] == kind)


def _seconds(earlier: dict[str, Any], later: dict[str, Any]) -> float:
    began: datetime = earlier["timestamp"]
    return float((later["timestamp"] - began).total_seconds())
