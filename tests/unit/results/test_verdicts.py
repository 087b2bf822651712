"""Tables of verdicts are read as they were written, whatever the names; errors are named by line and column."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.models.decision import Decision
from anemonefish.models.repository import PinnedModel
from anemonefish.results.review_units import EVENT, SEGMENT, DrawnUnit, ReviewUnit
from anemonefish.results.verdict_table import read_verdicts, write_verdicts
from anemonefish.results.verdicts import Verdict, agreed, empty_rows, merge

MODEL = PinnedModel("reef", "1.1.0", "ab" * 32)
ODD_NAMES = ["=1+1.wav", '<img src=x onerror="alert(1)">.wav', "a,b;c\td.wav", "récif 海 'x'.wav", "-1.wav", '"q".wav']


def rows(names: list[str] = ODD_NAMES, seed: int = 1) -> tuple[Verdict, ...]:
    drawn = [
        DrawnUnit(
            unit=ReviewUnit(
                recording=name,
                start=number * 48_000,
                stop=number * 48_000 + 16_001,
                sample_rate=48_000,
                label="anemonefish",
                kind=EVENT if number % 2 else SEGMENT,
                score=0.123456,
            ),
            stratum_size=90,
            stratum_seconds=Fraction(100, 3),
            drawn=3,
        )
        for number, name in enumerate(names)
    ]
    return empty_rows(drawn, MODEL, Decision(), seed)


def judged(
    row: Verdict, verdict: str, reviewer: str = "Ana", at: str = "2026-11-29T10:00:00Z", **more: object
) -> Verdict:
    return replace(row, verdict=verdict, reviewer=reviewer, judged_at=at, **more)  # type: ignore[arg-type]


def test_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = list(rows())
    table[0] = judged(table[0], "yes", reviewer="=HYPERLINK(1)", calls=3, mark_start_s=1.25, mark_stop_s=1.5)
    table[1] = judged(table[1], "other:\t=1+1")
    table[2] = judged(table[2], "unsure")
    write_verdicts(tmp_path / "verdicts.csv", table)
    assert list(read_verdicts(tmp_path / "verdicts.csv").rows) == table
    text = (tmp_path / "verdicts.csv").read_text()
    assert "'=1+1.wav" in text
    assert "\r" not in text


def test_table_saved_by_a_spreadsheet_with_semicolons_is_read(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    write_verdicts(path, rows(["a.wav"]))
    expected = read_verdicts(path)
    path.write_bytes(("\ufeff" + path.read_text().replace(",", ";").replace("\n", "\r\n")).encode())
    assert read_verdicts(path) == expected


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("verdict", "maybe", "yes, no, unsure"),
        ("verdict", "other:", "yes, no, unsure"),
        ("calls", "0", "at least 1"),
        ("calls", "2.5", "whole number"),
        ("judged_at", "2026-11-29T10:00:00", "UTC"),
        ("judged_at", "2026-11-29T10:00:00+08:00", "UTC"),
        ("judged_at", "", "UTC"),
        ("mark_stop_s", "1.0", "after mark_start_s"),
        ("score", "nan", "number"),
        ("stop_sample", "0", "greater than"),
        ("drawn", "91", "at most stratum_size"),
        ("kind", "bout", "event or segment"),
    ],
)
def test_wrong_cell_is_named_by_line_and_column(tmp_path: Path, column: str, value: str, message: str) -> None:
    path = tmp_path / "verdicts.csv"
    write_verdicts(path, [judged(row, "yes") for row in rows(["a.wav", "b.wav"])])
    head, first, second = path.read_text().splitlines()
    cells = second.split(",")
    cells[head.split(",").index(column)] = value
    path.write_text("\n".join([head, first, ",".join(cells), ""]))
    with pytest.raises(InvalidRequest, match=rf"verdicts\.csv, line 3, column {column}: must be .*{message}"):
        read_verdicts(path)


def test_calls_without_a_yes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    write_verdicts(path, [judged(rows()[0], "no", calls=2)])
    with pytest.raises(InvalidRequest, match="column calls: must be empty unless the verdict is yes"):
        read_verdicts(path)


def test_other_table_is_refused_with_the_missing_columns(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("recording,start_time\na.wav,1\n")
    with pytest.raises(InvalidRequest, match="not a table of verdicts, or columns were removed: review, model,"):
        read_verdicts(tmp_path / "events.csv")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_verdicts(tmp_path / "absent.csv")


def test_two_rows_of_one_reviewer_for_one_clip_are_refused(tmp_path: Path) -> None:
    row = rows()[0]
    write_verdicts(tmp_path / "verdicts.csv", [judged(row, "yes"), judged(row, "no")])
    with pytest.raises(InvalidRequest, match="two rows of the reviewer 'Ana'"):
        read_verdicts(tmp_path / "verdicts.csv")


def test_reviewers_are_kept_apart_and_the_later_verdict_of_one_counts() -> None:
    one, two = rows(["a.wav", "b.wav"])
    before = [judged(one, "yes"), judged(one, "no", reviewer="Ben"), two]
    later = [
        judged(one, "unsure", at="2026-11-29T11:00:00Z"),
        judged(two, "no"),
        judged(one, "yes", at="2026-11-28T11:00:00Z", reviewer="Ben"),
    ]
    found = {(row.clip, row.reviewer): row.verdict for row in merge(before, later)}
    assert found == {(one.clip, "Ana"): "unsure", (one.clip, "Ben"): "no", (two.clip, "Ana"): "no"}


def test_larger_draw_corrects_how_many_were_drawn() -> None:
    smaller, larger = rows(["a.wav", "b.wav"]), rows(["a.wav", "b.wav", "c.wav", "d.wav"])
    found = merge([judged(smaller[0], "yes")], larger)
    assert len({row.clip for row in found}) == 4
    assert {(row.stratum, row.drawn) for row in found} == {("segment 0.1-0.3", 2), ("event 0.1-0.3", 2)}


def test_reviewers_that_differ_make_a_unit_unsure() -> None:
    one, two, three = rows(["a.wav", "b.wav", "c.wav"])
    found = agreed(
        [
            judged(one, "yes", calls=2),
            judged(one, "yes", reviewer="Ben", calls=4),
            judged(two, "yes", calls=2),
            judged(two, "no", reviewer="Ben"),
            three,
        ]
    )
    assert [(row.verdict, row.calls, row.reviewer) for row in found] == [
        ("yes", 3, "Ana, Ben"),
        ("unsure", None, "Ana, Ben"),
        ("", None, ""),
    ]
