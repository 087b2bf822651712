"""Audacity label tracks are written and read."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import pytest

from anemonefish.annotations.audacity import write_audacity
from anemonefish.annotations.label_files import scan_labels
from anemonefish.annotations.selections import Selection
from anemonefish.errors import InvalidRequest
from tests.unit.annotations.label_tables import times


def written(*selections: Selection) -> str:
    file = io.StringIO(newline="")
    write_audacity(file, selections, sample_rate=48_000)
    return file.getvalue()


def test_each_selection_is_a_line_of_start_end_and_label() -> None:
    call = Selection(48_000, 57_600, "anemonefish", 0, 12_000, 0.75)
    noise = Selection(96_001, 115_201, "biological", 100.5, 2_000)
    assert written(call, noise) == "1.000000\t1.200000\tanemonefish\n2.000021\t2.400021\tbiological\n"


def test_labels_are_escaped_for_spreadsheets() -> None:
    assert written(Selection(0, 9, "=cmd", 0, 9, 0.5)) == "0.000000\t0.000188\t'=cmd\n"


def test_written_labels_are_read_back(read) -> None:
    file = io.StringIO()
    write_audacity(file, [Selection(4_801, 9_602, "anemonefish", 0, 9)], sample_rate=48_000)
    table = read(file.getvalue(), "reef.wav.audacity.txt")
    assert (table.format, table.recording, table.names_recordings) == ("audacity", "reef.wav", False)
    assert times(table) == [(100_021, 200_042, "anemonefish")]


def test_frequencies_points_and_unnamed_labels_are_read(read) -> None:
    text = "1.0\t1.0\tclick\n\\\t6928.5\t6928.5\n2.0\t2.5\ta\tb\n\\\t-1.000000\t6334.58\n3\t3.5\n"
    table = read(text)
    assert times(table) == [(1_000_000, 1_000_000, "click"), (2_000_000, 2_500_000, "a\tb"), (3_000_000, 3_500_000, "")]
    assert [label.is_point for label in table.labels] == [True, False, False]
    assert [(label.low_hz, label.high_hz) for label in table.labels] == [
        (Fraction("6928.5"), Fraction("6928.5")),
        (None, Fraction("6334.58")),
        (None, None),
    ]


def test_empty_file_is_a_track_without_labels(read) -> None:
    assert read("", "a.wav.audacity.txt") == read("\n\n", "a.wav.audacity.txt")
    assert read("", "a.wav.audacity.txt").labels == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("1.0\t2.0\tx\n\\\t5\n", "line 2: a line of frequencies has"),
        ("\\\t5\t6\n", "line 1: a line of frequencies belongs"),
        ("1,5\t2,0\tx\n", "line 1: '1,5' has a decimal comma; write the file with decimal points"),
        ("1.0\t2.0\tx\n5.0\t4.0\ty\n", "line 2: the end lies before the start"),
        ("-1.0\t4.0\ty\n", "line 1: a label cannot begin before"),
        ("1.0\t2.0\tx\nhello\n", "line 2: a label has a start and an end"),
    ],
)
def test_error_in_a_track_names_its_line(read, text: str, what: str) -> None:
    with pytest.raises(InvalidRequest, match=f"reef.wav.txt: {what}".replace("(", r"\(")):
        read(text)


def test_quotation_marks_around_every_name_are_removed(read) -> None:
    assert [label.name for label in read('1\t2\t"a"\n3\t4\t"b c"\n').labels] == ["a", "b c"]
    assert [label.name for label in read('1\t2\t"a"\n3\t4\tb\n').labels] == ['"a"', "b"]


def test_frequencies_of_an_unreadable_label_are_not_a_second_problem(tmp_path: Path) -> None:
    (tmp_path / "a.wav.txt").write_text("1\t2\tx\n3\tx\ty\n\\\t5\t6\n5\t6\tz\n")
    table = scan_labels(tmp_path / "a.wav.txt")
    assert [label.name for label in table.labels] == ["x", "z"]
    assert [problem.line for problem in table.problems] == [2]
