"""A plan is the same after it was written and read, and its lines fit a state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.planner import plan_job


@pytest.fixture
def models(models_uri: str) -> ModelRepository:
    return ModelRepository(open_store(models_uri))


def plan(models: ModelRepository, *paths: Path, **overrides: object) -> Plan:
    requests = [RecordingRequest(str(path), path.name, str(path)) for path in paths]
    return plan_job(requests, "reef", Settings.load(overrides, {}), models)


def test_line_of_many_short_recordings_fits_the_input_of_a_state(
    models: ModelRepository, make_recording: Callable[..., Path]
) -> None:
    path = make_recording(frames=48_000)
    request = RecordingRequest(str(path), path.name, "d" * 1_024)
    made = plan_job([request] * 250, "reef", Settings.load({}, {}), models)
    lines = [json.dumps([task.to_dict() for task in batch]) for batch in made.batches()]
    assert len(lines) == 3
    assert max(map(len, lines)) < 200_000


def test_plan_is_equal_after_writing_and_reading(
    models: ModelRepository, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "bad.wav").write_bytes(b"")
    made = plan(models, make_recording(rate=44_100), tmp_path / "bad.wav")
    job = Job(LocalStore(tmp_path / "store"), "jobs/lab/1", "jobs/lab/1/results")
    job.write_plan(made)
    assert job.read_plan() == made
    assert made.recordings[1].failure is not None
    assert made.recordings[1].failure.error == "EmptyRecording"
