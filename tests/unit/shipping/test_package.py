"""The package that every stage deploys: complete, the same bytes for the same build, refused when it was altered."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from shipping.package import pack, unpack

REPOSITORY = Path(__file__).parents[3]
TEMPLATE = """\
Resources:
  DspLayer:
    Properties:
      ContentUri: DspLayer
  PlanFunction:
    Properties:
      CodeUri: ../../functions/plan
  Machine:
    Properties:
      DefinitionUri: ../../statemachine/analyze.asl.json
  Remote:
    Properties:
      CodeUri: s3://bucket/key
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Write a checkout in which ``sam build`` has run."""
    root = tmp_path / "checkout"
    files = {
        ".aws-sam/build/template.yaml": TEMPLATE,
        ".aws-sam/build/DspLayer/python/numpy.so": "ELF",
        ".aws-sam/build/DspLayer/python/__pycache__/numpy.pyc": "bytecode",
        "functions/plan/app.py": "def handler(): ...",
        "functions/plan/__pycache__/app.pyc": "left by a test",
        "functions/score/app.py": "not in the template",
        "statemachine/analyze.asl.json": "{}",
        "samconfig.toml": "version = 0.1",
        "README.md": "not deployed",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / ".aws-sam/build/DspLayer/python/numpy.so").chmod(0o755)
    return root


def test_package_holds_what_the_built_template_refers_to_and_nothing_else(checkout: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    manifest = unpack(pack(checkout, "arm64", tmp_path / "packages"), folder)
    assert set(manifest["files"]) == {
        ".aws-sam/build/template.yaml",
        ".aws-sam/build/DspLayer/python/numpy.so",
        ".aws-sam/build/DspLayer/python/__pycache__/numpy.pyc",
        "functions/plan/app.py",
        "statemachine/analyze.asl.json",
        "samconfig.toml",
    }
    assert manifest["architecture"] == "arm64"
    for name in manifest["files"]:
        assert (folder / name).read_bytes() == (checkout / name).read_bytes()
    assert (folder / ".aws-sam/build/DspLayer/python/numpy.so").stat().st_mode & 0o100


def test_same_build_gives_the_same_bytes(checkout: Path, tmp_path: Path) -> None:
    first = pack(checkout, "arm64", tmp_path / "first").read_bytes()
    for path in checkout.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert pack(checkout, "arm64", tmp_path / "second").read_bytes() == first


def test_unpacking_replaces_what_was_there(checkout: Path, tmp_path: Path) -> None:
    stale = tmp_path / "unpacked" / "stale.py"
    stale.parent.mkdir()
    stale.write_text("from the last deployment")
    unpack(pack(checkout, "arm64", tmp_path), stale.parent)
    assert not stale.exists()


def test_altered_package_is_refused(checkout: Path, tmp_path: Path) -> None:
    package, altered = pack(checkout, "arm64", tmp_path), tmp_path / "altered.tar.gz"
    with tarfile.open(package) as source, tarfile.open(altered, "w:gz") as target:
        for entry in source:
            target.addfile(entry, source.extractfile(entry))
        target.add(checkout / "README.md", "functions/plan/extra.py")
    with pytest.raises(SystemExit, match=re.escape("differs from its manifest: functions/plan/extra.py")):
        unpack(altered, tmp_path / "unpacked")


def test_package_of_nothing_says_how_to_build(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ARCHITECTURE=arm64 sam build"):
        pack(tmp_path, "arm64", tmp_path)


def test_package_whose_template_refers_to_a_missing_file_is_refused(checkout: Path, tmp_path: Path) -> None:
    (checkout / "statemachine/analyze.asl.json").unlink()
    with pytest.raises(SystemExit, match=r"analyze\.asl\.json"):
        pack(checkout, "arm64", tmp_path)


def test_deploy_package_deploys_the_package_of_the_stages_processor(tmp_path: Path) -> None:
    """``make deploy-package`` unpacks, checks the processor and runs ``sam deploy`` in the unpacked folder."""
    checkout, log = tmp_path / "checkout", tmp_path / "sam.log"
    marker = checkout / ".aws-sam/build/DspLayer/python/anemonefish_layers/DspLayer"
    marker.parent.mkdir(parents=True)
    marker.write_text("arm64\n")
    (checkout / ".aws-sam/build/template.yaml").write_text("Resources: {}\n")
    (checkout / "samconfig.toml").write_bytes((REPOSITORY / "samconfig.toml").read_bytes())
    sam, python = tmp_path / "sam", tmp_path / "python"  # its Python checks the credentials
    sam.write_text(f'#!/bin/sh\n{{ pwd; ls -A; echo "$@"; }} > {log}\n')
    python.write_text(f'#!/bin/sh\n[ "$*" = "-m shipping.account" ] && ! [ -e {tmp_path}/logged-out ]\n')
    for program in (sam, python):
        program.chmod(0o755)
    package = pack(checkout, "arm64", tmp_path / "packages")

    def deploy(stage: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "deploy-package", "--old-file=.venv-sam/ready", f"STAGE={stage}", f"SAM={sam}", *words,
             f"PACKAGE_FOLDER={package.parent}", f"BUILD={tmp_path / 'build'}"],
            cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = deploy("staging")
    assert done.returncode == 0, done.stderr
    folder, *listed, options = log.read_text().splitlines()
    assert Path(folder) == tmp_path / "build/deploy/staging"
    assert listed == [".aws-sam", "manifest.json", "samconfig.toml"]
    assert options == "deploy --config-env staging --no-confirm-changeset --no-fail-on-empty-changeset"
    assert re.search(r"anemonefish-arm64\.tar\.gz: .* sha256 [0-9a-f]{64}", done.stdout)

    unpacked = tmp_path / "build/deploy/staging/samconfig.toml"
    assert unpacked.read_bytes() == (REPOSITORY / "samconfig.toml").read_bytes()
    image = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/reef@sha256:{'a' * 64}"
    assert deploy("staging", f"ENGINE_IMAGE={image}").returncode == 0
    assert f'"EngineImage={image}"' in unpacked.read_text()

    log.unlink()
    (tmp_path / "logged-out").touch()
    assert deploy("staging").returncode != 0
    assert not log.exists()
    (tmp_path / "logged-out").unlink()
    marker.write_text("x86_64\n")
    pack(checkout, "arm64", package.parent)
    refused = deploy("staging")
    assert refused.returncode != 0
    assert "stage staging has Architecture=arm64" in refused.stdout
    assert not log.exists()
    assert json.loads((tmp_path / "build/deploy/staging/manifest.json").read_text())["architecture"] == "arm64"


def test_deploy_package_asks_for_a_stage() -> None:
    done = subprocess.run(
        ["make", "deploy-package", "--old-file=.venv-sam/ready", "STAGE="],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "make deploy-package STAGE=staging" in done.stdout) == (2, True)
