"""A resume keeps the plan, and plans recordings again that failed by the system."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from anemonefish.errors import InvalidRequest
from anemonefish.jobs.job import Job
from anemonefish.jobs.quote import Quote
from anemonefish.jobs.request import JobRequest, RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store
from anemonefish.workflow.plan_step import PlanStep, plan_step
from anemonefish.workflow.transcode import transcode_task

Step = Callable[..., PlanStep]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job.at(open_store(str(tmp_path / "store")), "jobs/lab/j-1")


@pytest.fixture
def step(job: Job, make_recording: Callable[..., Path], models_uri: str, tmp_path: Path) -> Step:
    """Return a function that plans a job of a WAV and an Ogg file."""
    wav, ogg = make_recording("a.wav", frames=96_000), tmp_path / "b.ogg"
    soundfile.write(ogg, soundfile.read(wav)[0], 48_000)
    recordings = tuple(RecordingRequest(str(path), path.name, path.name) for path in (wav, ogg))
    request = JobRequest(recordings, "reef", {"max_range_seconds": 1})
    models = ModelRepository(open_store(models_uri))

    def ignore(_: Quote) -> None:
        """Accept every quote."""

    def run(*, resume: bool = False, transcoded: bool = False) -> PlanStep:
        return plan_step(job, lambda: request, models, ignore, resume=resume, transcoded=transcoded, most_workers=None)

    return run


def transcode_all(job: Job, step: PlanStep) -> None:
    for task in job.transcodes(step.plan):
        assert transcode_task(job, task) is None


def test_recording_whose_transcoder_died_is_transcoded_by_the_resume(job: Job, step: Step) -> None:
    assert step().transcodes == 1
    failed = step(transcoded=True)  # there are no pieces and no reason: the transcoder died
    assert [each.failure and each.failure.error for each in failed.plan.recordings] == [None, "RangeFailed"]
    again = step(resume=True)
    assert again.transcodes == 1
    transcode_all(job, again)
    done = step(resume=True, transcoded=True)
    assert [each.failure for each in done.plan.recordings] == [None, None]
    assert done.plan.windows_per_range == failed.plan.windows_per_range
    assert done.plan.recordings[0] == failed.plan.recordings[0]
    assert job.read_plan() == done.plan
    assert done.workers == sum(1 for _ in done.plan.batches())


def test_transcoder_that_dies_again_leaves_its_recording_failed(job: Job, step: Step) -> None:
    step()
    step(transcoded=True)
    assert step(resume=True).transcodes == 1
    failed = step(resume=True, transcoded=True)
    assert [each.failure and each.failure.error for each in failed.plan.recordings] == [None, "RangeFailed"]
    assert failed.workers > 0


def test_resume_without_failures_keeps_the_plan(job: Job, step: Step) -> None:
    first = step()
    transcode_all(job, first)
    planned = step(transcoded=True)
    document = job.store.read(job.plan_key)
    tasks = list(planned.plan.tasks())
    job.store.write(job.part_key(tasks[0]), b"scores")
    resumed = step(resume=True)
    assert (resumed.plan, resumed.workers) == (planned.plan, planned.workers - 1)
    assert job.store.read(job.plan_key) == document


def test_request_is_read_only_when_something_is_planned(job: Job, step: Step, models_uri: str) -> None:
    transcode_all(job, step())
    step(transcoded=True)

    def gone() -> JobRequest:
        raise InvalidRequest("there is no request.json")

    models = ModelRepository(open_store(models_uri))
    made = plan_step(job, gone, models, lambda _: None, resume=True, transcoded=False, most_workers=None)
    assert made.workers > 0
