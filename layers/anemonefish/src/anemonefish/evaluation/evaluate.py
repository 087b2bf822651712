"""Evaluate: how well the events of a folder of results agree with labels.

Owns precision, recall, F1 and average precision per class and threshold, by the rule of :mod:`.evaluation.matching`,
and the files that say so. For every threshold the events are decided again
from stored scores with the settings stamped into the results, so a sweep is a sweep of the whole system (smoothing,
shortest duration and merging included) and not of the confidences of events that one threshold happened to find.

Everything that decides is integers: events are samples, labels microseconds, and both are compared on the clock that
has each of them as whole ticks. Precision and recall are fractions until they are printed.

A recording whose labels or scores cannot be read is left out with its reason, and the others are evaluated. Never
changes results or labels, and chooses no threshold for anybody.

Sources: Bilen et al. 2020, "A framework for the robust evaluation of sound event detection", ICASSP (PSDS: thresholds
swept on the system); Ebbers et al. 2022,
"Threshold-independent evaluation of sound event detection scores", ICASSP; Everingham et al. 2015, "The PASCAL visual
object classes challenge: a retrospective", IJCV 111:98 (average precision as the area under interpolated precision).
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TextIO

from anemonefish.annotations.label_files import find_label_files, scan_labels
from anemonefish.annotations.labels import Label, LabelFile, join_messages, printable_path
from anemonefish.annotations.recording_matching import RecordingMatcher
from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.cells import write_rows
from anemonefish.errors import InvalidRequest, InvalidSettings
from anemonefish.evaluation.matching import Counts, Interval, Rule
from anemonefish.results.events import smooth
from anemonefish.results.read import ScoredRecording, find_results, read_result
from anemonefish.settings import Settings

__all__ = [
    "DEFAULT_THRESHOLDS",
    "EVALUATION_COLUMNS",
    "UNLABELLED",
    "ClassEvaluation",
    "Evaluation",
    "Point",
    "Question",
    "average_precision",
    "evaluate",
    "merge",
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
"""In a mapping: every name that is not mapped and is no class of the model; never one of :data:`_SAYS_ABSENT`."""

_SAYS_ABSENT = frozenset({"0", "0.0", "false", "no", "absent"})

_MICRO = 1_000_000
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
    left_out : dict of str to str
        Recordings that could not be evaluated, and why.
    unread : dict of str to str
        Label files that could not be read and suggest no recording of the results, and why.
    repeated : tuple of str
        Label files whose labels another file of the same recording holds too: counted once.
    elsewhere : dict of str to int
        Labels of recordings that the results do not hold, by what the labels call the recording.
    unmapped : dict of str to int
        Labels by a name that is no class and was not mapped: not counted.
    named_by : dict of str to int
        Labels by the header of the column that named them; by nothing where a file has no such column.
    unnamed : int
        Labels without a name.
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
    left_out: Mapping[str, str]
    unread: Mapping[str, str]
    repeated: tuple[str, ...]
    elsewhere: Mapping[str, int]
    unmapped: Mapping[str, int]
    named_by: Mapping[str, int]
    unnamed: int
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
    times_per_file : bool
        As :func:`anemonefish.annotations.label_files.read_labels` takes it.
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
    times_per_file: bool = False
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

    One recording's scores are in memory at a time. A recording whose labels or scores cannot be read, or whose labels
    are not its own, is left out.

    Parameters
    ----------
    results : Path
        Folder with the JSON or Parquet files of a run.
    labels : Path
        A label file, or a folder of them; matched by recording name (:class:`.RecordingMatcher`).
    question : Question, optional

    Raises
    ------
    InvalidRequest
        Results and labels do not belong together, or there is no recording of which both can be read.
    InvalidSettings
        An option out of range.
    """
    question = question or Question()
    files = find_results(results)
    given = _assign(labels, files, question)
    without = [name for name in files if name not in given.labels and name not in given.left_out]
    negative = without if question.unlabelled == "negative" else []
    if given.unread and negative:
        told = join_messages(given.unread)
        given.left_out.update((name, f"may have labels in what could not be read: {told}") for name in negative)
        negative = []
    tally = _Tally(question, given)
    counted = {*given.labels, *negative}
    try:
        for name in files:
            if name in counted:
                tally.add(files[name], name, given.labels.get(name, []))
    except InvalidRequest as error:  # of all recordings; what else is wrong is told at once
        raise InvalidRequest(join_messages([str(error), *given.reasons()])) from None
    if tally.first is None:
        raise InvalidRequest(join_messages(given.reasons()))
    left_out = {name: f"{printable_path(name)}: {reason}" for name, reason in sorted(given.left_out.items())}
    return tally.finish(
        labelled=tuple(name for name in files if name in given.labels and name not in left_out),
        negative=tuple(name for name in negative if name not in left_out),
        ignored=tuple(name for name in without if question.unlabelled == "ignore"),
        left_out=left_out,
    )


@dataclass(slots=True)
class _Given:
    """What the label files say of the recordings of the results.

    Attributes
    ----------
    labels : dict of str to list of Label
        By recording; none where a file says that there are none.
    left_out : dict of str to str
        Why the labels of a recording are not known.
    unread : dict of str to str
        Why the labels of a file are not known that suggests none of the recordings.
    repeated : list of str
        Files that hold what another one holds.
    elsewhere : Counter of str
        Labels of other recordings.
    column_of : dict of str to str
        What named the labels of a recording.
    file_of : dict of str to str
        Where they stand.
    """

    labels: dict[str, list[Label]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    elsewhere: Counter[str] = field(default_factory=Counter)
    column_of: dict[str, str] = field(default_factory=dict)
    file_of: dict[str, str] = field(default_factory=dict)

    def reasons(self) -> list[str]:
        """Return what could not be read, by recording and by file."""
        by_recording = (f"{printable_path(name)}: {reason}" for name, reason in sorted(self.left_out.items()))
        return [*by_recording, *self.unread.values()]


def _assign(path: Path, recordings: Mapping[str, Path], question: Question) -> _Given:
    """Return the labels of each labelled recording.

    Raises
    ------
    InvalidRequest
        There are labels, but none is of any of the recordings.
    """
    files = find_label_files(path, question.pattern, may_be_empty=question.unlabelled == "negative")
    names = RecordingMatcher(recordings, AUDIO_EXTENSIONS)
    said_by: dict[str, dict[Path, list[Label]]] = {}
    problems: dict[str, list[str]] = {}
    columns: dict[Path, str] = {}
    given = _Given()
    for file in files:
        table = scan_labels(file, label_column=question.label_column, times_per_file=question.times_per_file)
        alone = path.is_file() and not table.names_recordings and len(recordings) == 1
        meant: dict[str, str | None] = {}
        for said in {*table.recordings, *(problem.recording for problem in table.problems)}:
            try:
                # One recording, one file named by the user: there is no other meaning.
                meant[said] = names.find(said) or (next(iter(recordings)) if alone else None)
            except InvalidRequest as error:
                given.unread[f"{printable_path(file)}: {printable_path(said)}"] = f"{printable_path(file)}: {error}"
        columns[file] = _named_by(table)
        _note_problems(table, meant, problems, given)
        _note_labels(table, meant, said_by, given)
    for name, by_file in said_by.items():
        first = next(iter(by_file))
        given.labels[name], given.column_of[name] = by_file[first], columns[first]
        given.file_of[name] = printable_path(first)
        if len(by_file) > 1:
            _compare(name, by_file, problems, given)
    given.left_out = {name: join_messages(reasons) for name, reasons in problems.items()}
    given.labels = {name: labels for name, labels in given.labels.items() if name not in given.left_out}
    if files and not given.labels and not given.left_out:
        _refuse_strangers(path, recordings, given)
    return given


def _named_by(table: LabelFile) -> str:
    """Return what names the labels of a file; empty where nothing does."""
    if table.format == "audacity":
        return "label track"
    if len(table.class_columns) > _SHOWN:
        return f"{len(table.class_columns)} columns of 0 and 1"
    return " and ".join(table.class_columns) or table.label_column or ""


def _note_problems(
    table: LabelFile, meant: Mapping[str, str | None], problems: dict[str, list[str]], given: _Given
) -> None:
    """Keep what could not be read by the recording that it spoils."""
    unknown = []
    for problem in table.problems:
        if problem.recording in meant and (name := meant[problem.recording]) is not None:
            problems.setdefault(name, []).append(f"{printable_path(table.path)}: {problem}")
        elif table.names_recordings and problem.recording not in {"", table.recording}:
            given.elsewhere[printable_path(problem.recording)] += 1
        else:
            unknown.append(str(problem))
    if unknown:
        given.unread[printable_path(table.path)] = f"{printable_path(table.path)}: {join_messages(unknown)}"


def _note_labels(
    table: LabelFile, meant: Mapping[str, str | None], said_by: dict[str, dict[Path, list[Label]]], given: _Given
) -> None:
    """Keep the labels of a file by recording."""
    spoilt = {problem.recording for problem in table.problems}
    usable = {said: meant[said] for said in table.recordings if said in meant and said not in spoilt}
    for said, name in usable.items():
        if name is None:
            given.elsewhere[printable_path(said)] += 0
        else:
            said_by.setdefault(name, {}).setdefault(table.path, [])
    for label in table.labels:
        if label.recording in usable and (name := usable[label.recording]) is not None:
            said_by[name][table.path].append(label)
        elif label.recording in usable:
            given.elsewhere[printable_path(label.recording)] += 1


def _compare(name: str, by_file: Mapping[Path, Sequence[Label]], problems: dict[str, list[str]], given: _Given) -> None:
    """Count the labels of several files once where they are the same, as ``simulate`` writes them; else ask."""
    (first, labels), *others = by_file.items()
    for other, its in others:
        if sorted(map(_essence, labels)) == sorted(map(_essence, its)):
            given.repeated.append(printable_path(other))
        else:
            same = first.name == other.name
            problems.setdefault(name, []).append(
                f"labels in {printable_path(first) if same else first.name} and in "
                f"{printable_path(other) if same else other.name} differ; name the files that count, for example with "
                f"--files '*.selections.txt'"
            )


def _essence(label: Label) -> tuple[int, int, str]:
    return label.start, label.stop, label.name


def _refuse_strangers(path: Path, recordings: Mapping[str, Path], given: _Given) -> None:
    if given.unread:
        raise InvalidRequest(join_messages(given.unread.values()))
    raise InvalidRequest(
        f"{printable_path(path)}: the labels speak of {_some(given.elsewhere)}, the results of "
        f"{_some(map(printable_path, recordings))}; name the label files after their recordings, or give the table a "
        f"column with the recording"
    )


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


class _Tally:
    """Adds recordings up, one after the other."""

    def __init__(self, question: Question, given: _Given) -> None:
        self.question = question
        self.given = given
        self.said = Counter(label.name for labels in given.labels.values() for label in labels)
        self.first: ScoredRecording | None = None
        self.seconds = Fraction(0)
        self.meaning: dict[str, str | None] = {}
        self.thresholds: tuple[float, ...] = ()
        self.counts: dict[str, dict[float, Counts]] = {}
        self.by_recording: dict[str, dict[str, Counts]] = {}

    def add(self, file: Path, name: str, labels: Sequence[Label]) -> None:
        """Count one recording, or leave it out with the reason."""
        try:
            scored = read_result(file)
        except InvalidRequest as error:
            self._leave_out(name, labels, str(error))
            return
        if self.first is None and not self.counts:
            self._begin(scored)
        if reasons := list(self._misfits(scored, labels)):
            self._leave_out(name, labels, f"{self.given.file_of[name]}: {join_messages(reasons)}")
            return
        self.first = self.first or scored
        self._check_alike(scored, name)
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

    def _leave_out(self, name: str, labels: Sequence[Label], reason: str) -> None:
        self.given.left_out[name] = reason
        self.given.labels.pop(name, None)
        self.said.subtract(label.name for label in labels)

    def _begin(self, scored: ScoredRecording) -> None:
        """Learn from the first recording which classes there are."""
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

    def _misfits(self, scored: ScoredRecording, labels: Sequence[Label]) -> Iterator[str]:
        """Yield why labels cannot be those of a recording."""
        for label in labels:
            if label.start > scored.seconds * _MICRO:
                yield (
                    f"the label at line {label.line} begins at {label.start / _MICRO:.3f} s, but the recording has "
                    f"{float(scored.seconds):.3f} s; are these the labels of another recording, or of a sequence of "
                    f"files whose table needs the measurement File Offset?"
                )
            elif label.is_point and self.question.rule.criterion == "iou" and self.meaning[label.name] in self.counts:
                yield (
                    f"the label at line {label.line} is a point, and a point shares no part of a union; use the "
                    f"criterion shorter"
                )

    def _named_by(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for name, labels in self.given.labels.items():
            counts[self.given.column_of[name]] += len(labels)
        return {column: count for column, count in sorted(counts.items()) if count}

    def finish(
        self,
        *,
        labelled: tuple[str, ...],
        negative: tuple[str, ...],
        ignored: tuple[str, ...],
        left_out: Mapping[str, str],
    ) -> Evaluation:
        """Return what was counted."""
        first, given = self.first, self.given
        assert first is not None  # where nothing could be counted, there is no evaluation
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
            left_out=left_out,
            unread=dict(sorted(given.unread.items())),
            repeated=tuple(sorted(given.repeated)),
            elsewhere=dict(sorted(given.elsewhere.items())),
            unmapped={name: count for name, count in sorted(self.said.items()) if count and not self.meaning[name]},
            named_by=self._named_by(),
            unnamed=self.said[""],
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
        rest = None if name.lower() in _SAYS_ABSENT else mapping.get(EVERYTHING_ELSE)
        meaning[name] = mapping.get(name, own or rest)
    if said and not any(meaning.values()):
        raise InvalidRequest(_unknown_names(sorted(said), classes))
    return meaning


def _unknown_names(said: Sequence[str], classes: Sequence[str]) -> str:
    """Return the question what labels mean; a class of the sea comes last in ours, and noise first."""
    known = f"the model knows {', '.join(classes)}"
    every = f"--map {_quoted(f'*={classes[-1]}')}"
    if list(said) == [""]:
        return f"the labels have no names, and {known}; say {every}, or --label-column if a column names them"
    example = next((name for name in said if name.lower() not in _SAYS_ABSENT), said[0])
    words = (
        f"the labels are called {_some(map(repr, said))}, and {known}; say which means which, for example --map "
        f"{_quoted(f'{example}={classes[-1]}')}, or {every} for all"
    )
    absent = [name for name in said if name.lower() in _SAYS_ABSENT]
    return words + (f" but {', '.join(absent)}, which may say that a class is absent" if absent else "")


def _quoted(text: str) -> str:
    """Return a text between quotation marks, as a shell takes it."""
    quoted = shlex.quote(text)
    return quoted if quoted != text else f"'{text}'"


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
    write_rows(file, [EVALUATION_COLUMNS])
    for name, point in _points(evaluation):
        fields = _point_fields(evaluation, point)
        write_rows(file, [(name, *(_printed(fields[column]) for column in EVALUATION_COLUMNS[1:]))])


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
