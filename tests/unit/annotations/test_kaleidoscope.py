"""Kaleidoscope tables are written, and read back with what a person entered as MANUAL ID."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from anemonefish.annotations.kaleidoscope import KALEIDOSCOPE_COLUMNS, write_kaleidoscope
from anemonefish.annotations.label_files import read_labels
from anemonefish.annotations.selections import AudioReference, Selection

RECORDING = AudioReference(path="/dep/site A/reef, 1.wav", name="site A/reef, 1.wav", sample_rate=48_000)
SELECTIONS = (
    Selection(76_800, 230_401, "anemonefish", 0, 12_000, 0.9265061),
    Selection(844_800, 864_000, "anemonefish", 0, 12_000, 0.5),
)


def written(recording: AudioReference = RECORDING, selections: tuple[Selection, ...] = SELECTIONS) -> str:
    file = io.StringIO(newline="")
    write_kaleidoscope(file, recording, selections)
    return file.getvalue()


def rows_of(recording: AudioReference, selections: tuple[Selection, ...] = SELECTIONS) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(recording, selections))))


def test_each_selection_is_a_row() -> None:
    rows = rows_of(RECORDING)
    assert tuple(rows[0]) == KALEIDOSCOPE_COLUMNS
    assert list(rows[0].values()) == [
        "/dep", "site A", "reef, 1.wav", "0", "1.600000", "3.200021", "anemonefish", "0.926506", "",
    ]  # fmt: skip
    assert len(rows) == 2


def test_selection_without_a_score_has_an_empty_top1dist() -> None:
    assert rows_of(RECORDING, (replace(SELECTIONS[0], score=None),))[0]["TOP1DIST"] == ""


@pytest.mark.parametrize(("channel", "written_channel"), [(1, "0"), (2, "1"), (16, "15")])
def test_channel_is_counted_from_zero(channel: int, written_channel: str) -> None:
    assert {row["CHANNEL"] for row in rows_of(replace(RECORDING, channel=channel))} == {written_channel}


def test_names_are_escaped_for_spreadsheets_and_read_back(tmp_path: Path) -> None:
    name = "=site/@1, +1.wav"
    recording = replace(RECORDING, path=f"-dep/{name}", name=name)
    row = rows_of(recording)[0]
    assert (row["INDIR"], row["FOLDER"], row["IN FILE"]) == ("'-dep", "'=site", "'@1, +1.wav")
    (tmp_path / "a.csv").write_text(written(recording))
    assert read_labels(tmp_path / "a.csv").recordings == (f"-dep/{name}",)


def test_table_without_selections_has_its_header() -> None:
    assert written(selections=()) == ",".join(KALEIDOSCOPE_COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("path", "name", "columns"),
    [
        ("/dep/a.wav", "a.wav", ("/dep", "", "a.wav")),
        ("/dep/x/a.wav", "x/a.wav", ("/dep", "x", "a.wav")),
        ("/dep/x/y/a.wav", "x/y/a.wav", ("/dep", "x/y", "a.wav")),
        ("/a.wav", "a.wav", ("/", "", "a.wav")),
        ("a.wav", "a.wav", ("", "", "a.wav")),
        ("D:\\dep\\x\\a.wav", "x/a.wav", ("D:/dep", "x", "a.wav")),
        ("s3://bucket/key/a.wav", "another name", ("s3://bucket/key", "", "a.wav")),
        ("/dep/ba.wav", "a.wav", ("/dep", "", "ba.wav")),
    ],
)
def test_path_is_split_so_that_kaleidoscope_joins_it_again(path: str, name: str, columns: tuple[str, str, str]) -> None:
    row = rows_of(replace(RECORDING, path=path, name=name))[0]
    assert (row["INDIR"], row["FOLDER"], row["IN FILE"]) == columns


def test_manual_id_is_read_as_a_label(tmp_path: Path) -> None:
    rows = rows_of(RECORDING)
    rows[0]["MANUAL ID"] = "A. clarkii"
    path = tmp_path / "reviewed.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, KALEIDOSCOPE_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    table = read_labels(path)
    assert [(label.start, label.stop, label.name) for label in table.labels] == [
        (1_600_000, 4_800_021, "A. clarkii"),
        (17_600_000, 18_000_000, ""),
    ]
    assert table.recordings == ("/dep/site A/reef, 1.wav",)
