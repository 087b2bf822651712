"""The review of a job in an account is the one that ``anemonefish review`` draws from the downloaded results."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from anemonefish.errors import Failure, InvalidRequest, ReviewTooLarge, ScoresDeleted
from anemonefish.results.review_units import draw_units
from anemonefish.results.verdicts import Verdict, empty_rows
from anemonefish.service import review_draw
from anemonefish.service.downloads import JobResults
from anemonefish.service.execution_record import Execution
from anemonefish.service.review_draw import DRAW_SECONDS, draw_review
from anemonefish.workflow.aggregate import report_and_aggregate
from anemonefish.workflow.review_folder import read_units
from tests.fakes.service_stack import UPLOADS, Died, FakeStack, dies, make_request, score, write_plan
from tests.reference_models import LAB_MODEL


@pytest.fixture
def results(minutes: JobResults) -> JobResults:
    return minutes


def on_a_computer(results: JobResults, folder: Path, clips: int, seed: int) -> tuple[Verdict, ...]:
    """Return the draw of ``anemonefish review`` from the files of the exact scores."""
    folder.mkdir()
    for number, summary in enumerate(results.recordings()):
        if summary.failure is None:
            key, name = results.file(number, "parquet", None)
            shutil.copy(Path(results.job.store.uri, key), folder / name)
    reviewed = read_units(folder)
    return empty_rows(draw_units(reviewed.units, clips, seed), reviewed.model, reviewed.first.decision, seed)


@pytest.mark.parametrize(("clips", "seed"), [(1000, 0), (40, 0), (40, 7)])
def test_draw_is_that_of_a_computer(results: JobResults, tmp_path: Path, clips: int, seed: int) -> None:
    expected = on_a_computer(results, tmp_path / "downloaded", clips, seed)
    made = draw_review(results, clips, seed)
    assert made.rows == expected
    assert len({row.recording for row in made.rows}) == 2
    assert len(made.rows) == min(clips, made.n_units)


def test_recording_that_failed_is_not_drawn(reef: FakeStack, planned: Execution, tmp_path: Path) -> None:
    job = reef.executions.job(planned)
    score(reef, planned, 0, 1)
    job.write_range_failure(list(job.read_plan().tasks())[2], Failure("InvalidSamples", "b.wav: NaN"))
    report_and_aggregate(job, reef.models)
    results = JobResults(job, reef.models)
    made = draw_review(results, 50, 0)
    assert {row.recording for row in made.rows} == {"a.wav"}
    assert made.rows == on_a_computer(results, tmp_path / "downloaded", 50, 0)


def test_draw_is_made_once(results: JobResults, monkeypatch: pytest.MonkeyPatch) -> None:
    made = draw_review(results, 40, 3)
    monkeypatch.setattr("anemonefish.service.review_draw.read_scores", dies)
    assert draw_review(results, 40, 3) == made
    other = JobResults(results.job, results._models, attempt=2)  # a resume may add recordings
    with pytest.raises(Died):
        draw_review(other, 40, 3)


@pytest.mark.parametrize("read", [0, 1])
def test_scores_that_take_too_long_to_read_are_said(results: JobResults, read: int) -> None:
    times = iter([0.0, *[1.0] * read, DRAW_SECONDS + 1])
    with pytest.raises(ReviewTooLarge, match=rf"scores of {read} of 2 recordings .* anemonefish review"):
        draw_review(results, 40, 3, clock=lambda: next(times))
    assert draw_review(results, 40, 3).rows  # nothing half is stored


def test_recordings_that_are_too_long_are_refused_before_anything_is_read(
    results: JobResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_draw, "MOST_STRETCHES", 40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(review_draw, "read_scores", dies)
        with pytest.raises(ReviewTooLarge, match=r"about 41 stretches of 3 s, .* anemonefish review"):
            draw_review(results, 20, 0)
    monkeypatch.setattr(review_draw, "MOST_STRETCHES", 41)
    assert draw_review(results, 20, 0).rows


def test_deleted_scores_are_said(results: JobResults) -> None:
    shutil.rmtree(Path(results.job.store.uri, f"{results.job.work}/parts"))
    with pytest.raises(ScoresDeleted, match="the scores of recording 0 have been deleted"):
        draw_review(results, 40, 0)


def test_class_of_several_is_drawn_by_its_name(reef: FakeStack, minutes: JobResults) -> None:
    with pytest.raises(InvalidRequest, match="have no events of 'biological'"):
        draw_review(minutes, 40, 0, "biological")
    classes = ["anemonefish", "biological"]
    request = make_request(
        uploads=("u-a",), model=LAB_MODEL, settings={"max_range_seconds": 30, "target_class": classes}
    )
    execution = reef.executions.start("lab", request, UPLOADS[:1], None)
    write_plan(reef, execution, [Path(minutes.plan.recordings[0].uri)])
    score(reef, execution, 0, 1)
    report_and_aggregate(reef.executions.job(execution), reef.models)
    both = JobResults(reef.executions.job(execution), reef.models)
    drawn = {label: draw_review(both, 40, 0, label) for label in (None, *classes)}
    assert drawn[None] == drawn["anemonefish"] != drawn["biological"]
    assert {row.label for row in drawn["biological"].rows} == {"biological"}


def test_sample_that_is_too_small_is_refused(results: JobResults) -> None:
    with pytest.raises(InvalidRequest, match="1 clips are too few"):
        draw_review(results, 1, 0)
