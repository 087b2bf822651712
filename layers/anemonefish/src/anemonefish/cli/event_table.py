"""The table of events that ``detect`` prints: every event on one line, also on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anemonefish.sample_times import format_seconds

if TYPE_CHECKING:
    from rich.table import Table

    from anemonefish.front.recording_detections import DetectedEvent

__all__ = ["event_table"]

_HEADINGS = ("start s", "end s", "class", "score", "calls", "dB", "SNR", "Hz")
_LEFT = {"recording", "class"}
_SHORTEST_NAME = 12
_LONGEST_CLASS = 12


def event_table(events: Sequence[DetectedEvent], width: int) -> Table:
    """Return a table that is no wider than a terminal, as far as names can be shortened.

    Names of recordings lose their beginning, because most end with a time. If there is one recording, its name is the
    title. ``score`` is the mean score, ``dB`` the level, ``SNR`` in decibels, ``Hz`` the peak frequency, and ``prob``
    the probability, if the scores are calibrated. The reports also have the highest score.

    Parameters
    ----------
    events : sequence of DetectedEvent
        At least one.
    width : int
        Columns of the terminal.
    """
    from rich.table import Table

    rows: list[tuple[str, ...]] = [_cells(event) for event in events]
    names = [event.recording for event in events]
    headings: tuple[str, ...] = _HEADINGS
    if any(event.probability is not None for event in events):
        rows = [(*row, _number(event.probability, 2)) for row, event in zip(rows, events, strict=True)]
        headings = (*headings, "prob")
    gap = 2
    if len(set(names)) > 1:
        others = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
        gap = 2 if _room(width, others, 2) >= _SHORTEST_NAME else 1
        room = max(_SHORTEST_NAME, _room(width, others, gap))
        rows = [(_end_of(name, room), *row) for name, row in zip(names, rows, strict=True)]
        headings = ("recording", *headings)
    table = Table(
        title=_end_of(names[0], width) if len(set(names)) == 1 else None,
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, gap, 0, 0),
    )
    for heading in headings:
        table.add_column(heading, justify="left" if heading in _LEFT else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _cells(event: DetectedEvent) -> tuple[str, ...]:
    times = (format_seconds(edge, event.sample_rate)[:-3] for edge in (event.start_sample, event.end_sample))
    measured = (event.calls, event.level_db, event.snr_db, event.peak_hz)
    numbers = (_number(value) for value in measured)
    return (*times, _beginning_of(event.label, _LONGEST_CLASS), f"{event.mean_score:.3f}", *numbers)


def _room(width: int, others: Sequence[int], gap: int) -> int:
    """Return what the other columns leave for the first one; each has a gap behind it."""
    return width - sum(others) - gap * (len(others) + 1)


def _number(value: float | None, decimals: int = 0) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


def _end_of(text: str, room: int) -> str:
    return text if len(text) <= room else f"…{text[len(text) - room + 1 :]}"


def _beginning_of(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
