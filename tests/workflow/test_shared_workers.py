"""Three tenants start more jobs than the stack has workers for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from localstack import LocalAws, Stack
from tests.workflow.conftest import BUILD, PARAMETERS, REPOSITORY, Api, new_key

ALL_WORKERS, JOB_WORKERS = 3, 2


@pytest.fixture(scope="module")
def shared(aws: LocalAws, s3: Any) -> Stack:
    """A stack with three workers, of which one job runs two."""
    parameters = {**PARAMETERS, "MaxWorkers": ALL_WORKERS, "MaxConcurrency": JOB_WORKERS}
    return aws.deploy(REPOSITORY / "template.yaml", BUILD / "layers", parameters, name="shared")


def calls_of(stack: Stack, function: str) -> list[tuple[datetime, datetime, str]]:
    """Return begin, end and execution of each call of a function, from its log lines."""
    lines = [json.loads(text) for text in stack.logs().split("\n") if text.startswith("{")]
    calls = []
    for line in lines:
        if line.get("function") == function and line["message"] in {"finished", "failed"}:
            end = datetime.fromisoformat(line["timestamp"])
            calls.append((end - timedelta(seconds=line["seconds"]), end, line["execution"]))
    return calls


def most_at_once(calls: list[tuple[datetime, datetime, str]]) -> int:
    changes = sorted([(begin, 1) for begin, _, _ in calls] + [(end, -1) for _, end, _ in calls])
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


@contextmanager
def polling(api: Api) -> Iterator[list[tuple[int, float]]]:
    """Call the API all the time; the list has the status and the seconds of each answer."""
    stop, answers = Event(), []  # type: Event, list[tuple[int, float]]

    def poll() -> None:
        while not stop.wait(0.2):
            began = time.monotonic()
            answers.append((api("GET", "/executions").status_code, time.monotonic() - began))

    with ThreadPoolExecutor(1) as pool:
        polls = pool.submit(poll)
        try:
            yield answers
        finally:
            stop.set()
            polls.result()


def test_jobs_of_three_tenants_share_the_workers_and_take_turns(
    aws: LocalAws, shared: Stack, make_recording: Callable[..., Path]
) -> None:
    """The small job is a third tenant's: a tenant that runs a worker comes after one that runs none."""
    first, second, third = (Api(shared.api_url, key) for key in (shared.api_key, *(new_key(aws, shared) for _ in "23")))
    long = first.upload(make_recording("long.wav", frames=48_000 * 240))
    path = make_recording("reef.wav", frames=48_000 * 60)
    uploads = {tenant: tenant.upload(path) for tenant in (first, second, third)}
    settings = {"max_range_seconds": 5, "target_seconds": 1}

    def start(tenant: Api, **more: Any) -> tuple[Api, dict[str, Any]]:
        return tenant, tenant.start(uploads[tenant], settings=settings | more)

    with polling(Api(shared.api_url, shared.api_key)) as answers:
        jobs = {"a1": (first, first.start(long, settings=settings))}
        jobs |= {"a2": start(first), "a3": start(first), "b1": start(second)}
        jobs["small"] = start(third, max_concurrency=1)
        accepted = {name: job["status"] for name, (_, job) in jobs.items()}
        queue = {
            name: tenant("GET", f"/executions/{job['id']}").json()["queue"] for name, (tenant, job) in jobs.items()
        }
        ended = {name: tenant.ended(job["id"]) for name, (tenant, job) in jobs.items()}
    assert {job["status"] for job in ended.values()} == {"SUCCEEDED"}
    assert accepted["a1"] == "RUNNING"
    assert accepted["small"] == "RUNNING", "it has room beside the large job that waits"
    assert [accepted[name] for name in ("a2", "a3", "b1")] == ["PENDING"] * 3
    assert all(queue[name]["position"] >= 1 for name in ("a2", "a3", "b1"))
    began = {name: job["started_at"] for name, job in ended.items()}
    assert began["b1"] < began["a2"] < began["a3"], "three jobs of one tenant delay the other's by one job"
    workers = calls_of(shared, "score")
    for name, (_, job) in jobs.items():
        limit = 1 if name == "small" else JOB_WORKERS
        assert most_at_once([call for call in workers if call[2] == job["id"]]) <= limit
    assert most_at_once(workers) <= ALL_WORKERS
    assert {status for status, _ in answers} == {200}
    files = {name: tenant.file(jobs[name][1]["id"], "csv") for name, (tenant, _) in jobs.items() if name != "a1"}
    assert len(set(files.values())) == 1, "the results do not depend on who waits"
    print(
        f"{len(workers)} calls of score, at most {most_at_once(workers)} at once of {ALL_WORKERS}; "
        f"{len(answers)} answers of the API, all 200, the slowest after {max(each for _, each in answers):.2f} s; "
        f"starts: {sorted(began, key=lambda name: began[name])}"
    )
