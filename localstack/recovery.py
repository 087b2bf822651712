"""End what ran when the service stopped, so that nothing is shown as running for ever.

Records of executions are kept, but Step Functions of the local AWS forgets what it did. The function ``heal`` of the
stack does the rest, as in an account whose state machine was replaced: an execution whose results are complete has
succeeded, any other one that ran has failed and can be resumed, and one that waited is started.
"""

from __future__ import annotations

import json
from typing import Any

from localstack.server import LocalAws
from localstack.stack import Stack

__all__ = ["end_interrupted"]

_QUEUE = {"id": {"S": "queue"}}
_LONG_AGO = {"S": "2000-01-01T00:00:00Z"}
_EXECUTIONS_PER_CALL = 200
"""Executions that one call of the function treats."""


def end_interrupted(aws: LocalAws, stack: Stack) -> dict[str, int]:
    """End the records of executions that did not end before the service stopped.

    Call it before anybody can start an execution.

    Returns
    -------
    dict of str to int
        How many executions changed to which status.

    Raises
    ------
    RuntimeError
        The function failed; the message has its answer.
    """
    records = aws.client("dynamodb")
    table, heal = (stack.resource(name) for name in ("RecordTable", "HealFunction"))
    # No worker runs any more. An execution without an entry in the queue is added again when it is launched.
    records.delete_item(TableName=table, Key=_QUEUE)
    pages = records.get_paginator("query").paginate(
        TableName=table,
        IndexName="by_due",
        KeyConditionExpression="attention = :due",
        ExpressionAttributeValues={":due": {"S": "due"}},
    )
    identifiers = [item["id"] for page in pages for item in page["Items"]]
    for identifier in identifiers:
        records.update_item(
            TableName=table,
            Key={"id": identifier},
            UpdateExpression="SET due = :now",
            ExpressionAttributeValues={":now": _LONG_AGO},
        )
    changed: dict[str, int] = {}
    if identifiers:
        functions = aws.client("lambda")
        for _ in range(0, len(identifiers), _EXECUTIONS_PER_CALL):
            answer = functions.invoke(FunctionName=heal, Payload=b"{}")
            counts: Any = json.loads(answer["Payload"].read())
            if "FunctionError" in answer:
                raise RuntimeError(f"interrupted executions could not be ended: {counts}")
            for status, count in counts.items():
                changed[status] = changed.get(status, 0) + count
    return changed
