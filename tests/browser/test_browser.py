"""Tests of the API, S3 and the JavaScript client from a page of another origin, in a real Chromium.

All checks of the browser are on, so an unanswered preflight or a header that is not exposed fails a test. scenarios.js
runs in the page; what it reports is compared here with the answers to plain HTTP requests.
"""

from __future__ import annotations

import json
import re
import time
from itertools import groupby
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
import soundfile
from botocore.config import Config
from botocore.exceptions import ClientError

from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from localstack import LocalAws, Stack
from tests.reference_models import OTHER_DECISION, lab_settings
from tests.workflow.conftest import Api, new_key

from .conftest import Visit

PART = 16 << 20
SETTINGS = lab_settings() | {
    "confidence_threshold": OTHER_DECISION["threshold"],
    "smoothing_window": OTHER_DECISION["median_windows"],
    "min_event_duration": OTHER_DECISION["min_duration_seconds"],
    "min_gap_duration": OTHER_DECISION["min_gap_seconds"],
}
"""The same as ``OTHER_DECISION``, under the names of the lab's front end."""
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.x"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of a busy reef."""
    path = tmp_path_factory.mktemp("clip") / "20230210_000001_LL_B55_M_R.wav"
    settings = SceneSettings(calls_per_minute=40, calls_per_bout=(1, 1))
    write_scene(scene(10, seed=11, settings=settings), path)
    return path


@pytest.fixture(scope="session")
def long_recording(clip: Path) -> Path:
    """The same reef for twelve minutes: 69 MB, which is above the 64 MiB of a single PUT."""
    path = clip.with_name("20230210_000002_LL_B55_M_R.wav")
    samples, rate = soundfile.read(clip, dtype="int16")
    soundfile.write(path, np.tile(samples, 72), rate, subtype="PCM_16")
    return path


def test_page_uploads_in_parts_and_reads_results(visit: Visit, api: Api, stack: Stack, long_recording: Path) -> None:
    size = long_recording.stat().st_size
    observed = visit("recording", recording=long_recording, changes=OTHER_DECISION, expired=_expired_links(stack))

    # The page could read that S3 refused the expired link, and the link was renewed.
    assert [refusal["status"] for refusal in observed["refusals"]] == [403]
    assert "expired" in observed["refusals"][0]["text"]
    upload = observed["upload"]
    assert (upload["status"], upload["filename"], upload["size"]) == ("COMPLETE", long_recording.name, size)
    sent = [bytes_sent for bytes_sent, _ in observed["progress"]]
    assert observed["progress"][-1] == [size, size]
    assert any(bytes_sent % PART for bytes_sent in sent[:-1])  # progress within parts
    assert len(sent) > -(-size // PART)

    assert observed["execution"]["status"] == "SUCCEEDED"
    assert observed["polls"][-1] == "SUCCEEDED"
    identifier = observed["execution"]["id"]
    results = api("GET", f"/executions/{identifier}/results").json()
    for answer in (observed["results"], results):
        answer.pop("predictions_url")  # differs in each answer, because it is signed again
    assert observed["results"] == results
    assert len(results["events"]) > 60
    assert 0 < len(observed["decided"]["events"]) != len(results["events"])
    assert observed["csv"].encode() == api.file(identifier, "csv")
    assert observed["parquet"] == len(api.file(identifier, "parquet"))
    assert observed["decidedCsv"].encode() == api.file(identifier, "csv", decision=observed["decided"]["decision"])
    assert observed["decidedCsv"] != observed["csv"]
    assert long_recording.name in observed["summary"]


def test_page_sends_clips_like_the_labs_newest_front_end(visit: Visit, api: Api, clip: Path) -> None:
    observed = visit("clip", recording=clip, settings=SETTINGS, changes=OTHER_DECISION, token=TOKEN)
    form = {"audio_file": (clip.name, clip.read_bytes(), "audio/wav")}
    expected = api("POST", "/predict", files=form, data={"config": json.dumps(OTHER_DECISION)}).json()
    unsmoothed = [name for name, _ in groupby(window["class"] for window in expected["predictions"])]
    assert expected["events"]
    assert len(observed["answers"]) == 10
    for request, answer in observed["answers"].items():
        assert answer["status"] == 200, (request, answer)
        document = answer["document"]
        for found in (document, document["json"]):
            assert (found["predictions"], found["events"]) == (expected["predictions"], expected["events"]), request
        assert document["raw"] == expected["predictions"], request
        assert document["json"]["metadata"]["confidence_threshold"] == OTHER_DECISION["threshold"], request
        labels = [line.split("\t")[2] for line in document["audacity"].splitlines()]
        assert labels == [name for name in unsmoothed if name != "noise"], request
    assert (observed["byClient"]["predictions"], observed["byClient"]["events"]) == (
        expected["predictions"],
        expected["events"],
    )


def test_page_can_read_error_answers(visit: Visit, aws: LocalAws, stack: Stack) -> None:
    expired = _expired_links(stack)
    slow = new_key(aws, stack, throttle={"rateLimit": 0.001, "burstLimit": 2})
    observed = visit("refusals", expired=expired, slowKey=slow, token=TOKEN)

    for wrong in (observed["wrongKey"], observed["wrongKeyOfAClip"]):
        assert (wrong["ours"], wrong["status"], wrong["error"]) == (True, 403, "NotAllowed")
        assert "x-api-key" in wrong["message"]
        assert wrong["requestId"]
    assert observed["noKey"]["status"] == 403
    assert json.loads(observed["noKey"]["text"])["error"] == "NotAllowed"
    assert (observed["unreadable"]["status"], observed["unreadable"]["error"]) == (400, "UnreadableRecording")
    assert "a.wav" in observed["unreadable"]["message"]
    assert (observed["unknown"]["status"], observed["unknown"]["error"]) == (404, "ExecutionNotFound")
    assert (observed["openWithKey"]["status"], json.loads(observed["openWithKey"]["text"])["status"]) == (200, "ok")
    assert (observed["throttled"]["status"], json.loads(observed["throttled"]["text"])["error"]) == (
        429,
        "TooManyRequests",
    )
    assert observed["throttled"]["retryAfter"] == "5"
    for link in (observed["expiredGet"], observed["expiredPut"]):
        assert link["status"] == 403
        assert re.search(r"<Code>AccessDenied</Code>.*expired", link["text"], re.DOTALL)


def test_page_of_another_origin_cannot_read_or_write(visit: Visit, s3: Any, stack: Stack) -> None:
    links = _links(stack, "stranger.wav", seconds=3600)
    s3.put_object(Bucket=stack.outputs["OutputBucketName"], Key="stranger.wav", Body=b"bytes")
    bucket = stack.outputs["InputBucketName"]
    foreign = visit("requests", host="localhost", links=links)
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=bucket, Key="stranger.wav")
    allowed = visit("requests", links=links)
    assert s3.head_object(Bucket=bucket, Key="stranger.wav")["ContentLength"] == len("bytes")
    for request in ("open", "key", "clip", "get", "put"):
        assert foreign[request], f"{request} was answered"
        assert foreign[request]["name"] == "TypeError"
        assert allowed[request] is None
    assert (foreign["client"]["error"], allowed["client"]["error"]) == ("NetworkError", "ExecutionNotFound")


def _links(stack: Stack, key: str, seconds: int) -> dict[str, str]:
    """Sign a link to GET a result and one to PUT a recording, as the API signs its links."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    s3 = session.client("s3", endpoint_url=stack.endpoint_url, config=Config(signature_version="s3v4"))
    buckets = {"get": stack.outputs["OutputBucketName"], "put": stack.outputs["InputBucketName"]}
    return {
        name: s3.generate_presigned_url(f"{name}_object", {"Bucket": bucket, "Key": key}, ExpiresIn=seconds)
        for name, bucket in buckets.items()
    }


def _expired_links(stack: Stack) -> dict[str, str]:
    links = _links(stack, "expired.wav", seconds=1)
    time.sleep(2)
    return links
