"""``docker compose up``: the service of ``make serve`` in a container, for this machine only, its data in a volume."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import anemonefish as af
from tests.workflow.conftest import PATIENCE, Api, await_true

from .conftest import BUILD, REPOSITORY
from .daemon import Docker

BASE = "anemonefish-python:test"


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@dataclass(frozen=True)
class Compose:
    """Runs ``docker compose`` in a project of its own."""

    command: list[str]
    environment: dict[str, str]

    def __call__(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            [*self.command, "--project-name", "anemonefish-test", *words],
            cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    def started(self) -> tuple[str, Api]:
        """Start the service; return the origin of its page, and its API with the key that the log says."""
        self("up", "--detach")
        await_true(lambda: "sign in with the key" in self("logs", "--no-color"), "the service in the container")
        log = self("logs", "--no-color")
        keys = re.findall(r"sign in with the key ([0-9a-f]+)", log)
        url = re.findall(r"The API answers at (http://\S+)", log)[-1]
        return re.findall(r"Open (http://\S+)", log)[-1], Api(url, keys[-1])

    @property
    def container(self) -> str:
        return self("ps", "--quiet").strip()


def _can_pull(docker: Docker) -> bool:
    """Return whether the images of localstack/Dockerfile can be pulled."""
    names = re.findall(r"^ARG \w*BASE=(\S+)", (REPOSITORY / "localstack/Dockerfile").read_text(), re.MULTILINE)
    assert len(names) == 2
    try:
        for name in names:
            docker("pull", "--quiet", name)
    except RuntimeError as error:
        if re.search("not found|manifest unknown|invalid reference", str(error)):
            raise
        return False
    except subprocess.TimeoutExpired:
        return False
    return True


def _stand_in(docker: Docker) -> dict[str, str]:
    """Make an image to build on; return the variables of compose.yaml that name it."""
    script, kept = Path(__file__).with_name("python_base.sh"), BUILD / "python-base.tar"
    done = subprocess.run(
        [script, BASE, kept], env=os.environ | docker.environment, check=False, capture_output=True, text=True
    )
    if done.returncode == 3:
        pytest.skip(done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr
    return {"BASE": BASE, "BUILD_BASE": BASE, "BUILD_NETWORK": "host"}


@pytest.fixture(scope="module")
def compose(docker: Docker) -> Iterator[Compose]:
    """Build the image as ``docker compose up`` does; where no image can be pulled, on a base that is made here."""
    with_plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    if not with_plugin and shutil.which("docker-compose") is None:
        pytest.skip("there is neither docker compose nor docker-compose")
    bases = {} if _can_pull(docker) else _stand_in(docker)
    ports = {"PORT": _free_port(), "API_PORT": _free_port()}
    command = ["docker", "compose"] if with_plugin else ["docker-compose"]
    running = Compose([*command, "--file", "compose.yaml"], {**os.environ, **docker.environment, **ports, **bases})
    running("build")
    yield running
    running("down", "--volumes", "--timeout", "1", check=False)


def test_service_in_a_container_is_private_and_keeps_its_data(compose: Compose, docker: Docker, tmp_path: Path) -> None:
    origin, api = compose.started()
    http = httpx.Client(timeout=PATIENCE)
    assert "<html" in http.get(origin).text
    assert http.get(f"{origin}/config.json").json()["apiUrl"] == api.url
    assert http.get(origin, headers={"host": "evil.example"}).status_code == 421

    assert docker("exec", compose.container, "id", "-u") == "10001"
    published = docker("port", compose.container).splitlines()
    assert len(published) == 2
    assert all(" -> 127.0.0.1:" in line for line in published)

    upload = api.upload(af.simulate(tmp_path / "reef.wav", seconds=30, seed=1).path)
    execution = api.ended(api.start(upload)["id"])
    assert execution["status"] == "SUCCEEDED"
    events = api.file(execution["id"], "csv")
    key = api.key

    docker("kill", compose.container)
    compose("down", "--timeout", "1")
    _, api = compose.started()
    assert api.key == key
    assert api.file(execution["id"], "csv") == events
