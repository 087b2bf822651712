"""``make serve``: a service on this machine that clients find by the variables that it writes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from localstack.serve import VARIABLES
from tests.workflow.conftest import await_true

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def service() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "localstack.serve"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        await_true(lambda: VARIABLES.exists() or process.poll() is not None, "the service")
        yield process
        process.kill()


def _bash(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_service_answers_clients_that_read_its_variables_and_ends_with_ctrl_c(service: subprocess.Popen[str]) -> None:
    file = VARIABLES.relative_to(REPOSITORY)
    sourced = _bash(f"source {file} && echo $ANEMONEFISH_API_URL $ANEMONEFISH_API_KEY").stdout.split()
    url, key = sourced
    assert httpx.get(f"{url}/health").status_code == 200
    models = httpx.get(f"{url}/models", headers={"x-api-key": key}).json()["models"]
    assert [model["name"] for model in models] == ["reef"]
    assert httpx.get(f"{url}/models").status_code == 403

    listed = _bash(f"source {file} && {sys.executable} -m anemonefish models show reef")
    assert listed.returncode == 0, listed.stderr
    assert '"name": "reef"' in listed.stdout

    service.send_signal(signal.SIGINT)
    printed, _ = service.communicate(timeout=60)
    assert service.returncode == 0
    assert f"source {file}" in printed
    assert url in printed
    assert printed.endswith("the service has stopped\n")
    assert not VARIABLES.exists()
