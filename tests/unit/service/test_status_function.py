"""The status function records an end and notifies the topic and the webhook."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from anemonefish.cloud.clients import client
from anemonefish.cloud.messages import publish
from anemonefish.errors import (
    StorageError,
)
from anemonefish.jobs.job import Job
from anemonefish.stores import open_store
from tests.fakes.service_stack import NUMBERS, FakeStack

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def told(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[Any], list[Any]]]:
    """Return a function that hands an event to the status function; it answers with the notices it made."""
    spec = importlib.util.spec_from_file_location("status_app", REPOSITORY / "functions/status/app.py")
    assert spec is not None
    assert spec.loader is not None
    app: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    monkeypatch.setattr(app, "services", lambda: SimpleNamespace(executions=reef.executions))
    sqs, sns, number = client("sqs"), client("sns"), next(NUMBERS)
    listener, hooks = (sqs.create_queue(QueueName=f"{name}-{number}")["QueueUrl"] for name in ("listener", "hooks"))
    topic = sns.create_topic(Name=f"ends-{number}")["TopicArn"]
    arn = sqs.get_queue_attributes(QueueUrl=listener, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    monkeypatch.setenv("ANEMONEFISH_COMPLETION_TOPIC", topic)
    monkeypatch.setenv("ANEMONEFISH_WEBHOOK_QUEUE", hooks)
    client("s3").create_bucket(Bucket=f"output-{number}")
    monkeypatch.setenv("ANEMONEFISH_OUTPUT_BUCKET", f"output-{number}")

    def received(queue: str) -> list[Any]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ())
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def tell(name: str, status: str, **detail: str) -> tuple[list[Any], list[Any]]:
        app.handler({"detail": {"name": name, "status": status, **detail}}, None)
        return [json.loads(each["Message"]) for each in received(listener)], received(hooks)

    tell.__dict__["without_hooks"] = lambda: monkeypatch.delenv("ANEMONEFISH_WEBHOOK_QUEUE")
    return tell


HOOK = "https://hooks.example.org/x"


def test_end_is_sent_to_the_topic_and_the_webhook(reef: FakeStack, told: Any) -> None:
    execution = reef.start(webhook=HOOK)
    topic, hooks = told(execution.name, "SUCCEEDED")
    finished = reef.executions.get("lab", execution.id).finished_at
    notice = {"execution": execution.id, "status": "SUCCEEDED", "tenant": "lab", "finished_at": finished}
    assert topic == [notice]
    assert hooks == [{"id": execution.name, "url": HOOK, "notice": notice}]


def test_execution_without_a_webhook_sends_none(reef: FakeStack, told: Any) -> None:
    topic, hooks = told(reef.start().name, "SUCCEEDED")
    assert (len(topic), hooks) == (1, [])


def test_stack_without_webhooks_sends_none(reef: FakeStack, told: Any) -> None:
    told.without_hooks()
    topic, hooks = told(reef.start(webhook=HOOK).name, "SUCCEEDED")
    assert (len(topic), hooks) == (1, [])


def test_repeated_event_sends_the_same_messages(reef: FakeStack, told: Any) -> None:
    execution = reef.start(webhook=HOOK)
    first = told(execution.name, "SUCCEEDED")
    assert told(execution.name, "SUCCEEDED") == first  # a notice may come twice, and never with other words
    assert told(execution.name, "FAILED") == ([], [])


def test_end_of_an_earlier_attempt_sends_nothing(reef: FakeStack, told: Any) -> None:
    first = reef.start(webhook=HOOK)
    told(first.name, "FAILED", error="InvalidSamples", cause="{}")
    second = reef.executions.resume("lab", first.id)
    assert told(first.name, "FAILED", error="InvalidSamples", cause="{}") == ([], [])
    topic, hooks = told(second.name, "SUCCEEDED")
    assert [each["status"] for each in topic] == ["SUCCEEDED"]
    assert [(each["id"], each["notice"]["status"]) for each in hooks] == [(f"{first.id}-2", "SUCCEEDED")]


def test_stopped_execution_is_sent_once_the_state_machine_has_ended(reef: FakeStack, told: Any) -> None:
    execution = reef.start(webhook=HOOK)
    stopped = reef.executions.stop("lab", execution.id)
    topic, _ = told(execution.name, "ABORTED")
    assert [(each["status"], each["finished_at"]) for each in topic] == [("CANCELLED", stopped.finished_at)]


@pytest.mark.parametrize(
    ("status", "detail", "error", "words"),
    [
        ("FAILED", {"error": "InvalidSamples", "cause": "a.wav: NaN"}, "InvalidSamples", "a.wav: NaN"),
        ("FAILED", {"error": "States.Runtime", "cause": "odd"}, "FunctionFailed", "States.Runtime: odd"),
        ("FAILED", {}, "FunctionFailed", "did not finish in the time"),
        ("TIMED_OUT", {}, "FunctionFailed", "an execution has a day; resume it"),
    ],
)
def test_failure_is_recorded_as_an_error_class_and_message(
    reef: FakeStack, told: Any, status: str, detail: dict[str, str], error: str, words: str
) -> None:
    execution = reef.start()
    topic, _ = told(execution.name, status, **detail)
    assert topic[0]["status"] == "FAILED"
    kept = reef.executions.get("lab", execution.id).error
    assert kept is not None
    assert kept["error"] == error
    assert words in kept["message"]


@pytest.mark.parametrize(
    ("status", "detail", "words"),
    [
        ("FAILED", {"error": "States.Runtime", "cause": "odd"}, "States.Runtime: odd"),
        ("FAILED", {"error": "States.DataLimitExceeded", "cause": "large"}, "larger than Step Functions allows"),
        ("TIMED_OUT", {}, "did not finish in the time"),
    ],
)
def test_failure_that_no_catch_gets_is_stored_and_counted(
    reef: FakeStack, told: Any, capsys: pytest.CaptureFixture[str], status: str, detail: dict[str, str], words: str
) -> None:
    execution = reef.start()
    job = Job.of_tenant(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), "lab", execution.id)
    document = json.dumps({"job": {"tenant": "lab", "id": execution.id}, "correlation_id": "cruise-7"})
    told(execution.name, status, input=document, **detail)
    failure = json.loads(job.store.read(job.failure_key))
    assert failure["error"] == "FunctionFailed"
    assert words in failure["message"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [line] = [line for line in lines if line["message"] == "a job failed"]
    assert (line["status"], line["job"], line["correlation_id"]) == (500, job.work, "cruise-7")


def test_failure_that_the_state_machine_stored_is_kept_and_not_counted_again(
    reef: FakeStack, told: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    execution = reef.start()
    job = Job.of_tenant(open_store(f"s3://{os.environ['ANEMONEFISH_OUTPUT_BUCKET']}"), "lab", execution.id)
    job.store.write(job.failure_key, b"{}")
    document = json.dumps({"job": {"tenant": "lab", "id": execution.id}})
    told(execution.name, "FAILED", input=document, error="StorageError", cause="S3")
    assert job.store.read(job.failure_key) == b"{}"
    assert "a job failed" not in capsys.readouterr().out


def test_execution_that_was_started_by_hand_sends_nothing(reef: FakeStack, told: Any) -> None:
    assert told("by-hand", "SUCCEEDED") == ([], [])


def test_missing_topic_is_a_storage_error(reef: FakeStack) -> None:
    with pytest.raises(StorageError, match="the topic: AWS answered NotFound"):
        publish("arn:aws:sns:eu-central-1:123456789012:nothing", "subject", {})
