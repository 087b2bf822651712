"""``make demo``: analyse a recording with the real workflow on the local AWS and print its events.

    python -m localstack.demo [RECORDING]

The steps are those of a user of an account: deploy, upload models and recording, start an execution, wait, fetch the
results. Without a recording, one minute of a reef is simulated; its labels lie beside it, and the demo says which of
its calls were found.
"""

from __future__ import annotations

import csv
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localstack.server import LocalAws
from localstack.stack import Execution, Stack

if TYPE_CHECKING:
    from anemonefish.front.simulated_recordings import SimulatedRecording
    from anemonefish.models.bundle import ModelSpec

__all__ = ["analyse", "comparison", "fetch", "next_steps", "upload_models"]

REPOSITORY = Path(__file__).parents[1]
BUILD = REPOSITORY / ".build"
MINISTACK = REPOSITORY / ".venv-ministack" / "bin" / "python"


def main() -> None:
    """Run the demo; print the events."""
    out = REPOSITORY / "demo"
    made = None if len(sys.argv) > 1 else _simulated(out / "reef.wav")
    recording = Path(sys.argv[1]) if made is None else made.path
    print("starting a local AWS and deploying template.yaml into it ...", flush=True)
    with LocalAws.start(BUILD, MINISTACK) as aws:
        stack = aws.deploy(REPOSITORY / "template.yaml", BUILD / "layers")
        print(f"analysing {recording} by an execution of the state machine ...", flush=True)
        execution = analyse(aws.client("s3"), stack, "demo", [recording])
        if execution.status != "SUCCEEDED":
            raise SystemExit(f"{execution.error}: {execution.cause}")
        print(f"{execution.status}: {' -> '.join(execution.states)}")
        fetch(aws.client("s3"), stack, execution.output["job"], out / "results")
    with (out / "results" / f"{recording.name}.events.csv").open(encoding="utf-8") as file:
        events = list(csv.DictReader(file))
    _print_events(events)
    spec = _model()
    if made is not None:
        print(*comparison(made, events, spec), sep="\n")
    print(f"{spec.title}: {spec.card.line}")
    print(*next_steps(recording, out / "results", made), sep="\n")


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


def comparison(made: SimulatedRecording, events: Sequence[Mapping[str, str]], spec: ModelSpec) -> Iterator[str]:
    """Yield which of the calls of a scene were found, by the rule of ``anemonefish evaluate``, and why others were not.

    Parameters
    ----------
    made : SimulatedRecording
    events : sequence of mapping
        The rows of ``NAME.events.csv``.
    spec : ModelSpec
        The model that found them, by its own settings.
    """
    from anemonefish.evaluation.by_recording import BOUT_SECONDS
    from anemonefish.evaluation.matching import Counts, MatchingRule, merge_intervals
    from anemonefish.results.lone_calls import lone_call_lines
    from anemonefish.settings import Settings
    from anemonefish.simulation.calls import ANEMONEFISH

    ticks, rate = 1_000_000, made.scene.sample_rate  # times in ticks of 1 / (rate * 1,000,000) s are whole numbers
    calls = [(each.start * ticks, each.stop * ticks) for each in made.scene.labels if each.label == ANEMONEFISH]
    found = [
        (round(Fraction(event["start_time"]) * ticks) * rate, round(Fraction(event["end_time"]) * ticks) * rate)
        for event in events
    ]
    bouts = merge_intervals(calls, BOUT_SECONDS * rate * ticks)
    lone = [bout for bout in bouts if bout in calls]
    of_calls, of_bouts, of_lone = (Counts.of(found, those, MatchingRule()) for those in (calls, bouts, lone))
    yield f"made:  {len(calls)} calls in {len(bouts)} bouts, {len(lone)} of which are a lone call"
    yield (
        f"found: {of_calls.labels_found} of {len(calls)} calls lie in an event, {of_bouts.labels_found} of "
        f"{len(bouts)} bouts, {of_lone.labels_found} of {len(lone)} lone calls; {len(found) - of_calls.events_right} "
        f"of {len(found)} events hold no call"
    )
    if of_lone.labels_found < len(lone):
        reasons = list(lone_call_lines(spec, Settings()))
        yield "why lone calls are lost:"
        yield from reasons or ["their scores are not above the threshold: they are faint, or other sounds hide them"]


def next_steps(recording: Path, results: Path, made: SimulatedRecording | None) -> Iterator[str]:
    """Yield where the files lie, and commands to paste."""
    wav, folder, found, laptop, activate = (
        shlex.quote(os.path.relpath(path))
        for path in (
            recording,
            results,
            results / f"{recording.name}.selections.txt",
            results.with_name("laptop"),
            REPOSITORY / ".venv" / "bin" / "activate",
        )
    )
    yield f"\nresults: {folder}"
    if made is None:
        yield f"open {wav} in Raven, and the selection table {found}"
    else:
        labels = shlex.quote(os.path.relpath(made.raven_path))
        yield f"labels:  {labels}"
        yield f"open {wav} in Raven, and both selection tables: {found} (found), {labels} (made)"
    yield "\nnext:"
    yield f"  source {activate}"
    if made is not None:
        yield f"  anemonefish evaluate {folder} {labels}"
    yield f"  anemonefish detect {wav} --out {laptop} --clips"
    yield "  anemonefish models show reef"


def _model() -> ModelSpec:
    """Return the model of the demo."""
    from anemonefish.models.repository import ModelRepository
    from anemonefish.stores import open_store

    models = ModelRepository(open_store(str(REPOSITORY / "models")))
    return models.spec(models.pin("reef@production"))


def _simulated(path: Path) -> SimulatedRecording:
    """Simulate one minute of a reef with calls; its labels go beside it."""
    import anemonefish as af

    path.parent.mkdir(parents=True, exist_ok=True)
    made = af.simulate(path, seconds=60, seed=1)
    print(f"simulated {made}")
    return made


def _print_events(events: Sequence[Mapping[str, str]]) -> None:
    calls = sum(int(event["calls"]) for event in events)
    print(f"\n{len(events)} events with {calls} calls; an event joins calls that follow each other closely")
    print(f"{'start s':>10} {'end s':>10} {'mean score':>11} {'calls':>6} {'level dB':>9} {'peak Hz':>8}  class")
    for event in events:
        print(
            f"{float(event['start_time']):10.3f} {float(event['end_time']):10.3f} "
            f"{float(event['mean_confidence']):11.3f} {event['calls']:>6} {event['level_db']:>9} "
            f"{event['peak_hz']:>8}  {event['class']}"
        )
    print()


if __name__ == "__main__":
    main()
