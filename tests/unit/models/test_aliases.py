"""Aliases: what is promoted was verified, and there is a way back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from anemonefish.cli.main import main
from anemonefish.models.bundle import sha256
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store


@pytest.fixture
def folder(models_uri: str, tmp_path: Path) -> Path:
    """The reference bundle under three versions."""
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        target = tmp_path / "reef" / version
        shutil.copytree(Path(models_uri, "reef", "1.0.0"), target)
        document = json.loads((target / "model.json").read_bytes())
        (target / "model.json").write_text(json.dumps(document | {"version": version}))
    (tmp_path / "reef" / "production.json").write_text('{"version": "1.0.0"}\n')
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["models", *words, "--models", str(folder)])


def meaning(folder: Path) -> str:
    return ModelRepository(open_store(str(folder))).pin("reef").version


def test_promote_and_back(folder: Path) -> None:
    for version in ("1.1.0", "2.0.0", "2.0.0"):
        assert f"reef@production is {version}, golden scores within" in run(folder, "promote", "reef", version).stdout
        assert meaning(folder) == version
    for version in ("1.1.0", "1.0.0"):
        assert run(folder, "rollback", "reef").stdout == f"reef@production is {version} again\n"
        assert meaning(folder) == version
    refused = run(folder, "rollback", "reef")
    assert (refused.exit_code, meaning(folder)) == (1, "1.0.0")
    assert (
        "ModelNotFound: reef@production has meant 1.0.0 from the first, so there is nothing to go back to"
        in refused.stderr
    )


def test_altered_bundle_is_not_promoted(folder: Path) -> None:
    network = folder / "reef" / "2.0.0" / "model.tflite"
    network.write_bytes(network.read_bytes()[:-1] + b"x")
    refused = run(folder, "promote", "reef", "2.0.0")
    assert (refused.exit_code, meaning(folder)) == (1, "1.0.0")
    assert refused.stderr.startswith("InvalidBundle: model reef 2.0.0: model.tflite is not the file that was published")


def test_bundle_that_fails_parity_is_neither_promoted_nor_rolled_back_to(folder: Path) -> None:
    run(folder, "promote", "reef", "1.1.0")
    bundle = folder / "reef" / "1.0.0"

    golden = dict(np.load(bundle / "golden.npz"))
    golden["scores"] = golden["scores"] + np.float32(0.01)
    np.savez(bundle / "golden.npz", **golden)
    document = json.loads((bundle / "model.json").read_bytes())
    data = (bundle / "golden.npz").read_bytes()
    document["files"]["golden.npz"] = {"size": len(data), "sha256": sha256(data)}
    (bundle / "model.json").write_text(json.dumps(document))
    for words in (("promote", "reef", "1.0.0"), ("rollback", "reef")):
        refused = run(folder, *words)
        assert (refused.exit_code, meaning(folder)) == (1, "1.1.0")
        assert refused.stderr.startswith("ParityError: "), refused.stderr


def test_list(folder: Path) -> None:
    run(folder, "promote", "reef", "2.0.0", "--alias", "staging")
    shown = run(folder, "list").stdout
    assert "1.0.0, 1.1.0, 2.0.0" in shown
    assert [line.split("│")[3:5] for line in shown.splitlines() if "reef" in line] == [[" 1.0.0      ", " 2.0.0   "]]


@pytest.mark.parametrize("words", [("promote", "reef", "9.9.9"), ("promote", "whale", "1.0.0"), ("rollback", "whale")])
def test_missing_model_version_or_alias_is_refused(folder: Path, words: tuple[str, ...]) -> None:
    refused = run(folder, *words)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("ModelNotFound: there is no model ")
