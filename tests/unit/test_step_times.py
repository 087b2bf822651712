"""The total time of steps that take turns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from anemonefish import step_times
from anemonefish.step_times import measure_steps, step


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(step_times.time, "perf_counter", lambda: now[0])
    return now


def test_steps_that_take_turns_are_added_up(clock: list[float]) -> None:
    with measure_steps() as times:
        for _ in range(3):
            with step("decode"):
                clock[0] += 1
                with step("fetch"):
                    clock[0] += 4
                clock[0] += 1
            clock[0] += 100  # no step
            with step("infer"):
                clock[0] += 8
    assert times.seconds == {"decode": 6.0, "fetch": 12.0, "infer": 24.0}


def test_step_that_fails_is_counted_and_ends(clock: list[float]) -> None:
    def fails() -> None:
        with step("decode"):
            clock[0] += 2
            raise KeyError

    with measure_steps() as times:
        with pytest.raises(KeyError):
            fails()
        clock[0] += 5
    assert times.seconds == {"decode": 2.0}


def test_steps_of_other_threads_and_without_a_measurement_are_not_counted() -> None:
    with step("decode"):
        pass

    def elsewhere() -> None:
        with step("decode"):
            pass

    with measure_steps() as times, ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, elsewhere).result()
    assert times.seconds == {}
