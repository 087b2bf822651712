"""``anemonefish calibrate``: what a model's windows take, measured, for every quote from then on."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.table import Table

from anemonefish.cli.terminal import OUT, model_option, models_option, progress_bar
from anemonefish.jobs.calibration import write_calibration
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store
from anemonefish.workflow.calibrate import calibrate_here, calibrate_stack

__all__ = ["calibrate"]

_ROUNDS = 3


@click.command()
@model_option
@models_option
@click.option("--stack", help="Measure by the metrics of this stack's workers.  [default: on this machine]")
@click.option("--days", type=click.IntRange(1, 455), default=14, show_default=True, help="How far back, with --stack.")
@click.option(
    "--memory",
    "memory_mb",
    type=click.IntRange(128, 10_240),
    default=1769,
    show_default=True,
    help="Megabytes of the worker that a core here stands for.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the calibration as JSON.")
@click.option("--keep/--no-keep", default=True, show_default=True, help="Keep it beside the model, for quotes.")
def calibrate(
    model: str, models_uri: str, stack: str | None, days: int, memory_mb: int, as_json: bool, keep: bool
) -> None:
    """Measure seconds per window and per range, which quotes are reckoned with."""
    models = ModelRepository(open_store(models_uri))
    if stack is None:
        with progress_bar("measuring") as bar:
            task = bar.add_task("measuring", total=2 * _ROUNDS)
            pinned, made = calibrate_here(
                model, models, memory_mb=memory_mb, rounds=_ROUNDS, progress=lambda: bar.advance(task)
            )
    else:
        pinned, made = calibrate_stack(model, models, stack, days=days)
    if as_json:
        click.echo(json.dumps(asdict(made), indent=2))
    else:
        table = Table(title=f"{made.model} by {made.engine} on {made.architecture}, {made.memory_mb} MB")
        for name in ("seconds per window", "seconds per range", "windows", "calls", "measured on"):
            table.add_column(name, justify="left" if name == "measured on" else "right")
        numbers = f"{made.seconds_per_window:.3g}", f"{made.seconds_per_range:.3g}", str(made.windows), str(made.calls)
        table.add_row(*numbers, made.where)
        OUT.print(table)
    if keep:
        where = write_calibration(models, pinned, made)
        if not as_json:
            OUT.print(f"kept as {where}", highlight=False, soft_wrap=True)
