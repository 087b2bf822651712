"""Annotations, simulation and evaluation from Python, and the same numbers as the command line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

import anemonefish as af
from anemonefish.cli.main import main
from anemonefish.front.simulated_recordings import SimulatedRecording


def test_simulated_recording_knows_its_calls(reef: SimulatedRecording) -> None:
    assert reef.duration == 20
    assert reef.n_calls == reef.annotations.labels["anemonefish"] == 9
    assert repr(reef) == f"{reef.path}: 20 s, 9 anemonefish calls, 4 other sounds"


def test_both_label_files_hold_the_same(reef: SimulatedRecording) -> None:
    raven, audacity = af.read_annotations(reef.raven_path), af.read_annotations(reef.audacity_path)
    assert [(each.start_time, each.end_time, each.label) for each in raven] == [
        (each.start_time, each.end_time, each.label) for each in audacity
    ]
    assert raven[0].low_hz is not None
    assert len(raven.to_dataframe()) == len(raven) == 13
    assert "13 annotations" in repr(raven)
    assert "<table>" in raven._repr_html_()


def test_unreadable_annotations_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_text("0\t1\tcall\nx\ty\tcall\n")
    with pytest.raises(af.InvalidRequest, match="line 2"):
        af.read_annotations(tmp_path)
    with pytest.raises(af.InvalidRequest, match="there is no such file"):
        af.read_annotations(tmp_path / "missing")


def test_evaluation_is_that_of_the_command_line(
    reef: SimulatedRecording, results: af.Detections, tmp_path: Path
) -> None:
    saved = results.save(tmp_path / "results", "parquet")
    options = ["--overlap", "0.25", "--bout", "0.7", "--thresholds", "0.2,0.4", "--class", "anemonefish"]
    command = ["evaluate", str(saved), str(reef.raven_path), "--out", str(tmp_path / "command"), *options]
    assert CliRunner().invoke(main, command).exit_code == 0
    given = {"overlap": 0.25, "bout_seconds": "0.7", "thresholds": [0.2, 0.4], "classes": ["anemonefish"]}
    for number, source in enumerate((saved, results)):
        af.evaluate(source, reef.annotations, **given).save(tmp_path / str(number))
        for name in ("evaluation.csv", "evaluation.json"):
            assert (tmp_path / str(number) / name).read_bytes() == (tmp_path / "command" / name).read_bytes()


def test_evaluation_says_how_good_results_are(reef: SimulatedRecording, results: af.Detections) -> None:
    evaluation = af.evaluate(results, reef.annotations)
    counts = evaluation.counts()
    assert evaluation.precision == counts.matched / counts.events
    assert evaluation.recall == counts.matched / counts.labels
    assert evaluation.f1 == pytest.approx(2 * counts.matched / (counts.events + counts.labels))
    assert evaluation.best_threshold in {point.threshold for point in evaluation["anemonefish"].points}
    assert evaluation.average_precision == float(evaluation["anemonefish"].average_precision or 0)
    frame = evaluation.to_dataframe()
    assert set(frame["class"]) == {"anemonefish", "biological"}
    assert evaluation.plot().png.startswith(b"\x89PNG")
    assert "anemonefish" in repr(evaluation)
    assert "<table>" in evaluation._repr_html_()
    with pytest.raises(af.InvalidRequest, match=r"0\.123 is no threshold"):
        evaluation.counts(0.123)
    with pytest.raises(af.InvalidRequest, match="there is no class 'whale'"):
        evaluation["whale"]


def test_overlap_is_taken_as_it_is_written(reef: SimulatedRecording, results: af.Detections) -> None:
    assert af.evaluate(results, reef.raven_path, overlap=0.1).details.rule.overlap == Fraction(1, 10)
    with pytest.raises(af.InvalidSettings, match="the overlap must be above 0"):
        af.evaluate(results, reef.raven_path, overlap=0)


def test_scene_can_be_changed_by_its_settings(tmp_path: Path) -> None:
    quiet = af.simulate(tmp_path / "quiet.wav", seconds=20, seed=6, calls_per_minute=0, biological_per_minute=0)
    assert len(quiet.annotations) == 0
    with pytest.raises(af.InvalidSettings, match="a scene has no setting 'loudness'; it has calls_per_minute"):
        af.simulate(tmp_path / "loud.wav", loudness=3)
