"""Work spread over processes: what is scored is not scored again; a process that dies takes one range with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from anemonefish.errors import Failure
from anemonefish.jobs.plan import TranscodeTask
from anemonefish.settings import Settings
from anemonefish.workflow import local as laptop
from anemonefish.workflow.find_recordings import find_recordings

MakeRecording = Callable[..., Path]


def detect(recordings: list[Path], models_uri: str, out: Path, **settings: object) -> list[tuple[int, int]]:
    """Run a job in one process; return what the progress was told."""
    told: list[tuple[int, int]] = []
    laptop.detect(
        find_recordings([str(path) for path in recordings]).recordings,
        "reef@production", Settings.load(settings, environment={}),
        models_uri=models_uri, out=out, processes=1, progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    return told


def test_deciding_again_starts_no_process(
    make_recording: MakeRecording, models_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = [make_recording("a.wav"), make_recording("b.wav", frames=60_000)]
    detect(recordings, models_uri, tmp_path / "out")

    def no_pool(workers: int) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(laptop, "_pool", no_pool)
    detect(recordings, models_uri, tmp_path / "out", threshold=0.9)
    document = json.loads((tmp_path / "out" / "b.wav.json").read_text())
    assert document["settings"]["threshold"] == 0.9
    with pytest.raises(AssertionError, match="a process was started"):
        detect([*recordings, make_recording("c.wav", frames=70_000)], models_uri, tmp_path / "out")


def test_deciding_again_loads_no_engine(make_recording: MakeRecording, models_uri: str, tmp_path: Path) -> None:
    recording = make_recording()
    detect([recording], models_uri, tmp_path / "out")
    program = dedent(
        """
        import sys
        from anemonefish.cli.main import main
        if __name__ == "__main__":
            main(sys.argv[1:], standalone_mode=False)
            print("loaded:", *(name for name in ("ai_edge_litert", "ncnn", "tensorflow") if name in sys.modules))
        """
    )
    arguments = ["detect", str(recording), "--models", models_uri, "--out", str(tmp_path / "out"), "--threshold", "0.9"]
    ended = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1].strip() == "loaded:"


def test_progress_counts_what_is_scored_already(make_recording: MakeRecording, models_uri: str, tmp_path: Path) -> None:
    recordings = [make_recording(f"{number}.wav", frames=50_000 + 9_600 * number) for number in range(6)]
    first = detect(recordings[:3], models_uri, tmp_path / "out")
    assert [done for done, _ in first] == sorted({done for done, _ in first})
    assert first[-1][0] == first[-1][1]
    second = detect(recordings, models_uri, tmp_path / "out")
    assert second[0][0] > first[-1][1]
    assert second[-1][0] == second[-1][1]


def work(task: TranscodeTask) -> Failure | None:
    """Note that a task began; die for some names, and refuse others."""
    with Path(task.uri).open("a") as file:
        file.write(f"{task.path}\n")
    if task.path.startswith("kills"):
        os._exit(9)
    return Failure("RangeFailed", f"{task.path}: refused") if task.path.startswith("bad") else None


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[TranscodeTask], Failure | None]:
    """Return :func:`work` from a module that processes can import."""
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "deadly_work.py").write_text(Path(__file__).read_text())
    monkeypatch.syspath_prepend(str(tmp_path / "module"))
    import deadly_work  # type: ignore[import-not-found]

    found: Callable[[TranscodeTask], Failure | None] = deadly_work.work
    return found


def test_process_that_dies_takes_one_task_with_it(
    importable: Callable[[TranscodeTask], Failure | None], tmp_path: Path
) -> None:
    names = [f"good {number}" for number in range(40)]
    names[5], names[6], names[30] = "kills 5", "bad 6", "kills 30"
    log = tmp_path / "log"
    tasks = [TranscodeTask(uri=str(log), version="1", path=name, prefix="") for name in names]
    calls = [tasks[first : first + 3] for first in range(0, len(tasks), 3)]
    outcomes = {task.path: reason for task, reason in laptop._run_all(importable, calls, 2)}
    assert sorted(outcomes) == sorted(names)
    reasons = {name: reason.message for name, reason in outcomes.items() if reason is not None}
    assert reasons == {
        "kills 5": "kills 5: the process died; is memory short?",
        "kills 30": "kills 30: the process died; is memory short?",
        "bad 6": "bad 6: refused",
    }
    begun = log.read_text().splitlines()
    assert begun.count("good 39") == 1, "what comes long after the one that kills is done once"
