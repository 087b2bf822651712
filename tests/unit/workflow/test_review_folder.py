"""A review has a clip and a spectrogram for each unit, and its verdicts come back beside the results they belong to."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

import anemonefish as af
from anemonefish.cli.main import main
from anemonefish.errors import InvalidRequest, RecordingChanged, RecordingNotFound
from anemonefish.results.review_units import SEGMENT
from anemonefish.results.verdict_table import read_verdicts, write_verdicts
from anemonefish.results.verdicts import Verdict
from anemonefish.workflow.find_recordings import find_recordings
from anemonefish.workflow.review_folder import MadeReview

pytestmark = pytest.mark.slow

ODD = "<img src=x onerror=alert(1)> &'.wav"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings with odd names, one of which must be transcoded, and their results."""
    folder = tmp_path_factory.mktemp("review") / "deployment"
    folder.mkdir()
    af.simulate(folder / ODD, seconds=12, seed=6)
    samples, rate = soundfile.read(folder / ODD)
    soundfile.write(folder / "=b.ogg", np.stack([samples, samples], axis=1)[: 6 * rate], rate)
    af.detect(folder, folder=folder.parent / "results", formats=["parquet"], processes=1)
    return folder


@pytest.fixture(scope="module")
def results(deployment: Path) -> Path:
    return deployment.parent / "results"


@pytest.fixture(scope="module")
def made(results: Path) -> MadeReview:
    return af.review(results, clips=100, seed=3)  # all: a few seconds have fewer units


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["review", *map(str, arguments)])


def test_every_unit_has_its_clip_and_its_spectrogram(made: MadeReview, results: Path) -> None:
    assert made.page == results / "review-page" / "index.html"
    assert made.band_is_known
    files = {path.name for path in (made.page.parent / "review-clips").iterdir()}
    assert files == {row.clip for row in made.rows} | {row.clip.replace(".flac", ".png") for row in made.rows}
    assert {row.recording for row in made.rows} == {ODD, "=b.ogg"}
    for row in made.rows:
        sound = soundfile.info(made.page.parent / "review-clips" / row.clip)
        unit = (row.stop_sample - row.start_sample) / row.sample_rate
        assert unit <= sound.duration <= unit + 2
        assert sound.channels == (2 if row.recording == "=b.ogg" else 1)


def test_clip_has_the_samples_of_its_unit(made: MadeReview, deployment: Path) -> None:
    row = next(row for row in made.rows if row.recording == ODD)
    whole, rate = soundfile.read(deployment / ODD, dtype="int16")
    clip, _ = soundfile.read(made.page.parent / "review-clips" / row.clip, dtype="int16")
    start = max(0, row.start_sample * rate // row.sample_rate - rate)
    np.testing.assert_array_equal(clip, whole[start : start + len(clip)])


def test_same_seed_gives_the_same_page_and_a_smaller_draw_removes_clips(
    made: MadeReview, results: Path, tmp_path: Path
) -> None:
    pages = [af.review(results, tmp_path / name, seed=1).page.read_bytes() for name in ("one", "two")]
    assert pages[0] == pages[1]
    af.review(results, tmp_path / "one", clips=len(made.rows) - 1, seed=2)
    table = read_verdicts(tmp_path / "one" / "to-judge.csv")
    assert {path.name for path in (tmp_path / "one" / "review-clips").glob("*.flac")} == {r.clip for r in table.rows}
    assert len(table.rows) == len(made.rows) - 1


def test_clips_of_a_review_are_not_analysed_as_recordings(made: MadeReview, deployment: Path) -> None:
    found = find_recordings([str(deployment.parent)])
    assert sorted(Path(each.path).name for each in found.recordings) == sorted([ODD, "=b.ogg"])
    assert found.own == len(made.rows)


def test_recordings_that_were_moved_are_named_by_their_folder(deployment: Path, results: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "day 1"
    shutil.copytree(deployment, moved)
    away = tmp_path / "results"
    shutil.copytree(results, away)
    hidden = deployment.rename(deployment.with_name("unplugged"))
    try:
        with pytest.raises(RecordingNotFound, match=r"not where they were analysed.*--recordings FOLDER"):
            af.review(away, tmp_path / "page")
        assert af.review(away, tmp_path / "page", recordings=moved.parent).n_units > 4
        (moved / ODD).unlink()
        soundfile.write(moved / ODD, np.zeros(100), 48_000)
        with pytest.raises(RecordingChanged, match="has 100 samples at 48000 Hz"):
            af.review(away, tmp_path / "page", recordings=moved.parent)
    finally:
        hidden.rename(deployment)


def test_model_that_is_not_there_leaves_the_band_open(results: Path, tmp_path: Path) -> None:
    made = af.review(results, tmp_path / "page", models=tmp_path / "no models")
    assert not made.band_is_known
    assert '"high": 24' in made.page.read_text()  # half the sample rate, and half a bin


def judged(rows: tuple[Verdict, ...], verdict: str, reviewer: str = "Ana") -> list[Verdict]:
    return [replace(row, verdict=verdict, reviewer=reviewer, judged_at="2026-11-29T10:00:00Z") for row in rows]


def test_verdicts_come_back_beside_the_results(made: MadeReview, results: Path, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    away = tmp_path / "results"
    for path in results.glob("*.parquet"):
        shutil.copy(path, away)
    write_verdicts(tmp_path / "ana.csv", judged(made.rows, "no"))
    write_verdicts(tmp_path / "ben.csv", [*judged(made.rows[:2], "unsure", "Ben"), *made.rows[2:]])
    count = len(made.rows)
    answer = run(away, "--verdicts", tmp_path / "ana.csv", "--verdicts", tmp_path / "ben.csv")
    assert answer.exit_code == 0, answer.output
    assert f"{count} units judged by Ana, Ben, 0 not judged" in answer.output
    assert "unsure in the labels, because reviewers differ: 2 units" in answer.output
    rows = read_verdicts(away / "verdicts.csv").rows
    assert len(rows) == count + 2
    with (away / "review-labels.csv").open() as file:
        assert sorted(row["class"] for row in csv.DictReader(file)) == ["no"] * (count - 2) + ["unsure"] * 2
    # Later verdicts of the same reviewer replace the earlier ones.
    later = [replace(row, judged_at="2026-12-01T10:00:00Z") for row in judged(made.rows[:2], "no", "Ben")]
    write_verdicts(tmp_path / "ben.csv", later)
    taken = af.take_verdicts(away, tmp_path / "ben.csv")
    assert (taken.disagreements, len(taken.table.rows)) == (0, count + 2)


def test_each_target_class_has_its_review_and_its_verdicts(deployment: Path, tmp_path: Path) -> None:
    away = tmp_path / "results"
    af.detect(
        deployment / ODD, folder=away, formats=["parquet"], processes=1, target_class=("anemonefish", "biological")
    )
    answer = run(away, "--recordings", deployment)
    assert "this review is about anemonefish; for another class of these results:" in answer.output
    (command,) = re.findall(r"anemonefish (review .* --class biological)", answer.output)
    assert CliRunner().invoke(main, [*shlex.split(command), "--recordings", str(deployment)]).exit_code == 0
    pages = [away / "review-page", away / "review-page-biological"]
    tables = [read_verdicts(page / "to-judge.csv") for page in pages]
    assert [{row.label for row in table.rows} for table in tables] == [{"anemonefish"}, {"biological"}]
    for table in tables:
        write_verdicts(tmp_path / "verdicts.csv", judged(table.rows, "no"))
        taken = af.take_verdicts(away, tmp_path / "verdicts.csv")
    assert len(taken.table.rows) == sum(len(table.rows) for table in tables)
    with pytest.raises(InvalidRequest, match=r"about anemonefish and biological.*name it"):
        af.calibrate_scores(away)
    with pytest.raises(InvalidRequest, match="a curve needs 10 of each"):
        af.calibrate_scores(away, target_class="biological")
    with pytest.raises(InvalidRequest, match="not about 'grunt'"):
        af.calibrate_scores(away, target_class="grunt")
    with pytest.raises(InvalidRequest, match="no events of 'noise', only of anemonefish and biological"):
        af.review(away, target_class="noise")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_hash": "0" * 64}, "about results of reef"),
        ({"threshold": 0.123}, "decided with threshold=0.123"),
        ({"stratum_size": 10_000}, "no unit of these results"),
        ({"clip": "clip-000000000000.flac"}, "no unit of these results"),
        ({"start_sample": 1}, "no unit of these results"),
        ({"score": 0.5}, "no unit of these results"),
    ],
)
def test_verdicts_about_other_results_are_refused(
    made: MadeReview, results: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    row = next(row for row in made.rows if row.kind == SEGMENT and abs(row.score - 0.5) > 0.01)
    write_verdicts(tmp_path / "verdicts.csv", [replace(row, **change)])  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match=message):
        af.take_verdicts(results, tmp_path / "verdicts.csv")
    assert not (results / "verdicts.csv").exists()


def test_results_of_two_models_or_settings_are_not_reviewed_together(results: Path, tmp_path: Path) -> None:
    shutil.copytree(results, tmp_path / "results")
    other = tmp_path / "results" / "site"
    other.mkdir()
    wav = tmp_path / "c.wav"
    af.simulate(wav, seconds=2, seed=1)
    af.detect(wav, threshold=0.123, processes=1).save(other, formats=["parquet"])
    with pytest.raises(InvalidRequest, match=r"other settings than .*; review them in folders of their own"):
        af.review(tmp_path / "results")


def test_command_prints_strata_the_page_and_a_command_that_works(results: Path, tmp_path: Path) -> None:
    answer = run(results, "--clips", 50, "--out", tmp_path / "my page")
    assert answer.exit_code == 0, answer.output
    assert str(tmp_path / "my page" / "index.html") in answer.output
    assert f"anemonefish review {results} --verdicts ~/Downloads/verdicts.csv" in answer.output
    assert re.search(r"segment 0\S*-\S+ +\d+ +\d+ +0 +0 +0 +0", answer.output)


def test_options_of_the_page_are_refused_with_verdicts(results: Path, tmp_path: Path) -> None:
    answer = run(results, "--verdicts", tmp_path / "v.csv", "--clips", 8)
    assert answer.exit_code == 1
    assert "leave out --clips" in answer.output
