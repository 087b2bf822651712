"""A bucket as a store, an object as a source of bytes.

The only module of the engine that talks to S3. Reads of a recording are pinned to what was planned on: by
``If-Match`` on the entity tag, or by ``VersionId`` where a caller names one. The client is made once per
process, retries throttles and 5xx with backoff (botocore's "standard" mode), and honours ``AWS_ENDPOINT_URL``,
so that the same code runs against a local AWS.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from anemonefish.cloud.clients import s3_options
from anemonefish.errors import (
    AnemonefishError,
    InvalidRequest,
    RecordingChanged,
    RecordingNotFound,
    StorageError,
)

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

_FIRST_BYTE_SECONDS = 30
"""How long an answer may be silent. S3 answers in a tenth of a second; what takes longer is asked for again."""


@cache
def _client() -> Any:
    """Return the process's S3 client (boto3 has no published types for it)."""
    return boto3.client(
        "s3",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=5,
            read_timeout=_FIRST_BYTE_SECONDS,
            max_pool_connections=32,  # headers and parts are read 16 at a time
            s3=s3_options(),
        ),
    )


@contextmanager
def _answers(name: str, refused: type[AnemonefishError] = StorageError) -> Iterator[None]:
    """Turn botocore's errors into ours: an object that is missing, changed or refused, or a store that fails."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _MISSING:
            raise FileNotFoundError(name) from error
        if code in _CHANGED:
            raise RecordingChanged(f"{name}: the object changed after the job was planned; start a new job") from None
        if code in _REFUSED:
            raise refused(
                f"{name}: S3 refuses it ({code}); move it to a bucket this stack may use, or restore it from archive"
            ) from None
        raise StorageError(f"{name}: S3 answered {code or error}; try again") from error
    except (BotoCoreError, Boto3Error) as error:  # a failed upload is boto3's error, not botocore's
        raise StorageError(f"{name}: S3 did not answer ({error}); try again") from error


class S3Store:
    """Keys are the keys of one bucket."""

    at_once = 16
    """Each object is a round trip away, and most of the time is spent waiting for it."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    @property
    def uri(self) -> str:
        """``s3://bucket``."""
        return f"s3://{self._bucket}"

    def read(self, key: str) -> bytes:
        """Return the bytes under ``key``; raise :class:`FileNotFoundError` when there are none."""
        with _answers(f"{self.uri}/{key}"):
            body: bytes = _client().get_object(Bucket=self._bucket, Key=key)["Body"].read()
            return body

    def write(self, key: str, data: bytes) -> None:
        """Put ``data`` under ``key``; a PUT is atomic."""
        with _answers(f"{self.uri}/{key}"):
            _client().put_object(Bucket=self._bucket, Key=key, Body=data)

    def upload(self, key: str, path: Path) -> None:
        """Put a file under ``key``, in parts when it is large; it appears when the last part is in."""
        with _answers(f"{self.uri}/{key}"):
            _client().upload_file(str(path), self._bucket, key)

    def exists(self, key: str) -> bool:
        """Say whether there is an object under ``key``."""
        try:
            with _answers(f"{self.uri}/{key}"):
                _client().head_object(Bucket=self._bucket, Key=key)
        except FileNotFoundError:
            return False
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with ``prefix``, sorted as S3 lists them."""
        with _answers(f"{self.uri}/{prefix}"):
            pages = _client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                yield from (item["Key"] for item in page.get("Contents", ()))


class S3Source:
    """One version of an S3 object, read by ranged GETs."""

    read_ahead = True
    """A request takes as long as some megabytes: the next one is sent while the last one is decoded."""

    def __init__(self, uri: str, name: str, size: int, version: str) -> None:
        self._bucket, self._key = _split(uri)
        self._pin = _pin(version)
        self.name = name
        self.size = size
        self.version = version

    @classmethod
    def open(cls, uri: str, version: str | None, name: str) -> S3Source:
        """Look the object up; see :func:`anemonefish.stores.open_source`.

        A version that begins with a quotation mark is an entity tag, any other a ``VersionId``. Unless a caller
        names one of an older version, the tag is what pins: it also tells of buckets that keep no versions.
        """
        bucket, key = _split(uri)
        try:
            with _answers(name, refused=RecordingNotFound):
                head = _client().head_object(Bucket=bucket, Key=key, **_pin(version))
        except FileNotFoundError:
            raise RecordingNotFound(f"{name}: there is no such object; upload it first") from None
        found = version or str(head["ETag"])
        return cls(uri, name, int(head["ContentLength"]), found)

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes ``[offset, offset + length)`` of the pinned version."""
        stop = min(offset + length, self.size)
        if stop <= offset:
            return b""
        for attempt in range(1, _READ_ATTEMPTS):
            with suppress(StorageError):  # botocore retries a request, but not a body that breaks off
                return self._get(offset, stop)
            time.sleep(random.uniform(0, 0.25 * 2**attempt))
        return self._get(offset, stop)

    def _get(self, offset: int, stop: int) -> bytes:
        wanted = f"bytes={offset}-{stop - 1}"
        try:
            with _answers(self.name, refused=RecordingNotFound):
                answer = _client().get_object(Bucket=self._bucket, Key=self._key, Range=wanted, **self._pin)
                body: bytes = answer["Body"].read()
        except FileNotFoundError:
            raise RecordingChanged(f"{self.name}: the object was deleted after the job was planned") from None
        if len(body) != stop - offset:
            raise StorageError(f"{self.name}: S3 sent {len(body)} of {stop - offset} bytes at {offset}; try again")
        return body

    def close(self) -> None:
        """Nothing is held between reads."""


def read_first_bytes(uri: str, most: int) -> bytes | None:
    """Return the first bytes of an object; see :func:`anemonefish.stores.read_companion`.

    Without the right to list the bucket S3 refuses what does not exist; so a refusal means the same as nothing there.
    """
    bucket, key = _split(uri)
    try:
        with _answers(uri, refused=RecordingNotFound):
            body: bytes = _client().get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{most - 1}")["Body"].read()
            return body
    except (FileNotFoundError, RecordingNotFound):
        return None


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise InvalidRequest(f"{uri!r} is not an S3 URI; it must read s3://bucket/key")
    return bucket, key


def _pin(version: str | None) -> dict[str, str]:
    if version is None:
        return {}
    return {"IfMatch": version} if version.startswith('"') else {"VersionId": version}
