"""Which text joins the log lines of a request and of its execution."""

from __future__ import annotations

from typing import Any

import pytest

from anemonefish.cloud.correlation import correlation_of_input, correlation_of_request

REQUEST = "c0ffee00-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        (None, REQUEST),
        ({}, REQUEST),
        ({"X-Correlation-Id": "cruise-7.night_2"}, "cruise-7.night_2"),
        ({"x-correlation-id": "a" * 128}, "a" * 128),
        ({"x-correlation-id": "a" * 129}, REQUEST),
        ({"x-correlation-id": ""}, REQUEST),
        ({"x-correlation-id": "two words"}, REQUEST),
        ({"x-correlation-id": 'x","level":"ERROR'}, REQUEST),
        ({"x-correlation-id": "line\nbreak"}, REQUEST),
        ({"x-correlation-id": "-begins-with-a-hyphen"}, REQUEST),
        ({"x-correlation-id": "r\u00e9cif"}, REQUEST),
    ],
)
def test_well_formed_header_replaces_the_id_of_the_request(headers: Any, wanted: str) -> None:
    assert correlation_of_request({"headers": headers, "requestContext": {"requestId": REQUEST}}) == wanted


def test_request_without_any_id_has_none() -> None:
    assert correlation_of_request({}) is None


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ({"correlation_id": "r-1", "job": {"tenant": "lab", "id": "j-1"}}, "r-1"),
        ({"job": {"tenant": "lab", "id": "j-1"}}, "j-1"),
        ({"job": "jobs/lab/j-1"}, "j-1"),
        ({"correlation_id": "not well formed", "job": "jobs/lab/j-1"}, "j-1"),
        ({"correlation_id": 7}, None),
        ({"job": {"tenant": "lab", "id": ["j"]}}, None),
        ({}, None),
        ([], None),
    ],
)
def test_execution_without_a_correlation_id_uses_the_id_of_its_job(event: Any, wanted: str | None) -> None:
    assert correlation_of_input(event) == wanted
