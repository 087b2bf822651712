"""Fixtures for a page in Chromium, served from another origin than the API and S3 of the local AWS."""

from __future__ import annotations

import json
import mimetypes
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[1]
BUILD = REPOSITORY / ".build" / "browser"
sys.path.insert(0, str(REPOSITORY))

from localstack import LocalAws, Stack  # noqa: E402
from tests.workflow.conftest import PATIENCE, Api  # noqa: E402

NAMES = ("chromium", "chromium-browser", "google-chrome")
# The browser loads only the page. Root, the user in most containers, cannot have a sandbox.
FLAGS = ["--headless=new", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run", "--no-proxy-server", "--enable-logging=stderr"]  # fmt: skip
if os.geteuid() == 0:
    FLAGS.append("--no-sandbox")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the browser; skip the tests without one."""
    found = next(filter(None, map(shutil.which, NAMES)), None) or _of_playwright()
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the PATH (on Debian: apt-get install chromium)")
    return found


def _of_playwright() -> str | None:
    """Return the browser that ``make chromium`` installs."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


class Site(ThreadingHTTPServer):
    """The page's server. It serves files by their path and stores what the page reports."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        served = [REPOSITORY / "clients/javascript/anemonefish.js", FOLDER / "page.html", FOLDER / "scenarios.js"]
        self.files = {f"/{file.name}": file.read_bytes() for file in served}
        self.observed: queue.Queue[dict[str, Any]] = queue.Queue()

    def origin(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self._answer(self.server.files.get(self.path))

    def do_POST(self) -> None:
        self.server.observed.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self._answer(b"")

    def _answer(self, body: bytes | None) -> None:
        self.send_response(404 if body is None else 200)
        self.send_header("content-type", mimetypes.guess_type(self.path)[0] or "application/octet-stream")
        self.send_header("content-length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        """Write no log."""


@pytest.fixture(scope="session")
def site(chromium: str) -> Iterator[Site]:
    with Site() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(scope="session")
def aws(site: Site) -> Iterator[LocalAws]:
    with LocalAws.start(BUILD, REPOSITORY / ".venv-ministack" / "bin" / "python") as running:
        yield running


@pytest.fixture(scope="session")
def s3(aws: LocalAws) -> Any:
    return aws.client("s3")


@pytest.fixture(scope="session")
def stack(aws: LocalAws, s3: Any, site: Site) -> Stack:
    """Deploy the stack for the origin of the page."""
    parameters = {"AllowedOrigins": f"https://lab.example,{site.origin()}"}
    return aws.deploy(REPOSITORY / "template.yaml", REPOSITORY / ".build" / "layers", parameters)


@pytest.fixture(scope="session")
def api(stack: Stack) -> Api:
    return Api(stack.api_url, stack.api_key)


Visit = Callable[..., dict[str, Any]]


@pytest.fixture
def visit(chromium: str, site: Site, stack: Stack, tmp_path: Path) -> Visit:
    """Return a function that opens the page, runs a scenario of scenarios.js, and returns what the page reported."""

    def go(scenario: str, host: str = "127.0.0.1", recording: Path | None = None, **more: Any) -> dict[str, Any]:
        task = {"scenario": scenario, "url": stack.api_url, "key": stack.api_key, **more}
        if recording:
            task["filename"] = recording.name
            site.files["/recording.wav"] = recording.read_bytes()
        site.files["/task.json"] = json.dumps(task).encode()
        log, profile = tmp_path / "chromium.log", tempfile.mkdtemp(dir=tmp_path)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [chromium, *FLAGS, f"--user-data-dir={profile}", f"{site.origin(host)}/page.html"],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            observed = _await_report(site, process, log)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert "failed" not in observed, f"{observed['failed']}\n{_console(log)}"
        assert observed["origin"] == site.origin(host)
        return observed

    return go


def _await_report(site: Site, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(queue.Empty):
            return site.observed.get(timeout=1)
    raise AssertionError(f"the page reported nothing\n{_console(log)}")


def _console(log: Path) -> str:
    """Return the page's console and the browser's last messages, without the D-Bus errors of a missing desktop."""
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if "dbus" not in line)[-4000:]
