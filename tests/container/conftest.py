"""Fixtures for the functions in containers, built and run by the SAM CLI, and on the local AWS."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from localstack import LocalAws, Stack  # noqa: E402

from .daemon import Docker, NoDocker, running_docker  # noqa: E402
from .forward import forwarded  # noqa: E402

BUILD = REPOSITORY / ".build" / "container"
SAM = REPOSITORY / ".venv-sam" / "bin" / "sam"
HERE = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
"""AWS's name of the architecture that this machine can run."""

PARAMETERS: dict[str, object] = {
    "Architecture": HERE,
    "MaxConcurrency": 4,
    "Webhooks": "enabled",
    "AllowedOrigins": "https://lab.example",
}
"""Parameters of both stacks, so that both give the same answers."""


@dataclass(frozen=True, slots=True)
class Sam:
    """Runs the SAM CLI without the AWS account and profile of the user."""

    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *words: str | Path) -> tuple[list[str], dict[str, str]]:
        """Return a command and its complete environment."""
        environment = {
            "PATH": f"{REPOSITORY / '.venv' / 'bin'}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(BUILD),  # no ~/.aws
            # The SAM CLI stores locks here under image names, which are the same in another checkout.
            "TMPDIR": str(BUILD / "tmp"),
            "LANG": "C.UTF-8",
            "SAM_CLI_TELEMETRY": "0",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": "us-east-1",
            **{
                name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_BUNDLE")
            },
            **self.environment,
        }
        return [str(SAM), *map(str, words)], environment

    def __call__(self, *words: str | Path, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for its end."""
        (BUILD / "tmp").mkdir(parents=True, exist_ok=True)
        command, environment = self.command(*words)
        done = subprocess.run(
            command, check=False, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done


def overrides(parameters: Mapping[str, object]) -> list[str]:
    """Return parameters of the template as options of ``sam``."""
    return ["--parameter-overrides", " ".join(f"{name}={value}" for name, value in parameters.items())]


@pytest.fixture(scope="session")
def built() -> Callable[[str], Path]:
    """Return a function that builds the template for an architecture, once, and returns the folder.

    The folder is not ``.aws-sam``, which may contain a build that the user wants to deploy.
    """
    if not SAM.exists():
        pytest.skip("there is no .venv-sam; make test-container makes it")
    if shutil.which("make") is None:
        pytest.skip("the layers are built by make, which is not installed")
    folders: dict[str, Path] = {}

    def build(architecture: str) -> Path:
        if architecture not in folders:
            folder = BUILD / architecture
            # The Makefiles of the layers read ARCHITECTURE; the template's parameter is what deploys.
            sam = Sam({"ARCHITECTURE": architecture})
            sam("build", "--build-dir", folder, *overrides({"Architecture": architecture}), timeout=600)
            folders[architecture] = folder
        return folders[architecture]

    return build


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    try:
        with running_docker(BUILD) as found:
            yield found
            if found.ours:
                found("image", "prune", "--force")  # removes old images, but only from the tests' own daemon
    except NoDocker as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def image(docker: Docker) -> Iterator[str]:
    """Provide the base image that ``sam local`` needs, AWS's own or a substitute, and return its name."""
    if HERE is None:
        pytest.skip(f"Lambda has no processor like this one ({platform.machine()})")
    name = f"public.ecr.aws/lambda/python:3.13-{HERE}"
    script, kept = Path(__file__).with_name("base_image.sh"), BUILD / f"base-{HERE}.tar"
    done = subprocess.run(
        [script, name, HERE, SAM.with_name("python"), kept],
        env=os.environ | docker.environment,
        check=False,
        capture_output=True,
        text=True,
    )
    words = done.stdout.strip().splitlines()
    if done.returncode == 3:
        pytest.skip(words[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    yield name
    if not docker.ours and "stand-in" in docker("image", "inspect", "--format", "{{.Config.Labels}}", name):
        docker("image", "rm", "--force", name)  # so that the user's Docker does not use it as AWS's image


@pytest.fixture(scope="session")
def engine_image(docker: Docker, image: str) -> str:
    """Build the image of Engine=keras as docs/deploy.md describes and return its name."""
    name = "anemonefish-engine:test"  # the SAM CLI does not run images of a registry
    assert image.endswith(f"3.13-{HERE}")  # the base image of make image
    command = ["make", "image", f"IMAGE={name}", f"ARCHITECTURE={HERE}", "DOCKER_OPTIONS=--network host"]
    done = subprocess.run(
        command, env=os.environ | docker.environment, cwd=REPOSITORY, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return name


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    with LocalAws.start(REPOSITORY / ".build", REPOSITORY / ".venv-ministack" / "bin" / "python") as running:
        yield running


@pytest.fixture(scope="session")
def s3(aws: LocalAws) -> Any:
    return aws.client("s3")


@pytest.fixture(scope="session")
def stack(aws: LocalAws, s3: Any) -> Stack:
    """Deploy the stack. The containers use its buckets and table too."""
    return aws.deploy(REPOSITORY / "template.yaml", REPOSITORY / ".build" / "layers", PARAMETERS)


@pytest.fixture(scope="session")
def variables(aws: LocalAws, stack: Stack) -> dict[str, str]:
    """Return the environment variables of all deployed functions."""
    functions = aws.client("lambda").get_paginator("list_functions").paginate()
    found: dict[str, str] = {}
    for page in functions:
        for function in page["Functions"]:
            found |= function.get("Environment", {}).get("Variables", {})
    return found


@dataclass(frozen=True, slots=True)
class Local:
    """Runs ``sam local`` with a built template, an environment file and access to the local AWS."""

    sam: Sam
    options: list[str]

    def invoke(self, function: str, event: Path, parameters: Mapping[str, object] = PARAMETERS) -> Any:
        """Invoke a function in a container and return its complete answer."""
        done = self.sam("local", "invoke", function, "--event", event, *self.options, *overrides(parameters))
        answer = done.stdout.strip().splitlines()
        assert answer, done.stderr
        print(f"sam local invoke {function}: {answer[-1][:400]}")  # pytest -s shows the answers
        return json.loads(answer[-1])


@pytest.fixture(scope="session")
def local(
    aws: LocalAws,
    variables: dict[str, str],
    image: str,
    docker: Docker,
    built: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Local]:
    bridge = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    with forwarded(bridge, int(aws.endpoint_url.rpartition(":")[2])) as port:
        named = json.loads((REPOSITORY / "events" / "env.json").read_text())["Parameters"]
        # The variables of events/env.json with the values of this stack.
        values = {name: variables[name] for name in named if name.startswith("ANEMONEFISH_")}
        values |= {
            "ANEMONEFISH_OPEN_TENANT": named["ANEMONEFISH_OPEN_TENANT"],
            "AWS_ENDPOINT_URL": named["AWS_ENDPOINT_URL"].replace(":4566", f":{port}"),
        }
        file = tmp_path_factory.mktemp("env") / "env.json"
        file.write_text(json.dumps({"Parameters": values}))
        # The root key of the local AWS; the SAM CLI passes it on to the containers. The SAM CLI's own requests go to
        # the local AWS too.
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": aws.endpoint_url}
        options = ["--template", str(built(str(HERE)) / "template.yaml"), "--skip-pull-image", "--env-vars", str(file)]
        options += ["--add-host", "host.docker.internal:host-gateway"]
        yield Local(Sam(docker.environment | keys), options)
