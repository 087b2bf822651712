"""Scores read back from Parquet and JSON give the same events as a new decision; damaged files are reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.results.decide import decide
from anemonefish.results.events import smooth
from anemonefish.results.read import find_results, read_result
from anemonefish.results.recording_result import RecordingResult
from tests.decided_results import WINDOWS, random_scores, write_formats


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_events_from_a_saved_result_equal_those_of_a_new_decision(
    make_result: Callable[..., RecordingResult], tmp_path: Path, form: str
) -> None:
    result = make_result("a.wav", random_scores(3), median_windows=3, min_gap_seconds=0.7)
    write_formats(tmp_path, result, form)
    (path,) = find_results(tmp_path).values()
    scored = read_result(path)
    assert (scored.name, scored.classes, scored.seconds) == ("a.wav", result.spec.classes, Fraction(WINDOWS + 1, 5))
    smoothed = smooth(scored.scores, scored.decision.median_windows)
    for threshold in (0.3, 0.5, 0.77):
        fresh = decide(
            result.recording, result.spec, result.model, replace(result.settings, threshold=threshold), result.scores
        )
        found = scored.events(smoothed, "anemonefish", threshold)
        assert [(e.start, e.stop, e.n_windows) for e in found] == [(e.start, e.stop, e.n_windows) for e in fresh.events]
        assert found  # otherwise the line above would compare empty lists
    if form == "parquet":
        assert scored.scores.tobytes() == result.scores.tobytes()


def test_parquet_is_preferred_and_other_files_are_ignored(results: Path) -> None:
    (results / "manifest.json").write_text("{}")
    (results / ".anemonefish").mkdir()
    (results / ".anemonefish" / "x.json").write_text("{}")
    assert {name: path.name for name, path in find_results(results).items()} == {
        "a.wav": "a.wav.scores.parquet",
        "site/b.wav": "b.wav.scores.parquet",
        "site/c.wav": "c.wav.scores.parquet",
    }


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"recording": 1}', b"PAR1"])
@pytest.mark.parametrize("name", ["a.wav.json", "a.wav.scores.parquet"])
def test_damaged_result_is_an_invalid_request(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidRequest, match="not a result of this program, or damaged"):
        read_result(tmp_path / name)


@pytest.mark.parametrize("where", ["first page", "footer"])
def test_parquet_file_with_internal_damage_is_an_invalid_request(
    make_result: Callable[..., RecordingResult], tmp_path: Path, where: str
) -> None:
    write_formats(tmp_path, make_result("a.wav", random_scores(0)), "parquet")
    (path,) = tmp_path.glob("*.parquet")
    content = bytearray(path.read_bytes())
    first = 4 if where == "first page" else len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    content[first : first + 40] = b"\xff" * 40
    path.write_bytes(content)
    with pytest.raises(InvalidRequest, match="not a result of this program, or damaged"):
        read_result(path)


def test_folder_without_results_is_an_invalid_request(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InvalidRequest, match="no results in this folder"):
            find_results(folder)
