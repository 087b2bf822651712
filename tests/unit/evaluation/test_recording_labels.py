"""Labels are assigned to recordings; unreadable labels leave out only the recordings that they concern."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.evaluation.evaluate import evaluate
from anemonefish.evaluation.evaluation_files import write_evaluation_json
from anemonefish.evaluation.evaluation_options import EvaluationOptions
from anemonefish.results.recording_result import RecordingResult
from tests.decided_results import random_scores, write_formats, write_labels

BROKEN = {
    "beyond its recording": b"900\t901\tanemonefish\n901\t902\tanemonefish\n",
    "damaged": b"1\t2\tanemonefish\nhello\n",
    "undecodable": b"1\t2\tM\xe4nnchen\n",
    "no table": b"calm sea, no wind\n",
}


def test_one_table_may_hold_the_labels_of_all_recordings(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("file,start,end,label\na.wav,1,2,AF\nc.wav,1,2,AF\nd.wav,3,4,AF\nd.wav,5,6,boat\na.wav,5,6,boat\n")
    outcome = evaluate(results, path, EvaluationOptions(mapping={"AF": "anemonefish"}))
    assert outcome.labelled == ("a.wav", "site/c.wav")
    assert dict(outcome.elsewhere) == {"d.wav": 2}
    assert dict(outcome.unmapped) == {"boat": 1}
    assert outcome.classes[0].at(0.5).labels == 2
    everything = evaluate(results, path, EvaluationOptions(mapping={"AF": "anemonefish", "*": "biological"}))
    assert {entry.name: entry.at(0.5).labels for entry in everything.classes} == {"anemonefish": 2, "biological": 1}


def test_single_label_file_belongs_to_the_single_recording(
    make_result: Callable[..., RecordingResult], tmp_path: Path
) -> None:
    write_formats(tmp_path / "results", make_result("a.wav", random_scores(0)))
    (tmp_path / "marks.txt").write_text("1\t2\tanemonefish\n")
    assert evaluate(tmp_path / "results", tmp_path / "marks.txt").labelled == ("a.wav",)
    labels = tmp_path / "labels"
    labels.mkdir()
    (tmp_path / "marks.txt").rename(labels / "marks.txt")
    with pytest.raises(InvalidRequest, match=r"are of marks, the results of a\.wav"):
        evaluate(tmp_path / "results", labels)


def test_two_files_of_one_recording_with_other_labels_are_refused(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="1\t2\tanemonefish\n")
    (labels / "a.wav.csv").write_text("start,end\n1,2\n")
    with pytest.raises(InvalidRequest, match=r"a\.wav: labels in a\.wav\.csv and in a\.wav\.txt"):
        evaluate(results, labels)
    assert evaluate(results, labels, EvaluationOptions(pattern="*.txt")).labelled == ("a.wav",)


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("unlabelled", ["ignore", "negative"])
def test_recording_with_unusable_labels_is_left_out_with_the_reason(
    results: Path, tmp_path: Path, broken: str, unlabelled: str
) -> None:
    labels = write_labels(tmp_path / "labels", b="1\t2\tanemonefish\n")
    expected = evaluate(results, labels, EvaluationOptions(unlabelled="ignore"))
    (labels / "a.wav.txt").write_bytes(BROKEN[broken])
    outcome = evaluate(results, labels, EvaluationOptions(unlabelled=unlabelled))
    assert outcome.labelled == ("site/b.wav",)
    assert list(outcome.left_out) == ["a.wav"]
    assert outcome.negative == (("site/c.wav",) if unlabelled == "negative" else ())
    if unlabelled == "ignore":
        assert outcome.classes == expected.classes
        assert outcome.seconds == expected.seconds
    text = io.StringIO()
    write_evaluation_json(text, outcome)
    assert json.loads(text.getvalue())["recordings"]["left_out"] == dict(outcome.left_out)


def test_every_reason_is_listed(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="900\t901\tx\n910\t911\tx\n", b="1\t2\tanemonefish\n", c="x\ty\tz\n")
    outcome = evaluate(results, labels)
    assert list(outcome.left_out) == ["a.wav", "site/c.wav"]
    assert "line 1 begins at 900.000 s" in outcome.left_out["a.wav"]
    assert "line 2 begins at 910.000 s" in outcome.left_out["a.wav"]
    assert "x" not in outcome.unmapped  # labels of a recording that is left out are not counted
    (labels / "b.wav.txt").write_text("5\t4\tanemonefish\n")
    with pytest.raises(InvalidRequest, match="the labels are called 'x'") as raised:
        evaluate(results, labels)
    assert all(name in str(raised.value) for name in ("site/b.wav: ", "site/c.wav: "))
    (labels / "a.wav.txt").write_text("900\t901\tanemonefish\n")
    with pytest.raises(InvalidRequest) as raised:
        evaluate(results, labels)
    assert all(name in str(raised.value) for name in ("a.wav: ", "site/b.wav: ", "site/c.wav: "))


def test_unreadable_row_leaves_out_only_the_recording_that_it_names(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("file,start,end,label\na.wav,1,2,anemonefish\nb.wav,NaN,2,anemonefish\nc.wav,1,2,anemonefish\n")
    outcome = evaluate(results, path)
    assert outcome.labelled == ("a.wav", "site/c.wav")
    assert list(outcome.left_out) == ["site/b.wav"]


def test_unreadable_file_of_an_unknown_recording_is_reported(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="1\t2\tanemonefish\n")
    (labels / "README.txt").write_text("Labels by K., March\n")
    outcome = evaluate(results, labels)
    assert outcome.labelled == ("a.wav",)
    assert [Path(name).name for name in outcome.unread] == ["README.txt"]
    # It may hold labels of any recording without a label file, so none of these is counted as empty.
    negative = evaluate(results, labels, EvaluationOptions(unlabelled="negative"))
    assert (negative.negative, list(negative.left_out)) == ((), ["site/b.wav", "site/c.wav"])


def test_empty_folder_of_labels_is_refused_unless_unlabelled_is_negative(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels")
    with pytest.raises(InvalidRequest, match="no label file in this folder"):
        evaluate(results, labels)
    (labels / "a.txt").write_text("")
    with pytest.raises(
        InvalidRequest, match="no label file in this folder"
    ):  # a mistyped pattern must not count every recording as empty
        evaluate(results, labels, EvaluationOptions(unlabelled="negative", pattern="*.selections.txt"))


def test_same_labels_in_two_files_count_once(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="1\t2\tanemonefish\n3\t4\tanemonefish\n")
    (labels / "a.wav.csv").write_text("start,end,label\n3,4,anemonefish\n1,2,anemonefish\n")
    outcome = evaluate(results, labels)
    assert outcome.classes[0].at(0.5).labels == 2
    assert [Path(name).name for name in outcome.repeated] == ["a.wav.txt"]


def test_different_labels_in_two_files_leave_out_the_recording(results: Path, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels", a="1\t2\tanemonefish\n", b="1\t2\tanemonefish\n")
    (labels / "a.wav.csv").write_text("start,end,label\n1,2,boat\n")
    outcome = evaluate(results, labels)
    assert outcome.labelled == ("site/b.wav",)
    assert "--files" in outcome.left_out["a.wav"]
