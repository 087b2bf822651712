"""A DynamoDB of moto, and an empty table in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import RecordTable
from tests.fakes.aws import create_record_table, mocked_aws

NUMBERS = count()


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with mocked_aws("eu-central-1", "dynamodb"):
        yield client("dynamodb")


@pytest.fixture
def table(dynamodb: Any) -> RecordTable:
    return create_record_table(f"records-{next(NUMBERS)}")


@pytest.fixture
def name(table: RecordTable) -> str:
    return table.name
