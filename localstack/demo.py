"""``make demo``: analyse a recording with the real workflow on the local AWS and print its events.

    python -m localstack.demo [RECORDING]

The steps are those of a user of an account: deploy, upload models and recording, start an execution, wait, fetch the
results. Without a recording, one minute of a reef is simulated.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

from localstack.server import LocalAws
from localstack.stack import Execution, Stack

__all__ = ["analyse", "fetch", "upload_models"]

REPOSITORY = Path(__file__).parents[1]
BUILD = REPOSITORY / ".build"
MINISTACK = REPOSITORY / ".venv-ministack" / "bin" / "python"


def main() -> None:
    """Run the demo; print the events."""
    out = REPOSITORY / "demo"
    recording = Path(sys.argv[1]) if len(sys.argv) > 1 else _simulated(out / "reef.wav")
    print("starting a local AWS and deploying template.yaml into it ...", flush=True)
    with LocalAws.start(BUILD, MINISTACK) as aws:
        stack = aws.deploy(REPOSITORY / "template.yaml", BUILD / "layers")
        print(f"analysing {recording} by an execution of the state machine ...", flush=True)
        execution = analyse(aws.client("s3"), stack, "demo", [recording])
        if execution.status != "SUCCEEDED":
            raise SystemExit(f"{execution.error}: {execution.cause}")
        print(f"{execution.status}: {' -> '.join(execution.states)}")
        fetch(aws.client("s3"), stack, execution.output["job"], out / "results")
    _print_events(out / "results" / f"{recording.name}.events.csv")
    print(f"results: {out / 'results'}")


def upload_models(s3: Any, stack: Stack, folder: Path) -> None:
    """Upload every bundle below ``folder`` to the models bucket."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            s3.upload_file(str(file), stack.outputs["ModelsBucketName"], file.relative_to(folder).as_posix())


def analyse(s3: Any, stack: Stack, job: str, recordings: list[Path], timeout: float = 900.0, **more: Any) -> Execution:
    """Upload recordings and run an execution on them; ``more`` is added to its input (model, settings)."""
    entries = []
    for number, recording in enumerate(recordings):
        key = f"uploads/local/{job}/{number}/{recording.name}"
        s3.upload_file(str(recording), stack.outputs["InputBucketName"], key)
        uri = f"s3://{stack.outputs['InputBucketName']}/{key}"
        # Selection tables name the original path, not the uploaded copy.
        entries.append({"uri": uri, "name": recording.name, "path": str(recording.resolve())})
    document = {"job": {"tenant": "local", "id": job}, "recordings": entries, "model": "reef@production", **more}
    return stack.run(document, timeout=timeout)


def fetch(s3: Any, stack: Stack, job: str, folder: Path) -> list[Path]:
    """Download the results of a job to a folder; return their paths."""
    bucket, prefix = stack.outputs["OutputBucketName"], f"{job}/results/"
    fetched = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            target = folder / entry["Key"].removeprefix(prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, entry["Key"], str(target))
            fetched.append(target)
    return fetched


def _simulated(path: Path) -> Path:
    """Simulate one minute of a reef with calls."""
    from anemonefish.simulation.scene import scene, write_scene

    path.parent.mkdir(parents=True, exist_ok=True)
    made = scene(60, seed=1)
    write_scene(made, path)
    calls = sum(label.label == "anemonefish" for label in made.labels)
    print(f"simulated {path}: 60 s of a reef with {calls} anemonefish calls among other sounds")
    return path


def _print_events(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        events = list(csv.DictReader(file))
    calls = sum(int(event["calls"]) for event in events)
    print(f"\n{len(events)} events with {calls} calls; an event joins calls that follow each other closely")
    print(f"{'start s':>10} {'end s':>10} {'mean score':>11} {'calls':>6} {'level dB':>9} {'peak Hz':>8}  class")
    for event in events:
        print(
            f"{float(event['start_time']):10.3f} {float(event['end_time']):10.3f} "
            f"{float(event['mean_confidence']):11.3f} {event['calls']:>6} {event['level_db']:>9} "
            f"{event['peak_hz']:>8}  {event['class']}"
        )


if __name__ == "__main__":
    main()
