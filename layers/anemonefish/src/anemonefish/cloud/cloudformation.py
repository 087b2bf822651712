"""Look up the score function of a CloudFormation stack, and how it is deployed."""

from __future__ import annotations

from dataclasses import dataclass

from anemonefish.cloud.clients import client, translate_errors
from anemonefish.errors import InvalidRequest

__all__ = ["ScoreFunction", "score_function"]


@dataclass(frozen=True, slots=True)
class ScoreFunction:
    """The Lambda function that scores.

    Attributes
    ----------
    name, architecture : str
    memory_mb : int
    around : tuple of str
        Names of the functions that a job calls once, before and after scoring.
    """

    name: str
    architecture: str
    memory_mb: int
    around: tuple[str, ...]


def score_function(stack: str) -> ScoreFunction:
    """Return the score function of a stack; it may be a zip package or an image.

    Raises
    ------
    InvalidRequest
        The stack has none.
    StorageError
        There is no such stack, or AWS did not answer.
    """
    with translate_errors(f"stack {stack}"):
        pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
        resources = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
        }
        name = resources.get("ScoreFunction") or resources.get("ScoreImageFunction")
        if name is None:
            raise InvalidRequest(f"stack {stack} has no score function; is it one of anemonefish's?")
        function = client("lambda").get_function_configuration(FunctionName=name)
    around = tuple(resources[name] for name in ("PlanFunction", "AggregateFunction") if name in resources)
    return ScoreFunction(name, function.get("Architectures", ["x86_64"])[0], int(function["MemorySize"]), around)
