"""The client of the API and its commands, against a server on this machine that plays the API and S3."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import subprocess
import sys
import termios
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from anemonefish.cli.main import main
from anemonefish.client import Client
from anemonefish.errors import (
    EmptyRecording,
    InvalidRequest,
    RecordingChanged,
    RecordingNotFound,
    RemoteError,
    StorageError,
)
from anemonefish.results.report_formats import REPORTS

KEY = "a-key-of-somebody"
PART = 16 << 20
SINGLE = 64 << 20
PAGE = 3
EXECUTION = "e-aaaaaaaaaaaaaaaaaaaaaaaaaa"
DECISION = "d-0123456789abcdef"


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    size: int


@dataclass
class Trouble:
    """What some requests get instead of an answer; a status of 0 is a connection that breaks."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: bytes
    left: int


@dataclass
class Upload:
    """An upload as the service keeps it."""

    id: str
    filename: str
    size: int
    complete: bool = False
    parts: dict[int, bytes] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[int, int]:
        """Lengths of the parts, none for a single PUT."""
        if self.size <= SINGLE:
            return {}
        return {number + 1: min(PART, self.size - start) for number, start in enumerate(range(0, self.size, PART))}


class Service:
    """The API and the storage, each with a port of its own, and all that they saw."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.api: list[Seen] = []
        self.storage: list[Seen] = []
        self.troubles: list[Trouble] = []
        self.uploads: dict[str, Upload] = {}
        self.orders: list[dict[str, Any]] = []
        self.states = ["SUCCEEDED"]
        self.of_the_whole = ["summary.csv"]
        self.generation = 0
        self.keep = True
        self.pause = 0.0
        self.at_once = self.most_at_once = 0
        self.waits_for_another, self.another = False, threading.Event()

    def trouble(self, method: str, path: str, status: int, body: Any = b"", times: int = 1, **headers: str) -> None:
        """Let the next requests fail."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.troubles.append(Trouble(method, path, status, named, data, times))

    def count(self, method: str, path: str, of: list[Seen] | None = None) -> int:
        """Count the requests that arrived."""
        seen = self.api if of is None else of
        return sum(each.method == method and re.fullmatch(path, each.path) is not None for each in seen)

    def met(self, request: Seen) -> Trouble | None:
        with self.lock:
            for trouble in self.troubles:
                if trouble.left and trouble.method == request.method and re.fullmatch(trouble.path, request.path):
                    trouble.left -= 1
                    return trouble
        return None

    # --- the API -------------------------------------------------------------------------------------------------

    def answer(self, request: Seen) -> tuple[int, Any, dict[str, str]]:
        """Answer a request of the API with a document."""
        if request.headers.get("x-api-key") != KEY:
            return 403, {"error": "NotAllowed", "message": "the key is missing", "request_id": "r-1"}, {}
        body = json.loads(request.body) if request.headers.get("content-type") == "application/json" else {}
        name = f"{request.method} {re.sub(r'[ued]-[0-9a-z-]+', '*', request.path)}"
        identifier = request.path.split("/")[2] if request.path.count("/") > 1 else ""
        return {
            "POST /uploads": lambda: self.open(body),
            "GET /uploads/*": lambda: (200, self.shown(self.uploads[identifier]), {}),
            "GET /uploads/*/parts": lambda: self.parts(identifier, int(request.query.get("from", "1"))),
            "POST /uploads/*/complete": lambda: self.completed(identifier),
            "POST /executions": lambda: self.ordered(request, body),
            "GET /executions": lambda: self.page(request.query),
            "GET /executions/*": lambda: (200, self.execution(), {"retry-after": "2"}),
            "DELETE /executions/*": lambda: (202, self.execution() | {"status": "CANCELLED"}, {}),
            "POST /executions/*/resume": lambda: (202, self.execution() | {"attempt": 2}, {}),
            "GET /executions/*/results": lambda: self.results(request.query),
            "GET /executions/*/files": lambda: (200, {"files": self.whole()}, {}),
            "POST /executions/*/decisions": lambda: (200, self.lab() | {"decision": DECISION}, {}),
            "GET /models": lambda: (200, {"models": [{"name": "reef", "versions": ["1.0.0"], "aliases": {}}]}, {}),
            "GET /models/reef/production": lambda: (200, {"name": "reef", "version": "1.0.0"}, {}),
            "POST /inference/predict": lambda: (200, {"predictions": [], "events": [], "metadata": {}}, {}),
        }.get(name, lambda: (404, {"error": "RouteNotFound", "message": name, "request_id": "r-2"}, {}))()

    def open(self, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if "refused" in body["filename"] or len(body["filename"]) > 200:
            return 400, {"error": "InvalidRequest", "message": "not this one", "request_id": "r-3"}, {}
        with self.lock:
            upload = Upload(f"u-{len(self.uploads) + 1}", body["filename"], body["size"])
            self.uploads[upload.id] = upload
        document = self.shown(upload)
        if upload.sizes:
            page = self.parts(upload.id, 1)[1]
            document["multipart"] = {**page, "part_size": PART, "part_count": len(upload.sizes)}
        else:
            document["put"] = {"url": self.link(upload, 0), "headers": {"content-type": "application/octet-stream"}}
        return 201, document, {}

    def shown(self, upload: Upload) -> dict[str, Any]:
        status = "COMPLETE" if upload.complete else "OPEN"
        facts = {"id": upload.id, "filename": upload.filename, "size": upload.size, "status": status}
        return {**facts, "put": None, "multipart": None}

    def link(self, upload: Upload, number: int) -> str:
        return f"{self.storage_url}/{upload.id}/{number}?signature={self.generation}"

    def parts(self, identifier: str, first: int) -> tuple[int, Any, dict[str, str]]:
        upload = self.uploads[identifier]
        if upload.complete or not upload.sizes:
            return 409, {"error": "WrongState", "message": "no parts", "request_id": "r-4"}, {}
        last = min(first + PAGE - 1, len(upload.sizes))
        parts = [
            {
                "number": number,
                "size": upload.sizes[number],
                "url": self.link(upload, number),
                "etag": '"it"' if number in upload.parts else None,
            }
            for number in range(first, last + 1)
        ]
        following = f"/uploads/{identifier}/parts?from={last + 1}" if last < len(upload.sizes) else None
        return 200, {"parts": parts, "next": following}, {}

    def completed(self, identifier: str) -> tuple[int, Any, dict[str, str]]:
        upload = self.uploads[identifier]
        if set(upload.parts) != (set(upload.sizes) or {0}):
            return 409, {"error": "UploadIncomplete", "message": "bytes are missing", "request_id": "r-5"}, {}
        upload.complete = True
        return 200, self.shown(upload), {}

    def ordered(self, request: Seen, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if request.query.get("dry_run"):
            quote = {"recordings": len(body["recordings"]), "ranges": 3, "windows": 9, "audio_seconds": 1.8}
            model = {"name": "reef", "version": "1.0.0", "hash": "0"}
            recordings = [{"name": self.uploads[each].filename, "error": None} for each in body["recordings"]]
            return 200, {
                "model": model,
                "quote": {**quote, "expected_seconds": 4.5, "expected_usd": 0.0123},
                "recordings": recordings,
            }, {}  # fmt: skip
        self.orders.append(body)
        return 202, self.execution(), {}

    def names(self) -> list[str]:
        return [self.uploads[each].filename for each in self.orders[-1]["recordings"]] if self.orders else ["a.wav"]

    def errors(self) -> list[dict[str, str] | None]:
        return [
            {"error": "TruncatedRecording", "message": f"{name}: the header promises more"}
            if "broken" in name
            else None
            for name in self.names()
        ]

    def execution(self) -> dict[str, Any]:
        status = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        error = {"error": "EveryRecordingFailed", "message": "all are broken"} if status == "FAILED" else None
        return {
            "id": EXECUTION, "status": status, "ranges_done": 1, "ranges_total": 2, "attempt": 1, "expected_end": None,
            "recordings": [
                {"name": name, "error": why} for name, why in zip(self.names(), self.errors(), strict=True)
            ],
            "error": error,
        }  # fmt: skip

    def page(self, query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        first, limit = int(query.get("from", "0")), int(query["limit"])
        numbers = range(first, min(first + limit, 250))
        model = {"name": "reef", "version": "1.0.0", "hash": "0"}
        executions = [
            {"id": f"e-{n}", "status": "SUCCEEDED", "created_at": "now", "model": model, "recordings": 1, "error": None}
            for n in numbers
        ]
        following = f"/executions?limit={limit}&from={first + limit}" if first + limit < 250 else None
        return 200, {"executions": executions, "next": following}, {}

    def lab(self) -> dict[str, Any]:
        outcomes = [
            {"recording": n, "name": name, "windows": None if why else 99, "events": None if why else 2, "error": why}
            for n, (name, why) in enumerate(zip(self.names(), self.errors(), strict=True))
        ]
        return {"predictions": [], "events": [{}, {}, {}], "metadata": {}, "recordings": outcomes}

    def whole(self) -> list[dict[str, str]]:
        """What tells of the whole job."""
        links = {name: f"{name.replace('/', '-')}?signature={self.generation}" for name in self.of_the_whole}
        return [{"name": name, "url": f"{self.storage_url}/results/{link}"} for name, link in links.items()]

    def results(self, query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        if "format" not in query:
            return 200, self.lab(), {}
        assert query["redirect"] == "false"
        name = f"{query['recording']}-{query['format']}-{query.get('decision')}"
        return 200, {"url": f"{self.storage_url}/results/{name}?signature={self.generation}"}, {}

    # --- the storage ---------------------------------------------------------------------------------------------

    def store(self, request: Seen) -> tuple[int, bytes]:
        """Answer a request of the storage."""
        if request.query["signature"] != str(self.generation):
            return 403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
        _, identifier, name = request.path.split("/")
        if request.method == "GET":
            return 200, f"this is {name}".encode()
        upload = self.uploads[identifier]
        if request.size != (upload.sizes.get(int(name)) or upload.size):
            return 403, b"<Error><Code>SignatureDoesNotMatch</Code><Message>another length</Message></Error>"
        upload.parts[int(name)] = request.body
        return 200, b""


def handler(service: Service, serve: Callable[[Any, Seen], None], log: list[Seen]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            assert "transfer-encoding" not in headers or parts.path.endswith("predict"), "S3 takes no chunks"
            size, chunks = int(headers.get("content-length", "0")), []
            left = size
            while left:
                chunk = self.rfile.read(min(left, 1 << 16))
                if not chunk:
                    self.close_connection = True
                    return
                left -= len(chunk)
                if service.keep or self.command != "PUT":
                    chunks.append(chunk)
            request = Seen(self.command, parts.path.removeprefix("/v1"), query, headers, b"".join(chunks), size)
            with service.lock:
                log.append(request)
            trouble = service.met(request)
            if trouble is None:
                serve(self, request)
            elif trouble.status:
                self.reply(trouble.status, trouble.body, trouble.headers)
            else:
                self.close_connection = True
                if trouble.body:
                    self.reply(200, trouble.body, {"content-length": str(len(trouble.body) + 1)})

        do_GET = do_PUT = do_POST = do_DELETE = handle_any

        def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


@contextmanager
def serving(kind: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()

    def answer(connection: Any, request: Seen) -> None:
        status, document, headers = made.answer(request)
        connection.reply(status, json.dumps(document).encode(), {"content-type": "application/json", **headers})

    def store(connection: Any, request: Seen) -> None:
        with made.lock:
            made.at_once += 1
            made.most_at_once = max(made.most_at_once, made.at_once)
            if made.at_once > 1:
                made.another.set()
        time.sleep(made.pause)
        if made.waits_for_another:
            made.another.wait(300)
        with made.lock:
            made.at_once -= 1
        connection.reply(*made.store(request), {})

    with serving(handler(made, answer, made.api)) as api, serving(handler(made, store, made.storage)) as storage:
        made.api_url, made.storage_url = f"{api}/v1", storage
        yield made


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def remote(service: Service, pauses: list[float]) -> Iterator[Client]:
    with Client(service.api_url, KEY, sleep=pauses.append) as made:
        yield made


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "20230210_000001.wav"
    path.write_bytes(os.urandom(1000))
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Five parts, the last of five bytes; each part has a byte of its own at its ends."""
    path = tmp_path / "day.wav"
    with path.open("wb") as file:
        for number in range(1, 6):
            file.seek((number - 1) * PART)
            file.write(bytes([number]))
            file.seek(min(number * PART, SINGLE + 5) - 1)
            file.write(bytes([number + 100]))
    return path


def put_numbers(service: Service) -> list[int]:
    return sorted(int(each.path.rpartition("/")[2]) for each in service.storage if each.method == "PUT")


# --- uploads -----------------------------------------------------------------------------------------------------


def test_a_small_file_is_one_put_with_exactly_the_headers_it_was_given(
    remote: Client, service: Service, small: Path
) -> None:
    sent: list[int] = []
    done = remote.upload(small, progress=sent.append)
    assert (done["status"], done["filename"], done["size"]) == ("COMPLETE", small.name, 1000)
    assert service.uploads[done["id"]].parts == {0: small.read_bytes()}
    assert sum(sent) == 1000
    (put,) = service.storage
    assert put.headers["content-length"] == "1000"
    assert put.headers["content-type"] == "application/octet-stream"


def test_a_put_whose_answer_got_lost_has_arrived(remote: Client, service: Service, small: Path) -> None:
    """S3 answers 412 to a second PUT by a link that is used once."""
    service.trouble("PUT", "/u-1/0", 503, b"<Error><Code>SlowDown</Code></Error>")
    service.trouble("PUT", "/u-1/0", 412, b"<Error><Code>PreconditionFailed</Code></Error>")
    sent: list[int] = []

    def arrive(upload: dict[str, Any]) -> None:
        service.uploads[upload["id"]].parts[0] = small.read_bytes()

    assert remote.upload(small, progress=sent.append, started=arrive)["status"] == "COMPLETE"
    assert sum(sent) == 1000
    assert len(service.storage) == 2


def test_a_put_that_meets_another_one_is_sent_again(remote: Client, service: Service, small: Path) -> None:
    service.trouble("PUT", "/u-1/0", 409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")
    assert remote.upload(small)["status"] == "COMPLETE"
    assert service.uploads["u-1"].parts == {0: small.read_bytes()}


def test_a_file_may_have_another_name(remote: Client, small: Path) -> None:
    assert remote.upload(small, "other.wav")["filename"] == "other.wav"


def test_a_large_file_is_sent_in_parts_several_at_once(remote: Client, service: Service, large: Path) -> None:
    service.waits_for_another = True  # the first part is not answered before the second comes
    sent: list[int] = []
    done = remote.upload(large, progress=sent.append)
    parts = service.uploads[done["id"]].parts
    assert b"".join(parts[number] for number in sorted(parts)) == large.read_bytes()
    assert put_numbers(service) == [1, 2, 3, 4, 5]
    assert service.count("GET", "/uploads/u-1/parts") == 1  # the first page came with the upload
    assert 2 <= service.most_at_once <= 4
    assert sum(sent) == SINGLE + 5


def test_an_upload_goes_on_where_it_was(remote: Client, service: Service, large: Path) -> None:
    service.trouble("PUT", "/u-1/[45]", 403, b"<Error><Code>Denied</Code></Error>", times=4)
    begun: list[dict[str, Any]] = []
    with pytest.raises(RemoteError):
        remote.upload(large, started=begun.append)
    service.troubles.clear()
    service.storage.clear()
    sent: list[int] = []
    done = remote.upload(large, resume=begun[0]["id"], progress=sent.append)
    assert (done["id"], done["status"]) == ("u-1", "COMPLETE")
    assert put_numbers(service) == [4, 5]
    assert sum(sent) == SINGLE + 5
    assert b"".join(service.uploads["u-1"].parts[number] for number in range(1, 6)) == large.read_bytes()

    service.storage.clear()
    assert remote.upload(large, resume="u-1")["status"] == "COMPLETE"  # nothing is left to do
    assert not service.storage


def test_another_file_does_not_go_on_with_an_upload(remote: Client, service: Service, small: Path, large: Path) -> None:
    remote.upload(small)
    with pytest.raises(InvalidRequest, match=r"u-1 is the upload of .*resume with that file"):
        remote.upload(large, resume="u-1")


def test_a_single_put_that_was_interrupted_begins_anew(remote: Client, service: Service, small: Path) -> None:
    service.trouble("PUT", "/u-1/0", 400, b"<Error><Code>BadDigest</Code></Error>")
    with pytest.raises(RemoteError):
        remote.upload(small)
    assert remote.upload(small, resume="u-1")["id"] == "u-2"


def test_expired_links_are_asked_for_again_once_for_all_parts(remote: Client, service: Service, large: Path) -> None:
    def expire(_: dict[str, Any]) -> None:
        service.generation += 1

    sent: list[int] = []
    done = remote.upload(large, started=expire, progress=sent.append)
    assert done["status"] == "COMPLETE"
    assert put_numbers(service) == [1, 1, 2, 2, 3, 3, 4, 5]
    assert [each.query["from"] for each in service.api if each.path.endswith("/parts")] == ["1", "4"]
    assert min(sent) < 0  # what has to go again is taken back
    assert sum(sent) == SINGLE + 5


@pytest.mark.parametrize(("status", "name"), [(403, "AccessDenied"), (400, "ExpiredToken")])
def test_a_fresh_link_is_tried_once(
    remote: Client, service: Service, large: Path, pauses: list[float], status: int, name: str
) -> None:
    service.trouble("PUT", "/u-1/2", status, f"<Error><Code>{name}</Code></Error>".encode(), times=9)
    with pytest.raises(RemoteError) as caught:
        remote.upload(large)
    assert (caught.value.name, caught.value.http_status) == (name, status)
    assert put_numbers(service).count(2) == 2
    assert not pauses
    assert service.count("POST", "/uploads/u-1/complete") == 0


@pytest.mark.parametrize("times", [2, 3, 8])
def test_part_whose_link_expires_again_is_renewed_each_time(
    remote: Client, service: Service, large: Path, times: int
) -> None:
    words = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    service.trouble("PUT", "/u-1/2", 403, words, times=times)
    assert remote.upload(large)["status"] == "COMPLETE"
    assert put_numbers(service).count(2) == times + 1
    assert service.count("GET", "/uploads/u-1/parts") == times + 1  # the second page is asked for as well


def test_links_that_are_always_expired_end_with_their_words(
    remote: Client, service: Service, large: Path, pauses: list[float]
) -> None:
    words = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    service.trouble("PUT", "/u-1/2", 403, words, times=99)
    with pytest.raises(RemoteError, match="Request has expired"):
        remote.upload(large)
    assert put_numbers(service).count(2) == 11
    assert len(pauses) == 9


def test_laptop_that_sleeps_through_every_link_is_renewed_without_end(
    remote: Client, service: Service, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = iter(range(0, 10_000, 2))
    monkeypatch.setattr(
        "anemonefish.client.upload_parts.time.time", lambda: next(hours) * 3600.0
    )  # each look is two hours later
    service.trouble("PUT", "/u-1/2", 403, b"<Error><Code>AccessDenied</Code></Error>", times=25)
    assert remote.upload(large)["status"] == "COMPLETE"
    assert put_numbers(service).count(2) == 26


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
def test_a_part_that_did_not_arrive_goes_again(
    remote: Client, service: Service, large: Path, pauses: list[float], status: int
) -> None:
    service.trouble("PUT", "/u-1/5", status, times=2)
    sent: list[int] = []
    remote.upload(large, progress=sent.append)
    assert put_numbers(service) == [1, 2, 3, 4, 5, 5, 5]
    assert len(pauses) == 2
    assert sum(sent) == SINGLE + 5


def test_storage_that_waited_in_vain_is_tried_again(remote: Client, service: Service, small: Path) -> None:
    service.trouble("PUT", "/u-1/0", 400, b"<Error><Code>RequestTimeout</Code></Error>")
    assert remote.upload(small)["status"] == "COMPLETE"


def test_memory_does_not_grow_with_the_file(remote: Client, service: Service, large: Path) -> None:
    service.keep = False
    remote.upload(large)  # whatever is made once
    tracemalloc.start()
    try:
        remote.upload(large)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert service.uploads["u-2"].complete
    assert peak < 8 << 20  # one part has 16 MiB


def test_a_file_that_changes_meanwhile_is_not_completed(remote: Client, service: Service, small: Path) -> None:
    def write(_: int) -> None:
        with small.open("r+b") as file:
            file.seek(999)
            file.write(b"x")
        os.utime(small, ns=(1, 1))

    with pytest.raises(RecordingChanged, match="changed while it was sent"):
        remote.upload(small, progress=write)
    assert service.count("POST", "/uploads/.*/complete") == 0


def test_a_file_that_becomes_shorter_is_not_completed(remote: Client, service: Service, small: Path) -> None:
    with pytest.raises(RecordingChanged, match="became shorter"):
        remote.upload(small, started=lambda _: small.write_bytes(b"short"))
    assert service.count("POST", "/uploads/.*/complete") == 0


def test_a_file_that_is_none_is_not_announced(remote: Client, service: Service, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(EmptyRecording):
        remote.upload(tmp_path / "empty.wav")
    for path in (tmp_path / "nothing.wav", tmp_path):
        with pytest.raises(RecordingNotFound):
            remote.upload(path)
    assert not service.api


def test_closing_stops_what_other_threads_send(service: Service, large: Path) -> None:
    remote = Client(service.api_url, KEY)
    service.pause = 1.0
    caught: list[BaseException] = []

    def send() -> None:
        try:
            remote.upload(large)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    while not service.at_once:
        time.sleep(0.01)
    remote.close()
    thread.join(300)
    assert not thread.is_alive()
    assert len(caught) == 1
    assert not service.uploads["u-1"].complete


# --- retries -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 429, 502, 503, 504])
def test_what_passes_is_asked_again_ever_more_slowly(
    remote: Client, service: Service, pauses: list[float], status: int
) -> None:
    service.trouble("GET", "/models", status, times=3)
    assert remote.models()[0]["name"] == "reef"
    assert service.count("GET", "/models") == 4
    for pause, expected in zip(pauses, (1.0, 1.5, 2.25), strict=True):
        assert 0.75 * expected <= pause <= 1.25 * expected


def test_six_tries_are_enough(remote: Client, service: Service, pauses: list[float]) -> None:
    service.trouble("GET", "/models", 503, {"error": "StorageError", "message": "busy", "request_id": "r"}, times=99)
    with pytest.raises(RemoteError, match="busy"):
        remote.models()
    assert (service.count("GET", "/models"), len(pauses)) == (6, 5)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 413, 500])
def test_what_does_not_pass_is_not_asked_again(remote: Client, service: Service, status: int) -> None:
    service.trouble("GET", "/models", status)
    with pytest.raises(RemoteError):
        remote.models()
    assert service.count("GET", "/models") == 1


def test_whoever_says_how_long_is_waited_for(remote: Client, service: Service, pauses: list[float]) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    for value in ("7", date, "999999", "soon"):
        service.trouble("GET", "/models", 429, retry_after=value)
    remote.models()
    seven, dated, hour, unknown = pauses
    assert seven == 7.0
    assert 35 < dated <= 40
    assert hour == 3600
    assert unknown < 5


def test_nobody_there_is_an_error_of_ours(pauses: list[float]) -> None:
    with (
        Client("http://127.0.0.1:1", KEY, sleep=pauses.append) as remote,
        pytest.raises(RemoteError, match=r"no answer from 127.0.0.1") as caught,
    ):
        remote.models()
    assert (caught.value.name, caught.value.http_status, len(pauses)) == ("NetworkError", 0, 5)


@pytest.mark.parametrize("status", [0, 503])
def test_a_start_that_is_tried_again_has_the_same_key(remote: Client, service: Service, status: int) -> None:
    service.uploads["u-1"] = Upload("u-1", "a.wav", 1)
    service.trouble("POST", "/executions", status, times=2)
    remote.start(["u-1"], model="reef", settings={"threshold": 0.6})
    remote.start(["u-1"])
    remote.start(["u-1"], idempotency_key="mine")
    keys = [each.headers["idempotency-key"] for each in service.api]
    assert len(keys[0]) > 20
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert keys[4] == "mine"
    assert service.orders[0] == {"recordings": ["u-1"], "model": "reef", "settings": {"threshold": 0.6}}
    assert service.orders[1] == {"recordings": ["u-1"]}


@pytest.mark.parametrize(("verb", "path"), [("cancel", "/executions/e-1"), ("resume", "/executions/e-1/resume")])
def test_what_must_not_happen_twice_is_tried_again_when_throttled_only(
    remote: Client, service: Service, verb: str, path: str
) -> None:
    method = "DELETE" if verb == "cancel" else "POST"
    service.trouble(method, path, 429, times=2)
    assert getattr(remote, verb)("e-1")["id"] == EXECUTION
    assert service.count(method, path) == 3
    for status in (0, 502, 503, 504):
        service.api.clear()
        service.trouble(method, path, status)
        with pytest.raises(RemoteError):
            getattr(remote, verb)("e-1")
        assert service.count(method, path) == 1


# --- the key -----------------------------------------------------------------------------------------------------


def test_the_key_goes_to_the_api_only(remote: Client, service: Service, small: Path, large: Path) -> None:
    remote.upload(small)
    remote.upload(large)
    remote.start(["u-1"])
    remote.download(EXECUTION, "csv", small.with_name("a.csv"))
    assert {each.headers.get("x-api-key") for each in service.api} == {KEY}
    assert len(service.storage) == 7
    assert not [each for each in service.storage if KEY in f"{each.headers}{each.path}{each.query}"]


def test_no_redirect_is_followed(remote: Client, service: Service, tmp_path: Path) -> None:
    service.trouble("GET", "/models", 302, location=f"{service.storage_url}/elsewhere/x?signature=0")
    with pytest.raises(RemoteError) as caught:
        remote.models()
    assert (caught.value.name, caught.value.http_status) == ("UnexpectedAnswer", 302)
    service.trouble("GET", "/results/.*", 307, location=f"{service.storage_url}/elsewhere/x?signature=0")
    with pytest.raises(RemoteError, match="answered 307"):
        remote.download(EXECUTION, "csv", tmp_path / "a.csv")
    assert len(service.storage) == 1


def test_no_document_leads_the_key_elsewhere(remote: Client, service: Service) -> None:
    for following in (f"{service.storage_url}/x", "@elsewhere.example/x"):
        service.trouble("GET", "/executions", 200, {"executions": [], "next": following})
        with pytest.raises(RemoteError, match="not a path of this API"):
            list(remote.executions())
    assert not service.storage


@pytest.mark.parametrize("key", ["", "   ", "a\nb", "ключ"])
def test_a_key_that_is_none_is_not_sent(key: str) -> None:
    with pytest.raises(InvalidRequest, match="API key") as caught:
        Client("https://api.example", key)
    assert not key.strip() or key not in str(caught.value)


@pytest.mark.parametrize("url", ["", "api.example/v1", "ftp://api.example", "https://", "https://a:b:c"])
def test_an_address_that_is_none_is_said_at_once(url: str) -> None:
    with pytest.raises(InvalidRequest, match="ApiUrl"):
        Client(url, KEY)


# --- answers -----------------------------------------------------------------------------------------------------


def test_an_error_keeps_its_name_its_details_and_its_request(remote: Client, service: Service) -> None:
    details = [{"field": "body.recordings", "message": "too few"}]
    service.trouble(
        "POST",
        "/executions",
        400,
        {"error": "InvalidRequest", "message": "body.recordings: too few", "details": details, "request_id": "r-9"},
    )
    with pytest.raises(RemoteError, match=r"^body.recordings: too few$") as caught:
        remote.start([])
    error = caught.value
    assert (error.name, error.http_status, error.request_id) == ("InvalidRequest", 400, "r-9")
    assert error.details == tuple(details)


@pytest.mark.parametrize("body", [b"<html>Log in to this network</html>", b"[]", b""])
def test_somebody_elses_answer_is_none_of_the_api(remote: Client, service: Service, body: bytes) -> None:
    for status in (200, 404):
        service.trouble("GET", "/models", status, body)
        with pytest.raises(RemoteError) as caught:
            remote.models()
        assert (caught.value.name, caught.value.http_status) == ("UnexpectedAnswer", status)


def test_waiting_polls_as_slowly_as_it_is_told(remote: Client, service: Service, pauses: list[float]) -> None:
    service.states = ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
    heard: list[str] = []
    assert remote.wait(EXECUTION, lambda found: heard.append(found["status"]))["status"] == "SUCCEEDED"
    assert heard == ["PENDING", "RUNNING", "RUNNING", "SUCCEEDED"]
    assert len(pauses) == 3
    assert min(pauses) >= 2.0  # Retry-After
    service.states = ["FAILED"]
    assert remote.wait(EXECUTION)["error"]["error"] == "EveryRecordingFailed"


@pytest.mark.parametrize(("limit", "pages", "found"), [(None, 3, 250), (5, 1, 5), (120, 2, 120), (100, 1, 100)])
def test_lists_are_asked_for_page_by_page(
    remote: Client, service: Service, limit: int | None, pages: int, found: int
) -> None:
    assert [each["id"] for each in remote.executions(limit)] == [f"e-{number}" for number in range(found)]
    assert service.count("GET", "/executions") == pages


def test_a_download_is_whole_or_not_there(
    remote: Client, service: Service, tmp_path: Path, pauses: list[float]
) -> None:
    path = tmp_path / "out" / "a.csv"
    service.trouble("GET", "/results/.*", 0, b"half of")  # breaks off
    service.trouble("GET", "/results/.*", 503)
    remote.download(EXECUTION, "csv", path, recording=3, decision=DECISION)
    assert path.read_text() == f"this is 3-csv-{DECISION}"
    assert len(pauses) == 2
    service.trouble("GET", "/results/.*", 404, b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>")
    with pytest.raises(RemoteError, match="gone") as caught:
        remote.download(EXECUTION, "csv", path)
    assert caught.value.name == "NoSuchKey"
    assert path.read_text() == f"this is 3-csv-{DECISION}"
    assert [each.name for each in path.parent.iterdir()] == ["a.csv"]
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        remote.download(EXECUTION, "csv", tmp_path / "file" / "a.csv")


def test_a_clip_is_a_form_and_goes_again_whole(remote: Client, service: Service, small: Path) -> None:
    service.trouble("POST", "/inference/predict", 503)
    assert remote.predict(small, {"threshold": 0.9})["events"] == []
    for seen in service.api:
        assert b'name="audio_file"; filename="20230210_000001.wav"' in seen.body
        assert small.read_bytes() in seen.body
        assert b'{"threshold": 0.9}' in seen.body


# --- commands ----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("ANEMONEFISH_API_URL", service.api_url)
    monkeypatch.setenv("ANEMONEFISH_API_KEY", KEY)

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(main, ["remote", *map(str, arguments)], catch_exceptions=False)

    return invoke


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    folder = tmp_path / "deployment"
    for name in ("a.wav", "day 2/a.wav", "day 2/b.flac", ".hidden.wav", "tab\tand\nline.wav", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def files_below(folder: Path) -> set[str]:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in files if ".anemonefish/" not in name}


def test_detect_writes_what_detect_writes(
    run: Callable[..., Result], service: Service, deployment: Path, tmp_path: Path
) -> None:
    named = [deployment / "a.wav", deployment / ".hidden.wav"]  # hidden ones are opened when they are named
    result = run("detect", deployment, *named, "--out", tmp_path / "out", "--threshold", 0.6)
    assert result.exit_code == 0, result.output
    names = ["a.wav", "day 2/a.wav", "day 2/b.flac", "tab_and_line.wav", "a-2.wav", "_hidden.wav"]
    expected = {f"{name}{report.suffix}" for name in names for report in REPORTS.values()}
    assert files_below(tmp_path / "out") == expected | {"summary.csv"}
    assert service.names() == ["a.wav", "a.wav", "b.flac", "tab_and_line.wav", "a-2.wav", "_hidden.wav"]
    contents = [service.uploads[each].parts[0] for each in service.orders[0]["recordings"]]
    assert contents == [b"a.wav", b"day 2/a.wav", b"day 2/b.flac", b"tab\tand\nline.wav", b"a.wav", b".hidden.wav"]
    assert (tmp_path / "out" / "day 2" / "b.flac.selections.txt").read_text() == "this is 2-raven-None"
    rows = list(csv.DictReader((tmp_path / "out" / "summary.csv").open()))
    assert [row["recording"] for row in rows] == names
    assert {(row["status"], row["windows"], row["events"], row["error"]) for row in rows} == {("done", "99", "2", "")}
    assert "6 recordings, 12 events; reports in" in result.stdout
    assert f"execution {EXECUTION}" in result.stderr
    assert service.orders[0]["settings"] == {"threshold": 0.6}
    assert service.orders[0]["model"] == "reef@production"


def test_names_that_are_long_and_alike_are_told_apart(
    run: Callable[..., Result], service: Service, tmp_path: Path
) -> None:
    for day in ("day 1", "day 2"):
        (tmp_path / day).mkdir()
        (tmp_path / day / f"{'n' * 240}.wav").write_bytes(day.encode())
    files = [tmp_path / day / f"{'n' * 240}.wav" for day in ("day 1", "day 2")]
    assert run("detect", *files, "--out", tmp_path / "out", "--formats", "csv").exit_code == 0
    names = {f"{'n' * 196}.wav.events.csv", f"{'n' * 196}-2.wav.events.csv", "summary.csv"}
    assert files_below(tmp_path / "out") == names
    assert [len(name) for name in service.names()] == [200, 200]


def test_formats_are_made_and_fetched_as_asked(
    run: Callable[..., Result], service: Service, small: Path, tmp_path: Path
) -> None:
    assert run("detect", small, "--out", tmp_path / "out", "--formats", "raven,csv").exit_code == 0
    assert service.orders[0]["settings"] == {"formats": ["raven", "csv"]}
    expected = {f"{small.name}.selections.txt", f"{small.name}.events.csv", "summary.csv"}
    assert files_below(tmp_path / "out") == expected


def test_one_bad_recording_does_not_lose_the_others(
    run: Callable[..., Result], service: Service, deployment: Path, tmp_path: Path
) -> None:
    (deployment / "day 2" / "broken.wav").write_bytes(b"RIFF")
    (deployment / "refused.wav").write_bytes(b"RIFF")
    (deployment / "empty.wav").touch()
    result = run("detect", deployment, tmp_path / "missing.wav", "--out", tmp_path / "out")
    assert result.exit_code == 1
    rows = {row["recording"]: row for row in csv.DictReader((tmp_path / "out" / "summary.csv").open())}
    failed = {name: row["error"] for name, row in rows.items() if row["status"] == "failed"}
    assert failed == {
        "day 2/broken.wav": "TruncatedRecording",
        "refused.wav": "InvalidRequest",
        "empty.wav": "EmptyRecording",
        "missing.wav": "RecordingNotFound",
    }
    assert rows["day 2/broken.wav"]["message"] == "day 2/broken.wav: the header promises more"
    assert rows["refused.wav"]["message"] == "refused.wav: not this one"
    assert rows["empty.wav"]["message"].startswith("empty.wav: the file is empty")
    assert "4 recordings, 8 events" in result.stdout
    assert "4 of 8 recordings failed" in result.stderr
    assert "TruncatedRecording: day 2/broken.wav: the header promises more" in result.stderr
    assert "Traceback" not in result.output
    assert not [name for name in files_below(tmp_path / "out") if "broken" in name or "empty" in name]


def test_a_report_that_cannot_be_fetched_does_not_lose_the_others(
    run: Callable[..., Result], service: Service, deployment: Path, tmp_path: Path
) -> None:
    service.trouble("GET", "/results/1-csv-None", 404, b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>")
    result = run("detect", deployment, "--out", tmp_path / "out", "--formats", "csv")
    assert result.exit_code == 1
    assert "1 of 4 recordings failed" in result.stderr
    assert "NoSuchKey: day 2/a.wav: gone" in result.stderr
    assert len(files_below(tmp_path / "out")) == 4


def test_nothing_starts_when_nothing_was_uploaded(run: Callable[..., Result], service: Service, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    for command in ("detect", "start", "quote"):
        result = run(command, tmp_path / "empty.wav")
        assert result.exit_code == 1
        assert "EmptyRecording: empty.wav: the file is empty" in result.stderr
    assert service.count("POST", "/executions") == 0


def test_an_execution_that_failed_is_one_line_for_each_reason(
    run: Callable[..., Result], service: Service, tmp_path: Path
) -> None:
    for name in ("x/broken.wav", "y/broken.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"RIFF")
    service.states = ["FAILED"]
    result = run("detect", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[1:] == [
        "EveryRecordingFailed: all are broken",
        "TruncatedRecording: x/broken.wav: the header promises more",
        "TruncatedRecording: y/broken.wav: the header promises more",
    ]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--set", "treshold=1"], 1, "InvalidSettings: there is no setting 'treshold'"),
        (["--formats", "doc"], 1, "InvalidSettings: formats must be a list of"),
        (["--model", "whale"], 1, "RouteNotFound: GET /models/whale/production"),
        (["--nonsense"], 2, "No such option"),
        (["--key", KEY], 2, "No such option"),
    ],
)
def test_a_mistake_shows_before_anything_is_uploaded(
    run: Callable[..., Result], service: Service, small: Path, options: list[str], code: int, words: str
) -> None:
    result = run("detect", small, *options)
    assert result.exit_code == code
    assert words in result.stderr
    assert service.count("POST", "/uploads") == 0


def test_more_than_a_thousand_recordings_are_refused(
    run: Callable[..., Result], service: Service, tmp_path: Path
) -> None:
    for number in range(1001):
        (tmp_path / f"{number}.wav").touch()
    result = run("detect", tmp_path)
    assert result.exit_code == 1
    assert "InvalidRequest: 1001 recordings are more than the 1000 of one execution" in result.stderr
    assert service.count("POST", "/uploads") == 0


def test_recordings_in_a_bucket_are_refused(run: Callable[..., Result]) -> None:
    result = run("detect", "s3://bucket/a.wav")
    assert result.exit_code == 1
    assert "recordings are uploaded from here" in result.stderr


def test_uploads_are_not_lost_when_the_start_is_refused(
    run: Callable[..., Result], service: Service, small: Path
) -> None:
    service.trouble("POST", "/executions", 400, {"error": "InvalidSettings", "message": "odd", "request_id": "r"})
    result = run("detect", small)
    assert result.exit_code == 1
    assert "anemonefish remote start u-1" in result.stderr
    assert "InvalidSettings: odd" in result.stderr


def test_start_takes_files_and_uploads_and_prints_the_id_alone(
    run: Callable[..., Result], service: Service, small: Path
) -> None:
    there = f"u-{'a' * 26}"
    service.uploads[there] = Upload(there, "there.wav", 5, complete=True)
    result = run("start", small, there)
    assert (result.exit_code, result.stdout) == (0, f"{EXECUTION}\n")
    assert service.orders[0]["recordings"] == [there, "u-2"]


def test_quote_says_time_money_and_how_to_start(run: Callable[..., Result], service: Service, small: Path) -> None:
    result = run("quote", small)
    assert result.exit_code == 0
    assert "0.0123 USD" in result.stdout
    assert "anemonefish remote start u-1" in result.stderr
    answer = json.loads(run("quote", small, "--json").stdout)
    assert answer["quote"]["expected_seconds"] == 4.5
    assert answer["uploads"] == ["u-2"]
    assert not service.orders


def test_status_list_cancel_and_resume(run: Callable[..., Result], service: Service) -> None:
    service.states = ["RUNNING"]
    assert f"{EXECUTION} is RUNNING, 1 of 2 ranges done" in run("status", EXECUTION).stdout
    assert json.loads(run("status", EXECUTION, "--json").stdout)["id"] == EXECUTION
    assert "attempt 2" in run("resume", EXECUTION).stdout
    assert "is CANCELLED" in run("cancel", EXECUTION).stdout
    assert len(json.loads(run("list", "--json", "--limit", 7).stdout)) == 7
    assert "reef@1.0.0" in run("list").stdout
    early = run("results", EXECUTION)
    assert early.exit_code == 1
    assert "WrongState" in early.stderr
    service.states = ["CANCELLED"]
    for command in ("status", "results", "decide"):
        stopped = run(command, EXECUTION)
        assert stopped.exit_code == 1
        assert f"Cancelled: {EXECUTION} is CANCELLED" in stopped.stderr


def test_what_tells_of_the_whole_job_is_fetched(run: Callable[..., Result], service: Service, tmp_path: Path) -> None:
    service.of_the_whole += ["combined.events.csv", "combined.selections.txt", "review/clips/a.flac"]
    done = run("results", EXECUTION, "--out", tmp_path, "--formats", "csv")
    assert done.exit_code == 0, done.stderr
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"combined.events.csv", "review/clips/a.flac"} <= names
    assert "combined.selections.txt" not in names
    service.of_the_whole = ["../outside.csv"]
    refused = run("results", EXECUTION, "--out", tmp_path / "inside", "--formats", "csv")
    assert refused.exit_code == 1
    assert "would lie outside" in refused.stderr
    assert not (tmp_path / "outside.csv").exists()


def test_results_and_decisions_are_fetched(run: Callable[..., Result], service: Service, tmp_path: Path) -> None:
    assert run("results", EXECUTION, "--out", tmp_path / "one", "--formats", "csv").exit_code == 0
    assert (tmp_path / "one" / "a.wav.events.csv").read_text() == "this is 0-csv-None"
    result = run("decide", EXECUTION, "--threshold", 0.7, "--out", tmp_path / "two", "--formats", "csv")
    assert result.exit_code == 0
    assert (tmp_path / "two" / "a.wav.events.csv").read_text() == f"this is 0-csv-{DECISION}"
    assert "1 recordings, 3 events" in result.stdout  # those of the decision
    bodies = [each.body for each in service.api if each.path.endswith("/decisions")]
    assert {json.loads(body)["threshold"] for body in bodies} == {0.7}


def test_no_answer_writes_outside_the_folder(run: Callable[..., Result], service: Service, tmp_path: Path) -> None:
    service.uploads["u-1"] = Upload("u-1", "../../evil.wav", 1)
    service.orders.append({"recordings": ["u-1"]})
    result = run("results", EXECUTION, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "must be a relative path without '..'" in result.stderr
    assert not files_below(tmp_path)


def test_predict_prints_json(run: Callable[..., Result], service: Service, small: Path) -> None:
    assert json.loads(run("predict", small, "--threshold", 0.8).stdout)["events"] == []
    assert b'"threshold": 0.8' in service.api[-1].body
    assert "RecordingNotFound" in run("predict", small.with_name("none.wav")).stderr


def test_an_error_of_the_service_names_the_request(run: Callable[..., Result], service: Service) -> None:
    service.trouble("GET", "/executions", 500, {"error": "InternalError", "message": "our fault", "request_id": "r-7"})
    result = run("list")
    assert result.exit_code == 1
    assert result.stderr.strip() == "InternalError: our fault (request_id r-7)"


def test_ctrl_c_while_waiting_says_how_to_go_on(
    run: Callable[..., Result], small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "wait", interrupted)
    result = run("detect", small)
    assert result.exit_code == 1
    assert f"anemonefish remote status {EXECUTION} --wait" in result.stderr
    assert f"anemonefish remote cancel {EXECUTION}" in result.stderr
    assert "Traceback" not in result.output


def test_without_key_or_address_it_is_mistyped(
    run: Callable[..., Result], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANEMONEFISH_API_KEY", "wrong")
    refused = run("list")
    assert refused.exit_code == 1
    assert "NotAllowed: the key is missing" in refused.stderr
    monkeypatch.delenv("ANEMONEFISH_API_KEY")
    assert run("list").exit_code == 2
    assert "set ANEMONEFISH_API_KEY" in run("list").stderr
    assert run("list", "--help").exit_code == 0
    monkeypatch.delenv("ANEMONEFISH_API_URL")
    assert run("list").exit_code == 2
    assert "ANEMONEFISH_API_URL" in run("list").stderr


def test_the_key_is_asked_for_and_not_shown(service: Service) -> None:
    command = [sys.executable, "-m", "anemonefish", "remote", "list", "--url", service.api_url]
    controller, terminal = pty.openpty()
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True) as process:
        os.close(terminal)
        shown = b""
        while b"API key" not in shown:
            shown += os.read(controller, 1024)
        while termios.tcgetattr(controller)[3] & termios.ECHO:  # the question comes before the echo is switched off
            time.sleep(0.01)
        os.write(controller, f"{KEY}\n".encode())
        while chunk := _read(controller):
            shown += chunk
    os.close(controller)
    assert process.returncode == 0
    assert b"e-0" in shown
    assert KEY.encode() not in shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:  # Linux's word for a terminal that nobody writes to any more
        return b""


def test_everything_else_does_without_httpx() -> None:
    code = (
        "import sys; sys.modules['httpx'] = None\n"
        "from anemonefish.cli.main import main\n"
        "main(['remote', 'list', '--url', 'https://api.example'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1
    assert "pip install 'anemonefish[remote]'" in done.stderr
