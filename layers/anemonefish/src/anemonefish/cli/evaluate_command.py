"""The command ``anemonefish evaluate``: compare results with labels.

Exit codes: 0 done, 1 a recording was left out or a label file not read (the others are evaluated), 2 mistyped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

import anemonefish as af
from anemonefish.cli.terminal import ERR, complain, require
from anemonefish.errors import Failure, InvalidRequest, InvalidSettings
from anemonefish.evaluation.curves import ClassEvaluation, Evaluation, Point
from anemonefish.evaluation.evaluation_options import UNLABELLED
from anemonefish.evaluation.matching import CRITERIA

__all__ = ["evaluate"]

_OUT = Console()
_LISTED = 5


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.argument("labels", type=click.Path(path_type=Path))
@click.option("--overlap", default="0.5", show_default=True, help="Least part that an event and a label share.")
@click.option(
    "--criterion",
    type=click.Choice(CRITERIA),
    default=CRITERIA[0],
    show_default=True,
    help="Part of what: of the shorter of the two, or of their union.",
)
@click.option("--bout", metavar="SECONDS", help="Count labels closer than this as one.  [default: each by itself]")
@click.option("--thresholds", help="Comma-separated.  [default: 0.05 apart; the results' own is always added]")
@click.option("--class", "classes", multiple=True, help="A class of the model; repeatable.  [default: the labels']")
@click.option(
    "--map", "mapping", multiple=True, metavar="LABEL=CLASS", help="What a label's name means; * for every other name."
)
@click.option(
    "--unlabelled",
    type=click.Choice(UNLABELLED),
    default=UNLABELLED[0],
    show_default=True,
    help="Recordings without a label file: left out, or known to hold nothing.",
)
@click.option("--label-column", help="Column with the names.  [default: found where there is no doubt]")
@click.option(
    "--times-per-file",
    is_flag=True,
    help="Begin Time of a Raven table without File Offset counts from the file that its row names.",
)
@click.option("--files", "pattern", default="*", show_default=True, help="Which files of a folder of labels.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("evaluation"),
    show_default=True,
    help="Folder for evaluation.csv and evaluation.json.",
)
@click.option("--picture", is_flag=True, help="Draw precision over recall as well; needs matplotlib.")
def evaluate(
    results: Path,
    labels: Path,
    overlap: str,
    criterion: str,
    bout: str | None,
    thresholds: str | None,
    classes: Sequence[str],
    mapping: Sequence[str],
    unlabelled: str,
    label_column: str | None,
    times_per_file: bool,
    pattern: str,
    out: Path,
    picture: bool,
) -> None:
    """Compare a folder of RESULTS with LABELS: a Raven, Audacity or CSV file, or a folder of them."""
    if picture:
        require("matplotlib", "pictures", "--picture")
    result = af.evaluate(
        results,
        labels,
        overlap=_fraction("--overlap", overlap),
        criterion=criterion,
        bout_seconds=None if bout is None else _fraction("--bout", bout),
        thresholds=None if thresholds is None else [_threshold(each) for each in thresholds.split(",")],
        classes=classes,
        mapping=dict(_pair(each) for each in mapping),
        unlabelled=unlabelled,
        label_column=label_column,
        times_per_file=times_per_file,
        pattern=pattern,
    )
    result.save(out, picture=picture)
    made = result.details
    for each in made.classes:
        _show(made, each)
    _show_scope(made)
    _OUT.print(f"written to {out}", highlight=False, soft_wrap=True)
    _conclude(made)


def _fraction(option: str, text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise InvalidSettings(f"{option} must be a number such as 0.5, not {text!r}") from None


def _threshold(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidSettings(f"--thresholds: {text.strip()!r} is not a number; write 0.3,0.5,0.7") from None


def _pair(text: str) -> tuple[str, str]:
    label, equals, name = text.rpartition("=")
    if not equals or not name:
        raise InvalidSettings(f"--map {text!r} does not say what it means; write LABEL=CLASS")
    return label, name


def _show(made: Evaluation, each: ClassEvaluation) -> None:
    own = made.threshold_of(each.name)
    counts = each.at(own)
    table = Table(
        title=f"{each.name}: {counts.labels} labels, average precision {_number(each.average_precision)}",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0, 0, 1),  # the whole table in 80 columns
    )
    for name in ("threshold", "events", "matched", "precision", "recall", "F1", "false/h"):
        table.add_column(name, justify="right")
    table.add_column("", no_wrap=True)
    for point in each.points:
        notes = [word for word, is_it in (("results", point.threshold == own), ("best", point == each.best)) if is_it]
        table.add_row(*_cells(made, point), ", ".join(notes), style="bold" if notes else None)
    _OUT.print(table)
    _OUT.print(
        f"at {own:g}, one event for several labels allowed: {counts.labels_found} of {counts.labels} labels are found, "
        f"{counts.events_right} of {counts.events} events are right",
        highlight=False,
        soft_wrap=True,
    )
    for line in each.summary.lines():
        _OUT.print(f"  {line}", highlight=False, soft_wrap=True)


def _cells(made: Evaluation, point: Point) -> list[str]:
    counts = point.counts
    per_hour = made.per_hour(counts.false_positives)
    return [
        f"{point.threshold:g}",
        str(counts.events),
        str(counts.matched),
        *(_number(rate) for rate in (counts.precision, counts.recall, counts.f1)),
        "-" if per_hour is None else f"{float(per_hour):.1f}",
    ]


def _number(value: Fraction | None) -> str:
    return "-" if value is None else f"{float(value):.3f}"


def _show_scope(made: Evaluation) -> None:
    hours = float(made.seconds) / 3600
    lines = [
        f"{len(made.labelled)} labelled recordings, {len(made.negative)} counted as empty, "
        f"{len(made.ignored)} left out; {hours:.2f} h; {made.model}",
        made.rule.describe(),
    ]
    if made.bout_seconds is not None:
        lines.append(f"labels less than {float(made.bout_seconds):g} s apart count as one")
    if made.named_by:
        lines.append(_named_by(made))
    if made.repeated:
        names = ", ".join(made.repeated[:_LISTED])
        more = f" and {len(made.repeated) - _LISTED} more" if len(made.repeated) > _LISTED else ""
        lines.append(f"the same labels in another file of the recording, counted once: {names}{more}")
    if made.elsewhere:
        lines.append(f"labels of recordings that are not in the results, not counted: {_listed(made.elsewhere)}")
    if made.unmapped:
        lines.append(f"labels by names that are no class, not counted: {_listed(made.unmapped)}")
    for line in lines:
        _OUT.print(line, highlight=False, markup=False, soft_wrap=True)


def _named_by(made: Evaluation) -> str:
    columns = [f"{column or 'no column'} ({count})" for column, count in made.named_by.items()]
    unnamed = f"; {made.unnamed} of them without a name" if made.unnamed else ""
    return f"the labels' names come from: {', '.join(columns)}{unnamed}"


def _conclude(made: Evaluation) -> None:
    """Say what could not be evaluated, and exit."""
    reasons = [*made.left_out.values(), *made.unread.values()]
    if made.left_out:
        counted = len(made.labelled) + len(made.negative)
        ERR.print(
            f"{len(made.left_out)} of {len(made.left_out) + counted} recordings could not be evaluated:",
            highlight=False,
        )
    elif made.unread:
        ERR.print(f"{len(made.unread)} label files could not be read:", highlight=False)
    for reason in reasons:
        complain(Failure(InvalidRequest.__name__, reason))
    if reasons:
        sys.exit(1)


def _listed(counts: object) -> str:
    assert isinstance(counts, dict)
    shown = [f"{name or '(no name)'} ({count})" for name, count in list(counts.items())[:_LISTED]]
    return ", ".join(shown) + (f" and {len(counts) - _LISTED} more" if len(counts) > _LISTED else "")
