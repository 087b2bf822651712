"""The service of ``make serve`` is killed while it works: what was finished is there again, and nothing stays stuck."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

import anemonefish as af
from tests.workflow.conftest import Api

REPOSITORY = Path(__file__).parents[2]
LARGE = 120_000_000
"""Bytes of an upload that is sent in parts."""

_PROGRAM = """
import sys, signal
from pathlib import Path
from localstack.serve import start_service
build, data = map(Path, sys.argv[1:])
with start_service(port=0, build=build, data=data) as service:
    print(service.stack.api_url, service.stack.api_key, service.interrupted.get("FAILED", 0), flush=True)
    signal.pause()
"""


@contextmanager
def running(folder: Path) -> Iterator[tuple[Api, int]]:
    """Run the service until the context ends; then kill it, without a chance to save anything."""
    command = [sys.executable, "-c", _PROGRAM, str(folder / "build"), str(folder / "data")]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url, key, interrupted = process.stdout.readline().split()
            yield Api(url, key), int(interrupted)
        finally:
            process.kill()


def _whole(api: Api, execution: str) -> tuple[bytes, bytes]:
    return api.file(execution, "csv"), api.file(execution, "json")


def test_finished_results_outlive_a_kill_and_what_ran_is_resumed(tmp_path: Path) -> None:
    recording = af.simulate(tmp_path / "reef.wav", seconds=30, seed=1).path
    with running(tmp_path) as (api, interrupted):
        assert interrupted == 0
        key = api.key
        upload = api.upload(recording)
        finished = api.ended(api.start(upload)["id"])
        assert finished["status"] == "SUCCEEDED"
        results = _whole(api, finished["id"])
        begun = api("POST", "/uploads", json={"filename": "large.wav", "size": LARGE}).json()
        first = begun["multipart"]["parts"][0]
        sent = bytes(range(256)) * (first["size"] // 256)
        httpx.put(first["url"], content=sent, timeout=60).raise_for_status()
        interrupted_id = api.start(upload, settings={"threshold": 0.6})["id"]

    with running(tmp_path) as (api, interrupted):
        assert interrupted == 1
        assert api.key == key
        listed = {each["id"]: each["status"] for each in api("GET", "/executions").json()["executions"]}
        assert listed == {finished["id"]: "SUCCEEDED", interrupted_id: "FAILED"}
        assert _whole(api, finished["id"]) == results
        assert api("GET", f"/uploads/{upload}").json()["status"] == "COMPLETE"
        failed = api("GET", f"/executions/{interrupted_id}").json()
        assert "resume" in failed["error"]["message"]
        assert api("POST", f"/executions/{interrupted_id}/resume").status_code == 202
        assert api.ended(interrupted_id)["status"] == "SUCCEEDED"

        parts = api("GET", f"/uploads/{begun['id']}/parts").json()["parts"]
        assert parts[0]["etag"]
        assert [part["number"] for part in parts if part["etag"]] == [1]
        for part in parts[1:]:
            httpx.put(part["url"], content=b"\0" * part["size"], timeout=60).raise_for_status()
        completed = api("POST", f"/uploads/{begun['id']}/complete").json()
        assert (completed["status"], completed["size"]) == ("COMPLETE", LARGE)
        assert not list((tmp_path / "data" / "parts").iterdir())
        [stored] = (tmp_path / "data" / "objects").rglob("large.wav")
        with stored.open("rb") as file:
            assert file.read(len(sent)) == sent
