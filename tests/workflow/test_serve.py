"""``make serve``: a service with its page on this machine, which clients find by the variables that it writes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from localstack.serve import VARIABLES
from tests.workflow.conftest import PATIENCE, await_true

REPOSITORY = Path(__file__).parents[2]
HTTP = httpx.Client(timeout=PATIENCE)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "localstack.serve", "--data", str(tmp_path / "data")]
    VARIABLES.parent.mkdir(exist_ok=True)
    VARIABLES.write_text("export ANEMONEFISH_API_URL=http://127.0.0.1:9\n")  # as a service leaves it that was killed
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        await_true(lambda: _is_ready() or process.poll() is not None, "the service")
        yield process
        process.kill()


def _is_ready() -> bool:
    return VARIABLES.exists() and "127.0.0.1:9\n" not in VARIABLES.read_text()


def _bash(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def _hints(service: subprocess.Popen[str]) -> str:
    """Return what the service printed when it was ready."""
    assert service.stdout is not None
    lines: list[str] = []
    while "not to an account" not in "".join(lines):
        line = service.stdout.readline()
        assert line, f"the service ended: {lines}"
        lines.append(line)
    return "".join(lines)


def test_service_answers_clients_that_read_its_variables_and_ends_with_ctrl_c(service: subprocess.Popen[str]) -> None:
    file = VARIABLES.relative_to(REPOSITORY)
    sourced = _bash(f"source {file} && echo $ANEMONEFISH_API_URL $ANEMONEFISH_API_KEY").stdout.split()
    url, key = sourced
    assert HTTP.get(f"{url}/health").status_code == 200
    models = HTTP.get(f"{url}/models", headers={"x-api-key": key}).json()["models"]
    assert [model["name"] for model in models] == ["reef"]
    assert HTTP.get(f"{url}/models").status_code == 403

    listed = _bash(f"source {file} && {sys.executable} -m anemonefish models show reef")
    assert listed.returncode == 0, listed.stderr
    assert '"name": "reef"' in listed.stdout

    hints = _hints(service)
    page = re.search(r"^Open (http://127\.0\.0\.1:\d+)$", hints, re.MULTILINE)[1]
    assert f"sign in with the key {key}\n" in hints
    assert f"source {file}\n" in hints
    assert url in hints
    kept = re.search(r"rm -rf (.+)$", hints, re.MULTILINE)[1]
    assert (Path(kept) / "key.json").stat().st_mode & 0o077 == 0
    assert HTTP.get(f"{page}/config.json").json()["apiUrl"] == url
    assert "<html" in HTTP.get(page).text
    _check_that_only_the_page_may_call(url, page)

    service.send_signal(signal.SIGINT)
    printed, _ = service.communicate(timeout=60)
    assert service.returncode == 0
    assert printed.endswith("the service has stopped\n")
    assert not VARIABLES.exists()


def _check_that_only_the_page_may_call(api_url: str, page: str) -> None:
    """The credentials of the local AWS are known, so no other site in the user's browser may use it."""

    def status(url: str = f"{api_url}/health", **headers: str) -> int:
        return HTTP.get(url, headers={name.replace("_", "-"): value for name, value in headers.items()}).status_code

    assert status(origin=page, sec_fetch_site="same-site") == 200
    assert status(sec_fetch_site="none") == 200
    assert status(origin="https://evil.example") == 403
    assert status(origin="null") == 403
    assert status(sec_fetch_site="cross-site") == 403
    port = api_url.split("/")[2].rpartition(":")[2]
    assert status(host=f"evil.example:{port}") == 403
    assert status(f"http://127.0.0.1:{port}/", host=f"evil.example:{port}") == 403
    assert status(page, host=f"evil.example:{page.rpartition(':')[2]}") == 421
