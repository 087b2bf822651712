"""Objects in S3 Glacier Deep Archive: which ones there are, whether one can be downloaded, and asking for one.

A lifecycle rule of the bucket moves objects there. S3 refuses to send such an object until a temporary copy was asked
for and made, which takes hours. The object keeps its storage class, and the copy is deleted after some days. Objects
in S3 Glacier Instant Retrieval are sent at once and are not meant here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import ClientError

from anemonefish.cloud.clients import client, error_code, translate_errors

__all__ = ["Archive", "StorageState", "StoredFile"]

_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_ONGOING = 'ongoing-request="true"'
_NOTHING_TO_DO = frozenset({"InvalidObjectState", "ObjectAlreadyInActiveTierError", "NoSuchKey"})
"""The object is not in the archive any more: it was written again, or deleted."""


class StorageState(StrEnum):
    """Whether an object can be downloaded."""

    READABLE = "readable"
    ARCHIVED = "archived"
    RESTORING = "restoring"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object in a list.

    Attributes
    ----------
    key : str
    size : int
        In bytes.
    readable : bool
        Whether it can be downloaded; False in the archive until it is restored.
    """

    key: str
    size: int
    readable: bool


class Archive:
    """The archived objects of one bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def state(self, key: str) -> StorageState:
        """Return whether an object can be downloaded; a missing object counts as readable."""
        with translate_errors("the file"):
            try:
                head = client("s3").head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if error_code(error) not in {"404", "NoSuchKey", "NotFound"}:
                    raise
                return StorageState.READABLE
        restored = head.get("Restore")
        if head.get("StorageClass") not in _ARCHIVED or (restored and _ONGOING not in restored):
            return StorageState.READABLE
        return StorageState.RESTORING if restored else StorageState.ARCHIVED

    def page(self, prefix: str, after: str, most: int) -> list[StoredFile]:
        """Return up to ``most`` objects below a prefix, at most 1,000, in the order of their keys from ``after`` on."""
        with translate_errors("the files"):
            answer = client("s3").list_objects_v2(
                Bucket=self._bucket,
                Prefix=prefix,
                StartAfter=after,
                MaxKeys=most,
                OptionalObjectAttributes=["RestoreStatus"],
            )
        return [
            StoredFile(
                item["Key"],
                int(item["Size"]),
                item.get("StorageClass") not in _ARCHIVED or "RestoreExpiryDate" in item.get("RestoreStatus", {}),
            )
            for item in answer.get("Contents", ())
        ]

    def archived(self, prefix: str) -> Iterator[tuple[str, bool]]:
        """Yield the key of each archived object below a prefix, and whether its copy is being made."""
        pages = client("s3").get_paginator("list_objects_v2")
        with translate_errors("the files"):
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix, OptionalObjectAttributes=["RestoreStatus"]):
                for item in page.get("Contents", ()):
                    if item.get("StorageClass") in _ARCHIVED:
                        yield item["Key"], bool(item.get("RestoreStatus", {}).get("IsRestoreInProgress"))

    def restore(self, key: str, days: int, tier: str) -> bool:
        """Ask for a copy of an archived object, or keep its copy for longer.

        Parameters
        ----------
        days : int
            For how long the copy is kept.
        tier : {"Standard", "Bulk"}

        Returns
        -------
        bool
            Whether a copy is made now; False where it exists, or was asked for before.
        """
        request = {"Days": days, "GlacierJobParameters": {"Tier": tier}}
        with translate_errors("the file"):
            try:
                answer = client("s3").restore_object(Bucket=self._bucket, Key=key, RestoreRequest=request)
            except ClientError as error:
                if error_code(error) in {"RestoreAlreadyInProgress", *_NOTHING_TO_DO}:
                    return False
                raise
        accepted: bool = answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        return accepted
