"""Subsegments that a function sends to X-Ray's daemon."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from anemonefish.cloud.function_log import bound
from anemonefish.cloud.xray import traced
from anemonefish.step_times import step
from tests.fakes.xray_daemon import XrayDaemon

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
CALLER = "53995c3f42cd8ad8"


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[XrayDaemon]:
    with XrayDaemon() as running:
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", running.address)
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={CALLER};Sampled=1;Lineage=1:a87bd80c:0")
        yield running


def received(daemon: XrayDaemon, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 10
    while len(daemon.documents) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return daemon.documents


def test_block_and_its_steps_are_sent_below_the_segment_of_the_call(daemon: XrayDaemon) -> None:
    with bound(correlation_id="cruise-7", function="score"), traced("score"), traced("range"):
        with step("fetch"):
            time.sleep(0.01)
        with step("infer"):
            time.sleep(0.01)
    inner, outer = received(daemon, 2)
    assert (outer["name"], outer["trace_id"], outer["parent_id"]) == ("score", ROOT, CALLER)
    assert (inner["name"], inner["trace_id"], inner["parent_id"]) == ("range", ROOT, outer["id"])
    assert inner["annotations"] == {"correlation_id": "cruise-7", "function": "score"}
    fetch, infer = inner["subsegments"]
    assert [fetch["name"], infer["name"]] == ["fetch", "infer"]
    assert fetch["start_time"] == inner["start_time"]
    assert infer["start_time"] == fetch["end_time"] > fetch["start_time"] + 0.009
    assert infer["end_time"] <= inner["end_time"] + 0.001 <= outer["end_time"] + 0.002
    for document in (inner, outer, fetch, infer):
        assert re.fullmatch(r"[0-9a-f]{16}", document["id"])


def test_error_is_marked_and_raised(daemon: XrayDaemon) -> None:
    with pytest.raises(KeyError), traced("score"):
        raise KeyError("window")
    [document] = received(daemon, 1)
    assert document["fault"] is True
    assert [each["type"] for each in document["cause"]["exceptions"]] == ["KeyError"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={CALLER};Sampled=0"),
        ("_X_AMZN_TRACE_ID", f"Root={ROOT};Sampled=1"),
        ("_X_AMZN_TRACE_ID", ""),
        ("AWS_XRAY_DAEMON_ADDRESS", ""),
        ("AWS_XRAY_DAEMON_ADDRESS", "nowhere"),
    ],
)
def test_nothing_is_sent_where_a_call_is_not_sampled(
    daemon: XrayDaemon, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with traced("score"):
        pass
    time.sleep(0.3)
    assert daemon.documents == []


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-host.invalid:2000", "udp:127.0.0.1:1 tcp:127.0.0.1:2"])
def test_daemon_that_does_not_listen_fails_no_call(
    daemon: XrayDaemon, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)
    for _ in range(2):
        with traced("score"):
            pass
