"""``anemonefish remote`` on a local AWS, over HTTP only: the command a lab types."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from anemonefish.cli import main
from anemonefish.report import REPORTS
from anemonefish.simulate import SceneSettings, scene, write_scene
from localstack import Stack

from .conftest import Api

MINUTES = 21


@pytest.fixture(scope="module")
def long_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording above 100 MB: a busy minute, again and again."""
    path = tmp_path_factory.mktemp("long") / "20230210_000001_LL_B55_M_R.wav"
    minute = np.concatenate(list(scene(60, seed=7, settings=SceneSettings(calls_per_minute=20)).blocks(480_000)))
    with soundfile.SoundFile(path, "w", 48_000, 1, "PCM_16") as file:
        for _ in range(MINUTES):
            file.write(minute)
    assert path.stat().st_size > 100_000_000
    return path


@pytest.fixture
def run(stack: Stack) -> Callable[..., subprocess.CompletedProcess[str]]:
    environment = {**os.environ, "ANEMONEFISH_API_URL": stack.api_url, "ANEMONEFISH_API_KEY": stack.api_key}

    def command(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "anemonefish", "remote", *map(str, words)],
            env={**environment, **more}, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    return command


def on_the_laptop(out: Path, *paths: Path) -> dict[str, bytes]:
    done = CliRunner().invoke(main, ["detect", *map(str, paths), "--out", str(out)])
    assert done.exit_code in {0, 1}, done.output
    return files_of(out)


def files_of(out: Path) -> dict[str, bytes]:
    return {
        file.relative_to(out).as_posix(): file.read_bytes()
        for file in sorted(out.rglob("*"))
        if file.is_file() and ".anemonefish" not in file.parts
    }


# What names the recording by its path on this machine, which an upload has not.
WITH_PATHS = (".selections.txt", ".json", ".scores.parquet", ".kaleidoscope.csv")


def test_a_long_recording_gives_the_laptops_files(
    run: Callable[..., subprocess.CompletedProcess[str]], long_recording: Path, tmp_path: Path
) -> None:
    done = run("detect", long_recording, "--out", tmp_path / "remote")
    assert done.returncode == 0, done.stderr
    remote, local = files_of(tmp_path / "remote"), on_the_laptop(tmp_path / "local", long_recording)
    assert (
        set(remote)
        == set(local)
        == {f"{long_recording.name}{each.suffix}" for each in REPORTS.values()} | {"summary.csv"}
    )
    for name, content in remote.items():
        if not name.endswith(WITH_PATHS):
            assert content == local[name], name
    here, there = (json.loads(files[f"{long_recording.name}.json"]) for files in (local, remote))
    assert here["events"] == there["events"] != []
    assert here["predictions"] == there["predictions"]


def test_step_by_step(run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    clip = tmp_path / "a.wav"
    write_scene(scene(20, seed=11, settings=SceneSettings(calls_per_minute=40, calls_per_bout=(1, 1))), clip)
    quote = json.loads(run("quote", clip).stdout)
    assert quote["quote"]["windows"] == 99
    execution = run("start", clip, "--threshold", "0.4").stdout.strip()
    ended = json.loads(run("status", execution, "--wait").stdout)
    assert (ended["status"], ended["settings"]["threshold"]) == ("SUCCEEDED", 0.4)
    assert execution in run("list").stdout
    assert run("results", execution, "--out", tmp_path / "a", "--formats", "csv,raven").returncode == 0
    assert set(files_of(tmp_path / "a")) == {"a.wav.events.csv", "a.wav.selections.txt", "summary.csv"}
    decided = run("decide", execution, "--threshold", "0.9", "--out", tmp_path / "b", "--formats", "csv")
    assert decided.returncode == 0, decided.stderr
    fresh = run("detect", clip, "--threshold", "0.9", "--out", tmp_path / "c", "--formats", "csv")
    assert fresh.returncode == 0, fresh.stderr
    assert files_of(tmp_path / "b")["a.wav.events.csv"] == files_of(tmp_path / "c")["a.wav.events.csv"]
    answer = json.loads(run("predict", clip, "--threshold", "0.4").stdout)
    assert answer["metadata"]["total_windows"] == 99
    assert answer["metadata"]["confidence_threshold"] == 0.4
    for words, status in (("cancel", "SUCCEEDED"), ("resume", "SUCCEEDED")):
        refused = run(words, execution)
        assert refused.returncode == 1
        assert refused.stderr.startswith("WrongState: ")
        assert status.lower() in refused.stderr.lower()


def test_a_folder_with_a_broken_recording(run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    """Folders are kept, the good ones are finished, and each bad one has its reason: one here, one there."""
    folder = tmp_path / "deployment"
    for name in ("day1/a.wav", "day2/a.wav"):
        (folder / name).parent.mkdir(parents=True)
        write_scene(scene(5, seed=len(name)), folder / name)
    (folder / "day2" / "empty.wav").write_bytes(b"")
    (folder / "day2" / "notes.wav").write_text("calm sea\n" * 50)
    done = run("detect", folder, "--out", tmp_path / "out", "--formats", "csv,audacity")
    assert done.returncode == 1
    assert "UnreadableRecording: day2/notes.wav: " in done.stderr
    assert "day2/empty.wav: " in done.stderr
    assert "Traceback" not in done.stderr
    assert set(files_of(tmp_path / "out")) == {
        *(f"day{day}/a.wav{suffix}" for day in (1, 2) for suffix in (".events.csv", ".audacity.txt")),
        "summary.csv",
    }
    local = on_the_laptop(tmp_path / "laptop", folder)
    for name, content in files_of(tmp_path / "out").items():
        if name.endswith(".audacity.txt"):
            assert content == local[name]


@pytest.mark.parametrize(
    ("words", "more", "said"),
    [
        (["list"], {"ANEMONEFISH_API_KEY": "x" * 40}, "NotAllowed: the key is missing or unknown"),
        (["list"], {"ANEMONEFISH_API_URL": ""}, "InvalidRequest: which API?"),
        (["status", "e-aaaaaaaaaaaaaaaaaaaaaaaaaa"], {}, "ExecutionNotFound: "),
        (["detect", "nothing.wav"], {}, "RecordingNotFound: nothing.wav: "),
        (["detect", "s3://bucket/a.wav"], {}, "InvalidRequest: s3://bucket/a.wav: files are uploaded from here"),
        (["decide", "e-aaaaaaaaaaaaaaaaaaaaaaaaaa", "--threshold", "7"], {}, "ExecutionNotFound: "),
        (["results", "e-aaaaaaaaaaaaaaaaaaaaaaaaaa", "--formats", "doc"], {}, "ExecutionNotFound|there is no format"),
    ],
)
def test_mistakes_are_one_line(
    run: Callable[..., subprocess.CompletedProcess[str]], words: list[str], more: dict[str, str], said: str
) -> None:
    done = run(*words, **more)
    assert done.returncode == 1
    assert re.search(said, done.stderr), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_key_is_asked_for_where_the_environment_has_none(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANEMONEFISH_API_KEY", raising=False)
    done = CliRunner().invoke(main, ["remote", "--url", api.url, "list"], input=f"{api.key}\n")
    assert done.exit_code == 0, done.output
    assert api.key not in done.output
