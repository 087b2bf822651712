"""Signals while worker processes start."""

from __future__ import annotations

import signal

import pytest

from anemonefish.interrupts import Stopped, starting_workers, stoppable


def start_under(number: int, steps: list[str]) -> None:
    """Receive a signal in the middle of a start."""
    with starting_workers():
        signal.raise_signal(number)
        steps.append("started")
    steps.append("went on")


def test_signal_during_a_start_is_handled_behind_it() -> None:
    steps: list[str] = []
    with stoppable(), pytest.raises(Stopped):
        start_under(signal.SIGTERM, steps)
    assert steps == ["started"]


def test_ctrl_c_of_a_notebook_during_a_start_is_handled_behind_it() -> None:
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        start_under(signal.SIGINT, steps)
    assert steps == ["started"]


def test_handlers_are_the_same_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT)
    with starting_workers():
        pass
    assert signal.getsignal(signal.SIGINT) is before
