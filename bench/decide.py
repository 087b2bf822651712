"""Compare a decision with a new execution on the local AWS, over HTTP: time and bytes.

Uploads an hour of a simulated reef in parts, runs an execution, decides again with another threshold, runs a new
execution with that threshold, and compares both. The files must be the same; the times are only printed.

    python -m bench.decide --hours 1
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench.memory import REPOSITORY, write_recording
from localstack import LocalAws

FORMATS = ("json", "csv", "scores", "raven", "audacity", "classes", "parquet")


def upload(http: httpx.Client, path: Path) -> str:
    """Upload a file in one PUT or in parts and return the upload's id."""
    opened = http.post("/uploads", json={"filename": path.name, "size": path.stat().st_size}).json()
    if opened["put"]:
        httpx.put(opened["put"]["url"], content=path.read_bytes(), headers=opened["put"]["headers"]).raise_for_status()
    else:
        page = opened["multipart"]
        with path.open("rb") as file:
            while page:
                for part in page["parts"]:
                    httpx.put(part["url"], content=file.read(part["size"]), timeout=60).raise_for_status()
                page = http.get(page["next"]).json() if page["next"] else None
    http.post(f"/uploads/{opened['id']}/complete").raise_for_status()
    return str(opened["id"])


def run(http: httpx.Client, recording: str, settings: dict[str, Any]) -> tuple[str, float]:
    """Run an execution and return its id and the seconds from start to results."""
    began = time.perf_counter()
    execution = http.post("/executions", json={"recordings": [recording], "settings": settings}).json()["id"]
    while (status := http.get(f"/executions/{execution}").json())["status"] in {"PENDING", "RUNNING"}:
        time.sleep(0.05)
    assert status["status"] == "SUCCEEDED", status
    return execution, time.perf_counter() - began


def same_files(http: httpx.Client, decided: str, decision: str, fresh: str) -> int:
    """Compare the files of every format and return the number of compared bytes."""
    compared = 0
    for form in FORMATS:
        ours = http.get(f"/executions/{decided}/results", params={"format": form, "decision": decision})
        theirs = http.get(f"/executions/{fresh}/results", params={"format": form})
        one, other = (httpx.get(answer.headers["location"], timeout=60).content for answer in (ours, theirs))
        assert one == other, form
        compared += len(one)
    return compared


def main() -> None:
    """Run the comparison and print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    hours = parser.parse_args().hours
    build = REPOSITORY / ".build"
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalAws.start(build, REPOSITORY / ".venv-ministack/bin/python") as aws,
    ):
        stack = aws.deploy(REPOSITORY / "template.yaml", build / "layers")
        path = Path(folder, "hour.wav")
        write_recording(path, hours)
        with httpx.Client(base_url=stack.api_url, headers={"x-api-key": stack.api_key}, timeout=60) as http:
            recording = upload(http, path)
            run(http, recording, {"target_class": "biological"})  # starts the workers
            first, _ = run(http, recording, {})
            decisions = []
            for threshold in (0.6, 0.7, 0.8):
                began = time.perf_counter()
                decided = http.post(f"/executions/{first}/decisions", json={"threshold": threshold}).json()
                decisions.append((time.perf_counter() - began, decided["decision"]))
            fresh, seconds = run(http, recording, {"threshold": 0.7})
            compared = same_files(http, first, decisions[1][1], fresh)
    ratios = ", ".join(f"1/{seconds / took:.0f}" for took, _ in decisions)
    print(
        f"{hours:g} h: a decision takes {ratios} of the {seconds:.1f} s of a fresh execution; "
        f"{compared} bytes in {len(FORMATS)} formats are the same"
    )


if __name__ == "__main__":
    main()
