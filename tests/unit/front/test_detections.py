"""Results in a notebook: one or several recordings, tables, plots, deciding again."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import anemonefish as af
from anemonefish.front.display import MOST_ROWS
from anemonefish.front.simulated_recordings import SimulatedRecording

PNG = b"\x89PNG\r\n\x1a\n"


def test_recording_is_found_by_name_and_position(results: af.Detections) -> None:
    assert len(results) == 1
    assert results["reef.wav"] is results[0] is next(iter(results))
    assert "reef.wav" in results
    assert "other.wav" not in results
    with pytest.raises(KeyError, match=r"there is no recording 'other.wav'; there are reef.wav"):
        results["other.wav"]


def test_events_say_when_and_how_sure(results: af.Detections) -> None:
    event = results.events[0]
    assert event.recording == "reef.wav"
    assert event.label == "anemonefish"
    assert event.end_time - event.start_time == pytest.approx(event.duration)
    assert event.start_time == event.start_sample / event.sample_rate
    assert results.settings.threshold is not None
    assert results.settings.threshold < event.mean_score <= event.max_score < 1
    assert results[0].events == results.events


def test_deciding_again_changes_events_and_no_score(results: af.Detections) -> None:
    lower = results.decide(threshold=0.1)
    assert lower.settings.threshold == 0.1
    more, fewer = (sum(event.n_windows for event in each.events) for each in (lower, results))
    assert more > fewer > 0  # windows, because events may be joined
    assert np.array_equal(lower.scores.values, results.scores.values)
    assert results.decide(target_class="biological").events[0].label == "biological"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hop_seconds": 0.1}, "hop_seconds does not decide events; call detect again with it"),
        ({"threshold": 2}, "threshold must be a number"),
        ({"treshold": 0.2}, "there is no setting 'treshold'"),
        ({"target_class": "whale"}, "target_class must be one of noise, anemonefish, biological, not 'whale'"),
    ],
)
def test_settings_that_decide_nothing_are_refused(
    results: af.Detections, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(af.InvalidSettings, match=words):
        results.decide(**settings)


def test_data_frames_are_the_tables_of_events_and_effort(deployment: Path, tmp_path: Path) -> None:
    results = af.detect(deployment, failures="ignore", time_zone="UTC", local_time_zone="+10:00", threshold=0.2)
    results.save(tmp_path / "out", "csv")
    for name, frame in (("combined.events.csv", results.to_dataframe()), ("effort.csv", results.effort())):
        rows = list(csv.DictReader((tmp_path / "out" / name).open()))
        assert len(rows) == len(frame) >= 1
        assert list(frame) == list(rows[0])
        for row, (_, values) in zip(rows, frame.iterrows(), strict=True):
            for column, cell in row.items():
                value = values[column]
                if cell and isinstance(value, float):
                    assert float(cell) == pytest.approx(value, abs=1e-6)
                else:
                    assert cell == ("" if pd.isna(value) else str(value))
    assert len(results.to_dataframe()) == len(results.events)
    assert set(results.effort()["time_zone"].dropna()) == {"UTC+10:00"}
    assert set(results.effort(time_zone="Europe/Paris")["time_zone"].dropna()) == {"Europe/Paris"}
    assert results.plot().png == results.plot_effort().png


def test_data_frame_of_scores_names_recordings_and_classes(results: af.Detections, windows_of_reef: int) -> None:
    frame = results.scores.to_dataframe()
    assert list(frame) == ["recording", "start_time", "end_time", "noise", "anemonefish", "biological"]
    assert len(frame) == windows_of_reef
    assert set(frame["recording"]) == {"reef.wav"}
    assert np.array_equal(frame["anemonefish"], results.scores["anemonefish"])


def test_without_pandas_the_error_says_what_to_install(results: af.Detections, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for table in (results, results.scores, results[0]):
        with pytest.raises(ImportError, match=r"pip install 'anemonefish\[pandas\]'"):
            table.to_dataframe()


def test_scores_are_an_array_with_named_columns(results: af.Detections, windows_of_reef: int) -> None:
    scores = results.scores
    assert np.asarray(scores).shape == (windows_of_reef, 3)
    assert np.array_equal(scores["biological"], np.asarray(scores)[:, 2])
    assert scores.end_seconds[0] == pytest.approx(0.4)
    with pytest.raises(af.InvalidRequest, match="there is no class 'whale'"):
        scores["whale"]


def test_names_are_escaped_in_html(reef: SimulatedRecording, results: af.Detections) -> None:
    named = replace(results[0], name="<b>&.wav", events=(replace(results.events[0], recording="<b>&.wav"),))
    for html in (named._repr_html_(), replace(results, recordings=(named,))._repr_html_()):
        assert "&lt;b&gt;&amp;.wav" in html
        assert "<b>" not in html


def test_long_results_are_shown_in_part(results: af.Detections) -> None:
    many = replace(results, recordings=results.recordings * 30)
    assert "... and 20 more recordings" in repr(many)
    assert f"<p>... and {30 * len(results.events) - MOST_ROWS} more</p>" in many._repr_html_()


def test_plot_is_a_picture(results: af.Detections, tmp_path: Path) -> None:
    picture = results.plot()
    assert picture._repr_png_().startswith(PNG)
    assert picture.save(tmp_path / "plot.png").read_bytes() == picture.png
    several = replace(results, recordings=results.recordings * 2)
    assert several.plot().png.startswith(PNG)
    assert several.plot().png != picture.png
    with pytest.raises(af.InvalidRequest, match="no recording to draw"):
        replace(results, recordings=()).plot()


def test_saving_refuses_an_unknown_format(results: af.Detections, tmp_path: Path) -> None:
    with pytest.raises(af.InvalidSettings, match="formats must be a list of"):
        results.save(tmp_path / "out", "doc")
    assert not (tmp_path / "out").exists()


def test_saving_keeps_files_of_the_user(results: af.Detections, tmp_path: Path) -> None:
    (tmp_path / "summary.csv").write_text("mine")
    with pytest.raises(af.StorageError, match=r"summary\.csv would be overwritten"):
        results.save(tmp_path)
    assert (tmp_path / "summary.csv").read_text() == "mine"


def test_saving_again_replaces_the_results(results: af.Detections, tmp_path: Path) -> None:
    results.save(tmp_path, ["raven", "csv"])
    results.save(tmp_path, "csv")
    assert not (tmp_path / "reef.wav.selections.txt").exists()
    assert csv.DictReader(io.StringIO((tmp_path / "reef.wav.events.csv").read_text())).fieldnames
