"""AWS on moto, with the atomic writes of DynamoDB and Step Functions, and the table of records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import pytest
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend
from moto.stepfunctions.models import StepFunctionBackend

from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import RecordTable

__all__ = ["create_record_table", "mocked_aws"]

ATTRIBUTES = ("id", "listed", "created", "attention", "due")


@contextmanager
def mocked_aws(region: str, *services: str) -> Iterator[None]:
    """Replace AWS by moto; the clients of the services are made at once, because threads must not make them."""
    lock = Lock()

    def atomic(method: Callable[..., Any]) -> Callable[..., Any]:
        def locked(*args: Any, **kwargs: Any) -> Any:  # DynamoDB checks and writes in one step, moto in two
            with lock:
                return method(*args, **kwargs)

        return locked

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", region)
        for backend, name in (
            (DynamoDBBackend, "put_item"),
            (DynamoDBBackend, "update_item"),
            (StepFunctionBackend, "start_execution"),
        ):
            patch.setattr(backend, name, atomic(getattr(backend, name)))
        client.cache_clear()
        for service in services:
            client(service)
        yield
    client.cache_clear()


def create_record_table(name: str) -> RecordTable:
    """Create an empty table of records as template.yaml does."""
    indexes = [("by_owner", "listed", "created", "ALL"), ("by_due", "attention", "due", "KEYS_ONLY")]
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": "S"} for attribute in ATTRIBUTES],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": partition, "KeyType": "HASH"},
                    {"AttributeName": sort, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": projection},
            }
            for index, partition, sort, projection in indexes
        ],
    )
    return RecordTable(name)
