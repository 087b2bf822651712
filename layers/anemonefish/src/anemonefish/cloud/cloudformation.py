"""CloudFormation and Lambda: which function of a stack scores, and how it is deployed."""

from __future__ import annotations

from dataclasses import dataclass

from anemonefish.cloud.clients import client, service_answers
from anemonefish.errors import InvalidRequest

__all__ = ["ScoreFunction", "score_function"]


@dataclass(frozen=True, slots=True)
class ScoreFunction:
    """The function whose workers score, and those that a job calls once, before and after."""

    name: str
    architecture: str
    memory_mb: int
    around: tuple[str, ...]


def score_function(stack: str) -> ScoreFunction:
    """Return the score function of a stack, be it a zip or an image.

    Raises
    ------
    InvalidRequest
        The stack has none.
    StorageError
        AWS did not answer, or knows no such stack.
    """
    with service_answers(f"stack {stack}"):
        pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        named = {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for page in pages
            for each in page["StackResourceSummaries"]
        }
        name = named.get("ScoreFunction") or named.get("ScoreImageFunction")
        if name is None:
            raise InvalidRequest(f"stack {stack} has no score function; is it one of anemonefish's?")
        found = client("lambda").get_function_configuration(FunctionName=name)
    around = tuple(named[each] for each in ("PlanFunction", "AggregateFunction") if each in named)
    return ScoreFunction(name, found.get("Architectures", ["x86_64"])[0], int(found["MemorySize"]), around)
