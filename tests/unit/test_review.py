"""Clips and pictures of a job: every event to listen to, in place and out of pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from anemonefish.cli import main
from anemonefish.simulate import SceneSettings, scene, write_scene

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
    done = CliRunner().invoke(main, ["detect", str(folder), "--out", str(out), "--set", "channel=1", *options])
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


def test_nothing_is_drawn_unless_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    detect(folder, tmp_path)
    assert not (tmp_path / "review").exists()
