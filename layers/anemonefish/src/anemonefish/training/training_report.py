"""The report of a training: one HTML file without a script, with its pictures and sounds inside.

A browser that follows its policy loads nothing from anywhere, so the file can be sent and kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anemonefish.evaluation.curves import Point, average_precision
from anemonefish.models.bundle import ModelSpec
from anemonefish.plots.precision_recall import Curve, CurvePoint, plot_precision_recall
from anemonefish.plots.training_curves import plot_progress, plot_reliability
from anemonefish.stores.folder import atomic_file
from anemonefish.training.choose_decision import ThresholdCounts
from anemonefish.training.cross_fitting import mean_precisions
from anemonefish.training.ledger_file import ledger_rows
from anemonefish.training.recording_split import PARTS
from anemonefish.training.scored_recordings import ScoredRecording
from anemonefish.training.training_record import TrainingRecord
from anemonefish.training.window_figures import confusion, reliability, window_truth
from anemonefish.training.worst_errors import WorstError, find_worst_errors

__all__ = ["write_report"]

_MOST_ERRORS = 5
"""False events, and missed calls, of each class."""

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 68rem; padding: 0 1rem; color-scheme: light dark; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
th, td {{ border-bottom: 1px solid #8886; padding: .2rem .6rem; text-align: left; vertical-align: top; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
article {{ border-top: 1px solid #8886; padding: 1rem 0; }}
h3 {{ font-size: 1rem; margin: 0; overflow-wrap: anywhere; }}
img, audio {{ display: block; max-width: 100%; margin-top: .5rem; }}
figure {{ display: inline-block; margin: 0 1rem 1rem 0; max-width: 32rem; }}
pre {{ overflow-x: auto; }}
</style>
</head>
<body>
"""  # noqa: E501

Progress = Callable[[str, int, int], None]


def write_report(
    path: Path, spec: ModelSpec, record: TrainingRecord, scored: Sequence[ScoredRecording], progress: Progress
) -> None:
    """Write the report of a training.

    Parameters
    ----------
    path : Path
    spec : ModelSpec
        The model that was published.
    record : TrainingRecord
    scored : sequence of ScoredRecording
        The test recordings.
    progress : callable

    Raises
    ------
    InvalidRequest
        matplotlib is not installed.
    """
    progress("writing the report", 0, 1)
    truth = window_truth(scored, len(record.classes), record.options)
    scores = np.concatenate([each.scores for each in scored])
    band = record.input.profile.band(record.input.sample_rate)
    errors = find_worst_errors(scored, record.classes, record.decided, band, _MOST_ERRORS)
    page = [
        _HEAD.format(title=escape(f"Training of {spec.title}")),
        f"<h1>{escape(spec.title)}</h1>\n<p>{escape(spec.description)}</p>\n",
        *_figures(record),
        *_heard(record),
        *_curves(record, truth, scores),
        *_confusion(record, confusion(truth, scores, record.decided)),
        *_errors(errors),
        *_ledger(record),
        *_settings(spec, record),
        "</body>\n</html>\n",
    ]
    with atomic_file(path) as temporary:
        temporary.write_text("".join(page), encoding="utf-8")
    progress("writing the report", 1, 1)


def _figures(record: TrainingRecord) -> Iterator[str]:
    yield (
        "<h2>How good it is</h2>\n<p>On the test recordings, which nothing was learned from or chosen by. Each call by "
        "itself, as <code>anemonefish evaluate</code> counts; in parentheses the 90 % interval over recordings, if "
        "there are five or more.</p>\n"
    )
    yield _table(
        ("class", "threshold", "labels", "events", "precision", "recall", "F1", "false events an hour"),
        [
            (
                each.label,
                f"{each.threshold:g}",
                str(each.calls.labels),
                str(each.calls.events),
                each.precision.words(),
                each.recall.words(),
                each.f1.words(),
                each.summary.false_per_hour.words(1),
            )
            for each in record.figures
        ],
    )
    yield "<p>An event over several calls matches one of them. Calls in any event, and bouts:</p>\n"
    yield _table(
        ("class", "calls in an event", "bouts", "bout precision", "bout recall", "bout F1"),
        [
            (
                each.label,
                f"{each.calls.labels_found} of {each.calls.labels}",
                str(each.bouts.labels),
                *(rate(bouts=True).words() for rate in (each.summary.precision, each.summary.recall, each.summary.f1)),
            )
            for each in record.figures
        ],
    )


def _heard(record: TrainingRecord) -> Iterator[str]:
    rows = []
    for part in PARTS:
        heard = record.heard(part)
        labels = ", ".join(f"{count} {label}" for label, count in heard["labels"].items())
        sites = ", ".join(heard["sites"])
        rows.append((part, str(heard["recordings"]), f"{heard['hours']:.3f}", labels, sites, str(heard["days"] or "")))
    yield f"<h2>What it has heard</h2>\n<p>Divided by {record.split.by}.</p>\n"
    yield _table(("part", "recordings", "hours", "labels", "sites", "days"), rows)


def _curves(record: TrainingRecord, truth: NDArray[np.int8], scores: NDArray[np.float32]) -> Iterator[str]:
    yield "<h2>Curves</h2>\n"
    held_out = [
        _curve(label, chosen.threshold, chosen.curve)
        for label, chosen in zip(record.classes, record.decided.thresholds, strict=True)
    ]
    test = [_curve(each.label, each.threshold, each.curve) for each in record.figures]
    yield _picture(
        plot_precision_recall(held_out, title="Cross-fitting: thresholds were chosen here"),
        f"Precision over recall of the recordings of the training, each scored by a network that had not learned from "
        f"it; wanted precision {record.options.precision:g}.",
    )
    yield _picture(plot_precision_recall(test, title="Test"), "Precision over recall of the test recordings.")
    yield _picture(
        plot_reliability(reliability(truth, scores, record.classes), title="Reliability of the scores (test)"),
        "Share of the windows of a score that hold the class. A score is not a probability.",
    )
    precisions, losses = mean_precisions(record.fitted.folds), [each.loss for each in record.fitted.folds[0].epochs]
    if len(precisions) > 1 and not record.trunk:
        yield _picture(
            plot_progress(losses[: len(precisions)], precisions, record.fitted.epoch, title="Epochs"),
            "Loss of the first fold, of varied windows with hard negatives, and average precision on the windows of "
            "the recordings that were held out, over all folds, which decides for how long the network is trained.",
        )


def _curve(label: str, threshold: float, curve: Sequence[ThresholdCounts]) -> Curve:
    points = [Point(at.threshold, at.calls) for at in curve]
    shown = tuple(
        CurvePoint(point.threshold, float(point.counts.recall), float(point.counts.precision))
        for point in points
        if point.counts.recall is not None and point.counts.precision is not None
    )
    area = average_precision(points)
    return Curve(label, shown, None if area is None else float(area), threshold)


def _confusion(record: TrainingRecord, table: NDArray[np.int64]) -> Iterator[str]:
    yield (
        "<h2>Confusion</h2>\n<p>Windows of the test recordings: of those that hold a class by the labels, how many are "
        "above the threshold of each class. Windows may hold several classes.</p>\n"
    )
    names = (*record.classes, "no class")
    yield _table(
        ("window holds", "windows", *(f"above {label}" for label in record.classes), "above none"),
        [(name, *(str(count) for count in row)) for name, row in zip(names, table.tolist(), strict=True)],
    )


def _errors(errors: Sequence[WorstError]) -> Iterator[str]:
    yield (
        "<h2>The worst errors</h2>\n<p>Of the test recordings: events with the highest scores that agree with no "
        "label, "
        "and labels with the lowest scores that agree with no event. Often it is the label that is wrong. If you "
        "correct labels or change settings because of them, these recordings are no longer unseen: test on others "
        "then. Clips are made as loud as half of full scale.</p>\n"
    )
    if not errors:
        yield "<p>There are none.</p>\n"
    for error in errors:
        words = f"{error.kind}: {error.label}, {error.recording}, {error.start:.2f} to {error.stop:.2f} s"
        yield (
            f"<article>\n<h3>{escape(words)}</h3>\n<p>highest score {error.score:.3f}</p>\n"
            f'<img alt="Spectrogram of the {escape(words)}" src="{_data("image/png", error.picture)}">\n'
            f'<audio controls preload="none" src="{_data("audio/flac", error.clip)}"></audio>\n</article>\n'
        )


def _ledger(record: TrainingRecord) -> Iterator[str]:
    header, *rows = ledger_rows(record)
    yield "<h2>Ledger</h2>\n<p>Every file, what it was used for, and why not.</p>\n"
    yield _table(header, rows)
    yield "<p>What the names of the labels mean:</p>\n"
    meanings = record.to_dict()["label_names"]
    yield _table(
        ("name", "labels", "means"),
        [(name, str(entry["labels"]), entry["means"]) for name, entry in meanings.items()],
    )


def _settings(spec: ModelSpec, record: TrainingRecord) -> Iterator[str]:
    document = record.to_dict()
    decision = ", ".join(f"{name} {value}" for name, value in spec.decision.to_dict().items())
    yield f"<h2>Rules and settings</h2>\n<p>{escape(document['window_rule'])}.</p>\n"
    yield f"<p>Events: {escape(decision)}. Matching: {escape(document['matching'])}.</p>\n"
    text = json.dumps({"options": document["options"], "profile": spec.profile.to_dict()}, indent=1, ensure_ascii=False)
    yield f"<pre>{escape(text)}</pre>\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f"<table>\n<tr>{head}</tr>\n{body}</table>\n"


def _cell(text: str) -> str:
    is_number = text[:1].isdigit()
    return f'<td class="number">{escape(text)}</td>' if is_number else f"<td>{escape(text)}</td>"


def _picture(png: bytes, caption: str) -> str:
    return (
        f'<figure><img alt="{escape(caption)}" src="{_data("image/png", png)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
