"""Raven selection tables are written over one recording, or over several that are one sequence."""

from __future__ import annotations

import csv
import io
from fractions import Fraction

from anemonefish.annotations.raven import RAVEN_COLUMNS, write_raven
from anemonefish.annotations.selections import AudioReference, Selection

RECORDING = AudioReference(path="/data/a.wav", name="a.wav", sample_rate=48_000)
SELECTIONS = [
    Selection(48_000, 57_600, "anemonefish", 0, 12_000, 0.75),
    Selection(96_001, 115_201, "biological", 100.5, 2_000),
]


def rows_of(*parts: tuple[AudioReference, list[Selection]]) -> list[dict[str, str]]:
    file = io.StringIO(newline="")
    write_raven(file, parts)
    return list(csv.DictReader(io.StringIO(file.getvalue()), delimiter="\t"))


def test_each_selection_is_a_numbered_row() -> None:
    rows = rows_of((RECORDING, SELECTIONS))
    assert [row["Begin Time (s)"] for row in rows] == ["1.000000", "2.000021"]
    assert [row["Delta Time (s)"] for row in rows] == ["0.200000", "0.400000"]
    assert rows[0]["File Offset (s)"] == rows[0]["Begin Time (s)"]
    assert [row["Score"] for row in rows] == ["0.750000", ""]
    assert {row["Begin Path"] for row in rows} == {"/data/a.wav"}
    assert [row["Selection"] for row in rows] == ["1", "2"]


def test_begin_time_counts_from_the_first_recording_and_file_offset_from_its_own() -> None:
    second = AudioReference(path="b.wav", name="b.wav", sample_rate=48_000, seconds_before=Fraction(10, 3))
    rows = rows_of((RECORDING, SELECTIONS[:1]), (second, SELECTIONS[:1]))
    assert [row["Begin Time (s)"] for row in rows] == ["1.000000", "4.333333"]
    assert [row["File Offset (s)"] for row in rows] == ["1.000000", "1.000000"]


def test_begin_file_is_the_last_part_of_the_path() -> None:
    recording = AudioReference(path="D:\\data\\site\\a.wav", name="site/a.wav", sample_rate=48_000)
    assert rows_of((recording, SELECTIONS))[0]["Begin File"] == "a.wav"


def test_table_without_selections_has_its_header() -> None:
    file = io.StringIO()
    write_raven(file, [])
    assert file.getvalue() == "\t".join(RAVEN_COLUMNS) + "\n"


def test_texts_are_escaped_for_spreadsheets() -> None:
    recording = AudioReference(path="-dep/@a.wav", name="@a.wav", sample_rate=48_000)
    [row] = rows_of((recording, [Selection(0, 9, "=cmd", 0, 9, 0.5)]))
    assert (row["Begin Path"], row["Begin File"], row["Class"]) == ("'-dep/@a.wav", "'@a.wav", "'=cmd")
