"""Read and write the objects of an S3 bucket.

:class:`S3Store` is a bucket as a :class:`~anemonefish.stores.Store`, :class:`S3Source` is one object that is read by
offset. A recording is read in the version that was planned: by ``If-Match`` with its entity tag, or by ``VersionId``
where the caller gives one.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from anemonefish.cloud.clients import OBJECT_BYTES, client, translate_errors
from anemonefish.errors import (
    AnemonefishError,
    InvalidRequest,
    RecordingChanged,
    RecordingNotFound,
    StorageError,
)
from anemonefish.stores.object_kinds import Kind, tagging

__all__ = ["S3Source", "S3Store", "read_first_bytes"]

_MISSING = {"404", "NoSuchKey", "NoSuchVersion", "NotFound", "NoSuchBucket"}
_CHANGED = {"412", "PreconditionFailed"}
_REFUSED = {
    "403",
    "AccessDenied",
    "Forbidden",
    "400",
    "405",
    "MethodNotAllowed",
    "InvalidObjectState",
    "InvalidArgument",
    "416",
    "InvalidRange",
}
_READ_ATTEMPTS = 4


def _translate_errors(name: str, refused: type[AnemonefishError] = StorageError) -> AbstractContextManager[None]:
    """Raise our exceptions for S3's: an object that is missing, changed or refused, or a call that failed."""

    def exception_for(code: str) -> Exception | None:
        if code in _MISSING:
            return FileNotFoundError(name)
        if code in _CHANGED:
            return RecordingChanged(f"{name}: the object changed after the job was planned; start a new job")
        if code in _REFUSED:
            return refused(
                f"{name}: S3 refuses it ({code}); move it to a bucket this stack may use, or restore it from archive"
            )
        return None

    return translate_errors(name, exception_for)


def _client() -> Any:
    return client("s3", OBJECT_BYTES)


class S3Store:
    """A bucket; keys are the keys of its objects."""

    at_once = 16
    """Most of the time of a request is spent waiting for the answer."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    @property
    def uri(self) -> str:
        """``s3://bucket``."""
        return f"s3://{self._bucket}"

    def read(self, key: str) -> bytes:
        """Return the bytes under ``key``; raise :class:`FileNotFoundError` when there are none."""
        with _translate_errors(f"{self.uri}/{key}"):
            body: bytes = _client().get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return body

    def write(self, key: str, data: bytes, kind: Kind | None = None) -> None:
        """Write ``data`` under ``key``; a PUT is atomic."""
        with _translate_errors(f"{self.uri}/{key}"):
            _client().put_object(Bucket=self._bucket, Key=key, Body=data, **_tags(kind, len(data)))

    def upload(self, key: str, path: Path, kind: Kind | None = None) -> None:
        """Copy a file to ``key``, in parts if it is large; the object appears when all parts have arrived."""
        with _translate_errors(f"{self.uri}/{key}"):
            _client().upload_file(str(path), self._bucket, key, ExtraArgs=_tags(kind, path.stat().st_size))

    def exists(self, key: str) -> bool:
        """Return whether there is an object under ``key``."""
        try:
            with _translate_errors(f"{self.uri}/{key}"):
                _client().head_object(Bucket=self._bucket, Key=key)
        except FileNotFoundError:
            return False
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, sorted as S3 lists them."""
        with _translate_errors(f"{self.uri}/{prefix}"):
            pages = _client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                yield from (item["Key"] for item in page.get("Contents", ()))


class S3Source:
    """One version of an S3 object, read by range requests."""

    read_ahead = True
    """A request takes as long as the transfer of some megabytes, so the next one is sent during decoding."""

    def __init__(self, uri: str, name: str, size: int, version: str) -> None:
        self._bucket, self._key = _split(uri)
        self._pin = _pin(version)
        self.name = name
        self.size = size
        self.version = version

    @classmethod
    def open(cls, uri: str, version: str | None, name: str) -> S3Source:
        """Look up an object; see :func:`anemonefish.stores.open_source`.

        A version that begins with a quotation mark is an entity tag, any other is a ``VersionId``. Without a version
        the entity tag is recorded, because it also exists in buckets that keep no versions.
        """
        bucket, key = _split(uri)
        try:
            with _translate_errors(name, refused=RecordingNotFound):
                head = _client().head_object(Bucket=bucket, Key=key, **_pin(version))
        except FileNotFoundError:
            raise RecordingNotFound(f"{name}: there is no such object; upload it first") from None
        return cls(uri, name, int(head["ContentLength"]), version or str(head["ETag"]))

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes ``[offset, offset + length)`` of the pinned version."""
        stop = min(offset + length, self.size)
        if stop <= offset:
            return b""
        for attempt in range(1, _READ_ATTEMPTS):
            with suppress(StorageError):  # botocore retries a request, but not a body that ends early
                return self._get(offset, stop)
            time.sleep(random.uniform(0, 0.25 * 2**attempt))
        return self._get(offset, stop)

    def _get(self, offset: int, stop: int) -> bytes:
        wanted = f"bytes={offset}-{stop - 1}"
        try:
            with _translate_errors(self.name, refused=RecordingNotFound):
                answer = _client().get_object(Bucket=self._bucket, Key=self._key, Range=wanted, **self._pin)
                body: bytes = answer["Body"].read()
        except FileNotFoundError:
            raise RecordingChanged(f"{self.name}: the object was deleted after the job was planned") from None
        if len(body) != stop - offset:
            raise StorageError(f"{self.name}: S3 sent {len(body)} of {stop - offset} bytes at {offset}; try again")
        return body

    def close(self) -> None:
        """Do nothing: no connection is kept open between reads."""


def read_first_bytes(uri: str, most: int) -> bytes | None:
    """Return the first bytes of an object; see :func:`anemonefish.stores.read_companion`.

    Without the permission to list the bucket S3 refuses access to an object that does not exist, so a refusal is
    treated as a missing object.
    """
    bucket, key = _split(uri)
    try:
        with _translate_errors(uri, refused=RecordingNotFound):
            body: bytes = _client().get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{most - 1}")["Body"].read()
            return body
    except (FileNotFoundError, RecordingNotFound):
        return None


def _tags(kind: Kind | None, size: int) -> dict[str, str]:
    """Return the argument of boto3 that tags an object; empty for an object without tags."""
    tags = tagging(kind, size)
    return {} if tags is None else {"Tagging": tags}


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise InvalidRequest(f"{uri!r} is not an S3 URI; it must read s3://bucket/key")
    return bucket, key


def _pin(version: str | None) -> dict[str, str]:
    if version is None:
        return {}
    return {"IfMatch": version} if version.startswith('"') else {"VersionId": version}
