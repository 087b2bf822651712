"""Files are uploaded in one PUT or in parts, resumed, and sent again by fresh links."""

from __future__ import annotations

import os
import threading
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from anemonefish.client import Client
from anemonefish.errors import (
    EmptyRecording,
    InvalidRequest,
    RecordingChanged,
    RecordingNotFound,
    RemoteError,
)
from tests.fakes.api_server import KEY, SINGLE, FakeApi, put_numbers


def test_small_file_is_one_put_with_the_headers_of_its_link(client: Client, service: FakeApi, small: Path) -> None:
    sent: list[int] = []
    done = client.upload(small, progress=sent.append)
    assert (done["status"], done["filename"], done["size"]) == ("COMPLETE", small.name, 1000)
    assert service.uploads[done["id"]].parts == {0: small.read_bytes()}
    assert sum(sent) == 1000
    (put,) = service.storage
    assert put.headers["content-length"] == "1000"
    assert put.headers["content-type"] == "application/octet-stream"


def test_put_whose_answer_is_lost_counts_as_sent(client: Client, service: FakeApi, small: Path) -> None:
    """S3 answers 412 to a second PUT by a link that is used once."""
    service.trouble("PUT", "/u-1/0", 503, b"<Error><Code>SlowDown</Code></Error>")
    service.trouble("PUT", "/u-1/0", 412, b"<Error><Code>PreconditionFailed</Code></Error>")
    sent: list[int] = []

    def arrive(upload: dict[str, Any]) -> None:
        service.uploads[upload["id"]].parts[0] = small.read_bytes()

    assert client.upload(small, progress=sent.append, started=arrive)["status"] == "COMPLETE"
    assert sum(sent) == 1000
    assert len(service.storage) == 2


def test_put_is_retried_after_a_conflict_with_another_one(client: Client, service: FakeApi, small: Path) -> None:
    service.trouble("PUT", "/u-1/0", 409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")
    assert client.upload(small)["status"] == "COMPLETE"
    assert service.uploads["u-1"].parts == {0: small.read_bytes()}


def test_file_can_be_uploaded_under_another_name(client: Client, small: Path) -> None:
    assert client.upload(small, "other.wav")["filename"] == "other.wav"


def test_large_file_is_sent_in_concurrent_parts(client: Client, service: FakeApi, large: Path) -> None:
    service.waits_for_another = True  # the first part is not answered before the second comes
    sent: list[int] = []
    done = client.upload(large, progress=sent.append)
    parts = service.uploads[done["id"]].parts
    assert b"".join(parts[number] for number in sorted(parts)) == large.read_bytes()
    assert put_numbers(service) == [1, 2, 3, 4, 5]
    assert service.count("GET", "/uploads/u-1/parts") == 1  # the first page came with the upload
    assert 2 <= service.most_at_once <= 4
    assert sum(sent) == SINGLE + 5


def test_resumed_upload_sends_missing_parts_only(client: Client, service: FakeApi, large: Path) -> None:
    service.trouble("PUT", "/u-1/[45]", 403, b"<Error><Code>Denied</Code></Error>", times=4)
    begun: list[dict[str, Any]] = []
    with pytest.raises(RemoteError):
        client.upload(large, started=begun.append)
    service.troubles.clear()
    service.storage.clear()
    sent: list[int] = []
    done = client.upload(large, resume=begun[0]["id"], progress=sent.append)
    assert (done["id"], done["status"]) == ("u-1", "COMPLETE")
    assert put_numbers(service) == [4, 5]
    assert sum(sent) == SINGLE + 5
    assert b"".join(service.uploads["u-1"].parts[number] for number in range(1, 6)) == large.read_bytes()

    service.storage.clear()
    assert client.upload(large, resume="u-1")["status"] == "COMPLETE"  # nothing is left to do
    assert not service.storage


def test_upload_of_another_file_is_not_resumed(client: Client, service: FakeApi, small: Path, large: Path) -> None:
    client.upload(small)
    with pytest.raises(InvalidRequest, match=r"u-1 is the upload of .*resume with that file"):
        client.upload(large, resume="u-1")


def test_interrupted_single_put_is_announced_again(client: Client, service: FakeApi, small: Path) -> None:
    service.trouble("PUT", "/u-1/0", 400, b"<Error><Code>BadDigest</Code></Error>")
    with pytest.raises(RemoteError):
        client.upload(small)
    assert client.upload(small, resume="u-1")["id"] == "u-2"


def test_expired_links_are_fetched_once_for_all_parts(client: Client, service: FakeApi, large: Path) -> None:
    def expire(_: dict[str, Any]) -> None:
        service.generation += 1

    sent: list[int] = []
    done = client.upload(large, started=expire, progress=sent.append)
    assert done["status"] == "COMPLETE"
    assert put_numbers(service) == [1, 1, 2, 2, 3, 3, 4, 5]
    assert [each.query["from"] for each in service.api if each.path.endswith("/parts")] == ["1", "4"]
    assert min(sent) < 0  # what has to go again is taken back
    assert sum(sent) == SINGLE + 5


@pytest.mark.parametrize(("status", "name"), [(403, "AccessDenied"), (400, "ExpiredToken")])
def test_second_fresh_link_that_is_refused_is_an_error(
    client: Client, service: FakeApi, large: Path, pauses: list[float], status: int, name: str
) -> None:
    service.trouble("PUT", "/u-1/2", status, f"<Error><Code>{name}</Code></Error>".encode(), times=9)
    with pytest.raises(RemoteError) as caught:
        client.upload(large)
    assert (caught.value.name, caught.value.http_status) == (name, status)
    assert put_numbers(service).count(2) == 2
    assert not pauses
    assert service.count("POST", "/uploads/u-1/complete") == 0


@pytest.mark.parametrize("times", [2, 3, 8])
def test_link_is_renewed_each_time_that_it_expires(client: Client, service: FakeApi, large: Path, times: int) -> None:
    words = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    service.trouble("PUT", "/u-1/2", 403, words, times=times)
    assert client.upload(large)["status"] == "COMPLETE"
    assert put_numbers(service).count(2) == times + 1
    assert service.count("GET", "/uploads/u-1/parts") == times + 1  # the second page is asked for as well


def test_links_that_are_always_expired_end_with_the_error_of_s3(
    client: Client, service: FakeApi, large: Path, pauses: list[float]
) -> None:
    words = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    service.trouble("PUT", "/u-1/2", 403, words, times=99)
    with pytest.raises(RemoteError, match="Request has expired"):
        client.upload(large)
    assert put_numbers(service).count(2) == 11
    assert len(pauses) == 9


def test_old_links_are_renewed_without_limit(
    client: Client, service: FakeApi, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = iter(range(0, 10_000, 2))
    monkeypatch.setattr(
        "anemonefish.client.upload_parts.time.time", lambda: next(hours) * 3600.0
    )  # each look is two hours later
    service.trouble("PUT", "/u-1/2", 403, b"<Error><Code>AccessDenied</Code></Error>", times=25)
    assert client.upload(large)["status"] == "COMPLETE"
    assert put_numbers(service).count(2) == 26


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_part_is_sent_again_after_an_error_of_s3(
    client: Client, service: FakeApi, large: Path, pauses: list[float], status: int
) -> None:
    service.trouble("PUT", "/u-1/5", status, times=2)
    sent: list[int] = []
    client.upload(large, progress=sent.append)
    assert put_numbers(service) == [1, 2, 3, 4, 5, 5, 5]
    assert len(pauses) == 2
    assert sum(sent) == SINGLE + 5


def test_request_timeout_of_s3_is_retried(client: Client, service: FakeApi, small: Path) -> None:
    service.trouble("PUT", "/u-1/0", 400, b"<Error><Code>RequestTimeout</Code></Error>")
    assert client.upload(small)["status"] == "COMPLETE"


def test_memory_does_not_grow_with_the_file_size(client: Client, service: FakeApi, large: Path) -> None:
    service.keep = False
    client.upload(large)  # whatever is made once
    tracemalloc.start()
    try:
        client.upload(large)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert service.uploads["u-2"].complete
    assert peak < 8 << 20  # one part has 16 MiB


def test_upload_of_a_file_that_changes_is_not_completed(client: Client, service: FakeApi, small: Path) -> None:
    def write(_: int) -> None:
        with small.open("r+b") as file:
            file.seek(999)
            file.write(b"x")
        os.utime(small, ns=(1, 1))

    with pytest.raises(RecordingChanged, match="changed while it was sent"):
        client.upload(small, progress=write)
    assert service.count("POST", "/uploads/.*/complete") == 0


def test_upload_of_a_file_that_becomes_shorter_is_not_completed(client: Client, service: FakeApi, small: Path) -> None:
    with pytest.raises(RecordingChanged, match="became shorter"):
        client.upload(small, started=lambda _: small.write_bytes(b"short"))
    assert service.count("POST", "/uploads/.*/complete") == 0


def test_missing_or_empty_file_is_not_announced(client: Client, service: FakeApi, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(EmptyRecording):
        client.upload(tmp_path / "empty.wav")
    for path in (tmp_path / "nothing.wav", tmp_path):
        with pytest.raises(RecordingNotFound):
            client.upload(path)
    assert not service.api


def test_close_stops_uploads_of_other_threads(service: FakeApi, large: Path) -> None:
    client = Client(service.api_url, KEY)
    service.pause = 1.0
    caught: list[BaseException] = []

    def send() -> None:
        try:
            client.upload(large)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    while not service.at_once:
        time.sleep(0.01)
    client.close()
    thread.join(300)
    assert not thread.is_alive()
    assert len(caught) == 1
    assert not service.uploads["u-1"].complete
