"""A folder of results is one run's: what stays, what goes, who waits, and what is never read."""

from __future__ import annotations

import csv
import errno
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anemonefish.cli.main import main
from anemonefish.errors import StorageError
from anemonefish.recording_names import is_own_clip
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.workflow import folder_lock
from anemonefish.workflow.results_folder import ResultsFolder, owned_files


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def detect(*arguments: object) -> Result:
    return run("detect", *arguments, "--jobs", 1)


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    folder = tmp_path / "dep"
    folder.mkdir()
    calls = SceneSettings(calls_per_minute=60, calls_per_bout=(1, 1))
    for seed, name in enumerate(("a.wav", "b.wav")):
        write_scene(scene(6, seed=7 + seed, sample_rate=48_000, settings=calls), folder / name)
    return folder


def visible(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".anemonefish" not in path.parts
    }


def recordings(out: Path) -> list[str]:
    return [row["recording"] for row in csv.DictReader((out / "summary.csv").open())]


# --- one run replaces another ----------------------------------------------------------------------------------------


def test_a_run_leaves_nothing_of_the_run_before(deployment: Path, tmp_path: Path) -> None:
    assert detect(deployment, "--out", tmp_path / "out", "--clips", "--set", "threshold=0.3").exit_code == 0
    before = visible(tmp_path / "out")
    assert {"combined.events.csv", "combined.selections.txt", "b.wav.json"} <= before.keys()
    assert any(is_own_clip(name) for name in before)
    assert detect(deployment / "a.wav", "--out", tmp_path / "out", "--formats", "csv").exit_code == 0
    assert visible(tmp_path / "out").keys() == {"summary.csv", "effort.csv", "a.wav.events.csv"}
    assert not (tmp_path / "out" / "review").exists()
    assert owned_files(tmp_path / "out") == {"summary.csv", "effort.csv", "a.wav.events.csv"}


def test_the_same_run_again_changes_no_file(deployment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert detect(deployment, "--out", out, "--clips").exit_code == 0
    times = {name: (out / name).stat().st_mtime_ns for name in visible(out)}
    assert detect(deployment, "--out", out, "--clips").exit_code == 0
    assert {name: (out / name).stat().st_mtime_ns for name in visible(out)} == times


def test_files_of_the_user_are_never_touched(deployment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert detect(deployment, "--out", out, "--formats", "csv", "--clips").exit_code == 0
    (out / "notes.txt").write_text("calm")
    (out / "review" / "clips" / "best.flac").write_text("mine")
    assert detect(deployment / "a.wav", "--out", out, "--formats", "csv").exit_code == 0
    found = visible(out)
    assert found.keys() == {"summary.csv", "effort.csv", "a.wav.events.csv", "notes.txt", "review/clips/best.flac"}
    assert found["notes.txt"] == b"calm"


@pytest.mark.parametrize("name", ["summary.csv", "a.wav.events.csv", "combined.events.csv"])
def test_a_file_of_the_user_is_not_overwritten_and_nothing_is_scored(
    deployment: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    result = detect(deployment, "--out", out, "--formats", "csv")
    assert result.exit_code == 1
    assert f"StorageError: {out}: {name} would be overwritten" in result.stderr
    assert visible(out) == {name: b"mine"}
    assert not list(out.rglob("*.npy"))


def test_a_result_that_the_user_edited_is_kept(deployment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert detect(deployment, "--out", out, "--formats", "raven").exit_code == 0
    with (out / "a.wav.selections.txt").open("a") as file:
        file.write("reviewed\n")
    edited = (out / "a.wav.selections.txt").read_bytes()
    result = detect(deployment, "--out", out, "--formats", "raven", "--threshold", 0.9)
    assert result.exit_code == 1
    assert "a.wav.selections.txt would be overwritten, but no run wrote it there, or it was changed" in result.stderr
    assert detect(deployment / "b.wav", "--out", out, "--formats", "raven").exit_code == 0
    assert (out / "a.wav.selections.txt").read_bytes() == edited


@pytest.mark.parametrize("obstacle", ["a.wav.events.csv/x", "day"])
def test_a_folder_or_file_in_the_way_is_found_before_anything_is_scored(
    deployment: Path, tmp_path: Path, obstacle: str
) -> None:
    (deployment / "day").mkdir()
    shutil.copy(deployment / "b.wav", deployment / "day" / "b.wav")
    (tmp_path / "out" / obstacle).parent.mkdir(parents=True)
    (tmp_path / "out" / obstacle).write_text("mine")
    result = detect(deployment, "--out", tmp_path / "out", "--formats", "csv")
    assert result.exit_code == 1
    assert "would be overwritten" in result.stderr
    assert not list((tmp_path / "out").rglob("*.npy"))


def test_a_copy_of_a_folder_is_a_folder_of_results_still(deployment: Path, tmp_path: Path) -> None:
    assert detect(deployment, "--out", tmp_path / "out", "--formats", "csv").exit_code == 0
    shutil.copytree(tmp_path / "out", tmp_path / "copy", copy_function=shutil.copyfile)  # with other times
    assert detect(deployment / "a.wav", "--out", tmp_path / "copy", "--formats", "csv").exit_code == 0
    assert visible(tmp_path / "copy").keys() == {"summary.csv", "effort.csv", "a.wav.events.csv"}


def test_results_of_a_version_without_a_manifest_of_the_folder_are_replaced(deployment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert detect(deployment, "--out", out, "--formats", "csv", "--clips").exit_code == 0
    (out / ".anemonefish" / "manifest.json").unlink()
    for name in ("clips.csv", "index.html"):  # such a version wrote no index
        (out / "review" / "clips" / name).unlink()
    assert detect(deployment / "a.wav", "--out", out, "--formats", "csv", "--threshold", 0.9).exit_code == 0
    assert visible(out).keys() == {"summary.csv", "effort.csv", "a.wav.events.csv"}


def test_a_damaged_manifest_makes_every_file_the_users(deployment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert detect(deployment, "--out", out, "--formats", "csv").exit_code == 0
    before = visible(out)
    (out / ".anemonefish" / "manifest.json").write_text('{"files": [')
    assert "would be overwritten" in detect(deployment, "--out", out, "--formats", "csv").stderr
    assert visible(out) == before


def test_old_results_stay_when_a_run_fails(deployment: Path, tmp_path: Path) -> None:
    assert detect(deployment, "--out", tmp_path / "out").exit_code == 0
    before = visible(tmp_path / "out")
    (tmp_path / "empty.wav").touch()
    assert detect(tmp_path / "empty.wav", "--out", tmp_path / "out").exit_code == 1
    assert visible(tmp_path / "out") == before


class _PowerCut(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moves", [0, 1, 5])
def test_an_exchange_that_is_cut_short_is_put_right_by_the_next_run(
    deployment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    out = tmp_path / "out"
    assert detect(deployment, "--out", out, "--threshold", 0.3).exit_code == 0
    whole = visible(out)
    done = 0
    move = ResultsFolder._move

    def fail(self: ResultsFolder, name: str) -> None:
        nonlocal done
        if done == moves:
            raise _PowerCut
        done += 1
        move(self, name)

    with monkeypatch.context() as patched:
        patched.setattr(ResultsFolder, "_move", fail)
        with pytest.raises(_PowerCut):
            detect(deployment, "--out", out, "--threshold", 0.9)
    assert visible(out).keys() == whole.keys()
    assert detect(deployment, "--out", out, "--threshold", 0.3).exit_code == 0
    assert visible(out) == whole


# --- one run at a time -----------------------------------------------------------------------------------------------


def test_a_second_run_is_refused_while_one_works_there(deployment: Path, tmp_path: Path) -> None:
    with ResultsFolder(tmp_path / "out"):
        result = detect(deployment, "--out", tmp_path / "out")
        assert result.exit_code == 1
        assert "another run writes there now" in result.stderr
        assert f"process {os.getpid()} on {socket.gethostname()}" in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert detect(deployment, "--out", tmp_path / "out").exit_code == 0


def test_nothing_is_left_where_nothing_was_written(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path / "out"):
        assert (tmp_path / "out" / ".anemonefish" / "lock").exists()
    assert not (tmp_path / "out").exists()


HOLD = """
import sys, time
from pathlib import Path
from anemonefish.workflow.results_folder import ResultsFolder
with ResultsFolder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the lock of the folder ``out``."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_does_not_outlive_a_process_that_is_killed(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    half = tmp_path / "out" / ".anemonefish" / "parts" / "x" / ".unfinished-abc"
    half.parent.mkdir(parents=True)
    half.write_text("half")
    with pytest.raises(StorageError, match=f"process {holder.pid} on"):
        ResultsFolder(tmp_path / "out").__enter__()
    assert half.exists()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with ResultsFolder(tmp_path / "out"):
        assert not half.exists()  # what the killed one had not finished is removed


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without locks."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def owner(out: Path, **record: object) -> Path:
    path = out / ".anemonefish" / "lock.owner"
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = {"pid": os.getpid(), "host": socket.gethostname(), "boot": folder_lock.boot_id()}
    path.write_text(json.dumps(mine | record))
    return path


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_second_run_is_refused_as_well(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path / "out"):
        with pytest.raises(StorageError, match="another run writes there now"):
            ResultsFolder(tmp_path / "out").__enter__()
        assert (tmp_path / "out" / ".anemonefish" / "lock.owner").exists()
    with ResultsFolder(tmp_path / "out"):
        pass


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_process_that_is_gone_is_followed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    owner(tmp_path / "out", pid=ended.pid)
    with ResultsFolder(tmp_path / "out"):
        pass
    owner(tmp_path / "out", boot="another start of this computer")
    with ResultsFolder(tmp_path / "out"):
        pass


@pytest.mark.usefixtures("no_locks")
def test_without_locks_nobody_takes_over_from_another_computer(tmp_path: Path) -> None:
    path = owner(tmp_path / "out", host="ship", pid=1)
    with pytest.raises(StorageError, match=f"process 1 on ship.*if that computer has stopped, delete {path}"):
        ResultsFolder(tmp_path / "out").__enter__()
    assert path.exists()


def test_two_runs_that_start_together_do_not_mix(deployment: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "anemonefish", "detect", "--out", str(tmp_path / "out"), "--formats", "csv"]
    both = [
        subprocess.Popen([*command, str(deployment / name)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in ("a.wav", "b.wav")
    ]
    ended = [(process.communicate(timeout=120), process.returncode) for process in both]
    refused = [said for (_, said), code in ended if code]
    assert all("another run writes there now" in said for said in refused)
    assert len(refused) < 2
    (name,) = recordings(tmp_path / "out")
    assert visible(tmp_path / "out").keys() == {"summary.csv", "effort.csv", f"{name}.events.csv"}


# --- results are no recordings ---------------------------------------------------------------------------------------

OUTS: list[Callable[[Path], Path]] = [
    lambda deployment: deployment / "results",
    lambda deployment: deployment / "a" / "b",
    lambda deployment: deployment,
]


@pytest.mark.parametrize("where", OUTS, ids=["below", "deep below", "the same"])
@pytest.mark.parametrize("linked", [False, True])
def test_results_of_earlier_runs_are_not_analysed(
    deployment: Path, tmp_path: Path, where: Callable[[Path], Path], linked: bool
) -> None:
    (tmp_path / "link").symlink_to(deployment)
    runs = []
    for number in range(3):
        # Every other time by another way to the same folder.
        folder = tmp_path / "link" if linked and number % 2 else deployment
        out = where(tmp_path / "link" if linked and not number % 2 else deployment)
        result = detect(folder, "--out", out, "--clips", "--set", "threshold=0.3")
        assert result.exit_code == 0, result.output
        assert recordings(out) == ["a.wav", "b.wav"]
        runs.append(visible(where(deployment)))
    assert runs[0] == runs[1] == runs[2]
    assert any(is_own_clip(name) for name in runs[0])


def test_results_of_another_run_below_the_recordings_are_passed_over(deployment: Path, tmp_path: Path) -> None:
    assert detect(deployment, "--out", deployment / "first", "--clips").exit_code == 0
    result = detect(deployment, "--out", tmp_path / "second")
    assert recordings(tmp_path / "second") == ["a.wav", "b.wav"]
    assert "clips were passed over: results of earlier runs" in result.stderr
    (deployment / "first" / "new.wav").write_bytes((deployment / "a.wav").read_bytes())  # the user's, put there
    assert detect(deployment, "--out", tmp_path / "second").exit_code == 0
    assert recordings(tmp_path / "second") == ["a.wav", "b.wav", "first/new.wav"]


def test_a_clip_that_the_run_would_replace_is_refused_as_its_input(deployment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert detect(deployment, "--out", out, "--clips", "--set", "threshold=0.3").exit_code == 0
    before = visible(out)
    clip = next(out.rglob("*.flac"))
    for given in (clip, clip.parent):
        result = detect(given, "--out", out)
        assert result.exit_code == 1
        assert "this is a result of an earlier run in this folder" in result.stderr
    assert visible(out) == before
    assert detect(clip, "--out", tmp_path / "other").exit_code == 0  # named by the user, for another folder


# --- what a run needs is known before it begins ----------------------------------------------------------------------

WITHOUT = """
import importlib.util, sys
find_spec = importlib.util.find_spec
hidden = sys.argv.pop(1)
importlib.util.find_spec = lambda name, *more: None if name.partition(".")[0] == hidden else find_spec(name, *more)
class Finder:
    def find_spec(self, name, *more):
        if name.partition(".")[0] == hidden:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Finder())
from anemonefish.cli.main import main
main(prog_name="anemonefish")
"""


@pytest.mark.parametrize(
    ("library", "options", "extra"),
    [("matplotlib", ["--pictures"], "pictures"), ("matplotlib", ["--clips", "--pictures"], "pictures"),
     ("arro3", ["--formats", "csv,parquet"], "cli"), ("arro3", [], "cli")],
)  # fmt: skip
def test_a_library_that_is_not_installed_is_said_before_any_scoring(
    deployment: Path, tmp_path: Path, library: str, options: list[str], extra: str
) -> None:
    command = [sys.executable, "-c", WITHOUT, library, "detect", str(deployment), "--out", str(tmp_path / "out")]
    began = time.monotonic()
    ended = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    assert (
        f"needs {library}, which is not installed; install it with pip install 'anemonefish[{extra}]'" in ended.stderr
    )
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()
    assert time.monotonic() - began < 60
    ended = subprocess.run([*command, "--formats", "csv"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
