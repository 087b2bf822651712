"""From labels to a published model that detect uses: two classes that overlap in time."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import anemonefish as af
from anemonefish import errors
from anemonefish.training import train_model as module
from anemonefish.training.training_record import FIT_FOR
from tests.unit.training.conftest import write_table, write_tones

pytestmark = pytest.mark.slow

QUICK: dict[str, Any] = {
    "epochs": 6,
    "epoch_windows": (640, 640),
    "batch": 16,
    "band": (100, 2000),
    "seed": 2,
    "threads": 1,
}


class Trained(NamedTuple):
    result: af.TrainingResult
    folder: Path
    steps: list[str]
    opened: list[tuple[str, str]]


def write_recordings(folder: Path, count: int = 3) -> Path:
    """Write recordings in which grunts of 500 Hz and whistles of 1500 Hz overlap, with their tables."""
    folder.mkdir(exist_ok=True)
    for index in range(count):
        calls = [(2 + 3 * n + 0.1 * index, "grunt") for n in range(6)] + [(2.1 + 4 * n, "whistle") for n in range(5)]
        spans = sorted((round(start, 3), round(start + 0.1, 3), name) for start, name in calls)
        tones = [(start, stop, 500.0 if name == "grunt" else 1500.0) for start, stop, name in spans]
        write_tones(folder / f"r{index}.wav", 24, tones, seed=index)
        write_table(folder / f"r{index}.wav.selections.txt", spans)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("training")
    recordings = write_recordings(folder / "recordings")
    steps: list[str] = []
    opened: list[tuple[str, str]] = []
    cache = module.cache_audio

    def watched(recording: Any, *arguments: Any) -> Any:
        opened.append((steps[-1], recording.name))
        return cache(recording, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "cache_audio", watched)
        result = af.train(
            recordings,
            recordings,
            models=folder / "models",
            target_class=["whistle", "grunt"],
            progress=lambda step, done, total: steps.append(step),
            **QUICK,
        )
    return Trained(result, folder, steps, opened)


def test_detect_uses_the_model(trained: Trained) -> None:
    path = trained.folder / "recordings" / trained.result.record.split.test[0].name
    results = af.detect(path, trained.result.model, models=trained.result.models, processes=1)
    spec = trained.result.spec
    assert (spec.classes, spec.target_class, spec.multi_label) == (("grunt", "whistle"), "whistle", True)
    assert spec.decision.threshold == trained.result.test["whistle"].threshold
    assert spec.more_targets == ("grunt",)
    found = {label: [event for event in results.events if event.label == label] for label in spec.classes}
    assert all(len(events) >= 4 for events in found.values()), "both targets, each with its threshold"
    assert results.settings.to_dict()["threshold"] == {
        "*": trained.result.test["whistle"].threshold,
        "grunt": trained.result.test["grunt"].threshold,
        "whistle": trained.result.test["whistle"].threshold,
    }
    alone = af.detect(path, trained.result.model, models=trained.result.models, processes=1, target_class="whistle")
    assert [event.start_time for event in alone.events] == [event.start_time for event in found["whistle"]]


def test_figures_of_the_test_are_those_of_evaluate(trained: Trained, tmp_path: Path) -> None:
    names = [each.name for each in trained.result.record.split.test]
    paths = [trained.folder / "recordings" / name for name in names]
    results = af.detect(paths, trained.result.model, models=trained.result.models, processes=1)
    evaluation = af.evaluate(results, trained.folder / "recordings")
    figures = trained.result.test["whistle"]
    assert evaluation.counts(name="whistle") == figures.calls
    assert evaluation.recall == figures.recall.value
    assert float(evaluation.recall or 0) > 0.7


def test_test_recordings_are_opened_after_everything_is_chosen(trained: Trained) -> None:
    tested = {each.name for each in trained.result.record.split.test}
    order = list(dict.fromkeys(trained.steps))
    assert order.index("reading test recordings") > order.index("scoring held-out recordings")
    assert {name for step, name in trained.opened if step == "reading test recordings"} == tested
    assert not tested & {name for step, name in trained.opened if step != "reading test recordings"}


def test_bundle_says_what_it_has_heard_and_what_it_is_fit_for(trained: Trained) -> None:
    spec = trained.result.spec
    assert FIT_FOR in spec.description
    assert "labelled recordings" in spec.description
    heard = spec.training["heard"]
    assert sum(part["recordings"] for part in heard.values()) == 3
    assert heard["training"]["labels"]["grunt"] == 6 * heard["training"]["recordings"]
    assert spec.training["thresholds"].keys() == {"grunt", "whistle"}
    assert spec.training["test"]["grunt"]["per_call"]["recall"]["value"] > 0.7


def test_card_states_what_was_heard_and_measured(trained: Trained) -> None:
    card = trained.result.spec.card
    assert card.line == f"fit for science: not stated ({FIT_FOR})"
    assert "2 recordings: 12 grunt, 10 whistle" in card.heard[0]
    assert card.measured[0].what == "whistle: calls that were found, matched one to one (recall)"


def test_report_is_one_file_that_loads_nothing(trained: Trained) -> None:
    page = trained.result.report.read_text()
    assert "default-src 'none'; img-src data:; media-src data:" in page
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert page.count("data:image/png;base64,") >= 4
    for heading in ("How good it is", "What it has heard", "Curves", "Confusion", "The worst errors", "Ledger"):
        assert f"<h2>{heading}</h2>" in page
    for index in range(3):
        assert f"r{index}.wav" in page


def test_ledger_has_every_file(trained: Trained) -> None:
    with trained.result.ledger.open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {f"r{index}.wav" for index in range(3)}
    assert {row["part"] for row in rows.values()} == {"training", "test"}
    assert all(row["labels grunt"] == "6" for row in rows.values())


def test_nothing_but_the_model_and_its_report_is_left(trained: Trained) -> None:
    left = {path.name for path in (trained.folder / "models").rglob("*")}
    bundle = {"whistle", "1.0.0", "model.json", "model.keras", "model.tflite", "golden.npz"}
    assert left == {*bundle, "1.0.0.report.html", "1.0.0.ledger.csv"}


def test_published_version_is_refused_before_anything_is_read(trained: Trained) -> None:
    recordings = trained.folder / "recordings"
    with pytest.raises(errors.InvalidRequest, match=r"whistle 1\.0\.0 is published and versions never change"):
        af.train(recordings, recordings, models=trained.result.models, target_class="whistle", version="1.0.0")


def test_few_labels_train_a_linear_layer_behind_the_reference_network(tmp_path: Path) -> None:
    recordings = write_recordings(tmp_path / "recordings", 3)
    options = QUICK | {"epoch_windows": (200, 200)}
    result = af.train(recordings, recordings, models=tmp_path / "models", few=4, **options)
    assert result.spec.training["few_labels_trunk"].startswith("reef")
    assert (result.spec.sample_rate, result.spec.profile.kind) == (8_000, "band-db")
    assert result.test["grunt"].calls.labels == 6
    results = af.detect(recordings / "r0.wav", result.model, models=result.models, processes=1)
    assert results.scores is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unknown": 1}, "a training has no option 'unknown'; it has band, batch"),
        ({"precision": 2.0}, "precision must be from 0.01 to 1"),
        ({"name": "My model"}, "'My model' cannot name a model"),
        ({"band": (50, 5000)}, "most recordings have 8000 Hz and hold nothing above 4000 Hz"),
        ({"window_seconds": 0.05, "hop_seconds": 0.05}, "the network needs 8 of each; choose a wider --band"),
    ],
)
def test_wrong_option_is_refused_with_its_mend(
    change: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = write_recordings(tmp_path / "recordings", 3)
    with pytest.raises(errors.AnemonefishError, match=message):
        af.train(recordings, recordings, models=tmp_path / "models", **(QUICK | change))


def test_one_recording_that_can_be_read_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings, read = write_recordings(tmp_path / "recordings", 3), module.cache_audio
    first: list[str] = []

    def only_one(recording: Any, *arguments: Any) -> Any:
        first.append(recording.name)
        if recording.name != first[0]:
            raise errors.UnreadableRecording(f"{recording.name}: damaged")
        return read(recording, *arguments)

    monkeypatch.setattr(module, "cache_audio", only_one)
    with pytest.raises(errors.InvalidRequest, match=r"too few recordings can be read .* label more \(.*damaged\)"):
        af.train(recordings, recordings, models=tmp_path / "models", **QUICK)


def test_one_recording_is_not_enough(tmp_path: Path, make_recording: Callable[..., Path]) -> None:
    path = make_recording("reef.wav", frames=96_000)
    table = write_table(tmp_path / "reef.wav.txt", [(0.5, 0.7, "pop")])
    with pytest.raises(errors.InvalidRequest, match=r"'pop' is in 1 recording \(reef.wav\), and three are needed"):
        af.train(path, table, models=tmp_path / "models")
