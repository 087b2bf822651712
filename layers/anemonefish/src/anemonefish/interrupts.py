"""Ctrl-C, SIGTERM and SIGHUP: a command that is stopped ends its workers, removes temporary files and exits.

In a command the first signal raises :class:`Stopped`, so that every ``with`` and ``finally`` is completed. The second
signal kills the workers, and the third ends the process at once. A worker ignores Ctrl-C, which a terminal sends to it
too, and ends when its command has ended for any reason. :func:`command_line` returns the command that was typed.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

__all__ = ["Stopped", "as_worker", "command_line", "end_at_once", "end_workers", "starting_workers", "stoppable"]

_SIGNALS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}
_OF_TERMINALS = _SIGNALS - {signal.SIGTERM}
_PATIENCE_SECONDS = 5.0

_PLAIN = re.compile(r"[\x20-\x7e\u00a1-\ud7ff\ue000-\U0010ffff]*")


class Stopped(KeyboardInterrupt):
    """A signal asks the command to end.

    Attributes
    ----------
    signal : int
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number

    @property
    def exit_code(self) -> int:
        """The exit code of a process that a signal ended: 128 plus the number of the signal."""
        return 128 + self.signal

    def ignore_others(self) -> None:
        """Ignore further signals, because the command is about to end."""
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def end_at_once() -> None:
    """Let signals end this process without a message until :func:`stoppable`, because nothing has been done yet."""
    for number in _SIGNALS:
        if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, lambda received, _: os._exit(128 + received))


@contextmanager
def stoppable() -> Iterator[None]:
    """Let signals raise :class:`Stopped` in this block, and end its workers.

    Signals that are ignored, as by ``nohup``, stay ignored. Outside the main thread nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    handled = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    received: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) == 1:
            raise Stopped(number)
        end_workers()
        if len(received) > 2:
            os._exit(128 + received[0])

    try:
        for number in handled:
            signal.signal(number, stop)
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number] or signal.SIG_DFL)


def end_workers() -> None:
    """Kill the worker processes of this process; unfinished files have temporary names."""
    if "multiprocessing" not in sys.modules:  # it is loaded with the first worker
        return
    from multiprocessing import active_children

    children = active_children()
    for child in children:
        child.kill()
    for child in children:
        child.join(_PATIENCE_SECONDS)


@contextmanager
def starting_workers() -> Iterator[None]:
    """Start worker processes in this block; they block Ctrl-C and SIGHUP until :func:`as_worker` has run.

    A terminal sends both to every process of a command, also to those that are still starting. The workers do not run
    the file of the program again, so a script may call the library without ``if __name__ == "__main__"``.
    """
    with _without_program_file(), _deferred_signals():
        if not hasattr(signal, "pthread_sigmask"):  # Windows
            yield
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_TERMINALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _deferred_signals() -> Iterator[None]:
    """Handle signals that arrive in this block behind it.

    Blocking them is not enough: another thread may receive one, and Python then runs its handler in the main thread,
    in the middle of a start. The half-started worker would print a traceback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: handler for number in _SIGNALS if callable(handler := signal.getsignal(number))}
    received: list[int] = []
    for number in handlers:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in received:
            signal.raise_signal(number)


@contextmanager
def _without_program_file() -> Iterator[None]:
    """Hide the file of ``__main__``, which multiprocessing would import in every process that it spawns."""
    program: dict[str, Any] = vars(sys.modules["__main__"])
    before: dict[str, Any] = {name: program[name] for name in ("__file__", "__spec__") if name in program}
    program.pop("__file__", None)
    program["__spec__"] = None
    try:
        yield
    finally:
        program.pop("__spec__", None)
        program.update(before)


def as_worker() -> None:
    """Prepare a worker process: it ignores Ctrl-C, which its command handles, and ends with its command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OF_TERMINALS)
    from multiprocessing import parent_process

    if (parent := parent_process()) is not None:

        def watch() -> None:
            with suppress(OSError):
                parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def command_line(arguments: Sequence[str] | None = None) -> str:
    """Return the running command as a line to paste into a shell.

    Parameters
    ----------
    arguments : sequence of str, optional
        ``sys.argv`` unless given.
    """
    program, *options = sys.argv if arguments is None else arguments
    words = [sys.executable, "-m", "anemonefish"] if program.endswith("__main__.py") else [program]
    return " ".join(_quoted(word) for word in [*words, *options])


def _quoted(word: str) -> str:
    """Quote a word; control characters and bytes that are not text are written as in bash, zsh and ksh."""
    if _PLAIN.fullmatch(word):
        return shlex.quote(word)
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}" for byte in os.fsencode(word))
    return f"$'{''.join(plain)}'"
