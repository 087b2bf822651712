"""Every fixture of events/ against its deployed function: the same files that ``sam local invoke -e`` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anemonefish.models.repository import ModelRepository
from anemonefish.simulate import scene, write_scene
from anemonefish.stores import open_store
from localstack import LocalAws, Stack

EVENTS = Path(__file__).parents[2] / "events"
RECORDINGS = ["20230210_000001_LL_B55_M_R.wav", "20230210_003001_LL_B55_M_R.flac"]
IDENTITY = "0123456789abcdef"  # of the plan, in the fixtures
VERSION = "the version that plan.json names"

REFUSED = {
    "plan-missing-recording": "RecordingNotFound",
    "plan-no-recordings": "InvalidRequest",
    "plan-recording-name-climbs": "InvalidRequest",
    "plan-recording-without-uri": "InvalidRequest",
    "plan-setting-out-of-range": "InvalidSettings",
    "plan-unknown-model": "ModelNotFound",
    "plan-unknown-setting": "InvalidSettings",
    "plan-unusable-job": "InvalidRequest",
    "plan-without-job": "InvalidRequest",
    "score-altered-model": "InvalidBundle",
    "score-changed-recording": "RecordingChanged",
    "score-not-a-range": "InvalidRequest",
    "score-range-past-the-end": "InvalidRequest",
    "score-without-model": "InvalidRequest",
    "aggregate-never-planned": "InvalidRequest",
    "aggregate-not-a-job": "InvalidRequest",
}
ANSWERED = ["plan-two-recordings", "plan", "score", "aggregate", "record", "record-timeout", "record-map-failed",
            "record-plan-failed", "record-without-job"]  # fmt: skip


class Invoke:
    """Invokes the stack's functions with the fixtures, their placeholders filled in."""

    def __init__(self, aws: LocalAws, stack: Stack, folder: Path) -> None:
        self._lambda = aws.client("lambda")
        self._functions = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in aws.client("cloudformation").list_stack_resources(StackName=stack.name)[
                "StackResourceSummaries"
            ]
        }
        self._bucket = stack.outputs["InputBucketName"]
        for name in RECORDINGS:
            write_scene(scene(60, seed=1), folder / name)  # the container is read from the content, not from the name
            aws.client("s3").upload_file(str(folder / name), self._bucket, f"uploads/lab/{name}")
        head = aws.client("s3").head_object(Bucket=self._bucket, Key=f"uploads/lab/{RECORDINGS[0]}")
        self.identity = IDENTITY
        self._version = json.dumps(head["ETag"])[1:-1]

    def __call__(self, name: str) -> tuple[str | None, Any]:
        """Return the error's name, if any, and the answer."""
        event = (EVENTS / f"{name}.json").read_text()
        event = event.replace("anemonefish-local-input", self._bucket).replace(VERSION, self._version)
        event = event.replace(IDENTITY, self.identity)
        function = self._functions[f"{name.partition('-')[0].capitalize()}Function"]
        answer = self._lambda.invoke(FunctionName=function, Payload=event.encode())
        payload = json.loads(answer["Payload"].read())
        return (payload["errorType"] if "FunctionError" in answer else None), payload


@pytest.fixture(scope="module")
def invoke(aws: LocalAws, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Invoke:
    return Invoke(aws, stack, tmp_path_factory.mktemp("events"))


def test_every_fixture_is_used() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == {*REFUSED, *ANSWERED, "env"}


def test_the_fixtures_name_the_model_that_ships(models_uri: str) -> None:
    pinned = ModelRepository(open_store(models_uri)).pin("reef").to_dict()
    for name in ("score", "score-range-past-the-end", "score-changed-recording", "score-not-a-range"):
        assert json.loads((EVENTS / f"{name}.json").read_text())["model"] == pinned, name


@pytest.mark.parametrize(("name", "error"), REFUSED.items())
def test_a_bad_event_is_refused_by_name(invoke: Invoke, name: str, error: str) -> None:
    found, answer = invoke(name)
    assert found == error, answer
    assert answer["errorMessage"]


def test_the_verbs_in_their_order(invoke: Invoke, s3: Any) -> None:
    found, planned = invoke("plan-two-recordings")
    assert found is None
    assert (planned["worker_count"], planned["tolerated_failure_percentage"]) == (1, 100)
    found, planned = invoke("plan")
    assert (found, planned["job"], planned["worker_count"]) == (None, "jobs/lab/j-123", 1)
    assert len(json.dumps(planned)) < 1_000
    ranges = s3.get_object(Bucket=planned["bucket"], Key=planned["ranges_key"])["Body"].read()
    invoke.identity = json.loads(ranges)["ranges"][0]["identity"]
    found, scored = invoke("score")
    assert (found, scored) == (None, {"ranges": 1, "windows": 299, "computed": 1, "failed": 0})
    found, again = invoke("score")
    assert (found, again) == (None, {"ranges": 1, "windows": 299, "computed": 0, "failed": 0})
    found, answer = invoke("aggregate")
    assert (found, answer["recordings"], answer["failed"]) == (None, 1, 0)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("record", "InvalidSamples", "sample"),
        ("record-timeout", "RangeFailed", "cut finer"),
        ("record-plan-failed", "RecordingNotFound", "no such object"),
        ("record-without-job", "InvalidRequest", "tenant and id"),
    ],
)
def test_a_reason_is_handed_on_without_a_traceback(invoke: Invoke, name: str, error: str, words: str) -> None:
    found, answer = invoke(name)
    assert (found, answer["error"]) == (None, error)
    assert words in answer["cause"]
    assert "stackTrace" not in answer["cause"]


def test_a_map_that_gave_up_ends_with_the_reason_of_its_first_failed_range(invoke: Invoke, s3: Any) -> None:
    planned = invoke("plan")[1]
    for item in s3.list_objects_v2(Bucket=planned["bucket"], Prefix=f"{planned['job']}/parts/").get("Contents", ()):
        s3.delete_object(Bucket=planned["bucket"], Key=item["Key"])
    invoke("record")
    assert invoke("record-map-failed")[1]["error"] == "InvalidSamples"
