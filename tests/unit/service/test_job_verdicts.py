"""Verdicts given through the API become the tables that the command line reads."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from anemonefish.errors import InvalidRequest, RecordingNotFound
from anemonefish.evaluation.calibrate_scores import calibrate_scores
from anemonefish.evaluation.evaluate import evaluate
from anemonefish.results.verdict_table import read_verdicts
from anemonefish.results.verdicts import Verdict
from anemonefish.service.downloads import JobResults
from anemonefish.service.job_verdicts import VerdictFormat, checked_verdicts, needs_draw, verdict_file
from anemonefish.service.review_draw import ReviewDraw, draw_review
from anemonefish.service.verdict_records import StretchVerdict
from anemonefish.training.labelled_recordings import find_material
from anemonefish.training.training_options import TrainingOptions
from anemonefish.workflow.import_verdicts import take_verdicts
from tests.cloudformation import Stack
from tests.fakes.service_stack import FakeStack
from tests.lifecycle_rules import Fate, fate, rules_of


@pytest.fixture
def results(minutes: JobResults) -> JobResults:
    return minutes


@pytest.fixture
def draw(results: JobResults) -> ReviewDraw:
    return draw_review(results, 100, 0)


@pytest.fixture
def downloaded(results: JobResults, tmp_path: Path) -> Path:
    folder = tmp_path / "downloaded"
    folder.mkdir()
    for number in range(2):
        key, name = results.file(number, "parquet", None)
        shutil.copy(Path(results.job.store.uri, key), folder / name)
    return folder


def of_row(row: Verdict, verdict: str, reviewer: str = "Ana", **more: object) -> StretchVerdict:
    return StretchVerdict(
        recording=["a.wav", "b.wav"].index(row.recording),
        start=row.start_sample,
        stop=row.stop_sample,
        label=row.label,
        verdict=verdict,
        reviewer=reviewer,
        judged_at="2026-11-29T10:00:00.000Z",
        **more,  # type: ignore[arg-type]
    )


def test_table_is_taken_beside_the_downloaded_results_and_calibrates_them(
    results: JobResults, draw: ReviewDraw, downloaded: Path, reef: FakeStack, tmp_path: Path
) -> None:
    verdicts = [of_row(row, "yes" if row.score > 0.5 else "no", calls=None) for row in draw.rows]
    for number in range(0, len(verdicts), 7):  # scores are not always right
        verdicts[number] = replace(verdicts[number], verdict="no" if verdicts[number].verdict == "yes" else "yes")
    verdicts += [of_row(draw.rows[0], "unsure", "=Ben()")]
    made = verdict_file(results, "lab", draw, verdicts, "verdicts")
    assert (made.name, made.n_verdicts, made.left_out) == ("verdicts.csv", len(verdicts), 0)
    path = tmp_path / "verdicts.csv"
    shutil.copy(Path(results.job.store.uri, made.key), path)
    assert "'=Ben()" in path.read_text()
    taken = take_verdicts(downloaded, [path])
    assert taken.table.reviewers == ("=Ben()", "Ana")
    assert read_verdicts(path).rows == taken.table.rows
    _, calibration = calibrate_scores(downloaded, taken.table, reef.models)
    assert calibration.review == draw.rows[0].review
    assert calibration.yes + calibration.no + calibration.unsure == len(draw.rows)


def test_units_that_nobody_judged_keep_their_row_and_others_have_none(results: JobResults, draw: ReviewDraw) -> None:
    other = replace(of_row(draw.rows[0], "yes"), start=1, stop=2)
    made = verdict_file(results, "lab", draw, [of_row(draw.rows[1], "no"), other], "verdicts")
    assert (made.n_verdicts, made.left_out) == (1, 1)
    table = read_verdicts(Path(results.job.store.uri, made.key)).rows
    assert len(table) == len(draw.rows)
    assert [row.clip for row in table if row.is_judged] == [draw.rows[1].clip]
    nothing = verdict_file(results, "lab", draw, [], "verdicts")
    assert read_verdicts(Path(results.job.store.uri, nothing.key)).rows == draw.rows


def test_labels_have_every_verdict_and_are_read_as_annotations(results: JobResults, draw: ReviewDraw) -> None:
    event = StretchVerdict(
        recording=1,
        start=0,
        stop=24_000,
        label="anemonefish",
        verdict="yes",
        reviewer="Ana",
        judged_at="2026-11-29T10:00:00.000Z",
    )
    segment = replace(event, recording=0, start=4_800, kind="segment")
    marked = replace(segment, start=9_600, mark_start=12_000, mark_stop=14_400, verdict="other:grunt")
    made = verdict_file(results, "lab", draw, [event, segment, marked], "labels")
    assert (made.name, made.n_verdicts, made.left_out) == ("review-labels.csv", 3, 0)
    rows = Path(results.job.store.uri, made.key).read_text().splitlines()
    assert rows == [
        "recording,start_time,end_time,class,verdict,reviewer",
        "a.wav,0.100000,0.500000,unsure,yes,Ana",
        "a.wav,0.250000,0.300000,grunt,other:grunt,Ana",
        "b.wav,0.000000,0.500000,anemonefish,yes,Ana",
    ]
    empty = verdict_file(results, "lab", draw, [], "labels")
    assert len(Path(results.job.store.uri, empty.key).read_text().splitlines()) == 1


def test_labels_need_no_draw_where_the_kind_of_each_unit_was_sent(results: JobResults, draw: ReviewDraw) -> None:
    verdicts = [of_row(row, "yes", kind=row.kind) for row in draw.rows[:30]]
    verdicts += [of_row(row, "no", "Ben", kind=row.kind) for row in draw.rows[:5]]
    verdicts += [of_row(row, "yes", kind=row.kind, mark_start=9_600, mark_stop=14_400) for row in draw.rows[40:50]]
    assert {verdict.kind for verdict in verdicts} == {"event", "segment"}
    assert not needs_draw("labels", verdicts)
    without = verdict_file(results, "lab", ReviewDraw((), 0), verdicts, "labels")
    assert without == verdict_file(results, "lab", draw, verdicts, "labels")
    assert needs_draw("verdicts", verdicts)
    assert needs_draw("labels", [*verdicts, of_row(draw.rows[31], "yes")])


def test_tables_lie_where_files_are_deleted_after_some_days(results: JobResults, draw: ReviewDraw) -> None:
    forms: tuple[VerdictFormat, ...] = ("verdicts", "labels")
    for form in forms:
        made = verdict_file(results, "lab", draw, [of_row(draw.rows[0], "no")], form)
        assert fate(rules_of(Stack(), "OutputBucket"), made.key, 1_000, {}) == Fate(deleted=3)
        assert made.key.startswith("excerpts/lab/")


def test_labels_are_read_by_evaluate_and_train(
    results: JobResults, draw: ReviewDraw, downloaded: Path, tmp_path: Path
) -> None:
    verdicts = [of_row(row, "yes" if row.kind == "event" else "no") for row in draw.rows]
    made = verdict_file(results, "lab", draw, verdicts, "labels")
    path = tmp_path / "review-labels.csv"
    shutil.copy(Path(results.job.store.uri, made.key), path)
    (target,) = evaluate(downloaded, path).classes
    events = sum(row.kind == "event" for row in draw.rows)
    assert target.name == "anemonefish"
    assert target.at(0.5).labels_found == events > 10
    recordings = Path(results.plan.recordings[0].uri).parent
    found = find_material([str(recordings)], path, TrainingOptions())
    assert found.left_out == ()
    assert [each.name for each in found.recordings] == ["a.wav", "b.wav"]
    assert sum(each.count(0) for each in found.recordings) == events


def test_link_stays_valid_while_people_go_on_judging(results: JobResults, draw: ReviewDraw) -> None:
    first = verdict_file(results, "lab", draw, [of_row(draw.rows[0], "no")], "verdicts")
    before = Path(results.job.store.uri, first.key).read_bytes()
    second = verdict_file(results, "lab", draw, [of_row(draw.rows[0], "yes")], "verdicts")
    assert Path(results.job.store.uri, first.key).read_bytes() == before
    assert second.key != first.key


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start": 9_600, "stop": 9_600}, "the stretch must lie in the recording"),
        ({"stop": 10**9}, "from 0 to 2880000 samples"),
        ({"label": "whale"}, "class must be one of the model's"),
        ({"verdict": "perhaps"}, "verdict must be yes, no, unsure"),
        ({"verdict": "other:\n"}, "the class after other: must have 1 to 80 characters"),
        ({"verdict": "no", "calls": 2}, "calls can only be counted"),
        ({"mark_start": 5}, "are needed together"),
        ({"mark_start": 5, "mark_stop": 10**9}, "the mark must lie in the recording"),
    ],
)
def test_impossible_verdict_is_refused_by_its_number(results: JobResults, change: dict[str, object], said: str) -> None:
    good = StretchVerdict(recording=0, start=0, stop=9_600, label="anemonefish", verdict="yes")
    assert checked_verdicts(results, [good]) == [good]
    with pytest.raises(InvalidRequest, match=f"verdicts.1: .*{said}"):
        checked_verdicts(results, [good, replace(good, **change)])  # type: ignore[arg-type]


def test_verdict_on_another_recording_is_not_found(results: JobResults) -> None:
    with pytest.raises(RecordingNotFound, match="no analysed recording 2"):
        checked_verdicts(results, [StretchVerdict(recording=2, start=0, stop=1, label="anemonefish", verdict="yes")])


def test_other_class_is_stored_in_one_form(results: JobResults) -> None:
    given = StretchVerdict(recording=0, start=0, stop=1, label="anemonefish", verdict="other: grunt ")
    assert checked_verdicts(results, [given])[0].verdict == "other:grunt"
