"""Recordings that failed by the system are repeated by a resume, also in a job that succeeded."""

from __future__ import annotations

import pytest

from anemonefish.errors import Failure, WrongState
from anemonefish.execution_states import RUNNING, SUCCEEDED
from anemonefish.jobs.quote import Quote
from anemonefish.service.downloads import JobResults
from anemonefish.service.execution_record import Execution
from anemonefish.workflow.aggregate import report_and_aggregate
from anemonefish.workflow.plan_step import plan_step
from tests.fakes.service_stack import FakeStack, score


def unused(_: Quote) -> None:
    raise AssertionError("a resumed job has its quote")


def finished_without_second(reef: FakeStack, planned: Execution, failure: Failure) -> None:
    """End the job of two recordings, the second of which failed."""
    job = reef.executions.job(planned)
    score(reef, planned, 0, 1)
    job.write_range_failure(list(job.read_plan().tasks())[2], failure)
    report_and_aggregate(job, reef.models)
    reef.end(planned, "SUCCEEDED")


@pytest.mark.parametrize("error", ["StorageError", "RangeFailed", "OutOfTime"])
def test_recording_that_failed_by_the_system_is_repeated(reef: FakeStack, planned: Execution, error: str) -> None:
    finished_without_second(reef, planned, Failure(error, "S3 was down"))
    job = reef.executions.job(planned)
    assert [each.failure and each.failure.error for each in JobResults(job, reef.models).recordings()] == [None, error]
    again = reef.executions.resume("lab", planned.id)
    assert (again.status, again.attempt) == (RUNNING, 2)
    step = plan_step(
        job, job.read_request, reef.models, unused, resume=True, transcoded=False, most_workers=None
    )  # fmt: skip
    assert (step.workers, step.transcodes) == (1, 0)
    score(reef, planned, 2)
    # Every range has scores now, but the results are still those of the first attempt.
    assert reef.executions.refresh(again, reef.executions.progress(again)).status == RUNNING
    report_and_aggregate(job, reef.models)
    ended = reef.executions.refresh(again, reef.executions.progress(again))
    assert ended.status == SUCCEEDED
    assert [each.failure for each in JobResults(job, reef.models, ended.attempt).recordings()] == [None, None]
    with pytest.raises(WrongState, match="is SUCCEEDED"):
        reef.executions.resume("lab", planned.id)


def test_recording_that_failed_by_its_own_fault_is_not_repeated(reef: FakeStack, planned: Execution) -> None:
    finished_without_second(reef, planned, Failure("InvalidSamples", "b.wav: NaN"))
    with pytest.raises(WrongState, match="recordings that failed by the system"):
        reef.executions.resume("lab", planned.id)
