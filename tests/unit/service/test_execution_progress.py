"""Progress is counted from the parts of a job."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from anemonefish.errors import Failure
from anemonefish.execution_states import CANCELLED, FAILED, PENDING, SUCCEEDED
from anemonefish.jobs.job import Job
from anemonefish.service.execution_progress import Progress, RecordingProgress
from anemonefish.service.execution_record import Execution
from anemonefish.workflow.aggregate import report_and_aggregate
from tests.fakes.service_stack import BEGAN, UPLOADS, FakeStack, abandoned, dies, make_request, score, write_plan


def test_progress_has_only_names_before_the_plan(reef: FakeStack) -> None:
    execution = reef.executions.start("lab", make_request(uploads=("u-a", "u-b")), UPLOADS, None)
    progress = reef.executions.progress(execution)
    assert progress.recordings == (
        RecordingProgress("a.wav", 0, None, None),
        RecordingProgress("b.wav", 0, None, None),
    )
    assert (progress.done, progress.total, progress.expected_seconds) == (0, None, None)
    assert progress.expected_end(BEGAN, BEGAN) is None


def test_progress_is_empty_before_the_request(reef: FakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reef.executions.progress(abandoned(reef, monkeypatch)) == Progress((), None)


@pytest.mark.parametrize(("scored", "done"), [((), [0, 0]), ((1,), [1, 0]), ((2,), [0, 1]), ((0, 1, 2), [2, 1])])
def test_progress_is_counted_from_parts(
    reef: FakeStack, planned: Execution, scored: tuple[int, ...], done: list[int]
) -> None:
    score(reef, planned, *scored)
    progress = reef.executions.progress(planned)
    assert [each.ranges_done for each in progress.recordings] == done
    assert [each.ranges_total for each in progress.recordings] == [2, 1]
    assert (progress.done, progress.total) == (sum(done), 3)
    assert progress.expected_seconds is not None


def test_part_of_another_plan_does_not_count(reef: FakeStack, planned: Execution) -> None:
    job = reef.executions.job(planned)
    job.store.write(f"{job.kept}/parts/0123456789abcdef/00000000-00000005.npy", b"")
    assert reef.executions.progress(planned).done == 0


def test_recording_that_cannot_be_planned_has_its_error(
    reef: FakeStack, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "b.wav").write_bytes(b"no sound")
    execution = reef.executions.start("lab", make_request(uploads=("u-a", "u-b")), UPLOADS, None)
    write_plan(reef, execution, [make_recording("a.wav"), tmp_path / "b.wav"])
    whole, broken = reef.executions.progress(execution).recordings
    assert (whole.ranges_total, whole.failure) == (1, None)
    assert broken.failure is not None
    assert (broken.ranges_total, broken.failure.error) == (0, "UnreadableRecording")


def test_succeeded_job_of_one_recording_is_complete_without_a_listing(
    reef: FakeStack, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = reef.start(settings={"max_range_seconds": 1})
    write_plan(reef, execution, [make_recording("a.wav", frames=144_000)])
    ended = reef.end(execution, "SUCCEEDED")
    assert ended is not None
    monkeypatch.setattr(Job, "scored", dies)
    progress = reef.executions.progress(ended)
    assert progress.done == progress.total == 3


def test_succeeded_job_stays_complete_when_its_scores_expire(reef: FakeStack, planned: Execution) -> None:
    job = reef.executions.job(planned)
    score(reef, planned, 0, 1)
    job.write_range_failure(list(job.read_plan().tasks())[2], Failure("InvalidSamples", "b.wav: NaN"))
    report_and_aggregate(job, reef.models)
    ended = reef.end(planned, "SUCCEEDED")
    assert ended is not None
    before = reef.executions.progress(ended)
    shutil.rmtree(Path(job.store.uri, f"{job.kept}/parts"))
    assert reef.executions.progress(ended) == before
    assert [each.ranges_done for each in before.recordings] == [2, 0]


def test_plan_is_read_once(reef: FakeStack, planned: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    first = reef.executions.progress(planned)
    Path(reef.executions.job(planned).store.uri, reef.executions.job(planned).plan_key).unlink()
    assert reef.executions.progress(planned) == first


@pytest.mark.parametrize(
    ("done", "total", "expected", "passed", "left"),
    [
        (0, 4, 60.0, 10, 50),  # as the plan says
        (0, 4, 60.0, 90, 0),  # late already: now, never in the past
        (1, 4, 60.0, 10, 30),  # its own pace
        (3, 4, 60.0, 90, 30),
        (4, 4, 60.0, 10, 50),  # results are being written
        (4, 4, 60.0, 90, 0),
    ],
)
def test_end_is_expected_by_the_plan_and_then_by_the_speed(
    done: int, total: int, expected: float, passed: int, left: int
) -> None:
    progress = Progress((RecordingProgress("a.wav", done, total, None),), expected)
    now = BEGAN + timedelta(seconds=passed)
    assert progress.expected_end(BEGAN, now) == now + timedelta(seconds=left)


def refreshed(reef: FakeStack, execution: Execution) -> Execution:
    return reef.executions.refresh(execution, reef.executions.progress(execution))


def test_running_execution_with_a_manifest_is_ended(reef: FakeStack, planned: Execution) -> None:
    job = reef.executions.job(planned)
    score(reef, planned, 0, 1)
    job.store.write(job.manifest_key, b'{"recordings": []}')
    assert refreshed(reef, planned) == planned  # a manifest of before: ranges are missing
    score(reef, planned, 2)
    Path(job.store.uri, job.manifest_key).unlink()
    assert refreshed(reef, planned) == planned  # results are being written
    job.store.write(job.manifest_key, b'{"recordings": []}')
    reef.now += timedelta(minutes=1)
    ended = refreshed(reef, planned)
    assert (ended.status, ended.finished_at) == (SUCCEEDED, "2026-11-23T10:01:00.000Z")
    assert reef.executions.get("lab", planned.id) == ended
    assert reef.end(planned, "SUCCEEDED") == ended  # the event comes late: its notice goes out


@pytest.mark.parametrize("status", [PENDING, FAILED, CANCELLED])
def test_refresh_changes_running_executions_only(reef: FakeStack, planned: Execution, status: str) -> None:
    job = reef.executions.job(planned)
    score(reef, planned, 0, 1, 2)
    job.store.write(job.manifest_key, b'{"recordings": []}')
    execution = replace(planned, status=status)
    assert refreshed(reef, execution) == execution
