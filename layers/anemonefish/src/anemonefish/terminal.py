"""What every command shares: consoles, errors as one line, settings from ``NAME=VALUE``.

Owns how an error looks on a terminal and how a setting is typed. Knows no command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from anemonefish.errors import AnemonefishError, InvalidSettings

__all__ = ["ERR", "OUT", "Commands", "assigned", "complain", "progress_bar", "set_option"]

OUT = Console()
ERR = Console(stderr=True)

set_option = click.option(
    "--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Any setting of docs/settings.md; repeatable."
)


class Commands(click.Group):
    """Commands whose errors of the tree end as one line and exit code 1."""

    def invoke(self, context: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(context)
        except AnemonefishError as error:
            complain(getattr(error, "name", type(error).__name__), str(error))
            context.exit(1)


def complain(name: str, message: str) -> None:
    """Print an error's name and words to standard error."""
    ERR.print(f"[bold red]{name}[/]: ", end="")
    ERR.print(message, markup=False, highlight=False, soft_wrap=True)


def assigned(assignments: Sequence[str]) -> dict[str, Any]:
    """Read ``NAME=VALUE`` with the value as YAML, so that numbers, null and lists are what they look like.

    Raises
    ------
    InvalidSettings
        There is no ``=``, or the value is not YAML.
    """
    values = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise InvalidSettings(f"{assignment!r} is not a setting; write NAME=VALUE")
        try:
            values[name.strip()] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise InvalidSettings(f"{assignment!r}: the value is not YAML") from None
    return values


def progress_bar(word: str) -> Progress:
    """Return a bar on standard error; nothing is drawn where nobody looks."""
    return Progress(
        TextColumn(word),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=ERR,
        disable=not ERR.is_terminal,
    )
