"""Results of a job are read, decided again, and written as files on demand."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anemonefish.errors import (
    DecisionNotFound,
    Failure,
    InvalidSamples,
    InvalidSettings,
    RecordingNotFound,
    ScoresDeleted,
    WrongState,
)
from anemonefish.service.downloads import JobResults
from anemonefish.service.downloads import _read_scores as read_scores
from anemonefish.service.execution_record import Execution
from anemonefish.workflow.aggregate import report_and_aggregate
from tests.fakes.service_stack import FakeStack, dies, score


@pytest.fixture
def results(reef: FakeStack, planned: Execution) -> JobResults:
    """Results of a job whose second recording failed."""
    job = reef.executions.job(planned)
    score(reef, planned, 0, 1)
    job.write_range_failure(list(job.read_plan().tasks())[2], Failure("InvalidSamples", "b.wav: NaN"))
    report_and_aggregate(job, reef.models)
    return JobResults(job, reef.models)


def test_results_before_the_end_are_refused(reef: FakeStack, planned: Execution) -> None:
    with pytest.raises(WrongState, match="no results yet"):
        JobResults(reef.executions.job(planned), reef.models)


def test_each_recording_has_counts_or_an_error(results: JobResults) -> None:
    whole, broken = results.recordings()
    assert (whole.name, whole.windows, whole.failure) == ("a.wav", 9, None)
    assert whole.events == len(results.result(0, results.settings_of(None)).events)
    assert (broken.name, broken.windows, broken.events) == ("b.wav", None, None)
    assert broken.failure == Failure("InvalidSamples", "b.wav: NaN")
    for form in ("json", "raven"):
        with pytest.raises(InvalidSamples, match=r"b\.wav: NaN"):
            results.file(1, form, None)


@pytest.mark.parametrize("number", [-1, 2, 10**9])
def test_unknown_recording_is_not_found(results: JobResults, number: int) -> None:
    calls: list[Callable[[], object]] = [
        lambda: results.file(number, "json", None),
        lambda: results.result(number, results.settings_of(None)),
        lambda: results.decide(number, {}),
    ]
    for call in calls:
        with pytest.raises(RecordingNotFound, match="recordings 0 to 1, not"):
            call()


def test_file_that_the_job_wrote_is_returned(results: JobResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobResults, "_make", dies)
    key, name = results.file(0, "csv", None)
    assert key == f"{results._job.results}/a.wav.events.csv"
    assert name == "a.wav.events.csv"


@pytest.mark.parametrize(("days", "said"), [(90, "are kept for 90 days"), (None, "have been deleted")])
def test_deleted_scores_are_said_and_files_stay(results: JobResults, days: int | None, said: str) -> None:
    job = results._job
    decision, _ = results.decide(0, {"threshold": 0.7})
    decided = results.file(0, "raven", decision)
    read_scores.cache_clear()
    shutil.rmtree(Path(job.store.uri, f"{job.kept}/parts"))
    found = JobResults(job, results._models, score_days=days)
    calls: list[Callable[[], object]] = [
        lambda: found.decide(0, {"threshold": 0.6}),
        lambda: found.result(0, found.settings_of(None)),
        lambda: found.file(0, "raven", None),
    ]
    for call in calls:
        with pytest.raises(ScoresDeleted, match=f"the scores of recording 0.*{said}.*start a new execution"):
            call()
    assert found.file(0, "csv", None)[0] == f"{job.results}/a.wav.events.csv"
    assert found.file(0, "raven", decision) == decided
    assert [each.status for each in found.recordings()] == [each.status for each in results.recordings()]


def test_file_of_another_format_is_written_on_the_first_request(
    results: JobResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, name = results.file(0, "raven", None)
    assert (key.startswith(f"{results._job.work}/decisions/d-"), name) == (True, "a.wav.selections.txt")
    assert results._job.store.exists(key)
    monkeypatch.setattr(JobResults, "_make", dies)
    assert results.file(0, "raven", None) == (key, name)


def test_decision_id_depends_on_its_settings_only(results: JobResults) -> None:
    first, _ = results.decide(0, {"threshold": 0.7, "median_windows": 3})
    again, _ = results.decide(0, {"median_windows": 3, "threshold": 0.7})
    other, _ = results.decide(0, {"threshold": 0.8})
    assert re.fullmatch(r"d-[0-9a-f]{16}", first)
    assert first == again != other
    settings = results.settings_of(first)
    assert (settings.threshold, settings.median_windows) == (0.7, 3)
    assert replace(settings, threshold=0.5, median_windows=5) == results.settings_of(None)
    key, _ = results.file(0, "csv", first)
    assert key == f"{results._job.work}/decisions/{first}/a.wav.events.csv"


def test_decision_finds_other_events_in_the_same_scores(results: JobResults) -> None:
    none = results.decide(0, {"threshold": 0.999})[1]
    most = results.decide(0, {"threshold": 0.0, "median_windows": 1, "min_duration_seconds": 0})[1]
    assert len(none.events) < len(most.events)
    assert np.array_equal(none.scores, most.scores)


def test_environment_does_not_change_a_decision(results: JobResults, monkeypatch: pytest.MonkeyPatch) -> None:
    decision, before = results.decide(0, {"median_windows": 3})
    monkeypatch.setenv("ANEMONEFISH_THRESHOLD", "0.99")
    assert results.decide(0, {"median_windows": 3})[0] == decision
    assert results.settings_of(decision).threshold == before.settings.threshold == 0.5


@pytest.mark.parametrize(
    "changes", [{"threshold": 1}, {"median_windows": 2}, {"target_class": "whale"}, {"treshold": 0.5}]
)
def test_invalid_decision_writes_nothing(results: JobResults, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings):
        results.decide(0, changes)
    assert list(results._job.store.keys(f"{results._job.work}/decisions/")) == []


@pytest.mark.parametrize("decision", ["d-0123456789abcdef", "d-", "..", "x" * 1_000])
def test_unknown_decision_is_not_found(results: JobResults, decision: str) -> None:
    with pytest.raises(DecisionNotFound, match="decide first") as caught:
        results.settings_of(decision)
    assert len(str(caught.value)) < 400


def test_decision_of_another_job_is_not_found(reef: FakeStack, results: JobResults) -> None:
    decision, _ = results.decide(0, {"threshold": 0.7})
    other = reef.start("other")
    job = reef.executions.job(other)
    for key in (results._job.plan_key, results._job.manifest_key):
        job.store.write(key.replace(results._job.work, job.work), job.store.read(key))
    with pytest.raises(DecisionNotFound):
        JobResults(job, reef.models).settings_of(decision)


def test_job_level_files_are_those_of_the_manifest_and_the_review(results: JobResults) -> None:
    results._job.store.write(f"{results._job.results}/review/a.wav/1.png", b"")
    found = dict(results.files())
    assert found[f"{results._job.results}/review/a.wav/1.png"] == "review/a.wav/1.png"
    assert "summary.csv" in found.values()
    assert all(results._job.store.exists(key) for key in found)
    assert not any(name.startswith("a.wav") for name in found.values())
