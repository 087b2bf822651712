"""How long the steps of a block of code took in total, for traces.

The steps of a worker take turns, block by block of a recording: fetch, decode, resample, spectrogram, infer, store.
:func:`step` marks them where they happen, and :func:`measure_steps` adds up their times. A step inside another one,
such as fetching while decoding, counts as itself only. Where nobody measures, :func:`step` does nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["StepTimes", "measure_steps", "step"]


class StepTimes:
    """The total time of each step.

    Attributes
    ----------
    seconds : dict of str to float
        By the name of the step, in the order in which they began.
    thread : int
        The thread whose steps are measured.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.thread = threading.get_ident()
        self._open: list[str] = []
        self._since = 0.0

    def begin(self, name: str) -> None:
        """Begin a step; the one that it interrupts stops counting."""
        self._count()
        self.seconds.setdefault(name, 0.0)
        self._open.append(name)

    def end(self) -> None:
        """End the last step that began."""
        self._count()
        self._open.pop()

    def _count(self) -> None:
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


_current: ContextVar[StepTimes | None] = ContextVar("step_times", default=None)


@contextmanager
def measure_steps() -> Iterator[StepTimes]:
    """Measure the steps of this thread inside the ``with`` block."""
    times = StepTimes()
    token = _current.set(times)
    try:
        yield times
    finally:
        _current.reset(token)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Count the ``with`` block as a step."""
    times = _current.get()
    if times is None or times.thread != threading.get_ident():  # a thread may have got a copy of the context
        yield
        return
    times.begin(name)
    try:
        yield
    finally:
        times.end()
