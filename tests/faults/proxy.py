"""A proxy between the functions and the local AWS that injects faults into their calls.

Every function of the local stack gets the proxy as ``AWS_ENDPOINT_URL``. A plan decides for each call which fault it
meets, if any; the proxy carries the fault out. The user agent of a call names the function and its process
(:mod:`localstack.packaging`), so a fault can also befall the process.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread, Timer
from typing import Any

__all__ = ["TASK_PATH", "Call", "Decision", "Fault", "Proxy"]

TASK_PATH = "/faults/task"
"""Where the emulator asks for the fault of a task (:mod:`tests.faults.emulator`)."""

_TARGETS = {"DynamoDB_20120810": "dynamodb", "AWSStepFunctions": "states"}
_AGENT = re.compile(r"app/(\w+)\.(\d+)")
_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")
_NOT_RELAYED = {"transfer-encoding", "connection", "content-length", "keep-alive"}
_DISK_FULL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function to AWS, or one call of the state machine to a function.

    Attributes
    ----------
    service : str
        ``s3``, ``dynamodb``, ``states``, ``sns``, ... or ``task`` for a call of the state machine.
    operation : str
        ``PutItem``, ``GET``, ...
    resource : str
        Path of the request, or the function of a task.
    function : str
        Logical id of the function; empty if a person or the emulator calls.
    process : int or None
        Id of the function's process.
    """

    service: str
    operation: str
    resource: str
    function: str = ""
    process: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a call.

    Attributes
    ----------
    kind : str
        ``throttled``, ``internal error``, ``reset before``, ``reset after``, ``truncated``, ``slow``, ``killed``,
        ``killed before``, ``killed after``, ``disk full``, or the error of a task.
    seconds : float
        How slow the answer is, or after which time the process is killed.
    """

    kind: str
    seconds: float = 0.0


Decision = Callable[[Call], Fault | None]


class Proxy:
    """A running proxy; :meth:`start` makes it.

    Attributes
    ----------
    decide : callable
        Returns the fault of a call, or None.
    upstream : int
        Port of the local AWS on 127.0.0.1.
    """

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.decide: Decision = lambda _: None
        self.upstream = 0

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Proxy]:
        """Listen on a free port of 127.0.0.1 until the context ends."""

        class Handler(_Handler):
            pass

        server = _Server(("127.0.0.1", 0), Handler)
        Handler.proxy = cls(server)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Handler.proxy
        finally:
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        """The address that the functions call instead of AWS."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Print nothing: a killed process leaves broken connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: Proxy
    _connection: HTTPConnection | None = None

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def finish(self) -> None:
        if self._connection is not None:
            self._connection.close()
        with suppress(OSError):
            super().finish()

    def _relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == TASK_PATH:
            self._answer_task(json.loads(body))
            return
        call = _call_of(self.command, self.path, dict(self.headers.items()))
        fault = self.proxy.decide(call)
        match fault:
            case None:
                self._forward(body)
            case Fault("throttled" | "internal error" as kind):
                status, content_type, content = _error(call, kind)
                self._send(status, [("content-type", content_type)], content)
            case Fault("reset before"):
                self._reset()
            case Fault("killed before"):
                _kill(call.process)
                self._reset()
            case Fault("reset after"):
                self._fetch(body)
                self._reset()
            case Fault("killed after"):
                self._fetch(body)
                _kill(call.process)
                self._reset()
            case Fault("truncated"):
                answer, content = self._fetch(body)
                if self.command == "HEAD" or len(content) < 2:
                    self._reset()
                    return
                self._send(answer.status, answer.getheaders(), content, cut=len(content) // 2)
            case Fault("slow", seconds):
                time.sleep(seconds)
                self._forward(body)
            case Fault("killed", seconds):
                Timer(seconds, _kill, [call.process]).start()
                self._forward(body)
            case Fault("disk full"):
                _fill_disk(call.process)
                self._forward(body)
            case Fault(kind):
                raise ValueError(f"{kind!r} is not a fault of a call to AWS")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _relay

    def _answer_task(self, question: dict[str, str]) -> None:
        fault = self.proxy.decide(Call("task", question["moment"], question["function"]))
        answer = {} if fault is None else {"error": fault.kind}
        self._send(200, [("content-type", "application/json")], json.dumps(answer).encode())

    def _forward(self, body: bytes) -> None:
        answer, content = self._fetch(body)
        self._send(answer.status, answer.getheaders(), content)

    def _fetch(self, body: bytes) -> tuple[HTTPResponse, bytes]:
        """Send the request as it came, and return the answer of the local AWS."""
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=900)
        connection = self._connection
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in {"expect", "connection"}:
                connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer, answer.read()

    def _send(self, status: int, headers: list[tuple[str, str]], content: bytes, cut: int | None = None) -> None:
        """Answer; ``cut`` closes the connection after so many bytes of the content."""
        length = {name.lower(): value for name, value in headers}.get("content-length")
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _NOT_RELAYED:
                self.send_header(name, value)
        self.send_header("content-length", length if self.command == "HEAD" and length else str(len(content)))
        self.end_headers()
        self.wfile.write(content if cut is None else content[:cut])
        self.wfile.flush()
        if cut is not None:
            self._reset(linger=True)

    def _reset(self, *, linger: bool = False) -> None:
        """Close the connection; with a reset unless what was written must still arrive."""
        self.close_connection = True
        if not linger:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR) if linger else self.connection.close()


def _call_of(method: str, path: str, headers: dict[str, str]) -> Call:
    lower = {name.lower(): value for name, value in headers.items()}
    agent = _AGENT.search(lower.get("user-agent", ""))
    function, process = (agent[1], int(agent[2])) if agent else ("", None)
    prefix, _, operation = lower.get("x-amz-target", "").partition(".")
    if operation:
        return Call(_TARGETS.get(prefix, prefix), operation, "", function, process)
    scope = _SCOPE.search(lower.get("authorization", ""))
    return Call(scope[1] if scope else "s3", method, path, function, process)


def _error(call: Call, kind: str) -> tuple[int, str, bytes]:
    """Return status, content type and body of an error as the service of a call sends it."""
    throttled = kind == "throttled"
    if call.service == "s3":
        code = "SlowDown" if throttled else "InternalError"
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>"
        return (503 if throttled else 500), "application/xml", body.encode()
    if call.service in {"dynamodb", "states"}:
        codes = {
            "dynamodb": ("ProvisionedThroughputExceededException", "InternalServerError"),
            "states": ("ThrottlingException", "InternalFailure"),
        }
        code = codes[call.service][0 if throttled else 1]
        body = json.dumps({"__type": f"com.amazonaws.{call.service}#{code}", "message": "injected"})
        return (400 if throttled else 500), "application/x-amz-json-1.0", body.encode()
    code = "Throttling" if throttled else "InternalFailure"
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>injected</Message></Error></ErrorResponse>"
    return (400 if throttled else 500), "text/xml", body.encode()


def _kill(process: int | None) -> None:
    """End the process of a function as the operating system does when memory runs out."""
    if process is not None:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _fill_disk(process: int | None) -> None:
    """Let a process fail to write files for a second. Sockets and pipes are not affected."""
    if process is None:
        return
    with suppress(ProcessLookupError):
        _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (0, most))
        Timer(_DISK_FULL_SECONDS, _free_disk, [process, most]).start()


def _free_disk(process: int, most: int) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))
