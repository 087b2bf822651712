"""The effort of results as a data frame of pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anemonefish.front.display import data_frame
from anemonefish.results.effort import Effort
from anemonefish.results.effort_table import EFFORT_COLUMNS, effort_values

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["effort_frame"]


_WHOLE = ("hour", "recordings", "failed_recordings", "events", "calls")
"""Columns of whole numbers; where one is missing, pandas would make them floats."""


def effort_frame(effort: Effort) -> DataFrame:
    """Return a data frame with the columns of ``effort.csv``; a value that the table leaves empty is missing."""
    rows = [effort_values(row, effort.zone_name) for row in effort.rows()]
    frame = data_frame({column: [row[number] for row in rows] for number, column in enumerate(EFFORT_COLUMNS)})
    return frame.astype(dict.fromkeys(_WHOLE, "Int64"))
