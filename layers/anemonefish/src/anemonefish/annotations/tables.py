"""Read tables of labels: Raven selection tables, and the CSV files of this and other programs.

Decides which columns hold the times, the recording and the names of the labels, and turns each row into labels. The
headers are known from many programs (:mod:`.column_names`): this package's own events, BirdNET-Analyzer, Kaleidoscope,
OpenSoundscape, sed_eval, warbleR, pandas and R. A table that can be read in two ways is refused, with how to change it.

Source: Raven Pro 1.6 User's Manual, "Selection tables" (a selection has one row for each view; File Offset is the time
in Begin File).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from anemonefish.annotations.column_names import (
    BAND_HIGHS,
    BAND_LOWS,
    DURATIONS,
    FILE_OFFSET,
    RECORDINGS,
    STARTS,
    STOPS,
)
from anemonefish.annotations.label_columns import find_class_columns, find_label_column, presence
from anemonefish.annotations.label_numbers import NUMBER, checked_interval, microseconds_from_text
from anemonefish.annotations.labels import Label, LabelFile, LabelSource, Problem, UnreadableFileError
from anemonefish.annotations.recording_matching import is_named_after
from anemonefish.annotations.table_parser import Row, Table, parse_table, without_missing

__all__ = ["read_table"]

_OTHER_UNITS = {
    "milliseconds": re.compile(r"milli|(?<![a-z])m(sec)?s?(?![a-z])|(?<=[a-z])Ms$"),
    "microseconds": re.compile(r"micro|(?<![a-z])[uµ]s(?![a-z])"),
    "samples": re.compile(r"sample", re.IGNORECASE),
    "frames": re.compile(r"frame", re.IGNORECASE),
    "minutes": re.compile(r"(?<![a-z])min(ute)?s?(?![a-z])"),
    "clock time": re.compile(r"clock|date", re.IGNORECASE),
}
"""What the header of a time that is not in seconds looks like."""


def read_table(source: LabelSource, text: str, first_line: str) -> LabelFile:
    """Read a table; a row that cannot be read becomes a problem of its recording.

    Raises
    ------
    UnreadableFileError
        The text is not a table.
    """
    table = parse_table(source, text, first_line)
    recording_columns = _recording_columns(table)
    row_recordings = [table.recording(row, recording_columns) for row in table.rows]
    recordings = tuple(sorted(set(row_recordings) or {source.recording}))
    columns: _Columns | None = None
    labels: list[Label] = []
    try:
        columns = _find_columns(table, recording_columns, row_recordings)
    except UnreadableFileError as error:
        problems = [Problem(error.line, recording, str(error)) for recording in recordings]
    else:
        labels, problems = _read_rows(table, columns, row_recordings)
    return LabelFile(
        path=source.path,
        format="raven" if table.is_raven else "csv",
        recording=source.recording,
        names_recordings=bool(recording_columns),
        labels=tuple(labels),
        recordings=recordings,
        label_column=table.headers.get(columns.name) if columns and columns.name else None,
        class_columns=tuple(columns.classes.values()) if columns else (),
        problems=tuple(problems),
    )


def _read_rows(table: Table, columns: _Columns, recordings: Sequence[str]) -> tuple[list[Label], list[Problem]]:
    """Return the labels of all rows, and the problems of those that cannot be read."""
    labels: list[Label] = []
    problems: list[Problem] = []
    seen = set()
    for row, recording in zip(table.rows, recordings, strict=True):
        try:
            row_labels = list(columns.labels(row, recording))
        except ValueError as error:
            problems.append(Problem(row.line, recording, str(error)))
            continue
        for label in row_labels:
            # Raven writes a row for each view (waveform, spectrogram) and channel of one selection.
            key = (row.cells.get("selection", ""), label.recording, label.start, label.stop, label.name)
            if not table.is_raven or not key[0] or key not in seen:
                labels.append(label)
            seen.add(key)
    return labels, problems


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """The columns of a table by what they hold.

    Attributes
    ----------
    start, stop, duration : str
        Either ``stop`` or ``duration`` is empty.
    file_offset : str
        Raven's File Offset, where a table over several files needs it: a label then begins there and keeps its length.
    name : str
        The names of the labels; empty where there are none.
    classes : dict of str to str
        Columns of 0 and 1 with their headers, where these name the labels.
    """

    start: str
    stop: str
    duration: str
    file_offset: str
    name: str
    classes: Mapping[str, str]

    def labels(self, row: Row, recording: str) -> Iterator[Label]:
        """Yield a row's label, or one for each class that is present.

        Raises
        ------
        ValueError
            A value is missing or is not a number; the message names its column.
        """
        start = _time(row, self.start)
        stop = _time(row, self.stop) if self.stop else start + _time(row, self.duration)
        begin_text = row.cells[self.start]
        as_written = f"{begin_text} to {row.cells[self.stop]} s" if self.stop else f"from {begin_text} s"
        start, stop = checked_interval(start, stop, as_written)
        if self.file_offset:
            offset = _time(row, self.file_offset)
            as_written = f"{self.file_offset}: {row.cells[self.file_offset]}"
            start, stop = checked_interval(offset, offset + stop - start, as_written)
        low, high = (_band_edge(row, columns) for columns in (BAND_LOWS, BAND_HIGHS))
        for name in self._names(row):
            yield Label(start, stop, name, low, high, recording, row.line)

    def _names(self, row: Row) -> Iterator[str]:
        if not self.classes:
            yield without_missing(row.cells[self.name]) if self.name else ""
        for column, header in self.classes.items():
            present = presence(row.cells[column])
            if present is None:
                raise ValueError(
                    f"{header}: {row.cells[column]!r} is neither 0 nor 1; write 0 or 1, or delete the line"
                )
            if present:
                yield header


def _time(row: Row, column: str) -> int:
    try:
        return microseconds_from_text(row.cells[column])
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from None


def _time_or_none(row: Row, column: str) -> int | None:
    try:
        return microseconds_from_text(row.cells[column])
    except ValueError:
        return None


def _band_edge(row: Row, columns: Sequence[str]) -> Fraction | None:
    text = next((row.cells[column] for column in columns if row.cells.get(column)), "")
    return Fraction(text) if NUMBER.fullmatch(text) else None


def _find_columns(table: Table, recording_columns: Sequence[str], row_recordings: Sequence[str]) -> _Columns:
    start, stop, duration = _time_columns(table)
    name = find_label_column(table)
    named_by_column = bool(name) and table.source.label_column is None
    classes = [] if named_by_column else find_class_columns(table, name)
    return _Columns(
        start=start,
        stop=stop,
        duration=duration,
        file_offset=_file_offset(table, start, recording_columns, row_recordings) if table.is_raven else "",
        name="" if classes else name,
        classes={column: table.headers[column] for column in classes},
    )


def _time_columns(table: Table) -> tuple[str, str, str]:
    """Return the columns of the start, and of the stop or of the duration."""
    start, stop, duration = map(table.first, (STARTS, STOPS, DURATIONS))
    # "offset" is where a sound ends beside an "onset" (sed_eval), and where it begins beside a "duration"
    # (Kaleidoscope).
    if not start and duration and "offset" in table.headers:
        start = "offset"
    elif start.startswith("onset") and not stop and "offset" in table.headers:
        stop = "offset"
    if start and (stop or duration):
        return start, stop, "" if stop else duration
    headers = list(table.headers.values())
    others = [(header, unit) for header in headers if (unit := _other_unit(header))]
    other = f" ({others[0][0]!r} is in {others[0][1]})" if others else ""
    raise UnreadableFileError(
        f"no column says where a label {'ends' if start else 'begins'}{', in seconds' if other else ''}; its columns "
        f"are {', '.join(headers)}{other}. Name them start_time and end_time (seconds), or start_time and duration"
    )


def _other_unit(header: str) -> str:
    """Return the unit of a header of times that are not in seconds; empty where it is no such header."""
    if not re.match(r"(start|begin|onset|end|stop)", header, re.IGNORECASE):
        return ""
    units = _OTHER_UNITS.items()
    return next((unit for unit, pattern in units if pattern.search(header) or pattern.search(header.lower())), "")


def _recording_columns(table: Table) -> tuple[str, ...]:
    """Return the columns that together name the recording of a row; none where the table has no such column."""
    if "in file" in table.headers:  # Kaleidoscope splits a path into three columns
        return tuple(column for column in ("indir", "folder", "in file") if column in table.headers)
    # A path comes before a file name, because two folders may hold files of the same name.
    present = [column for column in ("begin path", *RECORDINGS) if column in table.headers]
    best = next((column for column in present if table.has_values(column)), present[0] if present else "")
    return (best,) if best else ()


def _file_offset(table: Table, start: str, recording_columns: Sequence[str], row_recordings: Sequence[str]) -> str:
    """Return Raven's column of times within a file; empty where Begin Time counts from the file of each row."""
    column = FILE_OFFSET if FILE_OFFSET in table.headers else ""
    if recording_columns:
        if not column and not table.source.times_per_file:
            _check_single_file(table.source, set(row_recordings))
        return column
    for row in table.rows if column else ():
        if row.cells[column] and _time_or_none(row, column) != _time_or_none(row, start):
            raise UnreadableFileError(
                "File Offset (s) differs from Begin Time (s), but no column says of which file; add the measurement "
                "Begin File in Raven and save the table again",
                row.line,
            )
    return ""


def _check_single_file(source: LabelSource, recordings: set[str]) -> None:
    """Refuse a table without File Offset whose Begin Time may count from the first file of a sequence.

    It is accepted where it names one file and is named after that file: Raven names the table of a sequence after the
    first file, in which both times are the same.
    """
    correction = (
        "add the measurement File Offset in Raven and save it again, or say --times-per-file if they count from the "
        "file of each row"
    )
    if len(recordings) > 1:
        raise UnreadableFileError(
            f"the table names {len(recordings)} recordings, but has no File Offset (s), and Begin Time may count from "
            f"the first of them; {correction}"
        )
    if recordings and not is_named_after(source.recording, *recordings):
        raise UnreadableFileError(
            f"the table names {next(iter(recordings))!r}, is not named after it and has no File Offset (s), so Begin "
            f"Time may count from the first file of a sequence; {correction}"
        )
