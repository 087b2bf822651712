"""The notice at the end: which URLs are called, how it is signed, and what becomes of every answer."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
import importlib.util
import json
import re
import socket
import ssl
import string
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto import mock_aws

from anemonefish.cloud import secrets_manager as secrets
from anemonefish.cloud.clients import client
from anemonefish.errors import InvalidRequest, StorageError
from anemonefish.service import webhook
from anemonefish.service.webhook import (
    Message,
    NoticeFailed,
    NoticeRefused,
    check_url,
    deliver,
    is_public,
    notice_body,
    parse_message,
    sign,
    signing_keys,
)

REPOSITORY = Path(__file__).parents[2]
HOST = "hooks.example.test"
KEY = bytes(range(48))
OLD_KEY = bytes(range(100, 124))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
ID = "e-aaaaaaaaaaaaaaaaaaaaaaaaaa-1"
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
        deliver(Message(ID, url, BODY), [KEY])


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


def test_a_signature_is_base64_hmac_sha256_of_id_timestamp_and_body() -> None:
    """Computed as RFC 2104 writes it, without the hmac module."""
    key = KEY.ljust(64, b"\0")
    content = ID.encode() + b".1764000000." + BODY
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + content).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()
    assert sign([KEY], ID, 1_764_000_000, BODY) == "v1," + base64.b64encode(outer).decode()


def test_a_known_signature() -> None:
    # printf 'msg_1.1764000000.{}' | openssl dgst -sha256 -binary -hmac 012345678901234567890123 | base64
    assert (
        sign([b"012345678901234567890123"], "msg_1", 1_764_000_000, b"{}")
        == "v1,jYBHMt/fZGsBhAYEstPtGZgLmVDn5Esv7OV2cHkQoAA="
    )


def test_the_example_of_the_reference_libraries_is_signed_alike() -> None:
    """The vector that the libraries of Standard Webhooks test themselves with."""
    keys = signing_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_every_key_signs_while_keys_are_exchanged() -> None:
    both = sign([KEY, OLD_KEY], ID, 1_764_000_000, BODY).split(" ")
    assert both == [sign([key], ID, 1_764_000_000, BODY) for key in (KEY, OLD_KEY)]


@pytest.mark.parametrize(
    ("secret", "keys"),
    [
        (SECRET, (KEY,)),
        (SECRET.removeprefix("whsec_"), (KEY,)),
        (f"{SECRET}\n", (KEY,)),
        (f"{SECRET} whsec_{base64.b64encode(OLD_KEY).decode()}", (KEY, OLD_KEY)),
        (f"{SECRET}\r\n{base64.b64encode(OLD_KEY).decode()}\r\n", (KEY, OLD_KEY)),
        ("whsec_" + base64.b64encode(bytes(25)).decode().rstrip("="), (bytes(25),)),
        ("whsec_" + base64.b64encode(bytes(64)).decode(), (bytes(64),)),
        ("A1b2" * 16, (base64.b64decode("A1b2" * 16),)),  # as the template's GenerateSecretString makes it
    ],
)
def test_the_keys_of_a_secret(secret: str, keys: tuple[bytes, ...]) -> None:
    assert signing_keys(secret) == keys


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("whsec_", "key 1 .* has 0 bytes"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "key 1 .* has 23 bytes"),
        (f"{SECRET} " + base64.b64encode(bytes(65)).decode(), "key 2 .* has 65 bytes"),
        ("whsec_not-url-safe_base64_of_some_length", "key 1 .* is not base64"),
        ("whsec_" + "\u00e9" * 40, "key 1 .* is not base64"),
        (f"{SECRET},{SECRET}", "key 1 .* is not base64"),
        ("whsec_" + "a" * 45, "key 1 .* is not base64"),  # no base64 text has this length
        ("whpk_" + base64.b64encode(bytes(32)).decode(), "key 1 .* is not base64"),
    ],
)
def test_a_secret_without_usable_keys_is_an_error_that_does_not_show_it(secret: str, why: str) -> None:
    with pytest.raises(StorageError, match=why) as caught:
        signing_keys(secret)
    assert "docs/deploy.md" in str(caught.value)
    assert all(text[6:30] not in str(caught.value) for text in secret.split() if len(text) > 30)


def test_the_secret_that_the_template_generates_is_a_key() -> None:
    """Letters and digits are base64 as they are, when their number is a multiple of four."""
    template = (REPOSITORY / "template.yaml").read_text()
    (block,) = re.findall(r"GenerateSecretString:\n((?: {8}\w.*\n)+)", template)
    generated = yaml.safe_load(block)
    assert generated["ExcludePunctuation"] is True  # Secrets Manager would else insist on a punctuation mark
    letters = set(string.ascii_letters + string.digits + string.punctuation) - set(generated["ExcludeCharacters"])
    assert letters == {*string.ascii_letters, *string.digits}
    (key,) = signing_keys(("".join(sorted(letters)) * 2)[: generated["PasswordLength"]])
    assert len(key) * 4 == generated["PasswordLength"] * 3


def test_a_notice_is_written_in_one_way() -> None:
    assert notice_body({"b": "ö", "a": None}) == '{"a":null,"b":"ö"}'.encode()
    assert notice_body(dict(reversed(NOTICE.items()))) == BODY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        '{"id": "e-1", "url": 1, "notice": {}}',
        '{"id": "e-1", "url": "x", "notice": 1}',
        '{"url": "x", "notice": {}}',
        '{"id": 1, "url": "x", "notice": {}}',
        '{"id": "", "url": "x", "notice": {}}',
        '{"id": "e.1", "url": "x", "notice": {}}',
        '{"id": "e-1\\r\\nx: y", "url": "x", "notice": {}}',
        '{"id": "e-1\\n", "url": "x", "notice": {}}',
    ],
)
def test_a_message_that_is_no_notice(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"an id of letters, .* a url, and an object called notice"):
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
    return deliver(Message(ID, receiver.url, BODY), [KEY], now=now, public=this_machine, context=trust)


def parsed(request: bytes) -> tuple[list[str], dict[str, str], bytes]:
    """Return the lines of the head, the headers by lower-case name, and the body."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return lines, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}, body


def is_signed(request: bytes, key: bytes) -> bool:
    """Say whether a receiver that has this key accepts a request, as Standard Webhooks describes it."""
    _, headers, body = parsed(request)
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, content, "sha256").digest()).decode()
    return ("v1", expected) in [tuple(each.split(",")) for each in headers["webhook-signature"].split(" ")]


# --- deliveries ------------------------------------------------------------------------------------------------


def test_a_notice_arrives_signed_and_as_it_was_written(receiver: Receiver, trust: ssl.SSLContext, names: Names) -> None:
    assert send(receiver, trust, now=1_764_000_000) == 204
    (request,) = receiver.requests
    lines, headers, body = parsed(request)
    assert lines[0] == "POST /hooks/a?token=t HTTP/1.1"
    assert body == BODY
    assert json.loads(body) == NOTICE
    assert headers["host"] == f"{HOST}:{receiver.port}"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == ID
    assert headers["webhook-timestamp"] == "1764000000"
    assert is_signed(request, KEY)
    assert receiver.names == [HOST]


def test_every_attempt_has_its_own_timestamp_and_the_same_id(
    receiver: Receiver, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(["127.0.0.1"], ["127.0.0.1"]))
    receiver.behaviour = status(503)
    for now in (1_764_000_000, 1_764_000_180):
        with pytest.raises(NoticeFailed):
            send(receiver, trust, now=now)
    headers = [parsed(request)[1] for request in receiver.requests]
    assert [each["webhook-id"] for each in headers] == [ID, ID]
    assert [each["webhook-timestamp"] for each in headers] == ["1764000000", "1764000180"]
    assert all(is_signed(request, KEY) for request in receiver.requests)


def test_receivers_of_both_keys_accept_a_notice_while_keys_are_exchanged(
    receiver: Receiver, trust: ssl.SSLContext, names: Names
) -> None:
    message = Message(ID, receiver.url, BODY)
    deliver(message, [KEY, OLD_KEY], public=this_machine, context=trust)
    (request,) = receiver.requests
    assert [is_signed(request, key) for key in (KEY, OLD_KEY, bytes(32))] == [True, True, False]


def test_the_timestamp_is_now(receiver: Receiver, trust: ssl.SSLContext, names: Names) -> None:
    before = time.time()
    send(receiver, trust)
    found = parsed(receiver.requests[0])[1]["webhook-timestamp"]
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
            deliver(Message(ID, url, BODY), [KEY], public=this_machine, context=trust)
        assert time.monotonic() - began < PATIENCE


def test_a_name_server_that_never_answers_is_given_up(
    trust: ssl.SSLContext, quick: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(10 * PATIENCE) and [])
    began = time.monotonic()
    with pytest.raises(NoticeFailed, match="no answer within"):
        deliver(Message(ID, f"https://{HOST}/", BODY), [KEY], context=trust)
    assert time.monotonic() - began < PATIENCE
    answer.set()


def test_nobody_listens(trust: ssl.SSLContext, names: Names) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NoticeFailed, match="refused"):
        deliver(Message(ID, f"https://{HOST}:{port}/", BODY), [KEY], public=this_machine, context=trust)


def test_there_is_no_such_name(trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names())
    with pytest.raises(NoticeFailed, match="Name or service not known"):
        deliver(Message(ID, f"https://{HOST}/", BODY), [KEY], context=trust)


def test_a_certificate_nobody_vouches_for(receiver: Receiver, names: Names) -> None:
    with pytest.raises(NoticeFailed, match="CERTIFICATE_VERIFY_FAILED"):
        deliver(Message(ID, receiver.url, BODY), [KEY], public=this_machine)
    assert receiver.requests == []


def test_a_certificate_of_another_name(receiver: Receiver, trust: ssl.SSLContext, names: Names) -> None:
    url = receiver.url.replace(HOST, "other.example.test")
    with pytest.raises(NoticeFailed, match="Hostname mismatch"):
        deliver(Message(ID, url, BODY), [KEY], public=this_machine, context=trust)
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
        deliver(Message(ID, receiver.url, BODY), [KEY], context=trust)
    assert (opened, receiver.connections) == ([], 0)


def test_the_next_address_is_tried_when_the_first_takes_nothing(
    receiver: Receiver, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Names(["127.0.0.2", "127.0.0.1"]))
    assert deliver(Message(ID, receiver.url, BODY), [KEY], public=lambda _: True, context=trust) == 204


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
    bodies = [
        json.dumps({"id": f"e-{name}-1", "url": f"https://{name}.example.org/x", "notice": NOTICE}) for name in "abcd"
    ]
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
    calls: list[tuple[Message, tuple[bytes, ...]]] = []

    def fake(message: Message, keys: tuple[bytes, ...]) -> int:
        calls.append((message, keys))
        if "//b." in message.url:
            raise NoticeFailed("b.example.org:443: answered 503; the notice did not arrive")
        if "//c." in message.url:
            raise NoticeRefused("c.example.org:443: answered 404; it must answer 2xx")
        return 204

    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_SECRET_ARN", ARN)
    monkeypatch.setattr(app, "secret", lambda arn: SECRET if arn == ARN else "")
    monkeypatch.setattr(app, "deliver", fake)
    assert app.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert calls == [(Message(f"e-{name}-1", f"https://{name}.example.org/x", BODY), (KEY,)) for name in "abcd"]
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
    event["Records"][0]["body"] = json.dumps({"id": ID, "url": receiver.url, "notice": NOTICE})
    event["Records"] = event["Records"][:1]
    assert app.handler(event, None) == {"batchItemFailures": []}
    assert receiver.requests[0].endswith(b"\r\n\r\n" + BODY)
    assert is_signed(receiver.requests[0], KEY)


def test_the_function_sends_nothing_unsigned(
    app: ModuleType, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The invocation fails, so SQS keeps the messages until the secret is put right."""
    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_SECRET_ARN", ARN)
    monkeypatch.setattr(app, "secret", lambda _: "a secret of another kind")
    monkeypatch.setattr(app, "deliver", lambda *_: pytest.fail("a notice was sent"))
    with pytest.raises(StorageError, match="key 1 of the webhook secret"):
        app.handler(event, None)


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
    assert secrets.secret(arn) == "first"
    vault.put_secret_value(SecretId=arn, SecretString="second")
    now += 299
    assert secrets.secret(arn) == "first"
    now += 1
    assert secrets.secret(arn) == "second"


def test_a_secret_that_is_not_there_is_worth_another_try(vault: Any) -> None:
    with pytest.raises(StorageError, match="the secret: AWS answered ResourceNotFoundException"):
        secrets.secret(ARN)


def test_a_secret_of_bytes_is_none(vault: Any) -> None:
    arn = vault.create_secret(Name="bytes", SecretBinary=b"\0\1")["ARN"]
    with pytest.raises(StorageError, match="holds no text"):
        secrets.secret(arn)
