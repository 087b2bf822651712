"""An S3 that is ill: whatever it does, the scores are the same bytes, or the error is the object's own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

import pytest

from anemonefish import errors
from anemonefish.cloud import clients
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.stores import open_store, s3
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.score import score_range

SILENCE = 0.15  # seconds that the client bears here; in earnest it is thirty
FAULTS = ("500", "503", "reset", "slow first byte", "truncated body", "reset within the body")
XML = b"<?xml version='1.0'?><Error><Code>%s</Code><Message>ill</Message></Error>"


class IllS3:
    """One object, served with faults: ``fault(n)`` says what befalls the n-th GET, None nothing."""

    def __init__(self, content: bytes, fault: Callable[[int], str | None]) -> None:
        self.content, self.gets, self.befell = content, 0, []
        lock, outer = Lock(), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.reply(200, b"", len(outer.content))

            def do_GET(self) -> None:
                with lock:
                    outer.gets += 1
                    illness = fault(outer.gets)
                    outer.befell.append(illness)
                first, last = map(int, self.headers["range"].removeprefix("bytes=").split("-"))
                body = outer.content[first : last + 1]
                if self.headers["if-match"] != outer.etag:
                    self.reply(412, XML % b"PreconditionFailed")
                elif illness == "deleted":
                    self.reply(404, XML % b"NoSuchKey")
                elif illness == "500":
                    self.reply(500, XML % b"InternalError")
                elif illness == "503":
                    self.reply(503, XML % b"SlowDown")
                elif illness == "reset":
                    self.close_connection = True
                elif illness in {"truncated body", "reset within the body"}:
                    self.reply(206, body[: len(body) // 2 if illness.startswith("truncated") else 100], len(body))
                    self.close_connection = True
                else:
                    if illness == "slow first byte":
                        time.sleep(3 * SILENCE)
                    self.reply(206, body)

            def reply(self, status: int, body: bytes, length: int | None = None) -> None:
                try:
                    self.send_response(status)
                    self.send_header("etag", outer.etag)
                    self.send_header("content-length", str(len(body) if length is None else length))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:  # the client has lost its patience
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'


Ill = Callable[[bytes, Callable[[int], str | None]], IllS3]


@pytest.fixture
def ill(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ill]:
    servers: list[IllS3] = []

    def serve(content: bytes, fault: Callable[[int], str | None]) -> IllS3:
        servers.append(IllS3(content, fault))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{servers[-1].http.server_port}")
        clients.client.cache_clear()
        return servers[-1]

    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3, "OBJECT_BYTES", replace(clients.OBJECT_BYTES, read_seconds=SILENCE))
    real = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: real(seconds if seconds == 3 * SILENCE else seconds / 100))
    yield serve
    clients.client.cache_clear()
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


@pytest.fixture(scope="module", params=["reef.wav", "reef.flac"])
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / request.param
    write_scene(scene(60, seed=9), path)
    return path


def score(folder: Path, plan: Plan, models: ModelRepository) -> dict[str, bytes]:
    job = Job(LocalStore(folder), "work", "results")
    for task in plan.tasks():
        score_range(job, task, ready_model(models.store.uri, plan.model))
    return {key: job.store.read(key) for key in job.store.keys("")}


def plan_of(uri: str, models: ModelRepository) -> Plan:
    settings = Settings.load({"max_range_seconds": 20}, {})
    return plan_job([RecordingRequest(uri, "reef", "reef")], "reef", settings, models)


def test_scores_are_the_same_after_faults_of_the_store(
    ill: Ill, recording: Path, models_uri: str, tmp_path: Path
) -> None:
    models = ModelRepository(open_store(models_uri))
    local = score(tmp_path / "local", plan_of(str(recording), models), models)
    # Every second answer is a fault, each kind in its turn.
    server = ill(recording.read_bytes(), lambda number: FAULTS[number // 2 % len(FAULTS)] if number % 2 == 0 else None)
    remote = score(tmp_path / "remote", plan_of("s3://bucket/reef", models), models)
    assert set(server.befell) == {None, *FAULTS}
    assert sorted(remote.values()) == sorted(local.values())
    assert len(local) == 3


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_in_a_row_are_retried(ill: Ill, recording: Path, models_uri: str, tmp_path: Path, fault: str) -> None:
    models = ModelRepository(open_store(models_uri))
    server = ill(recording.read_bytes(), lambda number: fault if number % 4 else None)  # three, then an answer
    plan = plan_of("s3://bucket/reef", models)
    job, model = Job(LocalStore(tmp_path), "work", "results"), ready_model(models_uri, plan.model)
    assert score_range(job, next(plan.tasks()), model)
    assert server.befell.count(fault) >= 6


@pytest.mark.parametrize("fault", ["500", "truncated body"])
def test_permanent_fault_is_a_retryable_storage_error(
    ill: Ill, recording: Path, models_uri: str, tmp_path: Path, fault: str
) -> None:
    models = ModelRepository(open_store(models_uri))
    ill(recording.read_bytes(), lambda number: None)
    plan = plan_of("s3://bucket/reef", models)
    ill(recording.read_bytes(), lambda number: fault)
    with pytest.raises(errors.StorageError, match="try again") as caught:
        score(tmp_path, plan, models)
    assert caught.value.retryable
    assert list(LocalStore(tmp_path).keys("")) == []


def test_changed_object_is_not_read(ill: Ill, recording: Path, models_uri: str, tmp_path: Path) -> None:
    models = ModelRepository(open_store(models_uri))
    server = ill(recording.read_bytes(), lambda number: None)
    plan = plan_of("s3://bucket/reef", models)
    first, second, *_ = plan.tasks()
    job, model = Job(LocalStore(tmp_path), "work", "results"), ready_model(models_uri, plan.model)
    assert score_range(job, first, model)
    server.content = server.content[:-2] + b"\0\1"
    with pytest.raises(errors.RecordingChanged, match="changed after the job was planned; start a new job") as caught:
        score_range(job, second, model)
    assert not caught.value.retryable
    assert len(list(job.store.keys(""))) == 1


def test_object_that_is_deleted_during_reading_is_a_changed_recording(
    ill: Ill, recording: Path, models_uri: str, tmp_path: Path
) -> None:
    models = ModelRepository(open_store(models_uri))
    ill(recording.read_bytes(), lambda number: None)
    plan = plan_of("s3://bucket/reef", models)
    ill(recording.read_bytes(), lambda number: "deleted" if number > 3 else None)
    with pytest.raises(errors.RecordingChanged, match="was deleted after the job was planned"):
        score(tmp_path, plan, models)
