"""Secrets of Secrets Manager are cached for five minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from anemonefish.cloud import secrets_manager
from anemonefish.cloud.clients import client
from anemonefish.errors import StorageError

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hooks"


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Secrets Manager of our own, and a process that knows nothing yet."""
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(secrets_manager, "_known", {})
    with mock_aws():
        client.cache_clear()
        yield boto3.client("secretsmanager")
    client.cache_clear()


def test_secret_is_read_again_after_five_minutes(vault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    arn = vault.create_secret(Name="hooks", SecretString="first")["ARN"]
    assert secrets_manager.secret(arn) == "first"
    vault.put_secret_value(SecretId=arn, SecretString="second")
    now += 299
    assert secrets_manager.secret(arn) == "first"
    now += 1
    assert secrets_manager.secret(arn) == "second"


def test_missing_secret_is_a_storage_error(vault: Any) -> None:
    with pytest.raises(StorageError, match="the secret: AWS answered ResourceNotFoundException"):
        secrets_manager.secret(ARN)


def test_binary_secret_is_a_storage_error(vault: Any) -> None:
    arn = vault.create_secret(Name="bytes", SecretBinary=b"\0\1")["ARN"]
    with pytest.raises(StorageError, match="holds no text"):
        secrets_manager.secret(arn)
