"""Write the result of a recording as CSV tables: its events, the scores of its windows, and a row per minute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TextIO

import numpy as np

from anemonefish.csv_cells import write_number_rows, write_rows
from anemonefish.results.event_levels import total_calls
from anemonefish.results.events import Event
from anemonefish.results.python_numbers import python_numbers
from anemonefish.results.recording_result import RecordingResult
from anemonefish.sample_times import format_seconds

__all__ = ["EVENT_COLUMNS", "PROBABILITY", "event_rows", "write_events", "write_long_term", "write_scores"]

EVENT_COLUMNS = (
    "start_time",
    "end_time",
    "duration",
    "class",
    "mean_confidence",
    "max_confidence",
    "num_windows",
    "calls",
    "level_db",
    "snr_db",
    "peak_hz",
    "level_db_re_1upa",
    "start_sample",
    "end_sample",
    "sample_rate",
    "recording",
    "model",
    "start_utc",
)

PROBABILITY = "probability"
"""The last column of events, where their scores are calibrated."""


def write_events(file: TextIO, result: RecordingResult) -> None:
    """Write one row per event."""
    write_rows(file, [EVENT_COLUMNS if result.calibration is None else (*EVENT_COLUMNS, PROBABILITY)])
    write_rows(file, event_rows(result))


def event_rows(result: RecordingResult) -> Iterator[tuple[object, ...]]:
    """Yield the rows under :data:`EVENT_COLUMNS`, and :data:`PROBABILITY` where the result has a calibration."""
    rate = result.sample_rate
    for event in result.events:
        yield (
            format_seconds(event.start, rate),
            format_seconds(event.stop, rate),
            format_seconds(event.stop - event.start, rate),
            event.label,
            f"{event.mean_score:.6f}",
            f"{event.max_score:.6f}",
            event.n_windows,
            _count(event.calls),
            *(_one_decimal(value) for value in (event.level_db, event.snr_db, event.peak_hz)),
            _one_decimal(result.level_re_1upa(event)),
            event.start,
            event.stop,
            rate,
            result.recording.name,
            result.model.reference,
            result.utc(event.start) or "",
            *(() if result.calibration is None else (f"{result.probability(event):.6f}",)),
        )


def _count(value: int | None) -> object:
    return "" if value is None else value


def _one_decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def write_scores(file: TextIO, result: RecordingResult) -> None:
    """Write one row per window: the scores of all classes, and the smoothed scores of the target classes."""
    smoothed = (f"smoothed_{name}" for name in result.targets)
    write_rows(file, [("start_time", "end_time", *result.spec.classes, *smoothed)])
    write_number_rows(file, _score_rows(result))


def _score_rows(result: RecordingResult) -> Iterator[tuple[str, ...]]:
    rate = result.sample_rate
    targets, smoothed = list(result.targets.values()), python_numbers(result.smoothed)
    for (start, stop), scores, row in zip(result.windows(), python_numbers(result.scores), smoothed, strict=True):
        texts = [f"{number:.6f}" for number in (*scores, *(row[column] for column in targets))]
        yield (format_seconds(start, rate), format_seconds(stop, rate), *texts)


def write_long_term(file: TextIO, result: RecordingResult) -> None:
    """Write one row per minute; a window or an event belongs to the minute in which it begins."""
    targets = tuple(result.targets)
    columns = ["start_time", "end_time", "start_utc", "windows"]
    for name in targets:
        of_class = f"_{name}" if len(targets) > 1 else ""
        columns += [f"windows_above{of_class}", f"mean_{name}", f"max_{name}", f"events{of_class}", f"calls{of_class}"]
    write_rows(file, [columns])
    write_rows(file, _minute_rows(result))


def _minute_rows(result: RecordingResult) -> Iterator[tuple[object, ...]]:
    rate, hop = result.sample_rate, result.analysis.grid.hop
    minute = 60 * rate
    events: defaultdict[tuple[str, int], list[Event]] = defaultdict(list)
    for event in result.events:
        events[event.label, event.start // minute].append(event)
    for number in range(-(-len(result.smoothed) * hop // minute)):
        first, stop = (-(-edge * minute // hop) for edge in (number, number + 1))
        windows = result.smoothed[first:stop]
        if len(windows):
            times = (format_seconds(edge * minute, rate) for edge in (number, number + 1))
            row: list[object] = [*times, result.utc(number * minute) or "", len(windows)]
            for name, column in result.targets.items():
                scores, found = windows[:, column].astype(np.float64), events[name, number]
                above = int((scores > result.decision.threshold_of(name)).sum())
                calls = total_calls(found)
                row += [
                    above,
                    f"{scores.mean():.6f}",
                    f"{scores.max():.6f}",
                    len(found),
                    "" if calls is None else calls,
                ]
            yield tuple(row)
