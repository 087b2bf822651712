"""The command ``evaluate``: its files, its output and its exit status."""

from __future__ import annotations

import csv
import json
import os
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anemonefish.cli.evaluate_command import evaluate as command
from anemonefish.cli.main import main
from anemonefish.errors import InvalidRequest, InvalidSettings
from anemonefish.evaluation.evaluate import evaluate
from anemonefish.evaluation.evaluation_options import EvaluationOptions
from tests.decided_results import write_labels


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


def test_command_writes_csv_json_and_a_plot(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="1.0\t2.0\tAF=x\n", b="3\t4\tboat\n")
    out = tmp_path / "out"
    answer = run(
        results,
        labels,
        "--map",
        "AF=x=anemonefish",
        "--thresholds",
        "0.3, 0.7",
        "--bout",
        "0.5",
        "--out",
        out,
        "--picture",
    )
    assert answer.exit_code == 0, answer.output
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.csv", "evaluation.json", "precision_recall.png"]
    assert "anemonefish: 1 labels, average precision" in answer.output
    assert "names that are no class, not counted: boat (1)" in answer.output
    assert "2 labelled recordings, 0 counted as empty, 1 left out" in answer.output
    rows = list(csv.DictReader((out / "evaluation.csv").open()))
    assert [row["threshold"] for row in rows] == ["0.3", "0.5", "0.7"]


@pytest.mark.parametrize(
    "options", [("--overlap", "half"), ("--thresholds", "0.1,x"), ("--map", "x"), ("--map", "x="), ("--bout", "-1")]
)
def test_malformed_option_is_refused(results: Path, tmp_path: Path, options: tuple[str, str]) -> None:
    with pytest.raises(InvalidSettings):
        run(results, write_labels(tmp_path / "labels", a=""), *options)


def test_exit_status_is_1_and_left_out_recordings_are_listed(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="900\t901\tanemonefish\n", b="1\t2\tanemonefish\n")
    (labels / "README.txt").write_text("Labels by K.\n")
    answer = run(results, labels, "--out", tmp_path / "out")
    assert answer.exit_code == 1
    assert "1 of 2 recordings could not be evaluated" in answer.output
    assert f"InvalidRequest: a.wav: {labels / 'a.wav.txt'}: the label at line 1 begins at 900.000 s" in answer.output
    assert "README.txt: no column says where a label begins" in answer.output
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert list(document["recordings"]["left_out"]) == ["a.wav"]
    assert [Path(name).name for name in document["label_files"]["not_read"]] == ["README.txt"]
    assert (tmp_path / "out" / "evaluation.csv").exists()


def test_unreadable_label_file_with_a_name_outside_utf8_is_reported(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="1\t2\tanemonefish\n")
    try:
        with open(os.fsencode(labels) + b"/\xe9.txt", "wb") as file:  # noqa: PTH123
            file.write(b"no labels\n")
    except OSError:
        pytest.skip("this file system takes names of UTF-8 alone")
    with open(os.fsencode(labels) + b"/\xe8.txt", "wb") as file:  # noqa: PTH123
        file.write(b"1\t2\tx\n")
    answer = run(results, labels, "--out", tmp_path / "out")
    assert answer.exit_code == 1
    assert "\\xe9.txt" in answer.output
    assert "not counted: _ (1)" in answer.output  # the name of the recording that this file would belong to
    assert "\\\\xe9.txt" in (tmp_path / "out" / "evaluation.json").read_text()


def test_recording_with_a_name_outside_utf8_is_reported_in_every_output(results: Path, tmp_path: Path) -> None:
    try:
        (results / "a.wav.scores.parquet").rename(results / "\udce9.wav.scores.parquet")
    except OSError:
        pytest.skip("this file system takes names of UTF-8 alone")
    path = tmp_path / "all.csv"
    path.write_text("file,start,end,label\nb.wav,1,2,anemonefish\n")
    assert run(results, path, "--unlabelled", "negative", "--out", tmp_path / "out").exit_code == 0
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert "\udce9.wav" in document["recordings"]["negative"]
    (results / "\udce9.wav.scores.parquet").write_bytes(b"PAR1")
    answer = run(results, path, "--unlabelled", "negative", "--out", tmp_path / "out")
    assert answer.exit_code == 1
    assert "\\xe9.wav: " in answer.output


@pytest.mark.parametrize("empty", ["no file", "an empty file"])
def test_empty_folder_of_labels_gives_false_positives_per_hour(results: Path, tmp_path: Path, empty: str) -> None:
    labels = write_labels(tmp_path / "labels", **({} if empty == "no file" else {"a": ""}))
    outcome = evaluate(results, labels, EvaluationOptions(unlabelled="negative"))
    assert len(outcome.negative) + len(outcome.labelled) == 3
    [target] = outcome.classes
    counts = target.at(0.5)
    assert (counts.labels, counts.matched) == (0, 0)
    assert counts.events > 20
    assert outcome.per_hour(counts.false_positives) == Fraction(counts.events * 3600) / outcome.seconds
    answer = run(results, labels, "--unlabelled", "negative", "--out", tmp_path / "out")
    assert answer.exit_code == 0, answer.output
    row = next(row for row in csv.DictReader((tmp_path / "out" / "evaluation.csv").open()) if row["threshold"] == "0.5")
    assert float(row["false_positives_per_hour"]) > 0
    assert row["recall"] == ""


def test_labels_without_names_are_reported_in_the_counts(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(",file,start,end\n0,a.wav,1,2\n1,a.wav,3,4\n")
    with pytest.raises(InvalidRequest, match=r"the labels have no names.*--map '\*=biological'"):
        evaluate(results, path)
    answer = run(results, path, "--map", "*=anemonefish", "--out", tmp_path / "out")
    assert answer.exit_code == 0, answer.output
    assert "no column (2); 2 of them without a name" in answer.output
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert document["label_files"]["labels_without_a_name"] == 2


@pytest.mark.parametrize("answer", [(), ("--times-per-file",)])
def test_sequence_table_without_file_offsets_needs_times_per_file(
    results: Path, tmp_path: Path, answer: tuple[str, ...]
) -> None:
    labels = write_labels(tmp_path / "labels", b="1\t2\tanemonefish\n")
    head = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tBegin File\tSpecies"
    (labels / "day.selections.txt").write_text(f"{head}\n1\tS\t1\t26.9\t27.4\ta.wav\tanemonefish\n")
    done = run(results, labels, "--out", tmp_path / "out", *answer)
    assert done.exit_code == (0 if answer else 1), done.output
    assert ("say --times-per-file" in done.output) is not answer
    assert f"{2 if answer else 1} labelled recordings" in done.output


def test_folder_that_simulate_wrote_is_a_folder_of_labels(tmp_path: Path) -> None:
    folder, out = tmp_path / "x", tmp_path / "r"
    folder.mkdir()
    for arguments in (
        ["simulate", "--seconds", "60", "--seed", "6", "--out", str(folder / "reef.wav")],
        ["detect", str(folder), "--out", str(out)],
        ["evaluate", str(out), str(folder), "--out", str(tmp_path / "e")],
    ):
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output
    assert "counted once" in done.output
    written = list(csv.DictReader((folder / "reef.wav.selections.txt").open(), delimiter="\t"))
    document = json.loads((tmp_path / "e" / "evaluation.json").read_text())
    counts = {entry["class"]: entry["recordings"][0]["labels"] for entry in document["classes"]}
    for name in ("anemonefish", "biological"):
        assert counts[name] == sum(row["Class"] == name for row in written) > 0
