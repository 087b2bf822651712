"""The promise of the engine: however the work is cut, ordered and repeated, the results are the same bytes."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.stores import open_store
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.aggregate import report_and_aggregate
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.score import score_range

SECONDS = 14


@functools.cache
def sound(rate: int) -> np.ndarray:
    made = scene(SECONDS, seed=5, sample_rate=rate, settings=SceneSettings(calls_per_minute=60, calls_per_bout=(1, 1)))
    return np.concatenate(list(made.blocks(100_000)))


def plan_of(folder: Path, frames: int, rate: int, models: ModelRepository) -> Plan:
    path = folder / "recording.wav"
    soundfile.write(path, sound(rate)[:frames], rate, subtype="PCM_16")
    request = RecordingRequest(str(path), "recording.wav", "/deployment/recording.wav")
    return plan_job([request], "reef", Settings.load({"threshold": 0.3}, {}), models)


def run(folder: Path, plan: Plan, order: Sequence[int], models: ModelRepository) -> dict[str, bytes]:
    """Score the ranges in an order, some of them again, each time as if by a fresh worker; return the results."""
    job = Job(LocalStore(folder), "work", "results")
    job.write_plan(plan)
    tasks = list(plan.tasks())
    for number in order:
        index = number if number >= 0 else ~number
        if number < 0:  # a worker whose part was lost scores again
            (folder / job.part_key(tasks[index])).unlink(missing_ok=True)
        score_range(job, tasks[index], ready_model(models.store.uri, plan.model))
    report_and_aggregate(job, models)
    results = {path.name: path.read_bytes() for path in (folder / "results").iterdir()}
    parts = [np.load(folder / job.part_key(task)) for task in tasks]
    results["scores"] = np.concatenate(parts).tobytes() if parts else b""
    return results


@settings(max_examples=40)
@given(
    rate=st.sampled_from([48_000, 32_000, 44_100]),
    length=st.floats(0, 1),
    size=st.integers(1, 80),
    randoms=st.randoms(use_true_random=False),
)
@example(rate=48_000, length=0.0, size=1, randoms=None)
@example(rate=48_000, length=19_199 / (48_000 * SECONDS), size=1, randoms=None)
@example(rate=48_000, length=1.0, size=1, randoms=None)
def test_any_cut_order_and_repetition_gives_the_same_bytes(
    models_uri: str, rate: int, length: float, size: int, randoms: object
) -> None:
    models = ModelRepository(open_store(models_uri))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = plan_of(folder, int(length * SECONDS * rate), rate, models)
        whole = replace(whole, windows_per_range=max(1, whole.quote.windows))
        cut = replace(whole, windows_per_range=size)
        order = list(range(len(list(cut.tasks()))))
        if randoms is not None:
            repeated = [randoms.choice([index, ~index]) for index in order if randoms.random() < 0.4]
            order += repeated
            randoms.shuffle(order)
            # Every range at least once after its part was lost.
            order += [index for index in order if index >= 0]
        expected = run(folder / "whole", whole, range(len(list(whole.tasks()))), models)
        assert run(folder / "cut", cut, order, models) == expected


def test_the_property_is_about_something(models_uri: str, tmp_path: Path) -> None:
    """The recording of the property test does have events, and losing a window would show."""
    models = ModelRepository(open_store(models_uri))
    plan = plan_of(tmp_path, SECONDS * 48_000, 48_000, models)
    results = run(tmp_path / "job", plan, range(len(list(plan.tasks()))), models)
    assert len(results["recording.wav.events.csv"].splitlines()) > 2
    assert len(results) == 12  # nine formats, the summary, the effort and the scores


@pytest.mark.parametrize("frames", [0, 1, 19_199])
def test_a_recording_without_a_window_ends_with_empty_tables(models_uri: str, tmp_path: Path, frames: int) -> None:
    models = ModelRepository(open_store(models_uri))
    results = run(tmp_path / "job", plan_of(tmp_path, frames, 48_000, models), [], models)
    assert results["recording.wav.events.csv"].startswith(b"start_time,end_time,duration,class,")
    assert results["recording.wav.selections.txt"].startswith(b"Selection\tView\t")
    assert results["recording.wav.audacity.txt"] == b""
    assert b'"predictions": []' in results["recording.wav.json"]
    summary = results["summary.csv"].splitlines()[1]
    assert summary.startswith(b"recording.wav,done,0,0,0,,,")
    assert (b"no-samples: " if frames == 0 else b"shorter-than-window: ") in summary
