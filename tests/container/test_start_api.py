"""Compare the API in containers, served by ``sam local start-api``, with the same API on the local AWS."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from localstack import Stack
from tests.reference_models import n_windows

from .conftest import PARAMETERS, Local, overrides

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0

Call = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def served(local: Local, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the API in containers and return its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command, environment = local.sam.command(
        "local", "start-api", "--port", str(port), "--warm-containers", "LAZY", *local.options, *overrides(PARAMETERS)
    )
    log = tmp_path_factory.mktemp("start-api") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _await(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)  # sam then removes its containers
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            alive = process.poll() is None and time.monotonic() < deadline
            assert alive, f"sam local start-api does not listen:\n{log.read_text(errors='replace')[-2000:]}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def in_containers(served: str) -> Iterator[Call]:
    """Return a function that calls the API in containers, which needs no key."""
    with httpx.Client(base_url=served, timeout=120) as client:
        yield client.request


@pytest.fixture(scope="module")
def on_local_aws(stack: Stack) -> Iterator[Call]:
    """Return a function that calls the API on the local AWS."""
    with httpx.Client(base_url=stack.api_url, timeout=60, headers={"x-api-key": stack.api_key}) as client:
        yield client.request


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write twenty seconds of a busy reef."""
    path = tmp_path_factory.mktemp("clip") / "20230210_000001_LL_B55_M_R.wav"
    write_scene(scene(20, seed=11, settings=SceneSettings(calls_per_minute=40, calls_per_bout=(1, 1))), path)
    return path


def _without_server(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "servers"}


def test_health_equals_the_local_aws(in_containers: Call, on_local_aws: Call) -> None:
    answer = in_containers("GET", "/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json() == on_local_aws("GET", "/health").json()
    assert answer.headers["cache-control"] == "no-store"


def test_openapi_document_equals_the_local_aws(in_containers: Call, on_local_aws: Call) -> None:
    document = in_containers("GET", "/openapi.json").json()
    assert "/inference/predict" in document["paths"]
    assert _without_server(document) == _without_server(on_local_aws("GET", "/openapi.json").json())
    assert in_containers("GET", "/docs").text.startswith("<!")


def test_models_equal_the_local_aws(in_containers: Call, on_local_aws: Call) -> None:
    answer = in_containers("GET", "/models")
    assert answer.status_code == 200
    assert "reef" in answer.text
    assert answer.json() == on_local_aws("GET", "/models").json()


@pytest.mark.parametrize("path", ["/inference/predict", "/predict"])
@pytest.mark.parametrize("field", ["audio_file", "audio"])
def test_clip_is_answered_like_on_the_local_aws(
    in_containers: Call, on_local_aws: Call, clip: Path, path: str, field: str
) -> None:
    def sent(call: Call) -> dict[str, Any]:
        files, data = {field: (clip.name, clip.read_bytes(), "audio/wav")}, {"config": '{"threshold": 0.6}'}
        answer = call("POST", path, files=files, data=data)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    found, expected = sent(in_containers), sent(on_local_aws)
    assert len(found["predictions"]) == n_windows(20)
    assert found["events"]
    assert (found["predictions"], found["events"]) == (expected["predictions"], expected["events"])


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/nothing/in_containers", {}),
        ("PATCH", "/uploads", {}),
        ("GET", "/executions/e-aaaaaaaaaaaaaaaaaaaaaaaaaa", {}),
        ("POST", "/uploads", {"json": {"filename": "reef.wav", "size": -1}}),
        ("POST", "/executions", {"json": {"recordings": []}}),
        ("POST", "/inference/predict", {"files": {"audio_file": ("words.txt", b"these are words")}}),
        ("POST", "/inference/predict", {"json": {"audio_file": "not a form"}}),
    ],
)
def test_error_equals_the_local_aws(
    in_containers: Call, on_local_aws: Call, method: str, path: str, more: dict[str, Any]
) -> None:
    found, expected = in_containers(method, path, **more), on_local_aws(method, path, **more)
    assert 400 <= found.status_code < 500
    assert found.status_code == expected.status_code
    assert {**found.json(), "request_id": ""} == {**expected.json(), "request_id": ""}


def test_preflight_is_answered(in_containers: Call) -> None:
    asked = {"Origin": "https://lab.example", "Access-Control-Request-Method": "POST"}
    answer = in_containers("OPTIONS", "/uploads", headers=asked)
    assert answer.headers["access-control-allow-origin"] == "https://lab.example"
    assert (
        "access-control-allow-origin"
        not in in_containers("OPTIONS", "/uploads", headers={"Origin": "https://evil.example"}).headers
    )


def test_recording_is_uploaded_analysed_and_downloaded(
    in_containers: Call, on_local_aws: Call, clip: Path, stack: Stack
) -> None:
    """The API in containers starts the state machine of the local AWS and reads its results."""
    results = []
    for call in (in_containers, on_local_aws):
        upload = call("POST", "/uploads", json={"filename": clip.name, "size": clip.stat().st_size}).json()
        _put(upload["put"], clip.read_bytes(), stack)
        assert call("POST", f"/uploads/{upload['id']}/complete").status_code == 200
        execution = call("POST", "/executions", json={"recordings": [upload["id"]]})
        assert execution.status_code == 202, execution.text
        results.append(_results(call, execution.json()["id"]))
    found, expected = results
    assert found["events"]
    assert (found["predictions"], found["events"]) == (expected["predictions"], expected["events"])


def _put(put: dict[str, Any], data: bytes, stack: Stack) -> None:
    """Send a file to a link that is signed for the local AWS's host name inside containers."""
    link = urlsplit(put["url"])
    url = f"{stack.endpoint_url}{link.path}?{link.query}"
    httpx.put(url, content=data, headers={**put["headers"], "Host": link.netloc}).raise_for_status()


def _results(call: Call, execution: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while (found := call("GET", f"/executions/{execution}").json())["status"] in {"PENDING", "RUNNING"}:
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    assert found["status"] == "SUCCEEDED", found
    return dict(call("GET", f"/executions/{execution}/results").json())
