"""Section ``scaling``: as many processes as cores, each scoring the same range with the lab's v2 on a core of its own.

One process per core and one thread per process is how the laptop and the workflow spread work; that they do not stand
in each other's way is what is measured. Rounds are short and many and go through every number of processes; the best of
each counts, because other work on a machine only ever takes away.

What a machine calls a core may be less: a rented one may put two of them onto one real core, for a while and untold.
So the same rounds have a control, as many processes that multiply registers and share nothing at all.
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
    """Yield how many times faster n processes are than one, for every n, and the control."""
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
    """Seconds from the first start to the last end, and the mean of those that a process had its core."""

    seconds: float
    busy: float

    def better(self, other: _Round | None) -> _Round:
        if other is None:
            return self
        return _Round(min(self.seconds, other.seconds), min(self.busy, other.busy))

    def times(self, other: _Round, count: int) -> float:
        """Return how many times the work of this round was done per second in one of ``count`` processes."""
        return count * self.seconds / other.seconds


def _best_rounds(rounds: int, loop: Path | None) -> tuple[dict[int, _Round], dict[int, _Round]]:
    """Return the best rounds by the number of processes: of scoring, and of the control where it can run."""
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


def _together(workers: list[Connection], order: str) -> _Round:
    """Let workers do the same at the same time."""
    for worker in workers:
        worker.send(order)
    times = [worker.recv() for worker in workers]
    began, ended, busy = zip(*times, strict=True)
    return _Round(max(ended) - min(began), sum(busy) / len(busy))


@contextmanager
def _worker(core: int, loop: Path | None) -> Iterator[Connection]:
    """Keep a process on a core with the model loaded; it does what it is told to and answers with its times."""
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


def _serve(core: int, loop: Path | None, orders: Connection) -> None:
    pin(core)
    model, path = MODELS["v2"].ready(), recording(_SECONDS)
    orders.send("ready")
    while (order := orders.recv()) != "end":
        began, had = monotonic(), process_time()
        if order == "score":
            end_to_end(path, model)
        elif loop is not None:
            for _ in range(_LOOPS):
                run_loop(loop)
        orders.send((began, monotonic(), process_time() - had))
