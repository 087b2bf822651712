"""Clips and pictures of a job: every event to listen to, in place and out of pieces."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from anemonefish.cli.main import main
from anemonefish.errors import Failure, FunctionFailed, RecordingChanged
from anemonefish.jobs.job import Job
from anemonefish.jobs.report_tasks import ReportTask
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.results.review_state import ReviewState, read_review_state
from anemonefish.service.downloads import JobResults
from anemonefish.settings import Settings
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.stores import open_store
from anemonefish.stores.folder import LocalStore
from anemonefish.workflow.aggregate import aggregate_job
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.report import report_task
from anemonefish.workflow.review import store_review
from anemonefish.workflow.score import score_range
from anemonefish.workflow.timelines import store_timeline
from tests.reference_models import LAB_MODEL

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("review")
    busy = SceneSettings(calls_per_minute=60, calls_per_bout=(1, 1))
    write_scene(scene(15, seed=1, settings=busy), made / "a_20230210T000000Z.wav")
    samples, rate = soundfile.read(made / "a_20230210T000000Z.wav")
    with soundfile.SoundFile(made / "b_20230210T010000Z.ogg", "w", rate, 2, "VORBIS", format="OGG") as file:
        for start in range(0, len(samples), rate):
            block = samples[start : start + rate]
            file.write(np.stack([block, -0.5 * block], axis=1))
    return made


def detect(folder: Path, out: Path, *options: str) -> str:
    about = ["--model", LAB_MODEL, "--out", str(out), "--set", "channel=1"]
    done = CliRunner().invoke(main, ["detect", str(folder), *about, *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_every_event_has_its_clip_and_its_picture(folder: Path, tmp_path: Path) -> None:
    output = detect(folder, tmp_path, "--clips", "--pictures", "--padding", "0.5")
    clips = sorted((tmp_path / "review" / "clips").glob("*.flac"))
    events = len((tmp_path / "combined.events.csv").read_text().splitlines()) - 1
    assert len(clips) == events > 6
    assert f"{events} clips and {events + 3} pictures" in output
    for clip in clips:
        assert clip.with_suffix(".png").read_bytes().startswith(PNG)
    for name in ("a_20230210T000000Z.wav.timeline.png", "b_20230210T010000Z.ogg.timeline.png", "activity.png"):
        assert (tmp_path / "review" / name).read_bytes().startswith(PNG)


def test_the_index_lists_every_clip_with_its_recording_and_time(folder: Path, tmp_path: Path) -> None:
    detect(folder, tmp_path, "--clips", "--pictures", "--most-clips", "3")
    clips = tmp_path / "review" / "clips"
    with (clips / "clips.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["clip"] for row in rows) == sorted(path.name for path in clips.glob("*.flac"))
    events = (tmp_path / "combined.events.csv").read_text()
    for row in rows:
        assert (clips / row["spectrogram"]).is_file()
        assert f"{row['start_time']},{row['end_time']}" in events
        assert float(row["start_time"]) - float(row["clip_start_time"]) in {0.0, 1.0}
        assert row["start_utc"].startswith("2023-02-10T0")
    page = (clips / "index.html").read_text()
    assert page.count("<audio controls") == page.count("<img src=") == 3
    assert "events with lower scores have none" in page


def test_a_name_full_of_html_is_text_in_the_index(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    name = '"><img src=x onerror=alert(1)>&.wav'
    shutil.copy(folder / "a_20230210T000000Z.wav", source / name)
    detect(source, tmp_path / "out", "--clips", "--most-clips", "1")
    page = (tmp_path / "out" / "review" / "clips" / "index.html").read_text()
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;.wav" in page


def test_a_clip_of_a_transcoded_recording_has_all_its_channels(folder: Path, tmp_path: Path) -> None:
    detect(folder, tmp_path, "--clips", "--padding", "0")
    for clip in (tmp_path / "review" / "clips").glob("b_*.flac"):
        samples, rate = soundfile.read(clip)
        assert (samples.shape[1], rate) == (2, 48_000)
        start = int(float(clip.name.split("_")[-3].removesuffix("s")) * rate)
        whole, _ = soundfile.read(folder / "b_20230210T010000Z.ogg")
        assert np.abs(samples - whole[start : start + len(samples)]).max() < 1e-4  # of another Vorbis decoder


def test_the_best_come_first(folder: Path, tmp_path: Path) -> None:
    output = detect(folder, tmp_path, "--clips", "--most-clips", "2")
    assert "2 clips (" in output
    assert len(list((tmp_path / "review" / "clips").glob("*.flac"))) == 2


def test_pictures_are_drawn_only_on_request(folder: Path, tmp_path: Path) -> None:
    detect(folder, tmp_path)
    assert not (tmp_path / "review").exists()


# --- how a review stands -----------------------------------------------------------------------------------------


@pytest.fixture
def job(folder: Path, tmp_path: Path, models_uri: str) -> Job:
    """A job that is scored and whose review is to be made, as in an account."""
    models = ModelRepository(open_store(models_uri))
    made = Job.of_tenant(LocalStore(tmp_path), "lab", "j-1")
    path = folder / "a_20230210T000000Z.wav"
    settings = Settings.load({"review": ["clips", "pictures"]})
    plan = plan_job([RecordingRequest(str(path), path.name, path.name)], LAB_MODEL, settings, models, made)
    made.write_plan(plan)
    for batch in plan.batches():
        for task in batch:
            score_range(made, task, ready_model(models.store.uri, plan.model))
    report_task(made, ReportTask(start=0, stop=1), models, draw=store_timeline)
    aggregate_job(made, plan, models)
    return made


def test_review_state_and_the_clip_of_each_event_are_stored(job: Job, models_uri: str) -> None:
    models = ModelRepository(open_store(models_uri))
    assert read_review_state(job, overdue=False) == ReviewState("PENDING")
    made = store_review(job, models)
    state = read_review_state(job, overdue=False)
    assert state == ReviewState("SUCCEEDED", clips=made.clips, pictures=made.clips + 2)
    results = JobResults(job, models)
    reviewed = results.reviewed(0)
    events = results.result(0, results.settings_of(None)).events
    assert set(reviewed) == {(event.start, event.stop, event.label) for event in events}
    for event in reviewed.values():
        assert job.store.exists(results.key_of(event.clip))
        assert event.picture is not None
        assert job.store.exists(results.key_of(event.picture))


def test_review_in_an_account_reads_no_scores(job: Job, models_uri: str) -> None:
    shutil.rmtree(Path(job.store.uri, job.kept, "parts"))
    assert store_review(job, ModelRepository(open_store(models_uri))).clips > 0


def test_timeline_of_a_report_worker_is_that_of_the_laptop(job: Job, folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    shutil.copy(folder / "a_20230210T000000Z.wav", source)
    detect(source, tmp_path / "out", "--pictures", "--set", "channel=null")
    name = "review/a_20230210T000000Z.wav.timeline.png"
    assert job.store.read(job.result_key(name)) == (tmp_path / "out" / name).read_bytes()


def test_timeline_that_was_not_drawn_fails_the_review_and_the_rest_is_stored(job: Job, models_uri: str) -> None:
    Path(job.store.uri, job.result_key("review/a_20230210T000000Z.wav.timeline.png")).unlink()
    with pytest.raises(FunctionFailed, match=r"1 of 1 timelines could not be drawn, the first is that of a_2023"):
        store_review(job, ModelRepository(open_store(models_uri)))
    assert read_review_state(job, overdue=False).status == "FAILED"
    assert job.store.exists(job.result_key("review/activity.png"))
    assert any(key.endswith(".flac") for key in job.store.keys(job.result_key("review/clips/")))


def test_failed_review_stores_its_reason(job: Job, models_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RecordingChanged("a.wav: it is another one now")

    monkeypatch.setattr("anemonefish.workflow.review.cut_clips", broken)
    with pytest.raises(RecordingChanged):
        store_review(job, ModelRepository(open_store(models_uri)))
    reason = Failure("RecordingChanged", "a.wav: it is another one now")
    assert read_review_state(job, overdue=False) == ReviewState("FAILED", failure=reason)


def test_pending_review_counts_as_failed_after_its_timeout(
    job: Job, models_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anemonefish.workflow.review.cut_clips", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        store_review(job, ModelRepository(open_store(models_uri)))
    assert read_review_state(job, overdue=False).status == "PENDING"
    late = read_review_state(job, overdue=True)
    assert late.status == "FAILED"
    assert late.failure is not None


def test_a_review_of_an_older_version_is_counted_by_its_files(tmp_path: Path) -> None:
    job = Job.of_tenant(LocalStore(tmp_path), "lab", "j-1")
    assert read_review_state(job, overdue=True).status == "FAILED"
    for name in ("review/clips/a.flac", "review/clips/a.png", "review/activity.png"):
        job.store.write(job.result_key(name), b"x")
    assert read_review_state(job, overdue=True) == ReviewState("SUCCEEDED", clips=1, pictures=2)
