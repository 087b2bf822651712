"""Every fixture of events/ against its function in a container, as ``sam local invoke -e`` runs it.

The same fixtures run on the local AWS (tests/workflow/test_events.py): what a container stores are the same bytes.
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
    NOTICES,
    REFUSED,
    REQUESTS,
    Invoke,
    run_the_transcoder,
    run_the_verbs,
)

from .conftest import Local


class InContainer(Invoke):
    """Invokes by the SAM CLI what its parent invokes on the local AWS."""

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
    """What lies in the output bucket below a job."""

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
    """Return the same recordings and placeholders, with functions that run on the local AWS."""
    beside = object.__new__(Invoke)
    beside.__dict__ = invoke.__dict__ | {"placeholders": dict(invoke.placeholders)}
    return beside


@pytest.mark.parametrize(
    ("verbs", "job", "kinds"),
    [
        (
            run_the_verbs,
            "j-123",
            {"plan.json", "ranges.jsonl", "manifest.json", ".npy", ".csv", ".parquet", ".flac", ".png"},
        ),
        (run_the_transcoder, "j-456", {"plan.json", "transcodes.jsonl", ".flac"}),
    ],
)
def test_the_verbs_store_the_same_bytes(
    invoke: InContainer, s3: Any, stack: Stack, verbs: Any, job: str, kinds: set[str]
) -> None:
    stored = Stored(s3, stack, job)
    stored.clear()
    verbs(_on_the_local_aws(invoke), s3)
    expected = stored.files()
    stored.clear()
    verbs(invoke, s3)
    found = stored.files()
    assert all(any(key.endswith(kind) for key in found) for kind in kinds), sorted(found)
    assert sorted(found) == sorted(expected)
    assert [key for key in found if found[key] != expected[key]] == []


@pytest.mark.parametrize(("name", "error"), REFUSED.items())
def test_a_bad_event_is_refused_by_name(invoke: InContainer, name: str, error: str) -> None:
    found, answer = invoke(name)
    assert found == error, answer
    assert answer["errorMessage"]


@pytest.mark.parametrize("name", ["record", "record-timeout", "record-map-failed", "record-plan-failed"])
def test_a_reason_is_the_same_as_on_the_local_aws(invoke: InContainer, name: str) -> None:
    found, answer = invoke(name)
    assert found is None
    assert answer == _on_the_local_aws(invoke)(name)[1]
    assert answer["cause"]


# Without a key a call is answered here: events/env.json opens the door, because no gateway has checked anything.
OPEN = REQUESTS | {"api-without-key": (200, "name")}


@pytest.mark.parametrize(("name", "status", "word"), [(name, *answer) for name, answer in OPEN.items()])
def test_a_request_is_answered(invoke: InContainer, name: str, status: int, word: str) -> None:
    found, answer = invoke(name)
    assert (found, answer["statusCode"]) == (None, status), answer
    assert f'"{word}"' in answer["body"]


def test_a_clip_is_scored_as_on_the_local_aws(invoke: InContainer) -> None:
    here, there = (json.loads(each("predict")[1]["body"]) for each in (invoke, _on_the_local_aws(invoke)))
    assert len(here["predictions"]) > 2
    assert (here["predictions"], here["events"]) == (there["predictions"], there["events"])


@pytest.mark.parametrize("name", ENDS)
def test_the_end_of_an_execution_is_recorded(invoke: InContainer, name: str) -> None:
    invoke.begin()
    assert invoke(name) == (None, None)
    assert invoke.ended() == ENDS[name]


@pytest.mark.parametrize(("name", "again"), NOTICES.items())
def test_a_notice_that_may_arrive_later_is_brought_again(invoke: InContainer, name: str, again: int) -> None:
    found, answer = invoke(name)
    assert (found, len(answer["batchItemFailures"])) == (None, again)


def test_the_environment_file_reaches_every_function_that_needs_it() -> None:
    """``sam local`` passes on what the template declares for a function, and leaves out the rest without a word."""
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
    # What refers to a resource has no value without an account; what refers to a parameter has its default.
    parameters = set(template["Parameters"])
    unknown = {
        name for name, value in declared.items() if isinstance(value, dict) and value.get("Ref") not in parameters
    }
    assert unknown <= set(given)
