"""The command ``anemonefish review``: a page to judge a sample of results, and the way back for its verdicts.

Exit codes: 0 done, 1 a recording is missing or was changed, or verdicts are about other results, 2 mistyped.
"""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from anemonefish.cli.terminal import OUT, models_option, progress_bar, require, typed_models
from anemonefish.errors import InvalidSettings
from anemonefish.front.display import count_of

if TYPE_CHECKING:
    from anemonefish.results.verdicts import Verdict

__all__ = ["review"]

_DEFAULT_CLIPS = 100


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the page.  [default: review-page in RESULTS]")
@click.option("--class", "label", help="Which target class of the results.  [default: the first]")
@click.option("--clips", type=click.IntRange(1), default=_DEFAULT_CLIPS, show_default=True, help="Size of the sample.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another one draws another sample.")
@click.option(
    "--recordings",
    type=click.Path(path_type=Path),
    help="Folder of the recordings.  [default: where they were analysed]",
)
@click.option("--padding", type=click.FloatRange(0, 60), default=1.0, show_default=True, help="Seconds around a clip.")
@click.option(
    "--verdicts",
    "tables",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Take this table of verdicts, which the page saved, into RESULTS; repeatable.",
)
@models_option
def review(
    results: Path,
    out: Path | None,
    label: str | None,
    clips: int,
    seed: int,
    recordings: Path | None,
    padding: float,
    tables: tuple[Path, ...],
    models_uri: str,
) -> None:
    """Write a page on which a person judges a sample of RESULTS: yes, no, unsure or another class, by key.

    The sample comes from every range of scores, also from below the threshold. With --verdicts, take the table that the
    page saved: RESULTS/verdicts.csv then has the verdicts of all reviewers, and RESULTS/review-labels.csv the labels.
    """
    if tables:
        context = click.get_current_context()
        options = {"out": "out", "label": "class", "recordings": "recordings", "clips": "clips"}
        options |= {"seed": "seed", "padding": "padding"}
        given = [option for name, option in options.items() if _is_given(context, name)]
        if given:
            raise InvalidSettings(f"--verdicts takes a table back and makes no page; leave out --{', --'.join(given)}")
        _take(results, tables)
    else:
        _make(results, out, label, clips, seed, recordings, padding, models_uri)


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _make(
    results: Path,
    out: Path | None,
    label: str | None,
    clips: int,
    seed: int,
    recordings: Path | None,
    padding: float,
    models_uri: str,
) -> None:
    import anemonefish as af

    require("matplotlib", "pictures", "review")
    with progress_bar("clips") as bar:
        task = bar.add_task("clips", total=None)
        made = af.review(
            results,
            out,
            target_class=label,
            clips=clips,
            seed=seed,
            recordings=recordings,
            models=models_uri,
            padding_seconds=padding,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _show_strata(made.rows)
    command = f"anemonefish review {shlex.quote(str(results))}"
    if made.others:
        _say(f"this review is about {made.rows[0].label}; for another class of these results:")
    for other in made.others:
        more = ["--recordings", str(recordings)] if recordings else []
        _say(" ".join([command, shlex.join(["--class", other, *more]), *typed_models()]))
    if not made.band_is_known:
        _say(f"{made.rows[0].model} is not in {models_uri}, so the spectrograms show all frequencies")
    _say(f"{len(made.rows)} of {made.n_units} stretches were drawn. Open this page in a browser:")
    _say(str(made.page))
    _say("It saves verdicts.csv where the browser keeps downloads, or where you say. Take it back with:")
    _say(" ".join([command, "--verdicts ~/Downloads/verdicts.csv", *typed_models()]))


def _take(results: Path, tables: tuple[Path, ...]) -> None:
    import anemonefish as af

    taken = af.take_verdicts(results, *tables)
    _show_strata(taken.table.rows)
    judged = {row.key for row in taken.table.rows if row.is_judged}
    open_units = {row.key for row in taken.table.rows} - judged
    units = count_of(len(judged), "unit")
    _say(f"{units} judged by {', '.join(taken.table.reviewers) or 'nobody'}, {len(open_units)} not judged")
    if taken.disagreements:
        _say(f"unsure in the labels, because reviewers differ: {count_of(taken.disagreements, 'unit')}")
    if taken.unmarked:
        _say(f"unsure in the labels, because nobody marked the sound in it: {count_of(taken.unmarked, 'segment')}")
    _say(f"verdicts: {taken.verdicts}")
    _say(f"{count_of(taken.n_labels, 'label')}: {taken.labels}")
    classes = {row.label for row in taken.table.rows}
    labels = sorted({row.label for row in taken.table.rows if row.is_judged})
    if labels and len({row.review for row in taken.table.rows}) == len(classes):
        _say("Probabilities, a threshold for a precision, and calls per hour:")
        for label in labels:
            of_class = [shlex.join(["--class", label])] if len(classes) > 1 else []
            _say(" ".join(["anemonefish calibrate-scores", shlex.quote(str(results)), *of_class, *typed_models()]))


def _show_strata(rows: tuple[Verdict, ...]) -> None:
    """Print how many units each stratum has, how many were drawn, and what was said about them."""
    from rich import box
    from rich.table import Table

    from anemonefish.results.verdicts import NO, UNSURE, YES, agreed

    units = agreed(rows)
    for review in sorted({unit.review for unit in units}):
        own = [unit for unit in units if unit.review == review]
        table = Table(title=f"review {review} of {own[0].model}", box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("stratum", no_wrap=True)
        for name in ("units", "drawn", YES, NO, UNSURE, "other"):
            table.add_column(name, justify="right")
        strata = {(unit.kind, unit.stratum_low, unit.stratum): unit for unit in own}
        for (_, _, stratum), unit in sorted(strata.items()):
            said = Counter(unit.verdict.partition(":")[0] for unit in own if unit.stratum == stratum)
            counts = (unit.stratum_size, unit.drawn, said[YES], said[NO], said[UNSURE], said["other"])
            table.add_row(stratum, *map(str, counts))
        OUT.print(table)


def _say(text: str) -> None:
    OUT.print(text, highlight=False, markup=False, soft_wrap=True)
