"""Find events in scores: the median filter, the events of the target classes, and the runs of every class.

The steps are those that the lab's users know. Times are window indices and samples; only the settings are in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from anemonefish.models.decision import Decision
from anemonefish.windows import WindowGrid

__all__ = ["Event", "find_class_runs", "find_events", "find_events_of", "smooth"]


_BLOCK_WINDOWS = 65_536
"""Windows that are filtered at once: the filter needs several times the memory of its windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A part of a recording that belongs to one class.

    Attributes
    ----------
    start, stop : int
        The first sample of its first window, and the sample after its last window, at the sample rate of the analysis.
    label : str
        The class.
    mean_score, max_score : float
        Mean and maximum of the smoothed scores of its windows.
    n_windows : int
        The number of its windows; windows in gaps that were closed by merging are not counted.
    calls : int or None
        How many calls lie in it (:mod:`anemonefish.results.event_levels`). This and the following are None where the
        scores were stored without band levels.
    level_db : float or None
        Level of its loudest 20 ms in the band of the model, in dB re full scale.
    snr_db : float or None
        This level less that of the background around it, in dB.
    peak_hz : float or None
        The peak frequency of its calls.
    """

    start: int
    stop: int
    label: str
    mean_score: float
    max_score: float
    n_windows: int
    calls: int | None = None
    level_db: float | None = None
    snr_db: float | None = None
    peak_hz: float | None = None


def smooth(scores: NDArray[np.float32], kernel: int) -> NDArray[np.float32]:
    """Apply a median filter to the scores of every class, with zeros before the first and after the last window.

    Parameters
    ----------
    scores : ndarray, shape (n_windows, n_classes), float32
    kernel : int
        Length of the filter: an odd number of windows.

    Returns
    -------
    ndarray, shape (n_windows, n_classes), float32
        Equal to ``scipy.signal.medfilt`` of each column.
    """
    if kernel == 1 or not len(scores):
        return scores
    padded = np.pad(scores, ((kernel // 2, kernel // 2), (0, 0)))
    smoothed = np.empty_like(scores)
    for first in range(0, len(scores), _BLOCK_WINDOWS):
        block = padded[first : first + _BLOCK_WINDOWS + kernel - 1]
        smoothed[first : first + _BLOCK_WINDOWS] = np.median(sliding_window_view(block, kernel, axis=0), axis=-1)
    return smoothed


def find_events(
    smoothed: NDArray[np.float32], grid: WindowGrid, sample_rate: int, label: str, decision: Decision
) -> tuple[Event, ...]:
    """Find the events of one class: runs of windows above the threshold.

    Runs that are too short are dropped, and then the remaining runs are merged across short gaps.

    Parameters
    ----------
    smoothed : ndarray, shape (n_windows,), float32
        Smoothed scores of the class.
    grid : WindowGrid
    sample_rate : int
        Samples per second of the analysis.
    label : str
        The class.
    decision : Decision
        The threshold of the class, ``min_duration_seconds`` and ``min_gap_seconds`` are used, in this order.
    """
    shortest = _exact_samples(decision.min_duration_seconds, sample_rate)
    closest = _exact_samples(decision.min_gap_seconds, sample_rate)
    # A float64 comparison keeps the threshold as the user wrote it; in float32 it would be rounded.
    above = smoothed.astype(np.float64) > decision.threshold_of(label)
    runs = [run for run in _runs(above) if _stop(grid, run[1]) - run[0] * grid.hop >= shortest]
    groups: list[list[tuple[int, int]]] = []
    for run in runs:
        if groups and run[0] * grid.hop - _stop(grid, groups[-1][-1][1]) < closest:
            groups[-1].append(run)
        else:
            groups.append([run])
    return tuple(_event(smoothed, grid, label, group) for group in groups)


def find_events_of(
    labels: Sequence[str],
    smoothed: NDArray[np.float32],
    grid: WindowGrid,
    sample_rate: int,
    classes: Sequence[str],
    decision: Decision,
) -> tuple[Event, ...]:
    """Find the events of several classes, each with its threshold; events of different classes may overlap.

    Parameters
    ----------
    labels : sequence of str
        The classes whose events are found.
    smoothed : ndarray, shape (n_windows, n_classes), float32
    grid : WindowGrid
    sample_rate : int
    classes : sequence of str
        The class of each column.
    decision : Decision

    Returns
    -------
    tuple of Event
        In the order of their starts; of equal starts in the order of ``labels``.
    """
    columns = {label: np.ascontiguousarray(smoothed[:, classes.index(label)]) for label in labels}
    events = [event for label in labels for event in find_events(columns[label], grid, sample_rate, label, decision)]
    return tuple(sorted(events, key=lambda event: event.start))


def find_class_runs(
    smoothed: NDArray[np.float32],
    grid: WindowGrid,
    classes: Sequence[str],
    dropped: str,
    decision: Decision,
    exclusive: bool = True,
) -> tuple[Event, ...]:
    """Find the runs of windows of the same class, which is the class with the highest smoothed score.

    This is the lab's second exporter, with one defect corrected: an event ends with its last window, and not one hop
    after the start of that window. A network with a single class has nothing to compare: its windows above the
    threshold belong to the class, and the others to none.

    Parameters
    ----------
    smoothed : ndarray, shape (n_windows, n_classes), float32
    dropped : str
        The class whose runs are left out: noise.
    decision : Decision
        Its thresholds are used where classes do not compete.
    exclusive : bool
        Whether a window belongs to one class only. It is False for a multi-label network, where each class has its own
        runs of windows above the threshold, and runs of different classes may overlap.
    """
    if not exclusive:
        return _runs_of_each(smoothed, grid, classes, dropped, decision)
    if len(classes) == 1:
        winners = np.where(smoothed[:, 0].astype(np.float64) > decision.threshold_of(classes[0]), 0, -1)
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
    smoothed: NDArray[np.float32], grid: WindowGrid, classes: Sequence[str], dropped: str, decision: Decision
) -> tuple[Event, ...]:
    runs = [
        _event(smoothed[:, column], grid, label, [run])
        for column, label in enumerate(classes)
        if label != dropped
        for run in _runs(smoothed[:, column].astype(np.float64) > decision.threshold_of(label))
    ]
    return tuple(sorted(runs, key=lambda event: event.start))


def _runs(above: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first window of each run of true values, and the window after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], above, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _stop(grid: WindowGrid, stop: int) -> int:
    """Return the sample after the last window of a run that ends before window ``stop``."""
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
    """Convert seconds to samples without rounding: 0.2 is taken as the decimal that the user wrote."""
    return Fraction(str(seconds)) * sample_rate
