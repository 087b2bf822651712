"""Measure events in the band levels of their recording: level, signal-to-noise ratio, peak frequency, and calls.

The band levels (:mod:`anemonefish.profiles.band_levels`) are levels in dB re full scale of cells of about 20 ms.

**Level.** The level of an event's loudest cell, noise included.

**Background.** The median level of the cells within ten seconds before and after the event that lie in no event; within
longer stretches where other events leave less than a second of them. The median of short-time levels is the usual
robust measure of ambient sound (the exceedance level L50; Merchant et al. 2015, Methods in Ecology and Evolution
6:257). The signal-to-noise ratio is the level less the background.

**Calls.** A call is a burst: cells above the middle, in dB, between the background and the event's level, and at least
3 dB above the background. Bursts less than 0.2 s apart are pulses of one call: the onsets of pulses of anemonefish are
35 to 110 ms apart, and their calls several tenths of a second. Calls that are much quieter than the loudest one of
their event, or that overlap, are not counted. An event has at least one call, because the network recognised
something in it.

**Peak frequency.** That of the loudest moment of each call; the lower median over the calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anemonefish.profiles.band_levels import BandLevels, first_cell_sample
from anemonefish.results.events import Event
from anemonefish.windows import WindowGrid

__all__ = ["count_calls", "level_re_1upa", "total_calls", "with_levels"]

_LEAST_DB = 3.0
"""Least height of a burst above the background: twice the spread of the level of a cell in steady noise."""

_SHARE_OF_HEIGHT = 0.5
"""A burst reaches this share of the height of the event's loudest cell above the background, in dB. Of shares from 0.3
to 0.6, it gave the smallest errors in simulated scenes (docs/numbers.md)."""

_DECIMALS = 1
"""More would claim more than cells of 0.5 dB and frames of some 10 ms can say."""

_CLOSEST_CALLS_SECONDS = 0.2
_BACKGROUND_SECONDS = 10.0
_LEAST_BACKGROUND_SECONDS = 1.0


def with_levels(
    events: Sequence[Event], levels: BandLevels | None, grid: WindowGrid, sample_rate: int
) -> tuple[Event, ...]:
    """Return events with ``calls``, ``level_db``, ``snr_db`` and ``peak_hz``; unchanged without band levels.

    Parameters
    ----------
    events : sequence of Event
        All events of a recording, in the order of their starts.
    levels : BandLevels or None
        Those of all windows of the recording.
    grid : WindowGrid
    sample_rate : int
        Samples per second of the analysis.
    """
    if levels is None or not levels.codes.size:
        return tuple(events)
    cells = _Cells(levels, grid, sample_rate, levels.codes.reshape(-1))
    spans = [cells.of(event) for event in events]
    quiet = _OutsideEvents(spans, cells)
    spanned = zip(events, spans, strict=True)
    return tuple(_measured(event, span, quiet.background(span), cells) for event, span in spanned)


def total_calls(events: Sequence[Event]) -> int | None:
    """Return how many calls lie in events; None if it is not known of one of them."""
    calls = [event.calls for event in events]
    return None if None in calls else sum(count or 0 for count in calls)


def level_re_1upa(event: Event, full_scale_db: float | None) -> float | None:
    """Return the level of an event in dB re 1 uPa, from the sound pressure of full scale; None where one is unknown.

    Full scale is an amplitude of 1, so both are differences of the same kind: a signal whose mean square is 1 has 0 dB
    re full scale, and a mean square of the pressure of ``full_scale_db``.
    """
    if full_scale_db is None or event.level_db is None:
        return None
    return round(event.level_db + full_scale_db, _DECIMALS)


def count_calls(decibels: NDArray[np.float64], background: float, closest: int) -> list[int]:
    """Return the loudest cell of each call of an event, at least one.

    Parameters
    ----------
    decibels : ndarray, shape (n_cells,)
        Levels of the cells of the event.
    background : float
        Level without calls, in dB.
    closest : int
        Bursts with fewer cells than this between them are one call.

    Examples
    --------
    >>> quiet, loud = [-80.0] * 10, [-50.0, -52.0]
    >>> count_calls(np.array(quiet + loud + quiet + loud), -80.0, closest=10)
    [10, 22]
    >>> count_calls(np.array(quiet + loud + quiet + loud), -80.0, closest=11)
    [10]
    """
    loudest = int(decibels.argmax())
    height = decibels[loudest] - background
    above = np.flatnonzero(decibels >= background + max(_LEAST_DB, _SHARE_OF_HEIGHT * height))
    if not len(above):
        return [loudest]
    bursts = np.split(above, np.flatnonzero(np.diff(above) > closest) + 1)
    return [int(burst[decibels[burst].argmax()]) for burst in bursts]


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of a recording by one index, which counts through its windows."""

    levels: BandLevels
    grid: WindowGrid
    sample_rate: int
    flat: NDArray[np.uint8]

    @property
    def per_window(self) -> int:
        return int(self.levels.codes.shape[1])

    def count(self, seconds: float) -> int:
        """Return the number of cells of a stretch of time, rounded up."""
        step = min(self.grid.hop, self.grid.window) / self.per_window / self.sample_rate
        return int(np.ceil(seconds / step - 1e-9))

    def of(self, event: Event) -> tuple[int, int]:
        """Return the first cell that lies in an event, and the one after the last."""
        grid, n = self.grid, self.per_window
        first_window, last_window = event.start // grid.hop, (event.stop - grid.window) // grid.hop
        if grid.hop > grid.window:
            return first_window * n, (last_window + 1) * n
        offset = first_cell_sample(grid)
        first = -(-(event.start - offset) * n // grid.hop)
        stop = (event.stop - offset) * n // grid.hop
        return max(0, first), min(len(self.flat), stop)


class _OutsideEvents:
    """Levels of the cells around events that lie in no event."""

    def __init__(self, spans: Sequence[tuple[int, int]], cells: _Cells) -> None:
        self._cells = cells
        self._starts = np.array([first for first, _ in spans], np.int64)
        # Events of several classes may overlap: the latest stop so far is in order, as a search needs it.
        self._stops = np.maximum.accumulate(np.array([stop for _, stop in spans], np.int64))

    def background(self, span: tuple[int, int]) -> float | None:
        """Return the median level around an event; None if no second of the recording lies outside events."""
        codes, least = self._cells.flat, self._cells.count(_LEAST_BACKGROUND_SECONDS)
        reach = self._cells.count(_BACKGROUND_SECONDS)
        while True:
            first, stop = max(0, span[0] - reach), min(len(codes), span[1] + reach)
            outside = self._outside(first, stop)
            if len(outside) >= least:
                return float(np.median(BandLevels.decibels(outside)))
            if (first, stop) == (0, len(codes)):
                return None
            reach *= 4

    def _outside(self, first: int, stop: int) -> NDArray[np.uint8]:
        inside = np.zeros(stop - first, np.bool_)
        begin = int(np.searchsorted(self._stops, first, side="right"))
        for number in range(begin, int(np.searchsorted(self._starts, stop))):
            inside[max(0, self._starts[number] - first) : max(0, self._stops[number] - first)] = True
        return self._cells.flat[first:stop][~inside]


def _measured(event: Event, span: tuple[int, int], background: float | None, cells: _Cells) -> Event:
    decibels = BandLevels.decibels(cells.flat[span[0] : span[1]])
    if not len(decibels):
        return event
    level = float(decibels.max())
    # Without any background around it, the quietest cell of the event stands for it.
    floor = float(decibels.min()) if background is None else background
    calls = count_calls(decibels, floor, cells.count(_CLOSEST_CALLS_SECONDS))
    peaks = sorted(
        float(cells.levels.peak_hz((span[0] + cell) // cells.per_window, cells.sample_rate)) for cell in calls
    )
    return replace(
        event,
        calls=len(calls),
        level_db=round(level, _DECIMALS),
        snr_db=None if background is None else round(level - background, _DECIMALS),
        peak_hz=round(peaks[(len(peaks) - 1) // 2], _DECIMALS),
    )
