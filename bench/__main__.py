"""Measure all figures and print them in one table: ``make bench``.

    python -m bench                     all sections
    python -m bench --only pipeline     some sections
    python -m bench --quick             only tests that the sections run; the figures are not reliable
    python -m bench --record            also records the table in docs/benchmarks.md

Each section runs in a new process with one thread per library, pins itself to a core, and yields rows. Figures are not
asserted: a figure that misses its wanted value is marked, and the command exits with 0.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from bench.history import Machine, record
from bench.lab import FOLDER, REPOSITORY
from bench.rows import Row, missing, table

SECTIONS = ("pipeline", "engine", "cold", "folders", "scaling", "memory", "workflow", "planner", "peers")
"""Modules of this folder with a function ``rows(quick)``, in the order of the table."""

_ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "CUDA_VISIBLE_DEVICES": "",
}


def main() -> None:
    """Run the sections and print their rows."""
    options = _options()
    if options.section:
        _run_section(options.section, options.quick, options.json)
        return
    machine, rows = Machine.this(), list[Row]()
    for section in options.only:
        print(f"{section} ...", end=" ", file=sys.stderr, flush=True)
        began = time.perf_counter()
        rows += _run_in_process(section, options.quick)
        print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    markdown = table(rows)
    print(markdown)
    document = {
        "date": options.date,
        "machine": asdict(machine),
        "quick": options.quick,
        "rows": list(map(asdict, rows)),
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.record:
        record(REPOSITORY / "docs" / "benchmarks.md", options.date, machine, markdown)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION", help="%(choices)s")
    parser.add_argument("--quick", action="store_true", help="only test that sections run: little audio, few rounds")
    parser.add_argument("--json", type=Path, default=REPOSITORY / ".build" / "bench.json", help="file for the rows")
    parser.add_argument("--record", action="store_true", help="record the table in docs/benchmarks.md")
    parser.add_argument("--date", default=datetime.now(UTC).date().isoformat(), help="date of the record (today, UTC)")
    parser.add_argument("--section", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record and options.quick:
        parser.error("a quick run cannot be recorded: leave out --quick or --record")
    return options


def _run_section(section: str, quick: bool, path: Path) -> None:
    """Run one section in this process and write each row when it is measured."""
    with path.open("w", encoding="utf-8") as file:
        for row in import_module(f"bench.{section}").rows(quick):
            file.write(json.dumps(asdict(row)) + "\n")
            file.flush()


def _run_in_process(section: str, quick: bool) -> list[Row]:
    """Run one section in a new process. If it fails, return its rows so far and one with the reason."""
    log = FOLDER / f"{section}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, log.open("w+", encoding="utf-8", errors="replace") as output:
        path = Path(folder, "rows.jsonl")
        command = [sys.executable, "-m", "bench", "--section", section, "--json", str(path)]
        ended = subprocess.run(
            [*command, "--quick"] if quick else command,
            cwd=REPOSITORY, env={**os.environ, **_ONE_THREAD}, stdout=output, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        rows = [Row(**json.loads(line)) for line in lines]
        if ended.returncode:
            output.seek(0)
            reason = (output.read().strip().splitlines() or ["no output"])[-1]
            rows.append(missing(section, "ended early", reason))
    return rows


if __name__ == "__main__":
    main()
