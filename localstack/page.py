"""Serve the built page on this machine, with the headers that CloudFront sends in an account.

It listens on 127.0.0.1; in a container on all addresses, whose ports compose.yaml publishes on 127.0.0.1. A request
whose ``Host`` is neither 127.0.0.1 nor localhost is refused, so a site whose name points to 127.0.0.1 (DNS rebinding)
cannot read the page.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from localstack.server import HOST
from shipping.page_headers import SECURITY_HEADERS, cache_control, content_security_policy, content_type

__all__ = ["PageServer"]

CONFIG = "config.json"


class PageServer(ThreadingHTTPServer):
    """The server of the page; :meth:`bind` makes it, and :meth:`serve_forever` answers once it is configured.

    Parameters
    ----------
    folder : Path
        The built page.
    port : int
        Port of 127.0.0.1; 0 for a free one.
    address : str
        Address to listen on. A container listens on all of its own; what is published is said where it starts.

    Attributes
    ----------
    origin : str
        Where a browser finds the page.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, folder: Path, port: int, address: str = HOST) -> None:
        super().__init__((address, port), _Handler)
        self.folder = folder.resolve()
        self.origin = f"http://{HOST}:{self.server_port}"
        self.config = b"{}"
        self.policy = content_security_policy([])

    @classmethod
    def bind(cls, folder: Path, port: int, address: str = HOST) -> Self:
        """Listen on a port, or on a free one if it is taken.

        Raises
        ------
        OSError
            The port may not be used, for example one below 1024.
        """
        try:
            return cls(folder, port, address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return cls(folder, 0, address)

    def configure(self, config: Mapping[str, Any], origins: Iterable[str]) -> None:
        """Set what ``config.json`` answers, and the origins that the page may call."""
        self.config = json.dumps(config).encode()
        self.policy = content_security_policy(origins)

    def read(self, path: str) -> bytes | None:
        """Return a file of the page; None if there is none."""
        if path == CONFIG:
            return self.config
        file = (self.folder / path).resolve()
        if not file.is_relative_to(self.folder) or not file.is_file():
            return None
        return file.read_bytes()


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version = "anemonefish"
    sys_version = ""
    timeout = 60

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        names = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}
        if self.headers.get("host") not in names:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, f"open {self.server.origin}\n".encode(), "", with_body)
            return
        if self.headers.get("host") != f"{HOST}:{self.server.server_port}":  # the API allows one origin only
            self._send(HTTPStatus.FOUND, b"", "", with_body, {"Location": self.server.origin + self.path})
            return
        path = unquote(urlsplit(self.path).path).lstrip("/") or "index.html"
        body = None if "\0" in path else self.server.read(path)
        if body is None:
            self._send(HTTPStatus.NOT_FOUND, b"there is no such file\n", "", with_body)
        else:
            self._send(HTTPStatus.OK, body, path, with_body)

    def _send(
        self, status: HTTPStatus, body: bytes, path: str, with_body: bool, more: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        headers = {
            "Content-Type": content_type(path) if path else "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
            "Cache-Control": cache_control(path),
            "Content-Security-Policy": self.server.policy,
            **SECURITY_HEADERS,
            **(more or {}),
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Write no log."""
