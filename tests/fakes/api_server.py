"""An API and a storage on this machine; both record their requests, and fail when a test asks them to."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "a-key-of-somebody"


PART = 16 << 20


SINGLE = 64 << 20


PAGE = 3


EXECUTION = "e-aaaaaaaaaaaaaaaaaaaaaaaaaa"


DECISION = "d-0123456789abcdef"
MODEL = {"name": "reef", "version": "1.0.0", "card": {"line": "fit for science: no (simulated)"}}


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


class FakeApi:
    """The API and the storage, each with a port of its own, and all that they saw."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.api: list[Seen] = []
        self.storage: list[Seen] = []
        self.troubles: list[Trouble] = []
        self.uploads: dict[str, Upload] = {}
        self.execution_requests: list[dict[str, Any]] = []
        self.places: list[int] = []
        self.states = ["SUCCEEDED"]
        self.of_the_whole = ["summary.csv"]
        self.restore: dict[str, Any] | None = None
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
            "POST /executions": lambda: self.start(request, body),
            "GET /executions": lambda: self.page(request.query),
            "GET /executions/*": lambda: (200, self.execution(), {"retry-after": "2"}),
            "DELETE /executions/*": lambda: (202, self.execution() | {"status": "CANCELLED"}, {}),
            "POST /executions/*/resume": lambda: (202, self.execution() | {"attempt": 2}, {}),
            "GET /executions/*/results": lambda: self.results(request.query),
            "GET /executions/*/files": lambda: (200, self.files(), {}),
            "POST /executions/*/restore": lambda: (202, self.execution() | {"restore": self.restore}, {}),
            "POST /executions/*/decisions": lambda: (200, self.lab() | {"decision": DECISION}, {}),
            "GET /models": lambda: (200, {"models": [{"name": "reef", "versions": ["1.0.0"], "aliases": {}}]}, {}),
            "GET /models/reef/production": lambda: (200, MODEL, {}),
            "GET /models/reef/1.0.0": lambda: (200, MODEL, {}),
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

    def start(self, request: Seen, body: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        if request.query.get("dry_run"):
            quote = {"recordings": len(body["recordings"]), "ranges": 3, "windows": 9, "audio_seconds": 1.8}
            model = {"name": "reef", "version": "1.0.0", "hash": "0"}
            recordings = [{"name": self.uploads[each].filename, "error": None} for each in body["recordings"]]
            return 200, {
                "model": model,
                "quote": {**quote, "expected_seconds": 4.5, "expected_usd": 0.0123},
                "recordings": recordings,
            }, {}  # fmt: skip
        self.execution_requests.append(body)
        return 202, self.execution(), {}

    def names(self) -> list[str]:
        if not self.execution_requests:
            return ["a.wav"]
        return [self.uploads[each].filename for each in self.execution_requests[-1]["recordings"]]

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
        queue = {"position": self.places.pop(0), "message": "waits"} if status == "PENDING" and self.places else None
        return {
            "id": EXECUTION, "status": status, "ranges_done": 1, "ranges_total": 2, "attempt": 1, "expected_end": None,
            "queue": queue,
            "recordings": [
                {"name": name, "error": why} for name, why in zip(self.names(), self.errors(), strict=True)
            ],
            "restore": self.restore, "error": error, "model": {"name": "reef", "version": "1.0.0", "hash": "0"},
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

    def files(self) -> dict[str, Any]:
        return {"files": self.whole(), "recordings": self.lab()["recordings"]}

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


def handler(service: FakeApi, serve: Callable[[Any, Seen], None], log: list[Seen]) -> type[BaseHTTPRequestHandler]:
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


def put_numbers(service: FakeApi) -> list[int]:
    return sorted(int(each.path.rpartition("/")[2]) for each in service.storage if each.method == "PUT")


@contextmanager
def fake_api() -> Iterator[FakeApi]:
    """Serve a fake API and its storage, each at a port of its own."""
    made = FakeApi()

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
