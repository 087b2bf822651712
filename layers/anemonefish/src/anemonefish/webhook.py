"""The notice at the end of an execution: one signed POST to the URL that its owner named.

Owns which URLs are called, how a notice is signed and what an answer means. The URL is a stranger's words, so its
name is looked up once, every address it has must be public, and the connection goes to one of these very addresses:
a name that answers differently the second time is not asked twice. The certificate is checked against the name.
Promises to be done after ten seconds. Never follows a redirect, never reads more of an answer than its head, never
puts a path or a query into a message, because they may hold a token.

What to refuse: IANA's registries of special-purpose IPv4 and IPv6 addresses (RFC 6890), and the transitions that wrap
an IPv4 address into an IPv6 one: mapped (RFC 4291), 6to4 (RFC 3056), NAT64 (RFC 6052).
"""

from __future__ import annotations

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
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from anemonefish.errors import AnemonefishError, InvalidRequest

__all__ = ["NoticeFailed", "NoticeRefused", "check_url", "deliver", "is_public", "notice_body", "parse_message", "sign"]

_SECONDS = 10.0
"""For everything: the look-up, the connection, the answer."""

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


def parse_message(text: str) -> tuple[str, bytes]:
    """Return the URL and the body of a queued ``{"url", "notice"}``.

    Raises
    ------
    InvalidRequest
        It is something else.
    """
    try:
        message = json.loads(text)
    except ValueError:
        message = None
    if (
        not isinstance(message, dict)
        or not isinstance(message.get("url"), str)
        or not isinstance(message.get("notice"), dict)
    ):
        raise InvalidRequest("a queued notice must be JSON with a url and an object called notice")
    return message["url"], notice_body(message["notice"])


def sign(secret: bytes, timestamp: int, body: bytes) -> str:
    """Return ``v1=`` and the hexadecimal HMAC-SHA256 of ``{timestamp}.{body}``."""
    return "v1=" + hmac.new(secret, b"%d.%b" % (timestamp, body), hashlib.sha256).hexdigest()


def deliver(
    url: str,
    body: bytes,
    secret: bytes,
    *,
    now: int | None = None,
    public: Callable[[str], bool] = is_public,
    context: ssl.SSLContext | None = None,
) -> int:
    """Send a notice and return the status of the answer, which is 2xx.

    Parameters
    ----------
    url : str
    body : bytes
        Of :func:`notice_body`.
    secret : bytes
        What :func:`sign` signs with.
    now : int, optional
        Unix seconds of the signature; the clock's unless given.
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
    target, deadline = _target(url), time.monotonic() + _SECONDS
    timestamp = int(time.time()) if now is None else now
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "anemonefish",
        "Anemonefish-Timestamp": str(timestamp),
        "Anemonefish-Signature": sign(secret, timestamp, body),
        "Connection": "close",
    }
    try:
        addresses = _look_up(target, deadline)
        _refuse_private(target, addresses, public)
        with _connect(target, addresses, deadline, context or ssl.create_default_context()) as connection:
            status = _post(connection, target, body, headers, deadline)
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
