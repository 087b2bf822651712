"""Fixtures of the client's tests: a fake API, a client of it, a small and a large file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from anemonefish.client import Client
from tests.fakes.api_server import KEY, PART, SINGLE, FakeApi, fake_api


@pytest.fixture
def service() -> Iterator[FakeApi]:
    with fake_api() as made:
        yield made


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "20230210_000001.wav"
    path.write_bytes(os.urandom(1000))
    return path


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def client(service: FakeApi, pauses: list[float]) -> Iterator[Client]:
    with Client(service.api_url, KEY, sleep=pauses.append) as made:
        yield made


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Five parts, the last of five bytes; each part has a byte of its own at its ends."""
    path = tmp_path / "day.wav"
    with path.open("wb") as file:
        for number in range(1, 6):
            file.seek((number - 1) * PART)
            file.write(bytes([number]))
            file.seek(min(number * PART, SINGLE + 5) - 1)
            file.write(bytes([number + 100]))
    return path
