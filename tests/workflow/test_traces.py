"""One execution's traces show where its workers spent their time, and are joined with its log lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localstack import LocalAws, Stack
from tests.fakes.xray_daemon import XrayDaemon
from tests.reference_models import DEFAULT
from tests.workflow.conftest import Api, await_true
from tests.workflow.test_log_lines import lines_of

FUNCTIONS = ("PlanFunction", "ScoreFunction", "ReportFunction", "AggregateFunction")
RESAMPLED = ["resample"] if DEFAULT.sample_rate else []
STEPS = ["fetch", "decode", *RESAMPLED, "spectrogram", "infer", "store"]


@pytest.fixture
def daemon(aws: LocalAws, stack: Stack) -> Iterator[XrayDaemon]:
    """Let the functions of the stack send their subsegments here, as Lambda lets them send to its daemon."""
    formation, functions = aws.client("cloudformation"), aws.client("lambda")

    def configure(address: str) -> None:
        for logical in FUNCTIONS:
            found = formation.describe_stack_resource(StackName=stack.name, LogicalResourceId=logical)
            name = found["StackResourceDetail"]["PhysicalResourceId"]
            variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            variables |= {"AWS_XRAY_DAEMON_ADDRESS": address}
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})

    with XrayDaemon() as running:
        configure(running.address)
        yield running
        configure("")


def tree(documents: list[dict[str, Any]]) -> list[str]:
    """Return the subsegments of an execution as lines, each below its parent."""
    children: dict[str, list[dict[str, Any]]] = {}
    for document in documents:
        children.setdefault(document["parent_id"], []).append(document)
    known = {document["id"] for document in documents}

    def told(document: dict[str, Any], depth: int) -> Iterator[str]:
        milliseconds = 1000 * (document["end_time"] - document["start_time"])
        note = document.get("annotations", {}).get("range", "") if document["name"] == "range" else ""
        yield f"{'  ' * depth}{document['name']} {note}".rstrip() + f" {milliseconds:.1f} ms"
        for child in children.get(document["id"], []) + document.get("subsegments", []):
            yield from told(child, depth + 1)

    roots = [document for document in documents if document["parent_id"] not in known]
    return [line for root in sorted(roots, key=lambda each: each["start_time"]) for line in told(root, 0)]


def test_traces_of_an_execution_have_the_steps_of_its_workers(
    stack: Stack, api: Api, daemon: XrayDaemon, make_recording: Callable[..., Path]
) -> None:
    upload = api.upload(make_recording("traced.wav", frames=48_000 * 30))
    body = {"recordings": [upload], "settings": {"max_range_seconds": 12}}
    execution = api("POST", "/executions", json=body, headers={"x-correlation-id": "traced-1"}).json()["id"]
    assert api.ended(execution)["status"] == "SUCCEEDED"

    def found() -> list[dict[str, Any]]:
        return [each for each in daemon.documents if each["annotations"].get("correlation_id") == "traced-1"]

    names = {"plan", "score", "range", "report", "aggregate"}
    await_true(lambda: {document["name"] for document in found()} == names, "the subsegments")
    documents = found()
    print("\n".join(tree(documents)))
    ranges = [document for document in documents if document["name"] == "range"]
    scores = {document["id"]: document for document in documents if document["name"] == "score"}
    assert len(ranges) > 1
    for document in ranges:
        assert sorted(step["name"] for step in document["subsegments"]) == sorted(STEPS)
        assert scores[document["parent_id"]]["trace_id"] == document["trace_id"]
        seconds = sum(step["end_time"] - step["start_time"] for step in document["subsegments"])
        assert 0 < seconds <= document["end_time"] - document["start_time"] + 0.001
    lines = [line for line in lines_of(stack, "traced-1") if line["message"] == "a range was scored"]
    assert {line["range"] for line in lines} == {document["annotations"]["range"] for document in ranges}
    assert {line["job"] for line in lines} == {document["annotations"]["job"] for document in documents}
