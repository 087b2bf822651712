"""Section ``scaling``: as many processes as cores, each scoring the same range with the lab's v2 on a core of its own.

One process per core and one thread per process is how the laptop and the workflow spread work; that they do not stand
in each other's way is what is measured. Rounds are short and many and go through every number of processes; the best of
each counts, because other work on a machine only ever takes away. The last row leaves out what other work took: by the
time that the processes had a core, n of them do n times as much unless they are in each other's way themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import monotonic, process_time

from bench.lab import MODELS, recording
from bench.measure import cores, pin, quiet_cores
from bench.pipeline import end_to_end
from bench.rows import Row, figure

__all__ = ["rows"]

_SECONDS = 8
_WANTED = 0.95


def rows(quick: bool) -> Iterator[Row]:
    """Yield how many times faster n processes are than one, for every n."""
    rounds, seconds = (2, _SECONDS) if quick else (15, _SECONDS)
    MODELS["v2"].ensure()
    best: dict[int, _Round] = {}
    with ExitStack() as stack:
        workers = {core: stack.enter_context(_worker(core, seconds)) for core in cores()}
        for _ in range(rounds):
            for count in range(1, len(workers) + 1):
                made = _together([workers[core] for core in quiet_cores()[:count]])
                best[count] = made if count not in best else best[count].better(made)
    unit = "× one process"
    for count, made in best.items():
        speedup = count * best[1].seconds / made.seconds
        what = f"v2, {count} of {len(best)} cores, {count * seconds / made.seconds:.1f} × real time"
        yield figure("scaling", what, speedup, unit, least=_WANTED * count if count > 1 else None)
    count, made = max(best.items())
    what = f"v2, {count} of {count} cores, by the time the processes had a core"
    yield figure("scaling", what, count * best[1].busy / made.busy, unit)


@dataclass(frozen=True, slots=True)
class _Round:
    """Seconds from the first start to the last end, and the mean of those that a process had its core."""

    seconds: float
    busy: float

    def better(self, other: _Round) -> _Round:
        return _Round(min(self.seconds, other.seconds), min(self.busy, other.busy))


def _together(workers: list[Connection]) -> _Round:
    """Let workers score at the same time."""
    for worker in workers:
        worker.send("score")
    times = [worker.recv() for worker in workers]
    began, ended, busy = zip(*times, strict=True)
    return _Round(max(ended) - min(began), sum(busy) / len(busy))


@contextmanager
def _worker(core: int, seconds: int) -> Iterator[Connection]:
    """Keep a process on a core with the model loaded; it scores when told to and answers with its times."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(core, seconds, theirs), daemon=True)
    process.start()
    try:
        ours.recv()  # it is ready
        yield ours
    finally:
        ours.send("end")
        process.join()


def _serve(core: int, seconds: int, orders: Connection) -> None:
    pin(core)
    model, path = MODELS["v2"].ready(), recording(seconds)
    orders.send("ready")
    while orders.recv() == "score":
        began, had = monotonic(), process_time()
        end_to_end(path, model)
        orders.send((began, monotonic(), process_time() - had))
