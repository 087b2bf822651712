"""Section ``scaling``: several processes score the same range with the lab's v2, each on its own core.

The laptop and the workflow run one process per core with one thread each. This section measures whether the processes
slow each other down. Each short round runs every number of processes, and the best round of each counts, because other
work on the machine can only make a round slower.

A core of a rented machine may be shared: two of them may temporarily run on one physical core. So each round has a
control with the same number of processes, which multiply registers and share nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic, process_time

from bench.lab import MODELS, recording
from bench.measure import cores, pin, quiet_cores
from bench.peak import compile_loops, run_loop
from bench.pipeline import end_to_end
from bench.rows import Row, figure, missing

__all__ = ["rows"]

_SECONDS = 8
_LOOPS = 5
_WANTED = 0.95
_UNIT = "× one process"


def rows(quick: bool) -> Iterator[Row]:
    """Yield the speed of n processes relative to one, for every n, and the control."""
    MODELS["v2"].ensure()
    with tempfile.TemporaryDirectory() as folder:
        loops = compile_loops(Path(folder))
        loop = loops[max(loops)] if loops else None
        scoring, control = _best_rounds(2 if quick else 25, loop)
    most = len(scoring)
    for count, made in scoring.items():
        what = f"v2, {count} of {most} cores, {count * _SECONDS / made.seconds:.1f} × real time"
        least = _WANTED * count if count > 1 else None
        yield figure("scaling", what, scoring[1].times(made, count), _UNIT, least=least)
    what = f"v2, {most} of {most} cores, by the time the processes had a core"
    yield figure("scaling", what, most * scoring[1].busy / scoring[most].busy, _UNIT)
    what = f"control: a loop of multiply-adds in registers, {most} of {most} cores"
    if loop is None:
        yield missing(
            "scaling", what, "there is no C compiler, or the processor has no fused multiply-adds", wanted=False
        )
    else:
        yield figure("scaling", what, control[1].times(control[most], most), _UNIT)


@dataclass(frozen=True, slots=True)
class _Round:
    """Seconds from the first start to the last end, and mean CPU time of a process."""

    seconds: float
    busy: float

    def better(self, other: _Round | None) -> _Round:
        if other is None:
            return self
        return _Round(min(self.seconds, other.seconds), min(self.busy, other.busy))

    def times(self, other: _Round, count: int) -> float:
        """Return the speed of another round with ``count`` processes, relative to this round with one."""
        return count * self.seconds / other.seconds


def _best_rounds(rounds: int, loop: Path | None) -> tuple[dict[int, _Round], dict[int, _Round]]:
    """Return the best rounds by number of processes, for scoring and, if it can run, for the control."""
    scoring: dict[int, _Round] = {}
    control: dict[int, _Round] = {}
    with ExitStack() as stack:
        workers = {core: stack.enter_context(_worker(core, loop)) for core in cores()}
        for _ in range(rounds):
            for count in range(1, len(workers) + 1):
                chosen = [workers[core] for core in quiet_cores()[:count]]
                scoring[count] = _together(chosen, "score").better(scoring.get(count))
                if loop is not None:
                    control[count] = _together(chosen, "multiply").better(control.get(count))
    return scoring, control


def _together(workers: list[Connection], command: str) -> _Round:
    """Let all workers run the same command at the same time."""
    for worker in workers:
        worker.send(command)
    times = [worker.recv() for worker in workers]
    started, ended, busy = zip(*times, strict=True)
    return _Round(max(ended) - min(started), sum(busy) / len(busy))


@contextmanager
def _worker(core: int, loop: Path | None) -> Iterator[Connection]:
    """Start a process on a core with the model loaded. It runs commands and answers with their times."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(core, loop, theirs), daemon=True)
    process.start()
    try:
        ours.recv()  # it is ready
        yield ours
    finally:
        ours.send("end")
        process.join()


def _serve(core: int, loop: Path | None, connection: Connection) -> None:
    pin(core)
    model, path = MODELS["v2"].ready(), recording(_SECONDS)
    connection.send("ready")
    while (command := connection.recv()) != "end":
        started, cpu_before = monotonic(), process_time()
        if command == "score":
            end_to_end(path, model)
        elif loop is not None:
            for _ in range(_LOOPS):
                run_loop(loop)
        connection.send((started, monotonic(), process_time() - cpu_before))
