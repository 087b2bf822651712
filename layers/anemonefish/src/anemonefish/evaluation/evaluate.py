"""Evaluate results: compare the events of a folder of results with labels, at many thresholds.

For each threshold, the events are decided again from the stored scores with the settings of the results, smoothing,
shortest duration and merging included. The counts at a threshold are therefore those of a new run with that threshold.
A recording whose labels or scores cannot be read is left out with the reason, and the others are evaluated.

Times are compared exactly: samples of events and microseconds of labels are both converted to ticks of
1 / (sample rate * 1,000,000) seconds.

Sources: Bilen et al. 2020, "A framework for the robust evaluation of sound event detection", ICASSP (PSDS: a threshold
is swept over the whole system); Ebbers et al. 2022, "Threshold-independent evaluation of sound event detection scores",
ICASSP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from anemonefish.annotations.labels import Label, join_messages, printable_path
from anemonefish.errors import InvalidRequest
from anemonefish.evaluation.by_recording import BOUT_SECONDS, RecordingCounts, Summary
from anemonefish.evaluation.curves import ClassEvaluation, Evaluation, Point, average_precision
from anemonefish.evaluation.evaluation_options import EvaluationOptions
from anemonefish.evaluation.label_classes import find_classes
from anemonefish.evaluation.matching import Counts, merge_intervals
from anemonefish.evaluation.recording_labels import RecordingLabels, collect_labels
from anemonefish.results.events import smooth
from anemonefish.results.read import ScoredRecording, find_results, read_result

__all__ = ["evaluate"]

_MICROSECONDS = 1_000_000


def evaluate(results: Path, labels: Path, options: EvaluationOptions | None = None) -> Evaluation:
    """Compare a folder of results with labels.

    The scores of one recording are in memory at a time.

    Parameters
    ----------
    results : Path
        Folder with the JSON or Parquet files of a run.
    labels : Path
        A label file, or a folder of them. Labels belong to the recording that they name, or to the recording that their
        file is named after (:class:`anemonefish.annotations.recording_matching.RecordingMatcher`).
    options : EvaluationOptions, optional

    Raises
    ------
    InvalidRequest
        Results and labels do not belong together, or there is no recording of which both can be read.
    """
    options = options or EvaluationOptions()
    files = find_results(results)
    collected = collect_labels(labels, files, options)
    unlabelled = [name for name in files if name not in collected.labels and name not in collected.left_out]
    negative = unlabelled if options.unlabelled == "negative" else []
    if collected.unread and negative:
        unread = join_messages(collected.unread)
        collected.left_out.update((name, f"may have labels in what could not be read: {unread}") for name in negative)
        negative = []
    builder = _EvaluationBuilder(options, collected)
    counted = {*collected.labels, *negative}
    try:
        for name in files:
            if name in counted:
                builder.add(files[name], name, collected.labels.get(name, []))
    except InvalidRequest as error:  # it concerns every recording; the recordings left out so far are named with it
        raise InvalidRequest(join_messages([str(error), *collected.reasons()])) from None
    if builder.first is None:
        raise InvalidRequest(join_messages(collected.reasons()))
    left_out = {name: f"{printable_path(name)}: {reason}" for name, reason in sorted(collected.left_out.items())}
    return builder.build(
        builder.first,
        labelled=tuple(name for name in files if name in collected.labels and name not in left_out),
        negative=tuple(name for name in negative if name not in left_out),
        ignored=tuple(name for name in unlabelled if options.unlabelled == "ignore"),
        left_out=left_out,
    )


class _EvaluationBuilder:
    """Adds the counts of one recording after the other.

    Attributes
    ----------
    first : ScoredRecording or None
        The first recording that was counted; the others must have the same model and settings.
    """

    def __init__(self, options: EvaluationOptions, collected: RecordingLabels) -> None:
        self.first: ScoredRecording | None = None
        self._options = options
        self._collected = collected
        self._names = Counter(label.name for labels in collected.labels.values() for label in labels)
        self._class_of: dict[str, str | None] = {}
        self._seconds = Fraction(0)
        self._thresholds: tuple[float, ...] = ()
        self._counts: dict[str, dict[float, Counts]] = {}
        self._by_recording: dict[str, dict[str, Counts]] = {}
        self._recordings: dict[str, dict[str, RecordingCounts]] = {}

    def add(self, file: Path, name: str, labels: Sequence[Label]) -> None:
        """Count one recording, or leave it out with the reason."""
        try:
            scored = read_result(file)
        except InvalidRequest as error:
            self._leave_out(name, labels, str(error))
            return
        if self.first is None and not self._counts:
            self._choose_classes(scored)
        if reasons := list(self._misfits(scored, labels)):
            self._leave_out(name, labels, f"{self._collected.file_of[name]}: {join_messages(reasons)}")
            return
        self.first = self.first or scored
        _check_same_run(self.first, scored, name)
        self._seconds += scored.seconds
        self._count(scored, name, labels)

    def _count(self, scored: ScoredRecording, name: str, labels: Sequence[Label]) -> None:
        smoothed = smooth(scored.scores, scored.decision.median_windows)
        for class_name, counts in self._counts.items():
            calls = sorted(
                (label.start * scored.sample_rate, label.stop * scored.sample_rate)
                for label in labels
                if self._class_of[label.name] == class_name
            )
            bouts = merge_intervals(calls, self._bout_seconds * scored.sample_rate * _MICROSECONDS)
            label_ticks = calls if self._options.bout_seconds is None else bouts
            for threshold in self._thresholds:
                events = scored.events(smoothed, class_name, threshold)
                event_ticks = [(event.start * _MICROSECONDS, event.stop * _MICROSECONDS) for event in events]
                recording_counts = Counts.of(event_ticks, label_ticks, self._options.rule)
                counts[threshold] += recording_counts
                if threshold == scored.decision.threshold_of(class_name):
                    self._by_recording[class_name][name] = recording_counts
                    self._recordings[class_name][name] = RecordingCounts(
                        scored.seconds, *(Counts.of(event_ticks, those, self._options.rule) for those in (calls, bouts))
                    )

    @property
    def _bout_seconds(self) -> Fraction:
        """The gap within a bout; the user's, if there is one."""
        chosen = self._options.bout_seconds
        return BOUT_SECONDS if chosen is None else chosen

    def _leave_out(self, name: str, labels: Sequence[Label], reason: str) -> None:
        self._collected.left_out[name] = reason
        self._collected.labels.pop(name, None)
        self._names.subtract(label.name for label in labels)

    def _choose_classes(self, scored: ScoredRecording) -> None:
        """Choose the classes and thresholds to count, from the classes and settings of the first recording."""
        options = self._options
        self._class_of = find_classes(self._names, scored.classes, options.mapping)
        own = {scored.decision.threshold_of(name) for name in scored.classes}
        self._thresholds = tuple(sorted({*options.thresholds, *own}))
        labelled = {*self._class_of.values(), *scored.settings.target_classes}
        for name in tuple(options.classes) or tuple(name for name in scored.classes if name in labelled):
            if name not in scored.classes:
                raise InvalidRequest(f"the model has no class {name!r}; it has {', '.join(scored.classes)}")
            self._counts[name] = dict.fromkeys(self._thresholds, Counts())
            self._by_recording[name] = {}
            self._recordings[name] = {}

    def _misfits(self, scored: ScoredRecording, labels: Sequence[Label]) -> Iterator[str]:
        """Yield why labels cannot be evaluated with this recording."""
        for label in labels:
            if label.start > scored.seconds * _MICROSECONDS:
                yield (
                    f"the label at line {label.line} begins at {label.start / _MICROSECONDS:.3f} s, but the recording "
                    f"has {float(scored.seconds):.3f} s; are these the labels of another recording, or of a sequence "
                    f"of files whose table needs the measurement File Offset?"
                )
            elif (
                label.is_point and self._options.rule.criterion == "iou" and self._class_of[label.name] in self._counts
            ):
                yield (
                    f"the label at line {label.line} is a point, which has no overlap to compare with a union; use the "
                    f"criterion shorter"
                )

    def build(
        self,
        first: ScoredRecording,
        *,
        labelled: tuple[str, ...],
        negative: tuple[str, ...],
        ignored: tuple[str, ...],
        left_out: Mapping[str, str],
    ) -> Evaluation:
        """Return the evaluation of all recordings that were added."""
        collected = self._collected
        unmapped = {name: count for name, count in sorted(self._names.items()) if count and not self._class_of[name]}
        return Evaluation(
            model=first.model,
            settings=first.settings,
            rule=self._options.rule,
            bout_seconds=self._options.bout_seconds,
            unlabelled=self._options.unlabelled,
            seconds=self._seconds,
            labelled=labelled,
            negative=negative,
            ignored=ignored,
            left_out=left_out,
            unread=dict(sorted(collected.unread.items())),
            repeated=tuple(sorted(collected.repeated)),
            elsewhere=dict(sorted(collected.elsewhere.items())),
            unmapped=unmapped,
            named_by=self._labels_by_column(),
            unnamed=self._names[""],
            classes=tuple(self._class_evaluation(name) for name in self._counts),
        )

    def _labels_by_column(self) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for name, labels in self._collected.labels.items():
            counts[self._collected.column_of[name]] += len(labels)
        return {column: count for column, count in sorted(counts.items()) if count}

    def _class_evaluation(self, name: str) -> ClassEvaluation:
        points = tuple(Point(threshold, self._counts[name][threshold]) for threshold in self._thresholds)
        summary = Summary(self._recordings[name], self._bout_seconds)
        return ClassEvaluation(name, points, average_precision(points), self._by_recording[name], summary)


def _check_same_run(first: ScoredRecording, scored: ScoredRecording, name: str) -> None:
    """Raise :class:`InvalidRequest` unless two recordings have the same model and the same settings."""
    of_first = (first.model, first.classes, first.settings.decision(), first.settings.scoring())
    if of_first != (scored.model, scored.classes, scored.settings.decision(), scored.settings.scoring()):
        raise InvalidRequest(
            f"{name}: made by {scored.model}, with other settings or another model than {first.name} ({first.model}); "
            f"evaluate the two separately"
        )
