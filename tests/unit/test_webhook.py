"""The notice at the end: which URLs are called, how it is signed, and what becomes of every answer."""

from __future__ import annotations

import datetime
import hashlib
import importlib.util
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto import mock_aws

from anemonefish import webhook
from anemonefish.cloud import secrets
from anemonefish.cloud.clients import client
from anemonefish.errors import InvalidRequest, StorageError
from anemonefish.webhook import (
    NoticeFailed,
    NoticeRefused,
    check_url,
    deliver,
    is_public,
    notice_body,
    parse_message,
    sign,
)

REPOSITORY = Path(__file__).parents[2]
HOST = "hooks.example.test"
SECRET = b"a secret of the stack"
NOTICE = {"status": "SUCCEEDED", "execution": "e-1", "tenant": "lab", "finished_at": "2026-11-23T10:00:00Z"}
BODY = notice_body(NOTICE)


# --- URLs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org",
        "https://hooks.example.org/",
        "HTTPS://Hooks.Example.org/a/b;c?token=x&y=%20@z",
        "https://hooks.example.org?token=x",
        "https://hooks.example.org:443/x",
        "https://hooks.example.org:1024/x",
        "https://hooks.example.org:65535/x",
        "https://my_service.xn--bcher-kva.example/x",
        "https://93.184.216.34/x",
        "https://[2606:2800:220:1:248:1893:25c8:1946]:8443/x",
        "https://hooks.example.org/" + "x" * (2_048 - 26),
    ],
)
def test_a_url_that_is_called(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "plain ASCII"),
        ("http://hooks.example.org/x", "must read https"),
        ("ftp://hooks.example.org/x", "must read https"),
        ("//hooks.example.org/x", "must read https"),
        ("hooks.example.org/x", "must read https"),
        ("https:///x", "must read https"),
        ("https:/hooks.example.org/x", "must read https"),
        ("https://user@hooks.example.org/x", "no user name"),
        ("https://user:word@hooks.example.org/x", "no user name"),
        ("https://hooks.example.org@10.0.0.1/x", "no user name"),
        ("https://hooks.example.org\\@10.0.0.1/x", "plain ASCII"),
        ("https://hooks.example.org\\.evil.org/x", "plain ASCII"),
        ("https://hooks.example.org/x#y", "no fragment"),
        ("https://10.0.0.1#hooks.example.org/", "no fragment"),
        ("https://hooks.example.org/x#", "no fragment"),
        ("https://hooks.example.org/a b", "plain ASCII"),
        ("https://hooks.example.org/\n", "plain ASCII"),
        ("https://hooks.exa\tmple.org/", "plain ASCII"),
        ("https://hooks.example.org/x\r\nX-Header: y", "plain ASCII"),
        ("https://büch.example/x", "plain ASCII"),
        ("https://１27.0.0.1/", "plain ASCII"),
        ("https://hooks.example.org:80/x", "port 443"),
        ("https://hooks.example.org:22/x", "port 443"),
        ("https://hooks.example.org:1023/x", "port 443"),
        ("https://hooks.example.org:0/x", "port 443"),
        ("https://hooks.example.org:65536/x", "port 443"),
        ("https://hooks.example.org:/x", "must read https"),
        ("https://hooks.example.org:x/x", "must read https"),
        ("https://hooks.example.org:443:443/x", "must read https"),
        ("https://localhost/x", "public host"),
        ("https://localhost:8443/x", "public host"),
        ("https://hooks.example.org./x", "public host"),
        ("https://.example.org/x", "public host"),
        ("https://hooks..org/x", "public host"),
        ("https://-hooks.example.org/x", "public host"),
        ("https://hooks.example.org%2f.evil/x", "public host"),
        ("https://2130706433/", "public host"),
        ("https://0x7f000001/", "public host"),
        ("https://0x7f.1/", "public host"),
        ("https://127.1/", "public host"),
        ("https://0177.0.0.1/", "public host"),
        ("https://127.0.0.1/", "public host"),
        ("https://10.1.2.3/", "public host"),
        ("https://169.254.169.254/latest/meta-data/", "public host"),
        ("https://[::1]/", "public host"),
        ("https://[fd00:ec2::254]/latest/meta-data/", "public host"),
        ("https://[::ffff:169.254.169.254]/", "public host"),
        ("https://[93.184.216.34]/", "public host"),
        ("https://[2606:2800:220:1::1%25eth0]/", "must read https"),
        ("https://[::1]evil.org/", "must read https"),
        ("https://::1/", "must read https"),
        ("https://" + "a." * 126 + "example/", "public host"),
        ("https://" + "a" * 64 + ".example/", "public host"),
        ("https://hooks.example.org/" + "x" * (2_048 - 25), "at most 2048"),
    ],
)
def test_a_url_that_is_refused(url: str, why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        check_url(url)
    with pytest.raises(InvalidRequest, match=why):
        deliver(url, BODY, SECRET)


# --- addresses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
     "2002:808:808::1"],
)  # fmt: skip
def test_a_public_address(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.255",
        "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1",
        "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
        "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::2", "::127.0.0.1", "::8.8.8.8", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
        "fec0::1", "ff02::1", "100::1", "2001::1", "2001:0:808:808::1", "2001:db8::1", "3fff::1", "5f00::1", "4000::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:100.64.0.1", "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8",
        "2002:a00:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
        "", "hooks.example.org", "1.2.3", "2130706433",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(address)


# --- signature -------------------------------------------------------------------------------------------------


def test_the_signature_is_hmac_sha256_of_timestamp_and_body() -> None:
    """Computed as RFC 2104 writes it, without the hmac module."""
    key = SECRET.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + b"1764000000." + BODY).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).hexdigest()
    assert sign(SECRET, 1_764_000_000, BODY) == f"v1={outer}"


def test_a_known_signature() -> None:
    # printf '1764000000.{}' | openssl dgst -sha256 -hmac key
    assert sign(b"key", 1_764_000_000, b"{}") == "v1=135a1a8c79ff2a07661486422c8068924d01c7a70da314a29ce512bc61231899"


def test_a_notice_is_written_in_one_way() -> None:
    assert notice_body({"b": "ö", "a": None}) == '{"a":null,"b":"ö"}'.encode()
    assert notice_body(dict(reversed(NOTICE.items()))) == BODY


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "{}", '{"url": 1, "notice": {}}', '{"url": "x", "notice": 1}'])
def test_a_message_that_is_no_notice(text: str) -> None:
    with pytest.raises(InvalidRequest, match="url and an object called notice"):
        parse_message(text)


# --- a server --------------------------------------------------------------------------------------------------

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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for HOST that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def trust(certificate: Path) -> ssl.SSLContext:
    """What a client has that trusts the receiver's certificate and nobody else's."""
    return ssl.create_default_context(cafile=certificate)


@pytest.fixture
def receiver(certificate: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    made = Receiver(context)
    yield made
    made.close()


class Names:
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


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The host is this machine, once; the second time it would be something else."""
    made = Names(["127.0.0.1"], ["169.254.169.254"])
    monkeypatch.setattr(socket, "getaddrinfo", made)
    return made


PATIENCE = 60.0
"""Seconds in which a sender that waits one must have given up, however slow the machine; its peers wait far longer."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> float:
    """Ten seconds are one."""
    monkeypatch.setattr(webhook, "_SECONDS", 1.0)
    return 1.0


def this_machine(address: str) -> bool:
    return address == "127.0.0.1"


def send(receiver: Receiver, trust: ssl.SSLContext, now: int | None = None) -> int:
    return deliver(receiver.url, BODY, SECRET, now=now, public=this_machine, context=trust)


# --- deliveries ------------------------------------------------------------------------------------------------


def test_a_notice_arrives_signed_and_as_it_was_written(receiver: Receiver, trust: ssl.SSLContext, names: Names) -> None:
    assert send(receiver, trust, now=1_764_000_000) == 204
    (request,) = receiver.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert lines[0] == "POST /hooks/a?token=t HTTP/1.1"
    assert body == BODY
    assert json.loads(body) == NOTICE
    assert headers["host"] == f"{HOST}:{receiver.port}"
    assert headers["content-type"] == "application/json"
    assert headers["anemonefish-timestamp"] == "1764000000"
    assert headers["anemonefish-signature"] == sign(SECRET, 1_764_000_000, body)
    assert receiver.names == [HOST]


def test_the_timestamp_is_now(receiver: Receiver, trust: ssl.SSLContext, names: Names) -> None:
    before = time.time()
    send(receiver, trust)
    found = receiver.requests[0].partition(b"Anemonefish-Timestamp: ")[2].partition(b"\r\n")[0]
    assert int(before) <= int(found) <= time.time()


def test_a_name_is_asked_for_once(receiver: Receiver, trust: ssl.SSLContext, names: Names) -> None:
    send(receiver, trust)
    assert names.asked == [HOST]
    assert names.answers == [["169.254.169.254"]]  # what a second look-up would have got


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_every_2xx_is_an_arrival(receiver: Receiver, trust: ssl.SSLContext, names: Names, code: int) -> None:
    receiver.behaviour = status(code)
    assert send(receiver, trust) == code


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504, 599])
def test_an_answer_that_is_worth_another_try(
    receiver: Receiver, trust: ssl.SSLContext, names: Names, code: int
) -> None:
    receiver.behaviour = status(code)
    with pytest.raises(NoticeFailed, match=f"{HOST}:{receiver.port}: answered {code}") as caught:
        send(receiver, trust)
    assert caught.value.retryable
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 410, 413, 422])
def test_an_answer_that_no_other_try_would_change(
    receiver: Receiver, trust: ssl.SSLContext, names: Names, code: int
) -> None:
    receiver.behaviour = status(code)
    with pytest.raises(NoticeRefused, match=f"answered {code}; it must answer 2xx") as caught:
        send(receiver, trust)
    assert not caught.value.retryable
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("code", [300, 301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, trust: ssl.SSLContext, names: Names, code: int) -> None:
    receiver.behaviour = status(code, head=b"Location: " + receiver.url.encode() + b"\r\n")
    with pytest.raises(NoticeRefused, match="redirects are not followed"):
        send(receiver, trust)
    assert (receiver.connections, len(receiver.requests), len(names.asked)) == (1, 1, 1)


@pytest.mark.parametrize(
    "answer",
    [b"", b"\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 two hundred\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000, b"y" * 10_000 + b"\r\n",
     b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"],
)  # fmt: skip
def test_an_answer_that_is_none(receiver: Receiver, trust: ssl.SSLContext, names: Names, answer: bytes) -> None:
    receiver.behaviour = says(answer)
    with pytest.raises(NoticeFailed, match="did not arrive") as caught:
        send(receiver, trust)
    assert len(str(caught.value)) < 400


def test_a_body_without_end_is_not_read(receiver: Receiver, trust: ssl.SSLContext, names: Names, quick: float) -> None:
    sent = 0

    def endless(connection: ssl.SSLSocket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not receiver.stopping.is_set():
            connection.sendall(bytes(65_536))
            sent += 65_536

    receiver.behaviour = endless
    assert send(receiver, trust) == 200
    assert sent < 50_000_000  # what fits into the buffers between us


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nX: y\r\n"])
def test_a_server_that_says_no_more_is_given_up(
    receiver: Receiver, trust: ssl.SSLContext, names: Names, quick: float, first: bytes
) -> None:
    def silent(connection: ssl.SSLSocket) -> None:
        connection.sendall(first)
        receiver.stopping.wait(10 * PATIENCE)

    receiver.behaviour = silent
    began = time.monotonic()
    with pytest.raises(NoticeFailed, match="no answer within 1 seconds"):
        send(receiver, trust)
    assert time.monotonic() - began < PATIENCE


def test_a_byte_now_and_then_does_not_prolong_the_time(
    receiver: Receiver, trust: ssl.SSLContext, names: Names, quick: float
) -> None:
    def dripping(connection: ssl.SSLSocket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000:
            connection.sendall(bytes([byte]))
            time.sleep(0.1)

    receiver.behaviour = dripping
    began = time.monotonic()
    with pytest.raises(NoticeFailed, match="no answer within"):
        send(receiver, trust)
    assert time.monotonic() - began < PATIENCE


def test_a_handshake_that_never_comes_is_given_up(trust: ssl.SSLContext, names: Names, quick: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://{HOST}:{mute.getsockname()[1]}/"
        began = time.monotonic()
        with pytest.raises(NoticeFailed, match="no answer within"):
            deliver(url, BODY, SECRET, public=this_machine, context=trust)
        assert time.monotonic() - began < PATIENCE


def test_a_name_server_that_never_answers_is_given_up(
    trust: ssl.SSLContext, quick: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(10 * PATIENCE) and [])
    began = time.monotonic()
    with pytest.raises(NoticeFailed, match="no answer within"):
        deliver(f"https://{HOST}/", BODY, SECRET, context=trust)
    assert time.monotonic() - began < PATIENCE
    answer.set()


def test_nobody_listens(trust: ssl.SSLContext, names: Names) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NoticeFailed, match="refused"):
        deliver(f"https://{HOST}:{port}/", BODY, SECRET, public=this_machine, context=trust)


def test_there_is_no_such_name(trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names())
    with pytest.raises(NoticeFailed, match="Name or service not known"):
        deliver(f"https://{HOST}/", BODY, SECRET, context=trust)


def test_a_certificate_nobody_vouches_for(receiver: Receiver, names: Names) -> None:
    with pytest.raises(NoticeFailed, match="CERTIFICATE_VERIFY_FAILED"):
        deliver(receiver.url, BODY, SECRET, public=this_machine)
    assert receiver.requests == []


def test_a_certificate_of_another_name(receiver: Receiver, trust: ssl.SSLContext, names: Names) -> None:
    url = receiver.url.replace(HOST, "other.example.test")
    with pytest.raises(NoticeFailed, match="Hostname mismatch"):
        deliver(url, BODY, SECRET, public=this_machine, context=trust)
    assert receiver.requests == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["::1"],
     ["8.8.8.8", "::ffff:127.0.0.1"], ["fd00:ec2::254"], ["100.64.0.1"]],
)  # fmt: skip
def test_one_address_that_is_not_public_is_enough(
    receiver: Receiver, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(addresses))
    opened: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: opened.append(address))
    with pytest.raises(NoticeRefused, match=r"which is not public"):
        deliver(receiver.url, BODY, SECRET, context=trust)
    assert (opened, receiver.connections) == ([], 0)


def test_the_next_address_is_tried_when_the_first_takes_nothing(
    receiver: Receiver, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(["127.0.0.2", "127.0.0.1"]))
    assert deliver(receiver.url, BODY, SECRET, public=lambda _: True, context=trust) == 204


# --- the function ----------------------------------------------------------------------------------------------

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hooks"


@pytest.fixture
def app() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notify_app", REPOSITORY / "functions/notify/app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def event() -> dict[str, Any]:
    """Five messages as SQS hands them over, each for a host of its own."""
    bodies = [json.dumps({"url": f"https://{name}.example.org/x", "notice": NOTICE}) for name in "abcd"]
    return {
        "Records": [
            {
                "messageId": f"m-{number}",
                "receiptHandle": "AQEB",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1764000000000"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:hooks",
                "awsRegion": "eu-central-1",
            }
            for number, body in enumerate([*bodies, "no JSON"])
        ]
    }


def test_only_what_is_worth_it_comes_again(
    app: ModuleType, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, bytes, bytes]] = []

    def fake(url: str, body: bytes, key: bytes) -> int:
        calls.append((url, body, key))
        if "//b." in url:
            raise NoticeFailed("b.example.org:443: answered 503; the notice did not arrive")
        if "//c." in url:
            raise NoticeRefused("c.example.org:443: answered 404; it must answer 2xx")
        return 204

    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_SECRET_ARN", ARN)
    monkeypatch.setattr(app, "secret", lambda arn: SECRET if arn == ARN else b"")
    monkeypatch.setattr(app, "deliver", fake)
    assert app.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert calls == [(f"https://{name}.example.org/x", BODY, SECRET) for name in "abcd"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["message_id"], line["error"], line["status"], line["again"]) for line in lines] == [
        ("m-1", "NoticeFailed", 502, True),
        ("m-2", "NoticeRefused", 400, False),
        ("m-4", "InvalidRequest", 400, False),
    ]


def test_the_function_delivers(
    app: ModuleType,
    event: dict[str, Any],
    receiver: Receiver,
    trust: ssl.SSLContext,
    names: Names,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_SECRET_ARN", ARN)
    monkeypatch.setattr(app, "secret", lambda _: SECRET)
    real = webhook.deliver
    monkeypatch.setattr(app, "deliver", lambda *given: real(*given, public=this_machine, context=trust))
    event["Records"][0]["body"] = json.dumps({"url": receiver.url, "notice": NOTICE})
    event["Records"] = event["Records"][:1]
    assert app.handler(event, None) == {"batchItemFailures": []}
    assert receiver.requests[0].endswith(b"\r\n\r\n" + BODY)


# --- the secret ------------------------------------------------------------------------------------------------


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Secrets Manager of our own, and a process that knows nothing yet."""
    for name, value in {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(secrets, "_known", {})
    with mock_aws():
        client.cache_clear()
        yield boto3.client("secretsmanager")
    client.cache_clear()


def test_a_secret_is_read_once_in_five_minutes(vault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    arn = vault.create_secret(Name="hooks", SecretString="first")["ARN"]
    assert secrets.secret(arn) == b"first"
    vault.put_secret_value(SecretId=arn, SecretString="second")
    now += 299
    assert secrets.secret(arn) == b"first"
    now += 1
    assert secrets.secret(arn) == b"second"


def test_a_secret_that_is_not_there_is_worth_another_try(vault: Any) -> None:
    with pytest.raises(StorageError, match="the secret: AWS answered ResourceNotFoundException"):
        secrets.secret(ARN)


def test_a_secret_of_bytes_is_none(vault: Any) -> None:
    arn = vault.create_secret(Name="bytes", SecretBinary=b"\0\1")["ARN"]
    with pytest.raises(StorageError, match="holds no text"):
        secrets.secret(arn)
