"""Cells of CSV and tab-separated tables that are safe to open in a spreadsheet.

Excel, LibreOffice and Google Sheets run a cell that begins with ``=``, ``+``, ``-`` or ``@``, also within quotation
marks, and a recording may be called ``=HYPERLINK("http://...").wav``. :func:`escape` puts a single quote in front of
such a text, which marks it as text, and :func:`unescape` removes it. Numbers are unchanged.

Every CSV of this package is written by :func:`write_rows`.

Sources: OWASP, "CSV Injection" (the characters, the single quote, and separators of other locales inside a text, which
begin a cell too). Excel treats the full-width forms of the four characters alike.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TextIO

__all__ = ["escape", "read_edited", "read_rows", "unescape", "write_rows"]

_QUOTE = "'"
_FORMULA = frozenset("=+-@＝＋－＠﹦﹢﹣﹫")
_LOST = frozenset("\t\r\n")
"""Characters that spreadsheets drop at the beginning of a cell."""
_SEPARATORS = frozenset(";\t\r\n")
"""Characters that may end a cell or a line, besides the comma, which is quoted inside a text."""
_PASSED_OVER = frozenset("'\"\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
"""Characters that a spreadsheet may skip before a formula, besides white space and control characters."""
_SUSPECT = re.compile(f"[{re.escape(''.join(sorted(_FORMULA | _LOST)))}]")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def escape(text: str) -> str:
    """Return a text that is safe in a cell: with a single quote where a spreadsheet would see a formula.

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
    """Return the text that was given to :func:`escape`.

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
    """Yield the positions where a spreadsheet may see a formula begin, from the last to the first.

    Single quotes are skipped like white space, so a text has the same positions before and after it is escaped.
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


def read_edited(text: str) -> tuple[tuple[str, ...], list[tuple[int, dict[str, str]]]]:
    r"""Read a CSV that a person may have saved with a spreadsheet: with semicolons, another line end, cells left out.

    Returns
    -------
    columns : tuple of str
        The header.
    rows : list of (int, dict of str to str)
        The line on which each row ends, and its cells by the header.

    Raises
    ------
    ValueError
        The text is not a CSV.

    Examples
    --------
    >>> read_edited("recording;verdict\r\n'=1.wav;yes\r\n")
    (('recording', 'verdict'), [(2, {'recording': '=1.wav', 'verdict': 'yes'})])
    """
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = next(lines, [])
        rows = [
            (lines.line_num, dict.fromkeys(header, "") | dict(zip(header, map(unescape, row), strict=False)))
            for row in lines
            if row
        ]
    except csv.Error as error:
        raise ValueError(f"line {lines.line_num}: {error}") from None
    return tuple(header), rows


def write_rows(file: TextIO, rows: Iterable[Iterable[object]]) -> None:
    """Write rows of a CSV; texts are escaped, and lines end with a line feed.

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


def write_number_rows(file: TextIO, rows: Iterable[Iterable[str]]) -> None:
    """Write rows of finite numbers, as text; they need neither quotes nor escapes, so this is several times as fast.

    Parameters
    ----------
    file : text file
        Opened with ``newline=""``.
    rows : iterable of iterable of str
    """
    file.writelines(",".join(row) + "\n" for row in rows)


class _LineFeeds:
    """Ends lines with a line feed only. With that as its own option, :mod:`csv` would not quote a carriage return."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        return self._file.write(row.removesuffix("\r\n") + "\n")
