"""Send HTTP requests to the API and to S3: one request, its retries and its errors.

Every failed request is raised as :class:`~anemonefish.errors.RemoteError`. The API key is sent to the API only:
requests to S3 carry none, and redirects are not followed.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import httpx

from anemonefish.errors import InvalidRequest, RemoteError

__all__ = ["Document", "Transport", "backoff", "is_expired_link", "retry_api", "retry_s3", "retry_unsafe"]

Document = dict[str, Any]
"""A JSON object of the API."""

_T = TypeVar("_T")

CHUNK_BYTES = 1 << 18
_TRIES = 6
_LONGEST_PAUSE = 3600.0
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_LIMITS = httpx.Limits(max_connections=64)


class Transport:
    """Connections to one API and to S3; several threads may share it.

    Parameters
    ----------
    url : str
        Address of the API.
    key : str
        An API key.
    sleep : callable, optional
        Waits for a number of seconds; for tests.

    Raises
    ------
    InvalidRequest
        The url or the key is malformed.
    """

    def __init__(self, url: str, key: str, *, sleep: Callable[[float], object] | None = None) -> None:
        self._url = _check_url(url)
        headers = {"x-api-key": _check_key(key), "accept": "application/json"}
        self._api = httpx.Client(headers=headers, timeout=_TIMEOUT, limits=_LIMITS, follow_redirects=False)
        self._s3 = httpx.Client(timeout=_TIMEOUT, limits=_LIMITS, follow_redirects=False)
        self._closed = Event()
        self.sleep = sleep or self._closed.wait

    def close(self) -> None:
        """Close the connections; requests of other threads end with an error."""
        self._closed.set()
        self._api.close()
        self._s3.close()

    def check_open(self) -> None:
        """Raise :class:`RemoteError` after :meth:`close`."""
        if self._closed.is_set():
            raise RemoteError("the client was closed", name="Closed")

    def ask(self, method: str, path: str, **options: Any) -> Document:
        """Send a request to the API and return its answer; see :meth:`ask_with_pause`."""
        return self.ask_with_pause(method, path, **options)[0]

    def ask_with_pause(
        self, method: str, path: str, *, is_retryable: Callable[[RemoteError], bool] | None = None, **options: Any
    ) -> tuple[Document, float]:
        """Send a request to the API.

        Parameters
        ----------
        method, path : str
        is_retryable : callable, optional
            Returns whether the request is sent again after an error; :func:`retry_api` unless given.
        **options
            Options of :meth:`httpx.Client.request`.

        Returns
        -------
        document : dict
        pause : float
            Seconds to wait before the next poll, from ``Retry-After``.
        """
        if not path.startswith("/"):  # a path from an answer must not send the key to another host
            raise RemoteError(f"{path!r} is not a path of this API", name="UnexpectedAnswer")

        def send() -> tuple[Document, float]:
            answer = _raise_for_status(self._api.request(method, self._url + path, **options))
            return _parse_document(answer), _retry_after(answer)

        return self.retry(send, is_retryable or retry_api)

    def put(self, url: str, content: Iterable[bytes], headers: Mapping[str, str]) -> None:
        """Send bytes to a link of S3, without a retry."""
        _raise_for_status(self._s3.put(url, content=content, headers=headers))

    def download(self, url: str, path: Path) -> None:
        """Download a link of S3 into a file."""

        def receive() -> None:
            with self._s3.stream("GET", url) as answer, path.open("wb") as file:
                if not answer.is_success:
                    answer.read()
                for chunk in _raise_for_status(answer).iter_bytes(CHUNK_BYTES):
                    self.check_open()
                    file.write(chunk)

        self.retry(receive, retry_s3)

    def retry(self, work: Callable[[], _T], is_retryable: Callable[[RemoteError], bool]) -> _T:
        """Call ``work`` until it succeeds: up to six times, with growing pauses, while its errors are retryable."""
        tries = 1
        while True:
            self.check_open()
            try:
                return work()
            except httpx.RequestError as error:
                reason = str(error) or type(error).__name__
                failure = RemoteError(f"no answer from {_host(error)}: {reason}", name="NetworkError")
            except RemoteError as error:
                failure = error
            if tries == _TRIES or not is_retryable(failure):
                raise failure
            self.sleep(max(failure.retry_after, backoff(tries - 1)))
            tries += 1


def retry_api(error: RemoteError) -> bool:
    """Return whether to retry a request to the API that may be sent twice.

    API Gateway answers 500 with ``Retry-After`` when it could not call a function; a 500 of a function has none.
    """
    asked_to = error.http_status == httpx.codes.INTERNAL_SERVER_ERROR and error.retry_after > 0
    return error.name == "NetworkError" or asked_to or error.http_status in {429, 502, 503, 504}


def retry_unsafe(error: RemoteError) -> bool:
    """Return whether to retry a request to the API that must not be sent twice.

    If the answer to the first request was lost, the second one would be answered with 409.
    """
    return error.http_status == httpx.codes.TOO_MANY_REQUESTS


def retry_s3(error: RemoteError) -> bool:
    """Return whether to retry a request to S3.

    ``RequestTimeout`` (400) means that the connection was idle for too long, and ``ConditionalRequestConflict`` (409)
    that another request writes the same object at the same time.
    """
    return (
        error.name in {"NetworkError", "RequestTimeout", "ConditionalRequestConflict"}
        or error.http_status == httpx.codes.TOO_MANY_REQUESTS
        or error.http_status >= httpx.codes.INTERNAL_SERVER_ERROR
    )


def is_expired_link(error: RemoteError) -> bool:
    """Return whether S3 may have refused a link because it expired.

    A link expires with the credentials that signed it, which S3 answers with ``ExpiredToken`` (400).
    """
    return error.http_status == httpx.codes.FORBIDDEN or error.name == "ExpiredToken"


def backoff(count: int) -> float:
    """Return the pause after ``count`` tries or polls in seconds: about 1 at first, at most about 15, with jitter."""
    return float(min(15.0, 1.5**count) * random.uniform(0.75, 1.25))


def _check_url(url: str) -> str:
    url = url.strip().rstrip("/")
    with suppress(httpx.InvalidURL):
        parsed = httpx.URL(url)
        if parsed.scheme in {"http", "https"} and parsed.host:
            return url
    raise InvalidRequest(f"{url!r} is not the address of an API; give the stack's output ApiUrl, https://...")


def _check_key(key: str) -> str:
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable():
        raise InvalidRequest("this cannot be an API key: it is empty or has unusual characters; copy it again")
    return key


def _raise_for_status(answer: httpx.Response) -> httpx.Response:
    """Return a successful answer; raise the error that another one holds, in the API's JSON or in S3's XML."""
    if answer.is_success:
        return answer
    document: Document = {}
    with suppress(ValueError):
        parsed = json.loads(answer.text)
        document = parsed if isinstance(parsed, dict) else {}
    code, message = (re.search(rf"<{tag}>([^<]*)</{tag}>", answer.text) for tag in ("Code", "Message"))
    default = f"{answer.url.host} answered {answer.status_code}"
    raise RemoteError(
        str(document.get("message") or (message and message[1]) or default),
        name=str(document.get("error") or (code and code[1]) or "UnexpectedAnswer"),
        http_status=answer.status_code,
        details=tuple(document.get("details") or ()),
        request_id=document.get("request_id"),
        retry_after=_retry_after(answer),
    )


def _parse_document(answer: httpx.Response) -> Document:
    with suppress(ValueError):
        document = answer.json()
        if isinstance(document, dict):
            return document
    raise RemoteError(
        f"{answer.url.host} sent an answer that is not a JSON object; check the address of the API",
        name="UnexpectedAnswer",
        http_status=answer.status_code,
    )


def _retry_after(answer: httpx.Response) -> float:
    """Return the seconds of ``Retry-After``, which may be a number or a date; at most an hour."""
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
