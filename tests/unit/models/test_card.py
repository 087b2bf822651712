"""The card of a model: read from a file, kept in its bundle, told as one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anemonefish.errors import InvalidBundle, InvalidRequest, InvalidSettings
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.card import NOT_STATED, MeasuredFigure, ModelCard
from anemonefish.models.earlier_cards import EARLIER_CARDS
from anemonefish.models.repository import ModelRepository
from anemonefish.publishing.training_files import read_card
from anemonefish.stores import open_store
from tests.reference_models import LAB_MODEL

CARD = """
fit_for_science: yes
why: measured on a season that it was not trained with
heard: A. clarkii at Sesoko, two AudioMoths, May to July 2025
not_heard:
  - other species
  - other recorders
measured:
  - what: bouts that were found
    value: 0.81
    interval: [0.7, 0.9]
    measured_on: 12 hours of August 2025, labelled by two people
"""


@pytest.fixture
def spec() -> ModelSpec:
    repository = ModelRepository(open_store("models"))
    return repository.spec(repository.pin(LAB_MODEL))


def test_a_card_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text(CARD)
    card = read_card(tmp_path / "card.yaml")
    assert list(card.lines()) == [
        "fit for science: yes (measured on a season that it was not trained with)",
        "has heard: A. clarkii at Sesoko, two AudioMoths, May to July 2025",
        "has not heard: other species; other recorders",
        "measured: bouts that were found: 0.81 (0.7-0.9), on 12 hours of August 2025, labelled by two people",
    ]
    (tmp_path / "card.json").write_text(json.dumps(card.to_dict()))
    assert read_card(tmp_path / "card.json") == card


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fit_for_science: maybe\nwhy: it works", "fit_for_science must be true or false, not 'maybe'"),
        ("fit_for_science: 0\nwhy: it works", "fit_for_science must be true or false, not 0"),
        ("fit_for_science: no", "why must be one line of text"),
        ("fit_for_science: yes\nwhy: it works", "needs at least one figure under 'measured'"),
        ("fit: no", "'fit' is unknown; it may have fit_for_science, why, heard, not_heard, measured"),
        ("heard: {site: Sesoko}", "heard must be a list"),
        ("heard: [1]", "heard must be one line of text, not 1"),
        ('why: "two\\nlines"', "why must be one line of text"),
        ("measured: [0.9]", "measured must hold names and values"),
        ("measured: 0.9", "measured must be a list"),
        ("measured: [{what: recall, value: 0.9}]", "measured: measured_on is missing"),
        ("measured: [{what: recall, value: good, measured_on: here}]", "a figure must be a number, not 'good'"),
        ("measured: [{what: recall, value: .nan, measured_on: here}]", "a figure must be a number, not nan"),
        ("measured: [{what: recall, value: 0.9, interval: 0.1, measured_on: here}]", "interval must be two numbers"),
        ("measured: [{what: recall, value: 0.9, interval: [0.1, 0.8], measured_on: here}]", "with 0.9 between them"),
        ("- fit_for_science", "must hold names and values"),
        ("a: b: c", "not readable as YAML"),
    ],
)
def test_an_invalid_card_file_is_refused_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "card.yaml"
    path.write_text(text)
    with pytest.raises(InvalidRequest) as raised:
        read_card(path)
    assert words in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_missing_card_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="not readable"):
        read_card(tmp_path / "card.yaml")


def test_a_bundle_keeps_its_card(spec: ModelSpec) -> None:
    card = ModelCard(
        fit_for_science=False,
        why="never measured",
        heard=("one reef",),
        measured=(MeasuredFigure(what="recall", value=1, measured_on="one recording"),),
    )
    own = replace(spec, card=card)
    assert ModelSpec.from_json(own.to_json(), "model.json") == own
    assert json.loads(own.to_json())["card"]["fit_for_science"] is False


@pytest.mark.parametrize("card", [{"fit_for_science": "no"}, {"fit_for_science": False}, [], {"measured": [{}]}])
def test_a_bundle_with_an_invalid_card_is_refused(spec: ModelSpec, card: Any) -> None:
    document = json.loads(spec.to_json()) | {"card": card}
    with pytest.raises(InvalidBundle, match=r"model\.json"):
        ModelSpec.from_json(json.dumps(document).encode(), "model.json")


def test_a_bundle_without_a_card_is_not_stated(spec: ModelSpec) -> None:
    document = json.loads(spec.to_json())
    del document["card"]
    read = ModelSpec.from_json(json.dumps(document).encode(), "model.json")
    assert read.card == NOT_STATED
    assert list(read.card.lines()) == ["fit for science: not stated"]


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_reference_models_published_without_a_card_are_not_fit_for_science(version: str) -> None:
    repository = ModelRepository(open_store("models"))
    pinned = repository.pin(f"reef@{version}")
    card = repository.spec(pinned).card
    assert card == EARLIER_CARDS[pinned.hash]
    assert card.line.startswith("fit for science: no (trained on simulated scenes only")


def test_every_shipped_model_states_whether_it_is_fit_for_science() -> None:
    repository = ModelRepository(open_store("models"))
    for entry in repository.catalog():
        for version in entry.versions:
            card = repository.spec(repository.pin(f"{entry.name}@{version}")).card
            assert card.fit_for_science is not None, f"{entry.name} {version}"
            assert card.heard
            assert card.not_heard


def test_a_card_that_says_fit_needs_a_figure() -> None:
    with pytest.raises(InvalidSettings, match="at least one figure"):
        ModelCard(fit_for_science=True, why="we like it")
