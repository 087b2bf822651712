"""A job in an account gives the probabilities of its plan, as a laptop does, and reports again for another plan."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.report_tasks import ReportTask
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.service.downloads import JobResults
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.aggregate import aggregate_job, report_and_aggregate
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.report import report_task
from anemonefish.workflow.score import score_range
from tests.reference_models import LAB_MODEL
from tests.score_calibrations import calibration_of

ALL = ReportTask(start=0, stop=2)


@pytest.fixture
def models(models_uri: str) -> ModelRepository:
    return ModelRepository(open_store(models_uri))


@pytest.fixture
def plan(models: ModelRepository, make_recording: Callable[..., Path]) -> Plan:
    """A plan of two recordings in which every window belongs to an event."""
    paths = [make_recording(name, frames=96_000) for name in ("a.wav", "b.wav")]
    requests = [RecordingRequest(str(path), path.name, path.name) for path in paths]
    settings = Settings.load({"threshold": 0.0, "formats": ["json", "csv", "raven"]}, {})
    made = plan_job(requests, LAB_MODEL, settings, models, for_account=False)
    return replace(made, calibration=calibration_of(models, made.model))


def scored(plan: Plan, models: ModelRepository, folder: Path) -> Job:
    job = Job(LocalStore(folder), "jobs/lab/1", "jobs/lab/1/results")
    job.write_plan(plan)
    for task in plan.tasks():
        score_range(job, task, ready_model(models.store.uri, plan.model))
    return job


def results_of(job: Job) -> dict[str, bytes]:
    prefix = job.result_key("")
    return {key.removeprefix(prefix): job.store.read(key) for key in job.store.keys(prefix)}


def test_workers_and_a_laptop_write_the_same_probabilities(plan: Plan, models: ModelRepository, tmp_path: Path) -> None:
    account, laptop = (scored(plan, models, tmp_path / name) for name in ("account", "laptop"))
    report_task(account, ALL, models)
    aggregate_job(account, account.read_plan(), models)
    report_and_aggregate(laptop, models)
    assert results_of(account) == results_of(laptop)
    rows = list(csv.DictReader(io.StringIO(results_of(account)["combined.events.csv"].decode())))
    assert len(rows) >= 2
    assert plan.calibration is not None
    assert [float(row["probability"]) for row in rows] == pytest.approx(
        [plan.calibration.probability(float(row["max_confidence"])) for row in rows], abs=1e-4
    )
    manifest = json.loads(account.store.read(account.manifest_key))
    assert manifest["calibration"]["id"] == plan.calibration.id


def test_results_that_are_decided_again_keep_the_calibration_of_the_plan(
    plan: Plan, models: ModelRepository, tmp_path: Path
) -> None:
    job = scored(plan, models, tmp_path)
    report_and_aggregate(job, models)
    results = JobResults(job, models)
    _, again = results.decide(0, {"threshold": 0.001})
    assert again.calibration == plan.calibration
    _, other = results.decide(0, {"median_windows": 3})
    assert other.calibration is None
    assert "calibration-unused" in {note.code for note in other.recording.notes}


def test_reports_are_written_again_for_another_calibration(plan: Plan, models: ModelRepository, tmp_path: Path) -> None:
    job = scored(plan, models, tmp_path)
    assert report_task(job, ALL, models).written == 2
    assert report_task(job, ALL, models).written == 0
    job.write_plan(replace(plan, calibration=calibration_of(models, plan.model, slope=3.0)))
    assert report_task(job, ALL, models).written == 2
