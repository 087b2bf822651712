"""Section ``cold``: the time from the start of a process to the first score, and the installed size.

Our side does what the score function does on its first call, with the same functions and only the worker's layers: it
imports, checks every hash and the golden example of the model, and reads, scores and stores one range of one window.
The lab's side imports its libraries, loads the network, reads the window, makes its spectrogram and predicts. On both
sides files are in the system's cache and bytecode is compiled.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import soundfile

from anemonefish.jobs.request import RecordingRequest
from anemonefish.settings import Settings
from anemonefish.workflow.planner import plan_job
from bench.lab import MODELS, REPOSITORY, LabModel, recording
from bench.measure import in_turn
from bench.rows import Row, compared, figure, missing

__all__ = ["rows"]

_LAYERS = REPOSITORY / ".build" / "layers"
_WORKER_LAYERS = ("AnemonefishLayer", "DspLayer")
_LAB_LIBRARIES = ("tensorflow", "keras", "librosa", "matplotlib")
_WANTED_RATIO = 8.0
_WANTED_MB = 200.0

_OURS = """
import json, sys, tempfile
from anemonefish.jobs.job import Job
from anemonefish.models.repository import PinnedModel, ready_model
from anemonefish.jobs.plan import RangeTask
from anemonefish.workflow.score import score_ranges
from anemonefish.stores import open_store
event = json.loads(sys.argv[1])
job = Job.at(open_store(tempfile.mkdtemp(dir=event["folder"])), "jobs/bench/cold")
model = ready_model(event["models"], PinnedModel.from_dict(event["model"]))
assert score_ranges(job, RangeTask.list_from(event["ranges"]), model).computed == 1
"""

_THEIRS = """
import sys
from bench import lab_pipeline
from pathlib import Path
network = lab_pipeline.load(Path(sys.argv[1]))
batches = lab_pipeline.preprocess(*lab_pipeline.decode(Path(sys.argv[2]), sys.argv[3]), sys.argv[3])
assert len(lab_pipeline.score(network, batches)) == 1
"""


def rows(quick: bool) -> Iterator[Row]:
    """Yield cold starts of every model, then sizes."""
    if all((_LAYERS / layer).exists() for layer in _WORKER_LAYERS):
        for title in ("v2", "reef") if quick else ("v1", "v2", "reef"):
            yield _start(MODELS[title], rounds=1 if quick else 3)
        yield from _sizes()
    else:
        yield missing("cold", "cold start and sizes", "the layers are not built; make layers")


def _start(lab: LabModel, rounds: int) -> Row:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        window = _one_window(lab, folder / "window.wav")
        event, network = _event(lab, window, folder), lab.keras()
        ours, theirs = in_turn(
            lambda: _first_score(event), lambda: _lab_first_score(network, window, lab.title), rounds=rounds
        )
    what = f"{lab.title}, from a fresh process to the first score"
    return compared("cold", what, ours.seconds, theirs.seconds, "s", _WANTED_RATIO)


def _one_window(lab: LabModel, path: Path) -> Path:
    seconds = lab.ready().spec.profile.window_seconds
    with soundfile.SoundFile(recording(20)) as file:
        soundfile.write(path, file.read(int(seconds * file.samplerate), dtype="int16"), file.samplerate, "PCM_16")
    return path


def _event(lab: LabModel, window: Path, folder: Path) -> str:
    """Return the event of the score function for the only range of a recording of one window."""
    request = RecordingRequest(str(window), window.name, window.name)
    plan = plan_job([request], lab.reference, Settings.load({}, {}), lab.repository())
    ranges = [task.to_dict() for task in plan.tasks()]
    return json.dumps({"models": lab.store, "model": plan.model.to_dict(), "ranges": ranges, "folder": str(folder)})


def _first_score(event: str) -> None:
    """Score in a new process that has only the layers of a worker."""
    layers = os.pathsep.join(str(_LAYERS / layer / "python") for layer in _WORKER_LAYERS)
    _run(["-S", "-P", "-c", _OURS, event], PYTHONPATH=layers)


def _lab_first_score(network: Path, window: Path, title: str) -> None:
    _run(["-c", _THEIRS, str(network), str(window), title])


def _run(words: list[str], **more: str) -> None:
    subprocess.run([sys.executable, *words], check=True, cwd=REPOSITORY, env={**os.environ, **more})


def _sizes() -> Iterator[Row]:
    ours = sum(_megabytes(_LAYERS / layer) for layer in _WORKER_LAYERS)
    theirs = sum(map(_installed_megabytes, _with_dependencies(_LAB_LIBRARIES)))
    yield compared("cold", f"installed: the layers of a worker against {', '.join(_LAB_LIBRARIES)}", ours, theirs, "MB")
    yield figure("cold", "the layers of a worker", ours, "MB", most=_WANTED_MB)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _installed_megabytes(name: str) -> float:
    """Return the size of a package's installed files in megabytes."""
    paths = (Path(str(file.locate())) for file in distribution(name).files or ())
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def _with_dependencies(names: Iterable[str]) -> set[str]:
    """Return the normalised names of packages and their installed dependencies, without extras."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in found:
            continue
        try:
            needed = distribution(name).requires or ()
        except PackageNotFoundError:  # needed only on another system or Python
            continue
        found.add(name)
        left += [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in needed if "extra ==" not in line]
    return found
