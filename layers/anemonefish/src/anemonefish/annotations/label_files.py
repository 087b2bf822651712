"""Find and read label files: Raven selection tables, Audacity label tracks and CSV files of many programs.

The format of a file is recognised from its first line. :func:`read_labels` raises an error where something cannot be
read; :func:`scan_labels` returns the labels that can be read, together with the problems.
"""

from __future__ import annotations

from pathlib import Path

from anemonefish.annotations.audacity import is_label_track, read_audacity
from anemonefish.annotations.labels import (
    LabelFile,
    LabelSource,
    Problem,
    UnreadableFileError,
    join_messages,
    printable_path,
    read_text,
    split_lines,
)
from anemonefish.annotations.tables import read_table
from anemonefish.errors import InvalidRequest

__all__ = ["find_label_files", "read_labels", "scan_labels"]

_ENDINGS = frozenset({".txt", ".csv", ".tsv"})
_WITHOUT_LABELS = frozenset({"evaluation.csv", "summary.csv", "effort.csv"})  # our own commands may have written these


def find_label_files(path: Path, pattern: str = "*", *, may_be_empty: bool = False) -> tuple[Path, ...]:
    """Return a label file, or the label files below a folder, sorted; hidden files and folders are skipped.

    Parameters
    ----------
    path : Path
    pattern : str
        Which names to take in a folder, for example ``*.selections.txt``.
    may_be_empty : bool
        Whether a folder without any label file is valid. A folder whose label files all have other names than the
        pattern is always an error.

    Raises
    ------
    InvalidRequest
        The path does not exist, or there is no label file.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise InvalidRequest(f"{printable_path(path)}: there is no such file or folder of labels")
    files = sorted(file for file in path.rglob("*") if _is_label_file(file, path))
    matching = tuple(file for file in files if file.match(pattern))
    if not matching and (files or not may_be_empty):
        raise InvalidRequest(
            f"{printable_path(path)}: no label file in this folder; label files match {pattern} and end in "
            f"{' '.join(sorted(_ENDINGS))}"
        )
    return matching


def _is_label_file(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.suffix.lower() in _ENDINGS and not hidden and file.name not in _WITHOUT_LABELS and file.is_file()


def read_labels(path: Path, *, label_column: str | None = None, times_per_file: bool = False) -> LabelFile:
    """Read a label file of any format.

    Parameters
    ----------
    path : Path
        A Raven selection table, an Audacity label track or a CSV; UTF-8, with or without a byte order mark, with the
        line ends of any system. An empty file is a label track without labels.
    label_column : str, optional
        Header of the column that names the labels. Without it, the column is found by its header and its values; two
        columns that differ are an error. A label track has no such column.
    times_per_file : bool
        Whether Begin Time in a selection table without File Offset counts from the file that each row names, instead
        of from the first file of a sequence.

    Raises
    ------
    InvalidRequest
        Something in the file cannot be read: in which lines, and how to correct it.
    """
    table = scan_labels(path, label_column=label_column, times_per_file=times_per_file)
    if table.problems:
        raise InvalidRequest(f"{printable_path(path)}: {join_messages(map(str, table.problems))}")
    return table


def scan_labels(path: Path, *, label_column: str | None = None, times_per_file: bool = False) -> LabelFile:
    """Read a label file as :func:`read_labels` does, and return its problems instead of raising them.

    A row that cannot be read is a problem of its recording alone; the labels of the table's other recordings are
    complete.
    """
    source = LabelSource(path, label_column, times_per_file)
    try:
        text = read_text(path)
        first_line = next((line for line in split_lines(text) if line.strip()), "")
        return read_audacity(source, text) if is_label_track(first_line) else read_table(source, text, first_line)
    except UnreadableFileError as error:
        return LabelFile(
            path=path,
            format="csv",
            recording=source.recording,
            names_recordings=False,
            labels=(),
            recordings=(source.recording,),
            problems=(Problem(error.line, source.recording, str(error)),),
        )
