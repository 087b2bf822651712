"""Evaluate: how well the events of a folder of results agree with labels.

Owns precision, recall, F1 and average precision per class and threshold, by the rule of :mod:`~anemonefish.matching`,
and the files that say so. For every threshold the events are decided again
from stored scores with the settings stamped into the results, so a sweep is a sweep of the whole system (smoothing,
shortest duration and merging included) and not of the confidences of events that one threshold happened to find.

Everything that decides is integers: events are samples, labels microseconds, and both are compared on the clock that
has each of them as whole ticks. Precision and recall are fractions until they are printed.

Never changes results or labels, and chooses no threshold for anybody.

Sources: Bilen et al. 2020, "A framework for the robust evaluation of sound event detection", ICASSP (PSDS: thresholds
swept on the system); Ebbers et al. 2022,
"Threshold-independent evaluation of sound event detection scores", ICASSP; Everingham et al. 2015, "The PASCAL visual
object classes challenge: a retrospective", IJCV 111:98 (average precision as the area under interpolated precision).
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from anemonefish.containers import AUDIO_EXTENSIONS
from anemonefish.errors import InvalidRequest, InvalidSettings
from anemonefish.events import Event, find_events, smooth
from anemonefish.labels import Label, RecordingNames, find_label_files, read_labels
from anemonefish.matching import Counts, Interval, Rule
from anemonefish.settings import Settings
from anemonefish.windows import WindowGrid

__all__ = [
    "DEFAULT_THRESHOLDS",
    "EVALUATION_COLUMNS",
    "UNLABELLED",
    "ClassEvaluation",
    "Evaluation",
    "Point",
    "Question",
    "ScoredRecording",
    "average_precision",
    "evaluate",
    "find_results",
    "merge",
    "read_result",
    "write_evaluation",
    "write_evaluation_json",
]

UNLABELLED = ("ignore", "negative")
"""What a recording without a label file is: not looked at, or known to hold nothing."""

DEFAULT_THRESHOLDS = (0.01, 0.02, *(step / 20 for step in range(1, 20)), 0.98, 0.99)
"""0.05 apart, closer at both ends, where networks with a softmax put most of their scores."""

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

EVERYTHING_ELSE = "*"
"""In a mapping: every name that is not mapped and is no class of the model."""

_MICRO = 1_000_000
_PARQUET, _JSON = ".scores.parquet", ".json"
_NO_RESULTS = frozenset({"manifest.json", "plan.json", "evaluation.json"})
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Point:
    """The counts at one threshold."""

    threshold: float
    counts: Counts


def average_precision(points: Iterable[Point]) -> Fraction | None:
    """Return the area under interpolated precision over recall; None without labels.

    ``AP = sum over rising recalls of (r_i - r_(i-1)) * max(precision at any threshold whose recall is at least r_i)``,
    from recall 0 on. Above the highest recall that any threshold reaches it counts nothing. Recall need not fall as the
    threshold rises, because events merge below; that is why precision is interpolated by recall and not by threshold.
    """
    pairs = [(point.counts.recall, point.counts.precision) for point in points]
    reached = sorted({recall for recall, _ in pairs if recall is not None})
    if not reached:
        return None
    area, before = Fraction(0), Fraction(0)
    for recall in reached:
        best = max((p for r, p in pairs if r is not None and p is not None and r >= recall), default=Fraction(0))
        area += (recall - before) * best
        before = recall
    return area


# ----------------------------------------------------------------------------------------- results


@dataclass(frozen=True, slots=True)
class ScoredRecording:
    """One recording of a folder of results, ready to be decided again.

    Attributes
    ----------
    name : str
    sample_rate : int
        Samples per second of the analysis.
    seconds : Fraction
        Length of the recording.
    grid : WindowGrid
    classes : tuple of str
    scores : ndarray, shape (n_windows, n_classes), float32
        Raw. Exact from Parquet; from JSON they have six decimals, so a score within half a millionth of a threshold may
        fall on its other side.
    settings : Settings
        As stamped into the result.
    model : str
        Name, version and hash.
    """

    name: str
    sample_rate: int
    seconds: Fraction
    grid: WindowGrid
    classes: tuple[str, ...]
    scores: NDArray[np.float32]
    settings: Settings
    model: str

    def events(self, smoothed: NDArray[np.float32], label: str, threshold: float) -> tuple[Event, ...]:
        """Decide the events of a class as the system does, with another threshold.

        Parameters
        ----------
        smoothed : ndarray, shape (n_windows, n_classes), float32
            The scores after :func:`anemonefish.events.smooth`.
        label : str
            The class.
        threshold : float
        """
        settings = replace(self.settings, threshold=threshold, target_class=label)
        column = np.ascontiguousarray(smoothed[:, self.classes.index(label)])
        return find_events(column, self.grid, self.sample_rate, label, settings)


def find_results(folder: Path) -> dict[str, Path]:
    """Return the best file with scores of each recording below a folder: Parquet, else JSON.

    Raises
    ------
    InvalidRequest
        No result is there.
    """
    found: dict[str, Path] = {}
    files = sorted(folder.rglob("*")) if folder.is_dir() else []
    for suffix in (_JSON, _PARQUET):  # the later one replaces the earlier
        for file in files:
            inside = file.relative_to(folder)
            hidden = any(part.startswith(".") for part in inside.parts)
            if file.name.endswith(suffix) and file.name not in _NO_RESULTS and not hidden and file.is_file():
                found[inside.as_posix().removesuffix(suffix)] = file
    if not found:
        raise InvalidRequest(
            f"{folder}: no results in this folder; it looks for NAME{_PARQUET} and NAME{_JSON}, written with the "
            f"formats parquet and json"
        )
    return dict(sorted(found.items()))


def read_result(path: Path) -> ScoredRecording:
    """Read the scores of one recording and how they are to be decided.

    Raises
    ------
    InvalidRequest
        The file is no result of ours, or is damaged.
    """
    try:
        return _read_parquet(path) if path.name.endswith(_PARQUET) else _read_json(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(
            f"{path}: not a result of this program, or damaged ({type(error).__name__}: {error}); decide it again"
        ) from None


def _read_json(path: Path) -> ScoredRecording:
    document = json.loads(path.read_bytes())
    classes = document["model"]["classes"]
    rows = [[row["probabilities"][name] for name in classes] for row in document["predictions"]]
    return _scored(document, np.asarray(rows, np.float32).reshape(-1, len(classes)))


def _read_parquet(path: Path) -> ScoredRecording:
    from arro3.io import read_parquet

    _check_parquet(path)
    try:
        table = read_parquet(path).read_all()
    except BaseException as error:
        # A damaged file is no exception to the library but a panic, which is none of Exception's children.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise ValueError(str(error).partition("\n")[0]) from None
        raise
    origin = json.loads(table.schema.metadata_str["anemonefish"])
    columns = [np.asarray(table[name].combine_chunks(), np.float32) for name in origin["model"]["classes"]]
    return _scored(origin, np.stack(columns, axis=1))


def _check_parquet(path: Path) -> None:
    """Refuse a file that was cut off, before the library panics and prints its stack.

    Raises
    ------
    ValueError
        It does not begin and end as the format demands.
    """
    with path.open("rb") as file:
        head, size = file.read(4), file.seek(0, 2)
        file.seek(max(0, size - 8))
        length, tail = int.from_bytes(file.read(4), "little"), file.read(4)
    if not head == tail == b"PAR1" or length > size - 12:
        raise ValueError("not a Parquet file, or not a whole one")


def _scored(origin: Mapping[str, Any], scores: NDArray[np.float32]) -> ScoredRecording:
    recording, model = origin["recording"], origin["model"]
    window, hop = int(recording["window_samples"]), int(recording["hop_samples"])
    covered = (len(scores) - 1) * hop + window if len(scores) else 0
    return ScoredRecording(
        name=str(recording["name"]),
        sample_rate=int(recording["analysis_sample_rate"]),
        seconds=Fraction(int(recording["frames"]), int(recording["sample_rate"])),
        grid=WindowGrid(covered, window, hop),
        classes=tuple(model["classes"]),
        scores=scores,
        settings=Settings.load(origin["settings"], {}),
        model=f"{model['name']}@{model['version']} ({model['hash'][:12]})",
    )


# ---------------------------------------------------------------------------------------- evaluate


@dataclass(frozen=True, slots=True)
class ClassEvaluation:
    """How well one class was found.

    Attributes
    ----------
    name : str
    points : tuple of Point
        By rising threshold.
    average_precision : Fraction or None
        See :func:`average_precision`; None without labels.
    by_recording : dict of str to Counts
        At the threshold of the results.
    """

    name: str
    points: tuple[Point, ...]
    average_precision: Fraction | None
    by_recording: Mapping[str, Counts]

    def at(self, threshold: float) -> Counts:
        """Return the counts at one of the thresholds."""
        return next(point.counts for point in self.points if point.threshold == threshold)

    @property
    def best(self) -> Point | None:
        """The point of the highest F1, of several the one with the highest threshold; None if nothing matched."""
        rated = [(f1, point.threshold, point) for point in self.points if (f1 := point.counts.f1) is not None]
        best = max(rated, key=lambda each: each[:2], default=None)
        return best[2] if best is not None and best[0] > 0 else None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What :func:`evaluate` found out.

    Attributes
    ----------
    model : str
    settings : Settings
        Those of the results; ``threshold`` is one of the points.
    rule : Rule
    bout_seconds : Fraction or None
        Labels closer than this were counted as one.
    unlabelled : {"ignore", "negative"}
    seconds : Fraction
        Length of all recordings that were counted.
    labelled, negative, ignored : tuple of str
        Recordings with labels (or with an empty label file); without, counted as holding nothing; without, left out.
    elsewhere : dict of str to int
        Labels of recordings that the results do not hold, by what the labels call the recording.
    unmapped : dict of str to int
        Labels by a name that is no class and was not mapped: not counted.
    classes : tuple of ClassEvaluation
    """

    model: str
    settings: Settings
    rule: Rule
    bout_seconds: Fraction | None
    unlabelled: str
    seconds: Fraction
    labelled: tuple[str, ...]
    negative: tuple[str, ...]
    ignored: tuple[str, ...]
    elsewhere: Mapping[str, int]
    unmapped: Mapping[str, int]
    classes: tuple[ClassEvaluation, ...]

    def per_hour(self, count: int) -> Fraction | None:
        """Return a count per hour of recording."""
        return Fraction(count * 3600) / self.seconds if self.seconds else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to evaluate and how.

    Attributes
    ----------
    rule : Rule
    thresholds : sequence of float
        At least 0 and below 1; the threshold of the results is added.
    classes : sequence of str
        Classes of the model; those of the labels and the target class unless given.
    mapping : mapping of str to str
        Class by name of label; ``*`` stands for every other name that is no class.
    unlabelled : {"ignore", "negative"}
    label_column : str, optional
    pattern : str
        Which files of a folder of labels.
    bout_seconds : Fraction, optional
        Labels of a class that overlap or lie less than this apart count as one: a bout. The system merges events too,
        so calls that follow one another closely can otherwise never be matched one to one.
    """

    rule: Rule = field(default_factory=Rule)
    thresholds: Sequence[float] = DEFAULT_THRESHOLDS
    classes: Sequence[str] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    unlabelled: str = "ignore"
    label_column: str | None = None
    pattern: str = "*"
    bout_seconds: Fraction | None = None

    def __post_init__(self) -> None:
        for threshold in self.thresholds:
            if not 0 <= threshold < 1:
                raise InvalidSettings(f"a threshold must be at least 0 and below 1, not {threshold!r}")
        if self.unlabelled not in UNLABELLED:
            raise InvalidSettings(f"unlabelled must be {' or '.join(UNLABELLED)}, not {self.unlabelled!r}")
        if self.bout_seconds is not None and self.bout_seconds < 0:
            raise InvalidSettings(f"the gap within a bout must be at least 0 s, not {float(self.bout_seconds):g}")


def evaluate(results: Path, labels: Path, question: Question | None = None) -> Evaluation:
    """Hold a folder of results against labels.

    One recording's scores are in memory at a time.

    Parameters
    ----------
    results : Path
        Folder with the JSON or Parquet files of a run.
    labels : Path
        A label file, or a folder of them; matched by recording name (:class:`anemonefish.labels.RecordingNames`).
    question : Question, optional

    Raises
    ------
    InvalidRequest
        Results or labels cannot be understood, or do not belong together.
    InvalidSettings
        An option out of range.
    """
    question = question or Question()
    files = find_results(results)
    assigned, elsewhere = _assign(labels, files, question)
    ignored = tuple(name for name in files if name not in assigned and question.unlabelled == "ignore")
    tally = _Tally(question, Counter(label.name for each in assigned.values() for label in each))
    for name, file in files.items():
        if name not in ignored:
            tally.add(read_result(file), name, assigned.get(name, ()))
    return tally.finish(
        labelled=tuple(name for name in files if name in assigned),
        negative=tuple(name for name in files if name not in assigned and name not in ignored),
        ignored=ignored,
        elsewhere=elsewhere,
    )


def _assign(
    path: Path, recordings: Mapping[str, Path], question: Question
) -> tuple[dict[str, list[Label]], dict[str, int]]:
    """Return the labels of each labelled recording, and how many belong to recordings that are not there."""
    names = RecordingNames(recordings, AUDIO_EXTENSIONS)
    assigned: dict[str, list[Label]] = {}
    said_by: dict[str, Path] = {}
    elsewhere: Counter[str] = Counter()
    for file in find_label_files(path, question.pattern):
        table = read_labels(file, label_column=question.label_column)
        for said in table.recordings:
            mine = [label for label in table.labels if label.recording == said] if table.labels else []
            found = names.find(said)
            if found is None and path.is_file() and not table.names_recordings and len(recordings) == 1:
                found = next(iter(recordings))  # one recording, one file named by the user: there is no other meaning
            if found is None:
                elsewhere[said] += len(mine)
                continue
            if said_by.setdefault(found, file) != file:
                raise InvalidRequest(
                    f"{found}: labels in {said_by[found].name} and in {file.name}; name the files that count, for "
                    f"example with --files '*.selections.txt'"
                )
            assigned.setdefault(found, []).extend(mine)
    if not assigned:
        raise InvalidRequest(
            f"{path}: the labels speak of {_some(elsewhere)}, the results of {_some(recordings)}; name the label files "
            f"after their recordings, or give the table a column with the recording"
        )
    return assigned, dict(sorted(elsewhere.items()))


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


class _Tally:
    """Adds recordings up, one after the other."""

    def __init__(self, question: Question, said: Mapping[str, int]) -> None:
        self.question = question
        self.said = said
        self.first: ScoredRecording | None = None
        self.seconds = Fraction(0)
        self.meaning: dict[str, str | None] = {}
        self.thresholds: tuple[float, ...] = ()
        self.counts: dict[str, dict[float, Counts]] = {}
        self.by_recording: dict[str, dict[str, Counts]] = {}

    def add(self, scored: ScoredRecording, name: str, labels: Sequence[Label]) -> None:
        """Count one recording."""
        if self.first is None:
            self._begin(scored)
        self._check_alike(scored, name)
        self._check_labels(scored, name, labels)
        self.seconds += scored.seconds
        smoothed = smooth(scored.scores, scored.settings.median_windows)
        for class_name, counts in self.counts.items():
            mine = _on_clock((label for label in labels if self.meaning[label.name] == class_name), scored.sample_rate)
            if self.question.bout_seconds is not None:
                mine = merge(mine, self.question.bout_seconds * scored.sample_rate * _MICRO)
            for threshold in self.thresholds:
                events = scored.events(smoothed, class_name, threshold)
                intervals = [(event.start * _MICRO, event.stop * _MICRO) for event in events]
                found = Counts.of(intervals, mine, self.question.rule)
                counts[threshold] += found
                if threshold == scored.settings.threshold:
                    self.by_recording[class_name][name] = found

    def _begin(self, scored: ScoredRecording) -> None:
        """Learn from the first recording which classes there are."""
        self.first = scored
        self.meaning = _meanings(self.said, scored.classes, self.question.mapping)
        self.thresholds = tuple(sorted({*self.question.thresholds, scored.settings.threshold}))
        named = {*self.meaning.values(), scored.settings.target_class}
        wanted = tuple(self.question.classes) or tuple(name for name in scored.classes if name in named)
        for name in wanted:
            if name not in scored.classes:
                raise InvalidRequest(f"the model has no class {name!r}; it has {', '.join(scored.classes)}")
            self.counts[name] = dict.fromkeys(self.thresholds, Counts())
            self.by_recording[name] = {}

    def _check_alike(self, scored: ScoredRecording, name: str) -> None:
        first = self.first
        assert first is not None
        same = (first.model, first.classes, first.settings.decision(), first.settings.scoring())
        if same != (scored.model, scored.classes, scored.settings.decision(), scored.settings.scoring()):
            raise InvalidRequest(
                f"{name}: made by {scored.model} with other settings or another model than {first.name} "
                f"({first.model}); evaluate them apart"
            )

    def _check_labels(self, scored: ScoredRecording, name: str, labels: Sequence[Label]) -> None:
        for label in labels:
            if label.start > scored.seconds * _MICRO:
                raise InvalidRequest(
                    f"{name}: the label at line {label.line} begins at {label.start / _MICRO:.3f} s, but the recording "
                    f"has {float(scored.seconds):.3f} s; are these the labels of another recording?"
                )
            if label.is_point and self.question.rule.criterion == "iou" and self.meaning[label.name] in self.counts:
                raise InvalidRequest(
                    f"{name}: the label at line {label.line} is a point, and a point shares no part of a union; "
                    f"use the criterion shorter"
                )

    def finish(
        self,
        *,
        labelled: tuple[str, ...],
        negative: tuple[str, ...],
        ignored: tuple[str, ...],
        elsewhere: Mapping[str, int],
    ) -> Evaluation:
        """Return what was counted."""
        first = self.first
        assert first is not None  # a label without a recording was refused before
        classes = []
        for name, counts in self.counts.items():
            points = tuple(Point(threshold, counts[threshold]) for threshold in self.thresholds)
            classes.append(ClassEvaluation(name, points, average_precision(points), self.by_recording[name]))
        return Evaluation(
            model=first.model,
            settings=first.settings,
            rule=self.question.rule,
            bout_seconds=self.question.bout_seconds,
            unlabelled=self.question.unlabelled,
            seconds=self.seconds,
            labelled=labelled,
            negative=negative,
            ignored=ignored,
            elsewhere=elsewhere,
            unmapped={name: self.said[name] for name in sorted(self.said) if self.meaning[name] is None},
            classes=tuple(classes),
        )


def _meanings(said: Mapping[str, int], classes: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str | None]:
    """Return the class of each name of a label; None for a name that means none.

    Raises
    ------
    InvalidRequest
        The mapping names no class of the model, or no label means any class.
    """
    for name in mapping.values():
        if name not in classes:
            raise InvalidRequest(f"labels are mapped to {name!r}, but the model has {', '.join(classes)}")
    meaning: dict[str, str | None] = {}
    for name in said:
        own = name if name in classes else None
        meaning[name] = mapping.get(name, own or mapping.get(EVERYTHING_ELSE))
    if said and not any(meaning.values()):
        names = _some(repr(name) for name in said)
        raise InvalidRequest(
            f"the labels are called {names}, and the model knows {', '.join(classes)}; say which means which, for "
            f"example --map '{next(iter(sorted(said)))}={classes[-1]}', or --map '*={classes[-1]}' for all"
        )
    return meaning


def merge(intervals: Iterable[Interval], gap: Fraction) -> list[Interval]:
    """Merge intervals that overlap or lie less than a gap apart, as the system merges its own events.

    Parameters
    ----------
    intervals : iterable of (int, int)
        In order of their start.
    gap : Fraction
        In the same ticks.
    """
    merged: list[Interval] = []
    for start, stop in intervals:
        if merged and (start < merged[-1][1] or start - merged[-1][1] < gap):
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged


def _on_clock(labels: Iterable[Label], sample_rate: int) -> list[Interval]:
    """Return labels in ticks of 1 / (sample rate * million) seconds, in order of their start."""
    return sorted((label.start * sample_rate, label.stop * sample_rate) for label in labels)


# ------------------------------------------------------------------------------------------- files


def write_evaluation(file: TextIO, evaluation: Evaluation) -> None:
    """Write one row per class and threshold; what cannot be said (precision without events) is empty.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    """
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(EVALUATION_COLUMNS)
    for name, point in _points(evaluation):
        fields = _point_fields(evaluation, point)
        rows.writerow((name, *(_printed(fields[column]) for column in EVALUATION_COLUMNS[1:])))


def _points(evaluation: Evaluation) -> Iterator[tuple[str, Point]]:
    for each in evaluation.classes:
        for point in each.points:
            yield each.name, point


def _point_fields(evaluation: Evaluation, point: Point) -> dict[str, float | int | None]:
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
    """Return a fraction to six decimals."""
    return None if value is None else round(float(value), 6)


def _printed(value: float | int | None) -> str:
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
        },
        "labels_not_counted": {
            "recordings_without_results": dict(evaluation.elsewhere),
            "names_that_are_no_class": dict(evaluation.unmapped),
        },
        "classes": [_class_fields(evaluation, each) for each in evaluation.classes],
    }
    json.dump(document, file, indent=2, ensure_ascii=False, allow_nan=False)
    file.write("\n")


def _class_fields(evaluation: Evaluation, each: ClassEvaluation) -> dict[str, Any]:
    best, own = each.best, evaluation.settings.threshold
    return {
        "class": each.name,
        "average_precision": _decimal(each.average_precision),
        "threshold": own,
        "best_f1_threshold": None if best is None else best.threshold,
        "recordings": [
            {"recording": name, **_counts_fields(counts)} for name, counts in sorted(each.by_recording.items())
        ],
        "points": [_point_fields(evaluation, point) for point in each.points],
    }


def _counts_fields(counts: Counts) -> dict[str, int]:
    return {
        "labels": counts.labels,
        "events": counts.events,
        "matched": counts.matched,
        "labels_found": counts.labels_found,
        "events_right": counts.events_right,
    }
