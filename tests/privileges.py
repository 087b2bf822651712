"""Compare the roles of functions with what the functions called, in both directions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.cloudformation import Stack, is_allowed
from tests.fakes.functions import Functions
from tests.permissions import Permission, permissions_of, permissions_of_key, permissions_of_lambda

__all__ = ["AREAS", "denied", "single_grants", "unused"]

AREAS = (
    *("request.json", "plan.json", "ranges.jsonl", "reports.jsonl", "transcodes.jsonl", "failure.json"),
    *("manifest.json", "review.json", "reviewed.json"),
    *("audio/*", "parts/*", "failures/*", "outcomes/*", "results/*", "decisions/*"),
)
"""What a job's folder holds (jobs/job.py). A grant on several of these must be used on each of them."""

KERAS = {"ScoreImageFunction": "ScoreFunction", "PredictImageFunction": "PredictFunction"}
"""Functions with the code of another function, in an image."""


def needed_by_role(stack: Stack, called: Functions) -> dict[str, set[tuple[str, Permission]]]:
    """Return what each role must allow, with the function that needs it."""
    roles = {stack.arn(role): role for role in stack.resources("AWS::IAM::Role")}
    needed: dict[str, set[tuple[str, Permission]]] = {}
    for function, resource in stack.resources("AWS::Lambda::Function").items():
        calls = called.calls[KERAS.get(function, function)]
        assert calls, f"{function} was not called; call it in tests/fakes/every_case.py"
        by_code = ("lambda:SourceFunctionArn", stack.arn(function))  # Lambda's own calls have no such key
        permissions = {
            replace(each, resource=_moved(each.resource, called.stack, stack), context=(*each.context, by_code))
            for call in calls
            for each in permissions_of(call, called.stack)
        }
        role = needed.setdefault(roles[resource["Properties"]["Role"]], set())
        permissions |= set(permissions_of_lambda(stack, function))
        if stack.values["KeyArn"]:
            permissions |= {key for permission in permissions for key in permissions_of_key(permission, stack)}
        role |= {(function, permission) for permission in permissions}
    return needed


def _moved(resource: str, recorded: Stack, stack: Stack) -> str:
    """Return a resource of the recorded stack as another stack names it."""
    resource = resource.replace(f"arn:{recorded.partition}:", f"arn:{stack.partition}:")
    resource = resource.replace(f":{recorded.region}:", f":{stack.region}:")
    return resource.replace(recorded.name, stack.name)


def denied(stack: Stack, called: Functions) -> list[str]:
    """Return what functions need and their roles do not allow."""
    found = set()
    for role, needed in needed_by_role(stack, called).items():
        statements = stack.statements(role)
        for function, permission in needed:
            if not is_allowed(statements, permission.action, permission.resource, dict(permission.context)):
                context = "".join(f" with {key}={value}" for key, value in permission.context if key[:3] == "s3:")
                found.add(
                    f"{function}: no statement of {role} allows {permission.action} on {permission.resource}{context}"
                )
    return sorted(found)


def unused(stack: Stack, called: Functions) -> list[str]:
    """Return what roles allow and no function needs: each action on each resource of each statement.

    A grant of a managed policy, which several roles share, is left over if none of them needs it.
    """
    policies = stack.resources("AWS::IAM::ManagedPolicy").values()
    shared = {
        statement["Sid"] for policy in policies for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    }
    found, used = [], set()
    for role, needed in needed_by_role(stack, called).items():
        statements = stack.statements(role)
        denials = [statement for statement in statements if statement["Effect"] == "Deny"]
        single = list(single_grants(stack, statements))
        for grant in single:
            others = [*denials, *(other for other in single if other is not grant)]
            condition = f" if {json.dumps(grant['Condition'])}" if "Condition" in grant else ""
            line = f"{grant['Sid']}: {grant['Action']} on {grant['Resource']}{condition}"
            if any(
                is_allowed([grant, *denials], each.action, each.resource, dict(each.context))
                and not is_allowed(others, each.action, each.resource, dict(each.context))
                for _, each in needed
            ):
                used.add(line)
            else:
                found.append((role, grant["Sid"], line))
    return [f"{role}, {line}" for role, sid, line in found if sid not in shared or line not in used]


def single_grants(stack: Stack, statements: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Split the statements that allow something into those of one action, one resource and one value of a condition."""
    for statement in statements:
        if statement["Effect"] == "Deny":
            continue
        conditions = [
            {operator: {key: value}}
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
            for value in listed(values)
        ]
        assert len(statement.get("Condition", {})) <= 1, "which of several conditions is used?"
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                for area in areas(stack, action, resource):
                    for condition in conditions or [None]:
                        grant = {**statement, "Action": action, "Resource": area}
                        yield grant if condition is None else {**grant, "Condition": condition}


def areas(stack: Stack, action: str, resource: str) -> list[str]:
    """Return the areas of a job's folder that a resource covers; the resource itself if it covers less than two."""
    folder = f"{stack.arn('OutputBucket')}/jobs/*/*"
    grant = {"Effect": "Allow", "Action": action, "Resource": resource}
    covered = [f"{folder}/{area}" for area in AREAS if is_allowed([grant], action, f"{folder}/{area}")]
    return covered if action.startswith("s3:") and len(covered) > 1 else [resource]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
