"""Labels: what people say is in a recording, read from the files they have.

Owns reading Raven selection tables, Audacity label tracks and CSV (ours, BirdNET's, Kaleidoscope's and any with named
columns), and finding the recording that a label speaks of. Times are parsed from their decimal text to whole
microseconds by integer arithmetic; no float appears. What cannot be understood is an error that names the file, the
line and the mend; nothing is guessed, dropped or repaired silently.

Never looks at sound or results, and never decides what a label means for a class.

Sources: Raven Pro 1.6 User's Manual, "Selection tables" (a selection has one row per view; File Offset is the time in
Begin File); Audacity Manual, "Importing and exporting labels" (the extended lines that begin with a backslash); the
headers that Kaleidoscope, BirdNET-Analyzer, OpenSoundscape, sed_eval and warbleR write.
"""

from __future__ import annotations

import csv
import io
import os
import re
import shlex
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePath

from anemonefish.cells import unescape
from anemonefish.errors import InvalidRequest
from anemonefish.recording_names import printable

__all__ = [
    "LABEL_FORMATS",
    "Label",
    "LabelFile",
    "Problem",
    "RecordingNames",
    "find_label_files",
    "listed",
    "microseconds",
    "read_labels",
    "scan_labels",
    "shown_path",
]

LABEL_FORMATS = ("raven", "audacity", "csv")
"""Formats by name; which one a file has is seen from its first line."""

_MICRO = 1_000_000
_LATEST = 10**10 * _MICRO  # 300 years: further off is a slip of the pen or an attack with exponents
_SUFFIXES = frozenset({".txt", ".csv", ".tsv"})
_NO_LABELS = frozenset({"evaluation.csv", "summary.csv"})  # what our own commands may have left in the folder
_LISTED = 5

# What tools append to the name of a recording; cut off until nothing fits any more.
_TOOL_SUFFIX = re.compile(
    r"\.(txt|csv|tsv|selections?|table(\.\d+)?|labels?|audacity|classes|events|raven|kaleidoscope"
    r"|BirdNET(\.results|\.selection\.table|\.kaleidoscope)?)$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_PLAIN = re.compile(r"(\d{1,10})(?:\.(\d{0,6}))?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?[\d.]*\d,\d+", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,4}):(\d{1,2}(?:\.\d+)?)", re.ASCII)

# Every name in lower case; columns are compared so. The first one present wins; among labels their values decide.
_STARTS = (
    "start_time", "start", "start (s)", "begin time (s)", "begin_time", "begin", "onset", "onset_s", "start_seconds",
    "start time (s)", "start time", "begin time", "begin (s)", "start_s", "start_sec", "start_time_s", "begin_s",
)  # fmt: skip
_STOPS = (
    "end_time", "end", "end (s)", "end time (s)", "stop", "stop_time", "offset_s", "end_seconds", "end time",
    "stop (s)", "end_s", "end_sec", "end_time_s", "stop_s",
)  # fmt: skip
_DURATIONS = ("duration", "duration (s)", "delta time (s)", "duration_seconds", "duration_s")
_RECORDINGS = (
    "recording", "in file", "in file*", "begin file", "filename", "file_name", "file", "filepath", "file path",
    "audio_file", "sound.files", "begin path", "path",
)  # fmt: skip
_FILE_OFFSET = "file offset (s)"

# Columns of labels in the order in which they are preferred. The weak ones are used where no other is filled.
_STRONG = (
    "class", "label", "labels", "annotation", "annotations",
    "manual id", "manual id*", "event_label", "common name", "common_name", "species", "tags", "call type", "call_type",
)  # fmt: skip
_WEAK = (
    "top1match", "top1match*", "auto id", "auto id*", "scientific name", "scientific_name", "species code",
    "sound type", "category", "type",
)  # fmt: skip
_NAMES_OF_A_TAXON = frozenset(
    {"common name", "common_name", "scientific name", "scientific_name", "species", "species code"}
)
_LOWS = ("low freq (hz)", "low_f", "low_freq", "low_hz", "fmin", "bottom.freq")
_HIGHS = ("high freq (hz)", "high_f", "high_freq", "high_hz", "fmax", "top.freq")

# Columns that Raven itself writes and that are no labels; its measurements carry their unit in parentheses besides.
_RAVEN_OWN = frozenset(
    {"selection", "view", "channel", "begin path", "begin file", "end path", "end file", "begin date", "end date",
     "begin clock time", "end clock time", "begin date time", "begin utc", "score", "confidence", "rating",
     "species code", "software", "notes", "comments", "occupancy", "peak correlation"}
)  # fmt: skip
_KNOWN = frozenset(
    {*_STARTS, *_STOPS, *_DURATIONS, *_RECORDINGS, *_STRONG, *_WEAK, *_LOWS, *_HIGHS, *_RAVEN_OWN, _FILE_OFFSET,
     "offset", "indir", "folder"}
)  # fmt: skip
_INDEX = re.compile(r"|unnamed: ?\d+(_level_\d+)?|\.\.\.\d+|index|x\.\d+|level_\d+|row[_. ]?(id|names?|number|index)s?")
"""Columns that number the rows, as pandas and R write them."""
_NO_CLASSES = frozenset(
    {"ch", "probability", "prob", "verified", "reviewed", "checked", "validated", "valid", "fold", "split", "quality",
     "x", "id", "#", "no", "no.", "nr", "nr.", "number", "selec"}
)  # fmt: skip
"""Columns that may hold 0 and 1 without being a class, beside those that are known."""
_PRESENT = frozenset({"true", "yes", "present"})
_ABSENT = frozenset({"false", "no", "absent", ""})
_MISSING = frozenset({"", "na", "nan", "<na>", "n/a", "#n/a", "null"})
"""How pandas, R and Excel write that a value is missing."""


@dataclass(frozen=True, slots=True)
class Label:
    """One thing a person (or another program) marked.

    Attributes
    ----------
    start, stop : int
        Microseconds from the beginning of the recording, half-open; equal for a point.
    name : str
        What it was called; empty when the file has no names.
    low_hz, high_hz : Fraction or None
        Band, where one was drawn.
    recording : str
        What the file calls the recording, or what its own name suggests; see :class:`RecordingNames`.
    line : int
        Line of the file, from 1.
    """

    start: int
    stop: int
    name: str
    low_hz: Fraction | None
    high_hz: Fraction | None
    recording: str
    line: int

    @property
    def is_point(self) -> bool:
        """Whether it marks an instant: Audacity's point labels have no length."""
        return self.start == self.stop


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a label file that cannot be read.

    Attributes
    ----------
    line : int
        From 1; 0 where it concerns the whole file.
    recording : str
        The recording whose labels are therefore not known: what the file calls it, or what its own name suggests.
    message : str
        What it is, and the mend.
    """

    line: int
    recording: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message


@dataclass(frozen=True, slots=True)
class LabelFile:
    """The labels of one file.

    Attributes
    ----------
    path : Path
    format : {"raven", "audacity", "csv"}
    label_column : str or None
        Header of the column that names the labels; None where there is none.
    recording : str
        The recording that the file's own name suggests: ``reef.wav`` of ``reef.wav.selections.txt``.
    names_recordings : bool
        Whether the file itself says which recording a label belongs to.
    labels : tuple of Label
        In the order of the file.
    recordings : tuple of str
        Every recording that the file speaks of, sorted, those without a label included; its own name's if it has no
        rows or names none.
    class_columns : tuple of str
        Headers of columns of 0 and 1, one for each class, where these say what a label is called.
    problems : tuple of Problem
        What could not be read.
    """

    path: Path
    format: str
    label_column: str | None
    recording: str
    names_recordings: bool
    labels: tuple[Label, ...]
    recordings: tuple[str, ...] = ()
    class_columns: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def find_label_files(path: Path, pattern: str = "*", *, may_be_empty: bool = False) -> tuple[Path, ...]:
    """Return a file, or the label files below a folder, sorted; hidden files and folders are passed over.

    Parameters
    ----------
    path : Path
    pattern : str
        Which names to take in a folder, for example ``*.selections.txt``.
    may_be_empty : bool
        Whether a folder without any label file is an answer. One whose label files all have other names never is.

    Raises
    ------
    InvalidRequest
        There is nothing there, or no label file.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise InvalidRequest(f"{shown_path(path)}: there is no such file or folder of labels")
    files = sorted(file for file in path.rglob("*") if _is_label_file(file, path))
    found = tuple(file for file in files if file.match(pattern))
    if not found and (files or not may_be_empty):
        raise InvalidRequest(
            f"{shown_path(path)}: no label file in this folder; it looks for {pattern} that end in "
            f"{' '.join(sorted(_SUFFIXES))}"
        )
    return found


def _is_label_file(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    ours = file.name in _NO_LABELS
    return file.suffix.lower() in _SUFFIXES and not hidden and not ours and file.is_file()


def read_labels(path: Path, *, label_column: str | None = None, times_per_file: bool = False) -> LabelFile:
    """Read a label file, whatever its format.

    Parameters
    ----------
    path : Path
        A Raven selection table, an Audacity label track or a CSV; UTF-8, with or without a byte order mark, any line
        ends. An empty file is a label track without labels.
    label_column : str, optional
        Header of the column with the names; found by its values where there is no doubt. A label track has none.
    times_per_file : bool
        Begin Time in a selection table without File Offset counts from the file that its row names, not from the
        first file of a sequence.

    Raises
    ------
    InvalidRequest
        Something in the file cannot be read: which lines, and the mend.
    """
    made = scan_labels(path, label_column=label_column, times_per_file=times_per_file)
    if made.problems:
        raise InvalidRequest(f"{shown_path(path)}: {listed(map(str, made.problems))}")
    return made


def scan_labels(path: Path, *, label_column: str | None = None, times_per_file: bool = False) -> LabelFile:
    """Read a label file as :func:`read_labels` does, and return what cannot be read beside what can.

    A row that cannot be read spoils the labels of its recording; the other recordings of the table keep theirs.
    """
    source = _Source(path, label_column, times_per_file)
    try:
        text = _text(path)
        first = next((line for line in _lines(text) if line.strip()), "")
        if not _is_label_track(first):
            return _read_table(source, text, first)
        return _read_audacity(source, text)
    except _UnreadableError as error:
        problem = Problem(error.line, source.recording, str(error))
        return LabelFile(path, "csv", None, source.recording, False, (), (source.recording,), (), (problem,))


def shown_path(path: Path | str) -> str:
    """Return a path as every terminal and file can hold it: with escapes for bytes that are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def listed(items: Iterable[str], most: int = _LISTED) -> str:
    """Return the first few of some messages in one line, and how many more there are."""
    every = list(items)
    more = f"; and {len(every) - most} more" if len(every) > most else ""
    return "; ".join(every[:most]) + more


class _UnreadableError(Exception):
    """A whole file cannot be read, and why."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def microseconds(text: str) -> int:
    """Turn decimal seconds into whole microseconds, exactly: to the nearest, halves up.

    Raises
    ------
    ValueError
        Not a decimal number, or too far off to be a time.

    Examples
    --------
    >>> microseconds("5.3500000000000005")
    5350000
    """
    if plain := _PLAIN.fullmatch(text):  # nearly all are, and a fraction takes ten times as long
        whole, decimals = plain.groups(default="")
        return int(whole + decimals.ljust(6, "0"))
    value = _fraction(text) * _MICRO
    if abs(value) > _LATEST:
        raise ValueError(f"{text!r} is further than any recording reaches")
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _fraction(text: str) -> Fraction:
    text = text.strip()
    if not text:
        raise ValueError("the value is missing")
    if text.lower() in _MISSING | {"none"}:
        raise ValueError(f"the value is missing ({text}); write it, or delete the line")
    if _DECIMAL_COMMA.fullmatch(text):
        raise ValueError(f"{text!r} has a decimal comma; write the file with decimal points")
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, rest = clock.groups()
        value = int(hours or 0) * 3600 + int(minutes) * 60 + Fraction(rest)
        raise ValueError(f"{text!r} is not a number of seconds but a clock's time; write {float(value):.10g}")
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number of seconds; write one such as 6.9, without unit")
    return Fraction(text)


@dataclass(frozen=True, slots=True)
class _Source:
    """A label file, and how it is to be read."""

    path: Path
    label_column: str | None = None
    times_per_file: bool = False

    @property
    def recording(self) -> str:
        """The recording that the file's name suggests."""
        name = printable(self.path.name)
        while (cut := _TOOL_SUFFIX.sub("", name)) != name and cut:
            name = cut
        return name


def _text(path: Path) -> str:
    """Return the file as text; an encoding that is not certain is refused, for a guess would change names."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _UnreadableError(f"cannot be read ({error.strerror})") from None
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise _UnreadableError("a workbook, not a text; save the sheet as CSV (UTF-8)")
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        name = encoding.removesuffix("-sig").upper()
        raise _UnreadableError(f"byte 0x{data[error.start]:02x} is not {name}; save the file as UTF-8", line) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise _UnreadableError("there is a byte 0; is it UTF-16 without its mark? Save the file as UTF-8", line)
    return text


def _lines(text: str) -> list[str]:
    """Split at line ends of any system, and not at what else Unicode calls one: a label may hold it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


# ------------------------------------------------------------------------------------------- Audacity


def _is_label_track(first: str) -> bool:
    cells = first.split("\t")
    return not first or cells[0] == "\\" or (len(cells) >= 2 and all(map(_is_like_a_number, cells[:2])))


def _is_like_a_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell.strip()) or _DECIMAL_COMMA.fullmatch(cell.strip()))


def _read_audacity(source: _Source, text: str) -> LabelFile:
    labels: list[Label] = []
    problems: list[Problem] = []
    spoilt = False  # whether the label before could not be read: its line of frequencies is no second problem
    for line, row in enumerate(_lines(text), start=1):
        if not row.strip():
            continue
        cells = row.split("\t")
        try:
            if cells[0] != "\\":
                spoilt = True
                labels.append(_track_label(cells, source.recording, line))
                spoilt = False
            elif not spoilt:
                labels.append(_with_band(labels.pop() if labels else None, cells))
        except ValueError as error:
            problems.append(Problem(line, source.recording, str(error)))
    if labels and all(len(label.name) > 1 and label.name[0] == label.name[-1] == '"' for label in labels):
        labels = [replace(label, name=label.name[1:-1]) for label in labels]  # R quotes every text
    found = (source.recording,)
    return LabelFile(source.path, "audacity", None, source.recording, False, tuple(labels), found, (), tuple(problems))


def _track_label(cells: Sequence[str], recording: str, line: int) -> Label:
    if len(cells) < 2:
        blanks = len(cells[0].split()) > 1 and all(map(_is_like_a_number, cells[0].split()[:2]))
        raise ValueError(
            "a label has a start and an end, separated by a tab" + ("; here are blanks: use tabs" if blanks else "")
        )
    start, stop = _interval(cells[0], cells[1])
    return Label(start, stop, unescape("\t".join(cells[2:]).strip()), None, None, recording, line)


def _with_band(label: Label | None, cells: Sequence[str]) -> Label:
    """Add the frequencies of a spectral selection; -1 stands for an edge that was not set."""
    if label is None:
        raise ValueError("a line of frequencies belongs to the label before it, and there is none")
    if len(cells) != 3:
        raise ValueError("a line of frequencies has a backslash, a low and a high one, separated by tabs")
    low, high = (None if value < 0 else value for value in map(_fraction, cells[1:]))
    return replace(label, low_hz=low, high_hz=high)


def _interval(start: str, stop: str) -> tuple[int, int]:
    return _checked(microseconds(start), microseconds(stop), f"{start.strip()} to {stop.strip()} s")


def _checked(start: int, stop: int, said: str) -> tuple[int, int]:
    if start < 0:
        raise ValueError(f"a label cannot begin before its recording ({said})")
    if stop < start:
        raise ValueError(f"the end lies before the start ({said})")
    return start, stop


# --------------------------------------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a table by the keys of its headers."""

    cells: Mapping[str, str]
    line: int


@dataclass(frozen=True, slots=True)
class _Table:
    """A table as text.

    Attributes
    ----------
    source : _Source
    headers : dict of str to str
        Each header as it is written, by its key: lower case, as Raven writes it where R or pandas changed it.
    rows : tuple of _Row
        Those that are not empty.
    """

    source: _Source
    headers: Mapping[str, str]
    rows: tuple[_Row, ...]

    @property
    def is_raven(self) -> bool:
        """Whether it is a selection table."""
        return "begin time (s)" in self.headers

    def first(self, names: Iterable[str]) -> str:
        """Return the first of some columns that is there."""
        return next((name for name in names if name in self.headers), "")

    def values(self, column: str) -> list[str]:
        """Return a column without its missing values' marks, in the order of the rows."""
        return [_said(row.cells[column]) for row in self.rows]

    def has_values(self, column: str) -> bool:
        """Say whether anything stands in a column."""
        return any(_said(row.cells[column]) for row in self.rows)

    def recording(self, row: _Row, columns: Sequence[str]) -> str:
        """Return the recording that a row names, else the one that the file's name suggests."""
        said = "/".join(part for name in columns if (part := row.cells[name].rstrip("/\\")))
        return said or self.source.recording


def _said(value: str) -> str:
    return "" if value.lower() in _MISSING else value


def _read_table(source: _Source, text: str, first: str) -> LabelFile:
    table = _parse(source, text, first)
    recordings = _recording_columns(table)
    said = [table.recording(row, recordings) for row in table.rows]
    every = tuple(sorted(set(said) or {source.recording}))
    kind = "raven" if table.is_raven else "csv"
    try:
        columns = _columns_of(table, recordings, said)
    except _UnreadableError as error:
        doubts = tuple(Problem(error.line, recording, str(error)) for recording in every)
        return LabelFile(source.path, kind, None, source.recording, bool(recordings), (), every, (), doubts)
    labels, problems, seen = [], [], set()
    for row, recording in zip(table.rows, said, strict=True):
        try:
            made = list(columns.labels(row, recording))
        except ValueError as error:
            problems.append(Problem(row.line, recording, str(error)))
            continue
        for label in made:
            # Raven writes a row for each view (waveform, spectrogram) and channel of one selection.
            key = (row.cells.get("selection", ""), label.recording, label.start, label.stop, label.name)
            if not table.is_raven or not key[0] or key not in seen:
                labels.append(label)
            seen.add(key)
    return LabelFile(
        path=source.path,
        format=kind,
        label_column=table.headers.get(columns.name) if columns.name else None,
        recording=source.recording,
        names_recordings=bool(recordings),
        labels=tuple(labels),
        recordings=every,
        class_columns=tuple(columns.classes.values()),
        problems=tuple(problems),
    )


def _parse(source: _Source, text: str, first: str) -> _Table:
    """Split a table into headers and rows.

    Raises
    ------
    _UnreadableError
        It is not a table.
    """
    tab = "\t" in first
    if not tab:
        _check_separator(first)
    quotes = [len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in first.strip().split("\t" if tab else ",")]
    lines = io.StringIO(text, newline="")
    if tab and any(quotes):
        lines = io.StringIO(_ESCAPED_QUOTE.sub('""', text), newline="")  # R writes \" for a quotation mark
    # Raven quotes nothing: a quotation mark in a note is a quotation mark. What quotes its headers quotes its texts.
    reader = (
        csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if tab and not any(quotes)
        else csv.reader(lines, delimiter="\t" if tab else ",", strict=True)
    )
    headers: list[str] = []
    rows: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if headers:
                rows.append((reader.line_num, cells))
            else:
                headers = _headers(reader.line_num, cells)
    except csv.Error as error:
        raise _UnreadableError(f"not a table ({error})", reader.line_num) from None
    if all(quotes) and _has_row_names(headers, rows):
        rows = [(line, cells[1:]) for line, cells in rows]
    keys = [_key(header) for header in headers]
    if {*_STARTS, "offset"} & set(keys):  # else it is no table of labels, and that is told instead
        _check_widths(headers, rows, tab)
    filler = [""] * len(headers)
    return _Table(
        source,
        dict(zip(keys, headers, strict=True)),
        tuple(
            _Row({key: unescape(cell.strip()) for key, cell in zip(keys, cells + filler, strict=False)}, line)
            for line, cells in rows
        ),
    )


_ESCAPED_QUOTE = re.compile(r'\\"(?![\t\r\n]|\Z)')


def _check_separator(first: str) -> None:
    """Refuse a table whose first line has neither tabs nor commas between its columns."""
    words = first.split()
    if len(words) > 1 and all(map(_is_like_a_number, words[:2])):
        raise _UnreadableError(f"start, end and label are separated by blanks ({first.strip()[:80]!r}); use tabs")
    if "," in first:
        return
    if ";" in first:
        raise _UnreadableError(
            "columns are separated by semicolons; save it with commas or tabs, and with decimal points"
        )
    if "|" in first:
        raise _UnreadableError("columns are separated by '|'; save it with commas or tabs")
    if len(words) > 1 and re.search(r"\b(begin|start|onset)", first, re.IGNORECASE):
        raise _UnreadableError(f"no tab or comma separates the columns of {first.strip()[:80]!r}; use tabs")


def _headers(line: int, cells: Sequence[str]) -> list[str]:
    while cells and not cells[-1].strip():  # a separator at the end of the line
        cells = cells[:-1]
    headers = [unescape(cell.strip()) for cell in cells]
    keys = [_key(header) for header in headers]
    if sum(map(_is_like_a_number, headers)) > 1 and not set(keys) & {*_STARTS, "offset"}:
        raise _UnreadableError(
            f"values stand where headers are expected ({', '.join(headers)}); write a line before them such as "
            f"start_time,end_time,label",
            line,
        )
    twice = sorted({key for key in keys if key and keys.count(key) > 1})
    if twice:
        raise _UnreadableError(f"there are several columns {twice[0]!r}; rename all but one", line)
    return headers


def _key(header: str) -> str:
    """Return a header as columns are compared: ``begin time (s)`` also of R's ``Begin.Time..s.``."""
    lowered = header.lower()
    if lowered in _KNOWN:
        return lowered
    unit = (
        re.sub(r"[._]+\(?(\w+)\)?\.?$", r" (\1)", lowered) if re.search(r"\.\.\w+\.$|_\(\w+\)$", lowered) else lowered
    )
    plain = unit.replace(".", " ").replace("_", " ")
    return plain if plain in _KNOWN else lowered


def _has_row_names(headers: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> bool:
    """Say whether R put the names of its rows before the first column, which has no header then."""
    names = {cells[0] for _, cells in rows}
    return bool(rows) and len(names) == len(rows) and all(len(cells) == len(headers) + 1 for _, cells in rows)


def _check_widths(headers: Sequence[str], rows: Sequence[tuple[int, list[str]]], tab: bool) -> None:
    """Refuse values that stand under no header."""
    wide = [(line, cells) for line, cells in rows if any(cell.strip() for cell in cells[len(headers) :])]
    if not wide:
        return
    line, cells = wide[0]
    extra = ", ".join(repr(cell.strip()) for cell in cells[len(headers) :])
    more = f" (and {len(wide) - 1} more lines like it)" if len(wide) > 1 else ""
    width = f"{len(cells)} values under {len(headers)} headers"
    known = f"the headers are {', '.join(headers)}"
    raise _UnreadableError(
        f"{width}: {extra} has none{more}; give every column a header, or delete this one (in R, write the table with "
        f"row.names=FALSE); {known}"
        if tab
        else f"{width}; is there a decimal comma, or a text that needs quotation marks? {extra} has no header{more}; "
        f"{known}",
        line,
    )


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which columns of a table mean what, by their keys.

    Attributes
    ----------
    start, stop, duration : str
        ``stop`` or ``duration`` may be empty, not both.
    in_file : str
        Raven's File Offset, where a table over several files needs it; the end is then start plus length.
    name : str
        The labels' names; empty where there are none.
    classes : dict of str to str
        Columns of 0 and 1 with their headers, where these name the labels.
    """

    start: str
    stop: str
    duration: str
    in_file: str
    name: str
    classes: Mapping[str, str]

    def labels(self, row: _Row, recording: str) -> Iterator[Label]:
        """Yield a row's label, or one for each class that is present.

        Raises
        ------
        ValueError
            A value is missing or no number, and which.
        """
        start = _time(row, self.start)
        stop = _time(row, self.stop) if self.stop else start + _time(row, self.duration)
        said = (
            f"{row.cells[self.start]} to {row.cells[self.stop]} s" if self.stop else f"from {row.cells[self.start]} s"
        )
        start, stop = _checked(start, stop, said)
        if self.in_file:
            begin = _time(row, self.in_file)
            start, stop = _checked(begin, begin + stop - start, f"{self.in_file}: {row.cells[self.in_file]}")
        low, high = (_band_edge(row, names) for names in (_LOWS, _HIGHS))
        for name in self._names(row):
            yield Label(start, stop, name, low, high, recording, row.line)

    def _names(self, row: _Row) -> Iterator[str]:
        if not self.classes:
            yield _said(row.cells[self.name]) if self.name else ""
        for column, header in self.classes.items():
            presence = _presence(row.cells[column])
            if presence is None:
                raise ValueError(f"{header}: {row.cells[column]!r} says neither 0 nor 1; write one, or delete the line")
            if presence:
                yield header


def _time(row: _Row, column: str) -> int:
    try:
        return microseconds(row.cells[column])
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from None


def _band_edge(row: _Row, names: Sequence[str]) -> Fraction | None:
    text = next((row.cells[name] for name in names if row.cells.get(name)), "")
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def _columns_of(table: _Table, recordings: Sequence[str], said: Sequence[str]) -> _Columns:
    start, stop, duration = _time_columns(table)
    name = _label_column(table)
    classes = [] if name and table.source.label_column is None else _class_columns(table, name)
    return _Columns(
        start=start,
        stop=stop,
        duration=duration,
        in_file=_file_offset(table, start, recordings, said) if table.is_raven else "",
        name="" if classes else name,
        classes={key: table.headers[key] for key in classes},
    )


def _time_columns(table: _Table) -> tuple[str, str, str]:
    start, stop, duration = map(table.first, (_STARTS, _STOPS, _DURATIONS))
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
    told = f" ({others[0][0]!r} is in {others[0][1]})" if others else ""
    raise _UnreadableError(
        f"no column says where a label {'ends' if start else 'begins'}{', in seconds' if told else ''}; its columns "
        f"are {', '.join(headers)}{told}. Name them start_time and end_time (seconds), or start_time and duration"
    )


_UNITS = {
    "milliseconds": re.compile(r"milli|(?<![a-z])m(sec)?s?(?![a-z])|(?<=[a-z])Ms$"),
    "microseconds": re.compile(r"micro|(?<![a-z])[uµ]s(?![a-z])"),
    "samples": re.compile(r"sample", re.IGNORECASE),
    "frames": re.compile(r"frame", re.IGNORECASE),
    "minutes": re.compile(r"(?<![a-z])min(ute)?s?(?![a-z])"),
    "a clock's time": re.compile(r"clock|date", re.IGNORECASE),
}


def _other_unit(header: str) -> str:
    """Return the unit of a header of times that are not in seconds; empty where it is none."""
    if not re.match(r"(start|begin|onset|end|stop)", header, re.IGNORECASE):
        return ""
    return next((unit for unit, form in _UNITS.items() if form.search(header) or form.search(header.lower())), "")


def _recording_columns(table: _Table) -> tuple[str, ...]:
    if "in file" in table.headers:  # Kaleidoscope's path lies in three columns
        return tuple(name for name in ("indir", "folder", "in file") if name in table.headers)
    # A path says more than a name: two folders may hold files of one name.
    present = [name for name in ("begin path", *_RECORDINGS) if name in table.headers]
    best = next((name for name in present if table.has_values(name)), present[0] if present else "")
    return (best,) if best else ()


def _file_offset(table: _Table, start: str, recordings: Sequence[str], said: Sequence[str]) -> str:
    """Return Raven's column of times within a file; Begin Time counts from the first file that was opened."""
    column = _FILE_OFFSET if _FILE_OFFSET in table.headers else ""
    if recordings:
        return column if column or table.source.times_per_file else _times_of_a_single_file(table.source, set(said))
    for row in table.rows if column else ():
        if row.cells[column] and _time_or_none(row, column) != _time_or_none(row, start):
            raise _UnreadableError(
                "File Offset (s) differs from Begin Time (s), but no column says of which file; add the measurement "
                "Begin File in Raven and save the table again",
                row.line,
            )
    return ""


def _times_of_a_single_file(source: _Source, said: set[str]) -> str:
    """Return no column, where a table without File Offset is of one file, after which it is named.

    A table of a sequence is named after the first file, in which both counts are the same.
    """
    mend = (
        "add the measurement File Offset in Raven and save it again, or say --times-per-file if they count from the "
        "file of each row"
    )
    if len(said) > 1:
        raise _UnreadableError(
            f"the table speaks of {len(said)} recordings, but has no File Offset (s), and Begin Time may count from "
            f"the first of them; {mend}"
        )
    if said and not _is_named_after(source.recording, *said):
        raise _UnreadableError(
            f"the table speaks of {next(iter(said))!r}, is not named after it and has no File Offset (s), so Begin "
            f"Time may count from the first file of a sequence; {mend}"
        )
    return ""


def _is_named_after(name: str, recording: str) -> bool:
    """Say whether a table's name is that of a recording, or begins with it."""
    own, file = _folded(name), _folded(_parts(recording)[-1])
    stem = file.rpartition(".")[0] or file
    return own.startswith(stem) and not own[len(stem) : len(stem) + 1].isalnum()


def _time_or_none(row: _Row, column: str) -> int | None:
    try:
        return microseconds(row.cells[column])
    except ValueError:
        return None


# Which column names the labels


def _label_column(table: _Table) -> str:
    """Return the column that names the labels: the preferred one of those that hold anything.

    Raises
    ------
    _UnreadableError
        Two of them differ, and nobody said which counts.
    """
    if table.source.label_column is not None:
        wanted = _key(table.source.label_column.strip())
        if wanted not in table.headers:
            raise _UnreadableError(
                f"there is no column {table.source.label_column!r}; its columns are {', '.join(table.headers.values())}"
            )
        return wanted
    for names in (_STRONG, _WEAK):
        filled = [name for name in names if name in table.headers and table.has_values(name)]
        if filled:
            return _preferred(table, filled)
    if table.is_raven:
        others = [name for name in table.headers if _may_name(table, name)]
        if len(others) > 1:
            raise _doubt(table, others)
        if others:
            return others[0]
    return "" if table.rows else table.first((*_STRONG, *_WEAK))


def _preferred(table: _Table, filled: Sequence[str]) -> str:
    """Return the first column with which every other one agrees wherever the other holds anything."""
    values = {name: table.values(name) for name in filled}
    for name in filled:
        if all(_agrees(name, values[name], other, values[other]) for other in filled):
            return name
    raise _doubt(table, filled)


def _agrees(name: str, values: Sequence[str], other: str, others: Sequence[str]) -> bool:
    pairs = {(mine.casefold(), its.casefold()) for mine, its in zip(values, others, strict=True) if its}
    if all(mine == its for mine, its in pairs):
        return True
    # Two names of each species, as BirdNET writes them.
    both = {name, other} <= _NAMES_OF_A_TAXON and all(mine for mine, _ in pairs)
    return both and len({mine for mine, _ in pairs}) == len(pairs) == len({its for _, its in pairs})


def _may_name(table: _Table, column: str) -> bool:
    """Say whether a column that nobody knows holds words: no measurement, no index and no number in it."""
    if column in _RAVEN_OWN or column in _KNOWN or column.endswith(")") or _INDEX.fullmatch(column):
        return False
    values = [value for value in table.values(column) if value]
    return any(not _NUMBER.fullmatch(value) for value in values) and any(_presence(value) is None for value in values)


def _doubt(table: _Table, columns: Iterable[str]) -> _UnreadableError:
    named = [header for key, header in table.headers.items() if key in set(columns)]
    return _UnreadableError(
        f"the labels may stand in {' or '.join(repr(name) for name in named)}; say which is the label column, for "
        f"example --label-column {shlex.quote(named[0])}"
    )


# Columns of 0 and 1, one for each class


def _presence(text: str) -> bool | None:
    """Return whether a cell says that a class is present; None where it says something else."""
    lowered = text.lower()
    if _NUMBER.fullmatch(lowered):
        value = Fraction(lowered)
        return bool(value) if value in {0, 1} else None
    return True if lowered in _PRESENT else False if lowered in _ABSENT else None


def _class_columns(table: _Table, asked: str) -> list[str]:
    """Return the columns that say for each class whether it is present.

    Raises
    ------
    _UnreadableError
        They hold scores.
    """
    if asked:
        return [asked] if asked not in {*_STRONG, *_WEAK} and _is_presence(table.values(asked)) else []
    unknown = [
        name
        for name in table.headers
        if name not in _KNOWN | _NO_CLASSES and not name.endswith(")") and not _INDEX.fullmatch(name)
    ]
    values = {name: [value for value in table.values(name) if value] for name in unknown}
    present = [name for name in unknown if _is_presence(values[name])]
    scores = [name for name in unknown if name not in present and _is_unit_interval(values[name])]
    numbers = [name for name in unknown if values[name] and all(map(_NUMBER.fullmatch, values[name]))]
    if scores and not table.is_raven and set(numbers) <= {*scores, *present}:
        value = next(value for value in values[scores[0]] if _presence(value) is None)
        raise _UnreadableError(
            f"{' and '.join(repr(table.headers[name]) for name in scores[:_LISTED])} hold scores such as {value}, not "
            f"labels; write 1 where a class is present and 0 where it is not, or say --label-column"
        )
    return present


def _is_presence(values: Sequence[str]) -> bool:
    filled = [value for value in values if value]
    return bool(filled) and all(_presence(value) is not None for value in filled)


def _is_unit_interval(values: Sequence[str]) -> bool:
    return bool(values) and all(_NUMBER.fullmatch(value) and 0 <= Fraction(value) <= 1 for value in values)


# ----------------------------------------------------------------------------------------- recordings


class RecordingNames:
    """Finds the recording that a label file speaks of.

    A label file was often made on another computer, in another folder, from another copy. In this order: the very
    name; a path of which the name is the end, or that is the end of the name; the same file name in any folder; the
    same without the ending of an audio file; then the same four without regard to capitals and blanks at the ends.
    Letters with marks are the same however Unicode composes them. A step that finds several recordings is an error,
    never a choice.

    Parameters
    ----------
    names : iterable of str
        Names of recordings, with ``/`` between folders.
    audio_suffixes : iterable of str
        Endings of audio files, with their dot, in lower case: a FLAC copy of a WAV has the same labels.
    """

    def __init__(self, names: Iterable[str], audio_suffixes: Iterable[str]) -> None:
        self.names = tuple(sorted(set(names)))
        self._exact = frozenset(self.names)
        suffixes = frozenset(audio_suffixes)
        self._passes = [_Names(self.names, form, suffixes) for form in (_composed, _folded)]

    def find(self, said: str) -> str | None:
        """Return the recording meant, or None if there is none of that name.

        Raises
        ------
        InvalidRequest
            Several recordings may be meant.
        """
        if said in self._exact:
            return said
        for names in self._passes:
            for found in names.steps(said):
                alike = self._passes[-1].nearest(said, found) if len(found) > 1 else found
                if len(alike) == 1:
                    return alike[0]
                if found:
                    names_found = ", ".join(map(shown_path, found[:_LISTED]))
                    raise InvalidRequest(
                        f"{shown_path(said)!r} may be any of {names_found}; name the recording with its folder"
                    )
        return None


class _Names:
    """Names of recordings as they are compared in one of the two passes."""

    def __init__(self, names: Iterable[str], form: Callable[[str], str], suffixes: frozenset[str]) -> None:
        self._form, self._suffixes = form, suffixes
        self._parts = {name: _parts(form(name)) for name in names}
        self._whole: dict[tuple[str, ...], list[str]] = {}
        self._by_end: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for name, parts in self._parts.items():
            self._whole.setdefault(parts, []).append(name)
            self._by_end.setdefault(parts[-1], []).append(name)
            self._by_stem.setdefault(self._stem(parts[-1]), []).append(name)

    def steps(self, said: str) -> Iterator[list[str]]:
        """Yield what each step finds."""
        parts = _parts(self._form(said))
        same_end = self._by_end.get(parts[-1], [])
        same_stem = self._by_stem.get(self._stem(parts[-1]), [])
        yield self._whole.get(parts, [])
        yield self.nearest(said, same_end)
        yield same_end
        bare = (*parts[:-1], "")
        yield [name for name in same_stem if _ends_alike((*self._parts[name][:-1], ""), bare)]
        yield same_stem

    def nearest(self, said: str, found: Sequence[str]) -> list[str]:
        """Return those whose path ends as the said one, or the other way round."""
        parts = _parts(self._form(said))
        return [name for name in found if _ends_alike(self._parts[name], parts)]

    def _stem(self, name: str) -> str:
        path = PurePath(name)
        return path.stem if path.suffix.lower() in self._suffixes else name


def _composed(name: str) -> str:
    """Return a name with letters and marks composed: macOS writes them apart."""
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    """Return a name without capitals and without blanks around its folders and its file."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
    return "/".join(part.strip() for part in folded.replace("\\", "/").split("/"))


def _parts(name: str) -> tuple[str, ...]:
    """Return the folders and the file of a path of any system."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in {"", "."}) or ("",)


def _ends_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]
