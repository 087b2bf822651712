"""The page on this machine: its headers, its files, and who may ask for them."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localstack.page import PageServer
from shipping.page_headers import SECURITY_HEADERS, cache_control, content_security_policy

API = "http://127.0.0.1:4566"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageServer]:
    folder = tmp_path / "web"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>page</h1>")
    (folder / "assets" / "index-1a2b.js").write_text("1")
    (tmp_path / "secret").write_text("not of the page")
    (folder / "link").symlink_to(tmp_path / "secret")
    with PageServer.bind(folder, 0) as running:
        running.configure({"apiUrl": f"{API}/v1", "signIn": "api-key", "cognito": None}, [API])
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def ask(
    server: PageServer, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers={"Host": host or f"127.0.0.1:{server.server_port}"})
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read()


@pytest.mark.parametrize("path", ["/", "/index.html", "/index.html?from=bookmark"])
def test_page_is_answered_with_every_security_header(server: PageServer, path: str) -> None:
    status, headers, body = ask(server, path)
    assert (status, body) == (200, b"<h1>page</h1>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"] == content_security_policy([API])
    assert headers.items() >= SECURITY_HEADERS.items()


def test_errors_have_the_security_headers_too(server: PageServer) -> None:
    status, headers, _ = ask(server, "/nothing.js")
    assert status == 404
    assert headers.items() >= SECURITY_HEADERS.items()
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_policy_allows_no_inline_code_and_no_other_host() -> None:
    policy = dict(part.split(" ", 1) for part in content_security_policy([API]).split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == f"'self' {API}"
    assert {policy[name] for name in ("script-src", "style-src", "font-src")} == {"'self'"}
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert "unsafe" not in content_security_policy([API])


def test_configuration_names_the_api_and_is_never_cached(server: PageServer) -> None:
    _, headers, body = ask(server, "/config.json")
    assert json.loads(body) == {"apiUrl": f"{API}/v1", "signIn": "api-key", "cognito": None}
    assert (headers["Content-Type"], headers["Cache-Control"]) == ("application/json", "no-cache")


def test_only_files_named_by_their_content_are_kept_by_the_browser(server: PageServer) -> None:
    _, headers, body = ask(server, "/assets/index-1a2b.js")
    assert body == b"1"
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert headers["Cache-Control"] == cache_control("assets/index-1a2b.js") == "public, max-age=31536000, immutable"
    assert ask(server, "/")[1]["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/../secret", "/%2e%2e/secret", "/link", "/assets", "//etc/passwd", "/index.html%00", "/a/../../secret"]
)
def test_nothing_outside_the_folder_is_served(server: PageServer, path: str) -> None:
    status, _, body = ask(server, path)
    assert status == 404
    assert b"not of the page" not in body


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example", "[::1]"])
def test_request_for_another_host_name_is_refused(server: PageServer, host: str) -> None:
    status, _, body = ask(server, "/config.json", host=host)
    assert status == 421
    assert body == f"open {server.origin}\n".encode()


def test_localhost_leads_to_the_origin_that_the_api_allows(server: PageServer) -> None:
    status, headers, _ = ask(server, "/?a=b", host=f"localhost:{server.server_port}")
    assert (status, headers["Location"]) == (302, f"{server.origin}/?a=b")


def test_head_answers_without_a_body_and_other_methods_are_refused(server: PageServer) -> None:
    status, headers, body = ask(server, "/", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "13", b"")
    assert ask(server, "/", "POST")[0] == 501


def test_taken_port_is_replaced_by_a_free_one(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with PageServer.bind(tmp_path, taken) as server:
            assert server.server_port != taken
            assert server.server_address[0] == "127.0.0.1"
            assert server.origin == f"http://127.0.0.1:{server.server_port}"
