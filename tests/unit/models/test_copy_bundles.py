"""The models bucket of a new stack gets the reference model; what a lab stored there is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from anemonefish.errors import ModelNotFound, StorageError
from anemonefish.models.copy_bundles import copy_missing
from anemonefish.models.repository import ModelRepository
from anemonefish.stores.folder import LocalStore


@pytest.fixture
def shipped(models_uri: str) -> LocalStore:
    return LocalStore(Path(models_uri))


@pytest.fixture
def bucket(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "bucket")


def test_empty_store_gets_every_version_and_alias(shipped: LocalStore, bucket: LocalStore) -> None:
    copied = copy_missing(shipped, bucket, "reef")
    assert sorted(copied) == list(bucket.keys("")) == list(shipped.keys("reef/"))
    assert all(bucket.read(key) == shipped.read(key) for key in copied)
    assert ModelRepository(bucket).pin("reef@production") == ModelRepository(shipped).pin("reef@production")


def test_second_copy_copies_nothing(shipped: LocalStore, bucket: LocalStore) -> None:
    copy_missing(shipped, bucket, "reef")
    assert copy_missing(shipped, bucket, "reef") == []


def test_alias_that_a_lab_moved_is_kept_and_a_new_version_is_added(shipped: LocalStore, bucket: LocalStore) -> None:
    bucket.write("reef/production.json", b'{"version": "9.0.0"}')
    bucket.write("reef/1.0.0/model.json", b"a version that is there already")
    copied = copy_missing(shipped, bucket, "reef")
    versions = {path.name for path in Path(shipped.uri, "reef").iterdir() if path.is_dir()}
    assert {key.split("/")[1] for key in copied} == versions - {"1.0.0"}
    assert bucket.read("reef/production.json") == b'{"version": "9.0.0"}'
    assert bucket.read("reef/1.0.0/model.json") == b"a version that is there already"


def test_interrupted_copy_leaves_no_half_version_and_is_completed(shipped: LocalStore, bucket: LocalStore) -> None:
    class FullAfter(LocalStore):
        room = 3

        def write(self, key: str, data: bytes) -> None:
            if self.room == 0:
                raise StorageError("no room")
            self.room -= 1
            super().write(key, data)

    target = FullAfter(Path(bucket.uri))
    with pytest.raises(StorageError):
        copy_missing(shipped, target, "reef")
    assert not [key for key in bucket.keys("") if key.endswith(("model.json", "production.json"))]
    copy_missing(shipped, bucket, "reef")
    assert list(bucket.keys("")) == list(shipped.keys("reef/"))


def test_source_without_the_model_is_an_error(bucket: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="no version of the model reef"):
        copy_missing(LocalStore(tmp_path / "empty"), bucket, "reef")
