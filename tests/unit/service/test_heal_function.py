"""The heal function announces the ends that it records."""

from __future__ import annotations

import importlib.util
import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from anemonefish.cloud.step_functions import Workflow, WorkflowEnd
from anemonefish.errors import StorageError
from anemonefish.service import execution_end
from anemonefish.service.execution_launch import CHECK_AFTER
from tests.fakes.service_stack import FakeStack

REPOSITORY = Path(__file__).parents[3]
HOOK = "https://hooks.example.org/x"


@pytest.fixture
def heal(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the module of the function."""
    spec = importlib.util.spec_from_file_location("heal_app", REPOSITORY / "functions/heal/app.py")
    assert spec is not None
    assert spec.loader is not None
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    monkeypatch.setattr(app, "services", lambda: SimpleNamespace(executions=reef.executions))
    monkeypatch.setenv("ANEMONEFISH_COMPLETION_TOPIC", "topic")
    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_QUEUE", "queue")
    return app


def test_end_whose_event_was_lost_is_sent_to_the_topic_and_the_webhook(
    reef: FakeStack, heal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(execution_end, "publish", lambda *args: sent.append(args))
    monkeypatch.setattr(execution_end, "enqueue", lambda *args: sent.append(args))
    monkeypatch.setattr(Workflow, "find_end", lambda *_: WorkflowEnd("SUCCEEDED"))
    execution = reef.start(webhook=HOOK)
    reef.now += CHECK_AFTER + timedelta(seconds=1)
    assert heal.handler({}, None) == {"SUCCEEDED": 1}
    (topic, _, notice), (queue, message) = sent
    assert (topic, notice["execution"], notice["status"]) == ("topic", execution.id, "SUCCEEDED")
    assert (queue, message["id"], message["url"], message["notice"]) == ("queue", execution.name, HOOK, notice)
    assert heal.handler({}, None) == {}
    assert len(sent) == 2


def test_execution_that_step_functions_does_not_know_has_failed_and_can_be_resumed(
    reef: FakeStack, heal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: Workflow, name: str) -> WorkflowEnd:
        raise LookupError(name)

    monkeypatch.setattr(execution_end, "publish", lambda *_: None)
    monkeypatch.setattr(Workflow, "find_end", unknown)
    execution = reef.start()
    reef.now += CHECK_AFTER + timedelta(seconds=1)
    assert heal.handler({}, None) == {"FAILED": 1}
    ended = reef.executions.get(execution.owner, execution.id)
    assert ended.error is not None
    assert ended.error["error"] == "FunctionFailed"
    assert "resume it to continue" in ended.error["message"]
    assert reef.executions.resume(execution.owner, execution.id).attempt == 2


def test_end_that_cannot_be_sent_does_not_stop_the_schedule(
    reef: FakeStack, heal: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def down(*_: Any) -> None:
        raise StorageError("the topic: AWS did not answer")

    monkeypatch.setattr(execution_end, "publish", down)
    monkeypatch.setattr(Workflow, "find_end", lambda *_: WorkflowEnd("ABORTED"))
    first, second = reef.start(), reef.start("another")
    reef.now += CHECK_AFTER + timedelta(seconds=1)
    assert heal.handler({}, None) == {"CANCELLED": 2}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    said = {line["execution"] for line in lines if line["message"] == "the end of an execution was not sent"}
    assert said == {first.id, second.id}
