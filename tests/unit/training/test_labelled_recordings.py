"""Recordings with their labels, and what is left out and why."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.training.label_meanings import UNSURE
from anemonefish.training.labelled_recordings import find_material, limited
from anemonefish.training.training_options import TrainingOptions
from tests.unit.training.conftest import labelled, write_table, write_tones


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(3):
        name = f"site{index}/20260501T{index:02d}0000Z.wav"
        (tmp_path / name).parent.mkdir()
        write_tones(tmp_path / name, 5, [], seed=index)
        write_table(tmp_path / f"{name}.selections.txt", [(1, 2, "pop"), (3, 3.5, "boat")])
    return tmp_path


def reasons(folder: Path, **options: object) -> dict[str, str]:
    found = find_material([str(folder)], folder, TrainingOptions(**options))  # type: ignore[arg-type]
    return {each.name: each.reason for each in found.left_out}


def test_labels_are_matched_with_recordings(folder: Path) -> None:
    found = find_material([str(folder)], folder, TrainingOptions(classes=("pop",)))
    assert [each.name for each in found.recordings] == [f"site{i}/20260501T0{i}0000Z.wav" for i in range(3)]
    first = found.recordings[0]
    assert (first.site, first.day, first.sample_rate, first.labels[0].high_hz) == (
        "site0",
        date(2026, 5, 1),
        8000,
        900.0,
    )
    assert [(label.start, label.stop, label.meaning) for label in first.labels] == [
        (1_000_000, 2_000_000, 0),
        (3_000_000, 3_500_000, -1),
    ]
    assert found.label_names == {"boat": 3, "pop": 3}
    assert found.left_out == ()


def test_recording_without_labels_is_left_out_or_empty(folder: Path) -> None:
    write_tones(folder / "quiet.wav", 5, [], seed=9)
    assert "no label file; --unlabelled negative says" in reasons(folder)["quiet.wav"]
    found = find_material([str(folder)], folder, TrainingOptions(unlabelled="negative"))
    quiet = next(each for each in found.recordings if each.name == "quiet.wav")
    assert (quiet.labels, quiet.label_file) == ((), "")


def test_copy_of_a_recording_is_left_out(folder: Path) -> None:
    shutil.copy(folder / "site0/20260501T000000Z.wav", folder / "site1/copy.wav")
    write_table(folder / "site1/copy.wav.selections.txt", [(1, 2, "pop")])
    assert "the same bytes as site0/20260501T000000Z.wav" in reasons(folder)["site1/copy.wav"]


def test_label_behind_the_end_leaves_its_recording_out(folder: Path) -> None:
    write_table(folder / "site1/20260501T010000Z.wav.selections.txt", [(7, 8, "pop")])
    assert "line 2 begins at 7.000 s, but the recording has 5.000 s" in reasons(folder)["site1/20260501T010000Z.wav"]


def test_unreadable_row_and_broken_recording_are_left_out_with_the_reason(folder: Path) -> None:
    (folder / "site1/20260501T010000Z.wav").write_bytes(b"RIFF nothing")
    table = folder / "site2/20260501T020000Z.wav.selections.txt"
    table.write_text(table.read_text().replace("1.000000", "one"))
    found = reasons(folder)
    assert set(found) == {"site1/20260501T010000Z.wav", "site2/20260501T020000Z.wav"}
    assert "line 2" in found["site2/20260501T020000Z.wav"]


def test_labels_of_other_recordings_are_an_error_that_names_both(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "labels"
    other.mkdir()
    write_table(other / "elsewhere.wav.selections.txt", [(1, 2, "pop")])
    with pytest.raises(InvalidRequest, match=r"labels are of elsewhere.wav, the recordings are site0/.*name the label"):
        find_material([str(folder)], other, TrainingOptions())


def test_same_names_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for site in "ab":
        (tmp_path / site).mkdir()
        write_tones(tmp_path / site / "reef.wav", 3, [], seed=ord(site))
        write_table(tmp_path / site / "reef.wav.txt", [(1, 2, "pop")])
    found = find_material([str(tmp_path / "a"), str(tmp_path / "b")], tmp_path, TrainingOptions(unlabelled="negative"))
    assert [each.name for each in found.recordings] == ["a/reef.wav", "b/reef.wav"]


def test_s3_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidRequest, match="download the recordings first"):
        find_material(["s3://bucket/reef.wav"], folder, TrainingOptions())


def test_few_labels_are_chosen_by_chance_and_the_others_are_doubt() -> None:
    recordings = [labelled(f"{index}.wav", *((second, second + 0.1, 0) for second in range(10))) for index in range(3)]
    kept = limited(recordings, 1, 12, seed=1)
    assert sum(each.count(0) for each in kept) == 12
    assert sum(each.count(UNSURE) for each in kept) == 18
    assert kept == limited(recordings, 1, 12, seed=1) != limited(recordings, 1, 12, seed=2)
