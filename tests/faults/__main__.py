"""``make test-faults``: run jobs on the local AWS while everything around them fails, and print what became of them.

    python -m tests.faults [--seed 1] [--seconds 900] [--least 1000] [--only SCENARIO] [--case NUMBER]

Cases run one after the other until the time is over and at least so many faults were injected, or until Ctrl-C. The
program ends with 1 if a job was lost. A seed and a number repeat a case.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import soundfile

from anemonefish.simulation.scene import scene, write_scene
from tests.faults.cases import SCENARIOS, Case, Outcome, Recordings, run_case
from tests.faults.service import Service

__all__ = ["prepare", "table"]

BUILD = Path(__file__).parents[2] / ".build" / "faults"


def main() -> int:
    """Run the cases; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--least", type=int, default=1000)
    parser.add_argument("--only", choices=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--case", type=int)
    parser.add_argument("--verbose", action="store_true", help="a line for each job")
    options = parser.parse_args()
    numbers: Sequence[int] | Iterator[int] = count() if options.case is None else [options.case]
    scenarios = [scenario for scenario in SCENARIOS if options.only in {None, scenario.name}]
    outcomes: list[Outcome] = []
    began = time.monotonic()
    with suppress(KeyboardInterrupt), Service.start(BUILD) as service:
        recordings = prepare(service, BUILD / "recordings")
        began = time.monotonic()
        for number in numbers:
            injected = sum(len(outcome.injected) for outcome in outcomes)
            if time.monotonic() - began > options.seconds and injected >= options.least:
                break
            case = Case(options.seed, number, scenarios[number % len(scenarios)])
            outcome = run_case(service, case, recordings[case.scenario.recordings])
            outcomes.append(outcome)
            if options.verbose:
                typed = f", failed: {outcome.typed} {outcome.message[:150]}" if outcome.typed else ""
                injected = f"{len(outcome.injected)} faults"
                print(f"case {number} {case.scenario.name}: {injected}{typed}, {outcome.seconds:.1f} s", flush=True)
            if outcome.lost:
                print(f"LOST case {number} {case.scenario.name}: {outcome.lost}", flush=True)
    print(table(outcomes))
    print(f"{len(outcomes)} jobs in {time.monotonic() - began:.0f} s, seed {options.seed}")
    return int(any(outcome.lost for outcome in outcomes))


def prepare(service: Service, folder: Path) -> dict[str, Recordings]:
    """Upload the recordings, and run an undisturbed job on each selection."""
    folder.mkdir(parents=True, exist_ok=True)
    write_scene(scene(4, seed=1), folder / "a.wav")
    samples, rate = soundfile.read(folder / "a.wav", dtype="float32")
    soundfile.write(folder / "b.ogg", samples[: 3 * rate], rate)
    first, second = service.upload(folder / "a.wav"), service.upload(folder / "b.ogg")
    selections = {"one": (first,), "two": (first, second)}
    return {name: _undisturbed(service, name, uploads) for name, uploads in selections.items()}


def _undisturbed(service: Service, name: str, uploads: tuple[str, ...]) -> Recordings:
    settings: dict[str, object] = {"max_range_seconds": 1}
    execution = service.begin(f"undisturbed-{name}", uploads, settings)
    while (event := service.event(execution, 1)) is None:
        time.sleep(0.05)
    assert service.deliver(event)
    ended = service.look(execution)
    assert ended.status == "SUCCEEDED", ended
    return Recordings(uploads, settings, service.files(execution))


def table(outcomes: Sequence[Outcome]) -> str:
    """Return one line for each fault: how often it was injected, and what became of the jobs that it befell."""
    columns: dict[str, Counter[str]] = {
        name: Counter() for name in ("injected", "survived", "failed typed", "resumed", "same bytes", "lost")
    }
    for outcome in outcomes:
        for fault in outcome.injected:
            columns["injected"][fault] += 1
            columns["survived"][fault] += outcome.survived
            columns["failed typed"][fault] += outcome.typed is not None
            columns["resumed"][fault] += outcome.resumed
            columns["same bytes"][fault] += outcome.survived or outcome.resumed
            columns["lost"][fault] += outcome.lost is not None
    lines = [f"{'fault':<46}" + "".join(f"{name:>14}" for name in columns)]
    lines += [
        f"{fault:<46}" + "".join(f"{column[fault]:>14}" for column in columns.values())
        for fault in sorted(columns["injected"])
    ]
    lines.append(f"{'all':<46}" + "".join(f"{column.total():>14}" for column in columns.values()))
    reasons = Counter(outcome.typed for outcome in outcomes if outcome.typed)
    lines.append(
        "typed reasons: " + (", ".join(f"{name} {number}" for name, number in reasons.most_common()) or "none")
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
