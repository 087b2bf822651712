"""Tests of the result of ``sam build`` for both processors: CloudFormation accepts the template, Lambda the layers.

tests/unit/test_lambda_layers.py checks which symbols the libraries of the layers need.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from localstack.packaging import load_template

LARGEST = 250 * 1024 * 1024  # bytes of a function and its layers together, unzipped
MACHINES = {"x86_64": 62, "arm64": 183}  # e_machine of an ELF header

pytestmark = pytest.mark.parametrize("architecture", MACHINES)
Build = Callable[[str], Path]


@pytest.fixture
def folder(built: Build, architecture: str) -> Path:
    return built(architecture)


@pytest.fixture
def template(folder: Path) -> dict[str, Any]:
    return load_template(folder / "template.yaml")


def _libraries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.open("rb").read(4) == b"\x7fELF"]


def _layers_of(template: dict[str, Any], properties: dict[str, Any]) -> list[str]:
    listed = [*template["Globals"]["Function"]["Layers"], *properties.get("Layers", [])]
    return [layer["Ref"] for layer in listed]


def test_built_template_has_no_yaml_aliases(folder: Path) -> None:
    text = (folder / "template.yaml").read_text()
    assert not [event for event in yaml.parse(text) if isinstance(event, yaml.AliasEvent)]


def test_built_template_equals_the_source(template: dict[str, Any]) -> None:
    source = load_template(Path(__file__).parents[2] / "template.yaml")
    assert _without_paths(template) == _without_paths(source)


def _without_paths(document: Any) -> Any:
    """Return a template without the properties that a build may change."""
    changes = {"CodeUri", "ContentUri", "DefinitionUri", "SamResourceId", "BuildArchitecture", "Metadata"}
    if isinstance(document, list):
        return [_without_paths(each) for each in document]
    if isinstance(document, dict):
        return {name: _without_paths(value) for name, value in document.items() if name not in changes}
    return document


def test_function_with_its_layers_fits_the_limit(template: dict[str, Any], folder: Path) -> None:
    sizes = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            layers = [folder / layer for layer in _layers_of(template, resource["Properties"])]
            code = (folder / resource["Properties"]["CodeUri"]).resolve()
            assert all(layer.is_dir() for layer in [*layers, code]), name
            sizes[name] = sum(
                path.stat().st_size for each in [*layers, code] for path in each.rglob("*") if path.is_file()
            )
    print({name: f"{size / 1e6:.1f} MB" for name, size in sizes.items()})
    assert len(sizes) > 8
    assert max(sizes.values()) < LARGEST, sizes


def test_libraries_are_for_the_processor(folder: Path, architecture: str) -> None:
    machines = {path: int.from_bytes(path.read_bytes()[18:20], "little") for path in _libraries(folder)}
    assert len(machines) > 20
    assert {path for path, machine in machines.items() if machine != MACHINES[architecture]} == set()
