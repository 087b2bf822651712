"""Fixtures for the local AWS, started once with the real template and the reference models."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

REPOSITORY = Path(__file__).parents[2]
BUILD = REPOSITORY / ".build"
sys.path.insert(0, str(REPOSITORY))  # localstack is a folder of the repository, not an installed package

from localstack import Execution, LocalAws, Stack  # noqa: E402
from localstack.demo import analyse, fetch  # noqa: E402


@pytest.fixture(scope="session")
def aws() -> Iterator[LocalAws]:
    folder = BUILD / os.environ.get("PYTEST_XDIST_WORKER", "")  # each test process has its own emulator
    with LocalAws.start(folder, REPOSITORY / ".venv-ministack" / "bin" / "python") as running:
        yield running


@pytest.fixture(scope="session")
def s3(aws: LocalAws) -> Any:
    return aws.client("s3")


# Parameters that the API's tests need in addition to the defaults. A test of throttling has its own usage plan.
PARAMETERS = {
    "Webhooks": "enabled",
    "AllowedOrigins": "https://lab.example,http://localhost:5173",
    "RequestRate": 10_000,
    "RequestBurst": 10_000,
    "MaxJobs": 1_000,
}


@pytest.fixture(scope="session")
def stack(aws: LocalAws, s3: Any) -> Stack:
    """Deploy the stack."""
    return aws.deploy(REPOSITORY / "template.yaml", BUILD / "layers", PARAMETERS)


@pytest.fixture(scope="session")
def trouble_stack(aws: LocalAws, s3: Any, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Deploy the stack with score and report functions that fail on demand (trouble.py, trouble_report.py)."""
    folder = tmp_path_factory.mktemp("trouble")
    for name in ("template.yaml", "monitoring.yaml"):
        shutil.copy(REPOSITORY / name, folder)
    for name in ("functions", "models", "statemachine"):
        shutil.copytree(REPOSITORY / name, folder / name)
    (folder / "functions/score/app.py").rename(folder / "functions/score/real_app.py")
    shutil.copy(REPOSITORY / "tests/workflow/trouble.py", folder / "functions/score/app.py")
    (folder / "functions/report/app.py").rename(folder / "functions/report/real_report_app.py")
    shutil.copy(REPOSITORY / "tests/workflow/trouble_report.py", folder / "functions/report/app.py")
    return aws.deploy(folder / "template.yaml", BUILD / "layers", PARAMETERS, name="trouble")


RunJob = Callable[..., tuple[Execution, dict[str, bytes]]]


@pytest.fixture
def run_job(s3: Any, tmp_path: Path, request: pytest.FixtureRequest) -> RunJob:
    """Return a function that runs an execution on recordings and downloads its files."""

    def run(stack: Stack, *recordings: Path, **more: Any) -> tuple[Execution, dict[str, bytes]]:
        run.count += 1
        job = f"{abs(hash(request.node.nodeid))}-{run.count}"
        execution = analyse(s3, stack, job, list(recordings), **more)
        folder = tmp_path / f"fetched-{run.count}"
        files = fetch(s3, stack, f"jobs/local/{job}", folder)
        return execution, {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}

    run.count = 0
    return run


PATIENCE = 900.0
"""Seconds that a test waits for a condition. It is long enough for a busy machine, because no test measures speed."""


def await_true(condition: Callable[[], bool], what: str = "the condition") -> None:
    """Wait until a condition is true; fail after :data:`PATIENCE`."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s in vain for {what}"
        time.sleep(0.1)


@contextmanager
def released_when_stopped(api: Api, s3: Any, stack: Stack) -> Iterator[None]:
    """Release the held ranges of an execution (tests/workflow/trouble.py) as soon as the execution has been stopped.

    The execution cannot end before, so a slow test still stops it in time.
    """
    done = threading.Event()
    bucket = stack.outputs["OutputBucketName"]

    def release() -> None:
        released: set[str] = set()
        while not done.wait(0.2):
            listed = [each["id"] for each in api("GET", "/executions").json()["executions"]]
            for execution in set(listed) - released:
                found = api("GET", f"/executions/{execution}").json()
                if found["status"] == "CANCELLED" or found["attempt"] > 1:
                    prefix = f"jobs/{tenant_of(s3, stack, execution)}/{execution}"
                    s3.put_object(Bucket=bucket, Key=f"{prefix}/parts/released", Body=b"")
                    released.add(execution)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(release)
        try:
            yield
        finally:
            done.set()
            running.result()


def tenant_of(s3: Any, stack: Stack, execution: str) -> str:
    """Return the tenant whose prefix contains an execution's files."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=stack.outputs["OutputBucketName"], Prefix="jobs/")
    keys = (item["Key"].split("/") for page in pages for item in page.get("Contents", ()))
    return next(str(tenant) for _, tenant, job, *_ in keys if job == execution)


class Api:
    """Calls the API of a stack over HTTP as one tenant."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key
        limits = httpx.Limits(max_connections=64)
        self.http = httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=PATIENCE, limits=limits)

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.http.request(method, path, **more)

    def upload(self, path: Path, filename: str | None = None) -> str:
        """Upload a small file; return the upload's id."""
        data = path.read_bytes()
        upload = self("POST", "/uploads", json={"filename": filename or path.name, "size": len(data)}).json()
        httpx.put(upload["put"]["url"], content=data, headers=upload["put"]["headers"]).raise_for_status()
        self("POST", f"/uploads/{upload['id']}/complete").raise_for_status()
        return str(upload["id"])

    def start(self, *uploads: str, **more: Any) -> dict[str, Any]:
        answer = self("POST", "/executions", json={"recordings": list(uploads), **more})
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def ended(self, execution: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Poll an execution until it has ended."""
        deadline = time.monotonic() + timeout
        while True:
            found = self("GET", f"/executions/{execution}").json()
            if found["status"] not in {"PENDING", "RUNNING"}:
                return dict(found)
            assert time.monotonic() < deadline, found
            time.sleep(0.1)

    def file(self, execution: str, form: str, **query: Any) -> bytes:
        """Download a result file through the redirect."""
        answer = self("GET", f"/executions/{execution}/results", params={"format": form, **query})
        assert answer.status_code == 303, answer.text
        return httpx.get(answer.headers["location"]).raise_for_status().content


def new_key(aws: LocalAws, stack: Stack, **plan: Any) -> str:
    """Create the key of another tenant and return its value."""
    gateway = aws.client("apigateway")
    key = gateway.create_api_key(enabled=True)
    stages = [{"apiId": stack.outputs["ApiUrl"].removeprefix("https://").partition(".")[0], "stage": "v1"}]
    made = gateway.create_usage_plan(name=key["id"], apiStages=stages, **plan)
    gateway.create_usage_plan_key(usagePlanId=made["id"], keyId=key["id"], keyType="API_KEY")
    return str(key["value"])


@pytest.fixture(scope="session")
def api(stack: Stack) -> Api:
    return Api(stack.api_url, stack.api_key)


@pytest.fixture(scope="session")
def other_tenant(aws: LocalAws, stack: Stack) -> Api:
    """Return the API for another tenant."""
    return Api(stack.api_url, new_key(aws, stack))


@pytest.fixture(scope="session")
def calls(aws: LocalAws) -> Callable[[str, datetime], int]:
    """Return a function that counts the calls of an AWS operation since a given time, up to fifty."""
    trail = aws.client("cloudtrail")

    def count(operation: str, since: datetime) -> int:
        wanted = [{"AttributeKey": "EventName", "AttributeValue": operation}]
        return len(trail.lookup_events(LookupAttributes=wanted, StartTime=since)["Events"])

    return count
