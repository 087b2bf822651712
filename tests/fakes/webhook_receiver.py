"""A TLS server that receives webhooks, a resolver with prepared answers, and the payload that tests send."""

from __future__ import annotations

import base64
import hmac
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from anemonefish.service.webhook import WebhookMessage, deliver, encode_payload

HOST = "hooks.example.test"
KEY = bytes(range(48))
OLD_KEY = bytes(range(100, 124))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
ID = "e-aaaaaaaaaaaaaaaaaaaaaaaaaa-1"
PAYLOAD = {"status": "SUCCEEDED", "execution": "e-1", "tenant": "lab", "finished_at": "2026-11-23T10:00:00Z"}
BODY = encode_payload(PAYLOAD)


Behaviour = Callable[[ssl.SSLSocket], None]


class Receiver:
    """A TLS server on this machine that keeps what it gets and answers as it is told."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.requests: list[bytes] = []
        self.names: list[str | None] = []
        self.connections = 0
        self.behaviour: Behaviour = says(b"HTTP/1.1 204 No Content\r\n\r\n")
        context.sni_callback = lambda _, name, __: self.names.append(name)
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.stopping = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}/hooks/a?token=t"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with self._context.wrap_socket(connection, server_side=True) as secure:
                self.requests.append(self._read(secure))
                self.behaviour(secure)
        except OSError:
            pass  # the client would not wait or did not trust us

    @staticmethod
    def _read(secure: ssl.SSLSocket) -> bytes:
        got = b""
        while b"\r\n\r\n" not in got:
            got += secure.recv(65_536)
        head, _, body = got.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += secure.recv(65_536)
        return head + b"\r\n\r\n" + body

    def close(self) -> None:
        self.stopping.set()
        self._socket.close()


def says(answer: bytes) -> Behaviour:
    return lambda connection: connection.sendall(answer)


def status(code: int, head: bytes = b"") -> Behaviour:
    return says(b"HTTP/1.1 %d Words\r\n%bContent-Length: 0\r\n\r\n" % (code, head))


class Resolver:
    """A resolver that gives each of its answers once."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        if not self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        families = {False: socket.AF_INET, True: socket.AF_INET6}
        return [
            (families[":" in address], socket.SOCK_STREAM, 6, "", (address, port)) for address in self.answers.pop(0)
        ]


def this_machine(address: str) -> bool:
    return address == "127.0.0.1"


def send(receiver: Receiver, trust: ssl.SSLContext, now: int | None = None) -> int:
    return deliver(WebhookMessage(ID, receiver.url, BODY), [KEY], now=now, is_allowed=this_machine, context=trust)


def parsed(request: bytes) -> tuple[list[str], dict[str, str], bytes]:
    """Return the lines of the head, the headers by lower-case name, and the body."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return lines, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}, body


def is_accepted_with(request: bytes, key: bytes) -> bool:
    """Say whether a receiver that has this key accepts a request, as Standard Webhooks describes it."""
    _, headers, body = parsed(request)
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, content, "sha256").digest()).decode()
    return ("v1", expected) in [tuple(each.split(",")) for each in headers["webhook-signature"].split(" ")]
