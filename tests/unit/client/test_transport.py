"""Requests are retried where that is safe, and the key is sent to the API only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from anemonefish.client import Client
from anemonefish.errors import (
    InvalidRequest,
    RemoteError,
)
from tests.fakes.api_server import EXECUTION, KEY, FakeApi, Upload


@pytest.mark.parametrize("status", [0, 429, 502, 503, 504])
def test_temporary_errors_are_retried_with_growing_pauses(
    client: Client, service: FakeApi, pauses: list[float], status: int
) -> None:
    service.trouble("GET", "/models", status, times=3)
    assert client.models()[0]["name"] == "reef"
    assert service.count("GET", "/models") == 4
    for pause, expected in zip(pauses, (1.0, 1.5, 2.25), strict=True):
        assert 0.75 * expected <= pause <= 1.25 * expected


def test_request_fails_after_six_tries(client: Client, service: FakeApi, pauses: list[float]) -> None:
    service.trouble("GET", "/models", 503, {"error": "StorageError", "message": "busy", "request_id": "r"}, times=99)
    with pytest.raises(RemoteError, match="busy"):
        client.models()
    assert (service.count("GET", "/models"), len(pauses)) == (6, 5)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 413, 500])
def test_permanent_error_is_not_retried(client: Client, service: FakeApi, status: int) -> None:
    service.trouble("GET", "/models", status)
    with pytest.raises(RemoteError):
        client.models()
    assert service.count("GET", "/models") == 1


def test_answer_of_the_gateway_with_a_time_to_try_again_is_retried(
    client: Client, service: FakeApi, pauses: list[float]
) -> None:
    service.trouble("GET", "/models", 500, retry_after="5")
    assert client.models()[0]["name"] == "reef"
    assert pauses == [5.0]


def test_retry_after_is_respected(client: Client, service: FakeApi, pauses: list[float]) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    for value in ("7", date, "999999", "soon"):
        service.trouble("GET", "/models", 429, retry_after=value)
    client.models()
    seven, dated, hour, unknown = pauses
    assert seven == 7.0
    assert 35 < dated <= 40
    assert hour == 3600
    assert unknown < 5


def test_closed_port_is_a_remote_error(pauses: list[float]) -> None:
    with (
        Client("http://127.0.0.1:1", KEY, sleep=pauses.append) as client,
        pytest.raises(RemoteError, match=r"no answer from 127.0.0.1") as caught,
    ):
        client.models()
    assert (caught.value.name, caught.value.http_status, len(pauses)) == ("NetworkError", 0, 5)


@pytest.mark.parametrize("status", [0, 503])
def test_retried_start_sends_the_same_key(client: Client, service: FakeApi, status: int) -> None:
    service.uploads["u-1"] = Upload("u-1", "a.wav", 1)
    service.trouble("POST", "/executions", status, times=2)
    client.start(["u-1"], model="reef", settings={"threshold": 0.6})
    client.start(["u-1"])
    client.start(["u-1"], idempotency_key="mine")
    keys = [each.headers["idempotency-key"] for each in service.api]
    assert len(keys[0]) > 20
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert keys[4] == "mine"
    assert service.execution_requests[0] == {"recordings": ["u-1"], "model": "reef", "settings": {"threshold": 0.6}}
    assert service.execution_requests[1] == {"recordings": ["u-1"]}


@pytest.mark.parametrize(("verb", "path"), [("cancel", "/executions/e-1"), ("resume", "/executions/e-1/resume")])
def test_unsafe_request_is_retried_after_throttling_only(
    client: Client, service: FakeApi, verb: str, path: str
) -> None:
    method = "DELETE" if verb == "cancel" else "POST"
    service.trouble(method, path, 429, times=2)
    assert getattr(client, verb)("e-1")["id"] == EXECUTION
    assert service.count(method, path) == 3
    for status in (0, 502, 503, 504):
        service.api.clear()
        service.trouble(method, path, status)
        with pytest.raises(RemoteError):
            getattr(client, verb)("e-1")
        assert service.count(method, path) == 1


def test_key_is_sent_to_the_api_only(client: Client, service: FakeApi, small: Path, large: Path) -> None:
    client.upload(small)
    client.upload(large)
    client.start(["u-1"])
    client.download(EXECUTION, "csv", small.with_name("a.csv"))
    assert {each.headers.get("x-api-key") for each in service.api} == {KEY}
    assert len(service.storage) == 7
    assert not [each for each in service.storage if KEY in f"{each.headers}{each.path}{each.query}"]


def test_redirects_are_not_followed(client: Client, service: FakeApi, tmp_path: Path) -> None:
    service.trouble("GET", "/models", 302, location=f"{service.storage_url}/elsewhere/x?signature=0")
    with pytest.raises(RemoteError) as caught:
        client.models()
    assert (caught.value.name, caught.value.http_status) == ("UnexpectedAnswer", 302)
    service.trouble("GET", "/results/.*", 307, location=f"{service.storage_url}/elsewhere/x?signature=0")
    with pytest.raises(RemoteError, match="answered 307"):
        client.download(EXECUTION, "csv", tmp_path / "a.csv")
    assert len(service.storage) == 1


def test_page_link_to_another_host_is_refused(client: Client, service: FakeApi) -> None:
    for following in (f"{service.storage_url}/x", "@elsewhere.example/x"):
        service.trouble("GET", "/executions", 200, {"executions": [], "next": following})
        with pytest.raises(RemoteError, match="not a path of this API"):
            list(client.executions())
    assert not service.storage


@pytest.mark.parametrize("key", ["", "   ", "a\nb", "ключ"])
def test_malformed_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest, match="API key") as caught:
        Client("https://api.example", key)
    assert not key.strip() or key not in str(caught.value)


@pytest.mark.parametrize("url", ["", "api.example/v1", "ftp://api.example", "https://", "https://a:b:c"])
def test_malformed_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="ApiUrl"):
        Client(url, KEY)
