"""Detect, score and plan from Python: results, failures, and the same files as the command line."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import anemonefish as af
from anemonefish.cli.main import main
from anemonefish.front import scored_jobs
from anemonefish.front.simulated_recordings import SimulatedRecording
from tests.reference_models import LAB_MODEL, n_windows, spec_of


def files(folder: Path) -> dict[str, bytes]:
    """Return the results in a folder, without what is kept beside them."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".anemonefish" not in path.parts
    }


def test_saved_results_are_the_files_of_the_command_line(deployment: Path, tmp_path: Path) -> None:
    options = ["--clips", "--pictures", "--set", "time_zone=+10:00", "--threshold", "0.4"]
    done = CliRunner().invoke(main, ["detect", str(deployment), "--out", str(tmp_path / "command"), *options])
    assert done.exit_code == 1  # one recording is broken
    given = {"time_zone": "+10:00", "threshold": 0.4}
    results = af.detect(deployment, failures="ignore", **given)
    results.save(tmp_path / "saved", clips=True, pictures=True)
    af.detect(deployment, folder=tmp_path / "written", failures="ignore", clips=True, pictures=True, **given)
    expected = files(tmp_path / "command")
    assert {"summary.csv", "combined.selections.txt", "day 2/b.wav.json", "review/activity.png"} <= expected.keys()
    assert files(tmp_path / "saved") == expected
    assert files(tmp_path / "written") == expected


def test_deciding_again_saves_what_the_command_line_would(reef: SimulatedRecording, tmp_path: Path) -> None:
    out = tmp_path / "command"
    arguments = ["detect", str(reef.path), "--out", str(out), "--threshold", "0.8", "--formats", "raven,json"]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    results = af.detect(reef.path, processes=1).decide(threshold=0.8)
    results.save(tmp_path / "saved", ["raven", "json"])
    assert files(tmp_path / "saved") == files(out)


def test_only_recording_that_is_broken_raises_its_own_error(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.write_bytes(b"")
    for function in (af.detect, af.score, af.plan):
        with pytest.raises(af.errors.EmptyRecording, match=r"empty\.wav: the file is empty"):
            function(path)
    with pytest.raises(af.errors.RecordingNotFound):
        af.detect(tmp_path / "missing.wav")


def test_failed_recordings_are_warned_of_and_kept(deployment: Path) -> None:
    with pytest.warns(UserWarning, match=r"1 of 3 recordings failed: UnreadableRecording: .*broken\.wav") as warned:
        results = af.detect(deployment)
    assert warned[0].filename == __file__
    assert results.names == ("20230210_000001.wav", "day 2/b.wav")
    assert len(results) == 2
    assert list(results.failures) == ["broken.wav"]
    assert isinstance(results.failures["broken.wav"], af.errors.UnreadableRecording)
    with pytest.raises(af.errors.UnreadableRecording):
        results["broken.wav"]
    assert "broken.wav failed: UnreadableRecording" in repr(results)
    assert "broken.wav failed: UnreadableRecording" in results._repr_html_()
    assert results.not_looked_at == ("notes.xyz",)


def test_failures_can_be_raised_or_left_to_the_caller(deployment: Path) -> None:
    with pytest.raises(af.errors.UnreadableRecording):
        af.detect(deployment, failures="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(af.score(deployment, failures="ignore").failures) == 1
    with pytest.raises(af.InvalidSettings, match="failures must be one of warn, raise, ignore"):
        af.detect(deployment, failures="hide")


def test_scores_are_those_of_the_results(deployment: Path) -> None:
    results = af.detect(deployment, failures="ignore")
    scores = af.score(deployment, failures="ignore")
    assert np.array_equal(scores.values, results.scores.values)
    expected = {"20230210_000001.wav": n_windows(6, spec_of()), "day 2/b.wav": n_windows(4, spec_of())}
    assert scores.recordings == results.scores.recordings == expected
    assert list(scores.failures) == ["broken.wav"]
    assert scores.start_seconds[expected["20230210_000001.wav"]] == 0  # the second recording begins anew
    assert scores.notes == results.notes


def test_results_hold_no_scores_and_read_them_when_asked(
    results: af.Detections, windows_of_reef: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    read = scored_jobs.read_scores
    monkeypatch.setattr(scored_jobs, "read_scores", lambda *given: reads.append(given) or read(*given))
    assert results.events
    assert repr(results)
    assert reads == []
    assert len(results.scores) == windows_of_reef
    assert len(reads) == 1


def test_scores_that_were_deleted_are_an_error(reef: SimulatedRecording, tmp_path: Path) -> None:
    results = af.detect(reef.path, folder=tmp_path / "out", processes=1)
    for path in (tmp_path / "out" / ".anemonefish" / "parts").rglob("*.npy"):
        path.unlink()
    with pytest.raises(af.StorageError, match=r"reef\.wav: its scores are gone .*; detect again"):
        results.scores  # noqa: B018


def test_folder_keeps_scores_for_the_next_call(reef: SimulatedRecording, tmp_path: Path) -> None:
    af.detect(reef.path, folder=tmp_path / "out", processes=1)
    done: list[tuple[int, int]] = []
    af.detect(reef.path, folder=tmp_path / "out", threshold=0.9, progress=lambda *step: done.append(step))
    assert done == [], "nothing is scored again"


def test_progress_counts_windows(reef: SimulatedRecording, windows_of_reef: int) -> None:
    done: list[tuple[int, int]] = []
    af.detect(reef.path, processes=1, progress=lambda *step: done.append(step))
    assert done[-1] == (windows_of_reef, windows_of_reef)


def test_clips_need_a_folder(reef: SimulatedRecording) -> None:
    with pytest.raises(af.InvalidRequest, match="clips and pictures need a folder"):
        af.detect(reef.path, clips=True)


def test_unknown_setting_is_refused(reef: SimulatedRecording) -> None:
    with pytest.raises(af.InvalidSettings, match="there is no setting 'treshold'"):
        af.detect(reef.path, treshold=0.5)


def test_loaded_model_can_be_given(reef: SimulatedRecording, results: af.Detections) -> None:
    assert af.detect(reef.path, af.load_model("reef"), processes=1).events == results.events
    model = af.load_model(LAB_MODEL)
    assert af.detect(reef.path, model, processes=1).events == af.detect(reef.path, LAB_MODEL, processes=1).events


def test_environment_names_the_model(reef: SimulatedRecording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANEMONEFISH_MODEL", "whale")
    with pytest.raises(af.errors.ModelNotFound, match="whale"):
        af.detect(reef.path)


def test_plan_quotes_before_anything_runs(reef: SimulatedRecording, windows_of_reef: int) -> None:
    assert af.plan([reef.path], target_seconds=60).quote.windows == windows_of_reef


def test_script_without_a_guard_runs_once(reef: SimulatedRecording, tmp_path: Path) -> None:
    """Processes that are spawned do not run the script again."""
    script = tmp_path / "script.py"
    script.write_text(
        f"import anemonefish as af\nprint('begins')\nprint(len(af.detect({str(reef.path)!r}, processes=2)))\n"
    )
    done = subprocess.run([sys.executable, str(script)], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["begins", "1"]


def test_temporary_folder_goes_with_the_results(
    reef: SimulatedRecording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    results = af.detect(reef.path, processes=1)
    assert len(list(tmp_path.iterdir())) == 1
    del results
    assert not list(tmp_path.iterdir())
    (tmp_path / "empty.wav").write_bytes(b"")
    with pytest.raises(af.RecordingError):
        af.detect(tmp_path / "empty.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.wav"]
