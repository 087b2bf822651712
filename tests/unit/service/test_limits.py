"""Limits come from the environment, and a job that is too expensive is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from anemonefish.errors import (
    InvalidRequest,
    JobTooExpensive,
    JobTooLong,
)
from anemonefish.execution_states import RUNNING
from anemonefish.jobs import report_costs
from anemonefish.jobs.request import RecordingRequest
from anemonefish.service.limits import Limits
from anemonefish.service.upload_record import Upload
from anemonefish.simulation.scene import scene, write_scene
from tests.fakes.service_stack import UPLOADS, FakeStack, make_request


def test_job_above_the_cost_limit_is_refused(reef: FakeStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    write_scene(scene(20, seed=1), path)
    monkeypatch.setattr(Upload, "request", lambda *_: RecordingRequest(str(path), "a.wav", "a.wav"))
    cost = reef.executions.quote(make_request(), UPLOADS[:1]).quote.expected_usd
    reef.set_limits(Limits(job_usd=cost * 0.99))
    with pytest.raises(JobTooExpensive, match=r"expected to cost 0\.00 USD \(1 recordings, .* MaxJobUsd") as caught:
        reef.start("key")
    assert caught.value.status == 413
    assert (reef.started(), reef.executions.page("lab", 1, None)) == ({}, [])
    with monkeypatch.context() as slower:
        slower.setattr(report_costs, "_SECONDS_PER_WINDOW_WRITTEN", 100.0)
        with pytest.raises(JobTooLong, match="the function report"):
            reef.start("key")
    assert (reef.started(), reef.executions.page("lab", 1, None)) == ({}, [])
    reef.set_limits(Limits(job_usd=cost))
    assert reef.start("key").status == RUNNING


def test_limits_are_read_from_the_environment() -> None:
    assert Limits.from_environment({}) == Limits()
    named = {"ANEMONEFISH_MAX_JOB_USD": "2.5", "ANEMONEFISH_MAX_JOBS": "3", "ANEMONEFISH_MAX_STORED_GB": "0.5"}
    assert Limits.from_environment(named) == Limits(2.5, 3, 500_000_000)
    assert Limits.from_environment({"ANEMONEFISH_MAX_CONCURRENCY": "10"}) == Limits(workers=10)
    both = {"ANEMONEFISH_MAX_CONCURRENCY": "10", "ANEMONEFISH_MAX_WORKERS": "8"}
    assert Limits.from_environment(both) == Limits(workers=8, all_workers=8)
    assert Limits.from_environment(dict.fromkeys(named, "")) == Limits()


def test_job_runs_the_fewest_workers_that_anyone_gives_it() -> None:
    limits = Limits(workers=6, all_workers=8)
    assert [limits.workers_of_job(1000), limits.workers_of_job(4), limits.workers_of_job(4, 2)] == [6, 4, 2]
    assert Limits().workers_of_job(1000, 7) == 7
    for given in (0, -1, True, 1.5, "2"):
        with pytest.raises(InvalidRequest, match="workers must be a whole number from 1"):
            limits.workers_of_job(4, given)
