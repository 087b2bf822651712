"""Job-level files: combined tables hold the events of all recordings, with correct times."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner

from anemonefish.annotations.label_files import read_labels
from anemonefish.cli.main import main
from anemonefish.results.summary import COMBINED_EVENTS, COMBINED_SELECTIONS
from anemonefish.simulation.scene import scene, write_scene
from anemonefish.simulation.scene_settings import SceneSettings

BUSY = SceneSettings(calls_per_minute=60, calls_per_bout=(1, 1))


@pytest.fixture
def folder(tmp_path: Path, make_recording: Callable[..., Path]) -> Path:
    """Three recordings with calls, at two rates, a quiet one and an unreadable one between them."""
    made = tmp_path / "deployment"
    made.mkdir()
    write_scene(scene(20, seed=1, settings=BUSY), made / "a_20230210T000000Z.wav")
    shutil.move(make_recording("quiet.wav", frames=100_001), made / "b_20230210T000020Z.wav")
    (made / "c.wav").write_bytes(b"")
    write_scene(scene(15, seed=2, sample_rate=44_100, settings=BUSY), made / "d_20230210T010000Z.wav")
    write_scene(scene(10, seed=3, settings=BUSY), made / "e_20230210T020000Z.wav")
    return made


def table(path: Path, delimiter: str) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter=delimiter))


def test_combined_tables_hold_the_events_of_every_recording(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert CliRunner().invoke(main, ["detect", str(folder), "--out", str(out)]).exit_code == 1  # c.wav is empty
    before, rows = Fraction(0), []
    for path in sorted(folder.glob("*.wav")):
        if path.stat().st_size == 0:
            continue
        for row in table(out / f"{path.name}.selections.txt", "\t"):
            start = Fraction(row["Begin Time (s)"])
            rows.append((path.name, row["File Offset (s)"], before + start, row["Begin UTC"]))
        info = soundfile.info(str(path))
        before += Fraction(info.frames, info.samplerate)
    combined = table(out / COMBINED_SELECTIONS, "\t")
    assert len(combined) == len(rows) > 10
    assert {row["Begin File"] for row in combined} == {name for name, *_ in rows}
    assert [row["Selection"] for row in combined] == [str(number) for number in range(1, len(rows) + 1)]
    for row, (name, offset, begin, utc) in zip(combined, rows, strict=True):
        assert (row["Begin File"], row["File Offset (s)"], row["Begin UTC"]) == (name, offset, utc)
        assert abs(Fraction(row["Begin Time (s)"]) - begin) <= Fraction(2, 1_000_000)
        assert row["Begin Path"] == str(folder / name)
    events = table(out / COMBINED_EVENTS, ",")
    own = [row for path in sorted(out.glob("*.wav.events.csv")) for row in table(path, ",")]
    assert events == own
    assert events[0]["start_utc"].startswith("2023-02-10T00:00:")
    assert events[-1]["start_utc"].startswith("2023-02-10T02:00:")
    assert len(read_labels(out / COMBINED_SELECTIONS).labels) == len(rows)


def test_single_recording_has_no_combined_table(make_recording: Callable[..., Path], tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["detect", str(make_recording()), "--out", str(tmp_path / "out")]).exit_code == 0
    assert not (tmp_path / "out" / COMBINED_EVENTS).exists()


def test_gap_between_recordings_shows_in_utc_and_not_in_raven_times(
    real_recording: Callable[[str], Path], tmp_path: Path
) -> None:
    """Five files of ten seconds each; twenty seconds are missing after the third."""
    deployment = real_recording("timestamped")
    options = ["--set", "threshold=0", "--set", "median_windows=1", "--set", "time_zone=+02:00"]
    done = CliRunner().invoke(main, ["detect", str(deployment), "--out", str(tmp_path), *options])
    assert done.exit_code == 0, done.output
    rows = table(tmp_path / COMBINED_SELECTIONS, "\t")
    names = sorted(path.name for path in deployment.glob("*.wav"))
    assert [row["Begin File"] for row in rows] == names  # one event over each file: the threshold is 0
    starts = [soundfile.info(str(deployment / name)).frames for name in names]
    cumulated = [Fraction(sum(starts[:number]), 48_000) for number in range(len(names))]
    assert [Fraction(row["Begin Time (s)"]) for row in rows] == cumulated
    assert [row["Begin UTC"][11:19] for row in rows] == ["20:35:10", "20:35:20", "20:35:30", "20:36:00", "20:36:10"]


def test_names_that_look_like_formulas_are_escaped_in_every_table(tmp_path: Path) -> None:
    names = ["+2.wav", "=1+1.wav", '=HYPERLINK("x").wav', "@a.wav"]
    for seed, name in enumerate(names):
        path = tmp_path / "deployment" / name
        path.parent.mkdir(exist_ok=True)
        write_scene(scene(10, seed=seed, settings=BUSY), path)
    (tmp_path / "deployment" / "-broken.wav").write_bytes(b"")
    out = tmp_path / "out"
    formats = "csv,raven,kaleidoscope,audacity,longterm,scores"
    done = CliRunner().invoke(main, ["detect", str(tmp_path / "deployment"), "--out", str(out), "--formats", formats])
    assert done.exit_code == 1, done.output
    files = [path for path in out.rglob("*") if path.is_file() and ".anemonefish" not in path.parts]
    assert len(files) == 4 + len(names) * 6
    for path in files:
        separator = "\t" if path.suffix == ".txt" else ","
        for row in csv.reader(path.read_text().splitlines(), delimiter=separator):
            assert not [cell for cell in row if cell[:1] in set("=+-@") and not re.fullmatch(r"-\d+\.\d", cell)], path
    assert {row["recording"] for row in table(out / "summary.csv", ",")} == {
        f"'{name}" for name in ["-broken.wav", *names]
    }
    for combined in (COMBINED_EVENTS, COMBINED_SELECTIONS):
        found = {Path(recording).name for recording in read_labels(out / combined).recordings}
        assert found <= set(names)
        assert len(found) > 1


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_frequencies_of_a_table_do_not_exceed_nyquist(tmp_path: Path, rate: int) -> None:
    write_scene(scene(20, seed=1, sample_rate=rate, settings=BUSY), tmp_path / "slow.wav")
    options = ["--out", str(tmp_path / "out"), "--set", "threshold=0.01"]
    assert CliRunner().invoke(main, ["detect", str(tmp_path / "slow.wav"), *options]).exit_code == 0
    rows = table(tmp_path / "out" / "slow.wav.selections.txt", "\t")
    assert rows
    for row in rows:
        assert 0 <= float(row["Low Freq (Hz)"]) < float(row["High Freq (Hz)"]) <= rate / 2
