"""Answers of the API are returned, polled, listed and downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from anemonefish.client import Client
from anemonefish.errors import (
    RemoteError,
    StorageError,
)
from tests.fakes.api_server import DECISION, EXECUTION, FakeApi


def test_error_has_name_details_and_request_id(client: Client, service: FakeApi) -> None:
    details = [{"field": "body.recordings", "message": "too few"}]
    service.trouble(
        "POST",
        "/executions",
        400,
        {"error": "InvalidRequest", "message": "body.recordings: too few", "details": details, "request_id": "r-9"},
    )
    with pytest.raises(RemoteError, match=r"^body.recordings: too few$") as caught:
        client.start([])
    error = caught.value
    assert (error.name, error.http_status, error.request_id) == ("InvalidRequest", 400, "r-9")
    assert error.details == tuple(details)


@pytest.mark.parametrize("body", [b"<html>Log in to this network</html>", b"[]", b""])
def test_answer_that_is_no_json_object_is_an_error(client: Client, service: FakeApi, body: bytes) -> None:
    for status in (200, 404):
        service.trouble("GET", "/models", status, body)
        with pytest.raises(RemoteError) as caught:
            client.models()
        assert (caught.value.name, caught.value.http_status) == ("UnexpectedAnswer", status)


def test_wait_polls_as_slowly_as_retry_after_says(client: Client, service: FakeApi, pauses: list[float]) -> None:
    service.states = ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
    heard: list[str] = []
    assert client.wait(EXECUTION, lambda found: heard.append(found["status"]))["status"] == "SUCCEEDED"
    assert heard == ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
    assert len(pauses) == 3
    assert min(pauses) >= 2.0  # Retry-After
    service.states = ["FAILED"]
    assert client.wait(EXECUTION)["error"]["error"] == "EveryRecordingFailed"


@pytest.mark.parametrize(("limit", "pages", "found"), [(None, 3, 250), (5, 1, 5), (120, 2, 120), (100, 1, 100)])
def test_executions_are_listed_page_by_page(
    client: Client, service: FakeApi, limit: int | None, pages: int, found: int
) -> None:
    assert [each["id"] for each in client.executions(limit)] == [f"e-{number}" for number in range(found)]
    assert service.count("GET", "/executions") == pages


def test_failed_download_leaves_no_file(client: Client, service: FakeApi, tmp_path: Path, pauses: list[float]) -> None:
    path = tmp_path / "out" / "a.csv"
    service.trouble("GET", "/results/.*", 0, b"half of")  # breaks off
    service.trouble("GET", "/results/.*", 503)
    client.download(EXECUTION, "csv", path, recording=3, decision=DECISION)
    assert path.read_text() == f"this is 3-csv-{DECISION}"
    assert len(pauses) == 2
    service.trouble("GET", "/results/.*", 404, b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>")
    with pytest.raises(RemoteError, match="gone") as caught:
        client.download(EXECUTION, "csv", path)
    assert caught.value.name == "NoSuchKey"
    assert path.read_text() == f"this is 3-csv-{DECISION}"
    assert [each.name for each in path.parent.iterdir()] == ["a.csv"]
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        client.download(EXECUTION, "csv", tmp_path / "file" / "a.csv")


def test_clip_is_sent_as_a_form_and_complete_at_each_retry(client: Client, service: FakeApi, small: Path) -> None:
    service.trouble("POST", "/inference/predict", 503)
    assert client.predict(small, {"threshold": 0.9})["events"] == []
    for seen in service.api:
        assert b'name="audio_file"; filename="20230210_000001.wav"' in seen.body
        assert small.read_bytes() in seen.body
        assert b'{"threshold": 0.9}' in seen.body
