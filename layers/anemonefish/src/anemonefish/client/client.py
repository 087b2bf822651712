"""The client of the API: upload recordings, start an execution, wait, fetch results, decide again, predict.

Owns retries, parts and polling, by the same rules as the JavaScript client. What the answers hold is told by the API
itself (``GET /docs``); they are handed on as they come. A file is read in chunks as they are sent, so memory does not
grow with it. The key goes to the API only: links of S3 get none, and no redirect is followed. Prints nothing, asks
nobody and never reads the environment for its key.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from threading import Event, Lock
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote as quoted

import httpx

from anemonefish.errors import EmptyRecording, InvalidRequest, RecordingChanged, RecordingNotFound, RemoteError
from anemonefish.execution_states import ENDED
from anemonefish.recording_names import printable
from anemonefish.stores.folder import atomic_file, check_is_file

__all__ = ["Document", "Remote"]

Document = dict[str, Any]
"""What the API answers."""

Progress = Callable[[int], object]
"""Called with bytes as they are sent, from several threads; with a negative number when they have to go again."""

_T = TypeVar("_T")

_TRIES = 6
_FRESH_SECONDS = 60.0
"""A link that S3 refuses at this age or later has expired; one that is younger may be forbidden."""
_EXPIRED_AT_ONCE = 10
"""So many young links in a row may be refused as expired before that is believed."""
_PARTS_AT_ONCE = 4
_CHUNK = 1 << 18
_PAGE = 100
_LONGEST_PAUSE = 3600.0
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_LIMITS = httpx.Limits(max_connections=64)


class Remote:
    """One API, called with one key; several threads may share it.

    Parameters
    ----------
    url : str
        The stack's output ``ApiUrl``.
    key : str
        An API key.
    sleep : callable, optional
        How to wait, in seconds; for tests.

    Raises
    ------
    InvalidRequest
        The url or the key cannot be one.
    """

    def __init__(self, url: str, key: str, *, sleep: Callable[[float], object] | None = None) -> None:
        self._url = _checked_url(url)
        headers = {"x-api-key": _checked_key(key), "accept": "application/json"}
        self._api = httpx.Client(headers=headers, timeout=_TIMEOUT, limits=_LIMITS, follow_redirects=False)
        self._storage = httpx.Client(timeout=_TIMEOUT, limits=_LIMITS, follow_redirects=False)
        self._closed = Event()
        self._sleep = sleep or self._closed.wait

    def close(self) -> None:
        """Close the connections; what other threads are sending stops."""
        self._closed.set()
        self._api.close()
        self._storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- uploads -------------------------------------------------------------------------------------------------

    def upload(
        self,
        path: Path,
        filename: str | None = None,
        *,
        resume: str | None = None,
        progress: Progress = lambda _: None,
        started: Callable[[Document], object] = lambda _: None,
    ) -> Document:
        """Upload a recording; a large one in parts, several at once.

        Parameters
        ----------
        path : Path
        filename : str, optional
            What the recording is called; the file's own name unless given.
        resume : str, optional
            Id of an earlier upload of this file: parts that have arrived are not sent again.
        progress : callable
        started : callable
            Called with the upload before the first byte; its ``id`` is what ``resume`` takes.

        Returns
        -------
        dict
            The upload, complete.

        Raises
        ------
        RecordingNotFound, EmptyRecording, RecordingChanged
            The file cannot be read, is empty, or was written to meanwhile.
        InvalidRequest
            The upload to resume is that of another file.
        RemoteError
        """
        with _opened(path) as file:
            facts = os.fstat(file.fileno())
            if not facts.st_size:
                raise EmptyRecording(f"{path}: the file is empty (0 bytes); copy it again from the recorder")
            announced = {"filename": filename or printable(path.name), "size": facts.st_size}
            upload = self._reopened(resume, announced) if resume else self._ask("POST", "/uploads", json=announced)
            started(upload)
            if upload["status"] == "COMPLETE":
                progress(facts.st_size)
                return upload
            self._send(path, upload, progress)
            now = path.stat()
        if (now.st_size, now.st_mtime_ns) != (facts.st_size, facts.st_mtime_ns):
            raise RecordingChanged(f"{path}: the file changed while it was sent; upload it once nobody writes to it")
        return self._ask("POST", f"/uploads/{upload['id']}/complete")

    def _reopened(self, identifier: str, announced: Document) -> Document:
        """Go on with an upload. One that is a single PUT begins anew: nothing of it is there, and no fresh link."""
        upload = self._ask("GET", f"/uploads/{quoted(identifier, safe='')}")
        theirs = {name: upload[name] for name in announced}
        if theirs != announced:
            raise InvalidRequest(f"{identifier} is the upload of {theirs}, this is {announced}; resume with that file")
        if upload["status"] == "COMPLETE":
            return upload
        try:
            return upload | {"multipart": self._parts(identifier, 1)}
        except RemoteError as error:
            if error.name != "WrongState":
                raise
            return self._ask("POST", "/uploads", json=announced)

    def _send(self, path: Path, upload: Document, progress: Progress) -> None:
        if upload["multipart"] is not None:
            self._send_parts(path, upload["id"], upload["multipart"], progress)
            return
        link, whole = upload["put"], _Piece(path, 0, upload["size"])
        tries = 0

        def send() -> None:
            nonlocal tries
            tries += 1
            self._put(link["url"], link["headers"], whole, progress)

        try:
            self._persist(send, _passing)
        except RemoteError as error:
            if error.http_status != httpx.codes.PRECONDITION_FAILED or tries == 1:
                raise
            # The link is used once: an earlier try arrived and its answer was lost. Completing it compares the size.
            progress(whole.size)

    def _send_parts(self, path: Path, identifier: str, page: Document, progress: Progress) -> None:
        """Send what is missing. The next page is asked for when its turn comes: links hold for an hour only."""
        part_size = page["parts"][0]["size"]  # all but the last are alike
        with ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:
            while True:
                links = _Links(page, partial(self._parts, identifier, page["parts"][0]["number"]))

                def send(part: Document, links: _Links = links) -> None:
                    piece = _Piece(path, (part["number"] - 1) * part_size, part["size"])
                    if part["etag"]:
                        progress(piece.size)
                    else:
                        self._send_part(part["number"], piece, links, progress)

                list(pool.map(send, page["parts"]))
                if page["next"] is None:
                    return
                page = self._ask("GET", page["next"])

    def _parts(self, identifier: str, first: int) -> Document:
        """Return a page of parts with fresh links."""
        return self._ask("GET", f"/uploads/{quoted(identifier, safe='')}/parts", params={"from": first})

    def _send_part(self, number: int, piece: _Piece, links: _Links, progress: Progress) -> None:
        """Send a part, by another link each time that its link has expired.

        An old link that is refused has expired, however often that happens: each takes its time. A young one is
        forbidden when a second is refused as well, unless S3 says that it has expired; then ten are.
        """
        young = 0
        while True:
            link = links.link(number)
            began = link.taken

            def put(link: _Link = link) -> None:
                nonlocal began
                began = time.time()  # not monotonic: that clock stands still while a laptop sleeps
                self._put(link.url, {}, piece, progress)

            try:
                return self._persist(put, _passing)
            except RemoteError as error:
                if not _expired(error):
                    raise
                young = 0 if began - link.taken >= _FRESH_SECONDS else young + 1
                if young > (_EXPIRED_AT_ONCE if "has expired" in str(error) else 1):
                    raise
                if young > 1:
                    self._sleep(_growing(young - 2))
                links.renew(number, link.url)

    def _put(self, url: str, headers: Mapping[str, str], piece: _Piece, progress: Progress) -> None:
        """Send bytes to a link; what does not arrive is not counted as sent."""
        counted = 0

        def count(sent: int) -> None:
            nonlocal counted
            counted += sent
            progress(sent)

        # A link is signed for a length: without it httpx would send chunks, which S3 does not take.
        length = {"content-length": str(piece.size)}
        try:
            _sound(self._storage.put(url, content=self._read(piece, count), headers={**headers, **length}))
        except BaseException:
            progress(-counted)
            raise

    def _read(self, piece: _Piece, count: Progress) -> Iterator[bytes]:
        """Yield a piece of a file chunk by chunk, as the connection takes them."""
        left = piece.size
        with _opened(piece.path) as file:
            file.seek(piece.start)
            while left:
                self._check_open()
                chunk = file.read(min(_CHUNK, left))
                if not chunk:
                    raise RecordingChanged(f"{piece.path}: the file became shorter while it was sent; upload it again")
                yield chunk
                left -= len(chunk)
                count(len(chunk))

    # --- executions ----------------------------------------------------------------------------------------------

    def start(
        self,
        uploads: Sequence[str],
        *,
        model: str | None = None,
        settings: Mapping[str, Any] | None = None,
        webhook: str | None = None,
        idempotency_key: str | None = None,
    ) -> Document:
        """Start an execution of complete uploads.

        Parameters
        ----------
        uploads : sequence of str
            Ids.
        model : str, optional
            ``name``, ``name@alias`` or ``name@version``.
        settings : mapping, optional
            By name.
        webhook : str, optional
            Called at the end, if the stack calls any.
        idempotency_key : str, optional
            The same key and order is the same execution. There is always one, so that a retry starts no second.
        """
        headers = {"idempotency-key": idempotency_key or str(uuid.uuid4())}
        return self._ask("POST", "/executions", json=_order(uploads, model, settings, webhook), headers=headers)

    def quote(
        self, uploads: Sequence[str], *, model: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> Document:
        """Return ranges, seconds and USD to expect of complete uploads; start nothing."""
        return self._ask("POST", "/executions?dry_run=true", json=_order(uploads, model, settings, None))

    def status(self, execution: str) -> Document:
        """Return an execution as it stands."""
        return self._ask("GET", _of(execution))

    def wait(self, execution: str, progress: Callable[[Document], object] = lambda _: None) -> Document:
        """Poll until an execution has ended, and return it however it did; ``progress`` hears every answer."""
        polls = 0
        while True:
            found, retry_after = self._answer("GET", _of(execution))
            progress(found)
            if found["status"] in ENDED:
                return found
            self._sleep(max(retry_after, _growing(polls)))
            polls += 1

    def executions(self, limit: int | None = None) -> Iterator[Document]:
        """Yield executions, newest first; all of them unless there is a limit. Pages are asked for as they are needed.

        Each has ``id``, ``status``, ``created_at``, ``finished_at``, ``model``, ``recordings`` (their number) and
        ``error``.
        """
        left = limit
        following: str | None = f"/executions?limit={_PAGE if limit is None else min(limit, _PAGE)}"
        while following is not None:
            page = self._ask("GET", following)
            yield from page["executions"][:left]
            left = None if left is None else left - len(page["executions"])
            following = None if left is not None and left <= 0 else page["next"]

    def cancel(self, execution: str) -> Document:
        """Stop an execution; what is scored stays."""
        return self._ask("DELETE", _of(execution), again=_throttled)

    def resume(self, execution: str) -> Document:
        """Start an execution that failed or was stopped again, for what it lacks."""
        return self._ask("POST", f"{_of(execution)}/resume", again=_throttled)

    # --- results -------------------------------------------------------------------------------------------------

    def results(self, execution: str, *, recording: int = 0, decision: str | None = None) -> Document:
        """Return events, metadata and, up to 10,000, predictions of a recording; what became of each is in it too."""
        return self._ask("GET", f"{_of(execution)}/results", params=_which(recording, decision))

    def file(self, execution: str, form: str, *, recording: int = 0, decision: str | None = None) -> Document:
        """Return a link to a file of results, that holds for an hour and needs no key."""
        which = _which(recording, decision) | {"format": form, "redirect": "false"}
        return self._ask("GET", f"{_of(execution)}/results", params=which)

    def download(
        self, execution: str, form: str, path: Path, *, recording: int = 0, decision: str | None = None
    ) -> None:
        """Fetch a file of results to ``path``, whole or not at all."""
        self.fetch(self.file(execution, form, recording=recording, decision=decision)["url"], path)

    def files(self, execution: str) -> dict[str, str]:
        """Return the links of what tells of the whole job, by their names: summary, tables, clips, pictures."""
        listed = self._ask("GET", f"{_of(execution)}/files")["files"]
        return {str(each["name"]): str(each["url"]) for each in listed}

    def fetch(self, url: str, path: Path) -> None:
        """Fetch what a link of :meth:`files` stands for to ``path``, whole or not at all."""
        with atomic_file(path) as temporary:
            self._persist(lambda: self._fetch(url, temporary), _passing)

    def decide(self, execution: str, settings: Mapping[str, Any], *, recording: int = 0) -> Document:
        """Decide again from stored scores; the answer's ``decision`` is what the other methods take.

        It is named by the settings, so it is the same for every recording of the execution.
        """
        params = _which(recording, None)
        return self._ask("POST", f"{_of(execution)}/decisions", params=params, json=dict(settings))

    def predict(self, path: Path, config: Mapping[str, Any] | None = None) -> Document:
        """Send one clip of up to 4 MB and return the lab's JSON at once.

        Parameters
        ----------
        path : Path
        config : mapping, optional
            ``model`` and settings by name.
        """
        data = {"config": json.dumps(dict(config))} if config else {}
        with _opened(path) as clip:  # httpx reads it as it sends, and from its beginning when it has to go again
            return self._ask(
                "POST", "/inference/predict", files={"audio_file": (printable(path.name), clip)}, data=data
            )

    def models(self) -> list[Document]:
        """Return the models with their versions and what their aliases mean."""
        found: list[Document] = self._ask("GET", "/models")["models"]
        return found

    def model(self, name: str, version: str) -> Document:
        """Return a model, by a version or an alias."""
        return self._ask("GET", f"/models/{quoted(name, safe='')}/{quoted(version, safe='')}")

    # --- requests ------------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, **more: Any) -> Document:
        return self._answer(method, path, **more)[0]

    def _answer(
        self, method: str, path: str, *, again: Callable[[RemoteError], bool] | None = None, **more: Any
    ) -> tuple[Document, float]:
        """Return the API's document and the seconds after which it wants to be asked again."""
        if not path.startswith("/"):  # the next page, as an answer calls it: nothing may lead the key elsewhere
            raise RemoteError(f"{path!r} is not a path of this API", name="UnexpectedAnswer")

        def request() -> tuple[Document, float]:
            answer = _sound(self._api.request(method, self._url + path, **more))
            return _document(answer), _retry_after(answer)

        return self._persist(request, again or _busy)

    def _fetch(self, url: str, path: Path) -> None:
        with self._storage.stream("GET", url) as answer, path.open("wb") as file:
            if not answer.is_success:
                answer.read()
            for chunk in _sound(answer).iter_bytes(_CHUNK):
                self._check_open()
                file.write(chunk)

    def _persist(self, work: Callable[[], _T], again: Callable[[RemoteError], bool]) -> _T:
        """Do what may work the next time a few times, ever more slowly."""
        tries = 1
        while True:
            self._check_open()
            try:
                return work()
            except httpx.RequestError as error:
                failure = RemoteError(f"no answer from {_host(error)}: {_words(error)}", name="NetworkError")
            except RemoteError as error:
                failure = error
            if tries == _TRIES or not again(failure):
                raise failure
            self._sleep(max(failure.retry_after, _growing(tries - 1)))
            tries += 1

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise RemoteError("the client was closed", name="Closed")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some bytes of a file."""

    path: Path
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class _Link:
    """A link, and when it came, in seconds since 1970."""

    url: str
    taken: float


class _Links:
    """The links of a page of parts. However many parts find theirs expired at once, the page is asked for once."""

    def __init__(self, page: Document, ask: Callable[[], Document]) -> None:
        self._ask = ask
        self._lock = Lock()
        self._take(page)

    def link(self, number: int) -> _Link:
        with self._lock:
            return self._links[number]

    def renew(self, number: int, stale: str) -> None:
        with self._lock:
            if self._links[number].url == stale:  # else another part was faster
                self._take(self._ask())

    def _take(self, page: Document) -> None:
        taken = time.time()
        self._links = {part["number"]: _Link(part["url"], taken) for part in page["parts"]}


# --- what may be tried again -------------------------------------------------------------------------------------


def _busy(error: RemoteError) -> bool:
    """Of the API, where a second request does no harm."""
    return error.name == "NetworkError" or error.http_status in {429, 502, 503, 504}


def _throttled(error: RemoteError) -> bool:
    """Of the API, where it does: the answer to the first may be lost, and the second be 409."""
    return error.http_status == httpx.codes.TOO_MANY_REQUESTS


def _passing(error: RemoteError) -> bool:
    """Of S3. ``RequestTimeout``, 400, is its word for a connection that stood still; ``ConditionalRequestConflict``,
    409, for another request that writes the same object at the same time.
    """
    return (
        error.name in {"NetworkError", "RequestTimeout", "ConditionalRequestConflict"}
        or error.http_status == httpx.codes.TOO_MANY_REQUESTS
        or error.http_status >= httpx.codes.INTERNAL_SERVER_ERROR
    )


def _expired(error: RemoteError) -> bool:
    """Of S3: a link does not outlive the credentials that signed it, which is ``ExpiredToken``, 400."""
    return error.http_status == httpx.codes.FORBIDDEN or error.name == "ExpiredToken"


def _growing(count: int) -> float:
    """Return seconds until the next try or poll: 1 at first, 15 at most, and not all clients at once."""
    return float(min(15.0, 1.5**count) * random.uniform(0.75, 1.25))


# --- requests and answers ----------------------------------------------------------------------------------------


def _checked_url(url: str) -> str:
    url = url.strip().rstrip("/")
    with suppress(httpx.InvalidURL):
        parsed = httpx.URL(url)
        if parsed.scheme in {"http", "https"} and parsed.host:
            return url
    raise InvalidRequest(f"{url!r} is not the address of an API; give the stack's output ApiUrl, https://...")


def _checked_key(key: str) -> str:
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise InvalidRequest("this cannot be an API key: it is empty or has strange characters; copy it again")
    return key


def _of(execution: str) -> str:
    return f"/executions/{quoted(execution, safe='')}"


def _which(recording: int, decision: str | None) -> Document:
    return {"recording": recording} | ({} if decision is None else {"decision": decision})


def _order(
    uploads: Sequence[str], model: str | None, settings: Mapping[str, Any] | None, webhook: str | None
) -> Document:
    given = {"model": model, "settings": dict(settings or {}) or None, "webhook": webhook}
    return {"recordings": list(uploads), **{name: value for name, value in given.items() if value is not None}}


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read; whatever the disk says, then or later, is one error with its name."""
    try:
        check_is_file(path, printable(str(path)))
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise RecordingNotFound(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _sound(answer: httpx.Response) -> httpx.Response:
    """Return a good answer; raise what a bad one says, in the API's JSON or in S3's XML."""
    if answer.is_success:
        return answer
    said: Document = {}
    with suppress(ValueError):
        parsed = json.loads(answer.text)
        said = parsed if isinstance(parsed, dict) else {}
    code, words = (re.search(rf"<{tag}>([^<]*)</{tag}>", answer.text) for tag in ("Code", "Message"))
    raise RemoteError(
        str(said.get("message") or (words and words[1]) or f"{answer.url.host} answered {answer.status_code}"),
        name=str(said.get("error") or (code and code[1]) or "UnexpectedAnswer"),
        http_status=answer.status_code,
        details=tuple(said.get("details") or ()),
        request_id=said.get("request_id"),
        retry_after=_retry_after(answer),
    )


def _document(answer: httpx.Response) -> Document:
    with suppress(ValueError):
        found = answer.json()
        if isinstance(found, dict):
            return found
    raise RemoteError(
        f"{answer.url.host} answered something else than this API does; check the address",
        name="UnexpectedAnswer",
        http_status=answer.status_code,
    )


def _retry_after(answer: httpx.Response) -> float:
    """Return the seconds of ``Retry-After``, which may be a date; nobody waits longer than an hour."""
    value = answer.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return 0.0
    return min(_LONGEST_PAUSE, max(0.0, seconds))


def _host(error: httpx.RequestError) -> str:
    try:
        return error.request.url.host
    except RuntimeError:
        return "the API"


def _words(error: httpx.RequestError) -> str:
    return str(error) or type(error).__name__
