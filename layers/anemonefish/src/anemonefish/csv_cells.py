"""Cells: values of CSV and tab-separated tables that are safe to open in a spreadsheet.

Owns how a text is written into a cell and read back. Excel, LibreOffice and Google Sheets run a cell that begins with
``=``, ``+``, ``-`` or ``@``, whatever quotation marks the file has around it; a recording may be called
``=HYPERLINK("http://...").wav``. Such a text gets a single quote in front, which spreadsheets take for "this is text",
and :func:`unescape` takes it away again. Numbers stay as they are.

Every CSV of this package is written by :func:`write_rows`.

Sources: OWASP, "CSV Injection" (the characters, the single quote, and that a separator of another locale inside a text
begins a cell too); Excel takes the full-width forms of the four characters for the same.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TextIO

__all__ = ["escape", "read_rows", "unescape", "write_rows"]

_QUOTE = "'"
_FORMULA = frozenset("=+-@＝＋－＠﹦﹢﹣﹫")
_LOST = frozenset("\t\r\n")
"""At the beginning of a cell, spreadsheets drop these and look at what comes next."""
_SEPARATORS = frozenset(";\t\r\n")
"""What ends a cell or a line where it is not a comma that does. A comma inside a text is quoted, or is no separator."""
_PASSED_OVER = frozenset("'\"\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
"""What a spreadsheet may pass over before it sees a formula, besides white space and control characters."""
_SUSPECT = re.compile(f"[{re.escape(''.join(sorted(_FORMULA | _LOST)))}]")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def escape(text: str) -> str:
    """Return a text as it is safe in a cell: with a single quote wherever a spreadsheet would see a formula begin.

    Examples
    --------
    >>> escape("=1+1.wav"), escape("-1.5"), escape("reef-01.wav")
    ("'=1+1.wav", '-1.5', 'reef-01.wav')
    """
    if not _SUSPECT.search(text) or _NUMBER.fullmatch(text):
        return text
    positions = [0, *sorted(_formulas(text)), len(text)]
    return _QUOTE.join(text[start:stop] for start, stop in pairwise(positions))


def unescape(text: str) -> str:
    """Return what :func:`escape` was given.

    Examples
    --------
    >>> unescape("'=1+1.wav"), unescape("'tis")
    ('=1+1.wav', "'tis")
    """
    if _QUOTE not in text:
        return text
    added = {position for position in _formulas(text) if text[position] == _QUOTE}
    return "".join(character for index, character in enumerate(text) if index not in added)


def _formulas(text: str) -> Iterator[int]:
    """Yield, from the last to the first, where a cell begins that a spreadsheet may run.

    Single quotes are passed over like white space, so a text has the same positions before and after it is escaped.
    """
    runs = False
    for index in range(len(text) - 1, -1, -1):
        character = text[index]
        if runs and character in _SEPARATORS:
            yield index + 1
        blank = character.isspace() or character < " " or character in _PASSED_OVER
        runs = character in _FORMULA or (runs and blank)
    if runs or text.lstrip(_QUOTE)[:1] in _LOST:
        yield 0


def read_rows(file: TextIO) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV that :func:`write_rows` wrote, by its header.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    """
    for row in csv.DictReader(file):
        yield {column: unescape(cell) for column, cell in row.items()}


def write_rows(file: TextIO, rows: Iterable[Iterable[object]]) -> None:
    """Write rows of a CSV; texts are escaped, lines end with a line feed.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    rows : iterable of iterable of object
        The header is a row like any other.
    """
    writer = csv.writer(_LineFeeds(file))
    for row in rows:
        writer.writerow([escape(cell) if isinstance(cell, str) else cell for cell in row])


class _LineFeeds:
    """Ends lines with a line feed alone; told so itself, :mod:`csv` leaves a carriage return in a cell unquoted."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")
