"""Signing in: the key is checked, refused in words, and kept in the tab only."""

from __future__ import annotations

import re

import pytest

from localstack.serve import Service
from tests.page.conftest import Complaints, sign_in

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (make .venv/dev)").expect


def test_wrong_key_is_refused_in_words_and_the_right_key_signs_in(
    page, service: Service, complaints: Complaints
) -> None:
    complaints.expect("status of 403")  # the browser's own line about the refused call
    expect(page).to_have_title(re.compile("anemonefish"))
    sign_in(page, "0" * 32)
    expect(page.get_by_role("alert")).to_contain_text("This key is not valid")
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)

    sign_in(page, service.stack.api_key)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_key_stays_in_its_tab_through_a_reload_and_ends_with_signing_out(signed_in, service: Service) -> None:
    signed_in.reload()
    expect(signed_in.get_by_role("button", name="Sign out")).to_be_visible()
    stored = signed_in.evaluate("JSON.stringify([{...localStorage}, document.cookie, location.href])")
    assert service.stack.api_key not in stored
    tab = signed_in.context.new_page()
    tab.goto(service.page.origin)
    expect(tab.get_by_label("API key")).to_be_visible()

    signed_in.get_by_role("button", name="Sign out").click()
    expect(signed_in.get_by_label("API key")).to_be_visible()
    assert signed_in.evaluate("sessionStorage.length") == 0
