"""Aggregating: what happens when parts are missing, damaged or replaced by a reason."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from anemonefish import errors
from anemonefish.errors import Failure
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import RangeTask
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.aggregate import report_and_aggregate
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.score import score_range
from tests.reference_models import LAB_MODEL


@pytest.fixture
def models(models_uri: str) -> ModelRepository:
    return ModelRepository(open_store(models_uri))


@pytest.fixture
def job(models: ModelRepository, make_recording: Callable[..., Path], tmp_path: Path) -> Job:
    """A scored job of two recordings in three ranges."""
    paths = [make_recording("a.wav", frames=96_000), make_recording("b.wav", frames=48_000)]
    requests = [RecordingRequest(str(path), path.name, path.name) for path in paths]
    plan = plan_job(requests, LAB_MODEL, Settings.load({"max_range_seconds": 1}, {}), models)
    made = Job(LocalStore(tmp_path / "store"), "jobs/lab/1", "jobs/lab/1/results")
    made.write_plan(plan)
    for task in plan.tasks():
        score_range(made, task, ready_model(models.store.uri, plan.model))
    return made


def range_of(job: Job, index: int) -> RangeTask:
    return list(job.read_plan().tasks())[index]


def part(job: Job, index: int) -> Path:
    return Path(job.store.uri, job.part_key(range_of(job, index)))


def summary(job: Job) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(job.store.read(job.result_key("summary.csv")).decode())))


def test_a_failed_range_fails_its_recording_only(job: Job, models: ModelRepository) -> None:
    part(job, 1).unlink()
    job.write_range_failure(range_of(job, 1), Failure("InvalidSamples", "a.wav: sample 5 is not a finite number"))
    assert [outcome.failed for outcome in report_and_aggregate(job, models)] == [True, False]
    manifest = json.loads(job.store.read(job.manifest_key))
    assert manifest["recordings"][0]["failure"]["error"] == "InvalidSamples"
    assert manifest["recordings"][1]["status"] == "done"
    assert not job.store.exists(job.result_key("a.wav.json"))


def test_a_part_outweighs_an_old_reason(job: Job, models: ModelRepository) -> None:
    job.write_range_failure(range_of(job, 1), Failure("RangeFailed", "it died once"))
    assert not any(outcome.failed for outcome in report_and_aggregate(job, models))


def test_a_missing_part_without_a_reason_is_an_error(job: Job, models: ModelRepository) -> None:
    part(job, 1).unlink()
    with pytest.raises(errors.MissingParts, match=r"a\.wav: 1 of \d ranges .* the first begins at window 5; resume"):
        report_and_aggregate(job, models)
    assert not job.store.exists(job.manifest_key)


@pytest.mark.parametrize("damage", ["cut", "shape", "nan", "type"])
def test_a_damaged_part_fails_its_recording_only(job: Job, models: ModelRepository, damage: str) -> None:
    scores = np.load(part(job, 0))
    if damage == "cut":
        part(job, 0).write_bytes(part(job, 0).read_bytes()[:-5])
    elif damage == "shape":
        np.save(part(job, 0), scores[:-1])
    elif damage == "nan":
        np.save(part(job, 0), scores * np.nan)
    else:
        np.save(part(job, 0), scores.astype(np.float64))
    damaged, other = report_and_aggregate(job, models)
    assert damaged.recording.failure is not None
    assert damaged.recording.failure.error == "DamagedPart"
    assert re.search(r"parts/\w{16}/00000000-\d{8}\.npy.*delete it and run", damaged.recording.failure.message)
    assert not other.failed
    assert [row["status"] for row in summary(job)] == ["failed", "done"]


def test_every_failed_recording_is_an_error(job: Job, models: ModelRepository) -> None:
    for index, name in [(0, "a.wav"), (len(list(job.read_plan().tasks())) - 1, "b.wav")]:
        part(job, index).unlink()
        job.write_range_failure(range_of(job, index), Failure("TruncatedRecording", f"{name}: ends early"))
    with pytest.raises(errors.EveryRecordingFailed, match=r"none of the 2.*a\.wav: ends early; .*b\.wav: ends early"):
        report_and_aggregate(job, models)


def test_the_manifest_names_every_part_and_result_by_its_hash(job: Job, models: ModelRepository) -> None:
    import hashlib

    report_and_aggregate(job, models)
    manifest = json.loads(job.store.read(job.manifest_key))
    for recording in manifest["recordings"]:
        assert len(recording["results"]) == 9
        for name, digest in recording["results"].items():
            assert hashlib.sha256(job.store.read(job.result_key(name))).hexdigest() == digest
    assert len(manifest["parts"]) == 3
    for task in job.read_plan().tasks():
        content = Path(job.store.uri, job.part_key(task)).read_bytes()
        assert hashlib.sha256(content).hexdigest() == manifest["parts"][task.name]


def test_an_existing_part_is_never_computed_again(job: Job, models: ModelRepository) -> None:
    plan = job.read_plan()
    before = part(job, 0).stat().st_mtime_ns
    assert not score_range(job, next(iter(plan.tasks())), ready_model(models.store.uri, plan.model))
    assert part(job, 0).stat().st_mtime_ns == before


def test_a_job_that_was_never_planned(tmp_path: Path, models: ModelRepository) -> None:
    with pytest.raises(errors.InvalidRequest, match="there is no such job"):
        report_and_aggregate(Job(LocalStore(tmp_path), "jobs/lab/2", "jobs/lab/2/results"), models)
