"""Timing: two sides run alternately on one core, and the best of several rounds counts.

On a shared machine absolute times are not reliable. The ratio of two things that run alternately, in the same process
on the same core, is. The best round is the one that other work disturbed least. Each round runs on the core that is
idlest at that time.
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
    """The time of a call in seconds, and its return value."""

    seconds: float
    answer: Any


def timed(call: Callable[[], Any]) -> Timed:
    """Call a function once and measure its time."""
    began = time.perf_counter()
    answer = call()
    return Timed(time.perf_counter() - began, answer)


def in_turn(*calls: Callable[[], Any], rounds: int) -> tuple[Timed, ...]:
    """Call the functions alternately on one core, for several rounds; return the best time of each."""
    made = []
    for _ in range(rounds):
        pin()
        made.append([timed(call) for call in calls])
    return tuple(min(times, key=lambda one: one.seconds) for times in zip(*made, strict=True))


_CORES = tuple(sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
"""The cores that this process may use."""


def cores() -> tuple[int, ...]:
    """Return the cores that this process may use, independently of the core to which it is pinned now."""
    return _CORES


def quiet_cores() -> list[int]:
    """Return the cores that this process may use, the idlest core first."""
    before = _idle()
    time.sleep(_WATCHED_SECONDS)
    after = _idle()
    return sorted(cores(), key=lambda core: before.get(core, 0) - after.get(core, 0))


def pin(core: int | None = None) -> None:
    """Pin all threads of this process to a core, by default the idlest one, if the system supports it."""
    if not hasattr(os, "sched_setaffinity"):
        return
    chosen = {quiet_cores()[0] if core is None else core}
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # the thread has just ended
            os.sched_setaffinity(int(thread.name), chosen)


def _idle() -> dict[int, int]:
    """Return how long each core has been idle, in system ticks; empty if the system does not report it."""
    try:
        lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
    except OSError:
        return {}
    return {int(line[0][3:]): int(line[4]) for line in lines if line[0][:3] == "cpu" and line[0][3:].isdigit()}
