"""Transcoded audio that was deleted after its time: it is made again, or the error says what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from anemonefish.audio.pieces import PIECE_SAMPLES, find_transcoded, piece_key, read_index
from anemonefish.audio.transcoding import transcoder
from anemonefish.errors import MissingParts, RecordingNotFound
from anemonefish.jobs.job import Job
from anemonefish.jobs.parts import read_scores
from anemonefish.jobs.plan import Plan
from anemonefish.jobs.report_tasks import ReportTask
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository, ready_model
from anemonefish.results.review_state import read_review_state
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.workflow.aggregate import aggregate_job
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.report import report_task
from anemonefish.workflow.review import store_review
from anemonefish.workflow.score import score_range
from anemonefish.workflow.transcode import transcode_task

RATE = 48_000
DELETED = r"a\.ogg: its transcoded audio was deleted.*upload the recording again and start a new job"


class TranscodedJob:
    """A job of one recording that must be transcoded."""

    def __init__(self, folder: Path, models_uri: str) -> None:
        path = folder / "a.ogg"
        sound = np.random.default_rng(1).uniform(-0.5, 0.5, 3 * RATE)
        with soundfile.SoundFile(path, "w", RATE, 1, "VORBIS", format="OGG") as file:
            file.write(sound)
        self.request = RecordingRequest(str(path), "a.ogg", "a.ogg")
        self.job = Job.at(open_store(str(folder / "store")), "jobs/lab/e-1")
        self.models, self.models_uri = ModelRepository(open_store(models_uri)), models_uri
        self.settings = Settings.load({"threshold": 0.01, "min_duration_seconds": 0, "review": ["clips"]}, {})
        self.transcode()

    def plan(self) -> Plan:
        return plan_job([self.request], "reef", self.settings, self.models, self.job)

    def transcode(self) -> None:
        for task in self.job.transcodes(self.plan()):
            assert transcode_task(self.job, task) is None

    @property
    def prefix(self) -> str:
        return next(key.rpartition("/")[0] for key in self.job.store.keys(f"{self.job.kept}/audio/"))

    def delete(self, *names: str) -> None:
        for name in names:
            Path(self.job.store.uri, self.prefix, name).unlink()

    def score(self, plan: Plan) -> None:
        for task in plan.tasks():
            score_range(self.job, task, ready_model(self.models_uri, plan.model))


@pytest.fixture
def transcoded(tmp_path: Path, models_uri: str) -> TranscodedJob:
    return TranscodedJob(tmp_path, models_uri)


def test_recording_whose_pieces_are_deleted_is_transcoded_again(transcoded: TranscodedJob) -> None:
    job = transcoded.job
    prefix, whole = transcoded.prefix, transcoded.plan()
    before = job.store.read(piece_key(prefix, 0))
    assert job.transcodes(whole) == []
    transcoded.delete("000000.flac")  # the index is younger, so it is deleted a day later
    assert read_index(job.store, prefix) is not None
    assert find_transcoded(job.store, prefix) is None
    assert [task.path for task in job.transcodes(transcoded.plan())] == ["a.ogg"]
    transcoded.transcode()
    assert job.store.read(piece_key(prefix, 0)) == before
    assert transcoded.plan() == whole


def test_pieces_are_not_made_again_while_all_are_there(
    transcoded: TranscodedJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcoder, "_Transcoder", None)
    assert transcoded.plan().recordings[0].inexact is None
    found = find_transcoded(transcoded.job.store, transcoded.prefix)
    assert found is not None
    assert 0 < found.facts.frames < PIECE_SAMPLES


@pytest.mark.parametrize("names", [["000000.flac"], ["index.json", "000000.flac"]], ids=["piece", "all"])
def test_resumed_range_without_its_audio_says_what_to_do(transcoded: TranscodedJob, names: list[str]) -> None:
    plan = transcoded.plan()
    transcoded.delete(*names)
    with pytest.raises(RecordingNotFound, match=DELETED):
        transcoded.score(plan)


@pytest.mark.parametrize("names", [["000000.flac"], ["index.json", "000000.flac"]], ids=["piece", "all"])
def test_clips_without_their_audio_say_what_to_do(transcoded: TranscodedJob, names: list[str]) -> None:
    """A job that is resumed after its audio was deleted has all scores, so only its clips cannot be made."""
    job, plan = transcoded.job, transcoded.plan()
    job.write_plan(plan)
    transcoded.score(plan)
    report_task(job, ReportTask(start=0, stop=len(plan.recordings)), transcoded.models)
    assert aggregate_job(job, plan, transcoded.models).events > 0
    transcoded.delete(*names)
    with pytest.raises(RecordingNotFound, match=DELETED):
        store_review(job, transcoded.models)
    failure = read_review_state(job, overdue=False).failure
    assert failure is not None
    assert failure.error == "RecordingNotFound"
    assert list(job.store.keys(job.manifest_key)) == [job.manifest_key]


def test_scores_that_were_deleted_are_missing_parts(transcoded: TranscodedJob) -> None:
    job, plan = transcoded.job, transcoded.plan()
    job.write_plan(plan)
    transcoded.score(plan)
    tasks = list(plan.tasks())
    Path(job.store.uri, job.part_key(tasks[0])).unlink()
    with pytest.raises(MissingParts, match=r"a\.ogg: its scores were deleted .*start the job again"):
        read_scores(job, transcoded.models.spec(plan.model), tasks)
    report_task(job, ReportTask(start=0, stop=len(plan.recordings)), transcoded.models)
    with pytest.raises(MissingParts, match="resume the job"):
        aggregate_job(job, plan, transcoded.models)
