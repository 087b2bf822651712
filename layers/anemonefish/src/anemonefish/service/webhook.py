"""The notice at the end of an execution: one signed POST to the URL that its owner named.

Owns which URLs are called, how a notice is signed and what an answer means. The URL is a stranger's words, so its
name is looked up once, every address it has must be public, and the connection goes to one of these very addresses:
a name that answers differently the second time is not asked twice. The certificate is checked against the name.
Promises to be done after fifteen seconds. Never follows a redirect, never reads more of an answer than its head, never
puts a path or a query into a message, because they may hold a token.

A notice is signed as Standard Webhooks 1.0.0 (standardwebhooks.com) describes, so receivers verify it with a ready-made
library. Its headers are ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``. The id names the event, so it
is the same for every attempt; the timestamp is the time of the attempt.

What to refuse: IANA's registries of special-purpose IPv4 and IPv6 addresses (RFC 6890), and the transitions that wrap
an IPv4 address into an IPv6 one: mapped (RFC 4291), 6to4 (RFC 3056), NAT64 (RFC 6052).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import io
import ipaddress
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from anemonefish.errors import AnemonefishError, InvalidRequest, StorageError

__all__ = [
    "Message",
    "NoticeFailed",
    "NoticeRefused",
    "check_url",
    "deliver",
    "is_public",
    "notice_body",
    "parse_message",
    "sign",
    "signing_keys",
]

_SECONDS = 15.0
"""For everything: the look-up, the connection, the answer."""

_SECRET_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)
"""How long a key may be: Standard Webhooks asks for 192 to 512 bits."""

_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
"""Without a full stop: the signed text is ``id.timestamp.body``, so a full stop in the id would make it ambiguous."""

_LONGEST_URL = 2_048
_LONGEST_NAME = 253
_MOST_READ = 16_384
"""Bytes of an answer that are looked at. Its first line is what counts."""

_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, and where clouds keep their credentials
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved
        "2001::/23",  # protocols: Teredo and others
        "2001:db8::/32",  # documentation
        "3fff::/20",
    )
)
"""Not public, whatever the Python of the day knows of it."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is given out of IPv6. Loopback, fc00::/7 with fd00:ec2::254, link-local and multicast lie outside."""

# How far to the right the wrapped IPv4 address lies, in bits.
_WRAPPED = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
# The last label begins with a letter, so that 127.1, 2130706433 and 0x7f.1 are no names.
_NAME = re.compile(rf"(?:{_LABEL}\.)+(?=[A-Za-z]){_LABEL}")
_URL = re.compile(r"(?i:https)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:/?]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>[/?].*)?")


class NoticeFailed(AnemonefishError):
    """A notice did not arrive; a later try may."""

    status = 502
    retryable = True


class NoticeRefused(AnemonefishError):
    """A notice is not sent, or not wanted, and trying again changes nothing."""

    status = 400


@dataclass(frozen=True, slots=True)
class Message:
    """A notice with its destination.

    Attributes
    ----------
    id : str
        Identifies the event, and is therefore the same however often the notice is sent.
    url : str
        Where to send it.
    body : bytes
        What to send: the answer of :func:`notice_body`.
    """

    id: str
    url: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Target:
    """A URL taken apart."""

    host: str
    port: int
    path: str


def check_url(url: str) -> None:
    """Refuse a URL that no notice will be sent to; what its name resolves to shows at the delivery.

    Raises
    ------
    InvalidRequest
        Says what must hold.
    """
    _target(url)


def _target(url: str) -> _Target:
    if len(url) > _LONGEST_URL:
        raise InvalidRequest(f"webhook must be at most {_LONGEST_URL} characters long, not {len(url)}")
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise InvalidRequest(
            "webhook must be plain ASCII without spaces and backslashes; encode what is not (%20, xn--)"
        )
    if "#" in url:
        raise InvalidRequest("webhook must have no fragment; leave out # and what follows")
    if "@" in re.split("[/?]", url.partition("://")[2], maxsplit=1)[0]:
        raise InvalidRequest("webhook must hold no user name and no password; its calls are signed")
    found = _URL.fullmatch(url)
    if found is None:
        raise InvalidRequest("webhook must read https://host/path, or https://host:port/path")
    host, path = found["host"].lower(), found["path"] or "/"
    port = int(found["port"] or 443)
    if port != 443 and not 1_024 <= port <= 65_535:
        raise InvalidRequest(f"webhook must use port 443 or one from 1024 to 65535, not {port}")
    return _Target(_checked_host(host), port, path if path.startswith("/") else f"/{path}")


def _checked_host(host: str) -> str:
    """Return a host without the brackets of IPv6."""
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = bare != host
    try:
        ip = ipaddress.ip_address(bare)
    except ValueError:
        known = not bracketed and len(host) <= _LONGEST_NAME and _NAME.fullmatch(host) is not None
    else:
        known = bracketed == (ip.version == 6) and is_public(bare)
    if not known:
        raise InvalidRequest(f"webhook must name a public host such as hooks.example.org, not {host[:100]!r}")
    return bare


def is_public(address: str) -> bool:
    """Say whether an IP address is one that the whole internet reaches; what wraps another is judged by that."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        for network, shift in _WRAPPED:
            if ip in network:
                return is_public(str(ipaddress.IPv4Address(int(ip) >> shift & 0xFFFF_FFFF)))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not any(ip in network for network in _NETWORKS)


def notice_body(notice: Mapping[str, Any]) -> bytes:
    """Return the one way a notice is written: what is signed is what is sent."""
    return json.dumps(notice, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def parse_message(text: str) -> Message:
    """Read a queued ``{"id", "url", "notice"}``.

    Parameters
    ----------
    text : str
        JSON. The id has letters, digits, hyphens and underscores; the notice is an object.

    Raises
    ------
    InvalidRequest
        The text is something else.
    """
    try:
        queued = json.loads(text)
    except ValueError:
        queued = None
    if (
        not isinstance(queued, dict)
        or not isinstance(queued.get("id"), str)
        or _MESSAGE_ID.fullmatch(queued["id"]) is None
        or not isinstance(queued.get("url"), str)
        or not isinstance(queued.get("notice"), dict)
    ):
        raise InvalidRequest(
            "a queued notice must be JSON with an id of letters, digits, - and _, a url, and an object called notice"
        )
    return Message(queued["id"], queued["url"], notice_body(queued["notice"]))


def signing_keys(secret: str) -> tuple[bytes, ...]:
    """Decode the text of the secret into the keys that sign a notice.

    Parameters
    ----------
    secret : str
        One key, or several with spaces or line ends between them while keys are exchanged. A key is the base64 text of
        24 to 64 bytes, with or without ``whsec_`` before it and with or without its padding.

    Returns
    -------
    tuple of bytes
        At least one key, in the order of the text.

    Raises
    ------
    StorageError
        A key does not read so. The message has the position of the key and never its text.

    Examples
    --------
    >>> signing_keys("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")
    (b'012345678901234567890123',)
    """
    keys = tuple(_key(text, position) for position, text in enumerate(secret.split(), start=1))
    if not keys:
        raise StorageError(f"the webhook secret is empty; {_WANTED_KEY}")
    return keys


_WANTED_KEY = 'put "whsec_" and the base64 text of 24 to 64 random bytes into it (docs/deploy.md)'


def _key(text: str, position: int) -> bytes:
    encoded = text.removeprefix(_SECRET_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):  # the second for text that is not ASCII
        raise StorageError(f"key {position} of the webhook secret is not base64; {_WANTED_KEY}") from None
    if len(key) not in _KEY_BYTES:
        raise StorageError(f"key {position} of the webhook secret has {len(key)} bytes; {_WANTED_KEY}")
    return key


def sign(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``: one signature for each key, with spaces between.

    Each is ``v1,`` and the base64 text of the HMAC-SHA256 of ``{message_id}.{timestamp}.{body}``.

    Parameters
    ----------
    keys : sequence of bytes
        From :func:`signing_keys`.
    message_id : str
        The value of ``webhook-id``.
    timestamp : int
        Unix seconds, the value of ``webhook-timestamp``.
    body : bytes
        The body as it is sent.
    """
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    digests = (hmac.digest(key, content, hashlib.sha256) for key in keys)
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


def deliver(
    message: Message,
    keys: Sequence[bytes],
    *,
    now: int | None = None,
    public: Callable[[str], bool] = is_public,
    context: ssl.SSLContext | None = None,
) -> int:
    """Send a notice and return the status of the answer, which is 2xx.

    Parameters
    ----------
    message : Message
    keys : sequence of bytes
        What :func:`sign` signs with, from :func:`signing_keys`.
    now : int, optional
        Unix seconds of this attempt; the clock's unless given.
    public : callable
        Says of an address whether it may be called.
    context : ssl.SSLContext, optional
        One that trusts what the system trusts, unless given.

    Raises
    ------
    InvalidRequest
        The URL is none that is called.
    NoticeRefused
        The address is not public, or the answer was a redirect or 4xx other than 408 and 429.
    NoticeFailed
        The answer was 408, 429 or 5xx, or there was none in time.
    """
    target, deadline = _target(message.url), time.monotonic() + _SECONDS
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
        addresses = _look_up(target, deadline)
        _refuse_private(target, addresses, public)
        with _connect(target, addresses, deadline, context or ssl.create_default_context()) as connection:
            status = _post(connection, target, message.body, headers, deadline)
    except (OSError, http.client.HTTPException) as error:  # errors of TLS, of names and of time are OSErrors
        raise NoticeFailed(f"{target.host}:{target.port}: {_reason(error)}; the notice did not arrive") from None
    return _judge(target, status)


def _left(deadline: float) -> float:
    """Return the seconds that are left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_SECONDS:.0f} seconds"
    return str(error)[:200] or type(error).__name__  # it may quote what the other side said


_Address = tuple[socket.AddressFamily, Any]
"""A family and what its sockets connect to."""


def _look_up(target: _Target, deadline: float) -> list[_Address]:
    """Return every address of the host, from the one time that it is asked for."""
    pool = ThreadPoolExecutor(1)  # the look-up itself knows no timeout
    try:
        asked = pool.submit(socket.getaddrinfo, target.host, target.port, type=socket.SOCK_STREAM)
        return [(family, address) for family, _, _, _, address in asked.result(_left(deadline))]
    finally:
        pool.shutdown(wait=False)


def _refuse_private(target: _Target, addresses: list[_Address], public: Callable[[str], bool]) -> None:
    for _, address in addresses:
        if not public(str(address[0])):
            raise NoticeRefused(f"{target.host} has the address {address[0]}, which is not public; name a public host")


def _connect(target: _Target, addresses: list[_Address], deadline: float, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Open a connection to the first address that takes it, each with an equal share of the time."""
    failure: OSError = OSError("it has no address")
    for tried, (family, address) in enumerate(addresses):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(_left(deadline) / (len(addresses) - tried))
            connection.connect(address)
            connection.settimeout(_left(deadline))
            return context.wrap_socket(connection, server_hostname=target.host)  # closes it when it fails
        except ssl.SSLError:
            connection.close()
            raise
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def _post(connection: ssl.SSLSocket, target: _Target, body: bytes, headers: Mapping[str, str], deadline: float) -> int:
    """Send the request and return the status of the answer."""
    client = http.client.HTTPSConnection(target.host, target.port, context=connection.context)
    client.sock = connection  # so that it opens none of its own
    connection.settimeout(_left(deadline))
    client.request("POST", target.path, body=body, headers=headers)
    answer = http.client.HTTPResponse(cast(socket.socket, _Bounded(connection, deadline)), method="POST")
    answer.begin()
    return answer.status


class _Bounded(io.RawIOBase):
    """What the other side may say: for as long as there is time, and not more than a head takes."""

    def __init__(self, connection: ssl.SSLSocket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline
        self._room = _MOST_READ

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the reader that the HTTP client asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come; a byte now and then does not prolong the time."""
        if not self._room:
            raise OSError(f"the head of the answer is longer than {_MOST_READ} bytes")
        self._connection.settimeout(_left(self._deadline))
        count = self._connection.recv_into(memoryview(buffer)[: self._room])
        self._room -= count
        return count


def _judge(target: _Target, status: int) -> int:
    """Return a status that is 2xx; raise for any other."""
    if 200 <= status < 300:
        return status
    if status in {408, 429} or status >= 500:
        raise NoticeFailed(f"{target.host}:{target.port}: answered {status}; the notice did not arrive")
    if 300 <= status < 400:
        raise NoticeRefused(
            f"{target.host}:{target.port}: answered {status}; redirects are not followed, name the target"
        )
    raise NoticeRefused(f"{target.host}:{target.port}: answered {status}; it must answer 2xx")
