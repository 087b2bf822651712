"""Readers that others wrote open our files and see the same events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import crowsetta
import pytest
from click.testing import CliRunner

from anemonefish.annotations.label_files import read_labels
from anemonefish.cli.main import main
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings
from tests.reference_models import spec_of


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a recording with many events."""
    folder = tmp_path_factory.mktemp("public")
    write_scene(scene(60, seed=5, settings=SceneSettings(calls_per_minute=40, calls_per_bout=(1, 1))), folder / "a.wav")
    done = CliRunner().invoke(main, ["detect", str(folder / "a.wav"), "--out", str(folder / "out")])
    assert done.exit_code == 0, done.output
    return folder / "out"


def events(results: Path) -> list[tuple[int, int, str]]:
    """Return our events in microseconds, as our own reader sees them in our CSV."""
    labels = read_labels(results / "a.wav.events.csv").labels
    return [(label.start, label.stop, label.name) for label in labels]


def test_crowsetta_opens_our_raven_table(results: Path) -> None:
    table = crowsetta.formats.by_name("raven").from_file(results / "a.wav.selections.txt", annot_col="Class")
    boxes = table.to_bbox()
    found = [(round(box.onset * 1e6), round(box.offset * 1e6), box.label) for box in boxes]
    assert found == events(results)
    assert len(found) > 5
    spec = spec_of()
    assert spec.sample_rate is not None
    assert {(box.low_freq, box.high_freq) for box in boxes} == {spec.profile.band(spec.sample_rate)}


def test_crowsetta_opens_our_audacity_labels(results: Path) -> None:
    track = crowsetta.formats.by_name("aud-seq").from_file(results / "a.wav.audacity.txt")
    sequence = track.to_seq(round_times=False)
    found = [
        (round(start * 1e6), round(stop * 1e6), str(label))
        for start, stop, label in zip(sequence.onsets_s, sequence.offsets_s, sequence.labels, strict=True)
    ]
    assert found == events(results)


def test_we_open_the_table_of_another_detector(real_recording: Callable[[str], Path]) -> None:
    labels = read_labels(real_recording("reef/FS_plot_AMAR173.4.20190920T004248Z.selections.txt")).labels
    assert len(labels) == 14
    assert {label.name for label in labels} == {"FS"}
    assert (labels[0].start, labels[0].stop) == (1_000_000, 1_200_000)
    assert {(label.low_hz, label.high_hz) for label in labels} == {(0, 1_200)}
