"""Invoke the functions in containers with every fixture of events/, as ``sam local invoke -e`` does.

The same fixtures run on the local AWS (tests/workflow/test_events.py), and containers store the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localstack import LocalAws, Stack
from localstack.packaging import load_template
from tests.workflow.test_events import (
    ENDS,
    EVENTS,
    REFUSED,
    REQUESTS,
    WEBHOOKS,
    Invoke,
    run_steps,
    run_transcoding,
)

from .conftest import Local


class InContainer(Invoke):
    """Invokes the functions with the SAM CLI. The parent class invokes them on the local AWS."""

    def __init__(self, aws: LocalAws, stack: Stack, folder: Path, local: Local) -> None:
        super().__init__(aws, stack, folder)
        self._local, self._file = local, folder / "event.json"

    def call(self, function: str, event: str) -> tuple[str | None, Any]:
        self._file.write_text(event)
        answer = self._local.invoke(function, self._file)
        failed = isinstance(answer, dict) and {"errorType", "errorMessage"} <= set(answer)
        return (answer["errorType"] if failed else None), answer


@pytest.fixture(scope="module")
def invoke(aws: LocalAws, stack: Stack, local: Local, tmp_path_factory: pytest.TempPathFactory) -> InContainer:
    return InContainer(aws, stack, tmp_path_factory.mktemp("events"), local)


class Stored:
    """The objects of a job in the output bucket."""

    def __init__(self, s3: Any, stack: Stack, job: str) -> None:
        self._s3, self._bucket, self._prefix = s3, stack.outputs["OutputBucketName"], f"jobs/lab/{job}/"

    def files(self) -> dict[str, bytes]:
        return {key: self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read() for key in self._keys()}

    def clear(self) -> None:
        for key in self._keys():
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _keys(self) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]


def _on_the_local_aws(invoke: InContainer) -> Invoke:
    """Return an ``Invoke`` with the same recordings and placeholders that invokes functions on the local AWS."""
    beside = object.__new__(Invoke)
    beside.__dict__ = invoke.__dict__ | {"placeholders": dict(invoke.placeholders)}
    return beside


@pytest.mark.parametrize(
    ("steps", "job", "kinds"),
    [
        (
            run_steps,
            "j-123",
            {"plan.json", "ranges.jsonl", "manifest.json", ".npy", ".csv", ".parquet", ".flac", ".png"},
        ),
        (run_transcoding, "j-456", {"plan.json", "transcodes.jsonl", ".flac"}),
    ],
)
def test_containers_store_the_same_bytes_as_the_local_aws(
    invoke: InContainer, s3: Any, stack: Stack, steps: Any, job: str, kinds: set[str]
) -> None:
    stored = Stored(s3, stack, job)
    stored.clear()
    steps(_on_the_local_aws(invoke), s3)
    expected = stored.files()
    stored.clear()
    steps(invoke, s3)
    found = stored.files()
    assert all(any(key.endswith(kind) for key in found) for kind in kinds), sorted(found)
    assert sorted(found) == sorted(expected)
    assert [key for key in found if found[key] != expected[key]] == []


@pytest.mark.parametrize(("name", "error"), REFUSED.items())
def test_invalid_event_is_refused_with_a_typed_error(invoke: InContainer, name: str, error: str) -> None:
    found, answer = invoke(name)
    assert found == error, answer
    assert answer["errorMessage"]


@pytest.mark.parametrize("name", ["record", "record-timeout", "record-map-failed", "record-plan-failed"])
def test_failure_reason_equals_the_local_aws(invoke: InContainer, name: str) -> None:
    found, answer = invoke(name)
    assert found is None
    assert answer == _on_the_local_aws(invoke)(name)[1]
    assert answer["cause"]


# Requests without a key are answered here: events/env.json allows them, because there is no gateway that checks keys.
OPEN = REQUESTS | {"api-without-key": (200, "name")}


@pytest.mark.parametrize(("name", "status", "word"), [(name, *answer) for name, answer in OPEN.items()])
def test_request_gets_its_status_and_body(invoke: InContainer, name: str, status: int, word: str) -> None:
    found, answer = invoke(name)
    assert (found, answer["statusCode"]) == (None, status), answer
    assert f'"{word}"' in answer["body"]


def test_clip_is_scored_like_on_the_local_aws(invoke: InContainer) -> None:
    here, there = (json.loads(each("predict")[1]["body"]) for each in (invoke, _on_the_local_aws(invoke)))
    assert len(here["predictions"]) > 2
    assert (here["predictions"], here["events"]) == (there["predictions"], there["events"])


@pytest.mark.parametrize("name", ENDS)
def test_end_of_an_execution_is_recorded(invoke: InContainer, name: str) -> None:
    invoke.begin()
    assert invoke(name) == (None, None)
    assert invoke.ended() == ENDS[name]


@pytest.mark.parametrize(("name", "retries"), WEBHOOKS.items())
def test_webhook_is_sent_again_if_a_retry_may_succeed(invoke: InContainer, name: str, retries: int) -> None:
    found, answer = invoke(name)
    assert (found, len(answer["batchItemFailures"])) == (None, retries)


def test_environment_file_names_every_variable_without_a_default() -> None:
    """``sam local`` passes on only variables that the template declares, and silently leaves out others."""
    template = load_template(EVENTS.parent / "template.yaml")
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    own = [
        resource["Properties"].get("Environment", {}).get("Variables", {})
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    declared = {name: value for each in (shared, *own) for name, value in each.items()}
    given = json.loads((EVENTS / "env.json").read_text())["Parameters"]
    assert set(given) <= set(declared)
    # A reference to a resource has no value without an account. A reference to a parameter has the default value.
    parameters = set(template["Parameters"])
    unknown = {
        name for name, value in declared.items() if isinstance(value, dict) and value.get("Ref") not in parameters
    }
    assert unknown <= set(given)
