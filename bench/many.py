"""Measure jobs of many short recordings on the local AWS: seconds of an execution and of each of its stages.

The emulator serves all functions on this machine, so the times say how the work grows with the number of recordings,
and not how long an account takes.

    python -m bench.many 30 100 300
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from anemonefish.simulation.scene import scene, write_scene
from bench.memory import REPOSITORY
from localstack import Execution, LocalAws, Stack

_SECONDS = 5
_PARAMETERS = {"MaxConcurrency": 4, "MaxWorkers": 4}


def main() -> None:
    """Run one job for each number of recordings, and print a line for each."""
    build = REPOSITORY / ".build"
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalAws.start(build, REPOSITORY / ".venv-ministack" / "bin" / "python") as aws,
    ):
        path = Path(folder, "short.wav")
        write_scene(scene(_SECONDS, seed=1), path)
        stack = aws.deploy(REPOSITORY / "template.yaml", build / "layers", _PARAMETERS)
        for count in map(int, sys.argv[1:]):
            print(_line(count, _run(aws.client("s3"), stack, path, count)), flush=True)


def _run(s3: Any, stack: Stack, path: Path, count: int) -> Execution:
    bucket, data = stack.outputs["InputBucketName"], path.read_bytes()
    keys = [f"uploads/bench/{count}/{number:05d}.wav" for number in range(count)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=data), keys))
    job = {"tenant": "bench", "id": f"many-{count}"}
    document = {"job": job, "recordings": {"prefix": f"s3://{bucket}/uploads/bench/{count}/"}}
    execution = stack.run(document, timeout=3600)
    if execution.status != "SUCCEEDED":
        raise SystemExit(f"{execution.error}: {execution.cause}")
    return execution


def _line(count: int, execution: Execution) -> str:
    entered: dict[str, datetime] = {}
    for event in execution.history:
        if details := event.get("stateEnteredEventDetails"):
            entered[details["name"]] = event["timestamp"]
    times = [entered[name] for name in ("Plan", "ScoreRanges", "WriteReports", "Aggregate", "Done")]
    plan, score, report, aggregate = ((stop - start).total_seconds() for start, stop in pairwise(times))
    total = (times[-1] - times[0]).total_seconds()
    return (
        f"{count} recordings of {_SECONDS} s: {total:.1f} s, {1000 * total / count:.0f} ms a recording "
        f"(plan {plan:.1f}, score {score:.1f}, report {report:.1f}, aggregate {aggregate:.1f} s); "
        f"{len(execution.children)} workers scored, {len(execution.reports)} reported; "
        f"{execution.output['recordings']} recordings, {execution.output['failed']} failed"
    )


if __name__ == "__main__":
    main()
