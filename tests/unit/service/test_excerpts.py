"""A stretch of a recording is heard with its own samples, and seen as a review shows it."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from anemonefish.errors import ClipTooLarge, InvalidRequest, RecordingChanged, RecordingNotFound, UnreadableRecording
from anemonefish.jobs.job import Job
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.plots import spectrogram as plots
from anemonefish.service import excerpts
from anemonefish.service.excerpts import MOST_SAMPLES, cut_excerpt, draw_excerpt
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.review_folder import make_review
from anemonefish.workflow.transcode import transcode_task
from tests.fakes.service_stack import dies

Plan = Callable[..., Job]


@pytest.fixture
def models(models_uri: str) -> ModelRepository:
    return ModelRepository(open_store(models_uri))


@pytest.fixture
def planned_job(models: ModelRepository, tmp_path: Path) -> Plan:
    """Return a function that plans a job of recordings, and transcodes those that cannot be sought exactly."""

    def plan(*paths: Path, **settings: object) -> Job:
        job = Job.of_tenant(open_store(str(tmp_path / "output")), "lab", "e-1")
        requests = [RecordingRequest(str(path), path.name, path.name) for path in paths]
        wanted = Settings.load(settings, {})
        made = plan_job(requests, "reef", wanted, models, job)
        for task in job.transcodes(made):
            assert transcode_task(job, task) is None
        job.write_plan(plan_job(requests, "reef", wanted, models, job))
        return job

    return plan


def noise(path: Path, seconds: float, rate: int = 48_000, channels: int = 1, subtype: str = "PCM_16") -> Path:
    samples = np.random.default_rng(3).uniform(-0.5, 0.5, (int(seconds * rate), channels))
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def stored(job: Job, key: str) -> Path:
    return Path(job.store.uri, key)


@pytest.mark.parametrize(("rate", "channels", "subtype"), [(48_000, 1, "PCM_16"), (96_000, 2, "PCM_24")])
def test_clip_has_the_samples_of_the_recording(
    planned_job: Plan, tmp_path: Path, rate: int, channels: int, subtype: str
) -> None:
    path = noise(tmp_path / "reef.wav", 3, rate, channels, subtype)
    job = planned_job(path)
    made = cut_excerpt(job, "lab", 0, Fraction("0.5"), Fraction("1.123456"))
    assert (made.start, made.stop) == (rate // 2, round(1.123456 * rate))
    assert (made.sample_rate, made.channels, made.name) == (rate, channels, "reef.wav_0.500000s.flac")
    found, its_rate = soundfile.read(stored(job, made.key), dtype="int32", always_2d=True)
    whole, _ = soundfile.read(path, dtype="int32", always_2d=True)
    assert its_rate == rate
    np.testing.assert_array_equal(found, whole[made.start : made.stop])
    assert soundfile.info(stored(job, made.key)).subtype == subtype


@pytest.mark.parametrize(
    ("start", "stop", "samples"),
    [
        ("0.000010", "0.000031", (0, 1)),  # the nearest samples: 0.48 and 1.488
        ("0.333333", "0.666667", (16_000, 32_000)),  # times of events have six decimals
        ("1.5", "61.5", (72_000, 96_000)),
        ("0", "60", (0, 96_000)),
    ],
)
def test_bounds_are_the_nearest_samples_within_the_recording(
    planned_job: Plan, tmp_path: Path, start: str, stop: str, samples: tuple[int, int]
) -> None:
    job = planned_job(noise(tmp_path / "reef.wav", 2))
    made = cut_excerpt(job, "lab", 0, Fraction(start), Fraction(stop))
    assert (made.start, made.stop) == samples
    assert soundfile.info(stored(job, made.key)).frames == samples[1] - samples[0]


def test_second_request_cuts_and_draws_nothing(
    planned_job: Plan, models: ModelRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = planned_job(noise(tmp_path / "reef.wav", 3))
    asked = ("lab", 0, Fraction(1), Fraction(2))
    first, seen = cut_excerpt(job, *asked), draw_excerpt(job, models, *asked)
    monkeypatch.setattr(excerpts, "cut_clips", dies)
    assert cut_excerpt(job, *asked) == first
    assert draw_excerpt(job, models, *asked) == seen
    assert first.key.startswith("excerpts/lab/")


def test_excerpts_of_tenants_and_of_other_versions_are_apart(planned_job: Plan, tmp_path: Path) -> None:
    path = noise(tmp_path / "reef.wav", 3)
    asked = (0, Fraction(1), Fraction(2))
    keys = {cut_excerpt(planned_job(path), "lab", *asked).key}
    keys.add(cut_excerpt(planned_job(path), "other", *asked).key)
    soundfile.write(path, np.zeros(200_000), 48_000)
    keys.add(cut_excerpt(planned_job(path), "lab", *asked).key)
    assert len(keys) == 3


@pytest.mark.parametrize("ending", ["mp3", "ogg"])
def test_recording_that_was_transcoded_is_cut_from_its_pieces(
    planned_job: Plan, models: ModelRepository, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"reef.{ending}"
    soundfile.write(path, np.random.default_rng(3).uniform(-0.5, 0.5, (144_000, 2)), 48_000)
    job = planned_job(path)
    made = cut_excerpt(job, "lab", 0, Fraction(1), Fraction(2))
    found, _ = soundfile.read(stored(job, made.key), dtype="int32", always_2d=True)
    whole = cut_excerpt(job, "lab", 0, Fraction(0), Fraction(3))
    expected, _ = soundfile.read(stored(job, whole.key), dtype="int32", always_2d=True)
    assert found.shape == (48_000, 2)
    np.testing.assert_array_equal(found, expected[made.start : made.stop])
    assert draw_excerpt(job, models, "lab", 0, Fraction(1), Fraction(2)).channels == 2


def test_spectrogram_is_the_one_that_a_review_shows(
    planned_job: Plan, models: ModelRepository, models_uri: str, tmp_path: Path
) -> None:
    import anemonefish as af

    folder = tmp_path / "recordings"
    folder.mkdir()
    path = noise(folder / "reef.wav", 8, rate=96_000, channels=2)
    af.detect(path, processes=1, progress=None).save(tmp_path / "results", formats=("parquet",))
    made = make_review(tmp_path / "results", tmp_path / "page", clips=50, seed=0, models=open_store(models_uri))
    row = next(row for row in made.rows if row.start_sample > row.sample_rate)
    start, stop = (Fraction(sample, row.sample_rate) for sample in (row.start_sample, row.stop_sample))
    job = planned_job(path)
    sound = cut_excerpt(job, "lab", 0, start - 1, stop + 1)
    seen = draw_excerpt(job, models, "lab", 0, start - 1, stop + 1)
    clips = made.page.parent / "review-clips"
    assert stored(job, seen.key).read_bytes() == (clips / row.clip.replace(".flac", ".png")).read_bytes()
    np.testing.assert_array_equal(
        soundfile.read(stored(job, sound.key), dtype="int32")[0], soundfile.read(clips / row.clip, dtype="int32")[0]
    )
    assert Image.open(io.BytesIO(stored(job, seen.key).read_bytes())).size[0] == 1_000


def test_frequencies_of_the_edges_are_told_without_drawing() -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 40_000)
    for rate, band in (
        (48_000, (100.0, 2_000.0)),
        (44_100, None),
        (192_000, (0.0, 12_000.0)),
        (8_000, (3_900.0, 4_000.0)),
    ):
        drawn = plots.draw_spectrogram_image(samples, rate, band=band)
        assert (drawn.low_hz, drawn.high_hz) == plots.image_frequencies(rate, band)


@pytest.mark.parametrize(
    ("start", "stop", "error", "said"),
    [
        ("2", "3", InvalidRequest, r"reef.wav ends at 2.000000 s, before 2 s"),
        ("1", "1", InvalidRequest, "stop must be after start"),
        ("1", "0.5", InvalidRequest, "stop must be after start"),
        ("0", "60.001", ClipTooLarge, "at most 60 s"),
    ],
)
def test_impossible_stretch_is_refused(
    planned_job: Plan, tmp_path: Path, start: str, stop: str, error: type[Exception], said: str
) -> None:
    job = planned_job(noise(tmp_path / "reef.wav", 2))
    with pytest.raises(error, match=said):
        cut_excerpt(job, "lab", 0, Fraction(start), Fraction(stop))
    assert not Path(job.store.uri, "excerpts").exists()


def test_too_many_samples_and_too_few_for_a_picture_are_refused(
    planned_job: Plan, models: ModelRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = planned_job(noise(tmp_path / "reef.wav", 2, channels=2))
    with pytest.raises(InvalidRequest, match="too short for a spectrogram"):
        draw_excerpt(job, models, "lab", 0, Fraction(0), Fraction("0.01"))
    assert MOST_SAMPLES >= 60 * 192_000 * 2
    monkeypatch.setattr(excerpts, "MOST_SAMPLES", 95_999)
    cut_excerpt(job, "lab", 0, Fraction(0), Fraction("0.99"))
    with pytest.raises(ClipTooLarge, match="48000 samples of 2 channels"):
        cut_excerpt(job, "lab", 0, Fraction(0), Fraction(1))


def test_recording_that_is_not_there_any_more_is_said(
    planned_job: Plan, models: ModelRepository, tmp_path: Path
) -> None:
    path = noise(tmp_path / "reef.wav", 2)
    job = planned_job(path)
    soundfile.write(path, np.zeros(10_000), 48_000)
    with pytest.raises(RecordingChanged):
        cut_excerpt(job, "lab", 0, Fraction(0), Fraction(1))
    path.unlink()
    for call in (cut_excerpt, lambda job, *asked: draw_excerpt(job, models, *asked)):
        with pytest.raises(RecordingNotFound, match=r"reef.wav: the recording was deleted, .* upload it again"):
            call(job, "lab", 0, Fraction(0), Fraction(1))


@pytest.mark.parametrize("ending", ["wav", "mp3"])
def test_excerpts_that_are_stored_are_not_heard_after_their_recording_was_deleted(
    planned_job: Plan, models: ModelRepository, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"reef.{ending}"
    soundfile.write(path, np.random.default_rng(3).uniform(-0.5, 0.5, 96_000), 48_000)
    job, asked = planned_job(path), ("lab", 0, Fraction(0), Fraction(1))
    sound, picture = cut_excerpt(job, *asked), draw_excerpt(job, models, *asked)
    path.unlink()
    assert stored(job, sound.key).exists()
    assert stored(job, picture.key).exists()
    for call in (cut_excerpt, lambda job, *asked: draw_excerpt(job, models, *asked)):
        with pytest.raises(RecordingNotFound, match=r"the recording was deleted"):
            call(job, *asked)


def test_recording_that_the_execution_does_not_have_or_could_not_read_is_said(
    planned_job: Plan, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF nothing of a recording")
    job = planned_job(noise(tmp_path / "reef.wav", 2), broken)
    with pytest.raises(RecordingNotFound, match="recordings 0 to 1, not 2"):
        cut_excerpt(job, "lab", 2, Fraction(0), Fraction(1))
    with pytest.raises(UnreadableRecording):
        cut_excerpt(job, "lab", 1, Fraction(0), Fraction(1))
