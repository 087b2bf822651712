"""Reports by several workers: the same bytes however recordings are put together, and nothing is written twice."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anemonefish import errors
from anemonefish.errors import Failure, StorageError
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.report_tasks import MOST_RECORDINGS_TOGETHER, MOST_WINDOWS_TOGETHER, ReportTask, report_tasks
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.results.recording_result import RecordingResult
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.stores import Kind, open_store
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow import report
from anemonefish.workflow.aggregate import aggregate_job, report_and_aggregate
from anemonefish.workflow.failures import record_report_failure
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.report import Reported, report_task
from anemonefish.workflow.score import score_range

CALLS = SceneSettings(calls_per_minute=40, calls_per_bout=(1, 1))
REPOSITORY = Path(__file__).parents[3]
NAMES = ("a.wav", "b.wav", "broken.wav", "c.wav", "d.wav", "e.wav")


class RemoteStore(LocalStore):
    """A folder that is written by several threads, as a bucket is, and that counts what is written."""

    at_once = 16

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.written: list[str] = []

    def write(self, key: str, data: bytes, kind: Kind | None = None) -> None:
        self.written.append(key)
        super().write(key, data, kind)

    def upload(self, key: str, path: Path, kind: Kind | None = None) -> None:
        self.written.append(key)
        super().upload(key, path, kind)


@pytest.fixture(scope="module")
def models(models_uri: str) -> ModelRepository:
    return ModelRepository(open_store(models_uri))


@pytest.fixture(scope="module")
def scored(models: ModelRepository, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scored job of six recordings: one is broken, one is shorter than a window, three have events."""
    folder = tmp_path_factory.mktemp("scored")
    requests = []
    for number, name in enumerate(NAMES):
        path = folder / name
        write_scene(scene(0.2 if name == "d.wav" else 8, seed=number, settings=CALLS), path)
        if name == "broken.wav":
            path.write_bytes(b"no audio")
        requests.append(RecordingRequest(str(path), name, f"/deployment/{name}"))
    settings = Settings.load({"max_range_seconds": 3, "threshold": 0.3}, {})
    job = job_in(folder / "store")
    job.write_plan(plan_job(requests, "reef", settings, models))
    score(job, models)
    return folder / "store"


def job_in(folder: Path) -> Job:
    return Job(RemoteStore(folder), "jobs/lab/1", "jobs/lab/1/results")


def score(job: Job, models: ModelRepository) -> None:
    plan = job.read_plan()
    for task in plan.tasks():
        score_range(job, task, ready_model(models.store.uri, plan.model))


@pytest.fixture
def job(scored: Path, tmp_path: Path) -> Job:
    shutil.copytree(scored, tmp_path / "store")
    return job_in(tmp_path / "store")


def files_of(job: Job) -> dict[str, bytes]:
    """The results and the manifest."""
    return {key: job.store.read(key) for key in [*job.store.keys(f"{job.results}/"), job.manifest_key]}


def run(job: Job, models: ModelRepository, tasks: Sequence[ReportTask]) -> list[Reported]:
    reported = [report_task(job, task, models) for task in tasks]
    aggregate_job(job, job.read_plan(), models)
    return reported


def whole(job: Job) -> ReportTask:
    return ReportTask(start=0, stop=len(job.read_plan().recordings))


def with_settings(plan: Plan, **changes: object) -> Plan:
    return replace(plan, settings=replace(plan.settings, **changes))


@pytest.mark.parametrize("cuts", [[6], [1, 2, 3, 4, 5, 6], [2, 3, 6], [5, 6]])
def test_reports_and_tables_are_the_same_bytes_however_recordings_are_put_together(
    job: Job, models: ModelRepository, cuts: list[int], tmp_path: Path
) -> None:
    laptop = Job(LocalStore(tmp_path / "store"), job.work, job.results)  # one after the other, without outcomes
    report_and_aggregate(laptop, models)
    expected = files_of(laptop)
    shutil.rmtree(tmp_path / "store" / job.results)
    tasks = [ReportTask(start=start, stop=stop) for start, stop in zip([0, *cuts], cuts, strict=False)]
    random.Random(len(cuts)).shuffle(tasks)
    run(job, models, tasks)
    assert files_of(job) == expected
    rows = list(csv.DictReader(io.StringIO(job.store.read(job.result_key("summary.csv")).decode())))
    assert [row["status"] for row in rows] == ["done", "done", "failed", "done", "done", "done"]
    assert sum(int(row["events"] or 0) for row in rows) > 3
    assert len(job.store.read(job.result_key("combined.selections.txt")).splitlines()) > 4


def test_worker_that_runs_again_writes_nothing(job: Job, models: ModelRepository) -> None:
    assert report_task(job, whole(job), models) == Reported(5, 5, 0)
    job.store.written.clear()
    assert report_task(job, whole(job), models) == Reported(5, 0, 0)
    assert job.store.written == []


def test_worker_that_died_continues_with_the_first_recording_without_reports(
    job: Job, models: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = job.read_plan()
    report_task(job, ReportTask(start=0, stop=2), models)
    job.store.written.clear()
    assert report_task(job, whole(job), models) == Reported(5, 3, 0)
    assert not any(key.startswith((job.result_key("a.wav"), job.result_key("b.wav"))) for key in job.store.written)
    assert len(job.store.written) == 3 * (len(plan.settings.formats) + 1)


def test_reports_of_another_plan_are_replaced_and_those_of_the_first_plan_come_back(
    job: Job, models: ModelRepository
) -> None:
    first = job.read_plan()
    run(job, models, [whole(job)])
    expected = files_of(job)
    job.write_plan(with_settings(first, threshold=0.9))
    run(job, models, [whole(job)])
    assert files_of(job) != expected
    job.write_plan(first)
    assert [each.written for each in run(job, models, [whole(job)])] == [5]
    assert files_of(job) == expected


def test_worker_that_dies_while_it_replaces_reports_leaves_no_valid_outcome(
    job: Job, models: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = job.read_plan()
    run(job, models, [whole(job)])
    job.write_plan(with_settings(first, threshold=0.9))
    with monkeypatch.context() as patch:
        patch.setattr(report, "report_recording", killed)
        with pytest.raises(KeyboardInterrupt):
            report_task(job, whole(job), models)
    job.write_plan(first)
    with pytest.raises(errors.MissingParts, match="its reports were not written"):
        aggregate_job(job, first, models)
    assert report_task(job, whole(job), models).written == 5


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_recording_whose_report_fails_is_listed_and_the_others_finish(
    job: Job, models: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Path(job.store.uri, job.part_key(next(iter(job.read_plan().tasks_of(0)))))
    part.write_bytes(part.read_bytes()[:-5])
    original = report.report_recording

    def with_defect(job: Job, plan: Plan, spec: object, number: int, *more: object) -> object:
        if plan.recordings[number].name == "b.wav":
            raise KeyError("window")
        return original(job, plan, spec, number, *more)

    monkeypatch.setattr(report, "report_recording", with_defect)
    [reported] = run(job, models, [whole(job)])
    assert reported == Reported(5, 3, 2)
    entries = json.loads(job.store.read(job.manifest_key))["recordings"]
    assert [(each["failure"] or {}).get("error") for each in entries] == [
        "DamagedPart", "FunctionFailed", "UnreadableRecording", None, None, None,
    ]  # fmt: skip
    assert entries[1]["failure"]["message"] == "b.wav: its reports could not be written: KeyError: 'window'"
    assert job.store.exists(job.result_key("c.wav.json"))
    assert not job.store.exists(job.result_key("a.wav.json"))


def test_failed_reports_are_written_again(job: Job, models: ModelRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(report, "read_scores", full_disk)
        with pytest.raises(errors.EveryRecordingFailed, match="No space left"):
            run(job, models, [whole(job)])
    assert not job.store.exists(job.manifest_key)
    assert not job.store.exists(job.result_key("summary.csv"))
    assert run(job, models, [whole(job)]) == [Reported(5, 5, 0)]


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_store_that_does_not_answer_is_an_error_that_is_retried(
    job: Job, models: ModelRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = report.read_scores

    def flaky(job: Job, spec: object, tasks: Sequence[object]) -> object:
        if not tasks:
            raise StorageError("S3 answered 503; try again")
        return original(job, spec, tasks)

    monkeypatch.setattr(report, "read_scores", flaky)
    with pytest.raises(StorageError, match="503"):
        report_task(job, whole(job), models)
    monkeypatch.undo()
    assert report_task(job, whole(job), models) == Reported(5, 1, 0)  # the others exist


def test_range_without_scores_and_reason_fails_the_job_so_that_it_is_resumed(job: Job, models: ModelRepository) -> None:
    task = list(job.read_plan().tasks_of(1))[1]
    Path(job.store.uri, job.part_key(task)).unlink()
    with pytest.raises(errors.MissingParts, match=r"b\.wav: 1 of \d ranges .* resume the job"):
        run(job, models, [whole(job)])
    assert not job.store.exists(job.manifest_key)
    score(job, models)
    assert run(job, models, [whole(job)]) == [Reported(5, 1, 0)]


def test_failed_range_fails_its_recording(job: Job, models: ModelRepository) -> None:
    task = list(job.read_plan().tasks_of(1))[1]
    Path(job.store.uri, job.part_key(task)).unlink()
    job.write_range_failure(task, Failure("InvalidSamples", "b.wav: sample 5 is not a finite number"))
    assert run(job, models, [whole(job)]) == [Reported(5, 4, 1)]
    entries = json.loads(job.store.read(job.manifest_key))["recordings"]
    assert entries[1]["failure"]["error"] == "InvalidSamples"


def test_reason_of_a_worker_that_died_is_listed_for_recordings_without_reports(
    job: Job, models: ModelRepository
) -> None:
    report_task(job, ReportTask(start=0, stop=2), models)
    failure = record_report_failure(job, whole(job), {"Error": "Sandbox.Timedout", "Cause": "x"})
    assert failure.error == "FunctionFailed"
    assert "set a longer hop_seconds" in failure.message
    totals = aggregate_job(job, job.read_plan(), models)
    assert (totals.recordings, totals.failed) == (6, 4)
    entries = json.loads(job.store.read(job.manifest_key))["recordings"]
    assert [each["failure"] is None for each in entries] == [True, True, False, False, False, False]
    assert entries[2]["failure"]["error"] == "UnreadableRecording"  # the plan's reason stays
    assert entries[3]["failure"] == {"error": "FunctionFailed", "message": failure.message}


def test_only_recording_gets_the_newest_reason(job: Job, models: ModelRepository) -> None:
    task = ReportTask(start=0, stop=1)
    record_report_failure(job, task, {"Error": "StorageError", "Cause": '{"errorMessage": "S3 answered 503"}'})
    record_report_failure(job, task, {"Error": "Runtime.OutOfMemory", "Cause": ""})
    plan = job.read_plan(task)
    with pytest.raises(errors.FunctionFailed, match="ran out of memory; set a longer hop_seconds"):
        aggregate_job(job, plan, models)


def test_recording_without_outcome_and_reason_fails_the_job(job: Job, models: ModelRepository) -> None:
    report_task(job, ReportTask(start=0, stop=4), models)
    with pytest.raises(errors.MissingParts, match=r"d\.wav: its reports were not written.*resume the job"):
        aggregate_job(job, job.read_plan(), models)


@pytest.mark.parametrize("document", [None, [], {}, {"start": 0}, {"start": 2, "stop": 2}, {"start": "0", "stop": 1},
                                      {"start": -1, "stop": 1}, {"start": True, "stop": 2}])  # fmt: skip
def test_what_names_no_recordings_is_refused(document: object) -> None:
    with pytest.raises(errors.InvalidRequest, match=r"reports\.jsonl"):
        ReportTask.from_dict(document)


def test_task_beyond_the_plan_is_refused(job: Job, models: ModelRepository) -> None:
    with pytest.raises(errors.InvalidRequest, match="the plan has 6 recordings"):
        report_task(job, ReportTask(start=5, stop=7), models)


def test_short_recordings_share_a_task_and_long_ones_do_not() -> None:
    def tasks(windows: list[int | None]) -> list[tuple[int, int]]:
        return [(task.start, task.stop) for task in report_tasks(windows)]

    assert len(tasks([299] * 10_000)) == 10_000 / MOST_RECORDINGS_TOGETHER
    assert tasks([432_000, 432_000, 5, 5]) == [(0, 1), (1, 2), (2, 4)]
    assert tasks([MOST_WINDOWS_TOGETHER, 0, 1]) == [(0, 2), (2, 3)]
    assert tasks([None, 5, None, 5, None]) == [(1, 4)]
    assert tasks([None, None]) == []
    assert tasks([]) == []


@pytest.mark.parametrize("seed", range(20))
def test_every_recording_is_in_one_task_within_the_limits(seed: int) -> None:
    chance = random.Random(seed)
    windows = [chance.choice([None, 0, 5, 20_000, 500_000]) for _ in range(chance.randrange(400))]
    tasks = list(report_tasks(windows))
    covered = [number for task in tasks for number in range(task.start, task.stop) if windows[number] is not None]
    assert covered == [number for number, count in enumerate(windows) if count is not None]
    for task in tasks:
        counts = [count for count in windows[task.start : task.stop] if count is not None]
        assert task.stop - task.start <= MOST_RECORDINGS_TOGETHER
        assert sum(counts) <= MOST_WINDOWS_TOGETHER or sum(count > 0 for count in counts) == 1
        assert counts


def test_lines_of_reports_jsonl_are_read_back(job: Job) -> None:
    lines = job.store.read(job.reports_key).decode().splitlines()
    assert [ReportTask.from_dict(json.loads(line)) for line in lines] == [whole(job)]


def test_timeline_that_cannot_be_drawn_does_not_fail_the_report(
    job: Job, models: ModelRepository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = load_handler("report")
    job.write_plan(with_settings(job.read_plan(), review=("pictures",)))
    drawn: list[str] = []

    def draw(_: Job, result: RecordingResult) -> None:
        drawn.append(result.recording.name)
        assert len(result.scores) == len(result.smoothed)
        raise MemoryError("no memory for a picture")

    monkeypatch.setattr(app, "store_timeline", draw)
    assert report_task(job, whole(job), models, draw=app._draw) == Reported(5, 5, 0)
    assert sorted(drawn) == [name for name in NAMES if name != "broken.wav"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(line["message"], line["reason"]) for line in lines} == {
        ("a timeline could not be drawn", "no memory for a picture")
    }
    job.write_plan(with_settings(job.read_plan(), review=("clips",)))
    drawn.clear()
    report_task(job, whole(job), models, draw=app._draw)
    assert drawn == []


def load_handler(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"{name}_app", REPOSITORY / "functions" / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_scores_are_read_by_reports_only(job: Job, models: ModelRepository) -> None:
    report_task(job, whole(job), models)
    shutil.rmtree(Path(job.store.uri, job.kept, "parts"))
    assert aggregate_job(job, job.read_plan(), models).failed == 1  # the broken one
