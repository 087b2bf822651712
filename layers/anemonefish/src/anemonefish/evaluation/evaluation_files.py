"""Write an evaluation as ``evaluation.csv``, one row per class and threshold, and as ``evaluation.json``, complete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, TextIO

from anemonefish.csv_cells import write_rows
from anemonefish.evaluation.curves import ClassEvaluation, Evaluation, Point
from anemonefish.evaluation.matching import Counts

__all__ = ["EVALUATION_COLUMNS", "evaluation_rows", "write_evaluation", "write_evaluation_json"]

EVALUATION_COLUMNS = (
    "class",
    "threshold",
    "labels",
    "events",
    "matched",
    "false_positives",
    "missed",
    "precision",
    "recall",
    "f1",
    "labels_found",
    "events_right",
    "false_positives_per_hour",
)

Cell = str | float | int | None


def write_evaluation(file: TextIO, evaluation: Evaluation) -> None:
    """Write one row per class and threshold; a value that is not defined (precision without events) is empty.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    """
    write_rows(file, [EVALUATION_COLUMNS])
    write_rows(file, ([_text(row[column]) for column in EVALUATION_COLUMNS] for row in evaluation_rows(evaluation)))


def evaluation_rows(evaluation: Evaluation) -> Iterator[dict[str, Cell]]:
    """Yield a row per class and threshold, by the names of :data:`EVALUATION_COLUMNS`; None where not defined."""
    for evaluated in evaluation.classes:
        for point in evaluated.points:
            yield {"class": evaluated.name, **_point_fields(evaluation, point)}


def _point_fields(evaluation: Evaluation, point: Point) -> dict[str, Cell]:
    counts = point.counts
    return {
        "threshold": point.threshold,
        "labels": counts.labels,
        "events": counts.events,
        "matched": counts.matched,
        "false_positives": counts.false_positives,
        "missed": counts.missed,
        "precision": _decimal(counts.precision),
        "recall": _decimal(counts.recall),
        "f1": _decimal(counts.f1),
        "labels_found": counts.labels_found,
        "events_right": counts.events_right,
        "false_positives_per_hour": _decimal(evaluation.per_hour(counts.false_positives)),
    }


def _decimal(value: Fraction | None) -> float | None:
    """Return a fraction rounded to six decimals."""
    return None if value is None else round(float(value), 6)


def _text(value: Cell) -> str:
    return "" if value is None else str(value)


def write_evaluation_json(file: TextIO, evaluation: Evaluation) -> None:
    """Write everything: the rule, the settings, the recordings and every point."""
    document = {
        "model": evaluation.model,
        "settings": {**evaluation.settings.decision(), **evaluation.settings.scoring()},
        "rule": {
            "criterion": evaluation.rule.criterion,
            "overlap": _decimal(evaluation.rule.overlap),
            "bout_seconds": _decimal(evaluation.bout_seconds),
            "description": evaluation.rule.describe(),
        },
        "recordings": {
            "seconds": _decimal(evaluation.seconds),
            "unlabelled": evaluation.unlabelled,
            "labelled": list(evaluation.labelled),
            "negative": list(evaluation.negative),
            "ignored": list(evaluation.ignored),
            "left_out": dict(evaluation.left_out),
        },
        "label_files": {
            "not_read": dict(evaluation.unread),
            "counted_once": list(evaluation.repeated),
            "labels_by_column": dict(evaluation.named_by),
            "labels_without_a_name": evaluation.unnamed,
        },
        "labels_not_counted": {
            "recordings_without_results": dict(evaluation.elsewhere),
            "names_that_are_no_class": dict(evaluation.unmapped),
        },
        "classes": [_class_fields(evaluation, evaluated) for evaluated in evaluation.classes],
    }
    json.dump(document, file, indent=2, ensure_ascii=False, allow_nan=False)
    file.write("\n")


def _class_fields(evaluation: Evaluation, evaluated: ClassEvaluation) -> dict[str, Any]:
    best = evaluated.best
    return {
        "class": evaluated.name,
        "average_precision": _decimal(evaluated.average_precision),
        "threshold": evaluation.threshold_of(evaluated.name),
        "best_f1_threshold": None if best is None else best.threshold,
        "summary": evaluated.summary.to_dict(),
        "recordings": [
            {"recording": name, **_counts_fields(counts)} for name, counts in sorted(evaluated.by_recording.items())
        ],
        "points": [_point_fields(evaluation, point) for point in evaluated.points],
    }


def _counts_fields(counts: Counts) -> dict[str, int]:
    return {
        "labels": counts.labels,
        "events": counts.events,
        "matched": counts.matched,
        "labels_found": counts.labels_found,
        "events_right": counts.events_right,
    }
