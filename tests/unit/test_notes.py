"""Notes: one form, carried unchanged to everywhere a user looks."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from anemonefish.audio.health import Observed
from anemonefish.cli.main import main
from anemonefish.notes import CODES, Note, is_partial
from anemonefish.windows import WindowGrid
from tests.reference_models import LAB_MODEL, spec_of

REPOSITORY = Path(__file__).parents[2]


def test_a_code_that_nobody_documented_is_refused() -> None:
    with pytest.raises(ValueError, match="no code of a note"):
        Note("mystery", "something is odd")


def test_notes_survive_json() -> None:
    notes = (Note("silence", "x", {"steps": 3}), Note("start", "y"))
    assert Note.list_from(json.loads(json.dumps([asdict(note) for note in notes]))) == notes


def test_every_code_is_documented_in_the_same_words() -> None:
    text = (REPOSITORY / "docs/results.md").read_text()
    for code, meaning in CODES.items():
        assert f"| `{code}` | {meaning} |" in text


def test_a_partial_recording_says_so_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "recordings" / "cut.wav"
    path.parent.mkdir()
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 200_000) + 0.05, 48_000, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:-96_000])
    out = tmp_path / "results"
    done = CliRunner().invoke(
        main,
        ["detect", str(path.parent), "--model", LAB_MODEL, "--out", str(out), "--jobs", "1"],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    (row,) = csv.DictReader((out / "summary.csv").read_text().splitlines())
    assert row["status"] == "partial"
    metadata = json.loads((out / "cut.wav.json").read_text())["metadata"]
    codes = [note["code"] for note in metadata["notes"]]
    assert (metadata["status"], codes) == ("partial", ["ends-early", "dc-offset"])
    assert is_partial(Note.list_from(metadata["notes"]))
    (manifest,) = out.glob(".anemonefish/plans/*/manifest.json")
    (recording,) = json.loads(manifest.read_text())["recordings"]
    assert (recording["status"], recording["notes"]) == ("partial", metadata["notes"])
    for note in metadata["notes"]:
        assert f"{note['code']}: {note['message']}" in row["notes"]
        assert f"{note['code']}: cut.wav: {note['message']}" in done.output
    assert metadata["notes"][0]["numbers"] == {
        "header_samples": 200_000, "samples": 152_000, "start_sample": 152_000, "stop_sample": 200_000,
        "sample_rate": 48_000,
    }  # fmt: skip
    refused = CliRunner().invoke(main, ["detect", str(path), "--out", str(out), "--set", "damaged=refuse"])
    assert refused.exit_code == 1
    assert "TruncatedRecording" in refused.output


def test_a_recording_below_the_models_band_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "whale.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 20_000), 2_000)
    planned = CliRunner().invoke(main, ["plan", str(path)], catch_exceptions=False)
    spec = spec_of()
    assert spec.sample_rate is not None
    band = spec.profile.band(spec.sample_rate)[1]
    assert f"band-above-nyquist: whale.wav: the model listens up to {band:g} Hz" in planned.output


def test_a_hole_in_the_time_stamps_is_told_once(tmp_path: Path) -> None:
    """The silence that stands for a hole is no news to the meter; other silence is."""
    grid = WindowGrid(48_000 * 10, 19_200, 9_600)
    observed = Observed(steps=49, constant=((10, 20), (30, 35)))
    (note,) = observed.notes(grid, 48_000, 48_000, None, known=[(96_000, 192_000)])
    assert (note.code, note.numbers["stretches"], note.numbers["steps"]) == ("silence", 1, 5)
    assert note.numbers["start_sample"] == 30 * 9_600
