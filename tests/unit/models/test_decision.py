"""The settings that turn scores into events: the user's, else the model's, else the lab's."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from anemonefish.errors import InvalidBundle, InvalidSettings
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.models.repository import ModelRepository
from anemonefish.publishing.variants import events_of
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.windows import WindowGrid
from tests.reference_models import LAB_MODEL


@pytest.fixture
def spec() -> ModelSpec:
    repository = ModelRepository(open_store("models"))
    return repository.spec(repository.pin(LAB_MODEL))


def test_defaults_are_those_of_the_lab(spec: ModelSpec) -> None:
    assert LAB_DECISION.to_dict() == {
        "threshold": 0.5,
        "median_windows": 5,
        "min_duration_seconds": 0.2,
        "min_gap_seconds": 0.1,
    }
    assert spec.decision == LAB_DECISION, "a bundle that was published without a decision has the lab's"


def test_the_user_wins_over_the_model_over_the_lab(spec: ModelSpec) -> None:
    own = replace(spec, decision=Decision(threshold=0.8, median_windows=3))
    settings = own.decided(Settings(median_windows=1))
    assert settings.decision() == {
        "target_class": "anemonefish",
        "threshold": 0.8,
        "median_windows": 1,
        "min_duration_seconds": 0.2,
        "min_gap_seconds": 0.1,
        "full_scale_db": None,
    }
    assert own.decided(settings) == settings


def test_a_bundle_keeps_its_decision(spec: ModelSpec) -> None:
    own = replace(spec, decision=Decision(threshold=0.8, min_gap_seconds=0.5))
    assert ModelSpec.from_json(own.to_json(), "model.json") == own


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ({"threshold": 2}, "decision must have"),
        ({**LAB_DECISION.to_dict(), "threshold": 2}, "threshold must be a number at least 0 and below 1"),
        ({**LAB_DECISION.to_dict(), "median_windows": 4}, "odd"),
        ({**LAB_DECISION.to_dict(), "min_gap_seconds": None}, "min_gap_seconds must not be null"),
        ([], "model.json"),
    ],
)
def test_a_bundle_with_an_invalid_decision_is_refused(spec: ModelSpec, decision: object, words: str) -> None:
    document = json.loads(spec.to_json()) | {"decision": decision}
    with pytest.raises(InvalidBundle, match=words):
        ModelSpec.from_json(json.dumps(document).encode(), "model.json")


def test_a_bundle_keeps_thresholds_of_classes_that_it_has(spec: ModelSpec) -> None:
    own = replace(spec, decision=Decision(threshold=0.8, class_thresholds=(("biological", 0.6),)))
    assert json.loads(own.to_json())["decision"]["threshold"] == {"*": 0.8, "biological": 0.6}
    assert ModelSpec.from_json(own.to_json(), "model.json") == own
    with pytest.raises(InvalidBundle, match="threshold of 'whale', which is not among its classes"):
        replace(spec, decision=Decision(class_thresholds=(("whale", 0.6),)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {"anemonefish": 0.8, "biological": 0.6, "noise": 0.7}),
        (0.3, {"anemonefish": 0.3, "biological": 0.3, "noise": 0.3}),
        ({"anemonefish": 0.9}, {"anemonefish": 0.9, "biological": 0.6, "noise": 0.7}),
        ({"*": 0.2}, {"anemonefish": 0.2, "biological": 0.2, "noise": 0.2}),
        ({"*": 0.2, "noise": 0.1}, {"anemonefish": 0.2, "biological": 0.2, "noise": 0.1}),
    ],
)
def test_thresholds_of_the_user_replace_those_of_the_model(
    spec: ModelSpec, given: object, expected: dict[str, float]
) -> None:
    thresholds = (("anemonefish", 0.8), ("biological", 0.6))
    own = replace(spec, decision=Decision(threshold=0.7, class_thresholds=thresholds))
    settings = own.decided(Settings.load({"threshold": given}, {}))
    decision = Decision.of(settings)
    assert {name: decision.threshold_of(name) for name in spec.classes} == expected
    assert own.decided(settings) == settings
    assert Settings.load(json.loads(json.dumps(settings.to_dict())), {}) == settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target_class": ["anemonefish", "whale"]}, "target_class must be one of noise, anemonefish, biological"),
        ({"threshold": {"whale": 0.5}}, "threshold must be one of noise, anemonefish, biological for reef 1.1.0"),
    ],
)
def test_classes_that_the_network_lacks_are_refused(spec: ModelSpec, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSettings, match=message):
        spec.check_classes(Settings.load(settings, {}))


def test_a_decision_needs_every_value() -> None:
    with pytest.raises(InvalidSettings, match="threshold must not be null"):
        Decision.of(Settings(median_windows=3, min_duration_seconds=0, min_gap_seconds=0))


def test_the_agreement_of_variants_counts_events_by_the_model(spec: ModelSpec) -> None:
    grid = WindowGrid(400 + 9 * 200, 400, 200)
    scores = np.zeros((10, 3), np.float32)
    scores[4, spec.classes.index(spec.target_class)] = 0.6  # a single window, which a median over 5 erases
    assert events_of(spec, scores, grid, 1_000, [slice(None)]) == []
    own = replace(spec, decision=Decision(median_windows=1))
    assert len(events_of(own, scores, grid, 1_000, [slice(None)])) == 1
