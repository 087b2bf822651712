"""The client of the API: upload recordings, start an execution, wait, fetch results, decide again, predict.

Owns retries, parts and polling, as the JavaScript client does. What the answers hold is told by the API itself (``GET
/docs``); they are handed on as they come. Memory holds some parts of a file, never the file. The key goes to the API
only: links of S3 get none, and no redirect is followed with it. Prints nothing and asks nobody.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from xml.etree import ElementTree

import httpx

from anemonefish.errors import AnemonefishError, RecordingNotFound
from anemonefish.stores.local import atomic_file

__all__ = ["ENDED", "Remote", "RemoteError"]

Document = dict[str, Any]
_T = TypeVar("_T")

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
"""Words of an execution that will not change by itself."""

_TRIES = 6
_PARTS_AT_ONCE = 4
_THROTTLED = frozenset({429})
_PASSING = frozenset({429, 502, 503, 504})
_STORAGE_PASSING = frozenset({429, 500, 502, 503, 504})
_CHUNK = 1 << 20
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)


class RemoteError(AnemonefishError):
    """What the API, or the storage it points to, answered instead of what was asked for.

    Attributes
    ----------
    name : str
        The API's name of the error; ``NetworkError`` where nobody answered.
    status : int
        HTTP status, 0 where nobody answered.
    details : tuple of dict
        ``{"field", "message"}`` each.
    request_id : str or None
    retry_after : float
        Seconds after which to try again.
    """

    def __init__(
        self,
        name: str,
        message: str,
        *,
        status: int = 0,
        details: Sequence[Document] = (),
        request_id: str | None = None,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.name = name
        self.status = status  # type: ignore[misc]  # of a class of ours it is fixed, of an answer it is what came
        self.details = tuple(details)
        self.request_id = request_id
        self.retry_after = retry_after


class Remote:
    """One API, called with one key.

    Parameters
    ----------
    url : str
        The stack's output ``ApiUrl``.
    key : str
        An API key.
    sleep : callable
        How to wait, in seconds; for tests.
    """

    def __init__(self, url: str, key: str, *, sleep: Callable[[float], object] = time.sleep) -> None:
        limits = httpx.Limits(max_connections=32)
        headers = {"x-api-key": key, "accept": "application/json"}
        self._api = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=_TIMEOUT, limits=limits)
        self._storage = httpx.Client(timeout=_TIMEOUT, limits=limits)
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections."""
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
        self, path: Path, *, resume: str | None = None, progress: Callable[[int], object] = lambda _: None
    ) -> Document:
        """Upload a recording; return the complete upload.

        Parameters
        ----------
        path : Path
        resume : str, optional
            Id of an earlier upload of this file in parts: what has arrived is not sent again.
        progress : callable
            Called with bytes that have arrived, from several threads.

        Raises
        ------
        RecordingNotFound
            The file cannot be read.
        RemoteError
        """
        try:
            size = path.stat().st_size
            with path.open("rb"):
                pass
        except OSError as error:
            raise RecordingNotFound(f"{path}: cannot be read ({error.strerror}); check the path") from None
        upload = self._reopen(resume) if resume else self._open(path.name, size)
        if upload["size"] != size:
            raise RemoteError("OtherFile", f"{path}: has {size} bytes, upload {resume} is of {upload['size']}")
        if upload["status"] == "COMPLETE":
            progress(size)
            return upload
        if upload["multipart"] is None:
            self._put(upload["put"]["url"], path.read_bytes(), upload["put"]["headers"])
            progress(size)
        else:
            self._send_parts(path, upload["id"], upload["multipart"], progress)
        return self._ask("POST", f"/uploads/{upload['id']}/complete")

    def _open(self, filename: str, size: int) -> Document:
        return self._ask("POST", "/uploads", json={"filename": filename, "size": size})

    def _reopen(self, identifier: str) -> Document:
        upload = self._ask("GET", f"/uploads/{identifier}")
        if upload["status"] == "OPEN":
            upload["multipart"] = self._ask("GET", f"/uploads/{identifier}/parts")
        return upload

    def _send_parts(self, path: Path, identifier: str, page: Document, progress: Callable[[int], object]) -> None:
        """Send what is missing, page by page: links are asked for when their turn comes, for they hold for an hour."""
        size = page["parts"][0]["size"]  # all but the last are alike

        def send(part: Document) -> None:
            if part["etag"] is None:
                with path.open("rb") as file:
                    file.seek((part["number"] - 1) * size)
                    self._send_part(identifier, part, file.read(part["size"]))
            progress(part["size"])

        with ThreadPoolExecutor(_PARTS_AT_ONCE) as pool:
            while True:
                list(pool.map(send, page["parts"]))
                if page["next"] is None:
                    return
                page = self._ask("GET", page["next"])

    def _send_part(self, identifier: str, part: Document, data: bytes) -> None:
        try:
            self._put(part["url"], data, {})
        except RemoteError as error:
            # The link, or the credentials that signed it, are over. A fresh one is refused for a better reason.
            if error.status != httpx.codes.FORBIDDEN and error.name != "ExpiredToken":
                raise
            fresh = self._ask("GET", f"/uploads/{identifier}/parts", params={"from": part["number"]})
            self._put(fresh["parts"][0]["url"], data, {})

    def _put(self, url: str, data: bytes, headers: Mapping[str, str]) -> None:
        self._persist(lambda: _sound(self._storage.put(url, content=data, headers=headers)), _STORAGE_PASSING)

    # --- executions ----------------------------------------------------------------------------------------------

    def start(
        self, uploads: Sequence[str], *, model: str | None = None, settings: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Document:  # fmt: skip
        """Start an execution of complete uploads.

        Parameters
        ----------
        uploads : sequence of str
            Ids.
        model : str, optional
            ``name``, ``name@alias`` or ``name@version``.
        settings : mapping, optional
            By name.
        key : str, optional
            Idempotency-Key; a fresh one unless given, so that a retry never starts a second execution.
        """
        headers = {"idempotency-key": key or str(uuid.uuid4())}
        return self._ask("POST", "/executions", json=_order(uploads, model, settings), headers=headers)

    def quote(
        self, uploads: Sequence[str], *, model: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> Document:
        """Return ranges, seconds and USD to expect; start nothing."""
        return self._ask("POST", "/executions", json=_order(uploads, model, settings), params={"dry_run": "true"})

    def status(self, execution: str) -> Document:
        """Return an execution as it stands."""
        return self._ask("GET", f"/executions/{execution}")

    def wait(self, execution: str, progress: Callable[[Document], object] = lambda _: None) -> Document:
        """Poll until an execution has ended, however it did; call ``progress`` with every answer."""
        polls = 0
        while True:
            answer = self._call("GET", f"/executions/{execution}")
            found: Document = answer.json()
            progress(found)
            if found["status"] in ENDED:
                return found
            self._sleep(max(_retry_after(answer), _growing(polls)))
            polls += 1

    def executions(self) -> Iterator[Document]:
        """Yield all executions, newest first, page by page."""
        following: str | None = "/executions?limit=100"
        while following is not None:
            page = self._ask("GET", following)
            yield from page["executions"]
            following = page["next"]

    def cancel(self, execution: str) -> Document:
        """Stop an execution; what is scored stays."""
        return self._ask("DELETE", f"/executions/{execution}", passing=_THROTTLED)

    def resume(self, execution: str) -> Document:
        """Start an ended execution again, for what it lacks."""
        return self._ask("POST", f"/executions/{execution}/resume", passing=_THROTTLED)

    # --- results -------------------------------------------------------------------------------------------------

    def results(self, execution: str, *, recording: int = 0, decision: str | None = None) -> Document:
        """Return events, metadata and, while they are few, predictions of a recording."""
        return self._ask("GET", f"/executions/{execution}/results", params=_which(recording, decision))

    def decide(self, execution: str, settings: Mapping[str, Any], *, recording: int = 0) -> Document:
        """Decide again from stored scores; the answer's ``decision`` is what the others take."""
        return self._ask(
            "POST", f"/executions/{execution}/decisions", params=_which(recording, None), json=dict(settings)
        )

    def download(
        self, execution: str, form: str, path: Path, *, recording: int = 0, decision: str | None = None
    ) -> Path:
        """Fetch a result file to ``path``, whole or not at all."""
        which = _which(recording, decision) | {"format": form, "redirect": "false"}
        link = self._ask("GET", f"/executions/{execution}/results", params=which)
        with atomic_file(path) as temporary:
            self._persist(lambda: self._fetch(link["url"], temporary), _STORAGE_PASSING)
        return path

    def predict(self, path: Path, config: Mapping[str, Any] | None = None) -> Document:
        """Send one clip of a few megabytes and return the lab's JSON."""
        try:
            files = {"audio_file": (path.name, path.read_bytes(), "application/octet-stream")}
        except OSError as error:
            raise RecordingNotFound(f"{path}: cannot be read ({error.strerror}); check the path") from None
        data = {"config": json.dumps(config)} if config else {}
        return self._ask("POST", "/inference/predict", files=files, data=data)

    def models(self) -> list[Document]:
        """Return the models with their versions and aliases."""
        found: list[Document] = self._ask("GET", "/models")["models"]
        return found

    # --- requests ------------------------------------------------------------------------------------------------

    def _ask(self, method: str, path: str, *, passing: frozenset[int] = _PASSING, **more: Any) -> Document:
        found: Document = self._call(method, path, passing=passing, **more).json()
        return found

    def _call(self, method: str, path: str, *, passing: frozenset[int] = _PASSING, **more: Any) -> httpx.Response:
        return self._persist(lambda: _sound(self._api.request(method, path, **more)), passing)

    def _fetch(self, url: str, path: Path) -> None:
        with self._storage.stream("GET", url) as answer, path.open("wb") as file:
            if answer.is_error:
                answer.read()
            _sound(answer)
            for chunk in answer.iter_bytes(_CHUNK):
                file.write(chunk)

    def _persist(self, work: Callable[[], _T], passing: frozenset[int]) -> _T:
        """Do what may work the next time a few times, ever more slowly.

        An answer that got lost is asked for again, unless asking twice could do harm: then only a throttle passes.
        """
        for tries in range(1, _TRIES + 1):
            try:
                return work()
            except httpx.TransportError as error:
                failure = RemoteError("NetworkError", f"no answer from {_host(error)}: {error or type(error).__name__}")
                again = passing != _THROTTLED
            except RemoteError as error:
                failure, again = error, error.status in passing or error.name == "RequestTimeout"
            if not again or tries == _TRIES:
                raise failure
            self._sleep(max(failure.retry_after, _growing(tries - 1)))
        raise AssertionError("the last try returns or raises")


def _order(uploads: Sequence[str], model: str | None, settings: Mapping[str, Any] | None) -> Document:
    order: Document = {"recordings": list(uploads)}
    if model is not None:
        order["model"] = model
    if settings:
        order["settings"] = dict(settings)
    return order


def _which(recording: int, decision: str | None) -> Document:
    return {"recording": recording} | ({} if decision is None else {"decision": decision})


def _sound(answer: httpx.Response) -> httpx.Response:
    """Return a good answer; raise what a bad one says, in the API's JSON or in S3's XML."""
    if answer.is_success:
        return answer
    name, message, more = f"HTTP {answer.status_code}", f"{answer.url.host} answered {answer.status_code}", {}
    try:
        document = answer.json()
        name, message = document["error"], document["message"]
        more = {"details": document.get("details") or (), "request_id": document.get("request_id")}
    except (ValueError, KeyError, TypeError):
        name, message = _of_xml(answer.text) or (name, message)
    raise RemoteError(name, message, status=answer.status_code, retry_after=_retry_after(answer), **more)


def _of_xml(text: str) -> tuple[str, str] | None:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    code = root.findtext("Code")
    return None if code is None else (code, root.findtext("Message") or code)


def _retry_after(answer: httpx.Response) -> float:
    try:
        return min(3600.0, max(0.0, float(answer.headers.get("retry-after", "0"))))
    except ValueError:
        return 0.0


def _growing(count: int) -> float:
    """Return seconds until the next try or poll: 1 at first, 15 at most, and not all clients at once."""
    return min(15.0, 1.5**count) * random.uniform(0.75, 1.25)


def _host(error: httpx.TransportError) -> str:
    try:
        return error.request.url.host
    except RuntimeError:
        return "the API"
