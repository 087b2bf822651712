"""``anemonefish train``: mistakes end as one line with the mend, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from anemonefish.cli.main import main
from tests.unit.training.conftest import write_table, write_tones


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tones(tmp_path / "a.wav", 3, [])
    write_table(tmp_path / "a.wav.txt", [(1, 1.2, "pop")])
    return tmp_path


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "InvalidRequest: the class 'pop' is in 1 recording (a.wav), and three are needed"),
        (["--map", "pop"], "InvalidSettings: --map 'pop' does not say what it means; write LABEL=CLASS"),
        (["--band", "high"], "InvalidSettings: --band 'high' is not two frequencies in Hz; write for example 100-2000"),
        (["--band", "900-100"], "InvalidSettings: band must be two rising frequencies"),
        (["--hop", "1"], "InvalidSettings: hop_seconds 1 must not be above window_seconds 0.4"),
        (["--class", "grunt"], "InvalidRequest: no label means the class 'grunt'; the labels are called 'pop'"),
    ],
)
def test_mistake_is_one_line_with_its_mend(folder: Path, options: list[str], words: str) -> None:
    done = CliRunner().invoke(
        main, ["train", str(folder), "--labels", str(folder), "--out", str(folder / "models"), *options]
    )
    assert done.exit_code == 1
    assert words in done.output
    assert not (folder / "models").exists()
