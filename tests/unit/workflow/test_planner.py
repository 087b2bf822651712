"""Planning: coarse ranges that meet the target, and a quote that adds up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest

from anemonefish import errors
from anemonefish.jobs import report_costs
from anemonefish.jobs.costs import _SLOWER_THAN_PUBLISHER
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.workflow.planner import plan_job
from tests.reference_models import LAB_MODEL


@pytest.fixture
def models(models_uri: str) -> ModelRepository:
    return ModelRepository(open_store(models_uri))


def plan(models: ModelRepository, *paths: Path, **overrides: object) -> Plan:
    requests = [RecordingRequest(str(path), path.name, str(path)) for path in paths]
    return plan_job(requests, LAB_MODEL, Settings.load(overrides, {}), models)


def slow_model(models: ModelRepository, monkeypatch: pytest.MonkeyPatch, seconds_per_window: float) -> None:
    """Let the planner believe that a window takes long, as one of the lab's v1 does."""
    spec = models.spec

    def slow(pinned: object) -> object:
        found = spec(pinned)
        elsewhere = seconds_per_window / _SLOWER_THAN_PUBLISHER["arm64"]
        return replace(found, compute={**found.compute, "seconds_per_window": elsewhere})

    monkeypatch.setattr(models, "spec", slow)


def test_a_small_job_is_one_range(models: ModelRepository, make_recording: Callable[..., Path]) -> None:
    made = plan(models, make_recording(frames=48_000 * 60))
    assert made.quote.ranges == 1
    assert [len(task.windows) for task in made.tasks()] == [299]


def test_the_largest_range_that_meets_the_target(
    models: ModelRepository, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_model(models, monkeypatch, 1.0)
    path = make_recording(frames=48_000 * 120)  # 599 windows: ten minutes of computing
    made = plan(models, path, target_seconds=60, memory_mb=1769)
    sizes = [len(task.windows) for task in made.tasks()]
    assert made.quote.expected_seconds <= 60
    assert sum(sizes) == 599
    assert max(sizes) >= 0.85 * 53  # six seconds of overhead, tenths for starting: 53 windows would just fit
    assert plan(models, path, target_seconds=30).quote.ranges > made.quote.ranges


def test_a_target_nobody_can_meet_comes_as_close_as_possible(
    models: ModelRepository, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_model(models, monkeypatch, 1.0)
    made = plan(models, make_recording(frames=48_000 * 120), target_seconds=0.5, max_concurrency=10)
    assert made.quote.ranges == 10
    assert made.quote.expected_seconds == pytest.approx(68, abs=1)


def test_a_range_never_takes_longer_than_a_function_may(
    models: ModelRepository, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_model(models, monkeypatch, 10.0)
    made = plan(models, make_recording(frames=48_000 * 120), target_seconds=86_400)
    assert all(len(task.windows) * 10.0 <= 600 for task in made.tasks())


def test_ranges_cover_every_recording_once(models: ModelRepository, make_recording: Callable[..., Path]) -> None:
    paths = [make_recording(f"{frames}.wav", frames=frames) for frames in (48_000, 10, 96_000, 480_000)]
    made = plan(models, *paths, max_range_seconds=1)
    assert len(list(made.tasks())) == made.quote.ranges
    for number, recording in enumerate(made.recordings):
        assert recording.analysis is not None
        tasks = list(made.tasks_of(number))
        assert [w for task in tasks for w in range(task.windows.start, task.windows.stop)] == list(
            range(recording.analysis.grid.n_windows)
        )
        assert len(tasks) == ceil(recording.analysis.grid.n_windows / made.windows_per_range)


def test_short_recordings_share_a_worker_and_long_ones_are_cut(
    models: ModelRepository, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_model(models, monkeypatch, 1.0)
    paths = [make_recording(f"{number}.wav", frames=48_000 * 2) for number in range(30)]  # nine windows each
    made = plan(models, *paths, make_recording("long.wav", frames=48_000 * 60), target_seconds=60)
    loads = [[len(task.windows) for task in batch] for batch in made.batches()]
    assert [task for batch in made.batches() for task in batch] == list(made.tasks())
    assert max(map(sum, loads)) <= made.windows_per_range < 299
    assert len(loads) < 15
    assert max(map(len, loads)) > 3


def test_a_channel_that_is_not_there(models: ModelRepository, make_recording: Callable[..., Path]) -> None:
    with pytest.raises(errors.UnsupportedRecording, match=r"there is no channel 2, the recording has 1; set channel"):
        plan(models, make_recording(frames=48_000), channel=2)


def test_nothing_left_is_an_error_that_names_the_reasons(models: ModelRepository, tmp_path: Path) -> None:
    with pytest.raises(errors.EveryRecordingFailed, match=r"none of the 2 .*one\.wav.*two\.wav"):
        plan(models, tmp_path / "one.wav", tmp_path / "two.wav")
    with pytest.raises(errors.RecordingNotFound, match=r"one\.wav"):
        plan(models, tmp_path / "one.wav")
    with pytest.raises(errors.InvalidRequest, match="at least one recording"):
        plan(models)


@pytest.mark.parametrize("rate", [500, 2_000_000])
def test_impossible_sample_rates_are_refused(
    models: ModelRepository, make_recording: Callable[..., Path], rate: int
) -> None:
    with pytest.raises(errors.UnsupportedRecording, match=f"sample rate of {rate} Hz"):
        plan(models, make_recording(rate=rate))


def test_quote_states_workers_longest_function_price_and_storage(
    models: ModelRepository, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_model(models, monkeypatch, 0.1)
    quote = plan(models, make_recording(frames=48_000 * 120)).quote
    assert quote.workers == quote.ranges
    assert quote.longest_function is not None
    assert quote.longest_function.function == "score"
    assert quote.longest_function.seconds == pytest.approx(1 + 599 * 0.1, abs=0.1)
    assert quote.price is not None
    assert quote.storage is not None
    assert quote.expected_usd == pytest.approx(quote.price.total, abs=1e-5)
    fewer = plan(models, make_recording(frames=48_000 * 120), formats=["csv"]).quote
    assert fewer.price is not None
    assert fewer.storage is not None
    assert fewer.price.requests_usd < quote.price.requests_usd
    assert fewer.storage.bytes < quote.storage.bytes


def test_job_whose_longest_report_would_take_too_long_is_refused_with_what_to_change(
    models: ModelRepository, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_costs, "_SECONDS_PER_WINDOW_WRITTEN", 2.0)
    path = make_recording(frames=48_000 * 120)
    with pytest.raises(
        errors.JobTooLong, match=r"1 recordings with 599 windows: the function report .* 900 s; set a longer hop_sec"
    ):
        plan(models, path)
    assert plan(models, path, hop_seconds=0.4).quote.windows == 300


def test_job_whose_shortest_range_would_take_too_long_is_refused(
    models: ModelRepository, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_model(models, monkeypatch, 1_000.0)
    with pytest.raises(errors.JobTooLong, match=r"the function score .* a faster model or variant, .*ScoreMemory"):
        plan(models, make_recording(frames=48_000 * 2))


def test_job_that_would_take_more_than_a_day_is_refused_by_the_workers_of_the_account(
    models: ModelRepository, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_model(models, monkeypatch, 300.0)
    path = make_recording(frames=48_000 * 120)
    assert plan(models, path).quote.windows == 599
    request, settings = RecordingRequest(str(path), path.name, str(path)), Settings.load({}, {})
    with pytest.raises(errors.JobTooLong, match=r"50 hours with 1 workers at once.* raise max_concurrency"):
        plan_job([request], LAB_MODEL, settings, models, most_workers=1)


def test_plan_for_this_machine_is_cut_by_max_range_seconds_alone_and_never_refused(
    models: ModelRepository, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_recording(frames=48_000 * 120)
    request = RecordingRequest(str(path), path.name, str(path))
    for seconds_per_window in (0.001, 1_000.0):
        slow_model(models, monkeypatch, seconds_per_window)
        for target in (1, 86_400):
            wanted = Settings.load({"max_range_seconds": 60, "target_seconds": target}, {})
            made = plan_job([request], LAB_MODEL, wanted, models, for_account=False)
            assert (made.windows_per_range, made.quote.ranges) == (300, 2)


def test_cut_of_a_recording_that_is_cut_never_shares_a_worker(
    models: ModelRepository, make_recording: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_model(models, monkeypatch, 1.0)
    paths = [make_recording(f"{number}.wav", frames=48_000 * seconds) for number, seconds in enumerate((2, 60, 2, 2))]
    made = plan(models, *paths, target_seconds=60)
    assert made.quote.workers == len(list(made.batches()))
    for batch in made.batches():
        assert len(batch) == 1 or all(task.whole for task in batch)
