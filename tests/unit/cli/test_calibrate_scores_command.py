"""The command ``calibrate-scores`` keeps what it prints, and the next ``detect`` uses it for that site."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import anemonefish as af
from anemonefish.cli.main import main
from anemonefish.models.decision import Decision
from anemonefish.models.repository import PinnedModel
from anemonefish.results.read import ScoredRecording, find_results, read_result
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.review_units import draw_units, review_units
from anemonefish.results.verdict_table import write_verdicts
from anemonefish.results.verdicts import empty_rows
from tests.decided_results import random_scores, write_formats
from tests.reference_models import LAB_MODEL


@pytest.fixture
def models(models_uri: str, tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("calibrations")
    return Path(shutil.copytree(Path(models_uri, "reef"), tmp_path / "models/reef", ignore=ignored)).parent


@pytest.fixture
def reviewed(results: Path) -> Path:
    """Results with their table of verdicts."""
    judge(results, [read_result(path) for path in find_results(results).values()], Decision())
    return results


def judge(results: Path, scored: Sequence[ScoredRecording], decision: Decision) -> None:
    """Write a table of verdicts: yes is likelier at higher scores."""
    drawn = draw_units([unit for each in scored for unit in review_units(each)], 80, 1)
    rows = empty_rows(drawn, PinnedModel.from_dict(scored[0].origin["model"]), decision, 1)
    rng = np.random.default_rng(0)
    write_verdicts(
        results / "verdicts.csv",
        [
            replace(
                row,
                verdict="yes" if rng.random() < row.score else "no",
                reviewer="Ana",
                judged_at="2026-11-29T10:00:00Z",
            )
            for row in rows
        ],
    )


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(each) for each in arguments], env={"COLUMNS": "110"})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.slow
def test_printed_command_gives_probabilities_where_the_smoothing_is_not_the_models(
    make_result: Callable[..., RecordingResult], models: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    write_formats(results, make_result("a.wav", random_scores(1), median_windows=3))
    judge(results, [read_result(results / "a.wav.scores.parquet")], Decision(median_windows=3))
    printed = run("calibrate-scores", results, "--models", models)
    (line,) = (line for line in printed.splitlines() if line.startswith("anemonefish detect PATH"))
    _, *words = shlex.split(line)
    af.simulate(tmp_path / "reef.wav", seconds=6, seed=6)
    pasted = [str(tmp_path / "reef.wav") if word == "PATH" else word for word in words]
    run(*pasted, "--out", tmp_path / "out", "--formats", "csv")
    assert "probability" in (tmp_path / "out/reef.wav.events.csv").read_text()


@pytest.mark.slow
def test_printed_calibration_is_used_by_the_next_detect(reviewed: Path, models: Path, tmp_path: Path) -> None:
    printed = run("calibrate-scores", reviewed, "--site", "north", "--precision", "0.7", "--models", models)
    (kept,) = models.glob("reef/calibrations/scores/*/north.json")
    made = json.loads(kept.read_text())
    for words in (
        f"kept as calibration {made['id']}",
        f"detect PATH --model {LAB_MODEL} --models {models} --set site=north\n",
        f"{made['yes']} yes, {made['no']} no; recordings: 3, reviewers: 1; intervals by resampling verdicts",
        "threshold for a precision of 0.7",
        "calls were not counted",
    ):
        assert words in printed
    af.simulate(tmp_path / "reef.wav", seconds=6, seed=6)
    about = ("--model", LAB_MODEL, "--models", models, "--out", tmp_path / "out")
    detect = ("detect", tmp_path / "reef.wav", *about, "--formats", "json,csv")
    assert "calibrated for north; for probabilities add --set site=NAME" in run(*detect)
    assert "probability" not in (tmp_path / "out/reef.wav.events.csv").read_text()
    assert f"probabilities by calibration {made['id']} of the site north: 80 verdicts" in run(
        *detect, "--set", "site=north"
    )
    event, *_ = json.loads((tmp_path / "out/reef.wav.json").read_text())["events"]
    logit = np.log(event["max_confidence"] / (1 - event["max_confidence"]))
    expected = 1 / (1 + np.exp(-(made["curve"]["intercept"] + made["curve"]["slope"] * min(logit, np.log(999)))))
    assert event["probability"] == pytest.approx(expected, abs=1e-4)


def test_json_is_the_calibration_and_nothing_is_kept_on_request(reviewed: Path, models: Path) -> None:
    made = json.loads(run("calibrate-scores", reviewed, "--models", models, "--json", "--no-keep"))
    assert made["model"] == LAB_MODEL
    assert not list(models.rglob("calibrations"))


def test_unknown_site_and_missing_verdicts_are_one_line_each(results: Path, models: Path, tmp_path: Path) -> None:
    af.simulate(tmp_path / "reef.wav", seconds=6, seed=6)
    about = ("--model", LAB_MODEL, "--models", models, "--out", tmp_path / "out")
    for arguments, words in (
        (["calibrate-scores", results, "--models", models], "verdicts.csv"),
        (
            ["detect", tmp_path / "reef.wav", *about, "--set", "site=x"],
            f"{LAB_MODEL} has no calibration for the site 'x'; leave site out",
        ),
    ):
        done = CliRunner().invoke(main, [str(each) for each in arguments])
        assert done.exit_code == 1
        assert words in done.output
        assert "Traceback" not in done.output
