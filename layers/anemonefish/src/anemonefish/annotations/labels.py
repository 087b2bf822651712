"""Labels: what people, or other programs, marked in a recording, as read from the files they have.

:func:`anemonefish.annotations.label_files.read_labels` returns a :class:`LabelFile` for a Raven selection table, an
Audacity label track or a CSV. Nothing in a file is guessed, dropped or repaired silently: what cannot be read is a
:class:`Problem` that names the line and says how to correct it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from anemonefish.recording_names import printable

__all__ = [
    "Label",
    "LabelFile",
    "LabelSource",
    "Problem",
    "UnreadableFileError",
    "join_messages",
    "printable_path",
    "read_text",
    "split_lines",
]

_MESSAGES_SHOWN = 5

# What programs append to the name of a recording; endings are removed until none is left.
_PROGRAM_ENDING = re.compile(
    r"\.(txt|csv|tsv|selections?|table(\.\d+)?|labels?|audacity|classes|events|raven|kaleidoscope"
    r"|BirdNET(\.results|\.selection\.table|\.kaleidoscope)?)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Label:
    """One thing that a person (or another program) marked.

    Attributes
    ----------
    start, stop : int
        Microseconds from the beginning of the recording, half-open; equal for a point.
    name : str
        The class or the text of the label; empty when the file has no names.
    low_hz, high_hz : Fraction or None
        The frequency band, where one was drawn.
    recording : str
        The recording's name in the file, or else the name that the file's own name suggests; see
        :class:`anemonefish.annotations.recording_matching.RecordingMatcher`.
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
        The recording whose labels are therefore incomplete: its name in the file, or the name that the file's own name
        suggests.
    message : str
        What is wrong, and how to correct it.
    """

    line: int
    recording: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFile:
    """The labels of one file.

    Attributes
    ----------
    path : Path
    format : {"raven", "audacity", "csv"}
    recording : str
        The recording that the file's own name suggests: ``reef.wav`` of ``reef.wav.selections.txt``.
    names_recordings : bool
        Whether the file has a column that says which recording a label belongs to.
    labels : tuple of Label
        In the order of the file.
    recordings : tuple of str
        Every recording that the file names, sorted, those without a label included. A file without rows, or without
        such a column, has the recording of its own name here.
    label_column : str or None
        Header of the column that names the labels; None where there is none.
    class_columns : tuple of str
        Headers of columns of 0 and 1, one for each class, where these name the labels.
    problems : tuple of Problem
        What could not be read.
    """

    path: Path
    format: str
    recording: str
    names_recordings: bool
    labels: tuple[Label, ...]
    recordings: tuple[str, ...] = ()
    label_column: str | None = None
    class_columns: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelSource:
    """A label file, and how it is to be read.

    Attributes
    ----------
    path : Path
    label_column : str or None
        Header of the column that names the labels, where the caller chose it.
    times_per_file : bool
        Whether Begin Time counts from the file that each row names.
    """

    path: Path
    label_column: str | None = None
    times_per_file: bool = False

    @property
    def recording(self) -> str:
        """The recording that the file's name suggests."""
        name = printable(self.path.name)
        while (shorter := _PROGRAM_ENDING.sub("", name)) != name and shorter:
            name = shorter
        return name


class UnreadableFileError(Exception):
    """A whole label file cannot be read, and why."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def read_text(path: Path) -> str:
    """Return a file as text: UTF-8, or UTF-16 with its byte order mark.

    Another encoding is refused, because a wrong guess would change the names of labels and recordings.

    Raises
    ------
    UnreadableFileError
        The file cannot be opened, is a workbook, or has another encoding.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(f"cannot be read ({error.strerror})") from None
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UnreadableFileError("a workbook, not a text file; save the sheet as CSV (UTF-8)")
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        name = encoding.removesuffix("-sig").upper()
        message = f"byte 0x{data[error.start]:02x} is not {name}; save the file as UTF-8"
        raise UnreadableFileError(message, line) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        message = "there is a byte 0; is it UTF-16 without its byte order mark? Save the file as UTF-8"
        raise UnreadableFileError(message, line)
    return text


def split_lines(text: str) -> list[str]:
    """Split text at the line ends of any system; Unicode's other line separators may be part of a label."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def printable_path(path: Path | str) -> str:
    """Return a path as every terminal and file can show it: bytes that are not UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def join_messages(messages: Iterable[str], limit: int = _MESSAGES_SHOWN) -> str:
    """Join the first messages into one line that also says how many more there are."""
    every = list(messages)
    more = f"; and {len(every) - limit} more" if len(every) > limit else ""
    return "; ".join(every[:limit]) + more
