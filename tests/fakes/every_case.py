"""Call every function of the template, on enough cases that each place in the package that calls AWS is reached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import soundfile

from anemonefish.cloud.clients import client
from anemonefish.errors import AnemonefishError
from anemonefish.service import upload_record
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.stores import object_kinds
from anemonefish.workflow import report
from tests.fakes.functions import Functions, later

__all__ = ["call_every_function"]

REPOSITORY = Path(__file__).parents[2]


def call_every_function(functions: Functions, folder: Path) -> None:
    """Do what a lab does in the life of a stack; ``folder`` is for its recordings."""
    lab = Lab(functions, folder)
    with pytest.MonkeyPatch.context() as change:
        change.setattr(upload_record, "_SINGLE_BYTES", 1_000_000)  # larger recordings are sent in parts
        change.setattr(object_kinds, "ARCHIVED_BYTES", 1)  # every result may be archived, so it gets a tag
        deploy(functions)
        upload_and_delete(lab)
        analyse(lab)
        run_without_the_api(lab)
        cancel_and_resume(lab)
        wait_for_workers(lab)
        heal(lab)
        predict(functions)


class Lab:
    """A tenant that calls the API, and recordings that it has."""

    def __init__(self, functions: Functions, folder: Path) -> None:
        self.functions = functions
        self.folder = folder
        write_scene(scene(5, seed=1), folder / "reef.wav")
        noise = np.random.default_rng(1).uniform(-0.1, 0.1, 480_000)
        soundfile.write(folder / "noise.ogg", noise[:96_000], 48_000)
        soundfile.write(folder / "long.wav", noise, 96_000, subtype="FLOAT")

    def api(self, method: str, path: str, body: Any = None, *, function: str = "ApiFunction", **query: str) -> Any:
        """Send a request; return the answer's body."""
        headers = {"content-type": "application/json", "idempotency-key": query.pop("key", "")}
        answer = self.functions.invoke(
            function,
            {
                "httpMethod": method,
                "path": path,
                "resource": "/{proxy+}",
                "headers": headers,
                "multiValueHeaders": {name: [value] for name, value in headers.items() if value},
                "queryStringParameters": query or None,
                "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
                "requestContext": {"requestId": "r-1", "identity": {"apiKeyId": "lab", "sourceIp": "192.0.2.1"}},
                "body": None if body is None else json.dumps(body),
                "isBase64Encoded": False,
            },
        )
        return json.loads(answer["body"] or "{}")

    def begin(self, name: str) -> Any:
        """Announce a recording."""
        return self.api("POST", "/uploads", {"filename": name, "size": (self.folder / name).stat().st_size})

    def send(self, upload: Mapping[str, Any]) -> None:
        """Store the bytes of a recording, as S3 does for a presigned link."""
        bucket, key = self.functions.name_of("InputBucket"), f"uploads/lab/{upload['id']}/{upload['filename']}"
        data = (self.folder / upload["filename"]).read_bytes()
        if upload.get("put"):
            client("s3").put_object(Bucket=bucket, Key=key, Body=data)
            return
        [open_upload] = client("s3").list_multipart_uploads(Bucket=bucket, Prefix=key)["Uploads"]
        client("s3").upload_part(Bucket=bucket, Key=key, UploadId=open_upload["UploadId"], PartNumber=1, Body=data)

    def upload(self, name: str) -> str:
        """Upload a recording; return the upload's id."""
        upload = self.begin(name)
        self.send(upload)
        assert self.api("POST", f"/uploads/{upload['id']}/complete")["status"] == "COMPLETE"
        return str(upload["id"])

    def start(self, *uploads: str, **more: Any) -> str:
        """Start an execution; return its id."""
        key = more.pop("key", "")
        return str(self.api("POST", "/executions", {"recordings": list(uploads), **more}, key=key)["id"])

    def input_of(self, name: str) -> Any:
        """Return the input of an execution of the state machine."""
        machine = self.functions.stack.arn("AnalyzeStateMachine")
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
        return json.loads(client("stepfunctions").describe_execution(executionArn=arn)["input"])


def deploy(functions: Functions) -> None:
    """The custom resource: the first deployment, and an update."""
    for kind in ("Create", "Update"):
        answer = functions.invoke("ModelsFunction", {"RequestType": kind, "StackId": "s", "RequestId": "r"})
        assert answer["Status"] == "SUCCESS", answer


def upload_and_delete(lab: Lab) -> None:
    """One PUT and parts; completed too early; deleted while open and when complete; the storage counted again."""
    single, parts = lab.begin("reef.wav"), lab.begin("long.wav")
    lab.api("POST", f"/uploads/{single['id']}/complete")
    assert lab.api("GET", f"/uploads/{parts['id']}/parts")["parts"]
    lab.send(single)
    lab.send(parts)
    for upload in (single, parts):
        assert lab.api("POST", f"/uploads/{upload['id']}/complete")["status"] == "COMPLETE"
        lab.api("DELETE", f"/uploads/{upload['id']}")
    assert lab.api("GET", "/uploads", **{"limit": "1", "from": parts["id"]}) == {"uploads": [], "next": None}
    lab.api("DELETE", f"/uploads/{lab.begin('long.wav')['id']}")
    with later(hours=1):
        assert lab.api("GET", "/usage")


def analyse(lab: Lab) -> None:
    """Two recordings, one of them transcoded, with clips and plots; everything that the API shows of them."""
    uploads = lab.upload("long.wav"), lab.upload("noise.ogg")
    assert lab.api("GET", "/models")["models"]
    assert lab.api("GET", "/models/reef/1.1.0")
    assert lab.api("POST", "/executions", {"recordings": list(uploads)}, dry_run="true")["quote"]
    settings = {"review": ["clips", "pictures"], "threshold": 0.01}
    execution = lab.start(*uploads, settings=settings, webhook="https://lab.invalid/hook", key="once")
    assert lab.start(*uploads, settings=settings, webhook="https://lab.invalid/hook", key="once") == execution
    lab.api("GET", f"/executions/{execution}")
    run(lab.functions, lab.input_of(f"{execution}-1"))
    lab.api("GET", f"/executions/{execution}")  # the results exist before the event of the end arrives
    end(lab, f"{execution}-1", "SUCCEEDED")
    assert lab.api("GET", f"/executions/{execution}")["status"] == "SUCCEEDED"
    assert lab.api("GET", "/executions", limit="1")["executions"]
    assert lab.api("GET", "/executions", after=execution)
    decision = lab.api("POST", f"/executions/{execution}/decisions", {"threshold": 0.7})["decision"]
    for form in ("json", "raven", "audacity", "csv", "parquet"):
        lab.api("GET", f"/executions/{execution}/results", format=form)
        lab.api("GET", f"/executions/{execution}/results", format=form, decision=decision)
        with lab.functions.failing("UploadPart"):
            lab.api("GET", f"/executions/{execution}/results", format=form, decision=decision, recording="1")
    lab.api("GET", f"/executions/{execution}/results", decision="d-0123456789abcdef")
    assert lab.api("GET", f"/executions/{execution}/files")["files"]
    assert lab.api("GET", f"/executions/{execution}/files", all="true")["files"]
    judge(lab, execution)
    listen(lab, execution)
    restore(lab, execution)


def judge(lab: Lab, execution: str) -> None:
    """A sample is drawn, once; two people judge it, one of them twice; tables are made of what they said."""
    for _ in range(2):
        unit = lab.api("GET", f"/executions/{execution}/review")["units"][0]
    stretch = {name: unit[name] for name in ("recording", "start_sample", "stop_sample", "kind")}
    for reviewer, verdict in (("Ana", "yes"), ("Ben", "no"), ("Ana", "no")):
        body = {"reviewer": reviewer, "verdicts": [{**stretch, "class": "anemonefish", "verdict": verdict}]}
        assert lab.api("PUT", f"/executions/{execution}/verdicts", body) == {"stored": 1, "total": 1}
    assert len(lab.api("GET", f"/executions/{execution}/verdicts")["verdicts"]) == 2
    for form in ("verdicts", "labels"):
        with lab.functions.failing("UploadPart"):
            lab.api("GET", f"/executions/{execution}/verdicts", format=form)
        assert lab.api("GET", f"/executions/{execution}/verdicts", format=form, redirect="false")["verdict_count"] == 2


def listen(lab: Lab, execution: str) -> None:
    """A stretch of a recording and of one that was transcoded; both again; sound that is not there any more."""

    def excerpt(recording: int, kind: str, start: str) -> Any:
        path = f"/executions/{execution}/recordings/{recording}/{kind}"
        return lab.api("GET", path, function="ExcerptFunction", start=start, stop="1.5", redirect="false")

    for recording in (0, 1):
        for kind in ("clip", "spectrogram"):
            with lab.functions.failing("UploadPart"):
                excerpt(recording, kind, "0.5")
            for _ in range(2):
                assert excerpt(recording, kind, "0.5")["url"]
    lab.api("GET", f"/executions/e-{'a' * 26}/recordings/0/clip", function="ExcerptFunction", start="0", stop="1")
    input_bucket, output_bucket = (lab.functions.name_of(name) for name in ("InputBucket", "OutputBucket"))
    gone = [(input_bucket, "uploads/lab/", "/long.wav"), (output_bucket, f"jobs/lab/{execution}/audio/", "")]
    for recording, (bucket, prefix, ending) in enumerate(gone):
        for item in client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
            if item["Key"].endswith(ending):
                client("s3").delete_object(Bucket=bucket, Key=item["Key"])
        assert excerpt(recording, "clip", "0.6")["error"] == "RecordingNotFound"


def restore(lab: Lab, execution: str) -> None:
    """Reports in the archive: one is asked for, then all are restored, and asked for again."""
    bucket, s3 = lab.functions.name_of("OutputBucket"), client("s3")
    for item in s3.list_objects_v2(Bucket=bucket, Prefix="jobs/")["Contents"]:
        if f"/{execution}/results/" in item["Key"] or f"/{execution}/decisions/" in item["Key"]:
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            s3.put_object(Bucket=bucket, Key=item["Key"], Body=body, StorageClass="DEEP_ARCHIVE")
    refused = lab.api("GET", f"/executions/{execution}/results", format="json", redirect="false")
    assert refused["error"] == "ResultArchived", refused
    for _ in range(2):
        assert lab.api("POST", f"/executions/{execution}/restore")["restore"]["files_left"] == 0
    assert lab.api("GET", f"/executions/{execution}/results", format="json", redirect="false")["url"]


def run(functions: Functions, given: Mapping[str, Any]) -> None:
    """Run an execution as statemachine/analyze.asl.json does, with the functions that it names."""
    planned = functions.invoke("PlanFunction", given)
    if planned["transcode_count"]:
        for line in lines(functions, planned["transcodes_key"]):
            for _ in range(2):  # a transcoder continues after its last piece
                functions.invoke("TranscodeFunction", {"job": planned["job"], "recording": line})
        planned = functions.invoke("PlanFunction", {"again": given})
    for line in lines(functions, planned["ranges_key"]):
        for _ in range(2):  # a repeated call finds its part
            functions.invoke("ScoreFunction", {"job": planned["job"], "model": planned["model"], **line})
    attempt(functions, "AggregateFunction", {"job": planned["job"]})  # before the reports exist
    for task in report_lines(functions, planned):
        with patch.object(report, "_WINDOWS_IN_MEMORY", 0), functions.failing("UploadPart"):
            attempt(functions, "ReportFunction", task)  # reports of long recordings are uploaded as files
        for _ in range(2):  # a repeated call finds its reports
            functions.invoke("ReportFunction", task)
    for name, event in (("AggregateFunction", {"job": planned["job"]}), ("ReviewFunction", {"job": planned["job"]})):
        with functions.failing("UploadPart"), pytest.raises(AnemonefishError):
            functions.invoke(name, event)
        functions.invoke(name, event)


def lines(functions: Functions, key: str) -> list[Any]:
    """Return the items of a Map."""
    body = client("s3").get_object(Bucket=functions.name_of("OutputBucket"), Key=key)["Body"].read()
    return [json.loads(line) for line in body.decode().splitlines()]


def report_lines(functions: Functions, planned: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the events of the workers that report."""
    items = lines(functions, f"{planned['job']}/reports.jsonl")
    return [{"job": planned["job"], "reports": item} for item in items]


def end(lab: Lab, name: str, status: str, error: str | None = None) -> None:
    """Deliver the event of an execution's end, and what it puts into the queue of webhooks."""
    detail = {"name": name, "status": status, "error": error, "input": json.dumps(lab.input_of(name))}
    lab.functions.invoke("StatusFunction", {"detail": detail})
    queue = lab.functions.name_of("WebhookQueue")
    for message in client("sqs").receive_message(QueueUrl=queue).get("Messages", ()):
        record = {"messageId": message["MessageId"], "body": message["Body"]}
        lab.functions.invoke("NotifyFunction", {"Records": [record]})


def by_hand(job: str, *recordings: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the input of an execution that is started without the API."""
    return {"job": {"tenant": "lab", "id": job}, "recordings": list(recordings), **more}


def run_without_the_api(lab: Lab) -> None:
    """Versions of recordings, a prefix; recordings and models that do not exist, or not any more; failed ranges."""
    functions, bucket = lab.functions, lab.functions.name_of("InputBucket")
    stored = {}
    for name in ("reef.wav", "noise.ogg", "long.wav"):
        key, data = f"deployment/{name}", (lab.folder / name).read_bytes()
        version = client("s3").put_object(Bucket=bucket, Key=key, Body=data)["VersionId"]
        stored[name] = {"uri": f"s3://{bucket}/{key}", "name": name, "version": version}
    everything = by_hand("versions", *stored.values(), settings={"review": ["clips"], "threshold": 0.01})
    run(functions, everything)
    prefix = {"job": {"tenant": "lab", "id": "prefix"}, "recordings": {"prefix": f"s3://{bucket}/deployment/"}}
    assert functions.invoke("PlanFunction", prefix)["transcode_count"] == 1
    two = by_hand("two", stored["reef.wav"], stored["long.wav"])
    planned = functions.invoke("PlanFunction", two)
    [batch] = lines(functions, planned["ranges_key"])
    error = {"Error": "Lambda.Unknown", "Cause": "{}"}
    for _ in range(2):
        functions.invoke("RecordFunction", {"job": planned["job"], "error": error, **batch})
    functions.invoke("RecordFunction", {"execution": two, "error": {"Error": "States.ExceedToleratedFailureThreshold"}})
    [task] = report_lines(functions, planned)
    functions.invoke("RecordFunction", {"error": error, **task})
    functions.invoke("ReportFunction", task)
    with pytest.raises(AnemonefishError):
        functions.invoke("AggregateFunction", {"job": planned["job"]})
    functions.invoke("RecordFunction", {"execution": by_hand("never-planned"), "error": error})
    for missing in (
        by_hand("no-recording", {"uri": f"s3://{bucket}/deployment/none.wav", "name": "none.wav"}),
        by_hand("no-model", stored["reef.wav"], model="reef@9.9.9"),
        {"job": {"tenant": "lab", "id": "no-request"}},
    ):
        with pytest.raises(AnemonefishError):
            functions.invoke("PlanFunction", missing)
    transcodes = functions.invoke("PlanFunction", {**everything, "job": {"tenant": "lab", "id": "deleted"}})
    [transcode] = lines(functions, transcodes["transcodes_key"])
    empty(bucket)
    functions.invoke("TranscodeFunction", {"job": transcodes["job"], "recording": transcode})
    attempt(functions, "ScoreFunction", {**planned, **batch})
    attempt(functions, "ReviewFunction", {"job": "jobs/lab/versions"})
    empty(functions.name_of("ModelsBucket"))
    attempt(functions, "ScoreFunction", {**planned, **batch})
    for name in ("ReportFunction", "AggregateFunction", "ReviewFunction"):
        attempt(functions, name, {"job": "jobs/lab/versions", "reports": {"start": 0, "stop": 1}})
    deploy(functions)


def attempt(functions: Functions, name: str, event: Mapping[str, Any]) -> None:
    """Call a function that may fail."""
    with suppress(AnemonefishError):
        functions.invoke(name, event)


def empty(bucket: str) -> None:
    """Delete every version of every object of a bucket."""
    for item in client("s3").list_object_versions(Bucket=bucket)["Versions"]:
        client("s3").delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])


def cancel_and_resume(lab: Lab) -> None:
    """Stopped; resumed; not started at once; the execution's name is taken by somebody else."""
    upload = lab.upload("reef.wav")
    stopped = lab.start(upload)
    assert lab.api("DELETE", f"/executions/{stopped}")["status"] == "CANCELLED"
    end(lab, f"{stopped}-1", "ABORTED")
    assert lab.api("POST", f"/executions/{stopped}/resume")["status"] == "RUNNING"
    lab.functions.invoke("PlanFunction", lab.input_of(f"{stopped}-2"))
    for error in ("StorageError", "StorageError", "States.Runtime"):  # the second one finds the reason
        end(lab, f"{stopped}-2", "FAILED", error)
    take_name(lab, f"{stopped}-3")
    assert lab.api("POST", f"/executions/{stopped}/resume")["status"] == "FAILED"
    with lab.functions.failing("StartExecution"):
        waiting = lab.start(upload)
    with later(minutes=1):
        assert lab.api("GET", f"/executions/{waiting}")["status"] == "RUNNING"


def take_name(lab: Lab, name: str) -> None:
    """Start an execution with a name that the service would give to another one."""
    client("stepfunctions").start_execution(
        stateMachineArn=lab.functions.stack.arn("AnalyzeStateMachine"), name=name, input="{}"
    )


def wait_for_workers(lab: Lab) -> None:
    """The end of an execution starts those that wait: one without a request, one whose name is taken."""
    upload = lab.upload("noise.ogg")  # its length is unknown, so it needs as many workers as one job may have
    first, waiting = lab.start(upload), lab.start(upload)
    assert lab.api("GET", f"/executions/{waiting}")["queue"]["position"] == 1
    with lab.functions.failing("PutObject"):
        without_request = lab.start(upload)
    taken = lab.start(upload)
    take_name(lab, f"{taken}-1")
    end(lab, f"{first}-1", "FAILED")
    end(lab, f"{waiting}-1", "SUCCEEDED")
    end(lab, f"{without_request}-1", "SUCCEEDED")
    assert [lab.api("GET", f"/executions/{each}")["status"] for each in (first, waiting, without_request, taken)] == [
        "FAILED", "SUCCEEDED", "SUCCEEDED", "FAILED",
    ]  # fmt: skip


def heal(lab: Lab) -> None:
    """Accepted without a request; without a start, because AWS refuses or the name is taken; ended without an event.

    In the end Step Functions does not know the executions any more.
    """
    upload = lab.upload("reef.wav")
    with lab.functions.failing("PutObject"):
        lab.start(upload, webhook="https://lab.invalid/hook")
    with lab.functions.failing("StartExecution"):
        lab.start(upload)
        taken = lab.start(upload)
    take_name(lab, f"{taken}-1")
    with later(minutes=2), lab.functions.failing("StartExecution"):
        lab.functions.invoke("HealFunction", {})
    with later(hours=2):
        assert lab.functions.invoke("HealFunction", {}) == {"RUNNING": 2, "FAILED": 1}
    with later(hours=3):
        lab.functions.invoke("HealFunction", {})
    with later(hours=4), lab.functions.failing("DescribeExecution", "ExecutionDoesNotExist"):
        assert lab.functions.invoke("HealFunction", {})["FAILED"] > 1


def predict(functions: Functions) -> None:
    """A clip, and a model that does not exist."""
    event = json.loads((REPOSITORY / "events" / "predict.json").read_text())
    assert functions.invoke("PredictFunction", event)["statusCode"] == 200
    empty(functions.name_of("ModelsBucket"))
    assert functions.invoke("PredictFunction", event)["statusCode"] == 404
