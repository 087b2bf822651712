"""The Content-Security-Policy of the served page, and its size."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest

from localstack.serve import PAGE, Service
from tests.page.conftest import Complaints

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (make .venv/dev)").expect

MOST_BYTES = 300_000
"""Of everything that a browser loads to show the page, compressed."""


def test_policy_allows_no_inline_code_and_no_host_but_the_page_the_api_and_the_storage(service: Service) -> None:
    answer = httpx.get(service.page.origin)
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert policy["script-src"] == policy["style-src"] == "'self'"
    hosts = {source for source in policy["connect-src"].split() if source != "'self'"}
    assert hosts == {service.stack.endpoint_url}


def test_browser_refuses_inline_code_and_the_tests_notice(signed_in, complaints: Complaints) -> None:
    """The listener of every test must see a violation, else their silence would say nothing."""
    signed_in.evaluate("""() => {
      const script = document.createElement('script');
      script.textContent = 'document.title = "it ran"';
      document.body.append(script);
    }""")
    expect(signed_in).not_to_have_title("it ran")
    assert any("Content-Security-Policy" in text for text in complaints.unexpected)
    complaints.expect("Content.Security.Policy")


def test_page_is_small() -> None:
    files = [path for path in Path(PAGE).rglob("*") if path.is_file()]
    assert files
    size = sum(len(gzip.compress(path.read_bytes(), 9)) for path in files)
    assert size < MOST_BYTES
