"""Results that are read back are the results that were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import anemonefish as af
from anemonefish.front.simulated_recordings import SimulatedRecording


def test_results_are_read_as_they_were_saved(deployment: Path, tmp_path: Path) -> None:
    results = af.detect(deployment, failures="ignore", time_zone="UTC", threshold=0.3)
    results.save(tmp_path / "one")
    again = af.read_results(tmp_path / "one")
    assert again.names == results.names
    assert again.events == results.events
    assert again.notes == results.notes
    assert np.array_equal(again.scores.values, results.scores.values)
    assert {name: str(error) for name, error in again.failures.items()} == {
        name: str(error) for name, error in results.failures.items()
    }
    assert again.settings.decision() == results.settings.decision()
    assert again.decide(threshold=0.1).events == results.decide(threshold=0.1).events
    assert repr(again) == repr(results)
    again.save(tmp_path / "two")
    for path in (tmp_path / "one").glob("[!.]*.*"):
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes()


def test_results_with_json_alone_are_read(results: af.Detections, tmp_path: Path) -> None:
    results.save(tmp_path, "json")
    again = af.read_results(tmp_path)
    assert [event.start_sample for event in again.events] == [event.start_sample for event in results.events]
    assert np.abs(again.scores.values - results.scores.values).max() <= 1e-6


def test_model_is_needed_for_reports_only(results: af.Detections, tmp_path: Path) -> None:
    results.save(tmp_path / "one", "parquet")
    again = af.read_results(tmp_path / "one", models=tmp_path / "nowhere")
    assert again.decide(threshold=0.2).plot().png
    with pytest.raises(af.errors.ModelNotFound):
        again.save(tmp_path / "two")


def test_results_of_two_settings_are_refused(reef: SimulatedRecording, results: af.Detections, tmp_path: Path) -> None:
    results.save(tmp_path / "a", "parquet")
    results.decide(threshold=0.7).save(tmp_path / "b", "parquet")
    (tmp_path / "b" / "reef.wav.scores.parquet").rename(tmp_path / "a" / "other.wav.scores.parquet")
    with pytest.raises(af.InvalidRequest, match="with other settings or another model"):
        af.read_results(tmp_path / "a")


def test_folder_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(af.InvalidRequest, match="no results in this folder"):
        af.read_results(tmp_path)
