"""Collect the labels of each recording from label files, which may be many files or one table for all recordings.

A recording whose labels cannot all be read is left out with the reasons, and the other recordings are evaluated. Two
files of one recording count once if their labels are the same; if they differ, the recording is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anemonefish.annotations.label_files import find_label_files, scan_labels
from anemonefish.annotations.labels import Label, LabelFile, join_messages, printable_path
from anemonefish.annotations.recording_matching import RecordingMatcher
from anemonefish.audio.formats import AUDIO_EXTENSIONS
from anemonefish.errors import InvalidRequest
from anemonefish.evaluation.evaluation_options import EvaluationOptions
from anemonefish.evaluation.label_classes import join_names

__all__ = ["RecordingLabels", "collect_labels"]

_COLUMNS_SHOWN = 5


@dataclass(slots=True)
class RecordingLabels:
    """The labels of the recordings that have results.

    Attributes
    ----------
    labels : dict of str to list of Label
        By recording. The list is empty where a label file says that the recording has no labels.
    left_out : dict of str to str
        Recordings whose labels could not all be read, and why.
    unread : dict of str to str
        Label files that could not be read and that belong to no known recording, and why.
    repeated : list of str
        Files with the same labels as another file of the same recording.
    elsewhere : Counter of str
        Number of labels of recordings without results.
    column_of : dict of str to str
        What named the labels of a recording: the header of a column, ``label track``, or nothing.
    file_of : dict of str to str
        The file with the labels of a recording.
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


def collect_labels(
    path: Path, recordings: Mapping[str, Path], options: EvaluationOptions, what: str = "the results of"
) -> RecordingLabels:
    """Read label files and return the labels of each recording.

    Parameters
    ----------
    path : Path
        A label file, or a folder of them.
    recordings : mapping of str to Path
        The recordings that have results, by name.
    options : EvaluationOptions
    what : str
        What the recordings are called in messages.

    Raises
    ------
    InvalidRequest
        There are label files, but they name none of the recordings.
    """
    files = find_label_files(path, options.pattern, may_be_empty=options.unlabelled == "negative")
    matcher = RecordingMatcher(recordings, AUDIO_EXTENSIONS)
    labels_by_file: dict[str, dict[Path, list[Label]]] = {}
    problems: dict[str, list[str]] = {}
    columns: dict[Path, str] = {}
    collected = RecordingLabels()
    for file in files:
        table = scan_labels(file, label_column=options.label_column, times_per_file=options.times_per_file)
        # One label file named by the user and one recording belong together, whatever the file is called.
        only_pair = path.is_file() and not table.names_recordings and len(recordings) == 1
        name_of: dict[str, str | None] = {}
        for written in {*table.recordings, *(problem.recording for problem in table.problems)}:
            try:
                found = _find(matcher, written, file, path)
                name_of[written] = found or (next(iter(recordings)) if only_pair else None)
            except InvalidRequest as error:
                key = f"{printable_path(file)}: {printable_path(written)}"
                collected.unread[key] = f"{printable_path(file)}: {error}"
        columns[file] = _naming_column(table)
        _collect_problems(table, name_of, problems, collected)
        _collect_table(table, name_of, labels_by_file, collected)
    for name, by_file in labels_by_file.items():
        first = next(iter(by_file))
        collected.labels[name], collected.column_of[name] = by_file[first], columns[first]
        collected.file_of[name] = printable_path(first)
        if len(by_file) > 1:
            _compare_files(name, by_file, problems, collected)
    collected.left_out = {name: join_messages(reasons) for name, reasons in problems.items()}
    collected.labels = {name: labels for name, labels in collected.labels.items() if name not in collected.left_out}
    if files and not collected.labels and not collected.left_out:
        _refuse_unknown_recordings(path, recordings, collected, what)
    return collected


def _find(matcher: RecordingMatcher, written: str, file: Path, root: Path) -> str | None:
    """Return the recording that a label file names; where several fit, the one in the folder of the same name.

    Recorders that start at the same time give their files the same names, and each site has a folder.
    """
    try:
        return matcher.find(written)
    except InvalidRequest:
        folder = file.relative_to(root).parent.as_posix() if root.is_dir() else "."
        if folder == "." or (found := matcher.find(f"{folder}/{written}")) is None:
            raise
        return found


def _naming_column(table: LabelFile) -> str:
    """Return what names the labels of a file; empty where nothing does."""
    if table.format == "audacity":
        return "label track"
    if len(table.class_columns) > _COLUMNS_SHOWN:
        return f"{len(table.class_columns)} columns of 0 and 1"
    return " and ".join(table.class_columns) or table.label_column or ""


def _collect_problems(
    table: LabelFile, name_of: Mapping[str, str | None], problems: dict[str, list[str]], collected: RecordingLabels
) -> None:
    """Add the problems of a file to the recording that each of them concerns, or else to the file."""
    unassigned = []
    for problem in table.problems:
        if problem.recording in name_of and (name := name_of[problem.recording]) is not None:
            problems.setdefault(name, []).append(f"{printable_path(table.path)}: {problem}")
        elif table.names_recordings and problem.recording not in {"", table.recording}:
            collected.elsewhere[printable_path(problem.recording)] += 1
        else:
            unassigned.append(str(problem))
    if unassigned:
        collected.unread[printable_path(table.path)] = f"{printable_path(table.path)}: {join_messages(unassigned)}"


def _collect_table(
    table: LabelFile,
    name_of: Mapping[str, str | None],
    labels_by_file: dict[str, dict[Path, list[Label]]],
    collected: RecordingLabels,
) -> None:
    """Add the labels of a file to their recordings; a recording with a problem gets none of them."""
    incomplete = {problem.recording for problem in table.problems}
    usable = {
        written: name_of[written] for written in table.recordings if written in name_of and written not in incomplete
    }
    for written, name in usable.items():
        if name is None:
            collected.elsewhere[printable_path(written)] += 0
        else:
            labels_by_file.setdefault(name, {}).setdefault(table.path, [])
    for label in table.labels:
        if label.recording in usable and (name := usable[label.recording]) is not None:
            labels_by_file[name][table.path].append(label)
        elif label.recording in usable:
            collected.elsewhere[printable_path(label.recording)] += 1


def _compare_files(
    name: str, by_file: Mapping[Path, Sequence[Label]], problems: dict[str, list[str]], collected: RecordingLabels
) -> None:
    """Compare the files of one recording: note those with the same labels, and report those with other labels."""
    (first, labels), *others = by_file.items()
    for other, other_labels in others:
        if sorted(map(_content, labels)) == sorted(map(_content, other_labels)):
            collected.repeated.append(printable_path(other))
        else:
            same_name = first.name == other.name
            problems.setdefault(name, []).append(
                f"labels in {printable_path(first) if same_name else first.name} and in "
                f"{printable_path(other) if same_name else other.name} differ; choose the files that count, for "
                f"example with --files '*.selections.txt'"
            )


def _content(label: Label) -> tuple[int, int, str]:
    return label.start, label.stop, label.name


def _refuse_unknown_recordings(
    path: Path, recordings: Mapping[str, Path], collected: RecordingLabels, what: str
) -> None:
    if collected.unread:
        raise InvalidRequest(join_messages(collected.unread.values()))
    raise InvalidRequest(
        f"{printable_path(path)}: the labels are of {join_names(collected.elsewhere)}, {what} "
        f"{join_names(map(printable_path, recordings))}; name the label files after their recordings, or give the "
        f"table a column with the recording"
    )
