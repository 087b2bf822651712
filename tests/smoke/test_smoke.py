"""Smoke test of a deployed stack whose API takes keys: everything that a user does, over HTTP, in about a minute."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import secrets
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile

from anemonefish.simulation.scene import Scene

from .conftest import DeployedApi, Recording, put

LEAST_FOUND = 0.8
"""Part of the simulated calls in whose time an event must lie. The reference model finds all of them."""

FILES: dict[str, Callable[[bytes, int, int], bool]] = {
    "json": lambda data, events, windows: len(json.loads(data)["events"]) == events,
    "csv": lambda data, events, windows: _rows(data) == events,
    "scores": lambda data, events, windows: _rows(data) == windows,
    "raven": lambda data, events, windows: data.startswith(b"Selection\t") and len(data.splitlines()) == events + 1,
    "audacity": lambda data, events, windows: len(data.splitlines()) >= events,
    "classes": lambda data, events, windows: len(data.splitlines()) > 0,
    "kaleidoscope": lambda data, events, windows: _rows(data) == events,
    "longterm": lambda data, events, windows: _rows(data) >= 1,
    "parquet": lambda data, events, windows: data[:4] == data[-4:] == b"PAR1",
}
"""What the file of each format must hold, by its bytes and the numbers of events and of windows."""

ROUTES_WITH_KEY = [
    ("GET", "/models"),
    ("GET", "/usage"),
    ("GET", "/executions"),
    ("POST", "/uploads"),
    ("POST", "/executions"),
    ("POST", "/inference/predict"),
]
UNKNOWN_EXECUTION = "e-aaaaaaaaaaaaaaaaaaaaaaaaaa"


def _rows(data: bytes) -> int:
    return len(list(csv.DictReader(io.StringIO(data.decode()))))


def _windows(model: dict[str, Any], seconds: int) -> int:
    """Return how many windows the model has in a recording."""
    window, hop = (Fraction(str(model[name])) for name in ("window_seconds", "hop_seconds"))
    return int((seconds - window) // hop) + 1


@pytest.fixture(scope="module")
def model(api: DeployedApi) -> dict[str, Any]:
    """Return the model of executions that name none."""
    answer = api("GET", "/models/reef/production")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture(scope="module")
def uploaded(api: DeployedApi, minute: Path) -> Recording:
    """Upload the minute with a single PUT."""
    content = minute.read_bytes()
    recording = api.begin_upload(minute, sha256=hashlib.sha256(content).hexdigest())
    link = recording.upload["put"]
    answer = put(link["url"], content, link["headers"])
    assert answer.status_code == 200, answer.text
    state = api.complete(recording)
    assert (state["status"], state["sha256_checked"]) == ("COMPLETE", True)
    return recording


@pytest.fixture(scope="module")
def uploaded_in_parts(api: DeployedApi, long_recording: Path) -> Recording:
    """Upload the long recording in parts."""
    recording = api.begin_upload(long_recording)
    parts = recording.upload["multipart"]
    assert (recording.upload["put"], parts["next"], len(parts["parts"])) == (None, None, parts["part_count"])
    with long_recording.open("rb") as file:
        for part in parts["parts"]:
            answer = put(part["url"], file.read(part["size"]))
            assert answer.status_code == 200, answer.text
        assert file.read() == b""
    assert api.complete(recording)["status"] == "COMPLETE"
    return recording


@pytest.fixture(scope="module")
def idempotency_key() -> str:
    return f"smoke-{secrets.token_hex(8)}"


@pytest.fixture(scope="module")
def settings(model: dict[str, Any]) -> dict[str, Any]:
    """Return settings that name the model's own threshold."""
    return {"threshold": model["decision"]["threshold"]}


@pytest.fixture(scope="module")
def finished(api: DeployedApi, uploaded: Recording, idempotency_key: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Run an execution on the minute."""
    answer = api.start(uploaded, idempotency_key, settings=settings)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"]
    assert answer.headers["retry-after"]
    state = api.ended(answer.json()["id"])
    assert state["status"] == "SUCCEEDED", state["error"]
    return state


@pytest.fixture(scope="module")
def results(api: DeployedApi, finished: dict[str, Any]) -> dict[str, Any]:
    """Return the execution's results as JSON."""
    answer = api("GET", finished["results_url"])
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


# --- before anything is uploaded ---------------------------------------------------------------------------------


def test_health_and_the_api_description_need_no_key(api: DeployedApi) -> None:
    health = api.without_key("GET", "/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    description = api.without_key("GET", "/openapi.json")
    assert description.status_code == 200
    assert {path for _, path in ROUTES_WITH_KEY} <= set(description.json()["paths"])


def test_requests_without_a_valid_key_are_refused(api: DeployedApi) -> None:
    for method, path in ROUTES_WITH_KEY:
        for headers in ({}, {"x-api-key": "wrong"}):
            answer = api.without_key(method, path, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (403, "NotAllowed"), (method, path, answer.text)
            assert answer.json()["request_id"]


def test_reference_model_is_in_production(api: DeployedApi) -> None:
    models = {model["name"]: model for model in api("GET", "/models").json()["models"]}
    assert "reef" in models, f"the models bucket has {sorted(models)}; see docs/deploy.md"
    version = models["reef"]["aliases"]["production"]
    assert api("GET", f"/models/reef/{version}").status_code == 200


def test_invalid_requests_have_typed_errors(api: DeployedApi) -> None:
    for method, path, options, expected in [
        ("GET", f"/executions/{UNKNOWN_EXECUTION}", {}, (404, "ExecutionNotFound")),
        ("POST", "/executions", {"json": {"recordings": []}}, (400, "InvalidRequest")),
        ("POST", "/uploads", {"json": {"filename": "../a.wav", "size": 10}}, (400, "InvalidRequest")),
        ("GET", "/nothing", {}, (404, "RouteNotFound")),
    ]:
        answer = api(method, path, **options)
        assert (answer.status_code, answer.json()["error"]) == expected, answer.text


# --- upload ------------------------------------------------------------------------------------------------------


def test_upload_with_a_single_put(api: DeployedApi, uploaded: Recording) -> None:
    state = api("GET", f"/uploads/{uploaded.id}").json()
    assert (state["status"], state["size"]) == ("COMPLETE", uploaded.path.stat().st_size)
    link = uploaded.upload["put"]
    assert put(link["url"], uploaded.path.read_bytes(), link["headers"]).status_code == 412  # a URL works once


def test_upload_in_parts(api: DeployedApi, uploaded_in_parts: Recording) -> None:
    state = api("GET", f"/uploads/{uploaded_in_parts.id}").json()
    assert (state["status"], state["size"]) == ("COMPLETE", uploaded_in_parts.path.stat().st_size)


def test_usage_counts_the_uploads(api: DeployedApi, uploaded: Recording, uploaded_in_parts: Recording) -> None:
    stored = api("GET", "/usage").json()["stored_bytes"]["used"]
    assert stored >= sum(recording.path.stat().st_size for recording in (uploaded, uploaded_in_parts))


# --- execution ---------------------------------------------------------------------------------------------------


def test_quote(api: DeployedApi, uploaded: Recording, model: dict[str, Any]) -> None:
    answer = api("POST", "/executions", params={"dry_run": "true"}, json={"recordings": [uploaded.id]})
    assert answer.status_code == 200, answer.text
    quote = answer.json()["quote"]
    assert (quote["recordings"], quote["windows"], quote["audio_seconds"]) == (1, _windows(model, 60), 60.0)
    assert quote["expected_usd"] > 0


def test_execution_finds_the_simulated_calls(results: dict[str, Any], reef: Scene) -> None:
    calls = [
        (label.start / reef.sample_rate, label.stop / reef.sample_rate)
        for label in reef.labels
        if label.label == "anemonefish"
    ]
    events = [(event["start_time"], event["end_time"]) for event in results["events"]]
    found = [any(start < stop_of and begin < stop for begin, stop_of in events) for start, stop in calls]
    assert sum(found) >= LEAST_FOUND * len(calls) > 0, (calls, events)
    assert results["recordings"][0]["status"] == "done"


def test_results_in_every_format(
    api: DeployedApi, finished: dict[str, Any], results: dict[str, Any], model: dict[str, Any]
) -> None:
    events, windows = len(results["events"]), _windows(model, 60)
    for form, holds in FILES.items():
        answer = api("GET", finished["results_url"], params={"format": form})
        assert answer.status_code == 303, (form, answer.text)
        file = httpx.get(answer.headers["location"], timeout=60)
        assert file.status_code == 200, (form, file.text)
        assert holds(file.content, events, windows), (form, file.content[:500])
    files = api("GET", f"/executions/{finished['id']}/files").json()["files"]
    assert "summary.csv" in {file["name"] for file in files}


def test_decision_with_other_settings(
    api: DeployedApi, finished: dict[str, Any], results: dict[str, Any], settings: dict[str, Any]
) -> None:
    path = f"/executions/{finished['id']}/decisions"
    same = api("POST", path, json=settings)
    assert same.status_code == 200, same.text
    assert same.json()["events"] == results["events"]
    stricter = api("POST", path, json={"threshold": 0.999}).json()
    assert len(stricter["events"]) <= len(results["events"])
    query = {"format": "raven", "decision": stricter["decision"]}
    file = api("GET", finished["results_url"], params=query)
    assert file.status_code == 303, file.text
    assert httpx.get(file.headers["location"], timeout=60).text.startswith("Selection\t")


def test_same_idempotency_key_is_the_same_execution(
    api: DeployedApi, uploaded: Recording, finished: dict[str, Any], idempotency_key: str, settings: dict[str, Any]
) -> None:
    again = api.start(uploaded, idempotency_key, settings=settings)
    assert (again.status_code, again.json()["id"]) == (202, finished["id"])
    other = api.start(uploaded, idempotency_key, settings={"threshold": settings["threshold"] / 2})
    assert (other.status_code, other.json()["error"]) == (409, "IdempotencyConflict")
    listed = api("GET", "/executions").json()["executions"]
    assert [execution["id"] for execution in listed].count(finished["id"]) == 1


def test_cancelled_execution_resumes(api: DeployedApi, uploaded_in_parts: Recording) -> None:
    started = api.start(uploaded_in_parts, settings={"max_range_seconds": 30})
    assert started.status_code == 202, started.text
    path = f"/executions/{started.json()['id']}"
    cancelled = api("DELETE", path)
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "CANCELLED")
    assert api("GET", f"{path}/results").json()["error"] == "WrongState"
    resumed = api("POST", f"{path}/resume")
    assert (resumed.status_code, resumed.json()["attempt"]) == (202, 2), resumed.text
    state = api.ended(started.json()["id"])
    assert (state["status"], state["ranges_done"]) == ("SUCCEEDED", state["ranges_total"]), state["error"]
    assert api("DELETE", path).json()["error"] == "WrongState"


def test_predict_equals_the_execution(
    api: DeployedApi, minute: Path, results: dict[str, Any], model: dict[str, Any]
) -> None:
    content = minute.read_bytes()
    seconds = 20
    clip = _first_seconds(content, seconds)
    answer = api("POST", "/inference/predict", files={"audio_file": (minute.name, clip, "audio/wav")})
    assert answer.status_code == 200, answer.text
    alone = answer.json()["predictions"]
    assert len(alone) == _windows(model, seconds)
    # The last windows are smoothed with windows that the clip does not have.
    for window, expected in zip(alone[:-5], results["predictions"], strict=False):
        assert window["confidence"] == pytest.approx(expected["confidence"], abs=1e-4)


def _first_seconds(wav: bytes, seconds: int) -> bytes:
    samples, rate = soundfile.read(io.BytesIO(wav), frames=seconds * 48_000, dtype="int16")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, "PCM_16", format="WAV")
    return buffer.getvalue()


# --- clean-up ----------------------------------------------------------------------------------------------------


def test_uploads_can_be_deleted(api: DeployedApi, uploaded: Recording, uploaded_in_parts: Recording) -> None:
    for recording in (uploaded, uploaded_in_parts):
        assert api("DELETE", f"/uploads/{recording.id}").status_code == 204
        assert api("GET", f"/uploads/{recording.id}").json()["error"] == "UploadNotFound"
        api.uploads.remove(recording.id)
