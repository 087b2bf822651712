"""How anything is timed here: on one core, both sides in turn, the best of several rounds.

Absolute times are worth little on a machine that others use; ratios of two things done in turn, by the same process on
the same core, hold. The best round is the one that was disturbed least, and every round moves to the core that is
idlest then.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Timed", "cores", "in_turn", "pin", "quiet_cores", "timed"]

_WATCHED_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Timed:
    """The best time of a call, in seconds, and what the call answered."""

    seconds: float
    answer: Any


def timed(call: Callable[[], Any]) -> Timed:
    """Call once."""
    began = time.perf_counter()
    answer = call()
    return Timed(time.perf_counter() - began, answer)


def in_turn(*calls: Callable[[], Any], rounds: int) -> tuple[Timed, ...]:
    """Call each in turn on one core, so many times; return the best of each."""
    made = []
    for _ in range(rounds):
        pin()
        made.append([timed(call) for call in calls])
    return tuple(min(times, key=lambda one: one.seconds) for times in zip(*made, strict=True))


_CORES = tuple(sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
"""The cores this process was given."""


def cores() -> tuple[int, ...]:
    """Return the cores this process was given, whichever it stays on now."""
    return _CORES


def quiet_cores() -> list[int]:
    """Return the cores this process may use, the idlest first."""
    before = _idle()
    time.sleep(_WATCHED_SECONDS)
    after = _idle()
    return sorted(cores(), key=lambda core: before.get(core, 0) - after.get(core, 0))


def pin(core: int | None = None) -> None:
    """Keep every thread of this process on one core, the idlest unless one is given, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        return
    chosen = {quiet_cores()[0] if core is None else core}
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it ended just now
            os.sched_setaffinity(int(thread.name), chosen)


def _idle() -> dict[int, int]:
    """Return how long each core has been idle, in the system's ticks; nothing where it does not tell."""
    try:
        lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    except OSError:
        return {}
    return {int(line[0][3:]): int(line[4]) for line in lines if line[0][:3] == "cpu" and line[0][3:].isdigit()}
