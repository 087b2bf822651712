"""Helpers of the tests of uploads: sizes, a start time, and bytes that are put into a bucket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from urllib.parse import parse_qs, urlsplit

from anemonefish.cloud.clients import client
from anemonefish.service.upload_record import Upload

MIB, GIB = 1 << 20, 1 << 30


KEEP = timedelta(days=30)


BEGAN = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


NUMBERS = count()


def put(bucket: str, upload: Upload, data: bytes) -> None:
    client("s3").put_object(Bucket=bucket, Key=upload.key, Body=data)


def put_part(bucket: str, upload: Upload, number: int, size: int | None = None) -> str:
    body = bytes([number]) * (upload.part_bytes(number) if size is None else size)
    answer = client("s3").upload_part(
        Bucket=bucket, Key=upload.key, UploadId=upload.multipart, PartNumber=number, Body=body
    )
    return str(answer["ETag"])


def upload_of(size: int) -> Upload:
    """Return an upload of a size that need not be allowed."""
    return Upload(
        id="u-1", owner="lab", filename="a.wav", key="k", size=size, status="OPEN", created_at="", expires_at=""
    )


def signed(url: str) -> dict[str, str]:
    """Return the query of a link."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def version_of(bucket: str, key: str) -> str:
    return str(client("s3").list_object_versions(Bucket=bucket, Prefix=key)["Versions"][0]["VersionId"])
