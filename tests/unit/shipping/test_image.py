"""The image of Engine=keras is pushed once and deployed by its digest."""

from __future__ import annotations

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from localstack.packaging import load_template
from shipping.image import push, use

REPOSITORY = Path(__file__).parents[3]
PATTERN = load_template(REPOSITORY / "template.yaml")["Parameters"]["EngineImage"]["AllowedPattern"]
STACK = {
    "Resources": {"Engine": {"Type": "AWS::ECR::Repository", "Properties": {"RepositoryName": "reef/engine"}}},
    "Outputs": {"EngineRepositoryUri": {"Value": {"Fn::GetAtt": ["Engine", "RepositoryUri"]}}},
}
MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"digest": "sha256:1"}, "layers": []}  # fmt: skip


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """Return clients of an account that has the stack."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        cloudformation, ecr = (boto3.client(name, region_name="eu-central-1") for name in ("cloudformation", "ecr"))
        cloudformation.create_stack(StackName="reef", TemplateBody=json.dumps(STACK))
        yield cloudformation, ecr


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a Docker on the path that writes down what it is called with; return that file."""
    calls = tmp_path / "calls"
    calls.touch()
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\ncat > /dev/null\n[ ! -e {tmp_path}/broken ]\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return calls


def _arrives(ecr: Any, tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the image be in the repository as soon as Docker has pushed it."""
    import shipping.image

    real = shipping.image._docker

    def docker(*words: str, stdin: str = "") -> None:
        real(*words, stdin=stdin)
        if words[0] == "push":
            ecr.put_image(repositoryName="reef/engine", imageManifest=json.dumps(MANIFEST), imageTag=tag)

    monkeypatch.setattr(shipping.image, "_docker", docker)


def test_pushed_image_is_named_by_its_digest_as_the_template_takes_it(
    aws: tuple[Any, Any], docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudformation, ecr = aws
    _arrives(ecr, "v1", monkeypatch)
    name = push(cloudformation, ecr, "reef", "anemonefish-engine:v1", "v1")
    repository = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/reef/engine"
    digest = ecr.describe_images(repositoryName="reef/engine")["imageDetails"][0]["imageDigest"]
    assert name == f"{repository}@{digest}"
    assert re.fullmatch(PATTERN, name)
    assert docker.read_text().splitlines() == [
        "login --username AWS --password-stdin 123456789012.dkr.ecr.eu-central-1.amazonaws.com",
        f"tag anemonefish-engine:v1 {repository}:v1",
        f"push {repository}:v1",
    ]


def test_image_that_is_in_the_repository_is_not_pushed_again(
    aws: tuple[Any, Any], docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _arrives(aws[1], "v1", monkeypatch)
    first = push(*aws, "reef", "anemonefish-engine:v1", "v1")
    docker.write_text("")
    assert push(*aws, "reef", "anemonefish-engine:v1", "v1") == first
    assert docker.read_text() == ""


def test_failure_of_docker_ends_the_push(aws: tuple[Any, Any], docker: Path) -> None:
    (docker.parent / "broken").touch()
    with pytest.raises(SystemExit, match="docker login failed"):
        push(*aws, "reef", "anemonefish-engine:v1", "v1")


def test_stage_deploys_the_image_by_its_digest_and_keeps_its_other_parameters(tmp_path: Path) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text((REPOSITORY / "samconfig.toml").read_text())
    before = tomllib.loads(file.read_text())
    names = [f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/reef@sha256:{letter * 64}" for letter in "ab"]
    for name in names:
        use(file, "staging", name)
    after = tomllib.loads(file.read_text())
    words = after["staging"]["deploy"]["parameters"].pop("parameter_overrides")
    assert words[:2] == ["Engine=keras", f"EngineImage={names[1]}"]
    assert words[2:] == before["staging"]["deploy"]["parameters"].pop("parameter_overrides")
    assert after == before


@pytest.mark.parametrize("name", ["reef:latest", "123456789012.dkr.ecr.eu-central-1.amazonaws.com/reef:v1"])
def test_image_without_a_digest_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "samconfig.toml"
    file.write_text((REPOSITORY / "samconfig.toml").read_text())
    with pytest.raises(SystemExit, match="make push-image prints one"):
        use(file, "staging", name)
    assert file.read_text() == (REPOSITORY / "samconfig.toml").read_text()
