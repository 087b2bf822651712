"""Review results: a page on which a person judges a sample of them, and the verdicts taken back beside the results."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from anemonefish.front.model_location import models_or_default
from anemonefish.stores import open_store
from anemonefish.workflow.import_verdicts import TakenVerdicts
from anemonefish.workflow.import_verdicts import take_verdicts as take_tables
from anemonefish.workflow.review_folder import MadeReview, make_review

__all__ = ["DEFAULT_CLIPS", "DEFAULT_FOLDER", "review", "take_verdicts"]

DEFAULT_CLIPS = 100
"""Half an hour to an hour of listening."""

DEFAULT_FOLDER = "review-page"
"""Folder of the page, in that of the results."""


def review(
    results: str | os.PathLike[str],
    folder: str | os.PathLike[str] | None = None,
    *,
    target_class: str | None = None,
    clips: int = DEFAULT_CLIPS,
    seed: int = 0,
    recordings: str | os.PathLike[str] | None = None,
    models: str | os.PathLike[str] | None = None,
    padding_seconds: float = 1.0,
    progress: Callable[[int, int], object] | None = None,
) -> MadeReview:
    """Draw a sample of results, and write a page on which a person judges it: yes, no, unsure, another class.

    The sample comes from every range of scores, also from below the threshold, so that it tells what was missed.
    docs/review.md describes the page and the table of verdicts.

    Parameters
    ----------
    results : path
        A folder that ``detect`` or ``remote detect`` wrote, with the format parquet or json.
    folder : path, optional
        Where the page goes; ``review-page`` in the folder of results unless given, for a class ``review-page-CLASS``.
    target_class : str, optional
        Which of the target classes of the results is reviewed; the first unless given.
    clips : int
        Size of the sample.
    seed : int
        Another one draws another sample. The same seed with more clips adds to the sample.
    recordings : path, optional
        Folder of the recordings, for results that were made elsewhere.
    models : path, optional
        Folder or ``s3://bucket`` of the models, which know their band.
    padding_seconds : float
        Sound before and after each clip.
    progress : callable, optional
        Is told how many clips are done, and how many there are.

    Returns
    -------
    MadeReview
        ``page`` is the file to open.

    Raises
    ------
    InvalidRequest
        There are no results, or the sample is too small for their ranges of scores.
    RecordingNotFound
        A recording is not there.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=20, seed=6)
    >>> saved = af.detect("reef.wav", processes=1).save("results")
    >>> made = af.review("results", clips=50)
    >>> made.page.as_posix(), len(made.rows) == made.n_units  # 20 seconds have fewer units than 50, so all are drawn
    ('results/review-page/index.html', True)
    """
    root = Path(results)
    return make_review(
        root,
        root / _folder_of(target_class) if folder is None else Path(folder),
        label=target_class,
        clips=clips,
        seed=seed,
        models=open_store(models_or_default(models)),
        recordings=None if recordings is None else Path(recordings),
        padding_seconds=padding_seconds,
        progress=progress,
    )


def _folder_of(label: str | None) -> str:
    return DEFAULT_FOLDER if label is None else f"{DEFAULT_FOLDER}-{re.sub(r'[^A-Za-z0-9._-]+', '-', label)}"


def take_verdicts(results: str | os.PathLike[str], *tables: str | os.PathLike[str]) -> TakenVerdicts:
    """Add the tables of verdicts that reviewers saved to those beside the results, and write them as labels.

    ``verdicts.csv`` and ``review-labels.csv`` lie in the folder of results afterwards. Verdicts of several reviewers
    are kept apart; a later verdict of the same reviewer replaces the earlier one.

    Parameters
    ----------
    results : path
        The folder that was reviewed.
    *tables : path
        Files that the page saved.

    Raises
    ------
    InvalidRequest
        A table is damaged, or is about other results. Nothing is changed then.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=20, seed=6)
    >>> saved = af.detect("reef.wav", processes=1).save("results")
    >>> made = af.review("results")
    >>> taken = af.take_verdicts("results", made.page.with_name("to-judge.csv"))  # nobody has judged it yet
    >>> taken.table.reviewers, taken.n_labels
    ((), 0)
    """
    return take_tables(Path(results), [Path(table) for table in tables])
