"""Cells: what a spreadsheet would run is written as text, and is read back unchanged."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.csv_cells import escape, unescape, write_rows

AWKWARD = st.text(alphabet="'\"=+-@＝\t\r\n ;,.1a\u200b\ufeff", max_size=12) | st.text(max_size=20)


def is_run(cell: str) -> bool:
    """Say whether a spreadsheet would run a cell, after what it passes over."""
    bare = cell.lstrip(' "\t\r\n\u200b\ufeff\xa0')
    return cell[:1] in {"\t", "\r", "\n"} or bare[:1] in set("=+-@＝＋－＠")


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@given(AWKWARD)
def test_every_text_is_read_back_unchanged(text: str) -> None:
    assert unescape(escape(text)) == text


@given(AWKWARD)
def test_no_escaped_text_is_run(text: str) -> None:
    assert not is_run(escape(text)) or is_number(text)


@given(AWKWARD)
def test_no_escaped_text_is_run_where_semicolons_separate(text: str) -> None:
    for cell in escape(text).split(";")[1:]:
        assert not is_run(cell) or cell[:1] in {"\t", "\r", "\n"}


@pytest.mark.parametrize(
    "text",
    ["=1+1.wav", '=HYPERLINK("x").wav', "+1.wav", "-x", "@SUM(A1)", "\tx", "\rx", " =1", "\xa0=1", '"=1', "'=1", "''=1",
     "＝1", "－cmd", "=-1", "--1", "-1-1", "\u200b=1", "\ufeff@x"],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_begins_with_a_single_quote(text: str) -> None:
    assert escape(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    ["", "-1.5", "+3", "-0.000001", "1e-05", "-1E+5", " -2 ", "reef-01.wav", "a=b", "'tis", "O'Neill", "'", '"a"',
     "a, -b", "x@y", "Männchen", "/dep/=1.wav", "2023-02-10T00:00:00Z"],
)  # fmt: skip
def test_numbers_and_harmless_texts_stay_as_they_are(text: str) -> None:
    assert escape(text) == text
    assert unescape(text) == text


def test_a_cell_that_another_separator_would_begin_is_escaped_too() -> None:
    assert escape("a;=1+1;b") == "a;'=1+1;b"
    assert escape('a;"=1') == "a;'\"=1"
    assert escape("a\n=1") == "a\n'=1"


def test_a_long_text_takes_no_long_time() -> None:
    text = "\t'" * 100_000
    assert unescape(escape(text)) == text


@given(st.lists(st.lists(AWKWARD.filter(lambda text: "\x00" not in text), min_size=2, max_size=3), max_size=4))
def test_rows_are_written_and_read_back(rows: list[list[str]]) -> None:
    file = io.StringIO(newline="")
    write_rows(file, rows)
    read = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert [[unescape(cell) for cell in row] for row in read] == rows


def test_numbers_are_written_as_numbers() -> None:
    file = io.StringIO(newline="")
    write_rows(file, [("a", "=b"), (-1, -0.5), (None, "-0.25")])
    assert file.getvalue() == "a,'=b\n-1,-0.5\n,-0.25\n"
