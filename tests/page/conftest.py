"""Fixtures for the page in Chromium: the service of ``make serve`` and a browser that complains.

A test takes ``page`` (or ``phone``): an empty browser at the sign-in screen of a running service. Whatever the browser
complains about fails the test: an error of a script, an error in the console, a violation of the
Content-Security-Policy, a call to another host. A test that provokes one says so with ``complaints.expect``::

    def test_key_is_refused(page, complaints):
        complaints.expect("403")

A failed test leaves a picture of its page in ``.build/page/failures``.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import anemonefish as af

REPOSITORY = Path(__file__).parents[2]
BUILD = REPOSITORY / ".build" / "page"
sys.path.insert(0, str(REPOSITORY))

from localstack.serve import Service, start_service  # noqa: E402
from tests.browser.conftest import FLAGS, chromium  # noqa: E402, F401
from tests.workflow.conftest import PATIENCE, Api  # noqa: E402

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (make .venv/dev)")

STEP_MS = PATIENCE * 100
"""Longest wait for one state of a page, in milliseconds. Tests wait for states, so a busy machine only slows them."""
playwright.expect.set_options(timeout=STEP_MS)

HTML_NAME = "<img src=x onerror=alert(1)>.wav"
"""Name of a recording that would run a script if a screen took it for HTML."""

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}

_REPORT_VIOLATIONS = """
addEventListener('securitypolicyviolation', (event) =>
  console.error(`Content-Security-Policy: ${event.violatedDirective} refused ${event.blockedURI}`));
"""


@pytest.fixture(scope="session")
def service(chromium: str) -> Iterator[Service]:  # noqa: F811
    """Run the local AWS and the page as ``make serve`` does, on a free port."""
    with start_service(port=0, build=BUILD) as running:
        yield running


@pytest.fixture(scope="session")
def api(service: Service) -> Api:
    """Return the API of the service over HTTP, to prepare what a page shows."""
    return Api(service.stack.api_url, service.stack.api_key)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[playwright.Browser]:  # noqa: F811
    arguments = [flag for flag in FLAGS if not flag.startswith(("--headless", "--enable-logging"))]
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=chromium, args=arguments)
        yield launched
        launched.close()


@dataclass(slots=True)
class Complaints:
    """What a browser complains about, less what the test expects."""

    heard: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def expect(self, pattern: str) -> None:
        """Accept complaints that contain a regular expression, also those before."""
        self.expected.append(pattern)

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.heard if not any(re.search(pattern, text) for pattern in self.expected)]

    def listen(self, context: playwright.BrowserContext, hosts: set[str]) -> None:
        """Note the complaints of all pages of a context, and calls to hosts that are not expected."""

        def note_request(request: playwright.Request) -> None:
            parts = urlsplit(request.url)
            if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc not in hosts:
                self.heard.append(f"call to another host: {request.method} {request.url}")

        def note_message(message: playwright.ConsoleMessage) -> None:
            if message.type == "error":
                self.heard.append(f"{message.text} ({message.location.get('url', '')})")

        context.on("request", note_request)
        context.on("console", note_message)
        context.on("weberror", lambda error: self.heard.append(str(error.error)))
        context.add_init_script(_REPORT_VIOLATIONS)


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


Open = Callable[..., playwright.Page]


@pytest.fixture
def open_page(
    service: Service, browser: playwright.Browser, complaints: Complaints, request: pytest.FixtureRequest
) -> Iterator[Open]:
    """Return a function that opens the page in a browser without a history.

    Its options are those of Playwright's ``new_context``; ``at`` is the screen, such as ``#/executions``. At the end of
    the test, unexpected complaints fail it.
    """
    contexts: list[playwright.BrowserContext] = []
    hosts = {urlsplit(service.page.origin).netloc, urlsplit(service.stack.endpoint_url).netloc}

    def go(at: str = "", **options: Any) -> playwright.Page:
        context = browser.new_context(**{**DESKTOP, **options})
        context.set_default_timeout(STEP_MS)
        contexts.append(context)
        complaints.listen(context, hosts)
        opened = context.new_page()
        opened.goto(f"{service.page.origin}/{at}")
        return opened

    yield go
    failed = getattr(request.node, "call_failed", False) or bool(complaints.unexpected)
    for number, opened in enumerate(page for context in contexts for page in context.pages):
        if failed:
            opened.screenshot(path=_picture(request.node.name, number), full_page=True)
    for context in contexts:
        context.close()
    assert complaints.unexpected == []


@pytest.fixture
def page(open_page: Open) -> playwright.Page:
    """Return the page in a window of a laptop, at the sign-in screen."""
    return open_page()


@pytest.fixture
def phone(open_page: Open) -> playwright.Page:
    """Return the page on a phone, at the sign-in screen."""
    return open_page(**PHONE)


def sign_in(page: playwright.Page, key: str) -> None:
    """Type a key and send it."""
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def signed_in(page: playwright.Page, service: Service) -> playwright.Page:
    """Return the page after signing in with the service's key."""
    sign_in(page, service.stack.api_key)
    page.get_by_role("button", name="Sign out").wait_for()
    return page


@dataclass(frozen=True, slots=True)
class Job:
    """An execution that has succeeded, to be looked at by any test; its settings are the model's.

    Attributes
    ----------
    id : str
    uploads : list of str
    paths : list of Path
        Its recordings: two with a start time in the name, one with HTML in its name, one that is not readable.
    broken : int
        Number of the recording that is not readable.
    """

    id: str
    uploads: list[str]
    paths: list[Path]
    broken: int

    @property
    def analysed(self) -> list[int]:
        """Numbers of the recordings that were analysed."""
        return [number for number in range(len(self.paths)) if number != self.broken]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of recordings: three that can be analysed, a broken one, and a text file."""
    folder = tmp_path_factory.mktemp("reef")
    for seed, name in enumerate(["REEF_20240601_053000Z.wav", "REEF_20240601_053200Z.wav", HTML_NAME], start=1):
        made = af.simulate(folder / name, seconds=45, seed=seed, sample_rate=16_000)
        for labels in (made.raven_path, made.audacity_path):
            labels.unlink()
    (folder / "broken.wav").write_bytes(b"RIFF, but nothing that follows from it. " * 20)
    (folder / "field notes.txt").write_text("Site 3, calm\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def job(api: Api, folder: Path) -> Job:
    """Analyse the recordings of the folder by the API."""
    paths = sorted(folder.glob("*.wav"))
    uploads = [api.upload(path) for path in paths]
    execution = api.start(*uploads)["id"]
    assert api.ended(execution)["status"] == "SUCCEEDED"
    return Job(execution, uploads, paths, [path.name for path in paths].index("broken.wav"))


def wait_until(page: playwright.Page, condition: Callable[[], bool], what: str) -> None:
    """Wait for something that is not on the page, while its events are received."""
    deadline = time.monotonic() + STEP_MS / 1000
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        page.wait_for_timeout(50)


def show(page: playwright.Page, screen: str) -> None:
    """Go to a screen, such as ``executions``, without loading the page again."""
    page.evaluate("screen => { location.hash = `#/${screen}`; }", screen)


def show_results(page: playwright.Page, job: Job) -> None:
    """Open the results of an execution and wait until its events are there."""
    show(page, f"executions/{job.id}")
    playwright.expect(page.get_by_role("heading", name="Results", exact=True)).to_be_visible()
    playwright.expect(page.get_by_role("grid")).to_be_visible()


def _picture(name: str, number: int) -> Path:
    folder = BUILD / "failures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{re.sub('[^A-Za-z0-9_-]+', '-', name)}-{number}.png"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.call_failed = report.failed
    return report
