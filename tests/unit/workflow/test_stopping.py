"""Signals: a command that is stopped ends its workers, leaves nothing half written and says how to go on."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from anemonefish.interrupts import command_line
from anemonefish.simulation.scene import scene, write_scene

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings that take some seconds, in a folder whose name a shell must be told about."""
    folder = tmp_path_factory.mktemp("stopping") / "day 1 'a'"
    folder.mkdir()
    write_scene(scene(300, seed=3), folder / "0.wav")
    content = (folder / "0.wav").read_bytes()
    for number in range(1, 4):
        (folder / f"{number}.wav").write_bytes(content[:-1] + bytes([number]))
    return folder


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "anemonefish", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        **options,  # type: ignore[call-overload]
    )  # fmt: skip


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def parts(out: Path) -> list[Path]:
    return list(out.glob(".anemonefish/parts/*/*.npy"))


def processes_of(session: int) -> list[int]:
    """Return the processes of a session, those that have ended left out."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            facts = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(facts[3]) == session and facts[0] != "Z":
            found.append(int(folder.name))
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


@needs_proc
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("everybody", [True, False], ids=["the whole group", "the command alone"])
def test_a_signal_ends_the_command_and_its_workers(
    deployment: Path, tmp_path: Path, number: signal.Signals, everybody: bool
) -> None:
    out = tmp_path / "o u't"
    process = start("detect", deployment, "--out", out, "--jobs", 2, "--formats", "csv")
    wait_for(lambda: parts(out))
    (os.killpg if everybody else os.kill)(process.pid, number)
    said, complained = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said == ""
    assert complained.splitlines() == [
        "the results are as they were before; what is scored is kept, and this goes on there:",
        shlex.join([sys.executable, "-m", "anemonefish", "detect", str(deployment), "--out", str(out), "--jobs", "2",
                    "--formats", "csv"]),
        f"stopped by {number.name}",
    ]  # fmt: skip
    wait_for(lambda: not processes_of(process.pid), 10)
    assert not list(out.rglob(".unfinished*"))
    assert [path.name for path in out.iterdir()] == [".anemonefish"]
    before = {path: path.stat().st_mtime_ns for path in parts(out)}
    if number != signal.SIGTERM:
        return
    # The line that was printed, pasted into a shell, goes on.
    again = subprocess.run(["bash", "-c", complained.splitlines()[1]], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (out / "summary.csv").exists()


@needs_proc
def test_second_signal_ends_the_command_with_the_same_exit_code(deployment: Path, tmp_path: Path) -> None:
    process = start("detect", deployment, "--out", tmp_path / "out", "--jobs", 2)
    wait_for(lambda: parts(tmp_path / "out"))
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.02)
    _, complained = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in complained
    wait_for(lambda: not processes_of(process.pid), 10)
    assert not list((tmp_path / "out").rglob(".unfinished*"))


@needs_proc
def test_workers_do_not_outlive_a_command_that_is_killed(deployment: Path, tmp_path: Path) -> None:
    process = start("detect", deployment, "--out", tmp_path / "out", "--jobs", 2)
    wait_for(lambda: parts(tmp_path / "out"))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    wait_for(lambda: not processes_of(process.pid), 10)


@pytest.fixture(scope="module")
def seconds_of_a_run(deployment: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    began = time.monotonic()
    start("detect", deployment, "--out", tmp_path_factory.mktemp("timed"), "--jobs", 2).communicate(timeout=120)
    return time.monotonic() - began


@needs_proc
@pytest.mark.parametrize("part", [0.2, 0.35, 0.5, 0.65, 0.8])
def test_ctrl_c_at_any_moment_shows_no_traceback(
    deployment: Path, tmp_path: Path, seconds_of_a_run: float, part: float
) -> None:
    """Also while modules are loaded and workers start: a terminal sends it to them as well."""
    process = start("detect", deployment, "--out", tmp_path / "out", "--jobs", 2)
    time.sleep(part * seconds_of_a_run)
    os.killpg(process.pid, signal.SIGINT)
    _, complained = process.communicate(timeout=60)
    done = (tmp_path / "out" / "summary.csv").exists()  # a faster run than the timed one may end before the signal
    assert process.returncode in ({0, 130} if done else {130}), complained
    assert "Traceback" not in complained
    assert "resource_tracker" not in complained
    wait_for(lambda: not processes_of(process.pid), 10)


def test_old_results_are_whole_when_a_run_is_stopped(deployment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = start("detect", deployment / "1.wav", "--out", out, "--formats", "csv")
    first.communicate(timeout=120)
    before = {path: path.read_bytes() for path in out.glob("*.csv")}
    process = start("detect", deployment, "--out", out, "--jobs", 2, "--formats", "csv")
    done = len(parts(out))
    wait_for(lambda: len(parts(out)) > done)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert {path: path.read_bytes() for path in out.glob("*.csv")} == before


def test_signals_that_nohup_ignores_stay_ignored(deployment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(
        "detect", deployment / "1.wav", "--out", out, "--jobs", 1, "--formats", "csv",
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    wait_for(lambda: parts(out))
    os.killpg(process.pid, signal.SIGHUP)
    _, complained = process.communicate(timeout=120)
    assert process.returncode == 0, complained


def test_a_reader_that_goes_away_sees_no_traceback(deployment: Path, tmp_path: Path) -> None:
    program = f"{shlex.quote(sys.executable)} -m anemonefish"
    recording, out = shlex.quote(str(deployment / "1.wav")), shlex.quote(str(tmp_path / "out"))
    for command in (
        f"detect {recording} --out {out} --formats csv",
        "models show reef",
        "detect --help",
        "models list",
    ):
        ended = subprocess.run(["bash", "-c", f"{program} {command} | head -c 1"], capture_output=True, check=False)
        assert not any(word in ended.stderr for word in (b"Traceback", b"BrokenPipe", b"Error", b"ignored")), command
    assert (tmp_path / "out" / "summary.csv").exists()


@pytest.mark.parametrize(
    "name", ["a b", "it's", '$HOME `x` "q"', "#x", "ü 名", "--", "p\udce9che\\'", "tab\tand\nline", "", "*?[a]", "!x"]
)
def test_the_command_line_can_be_pasted(name: str) -> None:
    line = command_line(["printf", "%s|", name, "end"])
    pasted = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert pasted.stdout == os.fsencode(name) + b"|end|"
    assert line.isprintable()
