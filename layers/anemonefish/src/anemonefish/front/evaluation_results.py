"""Evaluate: compare results with annotations, as numbers, a table and a plot of precision over recall."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from anemonefish.errors import InvalidRequest
from anemonefish.evaluation.curves import ClassEvaluation, Evaluation
from anemonefish.evaluation.evaluate import evaluate as evaluate_results
from anemonefish.evaluation.evaluation_files import (
    EVALUATION_COLUMNS,
    evaluation_rows,
    write_evaluation,
    write_evaluation_json,
)
from anemonefish.evaluation.evaluation_options import DEFAULT_THRESHOLDS, EvaluationOptions
from anemonefish.evaluation.matching import Counts, MatchingRule
from anemonefish.front.annotation_tables import Annotations
from anemonefish.front.detections import Detections
from anemonefish.front.display import Picture, count_of, data_frame, html_table, text_table
from anemonefish.plots.precision_recall import Curve, CurvePoint, plot_precision_recall
from anemonefish.stores.folder import atomic_file
from anemonefish.stores.temporary import temporary_folder

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["EvaluationResult", "evaluate"]

_HEADINGS = ("class", "threshold", "events", "matched", "precision", "recall", "F1")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EvaluationResult:
    """How well results agree with annotations; ``evaluation["anemonefish"]`` is one class.

    Attributes
    ----------
    details : Evaluation
        Everything that was counted, and what was left out and why.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=20, seed=6)
    >>> evaluation = af.evaluate(af.detect("reef.wav", processes=1), scene.annotations)
    >>> evaluation.classes
    ('anemonefish', 'biological')
    >>> evaluation.counts(0.5).labels
    9
    """

    details: Evaluation

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that were evaluated."""
        return tuple(each.name for each in self.details.classes)

    def __getitem__(self, name: str) -> ClassEvaluation:
        for each in self.details.classes:
            if each.name == name:
                return each
        raise InvalidRequest(f"there is no class {name!r}; evaluated are {', '.join(self.classes)}")

    def counts(self, threshold: float | None = None, name: str | None = None) -> Counts:
        """Return what was counted at a threshold.

        Parameters
        ----------
        threshold : float, optional
            One of the thresholds that were evaluated; that of the results unless given.
        name : str, optional
            The class; the target class unless given.
        """
        chosen = self[name or self._target()]
        at = self.details.threshold_of(chosen.name) if threshold is None else threshold
        for point in chosen.points:
            if point.threshold == at:
                return point.counts
        raise InvalidRequest(
            f"{at:g} is no threshold of this evaluation; evaluate with thresholds=[{at:g}] to have it counted"
        )

    def _target(self) -> str:
        """Return the first of the target classes that was evaluated."""
        targets = [name for name in self.details.settings.target_classes if name in self.classes]
        return targets[0] if targets else self.classes[0]

    @property
    def precision(self) -> float | None:
        """Part of the events that match an annotation, of the target class at the threshold of the results."""
        return _number(self.counts().precision)

    @property
    def recall(self) -> float | None:
        """Part of the annotations that are found, of the target class at the threshold of the results."""
        return _number(self.counts().recall)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return _number(self.counts().f1)

    @property
    def average_precision(self) -> float | None:
        """Area under precision over recall, of the target class."""
        return _number(self[self._target()].average_precision)

    @property
    def best_threshold(self) -> float | None:
        """The threshold with the highest F1 of the target class; None if nothing was found."""
        best = self[self._target()].best
        return None if best is None else best.threshold

    def to_dataframe(self) -> DataFrame:
        """Return a row per class and threshold as a data frame of pandas, with the columns of ``evaluation.csv``.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        rows = list(evaluation_rows(self.details))
        return data_frame({column: [row[column] for row in rows] for column in EVALUATION_COLUMNS})

    def plot(self) -> Picture:
        """Draw precision over recall, a curve for each class.

        Raises
        ------
        InvalidRequest
            matplotlib is not installed.
        """
        curves = [_curve(self.details, each) for each in self.details.classes]
        return Picture(plot_precision_recall(curves, title="Precision and recall"))

    def save(self, folder: str | os.PathLike[str], *, picture: bool = False) -> Path:
        """Write ``evaluation.csv`` and ``evaluation.json``, and ``precision_recall.png`` if asked for.

        Raises
        ------
        StorageError
            The folder cannot be written.
        InvalidRequest
            A picture is asked for and matplotlib is not installed.
        """
        out = Path(folder)
        for name, write in (("evaluation.csv", write_evaluation), ("evaluation.json", write_evaluation_json)):
            with (
                atomic_file(out / name) as path,
                path.open(
                    "w", encoding="utf-8", errors="backslashreplace", newline=""
                ) as file,  # names are not always UTF-8
            ):
                write(file, self.details)
        if picture:
            drawn = self.plot()
            with atomic_file(out / "precision_recall.png") as path:
                drawn.save(path)
        return out

    def _rows(self) -> list[tuple[str, ...]]:
        rows = []
        for each in self.details.classes:
            own = self.details.threshold_of(each.name)
            for point in each.points:
                if point.threshold == own or point == each.best:
                    counts = point.counts
                    rates = (_text(rate) for rate in (counts.precision, counts.recall, counts.f1))
                    rows.append((each.name, f"{point.threshold:g}", str(counts.events), str(counts.matched), *rates))
        return rows

    def _title(self) -> str:
        made = self.details
        left = f", {count_of(len(made.left_out), 'recording')} left out" if made.left_out else ""
        return (
            f"Evaluation of {count_of(len(made.labelled) + len(made.negative), 'recording')}{left}, "
            f"{float(made.seconds) / 3600:.2f} h; {made.rule.describe()}"
        )

    def __repr__(self) -> str:
        return "\n".join([self._title(), text_table(_HEADINGS, self._rows()), *self._lines()])

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{escape(line)}</li>" for line in self._lines())
        return f"<p>{escape(self._title())}</p>{html_table(_HEADINGS, self._rows())}<ul>{lines}</ul>"

    def _lines(self) -> list[str]:
        """Return the figures to report of the target class."""
        return [f"{self._target()}, {line}" for line in self[self._target()].summary.lines()]


def evaluate(
    results: Detections | str | os.PathLike[str],
    annotations: Annotations | str | os.PathLike[str],
    *,
    overlap: float | str | Fraction = 0.5,
    criterion: str = "shorter",
    bout_seconds: float | str | Fraction | None = None,
    thresholds: Sequence[float] | None = None,
    classes: Sequence[str] = (),
    mapping: Mapping[str, str] | None = None,
    unlabelled: str = "ignore",
    label_column: str | None = None,
    times_per_file: bool = False,
    pattern: str = "*",
) -> EvaluationResult:
    """Compare results with annotations: precision, recall and F1 at many thresholds.

    Parameters
    ----------
    results : Detections or path
        Results, or a folder of them with the formats parquet or json.
    annotations : Annotations or path
        Annotations, or a file or folder of them; matched with recordings by name.
    overlap : float
        Least part that an event and an annotation share, above 0 and at most 1.
    criterion : {"shorter", "iou"}
        Part of what: of the shorter of the two, or of their union.
    bout_seconds : float, optional
        Count annotations of a class that are closer than this as one; each by itself unless given.
    thresholds : sequence of float, optional
        0.05 apart unless given; that of the results is always added.
    classes : sequence of str
        Classes of the model; those of the annotations unless given.
    mapping : mapping of str to str, optional
        Class by label, where they differ; ``"*"`` stands for every other label.
    unlabelled : {"ignore", "negative"}
        Recordings without annotations: left out, or known to hold nothing.
    label_column, times_per_file, pattern
        As in :func:`.read_annotations`, for a path.

    Returns
    -------
    EvaluationResult

    Raises
    ------
    InvalidRequest
        Results and annotations do not belong together, or none of them can be read.
    InvalidSettings
        An option is out of range.

    Examples
    --------
    >>> import anemonefish as af
    >>> scene = af.simulate("reef.wav", seconds=20, seed=6)
    >>> evaluation = af.evaluate(af.detect("reef.wav", processes=1), "reef.wav.selections.txt")
    >>> evaluation.precision
    1.0
    """
    if isinstance(annotations, Annotations):
        label_column, times_per_file = annotations.label_column, annotations.times_per_file
        pattern, annotations = annotations.pattern, annotations.path
    options = EvaluationOptions(
        rule=MatchingRule(_fraction(overlap), criterion),
        bout_seconds=None if bout_seconds is None else _fraction(bout_seconds),
        thresholds=DEFAULT_THRESHOLDS if thresholds is None else thresholds,
        classes=classes,
        mapping=mapping or {},
        unlabelled=unlabelled,
        label_column=label_column,
        times_per_file=times_per_file,
        pattern=pattern,
    )
    if not isinstance(results, Detections):
        return EvaluationResult(evaluate_results(Path(results), Path(annotations), options))
    with temporary_folder() as folder:
        results.save(folder, "parquet")
        return EvaluationResult(evaluate_results(Path(folder), Path(annotations), options))


def _fraction(value: float | str | Fraction) -> Fraction:
    """Return a number as it was written: 0.1 is a tenth, not its nearest binary number."""
    return value if isinstance(value, Fraction) else Fraction(str(value))


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _text(value: Fraction | None) -> str:
    return "-" if value is None else f"{float(value):.3f}"


def _curve(made: Evaluation, each: ClassEvaluation) -> Curve:
    points = [
        CurvePoint(point.threshold, float(point.counts.recall), float(point.counts.precision))
        for point in each.points
        if point.counts.recall is not None and point.counts.precision is not None
    ]
    return Curve(each.name, tuple(points), _number(each.average_precision), made.threshold_of(each.name))
