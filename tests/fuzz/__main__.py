"""``make fuzz``: coverage-guided fuzzing of every parser that reads bytes of a stranger, with atheris.

    python -m tests.fuzz [--seconds 60] [--only TARGET]

The time is divided among the targets. Each runs in a process of its own, starts from valid files
(:mod:`tests.fuzz.seeds`) and from what earlier runs found (``.build/fuzz``). A line for each target says what was
found; a defect's input is kept in ``.build/fuzz/{target}-crashes``. Put it into ``tests/fuzz/crashes/{target}`` when it
is mended.

atheris has wheels for Linux on x86-64. Elsewhere ``tests/unit/test_fuzz.py`` tries random changes of the same files.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.seeds import kept_crashes, seeds
from tests.fuzz.targets import TARGETS, run

__all__ = ["Found", "fuzz"]

BUILD = Path(__file__).parents[2] / ".build" / "fuzz"
MOST_SECONDS = 15
"""A single input may take this long; a busy machine is slow."""
MOST_MEGABYTES = 1_500
"""Resident memory of the process, of which the libraries and the instrumentation take 200 to 400."""


@dataclass(frozen=True, slots=True)
class Found:
    """What fuzzing of one target found."""

    target: str
    runs: int
    covered: int
    new: int
    slowest: int
    megabytes: int
    defects: tuple[Path, ...]
    output: str


def main() -> int:
    """Fuzz the targets; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--only", choices=list(TARGETS))
    parser.add_argument("--in-this-process", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_this_process is not None:
        _fuzz_here(options.only, options.in_this_process)
    names = [name for name in TARGETS if options.only in {None, name}]
    print(f"{'target':<18}{'runs':>10}{'covered':>9}{'inputs':>8}{'slowest s':>11}{'MB':>6}  defects")
    defects = 0
    for name in names:
        found = fuzz(name, options.seconds / len(names))
        defects += len(found.defects)
        numbers = f"{found.runs:>10}{found.covered:>9}{found.new:>8}{found.slowest:>11}{found.megabytes:>6}"
        print(f"{name:<18}{numbers}  {', '.join(map(str, found.defects)) or 'none'}", flush=True)
        if found.defects:
            print(found.output[-3000:], flush=True)
    return int(defects > 0)


def fuzz(name: str, seconds: float) -> Found:
    """Fuzz a target in a process of its own."""
    corpus, crashes = BUILD / name, BUILD / f"{name}-crashes"
    for folder in (corpus, crashes):
        folder.mkdir(parents=True, exist_ok=True)
    for data in [*seeds(name), *(path.read_bytes() for path in kept_crashes(name))]:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    before = set(crashes.iterdir())
    command = [
        *(sys.executable, "-m", "tests.fuzz", "--only", name, "--in-this-process", str(corpus)),
        *(f"-max_total_time={max(1, round(seconds))}", f"-timeout={MOST_SECONDS}", f"-rss_limit_mb={MOST_MEGABYTES}"),
        *("-max_len=20000", "-print_final_stats=1", f"-artifact_prefix={crashes}/", "-seed=1"),
    ]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    output = done.stdout + done.stderr
    if done.returncode != 0 and not set(crashes.iterdir()) - before:
        raise RuntimeError(f"{name} could not be fuzzed:\n{output[-3000:]}")
    covered = re.findall(r"cov: (\d+)", output)
    return Found(
        target=name,
        runs=_statistic(output, "number_of_executed_units"),
        covered=int(covered[-1]) if covered else 0,
        new=_statistic(output, "new_units_added"),
        slowest=_statistic(output, "slowest_unit_time_sec"),
        megabytes=_statistic(output, "peak_rss_mb"),
        defects=tuple(sorted(set(crashes.iterdir()) - before)),
        output=f"{output}\n{time.monotonic() - began:.0f} s",
    )


def _statistic(output: str, name: str) -> int:
    found = re.search(rf"stat::{name}:\s+(\d+)", output)
    return int(found[1]) if found else 0


def _fuzz_here(name: str, arguments: list[str]) -> None:
    """Fuzz a target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["anemonefish", "python_multipart"]):
        for data in seeds(name):  # imports what the target imports
            run(name, data)
    atheris.Setup([sys.argv[0], *arguments], lambda data: run(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
