"""Train: recordings and labels become a model that :func:`anemonefish.detect` can use, and a report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from anemonefish.errors import InvalidSettings, ModelNotFound
from anemonefish.front.annotation_tables import Annotations
from anemonefish.front.model_location import default_models
from anemonefish.jobs.request import DEFAULT_MODEL
from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store
from anemonefish.training.held_out import ClassFigures
from anemonefish.training.train_model import Progress, TrainingRequest, train_model
from anemonefish.training.training_options import TrainingOptions
from anemonefish.training.training_record import TrainingRecord

__all__ = ["TrainingResult", "train"]


_TRUNK = "reef@2.0.0"
"""The reference network for ``band-db``, which hears the band of the calls whatever the gain and offset are."""


@dataclass(frozen=True, slots=True, repr=False)
class TrainingResult:
    """A trained model: ``af.detect(paths, result.model, models=result.models)`` uses it.

    Attributes
    ----------
    model : str
        ``name@version``.
    models : Path
        The folder that it was published to.
    report, ledger : Path
        A page with figures, curves and examples; a table of all files.
    test : dict of str to ClassFigures
        By class, how good it is on the test recordings.
    spec : ModelSpec
    record : TrainingRecord
        Everything that was used and chosen.

    Examples
    --------
    >>> import anemonefish as af
    >>> af.TrainingResult.__doc__.splitlines()[0]
    'A trained model: ``af.detect(paths, result.model, models=result.models)`` uses it.'
    """

    model: str
    models: Path
    report: Path
    ledger: Path
    test: dict[str, ClassFigures]
    spec: ModelSpec = field(repr=False)
    record: TrainingRecord = field(repr=False)

    def __repr__(self) -> str:
        lines = [f"{self.model} in {self.models}; report {self.report}", *self.record.lines()]
        return "\n".join(lines)


def train(
    recordings: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    labels: Annotations | str | os.PathLike[str],
    *,
    models: str | os.PathLike[str] = "models",
    name: str | None = None,
    version: str | None = None,
    classes: Sequence[str] = (),
    target_class: str | Sequence[str] | None = None,
    mapping: Mapping[str, str] | None = None,
    few: int | None = None,
    description: str = "",
    license: str = "",
    progress: Progress | None = None,
    **options: Any,
) -> TrainingResult:
    """Train a model on recordings and labels, test it on recordings that it has not heard, and publish it.

    Needs TensorFlow: ``pip install 'anemonefish[train]'``.

    Parameters
    ----------
    recordings : path or sequence of path
        Recordings, or folders of them, of any format that :func:`.detect` reads.
    labels : Annotations or path
        A Raven selection table, an Audacity label track, a CSV, or a folder of them; matched with recordings by name.
    models : path
        Folder to publish to.
    name, version : str, optional
        The target class, and the first free of 1.0.0, 1.1.0 and so on, unless given.
    classes : sequence of str
        The model's classes; every name of the labels unless given. Other names are other sounds.
    target_class : str or sequence of str, optional
        The class whose events ``detect`` looks for, or several; the figures of the description are those of the first.
    mapping : mapping of str to str, optional
        Class by label, where they differ; ``"*"`` stands for every other label.
    few : int, optional
        For 10 to 100 labels: train a linear layer behind the reference network, on at most so many labels of each
        class.
    description, license : str
        Of the model.
    progress : callable, optional
        Called with the name of a step, what is done of it, and all of it.
    **options
        Other fields of :class:`~anemonefish.training.training_options.TrainingOptions`, for example ``precision=0.8``.

    Returns
    -------
    TrainingResult

    Raises
    ------
    InvalidRequest
        The recordings and labels are not enough, or do not belong together.
    InvalidSettings
        An option is unknown or out of range.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=20, seed=6)
    >>> af.train("reef.wav", "reef.wav.selections.txt", classes=["anemonefish"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    anemonefish.errors.InvalidRequest: the class 'anemonefish' is in 1 recording (reef.wav), and three are needed: ...
    """
    if isinstance(labels, Annotations):
        options = {
            "label_column": labels.label_column,
            "times_per_file": labels.times_per_file,
            "pattern": labels.pattern,
            **options,
        }
        labels = labels.path
    known = {each.name for each in fields(TrainingOptions)}
    for option in options:
        if option not in known:
            raise InvalidSettings(f"a training has no option {option!r}; it has {', '.join(sorted(known))}")
    given = [recordings] if isinstance(recordings, str | os.PathLike) else recordings
    out = Path(models)
    targets = (target_class,) if isinstance(target_class, str) else tuple(dict.fromkeys(target_class or ()))
    trained = train_model(
        TrainingRequest(
            recordings=tuple(os.fspath(path) for path in given),
            labels=Path(labels),
            out=out,
            name=name,
            version=version,
            options=TrainingOptions(
                classes=tuple(classes),
                target=next(iter(targets), None),
                more_targets=targets[1:],
                mapping=dict(mapping or {}),
                few=few,
                **options,
            ),
            trunk=_trunk(),
            description=description,
            license=license,
        ),
        progress or _no_progress,
    )
    spec, record = trained.spec, trained.record
    test = {each.label: each for each in record.figures}
    return TrainingResult(f"{spec.name}@{spec.version}", out, trained.report, trained.ledger, test, spec, record)


def _trunk() -> tuple[ModelRepository, str]:
    """Return the reference network; the one for ``band-db`` lies in a checkout, and a wheel has the default model."""
    models = ModelRepository(open_store(default_models()))
    try:
        models.pin(_TRUNK)
    except ModelNotFound:
        return models, DEFAULT_MODEL
    return models, _TRUNK


def _no_progress(step: str, done: int, total: int) -> None:
    """Show nothing."""
