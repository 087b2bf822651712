"""The Parquet file holds exact values and its metadata, and has the same bytes in every process."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arro3.core import DataType, Table
from arro3.io import read_parquet
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.decision import Decision
from anemonefish.models.repository import ModelRepository
from anemonefish.results import parquet_scores
from anemonefish.results.events import smooth
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.report_formats import write_report
from anemonefish.sample_times import seconds
from anemonefish.settings import FORMATS, Settings
from anemonefish.stores import open_store
from anemonefish.workflow.planner import plan_job

WINDOWS = 1_000


@pytest.fixture
def result(models_uri: str, make_recording: Callable[..., Path]) -> RecordingResult:
    """Return random scores for a recording; its planned length is adapted to the number of windows."""
    return made_result(models_uri, make_recording("töne, day 2.wav"))


def made_result(models_uri: str, recording: Path, windows: int = WINDOWS) -> RecordingResult:
    models = ModelRepository(open_store(models_uri))
    request = RecordingRequest(str(recording), recording.name, f"/deployment/{recording.name}")
    plan = plan_job([request], "reef", Settings.load({}, {}), models)
    planned, spec = plan.recordings[0], models.spec(plan.model)
    settings = spec.decided(plan.settings)
    analysis = planned.analysis
    assert analysis is not None
    samples = (windows - 1) * analysis.grid.hop + analysis.grid.window if windows else 0
    scores = np.random.default_rng(7).dirichlet(np.ones(len(spec.classes)), windows).astype(np.float32)
    return RecordingResult(
        recording=planned,
        analysis=replace(analysis, grid=replace(analysis.grid, n_samples=samples)),
        spec=spec,
        model=plan.model,
        settings=settings,
        scores=scores,
        smoothed=smooth(scores, Decision.of(settings).median_windows),
        events=(),
        class_runs=(),
    )


def written(result: RecordingResult, folder: Path) -> bytes:
    write_report("parquet", folder / "report", result)
    return (folder / "report").read_bytes()


def read_back(content: bytes) -> Table:
    return read_parquet(io.BytesIO(content)).read_all()


def column(table: Table, name: str) -> np.ndarray[Any, Any]:
    return np.asarray(table[name].combine_chunks())


def footer(content: bytes) -> bytes:
    """Return the metadata of the file, in Thrift's format, in which strings are plain bytes."""
    assert content[:4] == content[-4:] == b"PAR1"
    return content[-8 - int.from_bytes(content[-8:-4], "little") : -8]


@pytest.mark.parametrize(("channel", "referred"), [(None, 1), (1, 1), (2, 2)])
def test_tables_refer_to_the_channel_that_was_analysed(
    result: RecordingResult, channel: int | None, referred: int
) -> None:
    analysed = replace(result, settings=replace(result.settings, channel=channel))
    assert analysed.audio_reference().channel == referred


def test_every_value_equals_the_result(result: RecordingResult, tmp_path: Path) -> None:
    table = read_back(written(result, tmp_path))
    windows = list(result.windows())
    assert column(table, "start_sample").tolist() == [start for start, _ in windows]
    assert column(table, "end_sample").tolist() == [stop for _, stop in windows]
    assert column(table, "start_time").tolist() == [seconds(start, result.sample_rate) for start, _ in windows]
    assert column(table, "end_time").tolist() == [seconds(stop, result.sample_rate) for _, stop in windows]
    for number, name in enumerate(result.spec.classes):
        assert column(table, name).tobytes() == np.ascontiguousarray(result.scores[:, number]).tobytes()
    smoothed = np.ascontiguousarray(result.smoothed[:, result.targets["anemonefish"]])
    assert column(table, "smoothed_anemonefish").tobytes() == smoothed.tobytes()


def test_columns_have_the_documented_names_and_types(result: RecordingResult, tmp_path: Path) -> None:
    schema = read_back(written(result, tmp_path)).schema
    expected = [
        ("start_sample", DataType.int64()),
        ("end_sample", DataType.int64()),
        ("start_time", DataType.float64()),
        ("end_time", DataType.float64()),
        ("noise", DataType.float32()),
        ("anemonefish", DataType.float32()),
        ("biological", DataType.float32()),
        ("smoothed_anemonefish", DataType.float32()),
    ]
    fields = [schema.field(index) for index in range(len(schema))]
    assert [(field.name, field.type) for field in fields] == expected
    assert not any(field.nullable for field in fields)


def test_rounded_values_equal_the_csv(result: RecordingResult, tmp_path: Path) -> None:
    table = read_back(written(result, tmp_path))
    write_report("scores", tmp_path / "scores.csv", result)
    rows = list(csv.DictReader((tmp_path / "scores.csv").open(encoding="utf-8")))
    assert len(rows) == table.num_rows
    for name in rows[0]:
        assert [f"{value:.6f}" for value in column(table, name)] == [row[name] for row in rows], name


def test_metadata_hold_recording_model_and_settings(result: RecordingResult, tmp_path: Path) -> None:
    content = written(result, tmp_path)
    write_report("json", tmp_path / "json", result)
    document = json.loads((tmp_path / "json").read_text(encoding="utf-8"))
    metadata = json.loads(read_back(content).schema.metadata_str["anemonefish"])
    assert metadata == {name: document[name] for name in ("recording", "model", "settings")}
    assert metadata["recording"]["name"] == "töne, day 2.wav"
    assert (metadata["model"]["name"], metadata["model"]["hash"]) == (result.model.name, result.model.hash)
    assert b"anemonefish version 1" in footer(content)
    assert b"parquet-rs" not in content  # the library's version would change the bytes
    assert b"ARROW:schema" not in content


def test_recording_without_windows_has_every_column(
    models_uri: str, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    table = read_back(written(made_result(models_uri, make_recording(), windows=0), tmp_path))
    assert (table.num_rows, len(table.schema)) == (0, 8)
    assert "anemonefish" in table.schema.metadata_str


@pytest.mark.parametrize("rows", [1, 999, 1_000, 1_001])
def test_size_of_row_groups_changes_no_value(
    result: RecordingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    whole = read_back(written(result, tmp_path))
    monkeypatch.setattr(parquet_scores, "_ROW_GROUP", rows)
    cut = read_back(written(result, tmp_path))
    for name in whole.schema.names:
        assert column(cut, name).tobytes() == column(whole, name).tobytes()


def test_row_groups_are_bounded(result: RecordingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    columns = parquet_scores._columns

    def watched(result: RecordingResult, first: int, stop: int) -> list[tuple[str, np.ndarray[Any, Any]]]:
        made = columns(result, first, stop)
        groups.append(len(made[0][1]))
        return made

    monkeypatch.setattr(parquet_scores, "_columns", watched)
    monkeypatch.setattr(parquet_scores, "_ROW_GROUP", 300)
    content = written(result, tmp_path)
    assert groups == [0, 300, 300, 300, 100]  # the first call returns names and types
    assert footer(content).count(b"smoothed_anemonefish") == 1 + 4  # once in the schema, and once in every row group


IN_ANOTHER_PROCESS = """
import hashlib, importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("test_parquet_scores", sys.argv[1])
tests = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tests)
result = tests.made_result(sys.argv[2], Path(sys.argv[3]))
print(hashlib.sha256(tests.written(result, Path(sys.argv[4]))).hexdigest())
"""


def test_every_process_writes_the_same_bytes(
    models_uri: str, make_recording: Callable[..., Path], tmp_path: Path
) -> None:
    recording = make_recording()
    expected = hashlib.sha256(written(made_result(models_uri, recording), tmp_path)).hexdigest()
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        arguments = [__file__, models_uri, str(recording), str(folder)]
        answer = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS, *arguments], capture_output=True, text=True, check=True
        )
        assert answer.stdout.strip() == expected


def test_aggregate_does_not_load_the_parquet_library() -> None:
    script = "import sys, anemonefish.workflow.aggregate; print(any(name.startswith('arro3') for name in sys.modules))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "name", [name for name in FORMATS if name not in {"audacity", "classes"}]
)  # without events these files are empty
def test_full_disk_is_an_oserror(result: RecordingResult, name: str) -> None:
    with pytest.raises(OSError, match="No space left"):
        write_report(name, Path("/dev/full"), result)


def test_class_names_with_special_characters_are_columns(result: RecordingResult, tmp_path: Path) -> None:
    spec = replace(result.spec, classes=("Geräusch, laut", "anemonefish", "a.b"), target_class="anemonefish")
    table = read_back(written(replace(result, spec=spec), tmp_path))
    assert table.schema.names[4:] == ["Geräusch, laut", "anemonefish", "a.b", "smoothed_anemonefish"]
    assert column(table, "a.b").tobytes() == np.ascontiguousarray(result.scores[:, 2]).tobytes()


@given(
    n_windows=st.integers(0, 50),
    hop=st.integers(1, 10**6),
    rate=st.integers(1_000, 1_000_000),
    first=st.integers(0, 10**12),
)
def test_times_equal_those_of_the_other_tables(n_windows: int, hop: int, rate: int, first: int) -> None:
    samples = first + np.arange(n_windows, dtype=np.int64) * hop
    assert parquet_scores._seconds(samples, rate).tolist() == [seconds(int(sample), rate) for sample in samples]
