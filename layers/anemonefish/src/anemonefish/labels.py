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
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePath

from anemonefish.errors import InvalidRequest

__all__ = [
    "LABEL_FORMATS",
    "Label",
    "LabelFile",
    "RecordingNames",
    "find_label_files",
    "microseconds",
    "read_labels",
]

LABEL_FORMATS = ("raven", "audacity", "csv")
"""Formats by name; which one a file has is seen from its first line."""

_MICRO = 1_000_000
_LATEST = 10**10 * _MICRO  # 300 years: further off is a slip of the pen or an attack with exponents
_SUFFIXES = frozenset({".txt", ".csv", ".tsv"})

# What tools append to the name of a recording; cut off until nothing fits any more.
_TOOL_SUFFIX = re.compile(
    r"\.(txt|csv|tsv|selections?|table(\.\d+)?|labels?|audacity|classes|events|raven|kaleidoscope"
    r"|BirdNET(\.results|\.selection\.table|\.kaleidoscope)?)$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?[\d.]*\d,\d+", re.ASCII)

# Every name in lower case; columns are compared so. The first one present wins, but among labels more than one of a
# rank is a question for the user.
_STARTS = (
    "start_time",
    "start",
    "start (s)",
    "begin time (s)",
    "begin_time",
    "begin",
    "onset",
    "onset_s",
    "start_seconds",
)
_STOPS = ("end_time", "end", "end (s)", "end time (s)", "stop", "stop_time", "offset_s", "end_seconds")
_DURATIONS = ("duration", "duration (s)", "delta time (s)", "duration_seconds")
_RECORDINGS = (
    "recording", "in file", "in file*", "begin file", "filename", "file_name", "file", "filepath", "file path",
    "audio_file", "sound.files", "begin path", "path",
)  # fmt: skip
_LABELS = (
    ("class", "label", "labels", "annotation", "annotations"),
    ("manual id", "manual id*", "event_label", "common name", "common_name", "species", "tags", "call type",
     "call_type"),
    ("top1match", "top1match*", "auto id", "auto id*", "scientific name", "scientific_name", "sound type", "category",
     "type"),
)  # fmt: skip
_LOWS = ("low freq (hz)", "low_f", "low_freq", "low_hz", "fmin", "bottom.freq")
_HIGHS = ("high freq (hz)", "high_f", "high_freq", "high_hz", "fmax", "top.freq")

# Columns that Raven itself writes and that are no labels; its measurements carry their unit in parentheses besides.
_RAVEN_OWN = frozenset(
    {"selection", "view", "channel", "begin path", "begin file", "end path", "end file", "begin date", "end date",
     "begin clock time", "end clock time", "begin date time", "score", "confidence", "rating", "species code",
     "software", "notes", "comments"}
)  # fmt: skip


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
    """

    path: Path
    format: str
    label_column: str | None
    recording: str
    names_recordings: bool
    labels: tuple[Label, ...]

    @property
    def recordings(self) -> tuple[str, ...]:
        """Every recording that the file speaks of, sorted; its own name's if it has no labels and names none."""
        said = {label.recording for label in self.labels}
        return tuple(sorted(said or {self.recording}))


def find_label_files(path: Path, pattern: str = "*") -> tuple[Path, ...]:
    """Return a file, or the label files below a folder, sorted; hidden files and folders are passed over.

    Parameters
    ----------
    path : Path
    pattern : str
        Which names to take in a folder, for example ``*.selections.txt``.

    Raises
    ------
    InvalidRequest
        There is nothing there, or no label file.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise InvalidRequest(f"{path}: there is no such file or folder of labels")
    found = tuple(sorted(file for file in path.rglob(pattern) if _is_label_file(file, path)))
    if not found:
        raise InvalidRequest(
            f"{path}: no label file in this folder; it looks for {pattern} that end in {' '.join(sorted(_SUFFIXES))}"
        )
    return found


def _is_label_file(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.suffix.lower() in _SUFFIXES and not hidden and file.is_file()


def read_labels(path: Path, *, label_column: str | None = None) -> LabelFile:
    """Read a label file, whatever its format.

    Parameters
    ----------
    path : Path
        A Raven selection table, an Audacity label track or a CSV; UTF-8, with or without a byte order mark, any line
        ends. An empty file is a label track without labels.
    label_column : str, optional
        Header of the column with the names; found by itself where there is no doubt.

    Raises
    ------
    InvalidRequest
        The file cannot be understood: which line, and the mend.
    """
    text = _text(path)
    first = next((line for line in _lines(text) if line.strip()), "")
    read: Callable[[_Source], LabelFile] = _read_table
    if _is_label_track(first):
        if label_column is not None:
            raise InvalidRequest(f"{path}: a label track has no columns; leave the label column away")
        read = _read_audacity
    return read(_Source(path, text, first, label_column))


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
    value = _fraction(text) * _MICRO
    if abs(value) > _LATEST:
        raise ValueError(f"{text!r} is further than any recording reaches")
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _fraction(text: str) -> Fraction:
    text = text.strip()
    if _DECIMAL_COMMA.fullmatch(text):
        raise ValueError(f"{text!r} has a decimal comma; write the file with decimal points")
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number of seconds" if text else "the value is missing")
    return Fraction(text)


@dataclass(frozen=True, slots=True)
class _Source:
    """A label file as text, and what complaints about it begin with."""

    path: Path
    text: str
    first: str
    label_column: str | None

    def refuse(self, line: int, what: str) -> InvalidRequest:
        return InvalidRequest(f"{self.path}: line {line}: {what}")

    @property
    def recording(self) -> str:
        """The recording that the file's name suggests."""
        name = self.path.name
        while (cut := _TOOL_SUFFIX.sub("", name)) != name and cut:
            name = cut
        return name


def _text(path: Path) -> str:
    """Return the file as text; an encoding that is not certain is refused, for a guess would change names."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path}: cannot be read ({error.strerror})") from None
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidRequest(
            f"{path}: line {line}: byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None


def _lines(text: str) -> list[str]:
    """Split at line ends of any system, and not at what else Unicode calls one: a label may hold it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


# ------------------------------------------------------------------------------------------- Audacity


def _is_label_track(first: str) -> bool:
    cells = first.split("\t")
    looks = [bool(_NUMBER.fullmatch(cell.strip()) or _DECIMAL_COMMA.fullmatch(cell.strip())) for cell in cells[:2]]
    return not first or cells[0] == "\\" or (len(cells) >= 2 and all(looks))


def _read_audacity(source: _Source) -> LabelFile:
    labels: list[Label] = []
    for line, row in enumerate(_lines(source.text), start=1):
        if not row.strip():
            continue
        cells = row.split("\t")
        try:
            if cells[0] == "\\":
                labels.append(_with_band(labels.pop() if labels else None, cells))
            else:
                labels.append(_track_label(cells, source.recording, line))
        except ValueError as error:
            raise source.refuse(line, str(error)) from None
    return LabelFile(source.path, "audacity", None, source.recording, False, tuple(labels))


def _track_label(cells: Sequence[str], recording: str, line: int) -> Label:
    if len(cells) < 2:
        raise ValueError("a label has a start and an end, separated by a tab")
    start, stop = _interval(microseconds(cells[0]), microseconds(cells[1]))
    return Label(start, stop, "\t".join(cells[2:]).strip(), None, None, recording, line)


def _with_band(label: Label | None, cells: Sequence[str]) -> Label:
    """Add the frequencies of a spectral selection; -1 stands for an edge that was not set."""
    if label is None:
        raise ValueError("a line of frequencies belongs to the label before it, and there is none")
    if len(cells) != 3:
        raise ValueError("a line of frequencies has a backslash, a low and a high one, separated by tabs")
    low, high = (None if value < 0 else value for value in map(_fraction, cells[1:]))
    return Label(label.start, label.stop, label.name, low, high, label.recording, label.line)


def _interval(start: int, stop: int) -> tuple[int, int]:
    if start < 0:
        raise ValueError("a label cannot begin before its recording")
    if stop < start:
        raise ValueError("the end lies before the start")
    return start, stop


# --------------------------------------------------------------------------------------------- tables


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a table by its headers in lower case."""

    cells: Mapping[str, str]
    line: int


def _read_table(source: _Source) -> LabelFile:
    headers, rows = _rows(source)
    columns = _columns_of(source, headers, rows)
    labels, seen = [], set()
    for row in rows:
        try:
            label = columns.label(row, source.recording)
        except ValueError as error:
            raise source.refuse(row.line, str(error)) from None
        # Raven writes a row for each view (waveform, spectrogram) and channel of one selection.
        key = (row.cells.get("selection", ""), label.recording, label.start, label.stop, label.name)
        if columns.raven and key[0] and key in seen:
            continue
        seen.add(key)
        labels.append(label)
    name = next((header for header in headers if header.lower() == columns.name), None)
    kind = "raven" if columns.raven else "csv"
    return LabelFile(source.path, kind, name, source.recording, bool(columns.recordings), tuple(labels))


def _rows(source: _Source) -> tuple[list[str], list[_Row]]:
    """Return the headers as written and every row that is not empty."""
    tab = "\t" in source.first
    if not tab and ";" in source.first and "," not in source.first:
        raise InvalidRequest(
            f"{source.path}: columns are separated by semicolons; save it with commas or tabs, and with decimal points"
        )
    text = io.StringIO(source.text, newline="")
    # Raven quotes nothing: a quotation mark in a note is a quotation mark.
    reader = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE) if tab else csv.reader(text, strict=True)
    headers: list[str] = []
    rows = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not headers:
                headers = _headers(source, reader.line_num, cells)
            elif len(cells) > len(headers) and any(cell.strip() for cell in cells[len(headers) :]):
                raise source.refuse(
                    reader.line_num,
                    f"{len(cells)} values under {len(headers)} headers; is there a decimal comma, or a text that "
                    f"needs quotation marks?",
                )
            else:
                filled = [*cells, *[""] * (len(headers) - len(cells))]
                named = {header.lower(): cell.strip() for header, cell in zip(headers, filled, strict=False)}
                rows.append(_Row(named, reader.line_num))
    except csv.Error as error:
        raise source.refuse(reader.line_num, f"not a table ({error})") from None
    return headers, rows


def _headers(source: _Source, line: int, cells: Sequence[str]) -> list[str]:
    while cells and not cells[-1].strip():  # a separator at the end of the line
        cells = cells[:-1]
    headers = [cell.strip() for cell in cells]
    lowered = [header.lower() for header in headers]
    twice = sorted({header for header in lowered if header and lowered.count(header) > 1})
    if twice:
        raise source.refuse(line, f"there are several columns {twice[0]!r}; rename all but one")
    return headers


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which columns of a table mean what, all in lower case.

    Attributes
    ----------
    raven : bool
        Whether it is a selection table.
    start, stop, duration : str
        ``stop`` or ``duration`` may be empty, not both.
    in_file : str
        Raven's File Offset, where a table over several files needs it; the end is then start plus length.
    recordings : tuple of str
        Columns that make the recording's path; empty where the table names none.
    name : str
        The labels' names; empty where there are none.
    """

    raven: bool
    start: str
    stop: str
    duration: str
    in_file: str
    recordings: tuple[str, ...]
    name: str

    def label(self, row: _Row, recording: str) -> Label:
        """Return a row's label.

        Raises
        ------
        ValueError
            A value is missing or no number, and which.
        """
        start = _time(row, self.start)
        stop = _time(row, self.stop) if self.stop else start + _time(row, self.duration)
        start, stop = _interval(start, stop)
        if self.in_file:
            begin = _time(row, self.in_file)
            start, stop = _interval(begin, begin + stop - start)
        said = "/".join(part for name in self.recordings if (part := row.cells.get(name, "").rstrip("/\\")))
        low, high = (_band_edge(row, names) for names in (_LOWS, _HIGHS))
        return Label(start, stop, row.cells.get(self.name, ""), low, high, said or recording, row.line)


def _time(row: _Row, column: str) -> int:
    try:
        return microseconds(row.cells.get(column, ""))
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from None


def _band_edge(row: _Row, names: Sequence[str]) -> Fraction | None:
    text = next((row.cells[name] for name in names if row.cells.get(name)), "")
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def _columns_of(source: _Source, headers: Sequence[str], rows: Sequence[_Row]) -> _Columns:
    lowered = [header.lower() for header in headers]
    raven = "begin time (s)" in lowered and ("selection" in lowered or "end time (s)" in lowered)
    start, stop, duration = _time_columns(source, headers, lowered)
    recordings = _recording_columns(lowered)
    return _Columns(
        raven=raven,
        start=start,
        stop=stop,
        duration=duration,
        in_file=_file_offset(source, start, recordings, lowered, rows) if raven else "",
        recordings=recordings,
        name=_label_column(source, headers, lowered, rows, raven),
    )


def _time_columns(source: _Source, headers: Sequence[str], lowered: Sequence[str]) -> tuple[str, str, str]:
    start, stop, duration = (_first(names, lowered) for names in (_STARTS, _STOPS, _DURATIONS))
    # "offset" is where a sound ends beside an "onset" (sed_eval), and where it begins beside a "duration"
    # (Kaleidoscope).
    if not start and duration and "offset" in lowered:
        start = "offset"
    elif start.startswith("onset") and not stop and "offset" in lowered:
        stop = "offset"
    if not start or not (stop or duration):
        raise InvalidRequest(
            f"{source.path}: no column says where a label {'ends' if start else 'begins'}; its columns are "
            f"{', '.join(headers)}. Name them start_time and end_time (seconds), or start_time and duration"
        )
    return start, stop, "" if stop else duration


def _recording_columns(lowered: Sequence[str]) -> tuple[str, ...]:
    if "in file" in lowered:  # Kaleidoscope's path lies in three columns
        return tuple(name for name in ("indir", "folder", "in file") if name in lowered)
    # A path says more than a name: two folders may hold files of one name.
    first = _first(("begin path", *_RECORDINGS), lowered)
    return (first,) if first else ()


def _file_offset(
    source: _Source, start: str, recordings: Sequence[str], lowered: Sequence[str], rows: Sequence[_Row]
) -> str:
    """Return Raven's column of times within a file; Begin Time counts from the first file that was opened."""
    column = "file offset (s)" if "file offset (s)" in lowered else ""
    said = {tuple(row.cells[name] for name in recordings) for row in rows}
    if recordings:
        if len(said) > 1 and not column:
            raise InvalidRequest(
                f"{source.path}: the table speaks of {len(said)} recordings, but has no File Offset (s), and Begin "
                f"Time may count from the first of them; add the measurement File Offset in Raven and save it again"
            )
        return column
    for row in rows if column else ():
        if row.cells[column] and _time_or_none(row, column) != _time_or_none(row, start):
            raise source.refuse(
                row.line,
                "File Offset (s) differs from Begin Time (s), but no column says of which file; add the measurement "
                "Begin File in Raven and save the table again",
            )
    return ""


def _time_or_none(row: _Row, column: str) -> int | None:
    try:
        return microseconds(row.cells[column])
    except ValueError:
        return None


def _label_column(
    source: _Source, headers: Sequence[str], lowered: Sequence[str], rows: Sequence[_Row], raven: bool
) -> str:
    if source.label_column is not None:
        wanted = source.label_column.strip().lower()
        if wanted not in lowered:
            raise InvalidRequest(
                f"{source.path}: there is no column {source.label_column!r}; its columns are {', '.join(headers)}"
            )
        return wanted
    for rank in _LABELS:
        present = [name for name in rank if name in lowered]
        if len(present) > 1:
            raise _doubt(source, headers, present)
        if present:
            return present[0]
    if not raven:
        return ""
    others = [name for name in lowered if _may_name(name, rows)]
    if len(others) > 1:
        raise _doubt(source, headers, others)
    return others[0] if others else ""


def _may_name(column: str, rows: Sequence[_Row]) -> bool:
    """Say whether a column that nobody knows holds words: no measurement and no number in it."""
    if not column or column in _RAVEN_OWN or column.endswith(")"):
        return False
    values = [row.cells[column] for row in rows if row.cells[column]]
    return bool(values) and not all(_NUMBER.fullmatch(value) for value in values)


def _doubt(source: _Source, headers: Sequence[str], columns: Iterable[str]) -> InvalidRequest:
    named = [header for header in headers if header.lower() in set(columns)]
    return InvalidRequest(
        f"{source.path}: the labels may stand in {' or '.join(repr(name) for name in named)}; "
        f"say which is the label column"
    )


def _first(names: Iterable[str], present: Sequence[str]) -> str:
    return next((name for name in names if name in present), "")


# ----------------------------------------------------------------------------------------- recordings


class RecordingNames:
    """Finds the recording that a label file speaks of.

    A label file was often made on another computer, in another folder, from another copy. In this order: the very
    name; a path of which the name is the end, or that is the end of the name; the same file name in any folder; the
    same without the ending of an audio file. A step that finds several recordings is an error, never a choice.

    Parameters
    ----------
    names : iterable of str
        Names of recordings, with ``/`` between folders.
    audio_suffixes : iterable of str
        Endings of audio files, with their dot, in lower case: a FLAC copy of a WAV has the same labels.
    """

    def __init__(self, names: Iterable[str], audio_suffixes: Iterable[str]) -> None:
        self.names = tuple(sorted(set(names)))
        self._suffixes = frozenset(audio_suffixes)
        self._by_end: dict[str, list[tuple[str, ...]]] = {}
        self._by_stem: dict[str, list[tuple[str, ...]]] = {}
        self._name = {_parts(name): name for name in self.names}
        for parts in self._name:
            self._by_end.setdefault(parts[-1], []).append(parts)
            self._by_stem.setdefault(self._stem(parts[-1]), []).append(parts)

    def find(self, said: str) -> str | None:
        """Return the recording meant, or None if there is none of that name.

        Raises
        ------
        InvalidRequest
            Several recordings may be meant.
        """
        parts = _parts(said)
        if parts in self._name:
            return self._name[parts]
        same_end = self._by_end.get(parts[-1], [])
        same_stem = self._by_stem.get(self._stem(parts[-1]), [])
        for found in self._steps(parts, same_end, same_stem):
            if len(found) > 1:
                names = ", ".join(self._name[each] for each in found[:5])
                raise InvalidRequest(f"{said!r} may be any of {names}; name the recording with its folder")
            if found:
                return self._name[found[0]]
        return None

    def _steps(
        self, parts: tuple[str, ...], same_end: list[tuple[str, ...]], same_stem: list[tuple[str, ...]]
    ) -> Iterator[list[tuple[str, ...]]]:
        yield [each for each in same_end if _ends_alike(each, parts)]
        yield same_end
        bare = (*parts[:-1], "")
        yield [each for each in same_stem if _ends_alike((*each[:-1], ""), bare)]
        yield same_stem

    def _stem(self, name: str) -> str:
        path = PurePath(name)
        return path.stem if path.suffix.lower() in self._suffixes else name


def _parts(name: str) -> tuple[str, ...]:
    """Return the folders and the file of a path of any system."""
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in {"", "."}) or ("",)


def _ends_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]
