"""Uploads: from a file name and a size to a recording in the input bucket.

Owns what may be uploaded, where it lies (``uploads/{tenant}/{upload}/{file name}``), how it is cut into parts and
when it counts as complete. The bytes go from their owner to S3 by signed links; here is only the record of them.
A name is never taken for a path, and nobody sees the uploads of another tenant.
"""

from __future__ import annotations

import re
import secrets
from base64 import b32encode
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from anemonefish import clock
from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.cloud.dynamodb import Record, RecordTable
from anemonefish.cloud.ledger import Account, Ledger
from anemonefish.cloud.s3_links import StoredObject, StoredPart, Transfers
from anemonefish.errors import (
    AnemonefishError,
    InvalidRequest,
    StorageLimitReached,
    UploadExpired,
    UploadIncomplete,
    UploadNotFound,
    WrongState,
    shown,
)
from anemonefish.jobs.request import RecordingRequest

__all__ = [
    "FILENAME",
    "LONGEST_FILENAME",
    "MOST_BYTES",
    "PartLink",
    "Upload",
    "Uploads",
    "complete_uploads",
    "new_id",
]

_MIB = 1 << 20
MOST_BYTES = 50 << 30
"""A day at 192 kHz, 24 bit, has 50 GB."""

SINGLE_BYTES = 64 * _MIB
"""Largest file that is sent in one PUT; a broken connection costs no more."""

_PART_BYTES = 16 * _MIB
_MOST_PARTS = 9_000  # S3 takes 10,000
_PARTS_PER_PAGE = 100
_TIME_TO_COMPLETE = timedelta(days=1)
_TIME_PARTS_ARE_KEPT = timedelta(days=4)
"""S3 drops the parts of an upload that is not completed two days after it began, and takes up to a day for it."""

_QUIET = timedelta(minutes=1)
"""Bytes are counted again when no upload was begun for so long: no call that begins one lives for half of it."""

_LISTED = "uploads"
LONGEST_FILENAME = 200

_REFUSED = r"/\\\x00-\x1f\x7f-\x9f"  # folders and control characters
_EXTENSIONS = sorted(each[1:] for each in AUDIO_EXTENSIONS)


def _endings(length: int) -> str:
    """Return the names that end in an extension of so many letters, as a regular expression."""
    found = "|".join(
        "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in each)
        for each in _EXTENSIONS
        if len(each) == length
    )
    return rf"[^{_REFUSED}]{{0,{LONGEST_FILENAME - 2 - length}}}\.({found})"


FILENAME = rf"^[^.{_REFUSED}]({'|'.join(map(_endings, sorted({len(each) for each in _EXTENSIONS})))})$"
"""What a file may be called, as a regular expression that JavaScript reads as well."""

OPEN, COMPLETE, DELETED = "OPEN", "COMPLETE", "DELETED"


def new_id(prefix: str) -> str:
    """Return an identifier nobody can guess."""
    return f"{prefix}-{b32encode(secrets.token_bytes(16)).decode().rstrip('=').lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One upload.

    Attributes
    ----------
    id, owner, filename, key : str
    size : int
        Announced length in bytes.
    status : {"OPEN", "COMPLETE"}
    created_at, expires_at : str
        ISO 8601, UTC. An open upload must be complete, a complete one be used, before it expires.
    sha256 : str or None
        As announced, in hexadecimal.
    multipart : str or None
        S3's id of the multipart upload; None for a single PUT.
    etag : str or None
        Of the complete object: the version that is analysed.
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

    @property
    def part_size(self) -> int:
        """Bytes of every part but the last: whole MiB, and few enough parts for S3."""
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
        """Whether S3 compared the hash: it does for a single PUT, it cannot for parts."""
        return self.sha256 is not None and self.multipart is None

    def request(self, bucket: str) -> RecordingRequest:
        """Return the recording as a job reads it: exactly these bytes, under its owner's name."""
        return RecordingRequest(f"s3://{bucket}/{self.key}", self.filename, self.filename, self.etag)


@dataclass(frozen=True, slots=True)
class PartLink:
    """Where to PUT one part; ``etag`` when it has arrived already."""

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
        Bytes that one tenant may have announced and stored; None is no limit.
    """

    def __init__(
        self,
        table: RecordTable,
        transfers: Transfers,
        keep: timedelta,
        now: Callable[[], datetime] = clock.now,
        most_bytes: int | None = None,
    ) -> None:
        self._table = table
        self._ledger = Ledger(table.name)
        self._transfers = transfers
        self._keep = keep
        self._now = now
        self._most_bytes = most_bytes

    def open(self, owner: str, filename: str, size: int, sha256: str | None = None) -> Upload:
        """Begin an upload.

        Raises
        ------
        InvalidRequest
            The name or the size is not usable.
        StorageLimitReached
            The tenant would store more bytes than it may.
        """
        _check_filename(filename)
        if not 1 <= size <= MOST_BYTES:
            raise InvalidRequest(f"{filename}: size must be from 1 to {MOST_BYTES} bytes, not {shown(size)}")
        self._reserve(owner, filename, size)
        try:
            return self._begin(owner, filename, size, sha256)
        except AnemonefishError:
            self._ledger.subtract(owner, size)
            raise

    def _begin(self, owner: str, filename: str, size: int, sha256: str | None) -> Upload:
        identifier, moment = new_id("u"), self._now()
        key = f"uploads/{owner}/{identifier}/{filename}"
        upload = Upload(
            id=identifier,
            owner=owner,
            filename=filename,
            key=key,
            size=size,
            status=OPEN,
            created_at=clock.to_text(moment),
            expires_at=clock.to_text(moment + _TIME_TO_COMPLETE),
            sha256=sha256,
            multipart=self._transfers.begin_parts(key, sha256) if size > SINGLE_BYTES else None,
        )
        self._table.create(self._record(upload))
        return upload

    def get(self, owner: str, identifier: str) -> Upload:
        """Return an upload; raise :class:`UploadNotFound` or :class:`UploadExpired`."""
        return self._current(_owned(owner, identifier, self._table.read(identifier))[1])

    def put_link(self, upload: Upload) -> tuple[str, dict[str, str]]:
        """Return the link and the headers of a single PUT."""
        return self._transfers.put_link(upload.key, upload.size, upload.sha256)

    def part_links(self, upload: Upload, first: int) -> tuple[list[PartLink], int | None]:
        """Return a page of parts from number ``first`` on, and where the next page begins.

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
        """Make a recording of an upload; a second time changes nothing.

        Parameters
        ----------
        tags : dict of int to str, optional
            Entity tags of the parts as their sender knows them, to compare.

        Raises
        ------
        UploadNotFound, UploadExpired
        UploadIncomplete
            Bytes are missing, or are others than announced.
        """
        while True:
            record, upload = _owned(owner, identifier, self._table.read(identifier))
            self._current(upload)
            if upload.status == COMPLETE:
                return upload
            stored = self._joined(upload, tags)
            done = replace(
                upload,
                status=COMPLETE,
                etag=stored.etag,
                expires_at=clock.to_text(clock.from_text(upload.created_at) + self._keep),
            )
            if self._table.replace(record, asdict(done), _expiry(done)):
                return done

    def delete(self, owner: str, identifier: str) -> None:
        """Delete an upload and every version of its bytes; raise :class:`UploadNotFound` when there is none."""
        while True:
            record, upload = _owned(owner, identifier, self._table.read(identifier))
            if upload.multipart is not None and upload.status == OPEN:
                self._transfers.drop_parts(upload.key, upload.multipart)
            self._transfers.delete(upload.key)
            if self._table.replace(record, {**asdict(upload), "status": DELETED}):
                break
        self._ledger.subtract(owner, upload.size)

    def recordings(self, owner: str, identifiers: Sequence[str]) -> list[Upload]:
        """Return complete uploads in the order asked for; see :func:`complete_uploads`."""
        return complete_uploads(self._table, owner, identifiers, self._now())

    def stored(self, owner: str) -> int:
        """Return how many bytes a tenant has announced or stored, counted again if that is due."""
        account = self._counted(owner)
        return (account or self._ledger.read(owner)).stored

    def _reserve(self, owner: str, filename: str, size: int) -> None:
        """Take room for an upload, and count the tenant's bytes again before it is refused."""
        most = self._most_bytes
        if self._ledger.add(owner, size, most, clock.to_text(self._now())):
            return
        if self._counted(owner) and self._ledger.add(owner, size, most, clock.to_text(self._now())):
            return
        used = self._ledger.read(owner).stored
        raise StorageLimitReached(
            f"{filename}: {size} bytes are more than fit: {used} of {most} bytes are announced or stored; delete "
            f"uploads that are no longer needed (DELETE /uploads/{{id}}), or wait until they expire"
        )

    def _counted(self, owner: str) -> Account | None:
        """Count a tenant's bytes and correct the ledger; None while an upload may be on its way into the table.

        What is in S3 counts, and what was announced and may still arrive. A call that died between the ledger and
        the table, and recordings that the bucket has deleted, leave a sum that is too large.
        """
        account, moment = self._ledger.read(owner), self._now()
        if not account.changed or clock.from_text(account.changed) + _QUIET > moment:
            return None
        kept = self._transfers.sizes(f"uploads/{owner}/")
        open_since = clock.to_text(moment - _TIME_PARTS_ARE_KEPT)
        opened = [_upload(record) for record in self._table.since(owner, open_since, _LISTED)]
        announced = sum(each.size for each in opened if each.status == OPEN and each.key not in kept)
        stored = sum(kept.values()) + announced
        return replace(account, stored=stored) if self._ledger.correct(owner, account, stored) else None

    def _joined(self, upload: Upload, tags: dict[int, str] | None) -> StoredObject:
        """Return the object of an upload whose bytes have all arrived."""
        if upload.multipart is not None:
            parts = self._transfers.parts(upload.key, upload.multipart)
            if parts is not None:  # else it was joined by a call whose answer got lost
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

    def _current(self, upload: Upload) -> Upload:
        return _unexpired(upload, self._now())

    def _record(self, upload: Upload) -> Record:
        return Record(
            id=upload.id,
            owner=upload.owner,
            created=upload.created_at,
            document=asdict(upload),
            expires=_expiry(upload),
            listed=True,
            kind=_LISTED,
        )


def complete_uploads(table: RecordTable, owner: str, identifiers: Sequence[str], moment: datetime) -> list[Upload]:
    """Return complete uploads of a tenant in the order asked for.

    Raises
    ------
    UploadNotFound, UploadExpired, UploadIncomplete
        One of them cannot be analysed.
    """
    records = table.read_many(identifiers)
    uploads = [_unexpired(_owned(owner, each, records.get(each))[1], moment) for each in identifiers]
    for upload in uploads:
        if upload.status != COMPLETE:
            raise UploadIncomplete(f"upload {upload.id} ({upload.filename}) is not complete; complete it first")
    return uploads


def _unexpired(upload: Upload, moment: datetime) -> Upload:
    if clock.from_text(upload.expires_at) <= moment:
        raise UploadExpired(f"upload {upload.id} ({upload.filename}) expired at {upload.expires_at}; upload it again")
    return upload


def _upload(record: Record) -> Upload:
    return Upload(**record.document)


def _owned(owner: str, identifier: str, record: Record | None) -> tuple[Record, Upload]:
    """Return a record as an upload; raise :class:`UploadNotFound` unless it is one, and the owner's."""
    if record is None or record.owner != owner or not identifier.startswith("u-"):
        raise UploadNotFound(f"there is no upload {shown(identifier)}; it may have expired")
    upload = _upload(record)
    if upload.status == DELETED:
        raise UploadNotFound(f"there is no upload {shown(identifier)}; it was deleted")
    return record, upload


def _expiry(upload: Upload) -> int:
    """Return when the record may go: a week after the upload, so that its user still hears that it expired."""
    return int((clock.from_text(upload.expires_at) + timedelta(days=7)).timestamp())


def _check_filename(filename: str) -> None:
    if re.fullmatch(FILENAME, filename):
        return
    if not filename.lower().endswith(tuple(AUDIO_EXTENSIONS)):
        extensions = " ".join(sorted(AUDIO_EXTENSIONS))
        raise InvalidRequest(f"{shown(filename)}: a recording's name must end in one of {extensions}")
    raise InvalidRequest(
        f"{shown(filename)}: send the name of the file, up to {LONGEST_FILENAME} characters without folders, "
        f"control characters or a leading dot"
    )


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
