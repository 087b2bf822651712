"""The client of the API against a server that misbehaves on purpose: it plays the API and S3 at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import pytest

from anemonefish.errors import RecordingNotFound
from anemonefish.remote import Remote, RemoteError

KEY = "the-key"
PART = 1_000
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """Answers by a script: a function of method, path, headers and body for each path's beginning."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.scripts: dict[str, Callable[[str, str, dict[str, str], bytes], Answer]] = {}
        lock, outer = Lock(), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                call = self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body
                with lock:
                    outer.seen.append(call)
                    status, headers, content = outer.reply(*call)
                if status == 0:  # the connection breaks
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        beginnings = [beginning for beginning in self.scripts if f"{method} {path}".startswith(beginning)]
        return self.scripts[max(beginnings, key=len)](method, path, headers, body)

    def calls(self, beginning: str) -> list[tuple[str, str, dict[str, str], bytes]]:
        return [call for call in self.seen if f"{call[0]} {call[1]}".startswith(beginning)]

    def on(self, beginning: str, *answers: Answer) -> None:
        """Answer in turn; the last one for ever."""
        waiting = list(answers)
        self.scripts[beginning] = lambda *_: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def sound(document: Any, **headers: str) -> Answer:
    return 200, {"content-type": "application/json", **headers}, json.dumps(document).encode()


def fault(status: int, error: str, **headers: str) -> Answer:
    body = {
        "error": error,
        "message": f"{error} it is",
        "request_id": "r-1",
        "details": [{"field": "a", "message": "b"}],
    }
    return status, headers, json.dumps(body).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def remote(server: Server, naps: list[float]) -> Iterator[Remote]:
    with Remote(f"{server.url}/v1", KEY, sleep=naps.append) as made:
        yield made


class Store:
    """Uploads in parts, two to a page, on a server."""

    def __init__(self, server: Server, size: int) -> None:
        self.server, self.size, self.parts, self.link = server, size, {}, 0
        server.scripts |= {
            "POST /v1/uploads": lambda *_: sound(self.upload("OPEN") | {"multipart": self.page(1)}),
            "GET /v1/uploads/u-1": lambda *_: sound(self.upload("OPEN")),
            "GET /v1/uploads/u-1/parts": lambda _m, path, *_: sound(self.page(int(path.partition("=")[2] or 1))),
            "POST /v1/uploads/u-1/complete": lambda *_: sound(self.upload("COMPLETE")),
            "PUT /s3/": self.put,
        }

    def upload(self, status: str) -> dict[str, Any]:
        return {"id": "u-1", "size": self.size, "status": status, "put": None, "multipart": None}

    def page(self, first: int) -> dict[str, Any]:
        self.link += 1
        count = -(-self.size // PART)
        parts = [
            {
                "number": number,
                "size": min(PART, self.size - (number - 1) * PART),
                "url": f"{self.server.url}/s3/{number}?link={self.link}",
                "etag": "there" if number in self.parts else None,
            }
            for number in range(first, min(first + 2, count + 1))
        ]
        return {"parts": parts, "next": f"/uploads/u-1/parts?from={first + 2}" if first + 2 <= count else None}

    def put(self, _method: str, path: str, _headers: dict[str, str], body: bytes) -> Answer:
        self.parts[int(path.removeprefix("/s3/").partition("?")[0])] = body
        return 200, {"etag": '"x"'}, b""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    path.write_bytes(bytes(number % 251 for number in range(5 * PART + 17)))
    return path


def joined(store: Store) -> bytes:
    return b"".join(store.parts[number] for number in sorted(store.parts))


# --- uploads -----------------------------------------------------------------------------------------------------


def test_a_large_file_goes_up_in_parts_and_pages(server: Server, remote: Remote, recording: Path) -> None:
    store, sent = Store(server, recording.stat().st_size), []
    assert remote.upload(recording, progress=sent.append)["status"] == "COMPLETE"
    assert joined(store) == recording.read_bytes()
    assert sum(sent) == recording.stat().st_size
    assert len(server.calls("GET /v1/uploads/u-1/parts")) == 2


def test_the_key_goes_to_the_api_only(server: Server, remote: Remote, recording: Path) -> None:
    Store(server, recording.stat().st_size)
    remote.upload(recording)
    assert {headers.get("x-api-key") for _, _, headers, _ in server.calls("PUT /s3/")} == {None}
    assert {headers.get("x-api-key") for _, path, headers, _ in server.seen if path.startswith("/v1")} == {KEY}


def test_an_interrupted_upload_sends_what_is_missing(server: Server, remote: Remote, recording: Path) -> None:
    store, sent = Store(server, recording.stat().st_size), []
    content = recording.read_bytes()
    store.parts = {number: content[(number - 1) * PART : number * PART] for number in (1, 2, 4)}
    remote.upload(recording, resume="u-1", progress=sent.append)
    assert sorted(path[4] for _, path, _, _ in server.calls("PUT /s3/")) == ["3", "5", "6"]
    assert joined(store) == content
    assert sum(sent) == len(content)


def test_another_file_is_not_taken_for_the_interrupted_one(server: Server, remote: Remote, recording: Path) -> None:
    Store(server, 17)
    with pytest.raises(RemoteError, match=r"has 5017 bytes, upload u-1 is of 17") as caught:
        remote.upload(recording, resume="u-1")
    assert caught.value.name == "OtherFile"
    assert server.calls("PUT") == []


@pytest.mark.parametrize(
    "over",
    [(403, {}, b"<Error><Code>AccessDenied</Code></Error>"), (400, {}, b"<Error><Code>ExpiredToken</Code></Error>")],
)
def test_a_link_that_is_over_is_asked_for_again(server: Server, remote: Remote, recording: Path, over: Answer) -> None:
    store = Store(server, recording.stat().st_size)
    put = store.put
    server.scripts["PUT /s3/"] = lambda *call: over if call[1] == "/s3/2?link=1" else put(*call)
    remote.upload(recording)
    assert joined(store) == recording.read_bytes()


def test_a_fresh_link_that_is_refused_is_an_error(server: Server, remote: Remote, recording: Path) -> None:
    Store(server, recording.stat().st_size)
    server.on("PUT /s3/", (403, {}, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"))
    with pytest.raises(RemoteError, match="no") as caught:
        remote.upload(recording)
    assert (caught.value.name, caught.value.status) == ("AccessDenied", 403)
    assert server.calls("POST /v1/uploads/u-1/complete") == []


@pytest.mark.parametrize("ill", [(500, {}, b""), (503, {}, b"<Error><Code>SlowDown</Code></Error>"), (0, {}, b""),
    (400, {}, b"<Error><Code>RequestTimeout</Code></Error>")])  # fmt: skip
def test_a_storage_that_is_ill_for_a_while(
    server: Server, remote: Remote, recording: Path, ill: Answer, naps: list[float]
) -> None:
    store = Store(server, recording.stat().st_size)
    put, turns = store.put, iter([ill, ill])
    server.scripts["PUT /s3/"] = lambda *call: next(turns, None) or put(*call)
    remote.upload(recording)
    assert joined(store) == recording.read_bytes()
    assert len(naps) == 2


def test_a_small_file_is_one_put_with_the_headers_that_were_told(
    server: Server, remote: Remote, recording: Path
) -> None:
    store = Store(server, recording.stat().st_size)
    opened = store.upload("OPEN") | {"put": {"url": f"{server.url}/s3/1", "headers": {"content-type": "x/y"}}}
    server.on("POST /v1/uploads", sound(opened))
    server.scripts["POST /v1/uploads/u-1/complete"] = lambda *_: sound(store.upload("COMPLETE"))
    remote.upload(recording)
    [(_, _, headers, body)] = server.calls("PUT")
    assert (headers["content-type"], body) == ("x/y", recording.read_bytes())


def test_a_file_that_is_not_there(remote: Remote, tmp_path: Path, server: Server) -> None:
    with pytest.raises(RecordingNotFound, match=r"none\.wav: cannot be read"):
        remote.upload(tmp_path / "none.wav")
    assert server.seen == []


# --- executions --------------------------------------------------------------------------------------------------


def test_a_start_that_is_retried_has_the_same_key(server: Server, remote: Remote, naps: list[float]) -> None:
    server.on("POST /v1/executions", (503, {"retry-after": "7"}, b""), (0, {}, b""), sound({"id": "e-1"}))
    assert remote.start(["u-1"], model="reef", settings={"threshold": 0.5})["id"] == "e-1"
    keys = {headers["idempotency-key"] for _, _, headers, _ in server.calls("POST /v1/executions")}
    assert len(server.calls("POST /v1/executions")) == 3
    assert len(keys) == 1
    assert naps[0] == 7
    assert remote.start(["u-1"])["id"] == "e-1"
    assert len({headers["idempotency-key"] for _, _, headers, _ in server.calls("POST /v1/executions")}) == 2


def test_an_error_says_what_the_api_said(server: Server, remote: Remote) -> None:
    server.on("POST /v1/executions", fault(400, "InvalidSettings"))
    with pytest.raises(RemoteError, match="InvalidSettings it is") as caught:
        remote.start(["u-1"])
    error = caught.value
    assert (error.name, error.status, error.request_id) == ("InvalidSettings", 400, "r-1")
    assert error.details == ({"field": "a", "message": "b"},)
    assert len(server.seen) == 1


def test_nobody_answers_for_ever(server: Server, remote: Remote, naps: list[float]) -> None:
    server.on("GET /v1/models", (0, {}, b""))
    with pytest.raises(RemoteError, match=r"no answer from 127\.0\.0\.1") as caught:
        remote.models()
    assert caught.value.name == "NetworkError"
    assert len(server.seen) == 6
    assert len(naps) == 5
    assert naps[-1] > naps[0]


@pytest.mark.parametrize("word", ["cancel", "resume"])
def test_what_may_have_happened_is_not_done_twice(server: Server, remote: Remote, word: str) -> None:
    for path in ("DELETE /v1/executions/e-1", "POST /v1/executions/e-1/resume"):
        server.on(path, fault(429, "Throttled"), (0, {}, b""), sound({"status": "CANCELLED"}))
    with pytest.raises(RemoteError, match="no answer"):
        getattr(remote, word)("e-1")
    assert len(server.seen) == 2


@pytest.mark.parametrize("end", ["SUCCEEDED", "FAILED", "CANCELLED"])
def test_waiting_asks_as_often_as_it_is_told(server: Server, remote: Remote, naps: list[float], end: str) -> None:
    running = {"status": "RUNNING", "ranges_done": 1}
    told: list[str] = []
    server.on("GET /v1/executions/e-1", sound(running, **{"retry-after": "30"}), sound(running), sound({"status": end}))
    assert remote.wait("e-1", lambda found: told.append(found["status"]))["status"] == end
    assert told == ["RUNNING", "RUNNING", end]
    assert naps[0] == 30
    assert 1 < naps[1] < 3


def test_the_list_goes_through_all_pages(server: Server, remote: Remote) -> None:
    server.on("GET /v1/executions", sound({"executions": [{"id": "e-2"}], "next": "/executions?from=e-2"}),
              sound({"executions": [{"id": "e-1"}], "next": None}))  # fmt: skip
    assert [each["id"] for each in remote.executions()] == ["e-2", "e-1"]


# --- results -----------------------------------------------------------------------------------------------------


def test_a_file_is_fetched_whole_or_not_at_all(server: Server, remote: Remote, tmp_path: Path) -> None:
    server.on("GET /v1/executions/e-1/results", sound({"url": f"{server.url}/s3/file"}))
    server.on("GET /s3/file", (500, {}, b""), (200, {}, b"x" * 3_000_000))
    path = remote.download("e-1", "csv", tmp_path / "out" / "a.csv", recording=2, decision="d-1")
    assert path.read_bytes() == b"x" * 3_000_000
    [(_, asked, _, _)] = server.calls("GET /v1/executions")
    assert asked.partition("?")[2] == "recording=2&decision=d-1&format=csv&redirect=false"
    server.on("GET /s3/file", (403, {}, b"<Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(RemoteError, match="AccessDenied"):
        remote.download("e-1", "csv", tmp_path / "out" / "b.csv")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.csv"]


def test_no_redirect_is_followed_with_the_key(server: Server, remote: Remote) -> None:
    server.on("GET /v1/models", (302, {"location": f"{server.url}/elsewhere"}, b""))
    with pytest.raises(RemoteError, match="answered 302"):
        remote.models()
    assert len(server.seen) == 1


def test_a_clip_goes_as_the_labs_form(server: Server, remote: Remote, recording: Path) -> None:
    server.on("POST /v1/inference/predict", sound({"events": []}))
    assert remote.predict(recording, {"threshold": 0.5}) == {"events": []}
    [(_, _, headers, body)] = server.seen
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="audio_file"; filename="a.wav"' in body
    assert b'name="config"\r\n\r\n{"threshold": 0.5}' in body
    assert recording.read_bytes() in body
