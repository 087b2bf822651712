"""The commands of a deployment, with the real SAM CLI, against the local AWS up to the change set; without Docker."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from localstack import LocalAws
from tests.cloudformation import Stack

REPOSITORY = Path(__file__).parents[2]
SAM = REPOSITORY / ".venv-sam" / "bin" / "sam"
NEEDED = ("Makefile", "template.yaml", "monitoring.yaml", "samconfig.toml", "functions", "layers", "lint", "models",
          "shipping", "statemachine")  # fmt: skip
PLAN_ONLY = "DEPLOY_OPTIONS=--no-execute-changeset"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what a deployment needs, because `sam build` would replace a build of the user."""
    if not SAM.exists():
        pytest.skip("there is no .venv-sam; make test-container makes it")
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in NEEDED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        else:
            shutil.copy(source, folder)
    return folder


@pytest.fixture(autouse=True)
def _stacks_are_removed(aws: LocalAws) -> Iterator[None]:
    """Remove what a change set leaves: a stack without resources, under the name that other tests deploy."""
    yield
    for name in ("anemonefish", "anemonefish-staging"):
        aws.client("cloudformation").delete_stack(StackName=name)


def _make(checkout: Path, aws: LocalAws, *words: str, answers: str = "") -> str:
    """Run make with the SAM CLI of the repository and the local AWS in place of an account; return its output."""
    kept: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_BUNDLE")
    }
    environment = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(checkout.parent),  # no ~/.aws
        "LANG": "C.UTF-8",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(
        ["make", "--old-file=.venv-sam/ready", f"SAM={SAM}", *words],
        cwd=checkout,
        env=environment,
        input=answers,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_first_deployment_accepts_every_default_and_leaves_samconfig_as_it_is(checkout: Path, aws: LocalAws) -> None:
    output = _make(checkout, aws, "deploy-guided", "ARCHITECTURE=x86_64", PLAN_ONLY, answers="\n" * 60)
    assert "Changeset created successfully" in output
    assert "Custom::ReferenceModel" in output
    questions = [word.split(" [")[0] for word in output.split("Parameter ")[1:]]
    assert questions[:3] == ["Stage", "Architecture", "AlarmEmail"]
    assert (checkout / "samconfig.toml").read_bytes() == (REPOSITORY / "samconfig.toml").read_bytes()
    answers: dict[str, Any] = tomllib.loads((checkout / "samconfig.local.toml").read_text())
    saved = answers["default"]["deploy"]["parameters"]
    assert saved["stack_name"] == "anemonefish"
    values = Stack({"Architecture": "x86_64"}).values
    assert all(f'{name}="{value}"' in saved["parameter_overrides"] for name, value in values.items())


def test_package_is_deployed_without_the_checkout_that_built_it(checkout: Path, aws: LocalAws) -> None:
    _make(checkout, aws, "package", "ARCHITECTURE=arm64")
    for name in ("template.yaml", "monitoring.yaml", "functions", "layers", "models", "statemachine", ".aws-sam"):
        path = checkout / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    output = _make(checkout, aws, "deploy-package", "STAGE=staging", PLAN_ONLY)
    assert "anemonefish-staging" in output
    assert "Changeset created successfully" in output
