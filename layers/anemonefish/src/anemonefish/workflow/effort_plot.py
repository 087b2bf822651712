"""Draw the effort of a job and its events as one picture, ``review/activity.png``."""

from __future__ import annotations

from anemonefish.plots.activity import HourBar, HourCell, plot_activity, plot_activity_of_recordings
from anemonefish.results.effort import Effort

__all__ = ["draw_effort"]


def draw_effort(effort: Effort) -> bytes:
    """Draw events per hour of effort over days and hours, as a PNG.

    Recordings without a start time are left out, and the title says so. If no start time is known, recordings are drawn
    in their order.

    Raises
    ------
    InvalidRequest
        matplotlib is not installed.
    """
    rows = [row for row in effort.rows() if row.folder is None or row.by == "recording"]
    recordings = [row for row in rows if row.by == "recording"]
    total = rows[0].sums
    found, among = _count(total.events, "event"), _count(len(recordings), "recording")
    title = f"{found} in {among}, {total.hours:.4g} hours of effort"
    undated = [row for row in recordings if row.span is None and row.sums.analysed]
    cells = [
        HourCell(row.date, row.hour, row.sums.hours, row.sums.events)
        for row in rows
        if row.by == "hour" and row.date is not None and row.hour is not None
    ]
    if not cells:
        hours, events = [row.sums.hours for row in recordings], [row.sums.events for row in recordings]
        return plot_activity_of_recordings(hours, events, title=title)
    if undated:
        title += f"; {len(undated)} without a start time are not drawn"
    bars = [
        None if row.rate is None else HourBar(row.rate.value, row.rate.low, row.rate.high)
        for row in rows
        if row.by == "hour_of_day"
    ]
    return plot_activity(cells, bars, title=title, time_zone=effort.zone_name)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
