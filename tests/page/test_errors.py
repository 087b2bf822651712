"""What a user reads when something does not work: an unknown key, an expired link, a service that is down."""

from __future__ import annotations

import re

import pytest

from localstack.serve import Service
from tests.page.conftest import Complaints, Job, Open, show, show_results, sign_in

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (make .venv/dev)").expect

EXPIRED = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>3600</X-Amz-Expires></Error>"""
"""What S3 answers, with status 403, to a link that is older than its lifetime."""


def test_rejected_key_shows_an_error_and_leads_to_sign_in(signed_in, service: Service, complaints: Complaints) -> None:
    complaints.expect("status of 403")

    def with_another_key(route) -> None:
        route.continue_(headers={**route.request.headers, "x-api-key": "0" * 32})

    signed_in.route(re.compile(r"/v1/.*executions\?"), with_another_key)
    show(signed_in, "executions")
    expect(signed_in.get_by_role("alert")).to_contain_text("You are no longer signed in")
    signed_in.get_by_role("button", name="Sign in again").click()
    expect(signed_in.get_by_label("API key")).to_be_visible()
    signed_in.unroute_all()
    sign_in(signed_in, service.stack.api_key)
    expect(signed_in.get_by_role("button", name="Sign out")).to_be_visible()


def test_unreachable_service_shows_an_error_and_retry_works(
    signed_in, service: Service, job: Job, complaints: Complaints
) -> None:
    complaints.expect("ERR_CONNECTION_REFUSED")
    api = re.compile(re.escape(service.stack.api_url))
    signed_in.route(api, lambda route: route.abort("connectionrefused"))
    show(signed_in, "executions")
    expect(signed_in.get_by_role("alert")).to_contain_text("The service does not answer")
    expect(signed_in.get_by_role("alert")).to_contain_text("Check the connection of this computer")
    signed_in.unroute_all()
    signed_in.get_by_role("button", name="Try again").click()
    expect(signed_in.get_by_role("table").get_by_text("Succeeded").first).to_be_visible()


def test_unreachable_service_at_sign_in_shows_an_error(
    open_page: Open, service: Service, complaints: Complaints
) -> None:
    complaints.expect("ERR_CONNECTION_REFUSED")
    page = open_page()
    page.route(re.compile(re.escape(service.stack.api_url)), lambda route: route.abort("connectionrefused"))
    sign_in(page, service.stack.api_key)
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer")


def test_unknown_execution_shows_an_error(signed_in, complaints: Complaints) -> None:
    complaints.expect("status of 404")
    show(signed_in, "executions/e-aaaaaaaaaaaaaaaaaaaaaaaaaa")
    expect(signed_in.get_by_role("alert")).to_contain_text("This execution does not exist")


def test_expired_link_of_a_file_of_the_archive_is_said_and_nothing_is_saved(
    signed_in, service: Service, job: Job, complaints: Complaints
) -> None:
    complaints.expect("status of 403")
    show_results(signed_in, job)
    headers = {"access-control-allow-origin": "*", "content-type": "application/xml"}
    storage = re.compile(r"X-Amz-Signature")
    signed_in.route(storage, lambda route: route.fulfill(status=403, headers=headers, body=EXPIRED))
    downloads: list[object] = []

    def note(download) -> None:
        downloads.append(download)

    signed_in.on("download", note)
    signed_in.get_by_role("button", name=re.compile("Everything as one archive")).click()
    expect(signed_in.get_by_role("alert")).to_contain_text("The archive is not complete, so it was not saved")
    expect(signed_in.get_by_role("alert")).to_contain_text("Links are valid for an hour")
    assert downloads == []
    signed_in.unroute_all()


def test_screen_that_cannot_be_drawn_says_so(signed_in) -> None:
    """A service that is older than the page answers without what the page needs."""
    signed_in.route(
        re.compile(r"/v1/.*executions\?"),
        lambda route: route.fulfill(
            json={"executions": [{}], "next": None}, headers={"access-control-allow-origin": "*"}
        ),
    )
    show(signed_in, "executions")
    expect(signed_in.get_by_role("heading", name="Something went wrong on this page")).to_be_visible()
    expect(signed_in.get_by_text("the service may be older than the page")).to_be_visible()
    signed_in.unroute_all()
    show(signed_in, "uploads")
    expect(signed_in.get_by_role("heading", name="Uploads")).to_be_visible()
