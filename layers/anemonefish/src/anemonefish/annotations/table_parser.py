"""Split a table of labels into headers and rows: commas or tabs, with or without quotation marks.

A text that is no such table is refused, with how to correct it: another separator, a missing header line, values under
no header. Nothing here decides what a column means.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from anemonefish.annotations.column_names import STARTS, column_key
from anemonefish.annotations.label_numbers import is_missing, looks_like_a_number
from anemonefish.annotations.labels import LabelSource, UnreadableFileError
from anemonefish.csv_cells import unescape

__all__ = ["Row", "Table", "parse_table", "without_missing"]

_ESCAPED_QUOTE = re.compile(r'\\"(?![\t\r\n]|\Z)')
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: its cells by the keys of their columns, and its line in the file."""

    cells: Mapping[str, str]
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text.

    Attributes
    ----------
    source : LabelSource
    headers : dict of str to str
        Each header as it is written, by its key: see :func:`anemonefish.annotations.column_names.column_key`.
    rows : tuple of Row
        The rows that are not empty.
    """

    source: LabelSource
    headers: Mapping[str, str]
    rows: tuple[Row, ...]

    @property
    def is_raven(self) -> bool:
        """Whether it is a Raven selection table."""
        return "begin time (s)" in self.headers

    def first(self, columns: Iterable[str]) -> str:
        """Return the first of some columns that the table has; empty where it has none of them."""
        return next((column for column in columns if column in self.headers), "")

    def values(self, column: str) -> list[str]:
        """Return the cells of a column in the order of the rows; a missing value is an empty text."""
        return [without_missing(row.cells[column]) for row in self.rows]

    def has_values(self, column: str) -> bool:
        """Say whether a column holds any value."""
        return any(without_missing(row.cells[column]) for row in self.rows)

    def recording(self, row: Row, columns: Sequence[str]) -> str:
        """Return the recording that a row names in some columns, or else the one that the file's name suggests."""
        path = "/".join(part for column in columns if (part := row.cells[column].rstrip("/\\")))
        return path or self.source.recording


def without_missing(value: str) -> str:
    """Return a cell's text; empty where it is a word for a missing value, such as ``NA``."""
    return "" if is_missing(value) else value


def parse_table(source: LabelSource, text: str, first_line: str) -> Table:
    """Split a table into headers and rows.

    Raises
    ------
    UnreadableFileError
        The text is not a table.
    """
    separator = "\t" if "\t" in first_line else ","
    if separator == ",":
        _check_separator(first_line)
    quoted = [len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in first_line.strip().split(separator)]
    headers, rows = _split(text, separator, quotation_marks=separator == "," or any(quoted))
    if all(quoted) and _has_row_names(headers, rows):
        rows = [(line, cells[1:]) for line, cells in rows]
    keys = [column_key(header) for header in headers]
    if {*STARTS, "offset"} & set(keys):  # a table without times is refused later, for want of them
        _check_widths(headers, rows, separator)
    return Table(source, dict(zip(keys, headers, strict=True)), tuple(_rows(keys, rows)))


def _split(text: str, separator: str, *, quotation_marks: bool) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the headers, and each row that is not empty with its line.

    Raven writes no quotation marks around texts, so in its tables a quotation mark is a character like any other. A
    program that writes them around headers writes them around texts too.
    """
    if separator == "\t" and quotation_marks:
        text = _ESCAPED_QUOTE.sub('""', text)  # R writes \" for a quotation mark
    lines = io.StringIO(text, newline="")
    if quotation_marks:
        reader = csv.reader(lines, delimiter=separator, strict=True)
    else:
        reader = csv.reader(lines, delimiter=separator, quoting=csv.QUOTE_NONE)
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
        raise UnreadableFileError(f"not a table ({error})", reader.line_num) from None
    return headers, rows


def _rows(keys: Sequence[str], rows: Iterable[tuple[int, list[str]]]) -> Iterator[Row]:
    """Yield rows by the keys of their columns; a short row has empty cells at its end."""
    filler = [""] * len(keys)
    for line, cells in rows:
        yield Row({key: unescape(cell.strip()) for key, cell in zip(keys, cells + filler, strict=False)}, line)


def _check_separator(first_line: str) -> None:
    """Refuse a table whose first line has neither tabs nor commas between its columns."""
    words = first_line.split()
    shown = repr(first_line.strip()[:_SHOWN_CHARACTERS])
    if len(words) > 1 and all(map(looks_like_a_number, words[:2])):
        raise UnreadableFileError(f"start, end and label are separated by blanks ({shown}); use tabs")
    if "," in first_line:
        return
    if ";" in first_line:
        raise UnreadableFileError(
            "columns are separated by semicolons; save it with commas or tabs, and with decimal points"
        )
    if "|" in first_line:
        raise UnreadableFileError("columns are separated by '|'; save it with commas or tabs")
    if len(words) > 1 and re.search(r"\b(begin|start|onset)", first_line, re.IGNORECASE):
        raise UnreadableFileError(f"no tab or comma separates the columns of {shown}; use tabs")


def _headers(line: int, cells: Sequence[str]) -> list[str]:
    while cells and not cells[-1].strip():  # a separator at the end of the line
        cells = cells[:-1]
    headers = [unescape(cell.strip()) for cell in cells]
    keys = [column_key(header) for header in headers]
    if sum(map(looks_like_a_number, headers)) > 1 and not set(keys) & {*STARTS, "offset"}:
        raise UnreadableFileError(
            f"values stand where headers are expected ({', '.join(headers)}); write a line before them such as "
            f"start_time,end_time,label",
            line,
        )
    repeated = sorted({key for key in keys if key and keys.count(key) > 1})
    if repeated:
        raise UnreadableFileError(f"there are several columns {repeated[0]!r}; rename all but one", line)
    return headers


def _has_row_names(headers: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> bool:
    """Say whether R put the names of its rows into a first column, which then has no header."""
    names = {cells[0] for _, cells in rows}
    return bool(rows) and len(names) == len(rows) and all(len(cells) == len(headers) + 1 for _, cells in rows)


def _check_widths(headers: Sequence[str], rows: Sequence[tuple[int, list[str]]], separator: str) -> None:
    """Refuse values that have no header."""
    wide = [(line, cells) for line, cells in rows if any(cell.strip() for cell in cells[len(headers) :])]
    if not wide:
        return
    line, cells = wide[0]
    extra = ", ".join(repr(cell.strip()) for cell in cells[len(headers) :])
    more = f" (and {len(wide) - 1} more lines like it)" if len(wide) > 1 else ""
    width = f"{len(cells)} values under {len(headers)} headers"
    known = f"the headers are {', '.join(headers)}"
    raise UnreadableFileError(
        f"{width}: {extra} has none{more}; give every column a header, or delete this one (in R, write the table with "
        f"row.names=FALSE); {known}"
        if separator == "\t"
        else f"{width}; is there a decimal comma, or a text that needs quotation marks? {extra} has no header{more}; "
        f"{known}",
        line,
    )
