"""Several target classes in one run, each with its threshold, equal the runs of each class."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from anemonefish.cli.main import main
from anemonefish.errors import InvalidSettings
from anemonefish.evaluation.evaluate import evaluate
from anemonefish.front.saved_results import read_results
from anemonefish.plots.score_timeline import ScoreLine, plot_score_timeline
from anemonefish.results.read import read_result
from anemonefish.results.recording_result import RecordingResult
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.workflow.timelines import draw_result
from tests.decided_results import random_scores, write_formats, write_labels

BOTH = {"target_class": ["anemonefish", "biological"], "threshold": {"anemonefish": 0.6, "biological": 0.1}}


@pytest.fixture
def both(make_result: Callable[..., RecordingResult]) -> RecordingResult:
    return make_result("a.wav", random_scores(0), **BOTH)


def _table(folder: Path, suffix: str) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / f"a.wav{suffix}").read_text().splitlines()))


def test_events_of_several_classes_are_those_of_a_run_for_each(
    make_result: Callable[..., RecordingResult], both: RecordingResult
) -> None:
    single = [
        event
        for name, threshold in BOTH["threshold"].items()  # type: ignore[attr-defined]
        for event in make_result("a.wav", random_scores(0), target_class=name, threshold=threshold).events
    ]
    assert sorted(both.events, key=lambda event: (event.label, event.start)) == sorted(
        single, key=lambda event: (event.label, event.start)
    )
    assert {event.label for event in both.events} == {"anemonefish", "biological"}
    assert [event.start for event in both.events] == sorted(event.start for event in both.events)


def test_tables_have_columns_of_each_class(both: RecordingResult, tmp_path: Path) -> None:
    write_formats(tmp_path, both, "csv", "scores", "longterm", "raven", "audacity")
    assert {row["class"] for row in _table(tmp_path, ".events.csv")} == {"anemonefish", "biological"}
    assert {"smoothed_anemonefish", "smoothed_biological"} < set(_table(tmp_path, ".scores.csv")[0])
    minutes = _table(tmp_path, ".longterm.csv")
    for name in ("anemonefish", "biological"):
        assert sum(int(row[f"events_{name}"]) for row in minutes) == sum(event.label == name for event in both.events)
    labels = {line.split("\t")[2] for line in (tmp_path / "a.wav.audacity.txt").read_text().splitlines()}
    assert labels == {"anemonefish", "biological"}


def test_lab_json_names_all_classes_and_is_unchanged_for_one(
    make_result: Callable[..., RecordingResult], both: RecordingResult, tmp_path: Path
) -> None:
    write_formats(tmp_path, both, "json")
    metadata = json.loads((tmp_path / "a.wav.json").read_text())["metadata"]
    assert (metadata["target_class"], metadata["confidence_threshold"]) == (BOTH["target_class"], BOTH["threshold"])
    write_formats(tmp_path, make_result("a.wav", random_scores(0)), "json")
    metadata = json.loads((tmp_path / "a.wav.json").read_text())["metadata"]
    assert (metadata["target_class"], metadata["confidence_threshold"]) == ("anemonefish", 0.5)


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_saved_results_have_the_events_of_all_classes(both: RecordingResult, tmp_path: Path, form: str) -> None:
    write_formats(tmp_path, both, form)
    read = read_results(tmp_path)
    assert [(event.start_sample, event.end_sample, event.label) for event in read.events] == [
        (event.start, event.stop, event.label) for event in both.events
    ]
    assert "anemonefish and biological (reef" in repr(read)
    again = read.decide(threshold={"biological": 0.2})
    assert dict(again.settings.threshold)["anemonefish"] == 0.6  # type: ignore[arg-type]
    with pytest.raises(InvalidSettings, match="target_class must be one of"):
        read.decide(target_class=["anemonefish", "whale"])


def test_evaluation_marks_the_threshold_of_each_class(both: RecordingResult, tmp_path: Path) -> None:
    write_formats(tmp_path / "results", both, "parquet")
    labels = write_labels(tmp_path / "labels", a="1.0\t2.0\tanemonefish\n5.0\t9.0\tbiological\n")
    outcome = evaluate(tmp_path / "results", labels)
    scored = read_result(tmp_path / "results" / "a.wav.scores.parquet")
    assert [each.name for each in outcome.classes] == ["anemonefish", "biological"]
    for each in outcome.classes:
        own = outcome.threshold_of(each.name)
        assert own == BOTH["threshold"][each.name] == scored.decision.threshold_of(each.name)  # type: ignore[index]
        assert each.at(own).events == sum(event.label == each.name for event in both.events)
        assert each.by_recording["a.wav"] == each.at(own)


def test_the_timeline_shows_the_scores_of_each_class(both: RecordingResult) -> None:
    pytest.importorskip("matplotlib")
    assert draw_result(both).startswith(b"\x89PNG")
    scores = np.linspace(0, 1, 20, dtype=np.float32)
    starts = np.arange(20.0)
    one = plot_score_timeline(scores, starts, threshold=0.5, title="a", label="x")
    two = plot_score_timeline(
        scores, starts, threshold=0.5, title="a", label="x", others=[ScoreLine("y", scores[::-1], 0.3)]
    )
    assert one != two


def test_classes_and_thresholds_are_read_from_the_command_line(tmp_path: Path) -> None:
    write_scene(scene(3, seed=1), tmp_path / "scene.wav")
    options = ["--set", "target_class=anemonefish,biological", "--set", "threshold=anemonefish:0.6,*:0.4"]
    done = CliRunner().invoke(
        main,
        ["detect", str(tmp_path / "scene.wav"), "--out", str(tmp_path / "out"), "--formats", "json", *options],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    (file,) = (tmp_path / "out").glob("*.json")
    settings = json.loads(file.read_text())["settings"]
    assert settings["target_class"] == ["anemonefish", "biological"]
    assert settings["threshold"] == {"*": 0.4, "anemonefish": 0.6}
