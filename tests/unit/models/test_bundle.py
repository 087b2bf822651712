"""A bundle that was altered, mixed up or cut never serves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anemonefish import errors
from anemonefish.models import ModelRepository
from anemonefish.models.bundle import GOLDEN, LITERT, MODEL_JSON, FileFact, ModelSpec
from anemonefish.models.golden import Golden
from anemonefish.settings import Settings
from anemonefish.stores.folder import LocalStore


@pytest.fixture
def repository(models_uri: str, tmp_path: Path) -> ModelRepository:
    """A copy of the bundles that ship, to be damaged."""
    shutil.copytree(models_uri, tmp_path / "models")
    return ModelRepository(LocalStore(tmp_path / "models"))


def folder(repository: ModelRepository) -> Path:
    pinned = repository.pin("reef")
    return Path(repository.store.uri, pinned.name, pinned.version)


def republish(repository: ModelRepository, name: str, data: bytes) -> None:
    """Replace a file and its hash: a bundle that is whole, and wrong."""
    path = folder(repository)
    document = json.loads((path / MODEL_JSON).read_bytes())
    fact = FileFact.of(data)
    document["files"][name] = {"size": fact.size, "sha256": fact.sha256}
    (path / name).write_bytes(data)
    (path / MODEL_JSON).write_text(json.dumps(document))


def test_the_bundle_that_ships_is_sound(repository: ModelRepository) -> None:
    spec, difference = repository.verify("reef")
    assert difference <= 1e-5
    assert spec.classes == ("noise", "anemonefish", "biological")
    assert spec.license
    assert "simulated" in spec.description
    assert sum(fact.size for fact in spec.files.values()) < 4_000_000


def test_spec_is_equal_after_writing_and_reading_json(repository: ModelRepository) -> None:
    spec = repository.spec(repository.pin("reef"))
    assert ModelSpec.from_json(spec.to_json(), "here") == spec


@pytest.mark.parametrize("name", [LITERT, GOLDEN])
def test_one_changed_byte_is_found(repository: ModelRepository, name: str) -> None:
    path = folder(repository) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(errors.InvalidBundle, match=rf"{name} is not the file that was published"):
        repository.load(repository.pin("reef"))


def test_a_missing_file_is_named(repository: ModelRepository) -> None:
    (folder(repository) / LITERT).unlink()
    with pytest.raises(errors.InvalidBundle, match=r"model\.tflite is missing"):
        repository.load(repository.pin("reef"))


def test_a_spec_that_changed_after_it_was_pinned_is_refused(repository: ModelRepository) -> None:
    pinned = repository.pin("reef")
    path = folder(repository) / MODEL_JSON
    path.write_bytes(path.read_bytes().replace(b'"license"', b'"license" '))
    with pytest.raises(errors.InvalidBundle, match="not the one that was pinned"):
        repository.load(pinned)


def test_golden_scores_that_differ_refuse_to_serve(repository: ModelRepository) -> None:
    golden = Golden.from_bytes((folder(repository) / GOLDEN).read_bytes(), "here")
    moved = Golden(golden.samples, (golden.scores + 2e-5).astype(np.float32), golden.sample_rate)
    republish(repository, GOLDEN, moved.to_bytes())
    with pytest.raises(errors.ParityError, match=r"differ from the training stack's by 2\.0"):
        repository.load(repository.pin("reef"))


@pytest.mark.parametrize(("name", "data"), [(LITERT, b"not a network"), (GOLDEN, b"not an archive")])
def test_whole_but_unreadable_files_are_refused(repository: ModelRepository, name: str, data: bytes) -> None:
    republish(repository, name, data)
    with pytest.raises(errors.InvalidBundle, match=name):
        repository.load(repository.pin("reef"))


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        ({"format": 2}, errors.InvalidBundle, "bundle format 2"),
        ({"surprise": 1}, errors.InvalidBundle, "surprise"),
        ({"classes": []}, errors.InvalidBundle, "at least one"),
        ({"target_class": "whale"}, errors.InvalidBundle, "'whale' is not among"),
        ({"more_targets": ["whale"]}, errors.InvalidBundle, "more_targets must be distinct classes besides"),
        ({"more_targets": ["anemonefish"]}, errors.InvalidBundle, "more_targets must be distinct classes besides"),
        ({"sample_rate": -1}, errors.InvalidBundle, "sample_rate must be a whole number above 0"),
        ({"sample_rate": 48_000.5}, errors.InvalidBundle, "sample_rate must be a whole number above 0"),
        ({"compute": {}}, errors.InvalidBundle, "seconds_per_window"),
        ({"compute": {"seconds_per_window": 0, "seconds_per_range": 1}}, errors.InvalidBundle, "must be above 0"),
        (
            {"compute": {"seconds_per_window": 1, "seconds_per_range": 1, "variants": {"int8": 0}}},
            errors.InvalidBundle,
            "compute.variants must be seconds of a window above 0",
        ),
        (
            {"variants": {"int4": {"tolerance": 1.0}}},
            errors.InvalidBundle,
            "a variant is one of int8, winograd",
        ),
        ({"training": None}, errors.InvalidBundle, "training must be an object"),
        ({"license": 5}, errors.InvalidBundle, "license must be text"),
        ({"files": {"model.tflite": 1}}, errors.InvalidBundle, "is not a bundle's model.json"),
        ({"sample_rate": 32_000}, errors.IncompatibleModel, "at 32000 Hz, but the network takes"),
        ({"profile": {"kind": "mel"}}, errors.InvalidBundle, "mel"),
        ({"version": "9.9.9"}, errors.InvalidBundle, "renamed or mixed up"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(
    repository: ModelRepository, change: dict[str, Any], expected: type[Exception], words: str
) -> None:
    path = folder(repository) / MODEL_JSON
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    with pytest.raises(expected, match=words):
        repository.load(repository.pin("reef"))


def test_events_of_all_targets_are_looked_for_unless_classes_are_named(repository: ModelRepository) -> None:
    path = folder(repository) / MODEL_JSON
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"more_targets": ["biological"]}))
    spec = repository.spec(repository.pin("reef"))
    assert spec.decided(Settings()).target_classes == ("anemonefish", "biological")
    assert spec.decided(Settings(target_class="biological")).target_classes == ("biological",)
    assert ModelSpec.from_json(spec.to_json(), "here") == spec


def test_a_bundle_with_the_withdrawn_variant_float16_loads_without_it(repository: ModelRepository) -> None:
    path = folder(repository) / MODEL_JSON
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"variants": {"float16": {"tolerance": 1e-5}}}))
    assert repository.load(repository.pin("reef")).spec.variants == {}
    with pytest.raises(errors.ModelNotFound, match="has no variant 'float16', it has none"):
        repository.pin("reef+float16")


@pytest.mark.parametrize("reference", ["", "Reef", "reef@", "reef@a@b", "../reef", "reef@../x"])
def test_a_malformed_reference_is_refused(repository: ModelRepository, reference: str) -> None:
    with pytest.raises(errors.InvalidRequest, match="is not a model"):
        repository.pin(reference)


@pytest.mark.parametrize("reference", ["whale", "reef@9.9.9", "reef@staging"])
def test_an_unknown_model_is_named(repository: ModelRepository, reference: str) -> None:
    with pytest.raises(errors.ModelNotFound, match="publish it there, or name another"):
        repository.pin(reference)
