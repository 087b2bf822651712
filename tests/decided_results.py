"""Results of the lab's model decided from random scores, saved in a folder, for tests of results and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.results.decide import decide
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.report_formats import REPORTS, write_report
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.workflow.planner import plan_job
from tests.reference_models import LAB_MODEL

WINDOWS = 500


@pytest.fixture(scope="module")
def make_result(models_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., RecordingResult]:
    """Return a function that makes the result of a recording from scores."""
    import soundfile

    folder = tmp_path_factory.mktemp("recordings")
    models = ModelRepository(open_store(models_uri))

    def make(name: str, scores: np.ndarray, **settings: object) -> RecordingResult:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = (len(scores) - 1) * 9_600 + 19_200
        soundfile.write(path, np.zeros(frames, np.int16), 48_000)
        plan = plan_job([RecordingRequest(str(path), name, str(path))], LAB_MODEL, Settings.load(settings, {}), models)
        return decide(plan.recordings[0], models.spec(plan.model), plan.model, plan.settings, scores)

    return make


def random_scores(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    raw = np.convolve(rng.random(WINDOWS + 6), np.ones(7) / 7, "valid")
    target = np.clip((raw - 0.5) * 4 + 0.5, 0, 1)
    return np.stack([(1 - target) * 0.7, target, (1 - target) * 0.3], axis=1).astype(np.float32)


def write_formats(folder: Path, result: RecordingResult, *formats: str) -> None:
    for name in formats or ("json", "parquet", "raven"):
        path = folder / f"{result.recording.name}{REPORTS[name].suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_report(name, path, result)


@pytest.fixture
def results(make_result: Callable[..., RecordingResult], tmp_path: Path) -> Path:
    for seed, name in enumerate(["a.wav", "site/b.wav", "site/c.wav"]):
        write_formats(tmp_path / "results", make_result(name, random_scores(seed)))
    return tmp_path / "results"


def write_labels(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.wav.txt").write_text(text)
    return folder
