"""Analyse recordings: detect events, score without deciding, or say beforehand what an analysis will take."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from anemonefish.errors import AnemonefishError, InvalidRequest, InvalidSettings
from anemonefish.front.detections import Detections
from anemonefish.front.inference import ModelInference
from anemonefish.front.model_location import model_or_default, models_or_default
from anemonefish.front.scored_jobs import ScoredJob, TemporaryFolder
from anemonefish.front.scores import Scores
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import Plan
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.settings import MOST_CLIPS, Settings
from anemonefish.stores import open_store
from anemonefish.workflow import local
from anemonefish.workflow.find_recordings import Found, find_recordings
from anemonefish.workflow.local import Progress, shared_job
from anemonefish.workflow.planner import plan_job
from anemonefish.workflow.review import Review, write_review

__all__ = ["Paths", "detect", "plan", "score"]

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Found
"""One recording or folder, several of them, or what was found in them."""

_FAILURES = ("warn", "raise", "ignore")
_SHOWN = 3


def detect(
    paths: Paths,
    model: str | ModelInference | None = None,
    *,
    models: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    clips: bool = False,
    pictures: bool = False,
    padding_seconds: float = 1.0,
    most_clips: int = MOST_CLIPS,
    processes: int | None = None,
    progress: Progress | None = None,
    failures: str = "warn",
    **settings: Any,
) -> Detections:
    """Find events in recordings.

    Parameters
    ----------
    paths : path, or iterable of paths
        A recording, a folder of recordings, an ``s3://`` object or prefix, or several of them.
    model : str or ModelInference, optional
        ``name``, ``name@alias`` or ``name@version``. ``ANEMONEFISH_MODEL`` unless given, else the reference model.
    models : path, optional
        Folder or ``s3://bucket`` of the models. ``ANEMONEFISH_MODELS`` unless given, else the models that ship.
    folder : path, optional
        Write scores and results to this folder, as ``anemonefish detect --out`` does. Scores are stored by recording
        content, so an interrupted call resumes. Without it, scores lie in a temporary folder until the results are
        deleted, and :meth:`.Detections.save` writes the same files.
    clips, pictures, padding_seconds, most_clips
        What to cut and to draw for review in ``folder``, as in :meth:`.Detections.save`.
    processes : int, optional
        Number of processes; one per core unless given.
    progress : callable, optional
        Called with the number of windows that are scored and the number of all.
    failures : {"warn", "raise", "ignore"}
        What to do when some of several recordings fail; the others are analysed in any case, and ``.failures`` has the
        errors.
    **settings
        Any setting of docs/settings.md: ``threshold=0.7``, ``time_zone="+10:00"``, ``formats=["raven"]``.

    Returns
    -------
    Detections

    Raises
    ------
    RecordingError
        The only recording cannot be analysed; the error names the reason.
    EveryRecordingFailed
        None of several recordings can be analysed.
    InvalidSettings, InvalidRequest, ModelError, StorageError
        A setting, the request, the model or the folder is not usable.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=6, seed=6)
    >>> results = af.detect("reef.wav", threshold=0.6, processes=1)
    >>> len(results.events) > 0
    True
    >>> results.events[0].label, results.failures
    ('anemonefish', {})
    """
    found, wanted = _found(paths), Settings.load(settings)
    _check_choice(failures)
    reference, models_uri = _model(model, models)
    options: dict[str, Any] = {"models_uri": models_uri, "processes": processes, "progress": progress}
    if folder is None:
        if clips or pictures:
            raise InvalidRequest("clips and pictures need a folder; name one, or call save on the results")
        with TemporaryFolder() as temporary:
            job, planned = local.score(found.recordings, reference, wanted, folder=temporary.path, **options)
            run = ScoredJob(job, planned, _spec(models_uri, planned), wanted, temporary)
            results = run.detections(run.outcomes(), found.others)
    else:
        reviews: list[Review] = []

        def review(job: Job, new: Path) -> None:
            kinds = {"clips": clips, "pictures": pictures}
            models_of_job = ModelRepository(open_store(models_uri))
            reviews.append(
                write_review(job, models_of_job, new, **kinds, padding_seconds=padding_seconds, most_clips=most_clips)
            )

        planned, outcomes = local.detect(
            found.recordings,
            reference,
            wanted,
            out=Path(folder),
            review=review if clips or pictures else None,
            not_looked_at=found.others,
            **options,
        )
        run = ScoredJob(shared_job(os.fspath(folder)), planned, _spec(models_uri, planned), wanted)
        results = run.detections(outcomes, found.others, reviews[0] if reviews else None)
    _report(results.failures, len(results.planned), failures)
    return results


def score(
    paths: Paths,
    model: str | ModelInference | None = None,
    *,
    models: str | os.PathLike[str] | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
    failures: str = "warn",
    **settings: Any,
) -> Scores:
    """Score the windows of recordings and decide nothing.

    Parameters
    ----------
    paths, model, models, processes, progress, failures
        As in :func:`detect`.
    **settings
        Settings that change scores: ``window_seconds``, ``hop_seconds``, ``channel``, ``resample``, ``damaged``.

    Returns
    -------
    Scores
        One row per window of every recording, before smoothing.

    Raises
    ------
    AnemonefishError
        As :func:`detect`.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=2, seed=6)
    >>> scores = af.score("reef.wav", processes=1)
    >>> float(scores.end_seconds[-1]), scores.values.dtype.name
    (2.0, 'float32')
    """
    found, wanted = _found(paths), Settings.load(settings)
    _check_choice(failures)
    reference, models_uri = _model(model, models)
    with TemporaryFolder() as temporary:
        job, planned = local.score(
            found.recordings,
            reference,
            wanted,
            models_uri=models_uri,
            folder=temporary.path,
            processes=processes,
            progress=progress,
        )
        run = ScoredJob(job, planned, _spec(models_uri, planned), wanted)
        made = run.scores()
    _report(made.failures, len(planned.recordings), failures)
    return made


def plan(
    paths: Paths,
    model: str | ModelInference | None = None,
    *,
    models: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Plan:
    """Say what an analysis would take in an AWS account, before anything runs.

    Parameters
    ----------
    paths, model, models
        As in :func:`detect`.
    **settings
        Any setting of docs/settings.md; ``target_seconds``, ``max_concurrency`` and ``memory_mb`` change the answer.

    Returns
    -------
    Plan
        ``.quote`` has windows, seconds and dollars; ``.recordings`` how each recording is read, or why it cannot be.

    Raises
    ------
    AnemonefishError
        As :func:`detect`.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=2, seed=6)
    >>> quote = af.plan("reef.wav").quote
    >>> quote.recordings, quote.audio_seconds, quote.windows > 0, quote.expected_usd > 0
    (1, 2.0, True, True)
    """
    found, wanted = _found(paths), Settings.load(settings)
    reference, models_uri = _model(model, models)
    return plan_job(found.recordings, reference, wanted, ModelRepository(open_store(models_uri)))


def _found(paths: Paths) -> Found:
    if isinstance(paths, Found):
        return paths
    every = [paths] if isinstance(paths, str | os.PathLike) else paths
    return find_recordings(os.fspath(path) for path in every)


def _model(model: str | ModelInference | None, models: str | os.PathLike[str] | None) -> tuple[str, str]:
    """Return the reference of a model and where models lie."""
    if isinstance(model, ModelInference):
        return model.reference, model.models
    return model_or_default(model), models_or_default(models)


def _spec(models_uri: str, planned: Plan) -> ModelSpec:
    return ModelRepository(open_store(models_uri)).spec(planned.model)


def _check_choice(failures: str) -> None:
    if failures not in _FAILURES:
        raise InvalidSettings(f"failures must be one of {', '.join(_FAILURES)}, not {failures!r}")


def _report(failed: Mapping[str, AnemonefishError], total: int, how: str) -> None:
    """Warn of recordings that failed, or raise the error of the first."""
    errors = list(failed.values())
    if not errors or how == "ignore":
        return
    if how == "raise":
        raise errors[0]
    reasons = "; ".join(f"{type(error).__name__}: {error}" for error in errors[:_SHOWN])
    more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    warnings.warn(f"{len(errors)} of {total} recordings failed: {reasons}{more}", stacklevel=3)
