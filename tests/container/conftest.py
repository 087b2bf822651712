"""The functions in containers: built and run by the SAM CLI, beside the same functions on the local AWS."""

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
from localstack.demo import upload_models  # noqa: E402

from .daemon import Docker, NoDocker, running_docker  # noqa: E402
from .forward import forwarded  # noqa: E402

BUILD = REPOSITORY / ".build" / "container"
SAM = REPOSITORY / ".venv-sam" / "bin" / "sam"
HERE = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
"""The architecture, in AWS's words, that this machine can run."""

PARAMETERS: dict[str, object] = {
    "Architecture": HERE,
    "MaxConcurrency": 4,
    "Webhooks": "enabled",
    "AllowedOrigins": "https://lab.example",
}
"""Of both stacks, so that both answer alike."""


@dataclass(frozen=True, slots=True)
class Sam:
    """The SAM CLI, without whatever account or profile its caller has."""

    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *words: str | Path) -> tuple[list[str], dict[str, str]]:
        """Return a command and its whole environment."""
        environment = {
            "PATH": f"{REPOSITORY / '.venv' / 'bin'}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(BUILD),  # no ~/.aws
            # Where it keeps locks, by the names of images: another checkout's images have the same names.
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
        """Run a command to its end."""
        (BUILD / "tmp").mkdir(parents=True, exist_ok=True)
        command, environment = self.command(*words)
        done = subprocess.run(
            command, check=False, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done


def overrides(parameters: Mapping[str, object]) -> list[str]:
    """Return parameters of the template as ``sam`` wants them."""
    return ["--parameter-overrides", " ".join(f"{name}={value}" for name, value in parameters.items())]


@pytest.fixture(scope="session")
def built() -> Callable[[str], Path]:
    """Return a function that builds the template for an architecture, once, and returns the folder.

    Not in ``.aws-sam``: that may hold what the user is about to deploy.
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
                found("image", "prune", "--force")  # the layers of yesterday; a user's own are not ours to remove
    except NoDocker as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def image(docker: Docker) -> Iterator[str]:
    """The base image that ``sam local`` asks for, AWS's own or a stand-in."""
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
        docker("image", "rm", "--force", name)  # in the user's Docker nothing else shall take it for AWS's


@pytest.fixture(scope="session")
def engine_image(docker: Docker, image: str) -> str:
    """The image of Engine=keras, built as the README says."""
    name = "anemonefish-engine:test"  # the SAM CLI runs no image of a registry
    assert image.endswith(f"3.13-{HERE}")  # the base that make image asks for
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
    """The stack as it is deployed: its buckets and table serve the containers too."""
    deployed = aws.deploy(REPOSITORY / "template.yaml", REPOSITORY / ".build" / "layers", PARAMETERS)
    upload_models(s3, deployed, REPOSITORY / "models")
    return deployed


@pytest.fixture(scope="session")
def variables(aws: LocalAws, stack: Stack) -> dict[str, str]:
    """The environment of the deployed functions, all together."""
    functions = aws.client("lambda").get_paginator("list_functions").paginate()
    found: dict[str, str] = {}
    for page in functions:
        for function in page["Functions"]:
            found |= function.get("Environment", {}).get("Variables", {})
    return found


@dataclass(frozen=True, slots=True)
class Local:
    """What ``sam local`` is called with: a built template, an environment file, a way to the local AWS."""

    sam: Sam
    options: list[str]

    def invoke(self, function: str, event: Path, parameters: Mapping[str, object] = PARAMETERS) -> Any:
        """Invoke a function in a container; return the whole of what it answered."""
        done = self.sam("local", "invoke", function, "--event", event, *self.options, *overrides(parameters))
        answer = done.stdout.strip().splitlines()
        assert answer, done.stderr
        print(f"sam local invoke {function}: {answer[-1][:400]}")  # pytest -s shows them all
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
        # The names of events/env.json with the values of this stack.
        values = {name: variables[name] for name in named if name.startswith("ANEMONEFISH_")}
        values |= {
            "ANEMONEFISH_OPEN_TENANT": named["ANEMONEFISH_OPEN_TENANT"],
            "AWS_ENDPOINT_URL": named["AWS_ENDPOINT_URL"].replace(":4566", f":{port}"),
        }
        file = tmp_path_factory.mktemp("env") / "env.json"
        file.write_text(json.dumps({"Parameters": values}))
        # The key of the local AWS's root; the containers get it from the SAM CLI. What the SAM CLI itself asks of
        # AWS goes to the local one, too: there is no other.
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": aws.endpoint_url}
        options = ["--template", str(built(str(HERE)) / "template.yaml"), "--skip-pull-image", "--env-vars", str(file)]
        options += ["--add-host", "host.docker.internal:host-gateway"]
        yield Local(Sam(docker.environment | keys), options)
