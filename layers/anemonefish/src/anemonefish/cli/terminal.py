"""What the commands share: consoles, errors as one line, a progress bar, settings from ``NAME=VALUE``.

Owns how an error looks on a terminal and how a setting is typed. Knows no command.
"""

from __future__ import annotations

import importlib.util
import io
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from anemonefish.errors import AnemonefishError, Failure, InvalidRequest, InvalidSettings, RemoteError
from anemonefish.front.model_location import MODEL_VARIABLE, MODELS_VARIABLE, default_models
from anemonefish.interrupts import Stopped, end_workers, stoppable
from anemonefish.jobs.request import DEFAULT_MODEL
from anemonefish.notes import Note

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = [
    "ERR",
    "OUT",
    "Commands",
    "LazyCommand",
    "assigned",
    "complain",
    "model_option",
    "models_option",
    "progress_bar",
    "reason_of",
    "require",
    "set_option",
    "show_notes",
    "show_quote",
    "typed_models",
    "typed_options",
    "without_greetings",
]

_SHOWN_NOTES = 5


class _LazyConsole:
    """A console that loads rich when something is printed; ``--help`` prints without it."""

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr

    @cached_property
    def console(self) -> Console:
        """The console of rich."""
        from rich.console import Console

        return Console(stderr=self._stderr)

    @property
    def is_terminal(self) -> bool:
        """Whether a person may look at what is printed."""
        return self.console.is_terminal

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as :meth:`rich.console.Console.print` does."""
        self.console.print(*objects, **options)

    def print_json(self, text: str) -> None:
        """Print JSON as :meth:`rich.console.Console.print_json` does."""
        self.console.print_json(text)


OUT = _LazyConsole()
ERR = _LazyConsole(stderr=True)

_SERVER_ERROR = 500

set_option = click.option(
    "--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Any setting of docs/settings.md; repeatable."
)


model_option = click.option(
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    envvar=MODEL_VARIABLE,
    help="NAME, NAME@ALIAS or NAME@VERSION.",
)
models_option = click.option(
    "--models",
    "models_uri",
    default=default_models,
    show_default="./models, or the models that ship",
    envvar=MODELS_VARIABLE,
    help="Folder or s3://bucket of the model bundles.",
)


def typed_options() -> list[str]:
    """Return the model and the settings of the running command as they were typed, for a command to enter next."""
    typed = click.get_current_context().params
    named = {name: typed.get(name) for name in ("model", "threshold", "formats")}
    words = [["--" + name, str(value)] for name, value in named.items() if value not in {None, DEFAULT_MODEL}]
    words += [["--set", str(assignment)] for assignment in typed.get("assignments", ())]
    return [shlex.join(pair) for pair in words]


def typed_models() -> list[str]:
    """Return ``--models`` of the running command as it was typed, for a command to enter next, or nothing."""
    context = click.get_current_context()
    if context.get_parameter_source("models_uri") is not ParameterSource.COMMANDLINE:
        return []
    return [shlex.join(["--models", str(context.params["models_uri"])])]


class LazyCommand(click.Command):
    """A command in a module that is imported when the command runs, so that the list of commands needs only its name.

    Parameters
    ----------
    module : str
        Full name of the module.
    name : str
        Of the command, and of the module's attribute that holds it (with ``_`` for ``-``).
    text : str
        The first line of the command's help, for the list of commands.
    """

    def __init__(self, module: str, name: str, text: str) -> None:
        super().__init__(name, help=text)
        self._module = module

    def load(self) -> click.Command:
        """Import the module and return the command itself."""
        command: click.Command = getattr(import_module(self._module), str(self.name).replace("-", "_"))
        return command


class Commands(click.Group):
    """Commands whose errors of the tree end as one line and exit code 1, and signals with 128 and their number."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that ``args`` name, and import its module if it is a :class:`LazyCommand`."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest

    def invoke(self, context: click.Context) -> Any:
        """Run a command."""
        if context.parent is not None:
            return self._run(context)
        for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show ends no command
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            with stoppable():
                return self._run(context)
        except Stopped as stop:
            stop.ignore_others()
            end_workers()
            ERR.print(f"stopped by {signal.Signals(stop.signal).name}", highlight=False)
            context.exit(stop.exit_code)

    def _run(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except AnemonefishError as error:
            complain(reason_of(error))
            context.exit(1)


def reason_of(error: AnemonefishError) -> Failure:
    """Describe an error: one of an API by the API's name, and one that is the API's fault with the request it was."""
    if not isinstance(error, RemoteError):
        return Failure.of(error)
    theirs = error.request_id is not None and error.http_status >= _SERVER_ERROR
    return Failure(error.name, f"{error} (request_id {error.request_id})" if theirs else str(error))


def complain(failure: Failure) -> None:
    """Print an error's name and words to standard error."""
    ERR.print(failure.error, style="bold red", markup=False, highlight=False, end="")
    ERR.print(f": {failure.message}", markup=False, highlight=False, soft_wrap=True)


def assigned(assignments: Sequence[str]) -> dict[str, str]:
    """Read ``NAME=VALUE``; the value is text until the type of its setting says otherwise.

    Raises
    ------
    InvalidSettings
        There is no ``=``, or no name before it.
    """
    values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise InvalidSettings(f"{assignment!r} is not a setting; write NAME=VALUE")
        values[name.strip()] = text
    return values


def require(module: str, extra: str, what: str) -> None:
    """Raise :class:`InvalidRequest` where a library is not installed, before any work is done that needs it.

    Parameters
    ----------
    module : str
        What is imported.
    extra : str
        The extra of our package that brings it.
    what : str
        What needs it, as the user typed it.
    """
    library = module.partition(".")[0]
    if importlib.util.find_spec(library) is None or importlib.util.find_spec(module) is None:
        raise InvalidRequest(
            f"{what} needs {library}, which is not installed; install it with pip install 'anemonefish[{extra}]'"
        )


_GREETINGS = r"""
import re, sys
greeting = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|[IW]\d{4} |E\d{4} .*cuda|INFO: |VERBOSE: |"
    rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: ([IW] |E .*cuda)|To enable the following instructions: |WARNING:tensorflow:"
)
for line in sys.stdin.buffer:
    if not greeting.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""


@contextmanager
def without_greetings() -> Iterator[None]:
    """Keep what TensorFlow and LiteRT say of themselves from the terminal; errors still reach it.

    They write in C++ to the standard error of the process, before any option is read that would silence them. So a
    process of its own reads that, and passes on every line that is none of theirs, also when this process crashes.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    reader = subprocess.Popen([sys.executable, "-S", "-c", _GREETINGS], stdin=subprocess.PIPE, stderr=terminal)
    assert reader.stdin is not None
    os.dup2(reader.stdin.fileno(), 2)
    reader.stdin.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)
        reader.wait()


def progress_bar(word: str) -> Progress:
    """Return a bar on standard error; nothing is drawn where nobody looks."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn(word),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=ERR.console,
        disable=not ERR.is_terminal,
    )


def show_notes(recordings: Iterable[tuple[str, Iterable[Note]]]) -> None:
    """Print what a user should know about recordings, the first few of each kind.

    Parameters
    ----------
    recordings : iterable of (str, iterable of Note)
        Names and notes.
    """
    noted: dict[str, list[str]] = {}
    for name, notes in recordings:
        for note in notes:
            noted.setdefault(note.code, []).append(f"{name}: {note.message}")
    for code, lines in noted.items():
        for line in lines[:_SHOWN_NOTES]:
            OUT.print(code, style="yellow", markup=False, highlight=False, end="")
            OUT.print(f": {line}", markup=False, highlight=False, soft_wrap=True)
        if len(lines) > _SHOWN_NOTES:
            OUT.print(f"{code}: {len(lines) - _SHOWN_NOTES} more, see the notes in summary.csv", highlight=False)


def show_quote(title: str, quote: Mapping[str, Any]) -> None:
    """Print what a job is expected to take, and what that rests on."""
    from rich.table import Table

    table = Table(title=title)
    for name in ("recordings", "audio", "windows", "ranges", "expected time", "expected cost"):
        table.add_column(name, justify="right")
    table.add_row(
        str(quote["recordings"]),
        f"{quote['audio_seconds']:.1f} s",
        str(quote["windows"]),
        str(quote["ranges"]),
        f"{quote['expected_seconds']:.1f} s",
        f"{quote['expected_usd']:.4f} USD",
    )
    OUT.print(table)
    if quote.get("report_workers") is not None:  # an older stack does not tell these
        _show_price(quote)
    if how := quote.get("assumptions"):  # an older stack tells none
        OUT.print(
            f"{how['seconds_per_window']:.2g} s a window and {how['seconds_per_range']:.2g} s a range "
            f"({how['basis']}), "
            f"{how['seconds_per_job']:.2g} s for plan and aggregate; up to {how['max_concurrency']} workers at once, "
            f"{how['starts_per_second']:g} started a second; {how['prices']}",
            highlight=False,
            soft_wrap=True,
        )


def _show_price(quote: Mapping[str, Any]) -> None:
    longest, price, storage = quote["longest_function"], quote["price"], quote["storage"]
    OUT.print(
        f"{quote['workers']} workers score, {quote['report_workers']} report; the longest function, "
        f"{longest['function']}, takes {longest['seconds']:.1f} s",
        highlight=False,
        soft_wrap=True,
    )
    items = {
        "scoring": "score_usd",
        "plan": "plan_usd",
        "reports": "report_usd",
        "aggregate": "aggregate_usd",
        "requests to S3": "requests_usd",
        "transitions": "transitions_usd",
    }
    listed = ", ".join(f"{title} {price[name]:.4f}" for title, name in items.items())
    OUT.print(f"USD: {listed}", highlight=False, soft_wrap=True)
    OUT.print(
        f"storage of results and parts: {storage['bytes'] / 1e6:.1f} MB, {storage['usd_per_month']:.4f} USD a month",
        highlight=False,
        soft_wrap=True,
    )
