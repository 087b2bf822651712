"""Results with a calibration: every format has the probability and says by what; without one, nothing changes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import anemonefish as af
from anemonefish.jobs.score_calibration import ScoreCalibration
from anemonefish.models.repository import ModelRepository
from anemonefish.results.csv_tables import EVENT_COLUMNS
from anemonefish.results.read import read_result
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.summary import Outcome, write_job_files
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from tests.decided_results import random_scores, write_formats
from tests.reference_models import LAB_MODEL
from tests.score_calibrations import calibration_of


@pytest.fixture
def calibration(models_uri: str) -> ScoreCalibration:
    models = ModelRepository(open_store(models_uri))
    return calibration_of(models, models.pin(LAB_MODEL), site="north")


@pytest.fixture
def plain(make_result: Callable[..., RecordingResult]) -> RecordingResult:
    return replace(make_result("a.wav", random_scores(3)), calibration=None)


@pytest.fixture
def calibrated(plain: RecordingResult, calibration: ScoreCalibration) -> RecordingResult:
    return replace(plain, calibration=calibration)


def rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_every_format_has_the_same_probability_of_its_highest_score(
    calibrated: RecordingResult, calibration: ScoreCalibration, tmp_path: Path
) -> None:
    write_formats(tmp_path, calibrated, "json", "csv", "raven")
    document = json.loads((tmp_path / "a.wav.json").read_text())
    expected = [round(float(calibration.curve.probability(e["max_confidence"])), 4) for e in document["events"]]
    assert len(expected) > 3
    for found in (
        [event["probability"] for event in document["events"]],
        [float(row["probability"]) for row in rows(tmp_path / "a.wav.events.csv")],
        [float(row["Probability"]) for row in rows(tmp_path / "a.wav.selections.txt", "\t")],
    ):
        assert found == pytest.approx(expected, abs=1e-4)


def test_result_says_which_calibration_it_was(
    calibrated: RecordingResult, calibration: ScoreCalibration, tmp_path: Path
) -> None:
    write_formats(tmp_path, calibrated, "json", "parquet")
    document = json.loads((tmp_path / "a.wav.json").read_text())
    assert document["metadata"]["calibration"] == {
        "id": calibration.id,
        "site": "north",
        "verdicts": 100,
        "judged_at": "2026-11-29T10:00:00Z",
        "intercept": -1.0,
        "slope": 1.5,
    }
    stamped = read_result(tmp_path / "a.wav.scores.parquet").origin["calibration"]
    assert ScoreCalibration.from_dict(stamped, "here") == calibration


def test_result_without_a_calibration_does_not_mention_one(plain: RecordingResult, tmp_path: Path) -> None:
    write_formats(tmp_path, plain, "json", "csv", "raven", "parquet")
    for path in tmp_path.iterdir():
        assert b"calibration" not in path.read_bytes(), path
        assert b'robability"' not in path.read_bytes(), path
    assert (tmp_path / "a.wav.events.csv").read_text().splitlines()[0] == ",".join(EVENT_COLUMNS)
    assert (tmp_path / "a.wav.selections.txt").read_text().splitlines()[0].endswith("Begin UTC")


def test_tables_of_all_recordings_have_the_column(
    calibrated: RecordingResult, calibration: ScoreCalibration, tmp_path: Path
) -> None:
    outcomes = [Outcome(calibrated.recording, len(calibrated.scores), calibrated)] * 2
    write_job_files(
        tmp_path, outcomes, Settings(formats=("csv", "raven")), several=True, calibrated=True, model_card=""
    )
    both = rows(tmp_path / "combined.events.csv"), rows(tmp_path / "combined.selections.txt", "\t")
    assert [float(row["probability"]) for row in both[0]] == [float(row["Probability"]) for row in both[1]]
    assert len(both[0]) == 2 * len(calibrated.events)


def test_results_that_are_read_again_keep_their_probabilities(
    calibrated: RecordingResult, calibration: ScoreCalibration, tmp_path: Path
) -> None:
    write_formats(tmp_path, calibrated, "json", "parquet")
    results = af.read_results(tmp_path)
    assert results.calibration == calibration
    assert [event.probability for event in results.events] == [calibrated.probability(e) for e in calibrated.events]
    assert results.decide(threshold=0.3).calibration == calibration
    other = results.decide(median_windows=3)
    assert other.calibration is None
    assert {event.probability for event in other.events} == {None}


def test_results_decided_with_another_smoothing_say_why_they_have_no_probability(
    calibrated: RecordingResult, tmp_path: Path
) -> None:
    write_formats(tmp_path / "before", calibrated, "json", "parquet")
    af.read_results(tmp_path / "before").decide(median_windows=3).save(tmp_path / "after", ["json", "parquet"])
    (result,) = af.read_results(tmp_path / "after")
    assert result.calibration is None
    assert [note.message for note in result.notes if note.code == "calibration-unused"] == [
        f"the calibration {calibrated.calibration.id} of the scores is not for these results "  # type: ignore[union-attr]
        f"(median_windows 3 instead of 5), so its events have no probability; review results that were decided so, and "
        f"calibrate again"
    ]
