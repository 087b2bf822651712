"""Uploads: a client announces a file, sends its bytes to S3, and completes the upload.

Objects lie under ``uploads/{tenant}/{upload}/{file name}`` in the input bucket. The client sends the bytes directly to
S3 by presigned links; this module keeps the records. A tenant sees its own uploads only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from anemonefish import clock
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.s3_links import StoredObject, StoredPart, Transfers
from anemonefish.errors import AnemonefishError, InvalidRequest, UploadIncomplete, WrongState, short_repr
from anemonefish.service.storage_quota import StorageQuota
from anemonefish.service.upload_names import check_filename
from anemonefish.service.upload_record import (
    COMPLETE,
    DELETED,
    MOST_BYTES,
    OPEN,
    UPLOADS,
    Upload,
    check_not_expired,
    complete_uploads,
    expired_or_same,
    find_upload,
    new_id,
    record_expiry,
    sent_in_parts,
)

__all__ = ["PartLink", "Uploads"]

_PARTS_PER_PAGE = 100
_TIME_TO_COMPLETE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PartLink:
    """The link to PUT one part; ``etag`` is set if the part has arrived."""

    number: int
    size: int
    url: str
    etag: str | None


class Uploads:
    """The uploads of all tenants.

    Parameters
    ----------
    table : RecordTable
    transfers : Transfers
        Of the input bucket.
    keep : timedelta
        How long the bucket keeps a recording.
    now : callable
    most_bytes : int or None
        Largest sum of announced and stored bytes of one tenant; None is no limit.
    """

    def __init__(
        self,
        *,
        table: RecordTable,
        transfers: Transfers,
        keep: timedelta,
        now: Callable[[], datetime] = clock.now,
        most_bytes: int | None = None,
    ) -> None:
        self._table = table
        self._transfers = transfers
        self._keep = keep
        self._now = now
        self._quota = StorageQuota(table, transfers, most_bytes, now)

    def open(self, owner: str, filename: str, size: int, sha256: str | None = None) -> Upload:
        """Begin an upload.

        Raises
        ------
        InvalidRequest
            The file name or the size is not acceptable.
        StorageLimitReached
            The tenant would store more bytes than it may.
        """
        check_filename(filename)
        if not 1 <= size <= MOST_BYTES:
            raise InvalidRequest(f"{filename}: size must be from 1 to {MOST_BYTES} bytes, not {short_repr(size)}")
        self._quota.reserve(owner, filename, size)
        try:
            return self._begin(owner, filename, size, sha256)
        except AnemonefishError:
            self._quota.release(owner, size)
            raise

    def get(self, owner: str, identifier: str) -> Upload:
        """Return an upload.

        Raises
        ------
        UploadNotFound, UploadExpired
        """
        return check_not_expired(self._find(owner, identifier)[1], self._now())

    def page(self, owner: str, limit: int, after: str | None = None) -> list[Upload]:
        """Return a page of a tenant's uploads, newest first, also expired ones, until their records are deleted.

        Parameters
        ----------
        owner : str
        limit : int
        after : str, optional
            Id of the last upload of the page before. It may have been deleted since.

        Raises
        ------
        InvalidRequest
            The tenant had no upload ``after``; otherwise the first page would be returned as the next one.
        """
        if after is not None:
            record = self._table.read(after)
            if record is None or record.owner != owner or not after.startswith("u-"):
                raise InvalidRequest(
                    f"from: your list has no upload {short_repr(after)}; begin again with GET /uploads"
                )
        return [
            expired_or_same(Upload.from_record(record), self._now())
            for record in self._table.page(owner, limit, after, UPLOADS)
        ]

    def put_link(self, upload: Upload) -> tuple[str, dict[str, str]]:
        """Return the link and the headers of a single PUT."""
        return self._transfers.put_link(upload.key, upload.size, upload.sha256)

    def part_links(self, upload: Upload, first: int) -> tuple[list[PartLink], int | None]:
        """Return a page of links, from part ``first`` on, and the number of the part that the next page begins with.

        Raises
        ------
        WrongState
            The upload has no parts, or is complete.
        """
        if upload.multipart is None or upload.status != OPEN:
            raise WrongState(f"upload {upload.id} takes no parts: it is {'complete' if upload.etag else 'one PUT'}")
        last = min(first + _PARTS_PER_PAGE - 1, upload.part_count)
        arrived = self._transfers.parts(upload.key, upload.multipart, after=first - 1, most=_PARTS_PER_PAGE) or ()
        tags = {part.number: part.etag for part in arrived if part.size == upload.part_bytes(part.number)}
        links = [
            PartLink(
                number,
                upload.part_bytes(number),
                self._transfers.part_link(upload.key, upload.multipart, number, upload.part_bytes(number)),
                tags.get(number),
            )
            for number in range(first, last + 1)
        ]
        return links, last + 1 if last < upload.part_count else None

    def complete(self, owner: str, identifier: str, tags: dict[int, str] | None = None) -> Upload:
        """Complete an upload whose bytes have arrived; a complete upload stays as it is.

        Parameters
        ----------
        owner, identifier : str
        tags : dict of int to str, optional
            Entity tags of the parts as the client received them, to compare.

        Raises
        ------
        UploadNotFound, UploadExpired
        UploadIncomplete
            Bytes are missing, or differ from what was announced.
        """
        while True:
            record, upload = self._find(owner, identifier)
            check_not_expired(upload, self._now())
            if upload.status == COMPLETE:
                return upload
            stored = self._join(upload, tags)
            complete = replace(
                upload,
                status=COMPLETE,
                etag=stored.etag,
                expires_at=clock.to_text(clock.from_text(upload.created_at) + self._keep),
            )
            if self._table.replace(record, asdict(complete), record_expiry(complete)):
                return complete

    def delete(self, owner: str, identifier: str) -> None:
        """Delete an upload and every version of its object.

        Raises
        ------
        UploadNotFound
        """
        while True:
            record, upload = self._find(owner, identifier)
            if upload.multipart is not None and upload.status == OPEN:
                self._transfers.drop_parts(upload.key, upload.multipart)
            self._transfers.delete(upload.key)
            # A deleted upload leaves the list of its owner.
            if self._table.replace(replace(record, listed=False), {**asdict(upload), "status": DELETED}):
                break
        self._quota.release(owner, upload.size)

    def recordings(self, owner: str, identifiers: Sequence[str]) -> list[Upload]:
        """Return complete uploads in the order of the identifiers; see :func:`.upload_record.complete_uploads`."""
        return complete_uploads(self._table, owner, identifiers, self._now())

    def stored(self, owner: str) -> int:
        """Return how many bytes a tenant has announced and stored."""
        return self._quota.used(owner)

    def _begin(self, owner: str, filename: str, size: int, sha256: str | None) -> Upload:
        identifier, now = new_id("u"), self._now()
        key = f"uploads/{owner}/{identifier}/{filename}"
        upload = Upload(
            id=identifier,
            owner=owner,
            filename=filename,
            key=key,
            size=size,
            status=OPEN,
            created_at=clock.to_text(now),
            expires_at=clock.to_text(now + _TIME_TO_COMPLETE),
            sha256=sha256,
            multipart=self._transfers.begin_parts(key, sha256) if sent_in_parts(size) else None,
        )
        self._table.create(
            Record(
                id=upload.id,
                owner=upload.owner,
                created=upload.created_at,
                document=asdict(upload),
                expires=record_expiry(upload),
                listed=True,
                kind=UPLOADS,
            )
        )
        return upload

    def _find(self, owner: str, identifier: str) -> tuple[Record, Upload]:
        return find_upload(owner, identifier, self._table.read(identifier))

    def _join(self, upload: Upload, tags: dict[int, str] | None) -> StoredObject:
        """Return the object of an upload; its parts are joined first."""
        if upload.multipart is not None:
            parts = self._transfers.parts(upload.key, upload.multipart)
            if parts is not None:  # None after a call that joined the parts, but did not record it
                _check_parts(upload, parts, tags)
                self._transfers.join_parts(upload.key, upload.multipart, parts)
        stored = self._transfers.find(upload.key)
        if stored is None:
            raise UploadIncomplete(f"upload {upload.id} ({upload.filename}): nothing has arrived; send the bytes first")
        if stored.size != upload.size:
            raise UploadIncomplete(
                f"upload {upload.id} ({upload.filename}): {stored.size} bytes arrived, {upload.size} were announced; "
                f"send the file again"
            )
        return stored


def _check_parts(upload: Upload, parts: Sequence[StoredPart], tags: dict[int, str] | None) -> None:
    where = f"upload {upload.id} ({upload.filename})"
    arrived = {part.number: part for part in parts}
    missing = [number for number in range(1, upload.part_count + 1) if number not in arrived]
    if missing:
        raise UploadIncomplete(
            f"{where}: {len(missing)} of {upload.part_count} parts have not arrived, the first is {missing[0]}"
        )
    for number, part in arrived.items():
        if part.size != upload.part_bytes(number):
            raise UploadIncomplete(f"{where}: part {number} has {part.size} bytes, not {upload.part_bytes(number)}")
    for number, tag in (tags or {}).items():
        if number not in arrived or arrived[number].etag.strip('"') != tag.strip('"'):
            raise UploadIncomplete(f"{where}: part {number} is not the one that was sent; send it again")
