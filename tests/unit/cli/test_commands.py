"""The command line: what it prints, what it writes, how it exits."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from anemonefish.audio.resample import resampling
from anemonefish.cli.main import main
from tests.reference_models import LAB_MODEL, n_windows, spec_of

MakeRecording = Callable[..., Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def reef_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scene") / "scene.wav"
    assert run("simulate", "--seconds", 30, "--seed", 6, "--out", path).exit_code == 0
    return path


def test_simulate_writes_sound_and_labels(reef_scene: Path) -> None:
    assert soundfile.info(reef_scene).frames == 30 * 48_000
    raven = list(csv.DictReader(reef_scene.with_name("scene.wav.selections.txt").open(), delimiter="\t"))
    audacity = reef_scene.with_name("scene.wav.audacity.txt").read_text().splitlines()
    assert len(raven) == len(audacity) > 0
    assert {row["Class"] for row in raven} <= {"anemonefish", "biological"}


@pytest.mark.parametrize(
    ("options", "least"),
    [
        (["--model", LAB_MODEL], 0.6),
        (["--threshold", 0.5], 0.6),
        ([], 0.5),
    ],
)
def test_detect_finds_the_simulated_calls(
    reef_scene: Path, tmp_path: Path, options: list[object], least: float
) -> None:
    spec = spec_of(LAB_MODEL if LAB_MODEL in options else "reef")
    result = run("detect", reef_scene, "--out", tmp_path / "out", "--jobs", 2, *options)
    assert result.exit_code == 0, result.output
    events = list(csv.DictReader((tmp_path / "out" / "scene.wav.events.csv").open()))
    labels = [line.split("\t") for line in reef_scene.with_name("scene.wav.audacity.txt").read_text().splitlines()]
    calls = [(float(start), float(stop)) for start, stop, label in labels if label == "anemonefish"]
    found = [
        any(float(event["start_time"]) < stop and start < float(event["end_time"]) for event in events)
        for start, stop in calls
    ]
    assert len(calls) >= 3
    assert sum(found) >= least * len(calls)
    assert "1 recording," in result.output
    document = json.loads((tmp_path / "out" / "scene.wav.json").read_text())
    line = document["metadata"]["model_card"]
    assert line.startswith("fit for science: no (trained on simulated scenes only")
    assert document["model"]["card"] == line
    assert f"{document['metadata']['model_version']}: {line}" in result.stdout
    (row,) = csv.DictReader((tmp_path / "out" / "summary.csv").open())
    assert row["model_card"] == line
    assert document["metadata"]["num_events"] == len(events)
    assert document["metadata"]["total_windows"] == len(document["predictions"]) == n_windows(30, spec)


def test_another_threshold_reuses_the_scores(reef_scene: Path, tmp_path: Path) -> None:
    run("detect", reef_scene, "--out", tmp_path)
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / ".anemonefish").rglob("*.npy")}
    run("detect", reef_scene, "--out", tmp_path, "--threshold", 0.9)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / ".anemonefish").rglob("*.npy")} == parts
    assert json.loads((tmp_path / "scene.wav.json").read_text())["metadata"]["confidence_threshold"] == 0.9


def test_a_folder_is_one_job_and_a_broken_file_does_not_stop_it(make_recording: MakeRecording, tmp_path: Path) -> None:
    for name in ("deployment/a.wav", "deployment/day 2/b.flac", "deployment/day 2/a.wav"):
        make_recording(name)
    (tmp_path / "deployment" / "broken.wav").write_bytes(b"RIFF")
    poison = np.zeros(48_000, np.float32)
    poison[30_000] = np.nan
    soundfile.write(tmp_path / "deployment" / "poison.wav", poison, 48_000, subtype="FLOAT")
    (tmp_path / "deployment" / "notes.txt").write_text("calm")
    result = run("detect", tmp_path / "deployment", "--out", tmp_path / "out")
    assert result.exit_code == 1
    rows = {row["recording"]: row for row in csv.DictReader((tmp_path / "out" / "summary.csv").open())}
    assert {name: row["status"] for name, row in rows.items()} == {
        "a.wav": "done", "day 2/b.flac": "done", "day 2/a.wav": "done", "broken.wav": "failed", "poison.wav": "failed",
    }  # fmt: skip
    assert rows["broken.wav"]["error"] == "UnreadableRecording"
    assert rows["poison.wav"]["error"] == "InvalidSamples"
    assert "sample 30000" in rows["poison.wav"]["message"]
    assert "2 of 5 recordings failed" in result.stderr
    assert "Traceback" not in result.output
    assert (tmp_path / "out" / "day 2" / "b.flac.selections.txt").exists()
    assert not (tmp_path / "out" / "poison.wav.json").exists()


def test_the_only_recording_being_broken_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    path.write_bytes(b"")
    result = run("detect", path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert (
        result.stderr.strip() == f"EmptyRecording: {path}: the file is empty (0 bytes); copy it again from the recorder"
    )
    assert result.stdout == ""


@pytest.mark.parametrize("model", [LAB_MODEL, "reef"])
def test_detect_says_that_it_resampled(make_recording: MakeRecording, tmp_path: Path, model: str) -> None:
    path = make_recording("slow.wav", rate=32_000, frames=64_000)
    result = run("detect", path, "--out", tmp_path / "out", "--model", model)
    assert result.exit_code == 0
    spec = spec_of(model)
    rate = spec.sample_rate
    assert rate is not None
    assert f"slow.wav: resampled from 32000 Hz to {rate} Hz" in result.output
    recording = json.loads((tmp_path / "out" / "slow.wav.json").read_text())["recording"]
    assert (recording["sample_rate"], recording["analysis_sample_rate"], recording["resampled"]) == (
        32_000, rate, resampling(32_000, rate, spec.profile.top_hz(rate)),
    )  # fmt: skip
    if model == LAB_MODEL:
        assert (rate, recording["resampled"]) == (48_000, "soxr HQ")


def test_a_model_that_may_not_resample_refuses(make_recording: MakeRecording, tmp_path: Path) -> None:
    path = make_recording("slow.wav", rate=32_000)
    result = run("detect", path, "--out", tmp_path / "out", "--set", "resample=false")
    assert result.exit_code == 1
    assert "UnsupportedRecording" in result.stderr
    assert f"takes recordings at {spec_of().sample_rate} Hz, this one has 32000 Hz" in result.stderr


def test_the_real_reef(reef_recording: Path, tmp_path: Path) -> None:
    result = run("detect", reef_recording, "--out", tmp_path)
    assert result.exit_code == 0
    assert f"resampled from 32000 Hz to {spec_of().sample_rate} Hz" in result.output
    document = json.loads((tmp_path / f"{reef_recording.name}.json").read_text())
    assert document["metadata"]["audio_duration"] == 39.586219


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "treshold=1"], "InvalidSettings: there is no setting 'treshold'"),
        (["--set", "threshold"], "InvalidSettings: 'threshold' is not a setting; write NAME=VALUE"),
        (["--threshold", "7"], "InvalidSettings: threshold must be a number at least 0 and below 1"),
        (["--formats", "csv,doc"], "InvalidSettings: formats must be a list of"),
        (["--model", "whale"], "ModelNotFound: there is no model 'whale'"),
        (["--model", "Whale!"], "InvalidRequest: 'Whale!' is not a model"),
        (["--set", "target_class=whale"], "InvalidSettings: target_class must be one of noise, anemonefish"),
        (["--set", "window_seconds=1.0"], "InvalidSettings: window_seconds must be 0.4 for reef"),
    ],
)
def test_mistakes_are_one_line(make_recording: MakeRecording, tmp_path: Path, options: list[str], words: str) -> None:
    result = run("detect", make_recording(), "--out", tmp_path / "out", *options)
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [["--set", "start={}"], ["--start", "{}"]])
def test_the_start_of_the_only_recording_can_be_given(
    make_recording: MakeRecording, tmp_path: Path, options: list[str]
) -> None:
    given = [option.format("2019-09-20T10:42:48+10:00") for option in options]
    result = run("detect", make_recording(), "--out", tmp_path / "out", "--formats", "json", *given)
    assert result.exit_code == 0, result.output
    recording = json.loads((tmp_path / "out" / "noise.wav.json").read_text())["recording"]
    assert recording["start_utc"] == "2019-09-20T00:42:48.000000Z"


def test_one_start_for_several_recordings_is_refused(make_recording: MakeRecording, tmp_path: Path) -> None:
    make_recording("deployment/a.wav")
    make_recording("deployment/b.wav")
    for command in (["detect", "--out", tmp_path / "out", "--start=2019-09-20T10:42:48Z"], ["plan"]):
        result = run(*command, tmp_path / "deployment", "--set", "start=2019-09-20T10:42:48Z")
        assert result.exit_code == 1
        assert "start says when one recording begins, and here are 2; set time_zone" in result.stderr


@pytest.mark.parametrize(
    ("setting", "name", "utc"),
    [
        ("time_zone=+10:00", "20230210_120000.wav", "2023-02-10T02:00:00.000000Z"),
        ("time_zone=-03:30", "20230210_120000.wav", "2023-02-10T15:30:00.000000Z"),
        ("time_zone=Australia/Brisbane", "20230210_120000.wav", "2023-02-10T02:00:00.000000Z"),
        ("name_pattern=%Y%m%d_%H%M%S%z", "x20230210_120000Z.wav", "2023-02-10T12:00:00.000000Z"),
    ],
)
def test_settings_that_messages_advise_work_when_pasted(
    make_recording: MakeRecording, tmp_path: Path, setting: str, name: str, utc: str
) -> None:
    result = run("detect", make_recording(name), "--out", tmp_path / "out", "--formats", "json", "--set", setting)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / f"{name}.json").read_text())["recording"]["start_utc"] == utc


def test_formats_choose_what_is_written(make_recording: MakeRecording, tmp_path: Path) -> None:
    run("detect", make_recording(), "--out", tmp_path / "out", "--formats", "raven,csv")
    written = {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")}
    assert written == {"noise.wav.selections.txt", "noise.wav.events.csv", "summary.csv", "effort.csv"}


def test_plan_quotes_before_anything_runs(make_recording: MakeRecording) -> None:
    path = make_recording("long.wav", frames=48_000 * 60)
    quote = json.loads(run("plan", path, "--json").stdout)
    assert quote["windows"] == n_windows(60, spec_of())
    assert quote["audio_seconds"] == 60
    assert quote["ranges"] >= 1
    assert quote["expected_seconds"] > 0
    assert quote["expected_usd"] > 0
    shown = run("plan", path).stdout
    for words in (
        "expected cost",
        "1 workers score, 1 report; the longest function, ",
        "USD: scoring ",
        " requests to S3 ",
        " USD a month",
    ):
        assert words in shown


def test_models_verify_and_show() -> None:
    assert "golden scores within" in run("models", "verify", "reef").stdout
    assert json.loads(run("models", "show", "reef@production").stdout)["name"] == "reef"
    missing = run("models", "verify", "reef@9.9")
    assert missing.exit_code == 1
    assert "ModelNotFound" in missing.stderr


def test_same_names_do_not_overwrite_each_other(make_recording: MakeRecording, tmp_path: Path) -> None:
    first, second = make_recording("one/a.wav"), make_recording("two/a.wav", frames=96_000)
    assert run("detect", first, second, "--out", tmp_path / "out", "--formats", "json").exit_code == 0
    lengths = [
        json.loads((tmp_path / "out" / name).read_text())["recording"]["frames"]
        for name in ("a.wav.json", "a-2.wav.json")
    ]
    assert lengths == [48_000, 96_000]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("tab\tand\nline.wav", "tab_and_line.wav"),
        ("ä ü 名.wav", "ä ü 名.wav"),
        ("n" * 246 + ".wav", "n" * 196 + ".wav"),
    ],
)
def test_odd_names_get_results_all_the_same(
    make_recording: MakeRecording, tmp_path: Path, name: str, shown: str
) -> None:
    make_recording(f"deployment/{name}")
    assert run("detect", tmp_path / "deployment", "--out", tmp_path / "out", "--formats", "raven").exit_code == 0
    assert (tmp_path / "out" / f"{shown}.selections.txt").exists()


def test_a_folder_that_cannot_be_written_is_one_line(make_recording: MakeRecording, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    result = run("detect", make_recording(), "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "StorageError" in result.stderr
    assert "cannot be written" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    result = run("detect", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "RecordingNotFound" in result.stderr
    assert "no recording in this folder" in result.stderr
