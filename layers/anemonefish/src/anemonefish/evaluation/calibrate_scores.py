"""Calibrate scores: the verdicts on a review of results become probabilities, a threshold, and calls per hour."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import InvalidRequest
from anemonefish.jobs.score_calibration import CurvePoint, JudgedStratum, ScoreCalibration, ScoreScale, check_site
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.probability.bootstrap import Judged, fit_curve
from anemonefish.probability.density import CallDensity, call_density
from anemonefish.probability.logistic import LogisticCurve
from anemonefish.probability.precision import THRESHOLDS, precision_threshold
from anemonefish.probability.strata import Stratum
from anemonefish.results.events import smooth
from anemonefish.results.read import ScoredRecording, find_results, read_result
from anemonefish.results.verdict_table import VerdictTable
from anemonefish.results.verdicts import NO, OTHER, YES, Verdict, agreed
from anemonefish.settings import Settings

__all__ = ["calibrate_scores", "density_of", "judged_units", "strata_of"]

_POINTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Scores whose probability is listed with its interval."""


def calibrate_scores(
    results: Path, table: VerdictTable, models: ModelRepository, *, site: str | None = None, precision: float = 0.9
) -> tuple[PinnedModel, ScoreCalibration]:
    """Fit the calibration of the model that made the results.

    Parameters
    ----------
    results : Path
        The folder of the results that were reviewed.
    table : VerdictTable
        Verdicts on one draw from these results.
    models : ModelRepository
        Where the model lies.
    site : str, optional
        The name of the site that the results are of.
    precision : float
        The precision that a threshold is chosen for, between 0 and 1.

    Returns
    -------
    model : PinnedModel
    calibration : ScoreCalibration

    Raises
    ------
    InvalidRequest
        There are too few verdicts, of one kind only, of several draws, or not about these results.
    InvalidSettings
        The name of the site is not valid.
    ModelError
        The model is not there.
    """
    check_site(site)
    if not 0 < precision < 1:
        raise InvalidRequest(f"precision must be above 0 and below 1, not {precision:g}")
    units = agreed(_of_one_review(table.rows))
    usable = _usable(units)
    fit = fit_curve(judged_units(units))
    read = _read_results(results, units)
    spec = models.spec(read.model)
    low, high = fit.interval(_POINTS)
    return read.model, ScoreCalibration(
        model=read.model.reference,
        scale=ScoreScale.of(spec, read.model, read.settings, units[0].label),
        site=site,
        curve=fit.curve,
        review=units[0].review,
        yes=sum(row.verdict == YES for row in usable),
        no=sum(row.verdict != YES for row in usable),
        unsure=sum(row.is_judged for row in units) - len(usable),
        recordings=len({row.recording for row in usable}),
        reviewers=len(table.reviewers),
        judged_at=max(row.judged_at for row in usable),
        resampled=fit.resampled,
        points=tuple(
            CurvePoint(*(round(float(value), 6) for value in row))
            for row in zip(_POINTS, fit.curve.probability(_POINTS), low, high, strict=True)
        ),
        strata=_judged_strata(units, fit.curve),
        precision=precision_threshold(read.highest, fit, precision),
        density=_density_or_none(units),
        counted=all(row.calls is not None for row in usable if row.verdict == YES),
    )


def judged_units(units: Iterable[Verdict]) -> list[Judged]:
    """Return the units with a usable verdict."""
    return [
        Judged(score=row.score, yes=row.verdict == YES, stratum=row.stratum, recording=row.recording)
        for row in _usable(units)
    ]


def strata_of(units: Iterable[Verdict]) -> list[Stratum]:
    """Return the strata of a review with what was counted in them."""
    rows: dict[str, list[Verdict]] = defaultdict(list)
    for row in units:
        rows[row.stratum].append(row)
    return [
        Stratum(
            name=name,
            size=members[0].stratum_size,
            counts=tuple((row.calls or 1) if row.verdict == YES else 0 for row in _usable(members)),
            left_out=sum(row.is_judged for row in members) - len(_usable(members)),
        )
        for name, members in rows.items()
    ]


def density_of(units: Sequence[Verdict]) -> CallDensity:
    """Estimate calls per hour of everything that a review was drawn from.

    Parameters
    ----------
    units : sequence of Verdict
        One row per drawn unit.

    Raises
    ------
    InvalidRequest
        A stratum has no usable verdict.
    """
    seconds = {row.stratum: row.stratum_seconds for row in units}
    return call_density(strata_of(units), sum(seconds.values()) / 3600)


def _usable(units: Iterable[Verdict]) -> list[Verdict]:
    return [row for row in units if row.verdict in {YES, NO} or row.verdict.startswith(OTHER)]


def _judged_strata(units: Iterable[Verdict], curve: LogisticCurve) -> tuple[JudgedStratum, ...]:
    """Return the strata in the order of their scores."""
    rows: dict[tuple[float, str], list[Verdict]] = defaultdict(list)
    for row in _usable(units):
        rows[row.stratum_low, row.stratum].append(row)
    return tuple(
        JudgedStratum(
            name,
            members[0].stratum_size,
            len(members),
            sum(row.verdict == YES for row in members),
            round(float(curve.probability([row.score for row in members]).mean()), 6),
        )
        for (_, name), members in sorted(rows.items())
    )


def _density_or_none(units: Sequence[Verdict]) -> CallDensity | None:
    try:
        return density_of(units)
    except InvalidRequest:
        return None


def _of_one_review(rows: Sequence[Verdict]) -> Sequence[Verdict]:
    reviews = sorted({row.review for row in rows})
    if not reviews:
        raise InvalidRequest("the table of verdicts has no rows; make a review with: anemonefish review RESULTS")
    if len(labels := sorted({row.label for row in rows})) > 1:
        raise InvalidRequest(
            f"the verdicts are about {' and '.join(labels)}, and a calibration is about one class; name it (--class "
            f"{shlex.quote(labels[0])})"
        )
    if len(reviews) > 1:
        raise InvalidRequest(
            f"the verdicts are of several draws ({', '.join(reviews)}), and each counts units of its own; give a file "
            f"with the rows of one"
        )
    return rows


@dataclass(frozen=True, slots=True)
class _Results:
    """What is needed of the results, without their scores.

    Attributes
    ----------
    model : PinnedModel
    settings : Settings
    highest : list of ndarray
        For each of :data:`THRESHOLDS`, the highest smoothed score of every event that it gives.
    """

    model: PinnedModel
    settings: Settings
    highest: list[NDArray[np.float64]]


def _read_results(folder: Path, units: Sequence[Verdict]) -> _Results:
    """Read the results one recording at a time; raise an error unless the verdicts are about their scores."""
    files = find_results(folder)
    highest: list[list[float]] = [[] for _ in THRESHOLDS]
    names = set()
    for path in files.values():
        recording = read_result(path)
        _check_scores(path, recording, units[0])
        names.add(recording.name)
        smoothed = smooth(recording.scores, recording.decision.median_windows)
        for scores, threshold in zip(highest, THRESHOLDS, strict=True):
            scores += [event.max_score for event in recording.events(smoothed, units[0].label, threshold)]
    if missing := sorted({row.recording for row in units} - names):
        raise InvalidRequest(f"{folder} has no results of {missing[0]}; give the results that were reviewed")
    arrays = [np.array(scores, np.float64) for scores in highest]
    return _Results(PinnedModel.from_dict(recording.origin["model"]), recording.settings, arrays)


def _check_scores(path: Path, recording: ScoredRecording, row: Verdict) -> None:
    """Raise an error unless the scores of a recording are those that the verdicts are about."""
    model = PinnedModel.from_dict(recording.origin["model"])
    if (model.hash, model.reference) != (row.model_hash, row.model):
        raise InvalidRequest(
            f"the verdicts are about scores of {row.model} ({row.model_hash[:12]}), and {path} has scores of "
            f"{model.reference} ({model.hash[:12]}); give the results that were reviewed"
        )
    labels, median = recording.settings.target_classes, recording.decision.median_windows
    if row.label not in labels or median != row.median_windows:
        raise InvalidRequest(
            f"the verdicts are about {row.label} with median_windows {row.median_windows}, and {path} was decided for "
            f"{' and '.join(labels)} with {median}; give the results that were reviewed"
        )
