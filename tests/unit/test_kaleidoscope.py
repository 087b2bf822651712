"""The CSV for Kaleidoscope's viewer, and back through a person's MANUAL ID."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anemonefish.annotations.kaleidoscope import KALEIDOSCOPE_COLUMNS, write_kaleidoscope
from anemonefish.annotations.labels import read_labels
from anemonefish.jobs.request import RecordingRequest
from anemonefish.models.repository import ModelRepository
from anemonefish.results.events import Event
from anemonefish.results.report import RecordingResult
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.workflow.planner import plan_job

EVENTS = (
    Event(76_800, 230_401, "anemonefish", 0.9265061, 0.99, 15),
    Event(844_800, 864_000, "anemonefish", 0.5, 0.5, 1),
)


@pytest.fixture
def result(models_uri: str, make_recording: Callable[..., Path]) -> RecordingResult:
    models = ModelRepository(open_store(models_uri))
    path = make_recording("reef.wav")
    settings = Settings.load({"target_class": "anemonefish"}, {})
    plan = plan_job(
        [RecordingRequest(str(path), "site A/reef, 1.wav", "/dep/site A/reef, 1.wav")], "reef", settings, models
    )
    planned = plan.recordings[0]
    assert planned.analysis is not None
    none = np.empty((0, 3), np.float32)
    return RecordingResult(
        recording=planned,
        analysis=planned.analysis,
        spec=models.spec(plan.model),
        model=plan.model,
        settings=settings,
        scores=none,
        smoothed=none,
        events=EVENTS,
        class_runs=(),
    )


def written(result: RecordingResult) -> str:
    file = io.StringIO(newline="")
    write_kaleidoscope(file, result)
    return file.getvalue()


def test_columns_and_values(result: RecordingResult) -> None:
    rows = list(csv.DictReader(io.StringIO(written(result))))
    assert tuple(rows[0]) == KALEIDOSCOPE_COLUMNS
    assert list(rows[0].values()) == [
        "/dep", "site A", "reef, 1.wav", "0", "1.600000", "3.200021", "anemonefish", "0.926506", "",
    ]  # fmt: skip
    assert len(rows) == 2


@pytest.mark.parametrize(("channel", "said"), [(None, "0"), (1, "0"), (2, "1"), (16, "15")])
def test_the_channel_is_the_one_analysed_counted_from_zero(
    result: RecordingResult, channel: int | None, said: str
) -> None:
    heard = replace(result, settings=replace(result.settings, channel=channel))
    rows = list(csv.DictReader(io.StringIO(written(heard))))
    assert {row["CHANNEL"] for row in rows} == {said}
    assert heard.sound_file().channel == int(said) + 1  # Raven counts from 1


def test_names_that_a_spreadsheet_would_run_are_escaped_and_read_back(result: RecordingResult, tmp_path: Path) -> None:
    name = "=site/@1, +1.wav"
    moved = replace(result, recording=replace(result.recording, path=f"-dep/{name}", name=name))
    row = next(csv.DictReader(io.StringIO(written(moved))))
    assert (row["INDIR"], row["FOLDER"], row["IN FILE"]) == ("'-dep", "'=site", "'@1, +1.wav")
    (tmp_path / "a.csv").write_text(written(moved))
    assert read_labels(tmp_path / "a.csv").recordings == (f"-dep/{name}",)


def test_without_events_the_header_alone(result: RecordingResult) -> None:
    assert written(replace(result, events=())) == ",".join(KALEIDOSCOPE_COLUMNS) + "\n"


@pytest.mark.parametrize(
    ("path", "name", "place"),
    [
        ("/dep/a.wav", "a.wav", ("/dep", "", "a.wav")),
        ("/dep/x/a.wav", "x/a.wav", ("/dep", "x", "a.wav")),
        ("/dep/x/y/a.wav", "x/y/a.wav", ("/dep", "x/y", "a.wav")),
        ("/a.wav", "a.wav", ("/", "", "a.wav")),
        ("a.wav", "a.wav", ("", "", "a.wav")),
        ("D:\\dep\\x\\a.wav", "x/a.wav", ("D:/dep", "x", "a.wav")),
        ("s3://bucket/key/a.wav", "another name", ("s3://bucket/key", "", "a.wav")),
        ("/dep/ba.wav", "a.wav", ("/dep", "", "ba.wav")),
    ],
)
def test_the_path_is_divided_as_kaleidoscope_joins_it(
    result: RecordingResult, path: str, name: str, place: tuple[str, str, str]
) -> None:
    moved = replace(result, recording=replace(result.recording, path=path, name=name))
    row = next(csv.DictReader(io.StringIO(written(moved))))
    assert (row["INDIR"], row["FOLDER"], row["IN FILE"]) == place


def test_what_a_person_enters_is_read_as_a_label(result: RecordingResult, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(written(result))))
    rows[0]["MANUAL ID"] = "A. clarkii"
    path = tmp_path / "reviewed.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, KALEIDOSCOPE_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    made = read_labels(path)
    assert [(label.start, label.stop, label.name) for label in made.labels] == [
        (1_600_000, 4_800_021, "A. clarkii"),
        (17_600_000, 18_000_000, ""),
    ]
    assert made.recordings == ("/dep/site A/reef, 1.wav",)
