"""The record of an upload: its file, its parts, and whose it is."""

from __future__ import annotations

import secrets
from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from anemonefish import clock
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.errors import UploadExpired, UploadIncomplete, UploadNotFound, short_repr
from anemonefish.jobs.request import RecordingRequest

__all__ = [
    "COMPLETE",
    "DELETED",
    "EXPIRED",
    "MOST_BYTES",
    "OPEN",
    "UPLOADS",
    "Upload",
    "check_not_expired",
    "complete_uploads",
    "expired_or_same",
    "find_upload",
    "new_id",
    "record_expiry",
    "sent_in_parts",
]

OPEN, COMPLETE, DELETED, EXPIRED = "OPEN", "COMPLETE", "DELETED", "EXPIRED"

_MIB = 1 << 20
MOST_BYTES = 50 << 30
"""Largest file; a day at 192 kHz and 24 bit has 50 GB."""

_SINGLE_BYTES = 64 * _MIB
"""Largest file that is sent in one PUT, which starts again after a broken connection."""

_PART_BYTES = 16 * _MIB
_MOST_PARTS = 9_000  # S3 takes 10,000

UPLOADS = "uploads"
"""The list of the owner that its uploads are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One upload.

    Attributes
    ----------
    id, owner, filename, key : str
    size : int
        Announced length in bytes.
    status : {"OPEN", "COMPLETE"}
        In lists also ``EXPIRED``, which is not stored.
    created_at, expires_at : str
        ISO 8601, UTC. An open upload must be completed, and a complete one used, before it expires.
    sha256 : str or None
        As announced, in hexadecimal.
    multipart : str or None
        S3's id of the multipart upload; None for a single PUT.
    etag : str or None
        Entity tag of the complete object: the version that is analysed.
    """

    id: str
    owner: str
    filename: str
    key: str
    size: int
    status: str
    created_at: str
    expires_at: str
    sha256: str | None = None
    multipart: str | None = None
    etag: str | None = None

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """Read a record."""
        return cls(**record.document)

    @property
    def part_size(self) -> int:
        """Bytes of every part except the last: whole MiB, large enough to stay below S3's number of parts."""
        least = -(-self.size // _MOST_PARTS)
        return max(_PART_BYTES, -(-least // _MIB) * _MIB)

    @property
    def part_count(self) -> int:
        """Number of parts."""
        return -(-self.size // self.part_size)

    def part_bytes(self, number: int) -> int:
        """Return the length of part ``number``, counted from 1."""
        return min(self.part_size, self.size - (number - 1) * self.part_size)

    @property
    def sha256_checked(self) -> bool:
        """Whether S3 compared the hash; it can for a single PUT, but not for parts."""
        return self.sha256 is not None and self.multipart is None

    def request(self, bucket: str) -> RecordingRequest:
        """Return the recording as a job reads it: exactly these bytes, under the file name that its owner gave."""
        return RecordingRequest(f"s3://{bucket}/{self.key}", self.filename, self.filename, version=self.etag)


def sent_in_parts(size: int) -> bool:
    """Return whether a file of this size is sent in parts."""
    return size > _SINGLE_BYTES


def new_id(prefix: str) -> str:
    """Return a random identifier that cannot be guessed."""
    return f"{prefix}-{b32encode(secrets.token_bytes(16)).decode().rstrip('=').lower()}"


def find_upload(owner: str, identifier: str, record: Record | None) -> tuple[Record, Upload]:
    """Return a record and its upload.

    Raises
    ------
    UploadNotFound
        The record is missing, belongs to another tenant, is no upload, or its upload was deleted.
    """
    if record is None or record.owner != owner or not identifier.startswith("u-"):
        raise UploadNotFound(f"there is no upload {short_repr(identifier)}; it may have expired")
    upload = Upload.from_record(record)
    if upload.status == DELETED:
        raise UploadNotFound(f"there is no upload {short_repr(identifier)}; it was deleted")
    return record, upload


def check_not_expired(upload: Upload, now: datetime) -> Upload:
    """Return an upload; raise :class:`UploadExpired` if it has expired."""
    if clock.from_text(upload.expires_at) <= now:
        raise UploadExpired(f"upload {upload.id} ({upload.filename}) expired at {upload.expires_at}; upload it again")
    return upload


def expired_or_same(upload: Upload, now: datetime) -> Upload:
    """Return an upload as a list shows it: with the status ``EXPIRED`` if it has expired."""
    return replace(upload, status=EXPIRED) if clock.from_text(upload.expires_at) <= now else upload


def complete_uploads(table: RecordTable, owner: str, identifiers: Sequence[str], now: datetime) -> list[Upload]:
    """Return complete uploads of a tenant, in the order of the identifiers.

    Raises
    ------
    UploadNotFound, UploadExpired, UploadIncomplete
        One of them cannot be analysed.
    """
    records = table.read_many(identifiers)
    uploads = [
        check_not_expired(find_upload(owner, identifier, records.get(identifier))[1], now) for identifier in identifiers
    ]
    for upload in uploads:
        if upload.status != COMPLETE:
            raise UploadIncomplete(f"upload {upload.id} ({upload.filename}) is not complete; complete it first")
    return uploads


def record_expiry(upload: Upload) -> int:
    """Return when the record may be deleted: a week after the upload expires, so the API can still say that it did."""
    return int((clock.from_text(upload.expires_at) + timedelta(days=7)).timestamp())
