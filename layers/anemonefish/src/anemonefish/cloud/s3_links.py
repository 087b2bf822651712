"""Presigned links and multipart uploads: recordings and results are sent directly between their owner and S3.

Every link is valid for one key and one hour. An upload link is also signed for one size, so S3 refuses a body of
another length.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from botocore.exceptions import ClientError

from anemonefish.cloud.clients import client, error_code, translate_errors

__all__ = ["LINK_SECONDS", "StoredObject", "StoredPart", "Transfers"]

LINK_SECONDS = 3600
CONTENT_TYPE = "application/octet-stream"
_PARTS_PER_PAGE = 1000


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Length and entity tag of an object."""

    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class StoredPart:
    """Number, length and entity tag of an uploaded part."""

    number: int
    size: int
    etag: str


class Transfers:
    """Uploads to and downloads from one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def put_link(self, key: str, size: int, sha256: str | None) -> tuple[str, dict[str, str]]:
        """Return a link to PUT exactly ``size`` bytes once, and the headers to send with it.

        ``If-None-Match: *`` is signed: S3 answers 412 when the object exists, and 409 while another request writes it.
        So a link that was used cannot replace the bytes.
        """
        values: dict[str, Any] = {"ContentLength": size, "ContentType": CONTENT_TYPE, "IfNoneMatch": "*"}
        headers = {"content-type": CONTENT_TYPE, "if-none-match": "*"}
        if sha256 is not None:
            values["ChecksumSHA256"] = base64.b64encode(bytes.fromhex(sha256)).decode()
            headers["x-amz-checksum-sha256"] = values["ChecksumSHA256"]
        return self._link("put_object", key, **values), headers

    def begin_parts(self, key: str, sha256: str | None) -> str:
        """Begin a multipart upload and return its id."""
        metadata = {"sha256": sha256} if sha256 else {}
        with translate_errors("the upload"):
            answer = client("s3").create_multipart_upload(
                Bucket=self._bucket, Key=key, ContentType=CONTENT_TYPE, Metadata=metadata
            )
        return str(answer["UploadId"])

    def part_link(self, key: str, upload: str, number: int, size: int) -> str:
        """Return a link to PUT exactly ``size`` bytes as part ``number``."""
        return self._link("upload_part", key, UploadId=upload, PartNumber=number, ContentLength=size)

    def parts(self, key: str, upload: str, *, after: int = 0, most: int | None = None) -> list[StoredPart] | None:
        """Return the parts that have arrived, in order; None when there is no such multipart upload."""
        stored: list[StoredPart] = []
        while True:
            wanted = _PARTS_PER_PAGE if most is None else most - len(stored)
            with translate_errors("the upload"):
                try:
                    answer = client("s3").list_parts(
                        Bucket=self._bucket, Key=key, UploadId=upload, PartNumberMarker=after, MaxParts=wanted
                    )
                except ClientError as error:
                    if error_code(error) != "NoSuchUpload":
                        raise
                    return None
            stored += [
                StoredPart(int(part["PartNumber"]), int(part["Size"]), str(part["ETag"]))
                for part in answer.get("Parts", ())
            ]
            if not answer.get("IsTruncated") or (most is not None and len(stored) >= most):
                return stored
            after = int(answer["NextPartNumberMarker"])

    def join_parts(self, key: str, upload: str, parts: list[StoredPart]) -> None:
        """Complete a multipart upload."""
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        with translate_errors("the upload"):
            client("s3").complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": listed}
            )

    def drop_parts(self, key: str, upload: str) -> None:
        """Abort a multipart upload and delete its parts."""
        with translate_errors("the upload"):
            try:
                client("s3").abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
            except ClientError as error:
                if error_code(error) != "NoSuchUpload":
                    raise

    def find(self, key: str) -> StoredObject | None:
        """Return length and entity tag of an object, or None when there is none."""
        with translate_errors("the upload"):
            try:
                head = client("s3").head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error_code(error) not in {"404", "NoSuchKey", "NotFound"}:
                    raise
                return None
        return StoredObject(int(head["ContentLength"]), str(head["ETag"]))

    def delete(self, key: str) -> None:
        """Delete every version of an object and its delete markers; do nothing when there is none."""
        with translate_errors("the upload"):
            versions = [version["VersionId"] for version in self._versions(key) if version["Key"] == key]
            for version in versions:
                client("s3").delete_object(Bucket=self._bucket, Key=key, VersionId=version)

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the size of every object below a prefix: the sum of its versions, in bytes."""
        sizes: dict[str, int] = {}
        with translate_errors("the uploads"):
            for version in self._versions(prefix):
                sizes[version["Key"]] = sizes.get(version["Key"], 0) + int(version.get("Size", 0))
        return sizes

    def _versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        pages = client("s3").get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            yield from page.get("Versions", ())
            yield from page.get("DeleteMarkers", ())

    def get_link(self, key: str, filename: str, content_type: str) -> str:
        """Return a link to download an object under a file name."""
        plain = "".join(letter if " " <= letter <= "~" and letter not in '"\\' else "_" for letter in filename)
        disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
        return self._link("get_object", key, ResponseContentDisposition=disposition, ResponseContentType=content_type)

    def _link(self, operation: str, key: str, **values: Any) -> str:
        with translate_errors("the link"):
            link: str = client("s3").generate_presigned_url(
                operation, Params={"Bucket": self._bucket, "Key": key, **values}, ExpiresIn=LINK_SECONDS
            )
        return link
