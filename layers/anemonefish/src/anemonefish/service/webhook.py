"""Call the webhook of an execution that has ended: one signed POST.

The host is resolved once, every address must be public, and the connection goes to one of these addresses, so a name
server cannot answer with a private address the second time. The certificate is checked against the host name. A
delivery ends within fifteen seconds. Redirects are not followed, only the head of the answer is read, and messages
leave out path and query of the URL, because they may hold a token.

``webhook-id`` names the event, so it is the same in every attempt; ``webhook-timestamp`` is the time of the attempt.
"""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from anemonefish.cloud.correlation import is_correlation_id
from anemonefish.errors import AnemonefishError, InvalidRequest
from anemonefish.service.webhook_address import WebhookTarget, is_public, parse_url
from anemonefish.service.webhook_signing import sign

__all__ = [
    "NoticeFailed",
    "NoticeRefused",
    "WebhookMessage",
    "deliver",
    "encode_payload",
    "parse_message",
]

_SECONDS = 15.0
"""Time limit of a delivery: resolving the host, connecting and the answer."""

_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
"""Without a full stop: the signed text is ``id.timestamp.body``, so a full stop in the id would make it ambiguous."""

_MOST_HEAD_BYTES = 16_384
"""Largest head of an answer; only its status line is used."""


class NoticeFailed(AnemonefishError):
    """A delivery failed; a later attempt may succeed."""

    status = 502
    retryable = True


class NoticeRefused(AnemonefishError):
    """A delivery was refused, by us or by the receiver; another attempt would have the same result."""

    status = 400


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A payload with its destination.

    Attributes
    ----------
    id : str
        Id of the event, the same in every attempt.
    url : str
        The webhook.
    body : bytes
        The payload, encoded by :func:`encode_payload`.
    correlation_id : str or None
        Joins its log lines with those of the execution; it is not sent.
    """

    id: str
    url: str
    body: bytes
    correlation_id: str | None = None


def encode_payload(payload: Mapping[str, Any]) -> bytes:
    """Return a payload as JSON bytes; the same bytes are signed and sent."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def parse_message(text: str) -> WebhookMessage:
    """Read a message of the queue, ``{"id", "url", "notice"}``, which may have a ``correlation_id``.

    Parameters
    ----------
    text : str
        JSON. The id consists of letters, digits, hyphens and underscores; ``notice`` is the payload, an object.

    Raises
    ------
    InvalidRequest
        The text has another form.
    """
    try:
        queued = json.loads(text)
        json.dumps(queued, ensure_ascii=False, allow_nan=False).encode()  # no half of a surrogate pair, no NaN
    except (ValueError, RecursionError):
        queued = None
    if (
        not isinstance(queued, dict)
        or not isinstance(queued.get("id"), str)
        or _MESSAGE_ID.fullmatch(queued["id"]) is None
        or not isinstance(queued.get("url"), str)
        or not isinstance(queued.get("notice"), dict)
    ):
        raise InvalidRequest(
            "a queued message must be JSON with an id of letters, digits, - and _, a url, and an object called notice"
        )
    correlation_id = queued.get("correlation_id")
    return WebhookMessage(
        queued["id"],
        queued["url"],
        encode_payload(queued["notice"]),
        correlation_id if is_correlation_id(correlation_id) else None,
    )


def deliver(
    message: WebhookMessage,
    keys: Sequence[bytes],
    *,
    now: int | None = None,
    is_allowed: Callable[[str], bool] = is_public,
    context: ssl.SSLContext | None = None,
) -> int:
    """Send a message and return the status of the answer, which is 2xx.

    Parameters
    ----------
    message : WebhookMessage
    keys : sequence of bytes
        From :func:`anemonefish.service.webhook_signing.signing_keys`.
    now : int, optional
        Unix seconds of this attempt; the current time unless given.
    is_allowed : callable
        Returns whether an IP address may be called.
    context : ssl.SSLContext, optional
        Trusts the system's certificate authorities unless given.

    Raises
    ------
    InvalidRequest
        The URL is not acceptable.
    NoticeRefused
        An address is not public, or the answer was a redirect or 4xx other than 408 and 429.
    NoticeFailed
        The answer was 408, 429 or 5xx, or there was none in time.
    """
    target, deadline = parse_url(message.url), time.monotonic() + _SECONDS
    timestamp = int(time.time()) if now is None else now
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "anemonefish",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(keys, message.id, timestamp, message.body),
        "Connection": "close",
    }
    try:
        addresses = _resolve(target, deadline)
        _check_addresses(target, addresses, is_allowed)
        with _connect(target, addresses, deadline, context or ssl.create_default_context()) as connection:
            status = _post(connection, target, message.body, headers, deadline)
    except (OSError, http.client.HTTPException) as error:  # errors of TLS, resolution and timeouts are OSErrors
        raise NoticeFailed(f"{target.host}:{target.port}: {_reason(error)}; the payload did not arrive") from None
    _raise_for_status(target, status)
    return status


def _remaining(deadline: float) -> float:
    """Return the seconds until the deadline; raise :class:`TimeoutError` after it."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_SECONDS:.0f} seconds"
    return str(error)[:200] or type(error).__name__  # the text may quote the receiver


_Address = tuple[socket.AddressFamily, Any]
"""A family, and the address that a socket of this family connects to."""


def _resolve(target: WebhookTarget, deadline: float) -> list[_Address]:
    """Return every address of the host; it is resolved once for a delivery."""
    pool = ThreadPoolExecutor(1)  # getaddrinfo has no timeout
    try:
        lookup = pool.submit(socket.getaddrinfo, target.host, target.port, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in lookup.result(_remaining(deadline))]
    finally:
        pool.shutdown(wait=False)


def _check_addresses(target: WebhookTarget, addresses: list[_Address], is_allowed: Callable[[str], bool]) -> None:
    for _, address in addresses:
        if not is_allowed(str(address[0])):
            raise NoticeRefused(f"{target.host} has the address {address[0]}, which is not public; name a public host")


def _connect(
    target: WebhookTarget, addresses: list[_Address], deadline: float, context: ssl.SSLContext
) -> ssl.SSLSocket:
    """Connect to the first address that accepts; each gets an equal share of the time that is left."""
    failure: OSError = OSError("it has no address")
    for tried, (family, address) in enumerate(addresses):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(_remaining(deadline) / (len(addresses) - tried))
            connection.connect(address)
            connection.settimeout(_remaining(deadline))
            return context.wrap_socket(connection, server_hostname=target.host)  # closes it when it fails
        except ssl.SSLError:
            connection.close()
            raise
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def _post(
    connection: ssl.SSLSocket, target: WebhookTarget, body: bytes, headers: Mapping[str, str], deadline: float
) -> int:
    """Send the request and return the status of the answer."""
    client = http.client.HTTPSConnection(target.host, target.port, context=connection.context)
    client.sock = connection  # uses this connection instead of opening another
    connection.settimeout(_remaining(deadline))
    client.request("POST", target.path, body=body, headers=headers)
    answer = http.client.HTTPResponse(cast(socket.socket, _LimitedReader(connection, deadline)), method="POST")
    answer.begin()
    return answer.status


class _LimitedReader(io.RawIOBase):
    """Reads an answer until the deadline, and at most the size of a head."""

    def __init__(self, connection: ssl.SSLSocket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._room = _MOST_HEAD_BYTES

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the reader that ``http.client`` asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Return True: ``io.BufferedReader`` asks before it reads."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read bytes that have arrived; the deadline stays the same however slowly they come."""
        if not self._room:
            raise OSError(f"the head of the answer is longer than {_MOST_HEAD_BYTES} bytes")
        self._connection.settimeout(_remaining(self._deadline))
        count = self._connection.recv_into(memoryview(buffer)[: self._room])
        self._room -= count
        return count


def _raise_for_status(target: WebhookTarget, status: int) -> None:
    """Raise for every status other than 2xx."""
    if 200 <= status < 300:
        return
    if status in {408, 429} or status >= 500:
        raise NoticeFailed(f"{target.host}:{target.port}: answered {status}; the payload did not arrive")
    if 300 <= status < 400:
        raise NoticeRefused(
            f"{target.host}:{target.port}: answered {status}; redirects are not followed, name the target"
        )
    raise NoticeRefused(f"{target.host}:{target.port}: answered {status}; it must answer 2xx")
