"""From scores to events: the post-processing the lab's users know.

Owns the median filter, the events of the target class and the runs of equal class. Everything is in window
indices and samples; no second appears but in the settings. Decisions are cheap and repeatable: another
threshold needs no inference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.settings import Settings
from anemonefish.windows import WindowGrid

__all__ = ["Event", "find_class_runs", "find_events", "smooth"]


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of a recording that belongs to one class.

    Attributes
    ----------
    start, stop : int
        First sample, and the first one after, at the rate of the analysis: from the start of its first
        window to the end of its last.
    label : str
        The class.
    mean_score, max_score : float
        Over the smoothed scores of its windows.
    n_windows : int
        Windows above the threshold (or of the class) in it.
    """

    start: int
    stop: int
    label: str
    mean_score: float
    max_score: float
    n_windows: int


def smooth(scores: NDArray[np.float32], kernel: int) -> NDArray[np.float32]:
    """Median-filter every class over time, zero-padded at both ends.

    Parameters
    ----------
    scores : ndarray, shape (n_windows, n_classes), float32
    kernel : int
        Odd number of windows.

    Returns
    -------
    ndarray, shape (n_windows, n_classes), float32
        Equal to ``scipy.signal.medfilt`` of each column.
    """
    if kernel == 1 or not len(scores):
        return scores
    padded = np.pad(scores, ((kernel // 2, kernel // 2), (0, 0)))
    middle: NDArray[np.float32] = np.median(sliding_window_view(padded, kernel, axis=0), axis=-1)
    return middle.astype(np.float32, copy=False)


def find_events(
    smoothed: NDArray[np.float32], grid: WindowGrid, sample_rate: int, label: str, settings: Settings
) -> tuple[Event, ...]:
    """Find the events of one class: runs above the threshold, long enough, merged across short gaps.

    Parameters
    ----------
    smoothed : ndarray, shape (n_windows,), float32
        Smoothed scores of the class.
    grid : WindowGrid
    sample_rate : int
        Samples per second of the grid.
    label : str
        The class.
    settings : Settings
        ``threshold``, ``min_duration_seconds`` and ``min_gap_seconds``, applied in this order.
    """
    shortest = _exact_samples(settings.min_duration_seconds, sample_rate)
    closest = _exact_samples(settings.min_gap_seconds, sample_rate)
    # Both sides are widened: a float32 score against the setting as the user wrote it.
    above = smoothed.astype(np.float64) > settings.threshold
    runs = [run for run in _runs(above) if _stop(grid, run[1]) - run[0] * grid.hop >= shortest]
    groups: list[list[tuple[int, int]]] = []
    for run in runs:
        if groups and run[0] * grid.hop - _stop(grid, groups[-1][-1][1]) < closest:
            groups[-1].append(run)
        else:
            groups.append([run])
    return tuple(_event(smoothed, grid, label, group) for group in groups)


def find_class_runs(
    smoothed: NDArray[np.float32],
    grid: WindowGrid,
    classes: Sequence[str],
    dropped: str,
    settings: Settings,
    exclusive: bool = True,
) -> tuple[Event, ...]:
    """Merge runs of windows whose highest smoothed score belongs to the same class.

    The lab's second exporter, with its known defect mended: an event ends with its last window, not one hop
    after that window's start. A network with a single score has no other class to compare with: its windows
    belong to the class above the threshold and to nothing below.

    Parameters
    ----------
    smoothed : ndarray, shape (n_windows, n_classes), float32
    dropped : str
        The class that is no event: noise.
    exclusive : bool
        False for a multi-label network: each class has runs of its own, of windows above the threshold, and runs of
        different classes may overlap.
    """
    if not exclusive:
        return _runs_of_each(smoothed, grid, classes, dropped, settings.threshold)
    if len(classes) == 1:
        winners = np.where(smoothed[:, 0].astype(np.float64) > settings.threshold, 0, -1)
    else:
        winners = smoothed.argmax(axis=1)
    borders = np.flatnonzero(np.diff(winners)) + 1
    starts = [0, *borders.tolist()] if len(winners) else []
    stops = [*borders.tolist(), len(winners)]
    return tuple(
        _event(smoothed[:, winners[start]], grid, classes[winners[start]], [(start, stop)])
        for start, stop in zip(starts, stops, strict=False)
        if winners[start] >= 0 and classes[winners[start]] != dropped
    )


def _runs_of_each(
    smoothed: NDArray[np.float32], grid: WindowGrid, classes: Sequence[str], dropped: str, threshold: float
) -> tuple[Event, ...]:
    found = [
        _event(smoothed[:, column], grid, label, [run])
        for column, label in enumerate(classes)
        if label != dropped
        for run in _runs(smoothed[:, column].astype(np.float64) > threshold)
    ]
    return tuple(sorted(found, key=lambda event: event.start))


def _runs(above: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the half-open runs of true windows."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], above, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _stop(grid: WindowGrid, stop: int) -> int:
    """Return the sample after the last window before window ``stop``."""
    return (stop - 1) * grid.hop + grid.window


def _event(scores: NDArray[np.float32], grid: WindowGrid, label: str, runs: Sequence[tuple[int, int]]) -> Event:
    inside = np.concatenate([scores[start:stop] for start, stop in runs]).astype(np.float64)
    return Event(
        start=runs[0][0] * grid.hop,
        stop=_stop(grid, runs[-1][1]),
        label=label,
        mean_score=float(inside.mean()),
        max_score=float(inside.max()),
        n_windows=len(inside),
    )


def _exact_samples(seconds: float, sample_rate: int) -> Fraction:
    """Return seconds as the user wrote them (0.2, not its nearest binary number) in samples."""
    return Fraction(str(seconds)) * sample_rate
