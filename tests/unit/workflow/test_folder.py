"""A folder of three hundred recordings, twenty of them broken, and a process that is killed in the middle."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from tests.reference_models import LAB_MODEL

PATIENCE = 1800.0
"""Seconds that a job may take beside any other load."""

GOOD, BROKEN, PARTIAL = 280, 16, 4
SECONDS = 4


KINDS = (
    ("wav", 48_000, "WAV", "PCM_16"),
    ("flac", 48_000, "FLAC", "PCM_24"),
    ("aiff", 48_000, "AIFF", "PCM_16"),
    ("w64", 48_000, "W64", "FLOAT"),
    ("rf64", 48_000, "RF64", "PCM_24"),
    ("wav", 32_000, "WAV", "PCM_16"),
    ("ogg", 48_000, "OGG", "VORBIS"),
)


def _write_good(folder: Path) -> None:
    """Write recordings of seven kinds, all with calls, no two alike."""
    calls = SceneSettings(calls_per_minute=60, calls_per_bout=(1, 1))
    sounds = {
        rate: np.concatenate(list(scene(SECONDS, seed=7, sample_rate=rate, settings=calls).blocks(1 << 18)))
        for rate in (48_000, 32_000)
    }
    for number in range(GOOD):
        ending, rate, container, subtype = KINDS[number % len(KINDS)]
        path = folder / f"week{number // 100}" / f"{number:03d}.{ending}"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, sounds[rate] * (1 - number / 1_000), rate, format=container, subtype=subtype)


def _broken(folder: Path, good: Path) -> dict[str, bytes]:
    """Return the content of a file broken in each of ten ways, by its name."""
    wav = good.read_bytes()
    soundfile.write(folder / "nan.wav", np.where(np.arange(96_000) == 70_000, np.nan, 0.1), 48_000, subtype="FLOAT")
    soundfile.write(folder / "slow.wav", np.zeros(2_000), 500)
    soundfile.write(folder / "whole.flac", np.random.default_rng(1).normal(0, 0.1, 96_000), 48_000)
    flac = (folder / "whole.flac").read_bytes()
    return {
        "empty.wav": b"",
        "notes.wav": b"calm sea, no wind\n" * 50,
        "one_byte.wav": b"R",
        "header_only.wav": wav[:30],
        "no_channels.wav": wav[:22] + b"\0\0" + wav[24:],
        "cut.wav": wav[: len(wav) // 2],
        "cut.flac": flac[: len(flac) // 2],
        "nan.wav": (folder / "nan.wav").read_bytes(),
        "slow.wav": (folder / "slow.wav").read_bytes(),
        "noise.mp3": b"\xff\xfb\x90\x64" + np.random.default_rng(1).bytes(20_000),
    }


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployment")
    _write_good(folder)
    for copy in ("x", "y"):
        for name, content in _broken(tmp_path_factory.mktemp("broken"), folder / "week0/000.wav").items():
            (folder / "week1" / f"{copy}_{name}").write_bytes(content)
    return folder


def detect(folder: Path, out: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "anemonefish",
        "detect",
        str(folder),
        "--model",
        LAB_MODEL,
        "--out",
        str(out),
        "--formats",
        "csv,json,raven",
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def parts(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in out.glob(".anemonefish/parts/*/*.npy")}


def results(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".anemonefish" not in path.parts
    }


def test_killed_in_the_middle_and_resumed(deployment: Path, tmp_path: Path) -> None:
    whole = detect(deployment, tmp_path / "whole")
    said = whole.communicate(timeout=PATIENCE)[1]
    assert whole.returncode == 1
    assert "Traceback" not in said

    killed = detect(deployment, tmp_path / "killed")
    deadline = time.monotonic() + PATIENCE
    while not parts(tmp_path / "killed") and killed.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    before = parts(tmp_path / "killed")
    assert 0 < len(before) < GOOD

    resumed = detect(deployment, tmp_path / "killed")
    again = resumed.communicate(timeout=PATIENCE)[1]
    assert resumed.returncode == 1
    after = parts(tmp_path / "killed")
    assert {path: after[path] for path in before} == before  # no part was computed twice
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
    assert sorted(again.splitlines()) == sorted(said.splitlines())


def test_every_recording_ends_with_a_result_or_a_reason(deployment: Path, tmp_path: Path) -> None:
    done = detect(deployment, tmp_path)
    said = done.communicate(timeout=PATIENCE)[1]
    assert done.returncode == 1
    assert f"{BROKEN} of {GOOD + BROKEN + PARTIAL} recordings failed" in said
    rows = list(csv.DictReader((tmp_path / "summary.csv").read_text().splitlines()))
    reasons = {row["recording"]: row["error"] for row in rows if row["status"] == "failed"}
    assert len(rows) == GOOD + BROKEN + PARTIAL
    partial = {row["recording"].rpartition("/")[2]: row["notes"] for row in rows if row["status"] == "partial"}
    assert set(partial) == {f"{copy}_cut.{ending}" for copy in "xy" for ending in ("wav", "flac")}
    assert all("ends-early: " in notes for notes in partial.values())
    assert len(reasons) == BROKEN
    assert {name.rpartition("/")[2]: error for name, error in reasons.items() if "/x_" in name} == {
        "x_empty.wav": "EmptyRecording",
        "x_notes.wav": "UnreadableRecording",
        "x_one_byte.wav": "UnreadableRecording",
        "x_header_only.wav": "UnreadableRecording",
        "x_no_channels.wav": "UnreadableRecording",
        "x_nan.wav": "InvalidSamples",
        "x_slow.wav": "UnsupportedRecording",
        "x_noise.mp3": reasons["week1/y_noise.mp3"],
    }
    for row in rows:
        files = {path.name for path in tmp_path.glob(f"{row['recording']}.*")}
        assert len(files) == (0 if row["status"] == "failed" else 3), row
        if row["status"] == "failed":  # the file, what is wrong with it and the mend
            assert row["recording"] in row["message"]
            assert row["message"].count(";") >= 1, row["message"]
            assert f"{row['error']}: {row['message']}" in said
    combined = list(csv.DictReader((tmp_path / "combined.events.csv").read_text().splitlines()))
    assert len(combined) == sum(int(row["events"] or 0) for row in rows) > GOOD / 2


def test_another_folder_with_the_same_recordings_computes_nothing(deployment: Path, tmp_path: Path) -> None:
    """The journal knows recordings by their content: moved, renamed or with one more among them."""
    some = tmp_path / "some"
    shutil.copytree(deployment / "week2", some)
    first = detect(some, tmp_path / "out")
    first.communicate(timeout=PATIENCE)
    before = parts(tmp_path / "out")
    assert len(before) == 80
    moved = some.rename(tmp_path / "moved")
    (moved / "203.wav").rename(moved / "first.wav")
    write_scene(scene(SECONDS, seed=99), moved / "new.wav")
    detect(moved, tmp_path / "out").communicate(timeout=PATIENCE)
    after = parts(tmp_path / "out")
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 1
