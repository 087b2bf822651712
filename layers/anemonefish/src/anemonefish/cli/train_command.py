"""The command ``anemonefish train``: labels of a person become a model that ``detect`` uses, and a report.

Exit codes: 0 done, 1 nothing was trained, 2 mistyped.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anemonefish.cli.terminal import ERR, OUT, progress_bar, require, without_greetings
from anemonefish.errors import InvalidSettings
from anemonefish.front.display import count_of
from anemonefish.interrupts import Stopped, command_line

if TYPE_CHECKING:
    from anemonefish.front.model_training import TrainingResult

__all__ = ["train"]

_SHOWN = 10


@click.command()
@click.argument("recordings", nargs=-1, required=True)
@click.option("--labels", required=True, type=click.Path(path_type=Path), help="A label file, or a folder of them.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("models"), show_default=True, help="Folder of models."
)
@click.option("--name", help="Name of the model: lower-case letters, digits, '.', '_', '-'.  [default: the target]")
@click.option("--version", help="Version; never to be used again.  [default: the first free of 1.0.0, 1.1.0, ...]")
@click.option("--class", "classes", multiple=True, help="A class; repeatable.  [default: every name of the labels]")
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="The class whose events detect looks for; repeatable.  [default: anemonefish, or the most frequent]",
)
@click.option(
    "--map", "mapping", multiple=True, metavar="LABEL=CLASS", help="What a label's name means; * for every other name."
)
@click.option("--precision", type=float, default=0.9, show_default=True, help="Wanted; thresholds are chosen for it.")
@click.option("--few", type=click.IntRange(1), metavar="N", help="For 10 to 100 labels: see docs/train.md.")
@click.option(
    "--unlabelled",
    type=click.Choice(["ignore", "negative"]),
    default="ignore",
    show_default=True,
    help="Recordings without a label file: left out, or known to hold nothing.",
)
@click.option(
    "--stretches",
    type=click.Choice(["negative", "ignore"]),
    default="negative",
    show_default=True,
    help="What has no label in a labelled recording: it holds nothing, or nobody listened there.",
)
@click.option(
    "--split-by",
    type=click.Choice(["auto", "site", "day", "recording"]),
    default="auto",
    show_default=True,
    help="What stays together: recordings of a site (a folder), of a day, or single ones.",
)
@click.option(
    "--profile",
    type=click.Choice(["band-db", "stft-db"]),
    default="band-db",
    show_default=True,
    help="What the network sees: levels above the background in the band of the calls, or the lab's decibels.",
)
@click.option("--band", metavar="LOW-HIGH", help="Frequencies the network hears, in Hz.  [default: 100-1500, or more]")
@click.option("--window", type=float, default=0.4, show_default=True, help="Length of a window in seconds.")
@click.option("--hop", type=float, default=0.1, show_default=True, help="Seconds between the starts of two windows.")
@click.option("--overlap", type=float, default=0.5, show_default=True, help="Part of a call that a window must hold.")
@click.option(
    "--epochs", type=click.IntRange(1), default=16, show_default=True, help="At most; fewer where more do not help."
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Processors for the network.")
@click.option("--channel", type=click.IntRange(1), help="Channel of the recordings.  [default: the mean of all]")
@click.option("--label-column", help="Column with the names.  [default: found where there is no doubt]")
@click.option(
    "--times-per-file",
    is_flag=True,
    help="Begin Time of a Raven table without File Offset counts from the file that its row names.",
)
@click.option("--files", "pattern", default="*", show_default=True, help="Which files of a folder of labels.")
@click.option("--description", default="", help="What a reader of the model should know.")
@click.option("--license", "licence", default="", help="SPDX name of the weights' licence.")
def train(
    recordings: tuple[str, ...],
    labels: Path,
    out: Path,
    name: str | None,
    version: str | None,
    classes: Sequence[str],
    targets: Sequence[str],
    mapping: Sequence[str],
    precision: float,
    few: int | None,
    unlabelled: str,
    stretches: str,
    split_by: str,
    profile: str,
    band: str | None,
    window: float,
    hop: float,
    overlap: float,
    epochs: int,
    seed: int,
    threads: int,
    channel: int | None,
    label_column: str | None,
    times_per_file: bool,
    pattern: str,
    description: str,
    licence: str,
) -> None:
    """Train a model on RECORDINGS (files, folders) and labels, test it and publish it."""
    for module in ("tensorflow", "matplotlib"):
        require(module, "train", "train")
    import anemonefish as af

    with progress_bar("[progress.description]{task.description}") as bar, _resumable(), without_greetings():
        tasks: dict[str, object] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done, total=total)  # type: ignore[arg-type]

        result = af.train(
            recordings,
            labels,
            models=out,
            name=name,
            version=version,
            classes=classes,
            target_class=targets,
            mapping=dict(_pair(each) for each in mapping),
            few=few,
            description=description,
            license=licence,
            progress=show,
            precision=precision,
            unlabelled=unlabelled,
            stretches=stretches,
            split_by=split_by,
            profile=profile,
            band=None if band is None else _band(band),
            window_seconds=window,
            hop_seconds=hop,
            overlap=overlap,
            epochs=epochs,
            seed=seed,
            threads=threads,
            channel=channel,
            label_column=label_column,
            times_per_file=times_per_file,
            pattern=pattern,
        )
    _show(result)


def _pair(text: str) -> tuple[str, str]:
    label, equals, name = text.rpartition("=")
    if not equals or not name:
        raise InvalidSettings(f"--map {text!r} does not say what it means; write LABEL=CLASS")
    return label, name


def _band(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    try:
        return float(low), float(high)
    except ValueError:
        raise InvalidSettings(f"--band {text!r} is not two frequencies in Hz; write for example 100-2000") from None


@contextmanager
def _resumable() -> Iterator[None]:
    """Say how to go on when a signal ends the block."""
    try:
        yield
    except Stopped:
        ERR.print("nothing is published; finished epochs are kept, and this goes on there:", highlight=False)
        ERR.print(command_line(), highlight=False, markup=False, soft_wrap=True)
        raise


def _show(result: TrainingResult) -> None:
    for line in result.record.lines():
        OUT.print(line, highlight=False, markup=False, soft_wrap=True)
    left_out = result.record.material.left_out
    if left_out:
        OUT.print(
            f"{count_of(len(left_out), 'file')} {'is' if len(left_out) == 1 else 'are'} not used:", highlight=False
        )
    for each in left_out[:_SHOWN]:
        OUT.print(f"  {each.name}: {each.reason}", highlight=False, markup=False, soft_wrap=True)
    if len(left_out) > _SHOWN:
        OUT.print(f"  ... and {len(left_out) - _SHOWN} more in {result.ledger}", highlight=False, markup=False)
    for line in (
        f"report: {result.report}",
        f"published {result.model} to {result.models}; use it with:",
        f"anemonefish detect RECORDINGS --model {result.model} --models {shlex.quote(str(result.models))}",
    ):
        OUT.print(line, highlight=False, markup=False, soft_wrap=True)
