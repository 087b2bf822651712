"""One interface, two stores: the same tests against a folder and against S3 (moto, in this process)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from anemonefish.cloud import clients
from anemonefish.errors import InvalidRequest, RecordingChanged, RecordingNotFound
from anemonefish.stores import ByteSource, Kind, Store, open_source, open_store
from anemonefish.stores.folder import LocalStore, atomic_file
from anemonefish.stores.object_kinds import ARCHIVED_BYTES


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        clients.client.cache_clear()
        client = boto3.client("s3")
        client.create_bucket(Bucket="reef")
        yield client
    clients.client.cache_clear()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    request.getfixturevalue("bucket")
    return open_store("s3://reef")


def test_written_bytes_are_read_back(store: Store, tmp_path: Path) -> None:
    store.write("jobs/a/1.json", b"one")
    store.write("jobs/a/1.json", b"two")
    (tmp_path / "file").write_bytes(b"three")
    store.upload("jobs/b/3.bin", tmp_path / "file")
    assert store.read("jobs/a/1.json") == b"two"
    assert store.read("jobs/b/3.bin") == b"three"
    assert store.exists("jobs/a/1.json")
    assert not store.exists("jobs/a")
    assert list(store.keys("jobs/")) == ["jobs/a/1.json", "jobs/b/3.bin"]
    assert list(store.keys("jobs/b")) == ["jobs/b/3.bin"]
    assert list(store.keys("nothing/")) == []


@pytest.mark.parametrize(
    ("kind", "size", "tags"),
    [
        (Kind.SCORES, 1, {"kind": "scores"}),
        (Kind.AUDIO, 1, {"kind": "audio"}),
        (Kind.RESULT, ARCHIVED_BYTES, {"kind": "result"}),
        (Kind.RESULT, ARCHIVED_BYTES - 1, {}),
        (Kind.SCORES, 9 << 20, {"kind": "scores"}),  # uploaded in parts
        (None, ARCHIVED_BYTES, {}),
    ],
)
def test_kind_of_an_object_is_a_tag(
    bucket: Any, tmp_path: Path, kind: Kind | None, size: int, tags: dict[str, str]
) -> None:
    store, data = open_store("s3://reef"), b"x" * size
    (tmp_path / "file").write_bytes(data)
    store.write("written", data, kind)
    store.upload("uploaded", tmp_path / "file", kind)
    for key in ("written", "uploaded"):
        found = bucket.get_object_tagging(Bucket="reef", Key=key)["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in found} == tags
        assert store.read(key) == data


def test_folder_ignores_kinds(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    store.write("a", b"one", Kind.SCORES)
    store.upload("b", tmp_path / "store" / "a", Kind.RESULT)
    assert [(key, store.read(key)) for key in store.keys("")] == [("a", b"one"), ("b", b"one")]


def test_missing_key_is_not_found(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.read("jobs/none")
    assert not store.exists("jobs/none")


def source_of(store: Store, key: str, version: str | None = None) -> ByteSource:
    return open_source(f"{store.uri}/{key}", version)


def test_source_reads_by_offset(store: Store) -> None:
    content = bytes(range(256)) * 40
    store.write("a.bin", content)
    source = source_of(store, "a.bin")
    assert source.size == len(content)
    assert source.read(100, 50) == content[100:150]
    assert source.read(len(content) - 5, 50) == content[-5:]
    assert source.read(len(content), 50) == b""
    assert source_of(store, "a.bin", source.version).read(0, 4) == content[:4]
    source.close()


def test_source_reads_its_version_only(store: Store) -> None:
    store.write("a.bin", b"before")
    version = source_of(store, "a.bin").version
    store.write("a.bin", b"after it changed")
    with pytest.raises(RecordingChanged, match=r"a\.bin.*start a new job"):
        source_of(store, "a.bin", version)


def test_error_names_the_missing_source(store: Store) -> None:
    with pytest.raises(RecordingNotFound, match=r"none\.wav"):
        source_of(store, "none.wav")


def test_s3_object_that_changes_during_reading_is_an_error(bucket: Any) -> None:
    bucket.put_object(Bucket="reef", Key="a.bin", Body=b"before")
    source = open_source("s3://reef/a.bin")
    bucket.put_object(Bucket="reef", Key="a.bin", Body=b"after!")
    with pytest.raises(RecordingChanged):
        source.read(0, 4)


def test_requested_version_is_read_after_a_newer_one_was_written(bucket: Any) -> None:
    bucket.put_bucket_versioning(Bucket="reef", VersioningConfiguration={"Status": "Enabled"})
    version = bucket.put_object(Bucket="reef", Key="a.bin", Body=b"before")["VersionId"]
    bucket.put_object(Bucket="reef", Key="a.bin", Body=b"after!")
    assert open_source("s3://reef/a.bin", version).read(0, 6) == b"before"
    assert open_source("s3://reef/a.bin").read(0, 6) == b"after!"


@pytest.mark.parametrize("uri", ["s3://", "s3://bucket", "s3://bucket/"])
def test_incomplete_s3_uri_is_refused(uri: str) -> None:
    with pytest.raises(InvalidRequest, match="s3://bucket/key"):
        open_source(uri)


def test_key_cannot_leave_the_folder(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    with pytest.raises(InvalidRequest, match="leads out"):
        store.write("../secret", b"")


def test_failed_write_leaves_no_file(tmp_path: Path) -> None:
    target = tmp_path / "result.csv"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_file(target) as temporary:
        temporary.write_text(f"half {1 // 0}")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
