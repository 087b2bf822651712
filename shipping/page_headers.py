"""The headers with which the page is served: on this machine by ``localstack``, in an account by CloudFront.

In an account they are in template.yaml, because CloudFront sends them; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

__all__ = ["SECURITY_HEADERS", "cache_control", "content_security_policy", "content_type"]

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Headers of every answer, beside the Content-Security-Policy."""

# The system's table of types differs between machines, and a browser refuses a script of another type.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}

_ASSETS = "assets/"
"""Folder of the files whose names contain the hash of their content; Vite writes it."""


def content_security_policy(origins: Iterable[str]) -> str:
    """Return the policy of the page: nothing but its own files, and calls to the given origins.

    Parameters
    ----------
    origins : iterable of str
        Origins of the API, of the buckets and of the sign-in, such as ``https://b.s3.eu-west-1.amazonaws.com``.

    Examples
    --------
    >>> "connect-src 'self' https://api.example;" in content_security_policy(["https://api.example"])
    True
    """
    connect = " ".join(["'self'", *origins])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; "
        f"connect-src {connect}; font-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def cache_control(path: str) -> str:
    """Return how long a browser keeps a file of the page.

    A file whose name contains the hash of its content never changes. Every other file is asked for each time.

    Parameters
    ----------
    path : str
        Relative to the page's folder, with ``/``.

    Examples
    --------
    >>> cache_control("index.html")
    'no-cache'
    """
    return "public, max-age=31536000, immutable" if path.startswith(_ASSETS) else "no-cache"


def content_type(path: str) -> str:
    """Return the type of a file of the page.

    Examples
    --------
    >>> content_type("assets/index-CYgSMKkV.js")
    'text/javascript; charset=utf-8'
    """
    return _TYPES.get(PurePosixPath(path).suffix, "application/octet-stream")
