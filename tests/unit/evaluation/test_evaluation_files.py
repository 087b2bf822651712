"""The CSV and the JSON of an evaluation hold the same numbers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from anemonefish.evaluation.curves import Evaluation
from anemonefish.evaluation.evaluate import evaluate
from anemonefish.evaluation.evaluation_files import EVALUATION_COLUMNS, write_evaluation, write_evaluation_json
from tests.decided_results import write_labels


def files_of(outcome: Evaluation) -> tuple[list[dict[str, str]], dict[str, object]]:
    table, document = io.StringIO(newline=""), io.StringIO()
    write_evaluation(table, outcome)
    write_evaluation_json(document, outcome)
    return list(csv.DictReader(io.StringIO(table.getvalue()))), json.loads(document.getvalue())


def test_csv_and_json_hold_the_same_numbers(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="1.0\t2.0\tanemonefish\n", b="3\t4\tbiological\n")
    outcome = evaluate(results, labels)
    rows, document = files_of(outcome)
    assert tuple(rows[0]) == EVALUATION_COLUMNS
    points = [(entry["class"], point) for entry in document["classes"] for point in entry["points"]]  # type: ignore[attr-defined]
    assert len(points) == len(rows) == 2 * 23
    for row, (name, point) in zip(rows, points, strict=True):
        assert row["class"] == name
        for column in EVALUATION_COLUMNS[1:]:
            assert row[column] == ("" if point[column] is None else str(point[column]))
    empty = [row for row in rows if row["events"] == "0"]
    assert empty
    assert all(row["precision"] == "" and row["recall"] == "0.0" for row in empty)
    assert document["recordings"]["labelled"] == ["a.wav", "site/b.wav"]  # type: ignore[index]
    assert files_of(evaluate(results, labels)) == (rows, document)
