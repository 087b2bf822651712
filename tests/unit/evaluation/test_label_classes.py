"""Names of labels mean classes of the model, by themselves or by a mapping."""

from __future__ import annotations

from pathlib import Path

import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.evaluation.evaluate import evaluate
from anemonefish.evaluation.evaluation_options import EvaluationOptions


def test_zeros_in_a_column_per_class_are_no_labels_with_any_mapping(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    rows = ["a.wav,0.0,3.0,0,0", "a.wav,3.0,6.0,0,1", "a.wav,6.0,9.0,1,0", "b.wav,0,3,0,0"]
    path.write_text("\n".join(["file,start_time,end_time,anemonefish,biological", *rows]))
    for mapping in ({}, {"*": "anemonefish"}):
        outcome = evaluate(results, path, EvaluationOptions(mapping=mapping))
        assert {entry.name: entry.at(0.5).labels for entry in outcome.classes} == {"anemonefish": 1, "biological": 1}
        assert outcome.labelled == ("a.wav", "site/b.wav")
        assert dict(outcome.named_by) == {"anemonefish and biological": 2}


def test_star_does_not_map_a_name_that_means_absent(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("file,start,end,label\na.wav,0,3,0\na.wav,3,6,1\n")
    with pytest.raises(InvalidRequest, match=r"--map '1=biological', or --map '\*=biological' for all but 0"):
        evaluate(results, path)
    outcome = evaluate(results, path, EvaluationOptions(mapping={"*": "anemonefish"}))
    assert outcome.classes[0].at(0.5).labels == 1
    assert dict(outcome.unmapped) == {"0": 1}
    assert evaluate(results, path, EvaluationOptions(mapping={"0": "anemonefish", "1": "biological"})).unmapped == {}
