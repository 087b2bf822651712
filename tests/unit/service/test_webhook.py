"""Webhooks are called: what is sent, and which answers are worth another attempt."""

from __future__ import annotations

import importlib.util
import json
import socket
import ssl
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from anemonefish.errors import InvalidRequest, StorageError
from anemonefish.service import webhook
from anemonefish.service.webhook import (
    NoticeFailed,
    NoticeRefused,
    WebhookMessage,
    deliver,
    encode_payload,
    parse_message,
)
from tests.fakes.webhook_receiver import (
    BODY,
    HOST,
    ID,
    KEY,
    OLD_KEY,
    PAYLOAD,
    SECRET,
    Receiver,
    Resolver,
    is_accepted_with,
    parsed,
    says,
    send,
    status,
    this_machine,
)

REPOSITORY = Path(__file__).parents[3]


def test_payload_is_encoded_with_sorted_keys() -> None:
    assert encode_payload({"b": "ö", "a": None}) == '{"a":null,"b":"ö"}'.encode()
    assert encode_payload(dict(reversed(PAYLOAD.items()))) == BODY


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
def test_malformed_queue_message_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"an id of letters, .* a url, and an object called notice"):
        parse_message(text)


PATIENCE = 60.0
"""Seconds in which a sender that waits one must have given up, however slow the machine; its peers wait far longer."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> float:
    """Ten seconds are one."""
    monkeypatch.setattr(webhook, "_SECONDS", 1.0)
    return 1.0


# --- deliveries ------------------------------------------------------------------------------------------------


def test_payload_arrives_unchanged_and_signed(receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver) -> None:
    assert send(receiver, trust, now=1_764_000_000) == 204
    (request,) = receiver.requests
    lines, headers, body = parsed(request)
    assert lines[0] == "POST /hooks/a?token=t HTTP/1.1"
    assert body == BODY
    assert json.loads(body) == PAYLOAD
    assert headers["host"] == f"{HOST}:{receiver.port}"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == ID
    assert headers["webhook-timestamp"] == "1764000000"
    assert is_accepted_with(request, KEY)
    assert receiver.names == [HOST]


def test_each_attempt_has_its_own_timestamp_and_the_same_id(
    receiver: Receiver, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(["127.0.0.1"], ["127.0.0.1"]))
    receiver.behaviour = status(503)
    for now in (1_764_000_000, 1_764_000_180):
        with pytest.raises(NoticeFailed):
            send(receiver, trust, now=now)
    headers = [parsed(request)[1] for request in receiver.requests]
    assert [each["webhook-id"] for each in headers] == [ID, ID]
    assert [each["webhook-timestamp"] for each in headers] == ["1764000000", "1764000180"]
    assert all(is_accepted_with(request, KEY) for request in receiver.requests)


def test_receivers_of_both_keys_accept_the_signature_during_an_exchange(
    receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver
) -> None:
    message = WebhookMessage(ID, receiver.url, BODY)
    deliver(message, [KEY, OLD_KEY], is_allowed=this_machine, context=trust)
    (request,) = receiver.requests
    assert [is_accepted_with(request, key) for key in (KEY, OLD_KEY, bytes(32))] == [True, True, False]


def test_timestamp_is_the_current_time(receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver) -> None:
    before = time.time()
    send(receiver, trust)
    found = parsed(receiver.requests[0])[1]["webhook-timestamp"]
    assert int(before) <= int(found) <= time.time()


def test_host_is_resolved_once(receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver) -> None:
    send(receiver, trust)
    assert resolver.asked == [HOST]
    assert resolver.answers == [["169.254.169.254"]]  # what a second look-up would have got


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_every_2xx_answer_is_a_success(
    receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver, code: int
) -> None:
    receiver.behaviour = status(code)
    assert send(receiver, trust) == code


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504, 599])
def test_temporary_error_status_is_retryable(
    receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver, code: int
) -> None:
    receiver.behaviour = status(code)
    with pytest.raises(NoticeFailed, match=f"{HOST}:{receiver.port}: answered {code}") as caught:
        send(receiver, trust)
    assert caught.value.retryable
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 410, 413, 422])
def test_permanent_error_status_is_not_retryable(
    receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver, code: int
) -> None:
    receiver.behaviour = status(code)
    with pytest.raises(NoticeRefused, match=f"answered {code}; it must answer 2xx") as caught:
        send(receiver, trust)
    assert not caught.value.retryable
    assert "token" not in str(caught.value)


@pytest.mark.parametrize("code", [300, 301, 302, 303, 307, 308])
def test_redirect_is_not_followed(receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver, code: int) -> None:
    receiver.behaviour = status(code, head=b"Location: " + receiver.url.encode() + b"\r\n")
    with pytest.raises(NoticeRefused, match="redirects are not followed"):
        send(receiver, trust)
    assert (receiver.connections, len(receiver.requests), len(resolver.asked)) == (1, 1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000,
        b"y" * 10_000 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    ],
)
def test_malformed_answer_is_retryable(
    receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver, answer: bytes
) -> None:
    receiver.behaviour = says(answer)
    with pytest.raises(NoticeFailed, match="did not arrive") as caught:
        send(receiver, trust)
    assert len(str(caught.value)) < 400


def test_endless_body_is_not_read(receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver, quick: float) -> None:
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
def test_silent_server_times_out(
    receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver, quick: float, first: bytes
) -> None:
    def silent(connection: ssl.SSLSocket) -> None:
        connection.sendall(first)
        receiver.stopping.wait(10 * PATIENCE)

    receiver.behaviour = silent
    began = time.monotonic()
    with pytest.raises(NoticeFailed, match="no answer within 1 seconds"):
        send(receiver, trust)
    assert time.monotonic() - began < PATIENCE


def test_slow_bytes_do_not_extend_the_deadline(
    receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver, quick: float
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


def test_missing_tls_handshake_times_out(trust: ssl.SSLContext, resolver: Resolver, quick: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://{HOST}:{mute.getsockname()[1]}/"
        began = time.monotonic()
        with pytest.raises(NoticeFailed, match="no answer within"):
            deliver(WebhookMessage(ID, url, BODY), [KEY], is_allowed=this_machine, context=trust)
        assert time.monotonic() - began < PATIENCE


def test_silent_name_server_times_out(trust: ssl.SSLContext, quick: float, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(10 * PATIENCE) and [])
    began = time.monotonic()
    with pytest.raises(NoticeFailed, match="no answer within"):
        deliver(WebhookMessage(ID, f"https://{HOST}/", BODY), [KEY], context=trust)
    assert time.monotonic() - began < PATIENCE
    answer.set()


def test_closed_port_is_retryable(trust: ssl.SSLContext, resolver: Resolver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NoticeFailed, match="refused"):
        deliver(WebhookMessage(ID, f"https://{HOST}:{port}/", BODY), [KEY], is_allowed=this_machine, context=trust)


def test_unknown_host_is_retryable(trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver())
    with pytest.raises(NoticeFailed, match="Name or service not known"):
        deliver(WebhookMessage(ID, f"https://{HOST}/", BODY), [KEY], context=trust)


def test_untrusted_certificate_is_an_error(receiver: Receiver, resolver: Resolver) -> None:
    with pytest.raises(NoticeFailed, match="CERTIFICATE_VERIFY_FAILED"):
        deliver(WebhookMessage(ID, receiver.url, BODY), [KEY], is_allowed=this_machine)
    assert receiver.requests == []


def test_certificate_of_another_host_is_an_error(receiver: Receiver, trust: ssl.SSLContext, resolver: Resolver) -> None:
    url = receiver.url.replace(HOST, "other.example.test")
    with pytest.raises(NoticeFailed, match="Hostname mismatch"):
        deliver(WebhookMessage(ID, url, BODY), [KEY], is_allowed=this_machine, context=trust)
    assert receiver.requests == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["::1"],
     ["8.8.8.8", "::ffff:127.0.0.1"], ["fd00:ec2::254"], ["100.64.0.1"]],
)  # fmt: skip
def test_host_with_one_private_address_is_refused_before_any_connection(
    receiver: Receiver, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(addresses))
    opened: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: opened.append(address))
    with pytest.raises(NoticeRefused, match=r"which is not public"):
        deliver(WebhookMessage(ID, receiver.url, BODY), [KEY], context=trust)
    assert (opened, receiver.connections) == ([], 0)


def test_next_address_is_tried_after_a_failed_connection(
    receiver: Receiver, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(["127.0.0.2", "127.0.0.1"]))
    assert deliver(WebhookMessage(ID, receiver.url, BODY), [KEY], is_allowed=lambda _: True, context=trust) == 204


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
        json.dumps({"id": f"e-{name}-1", "url": f"https://{name}.example.org/x", "notice": PAYLOAD}) for name in "abcd"
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


def test_notify_function_returns_only_retryable_messages_to_the_queue(
    app: ModuleType, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[WebhookMessage, tuple[bytes, ...]]] = []

    def fake(message: WebhookMessage, keys: tuple[bytes, ...]) -> int:
        calls.append((message, keys))
        if "//b." in message.url:
            raise NoticeFailed("b.example.org:443: answered 503; the payload did not arrive")
        if "//c." in message.url:
            raise NoticeRefused("c.example.org:443: answered 404; it must answer 2xx")
        return 204

    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_SECRET_ARN", ARN)
    monkeypatch.setattr(app, "secret", lambda arn: SECRET if arn == ARN else "")
    monkeypatch.setattr(app, "deliver", fake)
    assert app.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert calls == [(WebhookMessage(f"e-{name}-1", f"https://{name}.example.org/x", BODY), (KEY,)) for name in "abcd"]
    *lines, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert last["message"] == "finished"
    assert [(line["message_id"], line["error"], line["status"], line["again"]) for line in lines] == [
        ("m-1", "NoticeFailed", 502, True),
        ("m-2", "NoticeRefused", 400, False),
        ("m-4", "InvalidRequest", 400, False),
    ]


def test_notify_function_delivers_a_message(
    app: ModuleType,
    event: dict[str, Any],
    receiver: Receiver,
    trust: ssl.SSLContext,
    resolver: Resolver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_SECRET_ARN", ARN)
    monkeypatch.setattr(app, "secret", lambda _: SECRET)
    real = webhook.deliver
    monkeypatch.setattr(app, "deliver", lambda *given: real(*given, is_allowed=this_machine, context=trust))
    event["Records"][0]["body"] = json.dumps({"id": ID, "url": receiver.url, "notice": PAYLOAD})
    event["Records"] = event["Records"][:1]
    assert app.handler(event, None) == {"batchItemFailures": []}
    assert receiver.requests[0].endswith(b"\r\n\r\n" + BODY)
    assert is_accepted_with(receiver.requests[0], KEY)


def test_notify_function_sends_nothing_without_a_usable_secret(
    app: ModuleType, event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The invocation fails, so SQS keeps the messages until the secret is put right."""
    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_SECRET_ARN", ARN)
    monkeypatch.setattr(app, "secret", lambda _: "a secret of another kind")
    monkeypatch.setattr(app, "deliver", lambda *_: pytest.fail("a payload was sent"))
    with pytest.raises(StorageError, match="key 1 of the webhook secret"):
        app.handler(event, None)
