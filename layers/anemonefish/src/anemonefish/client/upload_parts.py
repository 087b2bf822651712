"""Upload a file: as one PUT, or in parts that several threads send at once.

The file is read in chunks while it is sent, so memory does not grow with its size. An interrupted upload can be
resumed: parts that have arrived are not sent again. A part whose link has expired is sent by a fresh one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import BinaryIO
from urllib.parse import quote

from anemonefish.client.transport import CHUNK_BYTES, Document, Transport, backoff, is_expired_link, retry_s3
from anemonefish.errors import EmptyRecording, InvalidRequest, RecordingChanged, RecordingNotFound, RemoteError
from anemonefish.recording_names import printable
from anemonefish.stores.folder import check_is_file

__all__ = ["Progress", "Uploader", "open_recording"]

Progress = Callable[[int], object]
"""Called with the number of bytes that were sent, from several threads; negative if they must be sent again."""

_FRESH_SECONDS = 60.0
"""A link that S3 refuses at this age or later has expired; a younger one may be forbidden."""

_MOST_EXPIRED_YOUNG = 10
"""An error is raised after so many young links in a row that S3 calls expired."""

_PARTS_AT_ONCE = 4


class Uploader:
    """Uploads files through one :class:`~anemonefish.client.transport.Transport`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upload(
        self,
        path: Path,
        filename: str | None,
        resume: str | None,
        progress: Progress,
        started: Callable[[Document], object],
    ) -> Document:
        """Upload a file; see :meth:`anemonefish.client.client.Client.upload`."""
        with open_recording(path) as file:
            before = os.fstat(file.fileno())
            if not before.st_size:
                raise EmptyRecording(f"{path}: the file is empty (0 bytes); copy it again from the recorder")
            announced = {"filename": filename or printable(path.name), "size": before.st_size}
            upload = self._resume(resume, announced) if resume else self._announce(announced)
            started(upload)
            if upload["status"] == "COMPLETE":
                progress(before.st_size)
                return upload
            self._send(path, upload, progress)
            after = path.stat()
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise RecordingChanged(
                f"{path}: the file changed while it was sent; upload it again when no program writes to it"
            )
        return self._transport.ask("POST", f"/uploads/{upload['id']}/complete")

    def _announce(self, announced: Document) -> Document:
        return self._transport.ask("POST", "/uploads", json=announced)

    def _resume(self, identifier: str, announced: Document) -> Document:
        """Return an earlier upload with fresh links; announce a new one if it was a single PUT, which has no parts."""
        upload = self._transport.ask("GET", f"/uploads/{quote(identifier, safe='')}")
        earlier = {name: upload[name] for name in announced}
        if earlier != announced:
            raise InvalidRequest(f"{identifier} is the upload of {earlier}, this is {announced}; resume with that file")
        if upload["status"] == "COMPLETE":
            return upload
        try:
            return upload | {"multipart": self._parts(identifier, 1)}
        except RemoteError as error:
            if error.name != "WrongState":
                raise
            return self._announce(announced)

    def _send(self, path: Path, upload: Document, progress: Progress) -> None:
        if upload["multipart"] is not None:
            self._send_parts(path, upload["id"], upload["multipart"], progress)
            return
        link, whole = upload["put"], _FilePart(path, 0, upload["size"])
        tries = 0

        def send() -> None:
            nonlocal tries
            tries += 1
            self._put(link["url"], link["headers"], whole, progress)

        try:
            self._transport.retry(send, retry_s3)
        except RemoteError as error:
            if error.http_status != HTTPStatus.PRECONDITION_FAILED or tries == 1:
                raise
            # The link works once: an earlier try arrived, but its answer was lost. Completing it compares the size.
            progress(whole.size)

    def _send_parts(self, path: Path, identifier: str, page: Document, progress: Progress) -> None:
        """Send the parts that are missing, page by page: links are valid for an hour, so each page is fetched late."""
        part_size = page["parts"][0]["size"]  # all parts except the last have this size
        with ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:
            while True:
                links = _PartLinks(page, partial(self._parts, identifier, page["parts"][0]["number"]))

                def send(part: Document, links: _PartLinks = links) -> None:
                    file_part = _FilePart(path, (part["number"] - 1) * part_size, part["size"])
                    if part["etag"]:
                        progress(file_part.size)
                    else:
                        self._send_part(part["number"], file_part, links, progress)

                list(pool.map(send, page["parts"]))
                if page["next"] is None:
                    return
                page = self._transport.ask("GET", page["next"])

    def _parts(self, identifier: str, first: int) -> Document:
        """Return a page of parts with fresh links."""
        return self._transport.ask("GET", f"/uploads/{quote(identifier, safe='')}/parts", params={"from": first})

    def _send_part(self, number: int, part: _FilePart, links: _PartLinks, progress: Progress) -> None:
        """Send a part; fetch a fresh link whenever its link has expired.

        A link that is refused after :data:`_FRESH_SECONDS` has expired, however often that happens. A second young link
        in a row that is refused is an error, unless S3 says that it has expired; then the eleventh is.
        """
        young = 0
        while True:
            link = links.link(number)
            began = link.received

            def put(link: _PartLink = link) -> None:
                nonlocal began
                began = time.time()  # time.monotonic() stands still while a laptop sleeps
                self._put(link.url, {}, part, progress)

            try:
                return self._transport.retry(put, retry_s3)
            except RemoteError as error:
                if not is_expired_link(error):
                    raise
                young = 0 if began - link.received >= _FRESH_SECONDS else young + 1
                if young > (_MOST_EXPIRED_YOUNG if "has expired" in str(error) else 1):
                    raise
                if young > 1:
                    self._transport.sleep(backoff(young - 2))
                links.renew(number, link.url)

    def _put(self, url: str, headers: Mapping[str, str], part: _FilePart, progress: Progress) -> None:
        """Send bytes to a link; if that fails, the progress is taken back."""
        sent = 0

        def count(size: int) -> None:
            nonlocal sent
            sent += size
            progress(size)

        # A link is signed for a length. Without this header httpx would use chunked encoding, which S3 does not accept.
        length = {"content-length": str(part.size)}
        try:
            self._transport.put(url, self._read(part, count), {**headers, **length})
        except BaseException:
            progress(-sent)
            raise

    def _read(self, part: _FilePart, count: Progress) -> Iterator[bytes]:
        """Yield a part of a file in chunks, as the connection takes them."""
        left = part.size
        with open_recording(part.path) as file:
            file.seek(part.start)
            while left:
                self._transport.check_open()
                chunk = file.read(min(CHUNK_BYTES, left))
                if not chunk:
                    raise RecordingChanged(f"{part.path}: the file became shorter while it was sent; upload it again")
                yield chunk
                left -= len(chunk)
                count(len(chunk))


@dataclass(frozen=True, slots=True)
class _FilePart:
    """A range of bytes of a file."""

    path: Path
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class _PartLink:
    """A link, and when it was received, in Unix seconds."""

    url: str
    received: float


class _PartLinks:
    """The links of a page of parts; the page is fetched once, however many parts find their links expired."""

    def __init__(self, page: Document, fetch: Callable[[], Document]) -> None:
        self._fetch = fetch
        self._lock = Lock()
        self._store(page)

    def link(self, number: int) -> _PartLink:
        """Return the link of a part."""
        with self._lock:
            return self._links[number]

    def renew(self, number: int, expired: str) -> None:
        """Fetch the page again, unless another part has done so since ``expired`` was used."""
        with self._lock:
            if self._links[number].url == expired:
                self._store(self._fetch())

    def _store(self, page: Document) -> None:
        received = time.time()
        self._links = {part["number"]: _PartLink(part["url"], received) for part in page["parts"]}


@contextmanager
def open_recording(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; an error of the disk, now or later, is raised as :class:`RecordingNotFound`."""
    try:
        check_is_file(path, printable(str(path)))
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise RecordingNotFound(f"{path}: cannot be read ({error.strerror}); check the path") from None
