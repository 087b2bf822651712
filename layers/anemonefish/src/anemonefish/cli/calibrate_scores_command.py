"""``anemonefish calibrate-scores``: what the scores of a model are worth at a site, by the verdicts on a review."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import click
from rich.table import Table

import anemonefish as af
from anemonefish.cli.terminal import OUT, models_option, typed_models
from anemonefish.jobs.score_calibration import ScoreCalibration
from anemonefish.models.repository import ModelRepository
from anemonefish.probability.density import CONFIDENCE
from anemonefish.probability.precision import THRESHOLDS
from anemonefish.stores import open_store

__all__ = ["calibrate_scores"]

_PERCENT = f"{CONFIDENCE:.0%}"


@click.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.option(
    "--verdicts", type=click.Path(path_type=Path), help="The table of verdicts.  [default: RESULTS/verdicts.csv]"
)
@click.option("--class", "label", help="Which verdicts, where several classes were reviewed.")
@click.option("--site", help="Name of the site, for: detect --set site=NAME.  [default: for detect without a site]")
@click.option(
    "--precision",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="Choose the threshold for this part of events that are right.",
)
@models_option
@click.option("--json", "as_json", is_flag=True, help="Print the calibration as JSON.")
@click.option("--keep/--no-keep", default=True, show_default=True, help="Keep it beside the model, for detect.")
def calibrate_scores(
    results: Path,
    verdicts: Path | None,
    label: str | None,
    site: str | None,
    precision: float,
    models_uri: str,
    as_json: bool,
    keep: bool,
) -> None:
    """Turn scores into probabilities by the verdicts on a review of RESULTS."""
    made = af.calibrate_scores(
        results, verdicts, target_class=label, site=site, precision=precision, models=models_uri, keep=keep
    )
    if as_json:
        click.echo(json.dumps(made.to_dict(), indent=2))
        return
    _show_curve(made)
    _show_strata(made)
    for line in (_verdicts(made), _threshold(made), _density(made)):
        OUT.print(line, highlight=False, soft_wrap=True)
    if keep:
        for line in (f"kept as calibration {made.id}; from now on events have a probability:", _next(made, models_uri)):
            OUT.print(line, highlight=False, markup=False, soft_wrap=True)


def _next(made: ScoreCalibration, models_uri: str) -> str:
    """Return the command that uses the calibration, with all that it is bound to."""
    models = ModelRepository(open_store(models_uri))
    model = models.pin(made.model)
    settings = {} if made.site is None else {"site": made.site}
    settings |= made.scale.changed_settings(models.spec(model), model)
    options = [shlex.join(["--set", f"{name}={value}"]) for name, value in settings.items()]
    return " ".join(["anemonefish detect PATH --model", made.model, *typed_models(), *options])


def _show_curve(made: ScoreCalibration) -> None:
    table = Table(title=f"{made.model}: probability that an event is {made.scale.target_class}")
    for name in ("highest score", "probability", f"{_PERCENT} interval"):
        table.add_column(name, justify="right")
    for point in made.points:
        table.add_row(f"{point.score:g}", f"{point.probability:.2f}", f"{point.low:.2f} to {point.high:.2f}")
    OUT.print(table)


def _show_strata(made: ScoreCalibration) -> None:
    table = Table(title="verdicts beside the mean probability of the same units")
    for name in ("scores", "units", "judged", "yes", "part", "probability"):
        table.add_column(name, justify="left" if name == "scores" else "right")
    for stratum in made.strata:
        counts = str(stratum.units), str(stratum.judged), str(stratum.yes)
        table.add_row(stratum.name, *counts, f"{stratum.yes / stratum.judged:.2f}", f"{stratum.probability:.2f}")
    OUT.print(table)


def _verdicts(made: ScoreCalibration) -> str:
    left_out = f", {made.unsure} left out (unsure, or reviewers differ)" if made.unsure else ""
    return (
        f"{made.yes} yes, {made.no} no{left_out}; recordings: {made.recordings}, reviewers: {made.reviewers}; "
        f"intervals by resampling {made.resampled}"
    )


def _threshold(made: ScoreCalibration) -> str:
    chosen = made.precision
    if chosen is None or chosen.threshold is None:
        best = "" if chosen is None else f"; the best of these results is {chosen.precision:.2f}"
        return f"no threshold gives a precision of {0 if chosen is None else chosen.wanted:g}{best}"
    low, high = (f"above {THRESHOLDS[-1]:g}" if edge is None else f"{edge:g}" for edge in (chosen.low, chosen.high))
    return (
        f"threshold for a precision of {chosen.wanted:g}: {chosen.threshold:g} ({_PERCENT} interval {low} to {high}); "
        f"expected precision {chosen.precision:.2f}, events in these results: {chosen.events}"
    )


def _density(made: ScoreCalibration) -> str:
    density = made.density
    if density is None:
        return "no calls per hour: a range of scores has no verdict yes or no; judge at least one clip of each"
    unit = "calls" if made.counted else "events or stretches of 3 s with calls (calls were not counted)"
    return (
        f"{unit} per hour: {density.per_hour:.1f} ({_PERCENT} interval {density.low:.1f} to {density.high:.1f}), "
        f"in the {density.hours:.2f} hours that were reviewed, by {density.judged} of {density.units} units"
    )
