"""Write ``effort.csv``: one table for a spreadsheet or R, whose column ``by`` says what a row stands for.

All rows have the same columns, so one filter gives the table by hour of the day, by day, by hour or by recording. A
cell is empty where there is nothing to say: no effort, no start time, a recording of unknown length.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TextIO

from anemonefish.csv_cells import write_rows
from anemonefish.results.effort import Effort, EffortRow
from anemonefish.results.effort_sums import Sums
from anemonefish.start_time.time_zones import format_utc

__all__ = ["EFFORT", "EFFORT_COLUMNS", "effort_values", "write_effort"]

EFFORT = "effort.csv"

_HOURS = (
    "deployment",
    "covered",
    "recorded",
    "analysed",
    "failed",
    "damaged",
    "silent",
    "unscored",
    "doubtful",
    "missing",
)
EFFORT_COLUMNS = (
    "by",
    "folder",
    "recording",
    "date",
    "hour",
    "time_zone",
    "start_utc",
    "end_utc",
    "recordings",
    "failed_recordings",
    *(f"{name}_hours" for name in _HOURS),
    "gap_hours",
    "duty_cycle",
    "events",
    "events_per_hour",
    "low_90",
    "high_90",
    "interval",
    "calls",
    "calls_per_hour",
    "notes",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMALS = 1_000_000


def write_effort(file: TextIO, effort: Effort) -> None:
    """Write the table of an effort."""
    write_rows(file, [EFFORT_COLUMNS])
    write_rows(file, (map(_cell, effort_values(row, effort.zone_name)) for row in effort.rows()))


def effort_values(row: EffortRow, zone_name: str) -> tuple[str | int | float | None, ...]:
    """Return the values of a row under :data:`EFFORT_COLUMNS`; None where there is nothing to say."""
    sums, rate, clocked = row.sums, row.rate, row.date is not None or row.hour is not None
    over_time = row.by != "recording"
    calls = None if sums.uncounted_events or (rate is None and not sums.events) else sums.calls
    dated = row.span is not None or row.by == "hour_of_day"
    hours: list[float | None] = [_hours(getattr(sums, name)) for name in _HOURS]
    if not (dated and over_time):
        hours[:2] = [None, None]
    if not row.length_known:
        hours[2:] = [None] * len(hours[2:])
    return (
        row.by,
        row.folder,
        row.recording or None,
        None if row.date is None else row.date.isoformat(),
        row.hour,
        zone_name if clocked else None,
        *(_utc(edge) for edge in row.span or (None, None)),
        sums.recordings,
        sums.failed_recordings,
        *hours,
        None if row.gap is None else _hours(row.gap),
        _duty_cycle(sums) if dated and over_time else None,
        sums.events if rate is not None or sums.events else None,
        *((None, None, None, None) if rate is None else (rate.value, rate.low, rate.high, rate.method)),
        calls,
        None if rate is None or calls is None else calls / sums.hours,
        row.notes or None,
    )


def _duty_cycle(sums: Sums) -> float | None:
    share = sums.covered / sums.deployment if sums.deployment else None
    return None if share is None else _rounded(share.numerator, share.denominator)


def _hours(seconds: Fraction) -> float:
    return _rounded(seconds.numerator, seconds.denominator * 3600)


def _rounded(number: int, divisor: int) -> float:
    """Return a fraction with six decimals; halves are rounded up."""
    return (2 * number * _DECIMALS + divisor) // (2 * divisor) / _DECIMALS


def _utc(moment: Fraction | None) -> str | None:
    if moment is None:
        return None
    return format_utc(_EPOCH + timedelta(microseconds=int(moment + Fraction(1, 2))))


def _cell(value: str | int | float | None) -> str | int:
    """Return a value as a cell: numbers that are not whole have six decimals."""
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else value
