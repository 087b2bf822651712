"""A tenant runs at most as many jobs at once as its limit allows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from anemonefish.cloud.dynamodb import RecordTable
from anemonefish.cloud.ledger import Ledger
from anemonefish.errors import (
    TooManyJobs,
)
from anemonefish.execution_states import RUNNING
from anemonefish.service.limits import Limits
from tests.fakes.service_stack import REASON, Died, FakeStack, dies


@pytest.fixture
def two_jobs(reef: FakeStack) -> FakeStack:
    """A stack where each tenant may have two jobs at once."""
    reef.set_limits(Limits(jobs=2))
    return reef


def test_start_above_the_limit_of_jobs_is_refused(two_jobs: FakeStack) -> None:
    first, _ = two_jobs.start("1"), two_jobs.start("2")
    with pytest.raises(TooManyJobs, match="2 executions have not ended yet") as caught:
        two_jobs.start("3")
    assert caught.value.status == 429
    assert len(two_jobs.started()) == 2
    assert two_jobs.start("1").id == first.id  # what is accepted is answered all the same
    assert two_jobs.start("1", owner="other").status == RUNNING
    two_jobs.end(first, "SUCCEEDED")
    assert two_jobs.start("3").status == RUNNING
    assert two_jobs.executions.count_unfinished("lab") == 2


@pytest.mark.parametrize("end", ["FAILED", "ABORTED", "stop"])
def test_resume_takes_a_slot(two_jobs: FakeStack, end: str) -> None:
    first = two_jobs.start("1")
    if end == "stop":
        two_jobs.executions.stop("lab", first.id)
    else:
        two_jobs.end(first, end, REASON)
    two_jobs.start("2")
    third = two_jobs.start("3")
    with pytest.raises(TooManyJobs):
        two_jobs.executions.resume("lab", first.id)
    assert two_jobs.executions.get("lab", first.id).ended
    two_jobs.end(third, "SUCCEEDED")
    assert two_jobs.executions.resume("lab", first.id).status == RUNNING


def test_concurrent_starts_do_not_exceed_the_limit(two_jobs: FakeStack) -> None:
    def start(number: int) -> bool:
        try:
            return bool(two_jobs.start(f"{number}"))
        except TooManyJobs:
            return False

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(start, range(24))) == 2
    assert len(two_jobs.started()) == 2


@pytest.mark.parametrize("died", ["before the record", "at the end"])
def test_slot_of_an_interrupted_call_is_released(
    two_jobs: FakeStack, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    with monkeypatch.context() as patch:
        if died == "at the end":
            for key in ("1", "2"):
                execution = two_jobs.start(key)
                patch.setattr(Ledger, "leave", dies)
                with pytest.raises(Died):
                    two_jobs.end(execution, "SUCCEEDED")
        else:
            patch.setattr(RecordTable, "create", dies)
            for key in ("1", "2"):
                with pytest.raises(Died):
                    two_jobs.start(key)
    if died == "before the record":
        with pytest.raises(TooManyJobs):  # they may still be on their way
            two_jobs.start("3")
        two_jobs.now += timedelta(seconds=61)
    assert two_jobs.start("3").status == RUNNING
    assert two_jobs.start("4").status == RUNNING
    with pytest.raises(TooManyJobs):
        two_jobs.start("5")
