"""Every function imports nothing but what its own layers hold.

The tests have the libraries of all layers in one environment, so an import that Lambda refuses ("Unable to import
module 'app'") works here. Each function is therefore loaded in a process that hides the libraries of other layers.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from localstack.packaging import load_template

REPOSITORY = Path(__file__).parents[2]
TEMPLATE = load_template(REPOSITORY / "template.yaml")
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function" and "CodeUri" in resource["Properties"]
}

RUNTIME = {"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"}
"""What AWS's Python runtime has: boto3 and what it needs."""

LOAD = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"{name} is in none of the function's layers", name=name)

hidden, folder = set(sys.argv[2:]), sys.argv[1]
sys.meta_path.insert(0, Hidden())
sys.path.insert(0, folder)
import app
assert callable(app.handler)
"""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _distributions(layer: str) -> set[str]:
    """Return the libraries of a layer, as its pins name them."""
    folder = REPOSITORY / "layers" / layer.removesuffix("Layer").lower()
    text = "\n".join(path.read_text() for path in folder.glob("requirements*.txt"))
    return {
        _plain(name) for name in re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[a-z,]+\])?\s*(?:==|@)", text, re.M)
    }


def _layers(properties: dict[str, Any]) -> list[str]:
    listed = [*TEMPLATE["Globals"]["Function"]["Layers"], *properties.get("Layers", [])]
    return [layer["Ref"] for layer in listed]


ALL_LAYERS = sorted({layer for properties in FUNCTIONS.values() for layer in _layers(properties)})


def _hidden(properties: dict[str, Any]) -> list[str]:
    """Return the modules of libraries that only layers of other functions hold."""
    own = {name for layer in _layers(properties) for name in _distributions(layer)}
    others = {name for layer in ALL_LAYERS for name in _distributions(layer)} - own - RUNTIME
    return sorted(
        module for module, names in packages_distributions().items() if {_plain(name) for name in names} <= others
    )


def _loaded(folder: Path, hidden: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LOAD, str(folder), *hidden]
    environment = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_LAMBDA_FUNCTION_NAME": "anemonefish",
        "PATH": "/usr/bin:/bin",
    }
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_loaded_with_its_own_layers_only(name: str) -> None:
    properties = FUNCTIONS[name]
    hidden = _hidden(properties)
    assert hidden, "no function has all layers"
    done = _loaded(REPOSITORY / properties["CodeUri"], hidden)
    assert done.returncode == 0, done.stderr[-2000:]


def test_import_from_another_layer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from aws_lambda_powertools.event_handler import Response\nhandler = Response\n")
    hidden = _hidden(FUNCTIONS["HealFunction"])
    assert {"aws_lambda_powertools", "arro3", "matplotlib"} <= set(hidden)
    assert "aws_lambda_powertools is in none of the function's layers" in _loaded(tmp_path, hidden).stderr
