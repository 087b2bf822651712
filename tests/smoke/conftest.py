"""Fixtures of the smoke test: a deployed API, known by its URL and a key alone, and the recordings that are sent to it.

``make smoke URL=... KEY=...`` runs it against a stack in an account and against the local stack. It needs neither AWS
credentials nor the stack's name, and it deletes what it uploaded.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile

from anemonefish.simulation.scene import Scene, scene, write_scene

URL = os.environ.get("ANEMONEFISH_API_URL", "").rstrip("/")
KEY = os.environ.get("ANEMONEFISH_API_KEY", "")
PATIENCE = float(os.environ.get("SMOKE_TIMEOUT", "900"))
"""Seconds within which an execution has to end. A first execution in an account includes several cold starts."""

TIMEOUT = httpx.Timeout(60, connect=20)
MULTIPART_MINUTES = 12
"""Minutes of 48 kHz, 16 bit, that are larger than the largest file of a single PUT."""


@dataclass(frozen=True)
class Recording:
    """A file that is uploaded, and the upload.

    Attributes
    ----------
    path : Path
    upload : dict
        What ``POST /uploads`` answered.
    """

    path: Path
    upload: dict[str, Any]

    @property
    def id(self) -> str:
        """The upload's id."""
        return str(self.upload["id"])


@dataclass
class DeployedApi:
    """Sends requests to the deployed API with the key.

    Attributes
    ----------
    url, key : str
    uploads : list of str
        Ids of the uploads that were begun; they are deleted at the end.
    """

    url: str
    key: str = field(repr=False)  # a failed check prints its fixtures
    uploads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        transport = httpx.HTTPTransport(retries=3)  # of the connection; an answer is never asked for twice
        self._http = httpx.Client(base_url=self.url, timeout=TIMEOUT, transport=transport)

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request with the key."""
        headers = {"x-api-key": self.key, **options.pop("headers", {})}
        return self._http.request(method, path, headers=headers, **options)

    def without_key(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request without a key."""
        return self._http.request(method, path, **options)

    def begin_upload(self, path: Path, **fields: Any) -> Recording:
        """Announce a file."""
        answer = self("POST", "/uploads", json={"filename": path.name, "size": path.stat().st_size, **fields})
        assert answer.status_code == 201, answer.text
        self.uploads.append(answer.json()["id"])
        return Recording(path, answer.json())

    def complete(self, recording: Recording) -> dict[str, Any]:
        """Complete an upload; return it."""
        answer = self("POST", f"/uploads/{recording.id}/complete")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def start(self, recording: Recording, key: str | None = None, **fields: Any) -> httpx.Response:
        """Start an execution, with an idempotency key if one is given."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self("POST", "/executions", json={"recordings": [recording.id], **fields}, headers=headers)

    def ended(self, execution: str) -> dict[str, Any]:
        """Poll an execution as ``Retry-After`` says until it has ended."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self("GET", f"/executions/{execution}")
            assert answer.status_code == 200, answer.text
            state: dict[str, Any] = answer.json()
            if state["status"] not in {"PENDING", "RUNNING"}:
                return state
            assert time.monotonic() < deadline, f"not ended after {PATIENCE:g} s: {state}"
            time.sleep(min(float(answer.headers["retry-after"]), 5.0))

    def close(self) -> None:
        """Delete the uploads and close the connections."""
        for upload in self.uploads:
            self("DELETE", f"/uploads/{upload}")
        self._http.close()


def put(url: str, content: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    """Send bytes to a presigned URL, as a client without AWS credentials does."""
    return httpx.put(url, content=content, headers=headers, timeout=httpx.Timeout(300, connect=20))


@pytest.fixture(scope="session")
def api() -> Iterator[DeployedApi]:
    """Return the API that the environment names."""
    if not (URL and KEY):
        pytest.skip("needs a deployed API: make smoke URL=... KEY=...")
    deployed = DeployedApi(URL, KEY)
    yield deployed
    deployed.close()


@pytest.fixture(scope="session")
def reef() -> Scene:
    """A simulated minute and the calls in it."""
    return scene(60, seed=1)


@pytest.fixture(scope="session")
def minute(reef: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the simulated minute."""
    path = tmp_path_factory.mktemp("smoke") / "20230210_000001_smoke.wav"
    write_scene(reef, path)
    return path


@pytest.fixture(scope="session")
def long_recording(minute: Path) -> Path:
    """Write a recording that has to be sent in parts: the minute, repeated."""
    samples, rate = soundfile.read(minute, dtype="int16")
    path = minute.with_name("20230210_010001_smoke.wav")
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as file:
        for _ in range(MULTIPART_MINUTES):
            file.write(samples)
    return path


# --- the last line -----------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """Counts checks for the last line.

    Attributes
    ----------
    began : float
    passed, failed : list of str
        Names of the checks.
    """

    began: float = field(default_factory=time.monotonic)
    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def line(self, url: str) -> str:
        """Return what was checked, where, and how long it took."""
        seconds = time.monotonic() - self.began
        total = len(self.passed) + len(self.failed)
        if self.failed:
            outcome, names = f"{len(self.failed)} of {total} checks failed", self.failed
        else:
            outcome, names = f"{total} checks passed", self.passed
        return f"smoke: {outcome} at {url} in {seconds:.0f} s: {'; '.join(names)}"


_TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the clock."""
    config.stash[_TALLY] = Tally()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Count each check once; a fixture that fails is a failed check."""
    report = yield
    tally = item.config.stash[_TALLY]
    name = item.name.removeprefix("test_").replace("_", " ")
    if report.failed and name not in tally.failed:
        tally.failed.append(name)
    elif report.when == "call" and report.passed:
        tally.passed.append(name)
    return report


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Print the last line, below pytest's own."""
    tally = config.stash[_TALLY]
    if tally.passed or tally.failed:
        print(tally.line(URL))
