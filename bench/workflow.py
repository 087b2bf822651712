"""Section ``workflow``: the overhead of one more range, on the local AWS.

The real state machine analyses the same recording with few and with many ranges. Both executions score the same
windows, so the difference is the overhead of the additional ranges: a child of the Map, a function call, headers, a
part. The overhead is compared with the computing time of a range in a job of an account.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from bench.lab import MODELS, recording
from bench.measure import in_turn
from bench.pipeline import end_to_end
from bench.rows import Row, compared, figure, missing
from bench.stack import deployed, lacking

__all__ = ["rows"]

_SECONDS = 600
_FEW, _MANY = 4, 96
_ACCOUNT_RANGE = 86_400 / 1_000
"""Seconds of audio per range when a day is split among a thousand workers."""


def rows(quick: bool) -> Iterator[Row]:
    """Yield wall times, and the overhead of a range compared with its computing time."""
    if reason := lacking():
        yield missing("workflow", "the local AWS lacks", reason)
        return
    path, model = recording(_SECONDS), MODELS["reef"].reference
    times: dict[int, list[float]] = {_FEW: [], _MANY: []}
    workers: dict[int, int] = {}
    with deployed() as stack:
        for turn in range(2 if quick else 6):
            for cut, taken in times.items():
                run = stack.run(path, model, max_range_seconds=_SECONDS / cut, target_seconds=86_400)
                workers[cut] = run.workers
                if turn:  # the first execution starts the functions
                    taken.append(run.map_seconds)
    few, many = (min(times[cut]) for cut in (_FEW, _MANY))
    overhead = (many - few) / (workers[_MANY] - workers[_FEW])
    yield figure("workflow", f"the Map with {workers[_FEW]} ranges of 10 minutes of audio, reef", few, "s")
    yield figure("workflow", f"the Map with {workers[_MANY]} ranges of the same", many, "s")
    at_once = os.cpu_count() or 1
    computing = _computing(10 if quick else 20)
    what = f"one more range, {at_once} workers at once; against computing {_ACCOUNT_RANGE:g} s of audio by v2"
    yield compared("workflow", what, 1000 * overhead, 1000 * computing, "ms")


def _computing(seconds: int) -> float:
    """Return the seconds in which one core scores a range of an account's job with the lab's v2."""
    path, model = recording(seconds), MODELS["v2"].ready()
    (ours,) = in_turn(lambda: end_to_end(path, model), rounds=3)
    return ours.seconds * _ACCOUNT_RANGE / seconds
