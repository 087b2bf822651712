"""Check the URL of a webhook, and that its host has public IP addresses only.

A tenant chooses the URL, so it could name a host inside the account (server-side request forgery). The URL must be
https without credentials, and every address of its host must be public.

The networks that are refused are those of IANA's special-purpose registries (RFC 6890). An IPv6 address that contains
an IPv4 address is checked by that: mapped (RFC 4291), 6to4 (RFC 3056) and NAT64 (RFC 6052).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from anemonefish.errors import InvalidRequest

__all__ = ["WebhookTarget", "check_url", "is_public", "parse_url"]

_LONGEST_URL = 2_048
_LONGEST_HOST = 253

_PRIVATE_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, with the metadata services of clouds
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
"""Networks that are not public; ``ipaddress.is_global`` of some Python versions does not know all of them."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""The assigned public part of IPv6; loopback, fc00::/7 (with fd00:ec2::254), link-local and multicast lie outside."""

# IPv6 networks whose addresses contain an IPv4 address, and how many bits it is shifted to the left.
_WITH_IPV4 = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
# The last label begins with a letter, so 127.1, 2130706433 and 0x7f.1 are not host names.
_HOST = re.compile(rf"(?:{_LABEL}\.)+(?=[A-Za-z]){_LABEL}")
_URL = re.compile(r"(?i:https)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:/?]+)(?::(?P<port>[0-9]{1,5}))?(?P<path>[/?].*)?")


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """The parts of a webhook's URL; ``path`` includes the query."""

    host: str
    port: int
    path: str


def check_url(url: str) -> None:
    """Raise unless a webhook's URL is acceptable; its IP addresses are checked at the delivery.

    Raises
    ------
    InvalidRequest
        The message says which rule the URL breaks.
    """
    parse_url(url)


def parse_url(url: str) -> WebhookTarget:
    """Return the parts of a webhook's URL; see :func:`check_url`."""
    if len(url) > _LONGEST_URL:
        raise InvalidRequest(f"webhook must be at most {_LONGEST_URL} characters long, not {len(url)}")
    if not re.fullmatch(r"[!-~]+", url) or "\\" in url:
        raise InvalidRequest(
            "webhook must be plain ASCII without spaces and backslashes; encode other characters (%20, xn--)"
        )
    if "#" in url:
        raise InvalidRequest("webhook must have no fragment; leave out # and what follows")
    if "@" in re.split("[/?]", url.partition("://")[2], maxsplit=1)[0]:
        raise InvalidRequest("webhook must hold no user name and no password; its calls are signed")
    match = _URL.fullmatch(url)
    if match is None:
        raise InvalidRequest("webhook must read https://host/path, or https://host:port/path")
    host, path = match["host"].lower(), match["path"] or "/"
    port = int(match["port"] or 443)
    if port != 443 and not 1_024 <= port <= 65_535:
        raise InvalidRequest(f"webhook must use port 443 or one from 1024 to 65535, not {port}")
    return WebhookTarget(_check_host(host), port, path if path.startswith("/") else f"/{path}")


def _check_host(host: str) -> str:
    """Return a host without the brackets of IPv6."""
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = bare != host
    try:
        ip = ipaddress.ip_address(bare)
    except ValueError:
        valid = not bracketed and len(host) <= _LONGEST_HOST and _HOST.fullmatch(host) is not None
    else:
        valid = bracketed == (ip.version == 6) and is_public(bare)
    if not valid:
        raise InvalidRequest(f"webhook must name a public host such as hooks.example.org, not {host[:100]!r}")
    return bare


def is_public(address: str) -> bool:
    """Return whether an IP address can be reached from the whole internet."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        for network, shift in _WITH_IPV4:
            if ip in network:
                return is_public(str(ipaddress.IPv4Address(int(ip) >> shift & 0xFFFF_FFFF)))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not any(ip in network for network in _PRIVATE_NETWORKS)
