"""Costs are calculated from a calibration or an estimate, and a quote names its assumptions."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from anemonefish.errors import JobTooLong
from anemonefish.jobs.calibration import Calibration, write_calibration
from anemonefish.jobs.costs import PLAN_MEMORY_MB, CostModel, JobCost, Work
from anemonefish.jobs.cut import Layout
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.report_costs import AGGREGATE_MEMORY_MB, REPORT_DISK_MB, REPORT_MEMORY_MB
from anemonefish.jobs.request import RecordingRequest
from anemonefish.jobs.time_limits import EXECUTION_SECONDS, FUNCTION_SECONDS, check_times
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.settings import FORMATS, Settings
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.planner import plan_job
from tests.reference_models import LAB_MODEL

MEASURED = Calibration(
    model=LAB_MODEL,
    hash="",
    engine="litert",
    architecture="arm64",
    memory_mb=1769,
    seconds_per_window=0.01,
    seconds_per_range=2.0,
    calls=10,
    windows=5_000,
    where="anemonefish-dev",
    measured_at="2026-11-23T10:00:00.000Z",
)


@pytest.fixture
def models(models_uri: str, tmp_path: Path) -> ModelRepository:
    shutil.copytree(models_uri, tmp_path / "models")
    return ModelRepository(LocalStore(tmp_path / "models"))


@pytest.fixture
def pinned(models: ModelRepository) -> PinnedModel:
    return models.pin(LAB_MODEL)


def plan(models: ModelRepository, path: Path, **overrides: object) -> Plan:
    return plan_job(
        [RecordingRequest(str(path), path.name, path.name)], LAB_MODEL, Settings.load(overrides, {}), models
    )


def test_costs_of_an_example_calculated_by_hand(models: ModelRepository, pinned: PinnedModel) -> None:
    """20 workers, ten at a time, score 1,000 windows of 2 recordings each; one worker reports them in two formats."""
    settings = Settings.load({"max_concurrency": 10}, {})
    model = CostModel.of(models.spec(pinned), settings, MEASURED)
    work = Work(counts=(500,) * 40, audio_bytes=40 << 20, classes=3, formats=("json", "csv"))
    job = JobCost(model, work)
    assert model.range_seconds(1_000) == pytest.approx(2 + 10)
    assert model.range_seconds(1_000, 2) == pytest.approx(2 + 0.1 + 10)
    assert model.map_seconds(20, 12.1) == pytest.approx(12.1 + 0.1 + 12.1)  # the second wave begins as the first ends
    assert job.plan_seconds == pytest.approx(2.5 + 40 * 0.1 / 16)
    report = 2 + 40 * (0.02 + 5 * 0.03 / 4) + 20_000 * 60e-6
    assert (job.reports.workers, job.reports.longest(40)) == (1, pytest.approx(report))
    assert job.reports.longest(56) == job.reports.of_all(56) == pytest.approx(report + 0.03)  # 16 more parts
    aggregate = 2.5 + 40 * (0.0015 + 0.03 / 16)
    assert job.aggregate_seconds == pytest.approx(aggregate)
    assert job.makespan(20, 40, 12.1) == pytest.approx(2.75 + 24.3 + 0.01 + report + aggregate)
    gigabyte_second, price = 0.0000133334, job.price(20, 40)
    assert price.score_usd == pytest.approx(20 * 12.1 * 1769 / 1024 * gigabyte_second + 20 * 0.2e-6)
    assert price.plan_usd == pytest.approx(2.75 * 1769 / 1024 * gigabyte_second + 0.2e-6)
    assert price.report_usd == pytest.approx(report * 1769 / 1024 * gigabyte_second + 0.2e-6)
    assert price.aggregate_usd == pytest.approx(aggregate * 1769 / 1024 * gigabyte_second + 0.2e-6)
    assert price.transitions_usd == pytest.approx((9 + 21 * 3) * 0.025e-3)
    puts, gets = 10 + 40 + 40 * 3 + 0.021, 80 * 4 + 40 + 2 * 40 + 2 * 40 + 3
    assert price.requests_usd == pytest.approx(puts * 5e-6 + gets * 0.4e-6)
    assert job.usd(20, 40) == pytest.approx(sum(asdict(price).values()))
    assert job.storage(40).bytes == 40 * 300 + 60_000 * (4 + 69) + 60_000 * 0.31
    assert job.storage(40).usd_per_month == pytest.approx(job.storage(40).bytes / 1e9 * 0.023, abs=1e-6)
    quick = CostModel.of(models.spec(pinned), settings, replace(MEASURED, seconds_per_job=1.5))
    assert JobCost(quick, work).makespan(20, 40, 12.1) == pytest.approx(job.makespan(20, 40, 12.1) - 3.5)


def test_workers_are_started_a_hundred_a_second(models: ModelRepository, pinned: PinnedModel) -> None:
    """Workers that end within a second never use a concurrency of 1,000: the last of 10,000 starts after 100 s."""
    model = CostModel.of(models.spec(pinned), Settings.load({}, {}), MEASURED)
    assert model.map_seconds(10_000, 1.0) == pytest.approx(101)
    assert model.map_seconds(0, 0.0) == 0


def test_memory_and_time_of_the_functions_are_those_of_the_template() -> None:
    text = Path(__file__).parents[3].joinpath("template.yaml").read_text()
    functions = dict(re.findall(r"^  (\w+Function):\n(.*?)(?=^  \w)", text, re.S | re.M))
    memories = {"Plan": PLAN_MEMORY_MB, "Report": REPORT_MEMORY_MB, "Aggregate": AGGREGATE_MEMORY_MB}
    for name, memory in ((f"{each}Function", memory) for each, memory in memories.items()):
        assert f"MemorySize: {memory}\n" in functions[name]
        assert f"Timeout: {FUNCTION_SECONDS}\n" in functions[name]
    assert f"EphemeralStorage: {{Size: {REPORT_DISK_MB}}}" in functions["ReportFunction"]
    machine = json.loads(Path(__file__).parents[3].joinpath("statemachine/analyze.asl.json").read_text())
    assert machine["TimeoutSeconds"] == EXECUTION_SECONDS


@pytest.mark.parametrize(("memory", "factor"), [(1769, 1.0), (3008, 1.0), (512, 1769 / 512)])
def test_memory_below_one_vcpu_slows_a_worker_and_more_memory_does_not_speed_it_up(
    models: ModelRepository, pinned: PinnedModel, memory: int, factor: float
) -> None:
    cost = CostModel.of(models.spec(pinned), Settings.load({"memory_mb": memory}, {}), MEASURED)
    assert (cost.seconds_per_window, cost.seconds_per_range) == pytest.approx((0.01 * factor, 2.0 * factor))
    assert ("; times" in cost.basis) == (factor != 1)
    half = CostModel.of(models.spec(pinned), Settings.load({"memory_mb": memory}, {}), replace(MEASURED, memory_mb=512))
    assert half.seconds_per_window == pytest.approx(0.01 * factor * 512 / 1769)


def test_variant_without_calibration_is_not_assumed_to_be_faster(models: ModelRepository, pinned: PinnedModel) -> None:
    found, settings = models.spec(pinned), Settings.load({}, {})
    variants = {"winograd": 0.014, "int8": 0.03}
    spec = replace(found, compute={"seconds_per_window": 0.02, "seconds_per_range": 1.0, "variants": variants})
    kinds = {
        "litert": pinned,
        "winograd": replace(pinned, engine="ncnn", variant="winograd"),
        "ncnn by default": replace(pinned, engine="ncnn"),
        "int8": replace(pinned, variant="int8"),
    }
    costs = {kind: CostModel.of(spec, settings, pinned=variant) for kind, variant in kinds.items()}
    assert {kind: cost.seconds_per_window for kind, cost in costs.items()} == pytest.approx(
        {"litert": 0.12, "winograd": 0.12, "ncnn by default": 0.12, "int8": 0.18}
    )
    assert "depends on the processor" not in costs["litert"].basis
    for kind in ("winograd", "ncnn by default", "int8"):
        assert "gains depends on the processor and is not counted" in costs[kind].basis
    older = replace(spec, compute=spec.compute | {"variants": {}})  # published before variants were measured
    assert CostModel.of(older, settings, pinned=kinds["int8"]).seconds_per_window == pytest.approx(0.12)


def test_quote_names_its_assumptions(
    models: ModelRepository, pinned: PinnedModel, make_recording: Callable[..., Path]
) -> None:
    path = make_recording(frames=48_000 * 60)
    guessed = plan(models, path).quote
    assert guessed.assumptions is not None
    assert guessed.assumptions.basis.startswith("estimated: 6 times")
    write_calibration(models, pinned, replace(MEASURED, hash=pinned.hash))
    measured = plan(models, path)
    assert measured.quote.assumptions is not None
    assert "measured at 2026-11-23T10:00:00.000Z on anemonefish-dev" in measured.quote.assumptions.basis
    assert measured.quote.expected_seconds == pytest.approx(5.1 + 2 + 2.1 + 299 * (0.01 + 60e-6), abs=0.2)
    # There is no calibration for the other processor.
    assert plan(models, path, architecture="x86_64").quote.assumptions.basis.startswith("estimated: 3 times")  # type: ignore[union-attr]
    assert Plan.from_json(measured.to_json()) == measured


def test_plan_of_an_older_version_is_read(models: ModelRepository, make_recording: Callable[..., Path]) -> None:
    made = plan(models, make_recording())
    assert Plan.from_json(made.to_json()) == made
    document = json.loads(made.to_json())
    later = ("assumptions", "workers", "report_workers", "longest_function", "price", "storage")
    for name in later:
        del document["quote"][name]
    del document["recordings_per_worker"]
    older = replace(made.quote, **dict.fromkeys(later))
    read = Plan.from_json(json.dumps(document).encode())
    assert read == replace(made, quote=older, recordings_per_worker=100)
    document["quote"]["assumptions"] = {
        name: value
        for name, value in asdict(made.quote)["assumptions"].items()
        if name
        not in {
            "seconds_per_opening",
            "seconds_per_report",
            "plan_memory_mb",
            "report_memory_mb",
            "aggregate_memory_mb",
        }
    }
    assert Plan.from_json(json.dumps(document).encode()).quote.assumptions is not None
    assert made.quote.price is not None
    price = {name: usd for name, usd in asdict(made.quote.price).items() if name != "report_usd"}
    document["quote"]["price"] = price  # of a version whose aggregate wrote the reports
    assert Plan.from_json(json.dumps(document).encode()).quote.price == replace(made.quote.price, report_usd=0.0)


def test_recording_whose_report_does_not_fit_the_disk_is_refused_with_what_to_change() -> None:
    model = CostModel(
        seconds_per_window=1e-3, seconds_per_range=2.0, memory_mb=1769, architecture="arm64", max_concurrency=1000
    )
    layout = Layout(workers=10, ranges=10, longest=100.0)
    month = Work(counts=(13_000_000,), classes=3, formats=FORMATS)
    check_times(JobCost(model, month), layout)
    more_classes = replace(month, classes=6)
    with pytest.raises(JobTooLong, match=r"expected to have 5\.4 GB.* 4096 MB; set a longer hop_seconds, leave out"):
        check_times(JobCost(model, more_classes), layout)
    check_times(JobCost(model, replace(more_classes, formats=("csv", "parquet"))), layout)


def test_long_recording_has_a_report_worker_of_its_own_and_short_ones_share_one() -> None:
    model = CostModel(
        seconds_per_window=0.01, seconds_per_range=2.0, memory_mb=1769, architecture="arm64", max_concurrency=8
    )
    month = JobCost(model, Work(counts=(432_000,) * 30, formats=FORMATS))
    assert month.reports.workers == 30
    one = JobCost(model, Work(counts=(432_000,), formats=FORMATS))
    assert month.reports.longest(990) == pytest.approx(one.reports.longest(33))
    assert month.aggregate_seconds < one.aggregate_seconds + 1  # the join hardly depends on the length of recordings
    short = JobCost(model, Work(counts=(299,) * 10_000, formats=FORMATS))
    assert short.reports.workers == 100
    assert short.reports.longest(10_000) < 15
    waves = short.model.map_seconds(100, short.reports.longest(10_000))
    assert waves == pytest.approx(13 * short.reports.longest(10_000), rel=0.02)  # 8 at a time
    assert JobCost(model, Work(counts=())).reports.longest(0) == 0


def test_calibration_does_not_change_the_identity_of_recordings(
    models: ModelRepository, pinned: PinnedModel, make_recording: Callable[..., Path]
) -> None:
    path = make_recording(frames=48_000 * 60)
    before, versions = plan(models, path), models.catalog()[0].versions
    write_calibration(models, pinned, replace(MEASURED, hash=pinned.hash))
    after = plan(models, path)
    assert after.quote != before.quote
    assert after.identity_of(after.recordings[0]) == before.identity_of(before.recordings[0])
    assert models.catalog()[0].versions == versions  # a calibration is not a version
