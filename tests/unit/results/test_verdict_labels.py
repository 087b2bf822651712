"""Verdicts become labels that the package reads again, with the interval of a mark where there is one."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from anemonefish.annotations.label_files import read_labels
from anemonefish.models.decision import Decision
from anemonefish.models.repository import PinnedModel
from anemonefish.results.review_units import EVENT, SEGMENT, DrawnUnit, ReviewUnit
from anemonefish.results.verdict_labels import write_labels
from anemonefish.results.verdicts import Verdict, empty_rows


def rows(count: int, kind: str = EVENT, name: str = "=a,b.wav") -> list[Verdict]:
    drawn = [
        DrawnUnit(
            unit=ReviewUnit(
                recording=name,
                start=number * 100,
                stop=number * 100 + 50,
                sample_rate=100,
                label="anemonefish",
                kind=kind,
                score=0.5,
            ),
            stratum_size=count,
            stratum_seconds=Fraction(count),
            drawn=count,
        )
        for number in range(count)
    ]
    return list(empty_rows(drawn, PinnedModel("reef", "1", "ab"), Decision(), seed=0))


def judged(row: Verdict, verdict: str, **more: object) -> Verdict:
    return replace(row, verdict=verdict, reviewer="Ana", judged_at="2026-11-29T10:00:00Z", **more)  # type: ignore[arg-type]


def test_labels_are_read_again_as_classes_and_absence(tmp_path: Path) -> None:
    one, two, three, four, five = rows(5)
    path = tmp_path / "review-labels.csv"
    marked = judged(four, "yes", mark_start_s=3.125, mark_stop_s=3.25)
    assert (
        write_labels(path, [judged(one, "yes"), judged(two, "no"), judged(three, "other:=damsel"), marked, five]) == 4
    )
    read = read_labels(path)
    assert not read.problems
    assert read.names_recordings
    assert [(label.recording, label.start, label.stop, label.name) for label in read.labels] == [
        ("=a,b.wav", 0, 500_000, "anemonefish"),
        ("=a,b.wav", 1_000_000, 1_500_000, "no"),
        ("=a,b.wav", 2_000_000, 2_500_000, "=damsel"),
        ("=a,b.wav", 3_125_000, 3_250_000, "anemonefish"),
    ]


def test_call_somewhere_in_a_segment_is_unsure_unless_it_is_marked(tmp_path: Path) -> None:
    one, two, three = rows(3, SEGMENT)
    path = tmp_path / "review-labels.csv"
    write_labels(path, [judged(one, "yes"), judged(two, "yes", mark_start_s=1.1, mark_stop_s=1.2), judged(three, "no")])
    assert [(label.start, label.name) for label in read_labels(path).labels] == [
        (0, "unsure"),
        (1_100_000, "anemonefish"),
        (2_000_000, "no"),
    ]


def test_reviewers_that_differ_make_an_unsure_label_and_the_last_review_of_a_unit_counts(tmp_path: Path) -> None:
    one, two = rows(2)
    path = tmp_path / "review-labels.csv"
    other = replace(judged(two, "no"), review="later", judged_at="2026-11-30T10:00:00Z")
    write_labels(path, [judged(one, "yes"), replace(judged(one, "no"), reviewer="Ben"), judged(two, "yes"), other])
    assert [label.name for label in read_labels(path).labels] == ["unsure", "no"]


def test_table_without_verdicts_gives_labels_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "review-labels.csv"
    assert write_labels(path, rows(2)) == 0
    assert read_labels(path).labels == ()
