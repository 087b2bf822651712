"""How results look in a notebook: tables as text and HTML, pictures as PNG, data frames of pandas.

pandas is imported when a data frame is made, and by nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["MOST_ROWS", "Picture", "count_of", "data_frame", "html_table", "text_table"]

MOST_ROWS = 20
"""Rows of a table that a notebook shows; the last line says how many more there are."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a notebook shows and :meth:`save` writes.

    Attributes
    ----------
    png : bytes
        The picture as a PNG file.
    """

    png: bytes = field(repr=False)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file and return its path."""
        target = Path(path)
        target.write_bytes(self.png)
        return target

    def _repr_png_(self) -> bytes:
        return self.png


def data_frame(columns: Mapping[str, Any]) -> DataFrame:
    """Return a data frame of pandas with these columns.

    Raises
    ------
    ImportError
        pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise ImportError(
            "a data frame needs pandas, which is not installed; install it with: pip install 'anemonefish[pandas]'"
        ) from None
    return pd.DataFrame(dict(columns))


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 event``, ``2 events``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def text_table(columns: Sequence[str], rows: Iterable[Sequence[object]], most: int = MOST_ROWS) -> str:
    """Return a table as lines of text with aligned columns, the first ``most`` rows of it."""
    every = [[str(cell) for cell in row] for row in rows]
    shown = [list(columns), *every[:most]]
    widths = [max(len(row[number]) for row in shown) for number in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    if len(every) > most:
        lines.append(f"... and {len(every) - most} more")
    return "\n".join(lines)


def html_table(columns: Sequence[str], rows: Iterable[Sequence[object]], most: int = MOST_ROWS) -> str:
    """Return a table as HTML, the first ``most`` rows of it."""
    every = list(rows)
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in every[:most])
    more = f"<p>... and {len(every) - most} more</p>" if len(every) > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"
