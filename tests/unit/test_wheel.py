"""An installation outside a checkout has the reference model; a Lambda layer has none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from anemonefish.simulation.scene import scene, write_scene
from tests.reference_models import spec_of

PACKAGE = Path(__file__).parents[2] / "layers" / "anemonefish"


def wheel(folder: Path, **environment: str) -> Path:
    """Build the wheel as ``pip install ./layers/anemonefish`` does."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(PACKAGE)]
    done = subprocess.run(command, env={**os.environ, **environment}, check=False, capture_output=True, text=True)
    if "No matching distribution found for hatchling" in done.stderr:
        pytest.skip("there is no package index to take the build tool from")
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def shipped(built: Path) -> set[str]:
    names = zipfile.ZipFile(built).namelist()
    return {Path(name).name for name in names if name.startswith("anemonefish/shipped/")}


def test_detect_runs_outside_a_checkout(tmp_path: Path) -> None:
    built = wheel(tmp_path / "wheel")
    assert shipped(built) == {"production.json", "model.json", "model.keras", "model.tflite", "golden.npz"}
    zipfile.ZipFile(built).extractall(tmp_path / "site")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_scene(scene(12, seed=5), elsewhere / "reef.wav")
    done = subprocess.run(
        [sys.executable, "-m", "anemonefish", "detect", "reef.wav", "--jobs", "1"],
        cwd=elsewhere, env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads((elsewhere / "results" / "reef.wav.json").read_text())
    assert (said["model"]["name"], said["model"]["version"]) == ("reef", spec_of().version)
    assert {path.name for path in elsewhere.iterdir()} == {"reef.wav", "results"}


def test_a_layer_carries_no_model(tmp_path: Path) -> None:
    assert "export ANEMONEFISH_WITHOUT_MODELS" in (PACKAGE.parent / "Makefile").read_text()
    assert not shipped(wheel(tmp_path, ANEMONEFISH_WITHOUT_MODELS="1"))
