"""A tenant stores at most as many bytes as its limit allows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from anemonefish.cloud.clients import client
from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.s3_links import Transfers
from anemonefish.errors import (
    StorageError,
    StorageLimitReached,
)
from anemonefish.service.uploads import Uploads
from tests.fakes.uploads import KEEP, put, version_of


@pytest.fixture
def small_store(table: RecordTable, versioned: str, time: SimpleNamespace) -> Uploads:
    """Uploads of a stack where each tenant may store ten bytes."""
    return Uploads(table=table, transfers=Transfers(versioned), keep=KEEP, now=lambda: time.now, most_bytes=10)


def test_upload_above_the_storage_limit_is_refused(small_store: Uploads, versioned: str) -> None:
    first = small_store.open("lab", "a.wav", 6)
    assert small_store.open("lab", "b.wav", 4)  # exactly the limit
    with pytest.raises(StorageLimitReached, match=r"c\.wav: 1 bytes .* 10 of 10 bytes .* delete uploads") as caught:
        small_store.open("lab", "c.wav", 1)
    assert caught.value.status == 413
    assert small_store.open("other", "c.wav", 10)  # another tenant has its own
    small_store.delete("lab", first.id)
    assert small_store.stored("lab") == 4
    assert small_store.open("lab", "c.wav", 6)
    with pytest.raises(StorageLimitReached, match="11 bytes"):
        small_store.open("third", "d.wav", 11)


def test_concurrent_uploads_do_not_exceed_the_limit(small_store: Uploads) -> None:
    def announce(_: int) -> bool:
        try:
            return bool(small_store.open("lab", "a.wav", 1))
        except StorageLimitReached:
            return False

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(announce, range(30))) == 10


def test_failed_begin_releases_its_bytes(small_store: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(RecordTable, "create", Mock(side_effect=StorageError("ill")))
        with pytest.raises(StorageError):
            small_store.open("lab", "a.wav", 10)
    assert small_store.open("lab", "a.wav", 10)


def test_bytes_of_an_interrupted_call_are_released_by_a_new_count(
    small_store: Uploads, versioned: str, time: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = small_store.open("lab", "kept.wav", 3)
    put(versioned, kept, b"123")
    small_store.complete("lab", kept.id)
    small_store.open("lab", "announced.wav", 2)
    with monkeypatch.context() as patch:
        patch.setattr(RecordTable, "create", Mock(side_effect=KeyboardInterrupt))  # the process ends here
        with pytest.raises(KeyboardInterrupt):
            small_store.open("lab", "a.wav", 5)
    assert small_store.stored("lab") == 10
    with pytest.raises(StorageLimitReached):  # it may still be on its way into the table
        small_store.open("lab", "b.wav", 1)
    time.now += timedelta(seconds=61)
    assert small_store.stored("lab") == 5
    assert small_store.open("lab", "b.wav", 5)


def test_expired_uploads_and_deleted_objects_are_not_counted(
    small_store: Uploads, versioned: str, time: SimpleNamespace
) -> None:
    gone, waits = small_store.open("lab", "gone.wav", 4), small_store.open("lab", "waits.wav", 4)
    put(versioned, gone, b"1234")
    put(versioned, waits, b"1234")
    small_store.complete("lab", gone.id)
    small_store.open("lab", "never-sent.wav", 2)
    time.now += timedelta(days=5)
    client("s3").delete_object(Bucket=versioned, Key=gone.key, VersionId=version_of(versioned, gone.key))
    assert small_store.stored("lab") == 4  # bytes that nobody completed are stored all the same
    assert small_store.open("lab", "a.wav", 6)


def test_count_is_discarded_when_an_upload_begins_meanwhile(
    small_store: Uploads, time: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_store.open("lab", "a.wav", 4)
    time.now += timedelta(minutes=2)
    real = Transfers.sizes

    def slow(transfers: Transfers, prefix: str) -> dict[str, int]:
        found = real(transfers, prefix)
        monkeypatch.setattr(Transfers, "sizes", real)
        small_store.open("lab", "b.wav", 5)
        return found

    monkeypatch.setattr(Transfers, "sizes", slow)
    assert small_store.stored("lab") == 9
