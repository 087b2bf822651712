"""Calibrate scores: the verdicts on a review of results give later results a probability."""

from __future__ import annotations

import os
from pathlib import Path

from anemonefish.evaluation.calibrate_scores import calibrate_scores as fit_calibration
from anemonefish.front.model_location import models_or_default
from anemonefish.jobs.score_calibration import ScoreCalibration, write_score_calibration
from anemonefish.models.repository import ModelRepository
from anemonefish.results.verdict_table import VERDICTS_CSV, read_verdicts
from anemonefish.stores import open_store

__all__ = ["calibrate_scores"]


def calibrate_scores(
    results: str | os.PathLike[str],
    verdicts: str | os.PathLike[str] | None = None,
    *,
    target_class: str | None = None,
    site: str | None = None,
    precision: float = 0.9,
    models: str | os.PathLike[str] | None = None,
    keep: bool = True,
) -> ScoreCalibration:
    """Fit how probable it is that an event with a score is right, from the verdicts on a review.

    Parameters
    ----------
    results : path
        The folder of the results that were reviewed.
    verdicts : path, optional
        The table of verdicts; ``verdicts.csv`` in ``results`` unless given.
    target_class : str, optional
        Which verdicts are used, where there are reviews of several classes.
    site : str, optional
        The site of the recordings. ``detect(..., site=...)`` uses the calibration of that site; one that is made
        without a site is used by every ``detect`` without one.
    precision : float
        The precision that a threshold is chosen for.
    models : path, optional
        Folder or ``s3://bucket`` of the models. ``ANEMONEFISH_MODELS`` unless given, else the models that ship.
    keep : bool
        Store it beside the model, where ``detect`` finds it.

    Returns
    -------
    ScoreCalibration
        ``.probability(score)``, ``.precision.threshold``, ``.density.per_hour``, each with its interval.

    Raises
    ------
    InvalidRequest
        There are too few verdicts, or of one kind only, or they are not about these results.
    InvalidSettings
        The name of the site is not valid.
    ModelError, StorageError
        The model is not there, or the calibration cannot be written.

    Examples
    --------
    The verdicts are those of a person; without them there is nothing to learn from:

    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=6, seed=6)
    >>> saved = af.detect("reef.wav", processes=1).save("results")
    >>> af.calibrate_scores("results", site="north")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    anemonefish.errors.InvalidRequest: results/verdicts.csv: ...
    """
    table = read_verdicts(Path(verdicts) if verdicts is not None else Path(results) / VERDICTS_CSV)
    if target_class is not None:
        table = table.of(target_class)
    repository = ModelRepository(open_store(models_or_default(models)))
    model, calibration = fit_calibration(Path(results), table, repository, site=site, precision=precision)
    if keep:
        write_score_calibration(repository, model, calibration)
    return calibration
