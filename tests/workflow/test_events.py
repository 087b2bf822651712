"""Invoke the deployed functions with every fixture of events/, the files that ``sam local invoke -e`` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import soundfile

from anemonefish.models.repository import ModelRepository
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.stores import open_store
from localstack import LocalAws, Stack
from localstack.packaging import load_template

EVENTS = Path(__file__).parents[2] / "events"
RECORDINGS = ["20230210_000001_LL_B55_M_R.wav", "20230210_003001_LL_B55_M_R.flac", "20230210_010001_LL_B55_M_R.ogg"]
EXECUTION = "e-aaaaaaaaaaaaaaaaaaaaaaaaaa"  # the execution in the fixtures of an execution's end

# Placeholders of the fixtures: the values depend on when and where a recording was uploaded.
BUCKET = "anemonefish-local-input"
IDENTITY = "0123456789abcdef"  # identity of the recording's scores, in ranges.jsonl
VERSION = "the version that plan.json names"
TRANSCODED_VERSION = "the version that transcodes.jsonl names"
PIECES = "fedcba9876543210"  # folder of the pieces, in transcodes.jsonl

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
    "transcode-elsewhere": "InvalidRequest",
    "score-altered-model": "InvalidBundle",
    "score-changed-recording": "RecordingChanged",
    "score-not-a-range": "InvalidRequest",
    "score-range-past-the-end": "InvalidRequest",
    "score-without-model": "InvalidRequest",
    "report-never-planned": "InvalidRequest",
    "report-not-in-the-plan": "InvalidRequest",
    "report-without-recordings": "InvalidRequest",
    "aggregate-never-planned": "InvalidRequest",
    "aggregate-not-a-job": "InvalidRequest",
    "review-never-planned": "InvalidRequest",
}
REQUESTS = {
    "api": (200, "name"),
    "api-create-upload": (201, "put"),
    "api-list-executions": (200, "executions"),
    "api-unknown-path": (404, "RouteNotFound"),
    "api-without-key": (403, "NotAllowed"),
    "excerpt": (404, "ExecutionNotFound"),
    "predict": (200, "predictions"),
    "predict-not-audio": (400, "error"),
    "predict-unknown-setting": (400, "InvalidSettings"),
}
"""Status of the answer, and a word in its body."""

ENDS = {"status": ("SUCCEEDED", None), "status-failed": ("FAILED", "TruncatedRecording")}
WEBHOOKS = {"notify": 1, "notify-not-public": 0}
"""Number of messages that SQS must deliver again."""

ANSWERED = ["plan-two-recordings", "plan", "score", "report", "aggregate", "plan-must-transcode", "transcode",
            "plan-after-transcode", "plan-review", "review", "record", "record-timeout", "record-report-timeout",
            "record-map-failed", "record-plan-failed", "record-without-job", "heal", "models"]  # fmt: skip


class Invoke:
    """Invokes the stack's functions with the fixtures and fills in their placeholders."""

    def __init__(self, aws: LocalAws, stack: Stack, folder: Path) -> None:
        self._lambda, self._table = aws.client("lambda"), aws.client("dynamodb")
        summaries = aws.client("cloudformation").list_stack_resources(StackName=stack.name)["StackResourceSummaries"]
        self.resources = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in summaries}
        s3, bucket = aws.client("s3"), stack.outputs["InputBucketName"]
        for name in RECORDINGS[:2]:
            write_scene(scene(60, seed=1), folder / name)  # the format is recognised by the content, not by the name
        _write_ogg(folder / RECORDINGS[0], folder / RECORDINGS[2])
        for name in RECORDINGS:
            s3.upload_file(str(folder / name), bucket, f"uploads/lab/{name}")
        head = s3.head_object(Bucket=bucket, Key=f"uploads/lab/{RECORDINGS[0]}")
        self.placeholders = {BUCKET: bucket, VERSION: json.dumps(head["ETag"])[1:-1]}

    def __call__(self, name: str) -> tuple[str | None, Any]:
        """Invoke the function of a fixture. Return the error's name, or None, and the answer."""
        return self.call(f"{name.partition('-')[0].capitalize()}Function", self.event(name))

    def call(self, function: str, event: str) -> tuple[str | None, Any]:
        """Invoke a function of the template with an event."""
        answer = self._lambda.invoke(FunctionName=self.resources[function], Payload=event.encode())
        payload = json.loads(answer["Payload"].read())
        return (payload["errorType"] if "FunctionError" in answer else None), payload

    def event(self, name: str) -> str:
        """Return a fixture with its placeholders filled in."""
        event = (EVENTS / f"{name}.json").read_text()
        for placeholder, value in self.placeholders.items():
            event = event.replace(placeholder, value)
        return event

    def begin(self) -> None:
        """Store the record of the running execution that the fixtures name."""
        document = {"id": EXECUTION, "owner": "lab", "fingerprint": "", "status": "RUNNING", "model": {},
                    "settings": {}, "recordings": 1, "created_at": "2023-02-10T00:00:00Z"}  # fmt: skip
        item = {"id": EXECUTION, "owner": "lab", "created": document["created_at"], "document": json.dumps(document)}
        numbers = {"revision": {"N": "0"}, "expires": {"N": "4102444800"}}
        self._table.put_item(
            TableName=self.resources["RecordTable"], Item={key: {"S": value} for key, value in item.items()} | numbers
        )

    def ended(self) -> tuple[str, str | None]:
        """Return the status and error name of the execution that the fixtures name."""
        item = self._table.get_item(TableName=self.resources["RecordTable"], Key={"id": {"S": EXECUTION}})["Item"]
        document = json.loads(item["document"]["S"])
        return document["status"], (document["error"] or {}).get("error")


def _write_ogg(source: Path, target: Path) -> None:
    """Copy a recording into a format that must be transcoded, in small blocks, which libsndfile's Vorbis needs."""
    with soundfile.SoundFile(target, "w", soundfile.info(source).samplerate, 1, format="OGG") as file:
        for block in soundfile.blocks(source, 4_096):
            file.write(block)


@pytest.fixture(scope="module")
def invoke(aws: LocalAws, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Invoke:
    return Invoke(aws, stack, tmp_path_factory.mktemp("events"))


def test_every_fixture_is_used() -> None:
    known = {*REFUSED, *REQUESTS, *ENDS, *WEBHOOKS, *ANSWERED, "env"}
    assert {path.stem for path in EVENTS.glob("*.json")} == known


def test_every_function_has_a_fixture() -> None:
    resources = load_template(EVENTS.parent / "template.yaml")["Resources"]
    functions = {name for name, each in resources.items() if each["Type"] == "AWS::Serverless::Function"}
    fixtures = {f"{path.stem.partition('-')[0].capitalize()}Function" for path in EVENTS.glob("*.json")}
    assert functions == fixtures - {"EnvFunction"}


def test_fixtures_name_a_model_that_ships(models_uri: str) -> None:
    """The fixtures of ranges have its hash and its windows, so those of plans name this version, not an alias."""
    models = ModelRepository(open_store(models_uri))
    pinned = models.pin(json.loads((EVENTS / "plan.json").read_text())["model"]).to_dict()
    for name in ("score", "score-range-past-the-end", "score-changed-recording", "score-not-a-range"):
        assert json.loads((EVENTS / f"{name}.json").read_text())["model"] == pinned, name


@pytest.mark.parametrize(("name", "error"), REFUSED.items())
def test_invalid_event_is_refused_with_a_typed_error(invoke: Invoke, name: str, error: str) -> None:
    found, answer = invoke(name)
    assert found == error, answer
    assert answer["errorMessage"]


def run_steps(invoke: Invoke, s3: Any) -> None:
    """Run plan, score, report, aggregate and review for the job of the fixtures."""
    found, planned = invoke("plan-two-recordings")
    assert found is None
    assert (planned["worker_count"], planned["tolerated_failure_percentage"]) == (1, 100)
    found, planned = invoke("plan")
    assert (found, planned["job"], planned["worker_count"]) == (None, "jobs/lab/j-123", 1)
    assert len(json.dumps(planned)) < 1_000
    ranges = s3.get_object(Bucket=planned["bucket"], Key=planned["ranges_key"])["Body"].read()
    invoke.placeholders[IDENTITY] = json.loads(ranges)["ranges"][0]["identity"]
    found, scored = invoke("score")
    assert (found, scored) == (None, {"ranges": 1, "windows": 299, "computed": 1, "failed": 0})
    found, repeated = invoke("score")
    assert (found, repeated) == (None, {"ranges": 1, "windows": 299, "computed": 0, "failed": 0})
    assert invoke("report") == (None, {"recordings": 1, "written": 1, "failed": 0})
    assert invoke("report") == (None, {"recordings": 1, "written": 0, "failed": 0})
    found, answer = invoke("aggregate")
    assert (found, answer["recordings"], answer["failed"]) == (None, 1, 0)
    assert not answer["asks_for_review"]
    assert invoke("plan-review")[0] is None
    assert invoke("aggregate")[0] == "MissingParts"  # its reports are those of another plan
    assert invoke("report") == (None, {"recordings": 1, "written": 1, "failed": 0})
    assert invoke("aggregate")[1]["asks_for_review"]
    found, reviewed = invoke("review")
    assert found is None
    clips = reviewed["review"]["clips"]
    assert clips == answer["events"] > 0
    assert reviewed["review"]["pictures"] == clips + 2  # one spectrogram per clip, the timeline, the activity plot


def run_transcoding(invoke: Invoke, s3: Any) -> None:
    """Plan the lossy recording of the fixtures, transcode it, and plan it again."""
    found, planned = invoke("plan-must-transcode")
    assert (found, planned["transcode_count"], planned["worker_count"]) == (None, 1, 0)
    line = json.loads(s3.get_object(Bucket=planned["bucket"], Key=planned["transcodes_key"])["Body"].read())
    task = line.get("recording", line)
    invoke.placeholders |= {
        PIECES: task["prefix"].rpartition("/")[2],
        TRANSCODED_VERSION: json.dumps(task["version"])[1:-1],
    }
    assert invoke("transcode") == (None, {"error": None})
    found, planned = invoke("plan-after-transcode")
    assert (found, planned["transcode_count"], planned["worker_count"]) == (None, 0, 1)


def test_plan_score_report_aggregate_and_review_run_in_order(invoke: Invoke, s3: Any) -> None:
    run_steps(invoke, s3)


def test_lossy_recording_is_transcoded_and_planned_again(invoke: Invoke, s3: Any) -> None:
    run_transcoding(invoke, s3)


@pytest.mark.parametrize(("name", "status", "word"), [(name, *answer) for name, answer in REQUESTS.items()])
def test_request_gets_its_status_and_body(invoke: Invoke, name: str, status: int, word: str) -> None:
    found, answer = invoke(name)
    assert (found, answer["statusCode"]) == (None, status), answer
    assert f'"{word}"' in answer["body"]


def test_heal_does_nothing_without_overdue_executions(invoke: Invoke) -> None:
    assert invoke("heal") == (None, {})


@pytest.mark.parametrize("name", ENDS)
def test_end_of_an_execution_is_recorded(invoke: Invoke, name: str) -> None:
    invoke.begin()
    assert invoke(name) == (None, None)
    assert invoke.ended() == ENDS[name]


@pytest.mark.parametrize(("name", "retries"), WEBHOOKS.items())
def test_webhook_is_sent_again_if_a_retry_may_succeed(invoke: Invoke, name: str, retries: int) -> None:
    found, answer = invoke(name)
    assert (found, len(answer["batchItemFailures"])) == (None, retries)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("record", "InvalidSamples", "sample"),
        ("record-timeout", "RangeFailed", "cut finer"),
        ("record-report-timeout", "FunctionFailed", "fewer formats"),
        ("record-plan-failed", "RecordingNotFound", "no such object"),
        ("record-without-job", "InvalidRequest", "tenant and id"),
    ],
)
def test_failure_reason_is_passed_on_without_a_traceback(invoke: Invoke, name: str, error: str, words: str) -> None:
    found, answer = invoke(name)
    assert (found, answer["error"]) == (None, error)
    assert words in answer["cause"]
    assert "stackTrace" not in answer["cause"]


def test_failed_map_ends_with_the_reason_of_its_first_failed_range(invoke: Invoke, s3: Any) -> None:
    planned = invoke("plan")[1]
    for item in s3.list_objects_v2(Bucket=planned["bucket"], Prefix=f"{planned['job']}/parts/").get("Contents", ()):
        s3.delete_object(Bucket=planned["bucket"], Key=item["Key"])
    invoke("record")
    assert invoke("record-map-failed")[1]["error"] == "InvalidSamples"
