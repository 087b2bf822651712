"""Timelines: the scores of each recording over time, with the threshold and the events.

The worker that reports a recording draws its timeline, because it has the scores; on a laptop the review does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import FunctionFailed
from anemonefish.jobs.job import Job
from anemonefish.models.decision import Decision
from anemonefish.plots.score_timeline import ScoreLine, plot_score_timeline
from anemonefish.plots.style import Span
from anemonefish.results.events import Event
from anemonefish.results.recording_result import RecordingResult
from anemonefish.sample_times import seconds
from anemonefish.settings import Settings
from anemonefish.windows import WindowGrid

__all__ = ["clock_of", "count_timelines", "draw_result", "draw_timeline", "store_timeline", "timeline_name"]

_DRAWING = Lock()
"""A worker reports several recordings at once, and matplotlib is not made for several threads."""


def store_timeline(job: Job, result: RecordingResult) -> None:
    """Draw the timeline of a result with scores, and store it among the results."""
    with _DRAWING:
        png = draw_result(result)
    job.store.write(job.result_key(timeline_name(result.recording.name)), png)


def timeline_name(recording: str) -> str:
    """Return the name of a recording's timeline among the results."""
    return f"review/{recording}.timeline.png"


def count_timelines(job: Job, results: Sequence[RecordingResult]) -> int:
    """Return the number of timelines, one for each result; raise :class:`FunctionFailed` if one does not exist."""
    prefix = job.result_key("")
    stored = {key.removeprefix(prefix) for key in job.store.keys(f"{prefix}review/")}
    names = [result.recording.name for result in results]
    missing = [name for name in names if timeline_name(name) not in stored]
    if missing:
        raise FunctionFailed(
            f"{len(missing)} of {len(names)} timelines could not be drawn, the first is that of {missing[0]}; the log "
            f"of the function report says why"
        )
    return len(names)


def draw_result(result: RecordingResult) -> bytes:
    """Draw the timeline of a result with scores, as a PNG."""
    return draw_timeline(
        result.recording.name,
        {name: result.smoothed[:, column] for name, column in result.targets.items()},
        result.analysis.grid,
        result.sample_rate,
        settings=result.settings,
        events=result.events,
        begins=clock_of(result),
    )


def draw_timeline(
    name: str,
    smoothed: Mapping[str, NDArray[np.float32]],
    grid: WindowGrid,
    sample_rate: int,
    *,
    settings: Settings,
    events: Sequence[Event],
    begins: datetime | None,
) -> bytes:
    """Draw the scores of one recording with the threshold and the events, as a PNG.

    Parameters
    ----------
    name : str
        Of the recording.
    smoothed : mapping of str to ndarray, shape (n_windows,), float32
        Smoothed scores of each target class.
    grid, sample_rate : WindowGrid, int
        Where the windows lie.
    settings : Settings
        With the thresholds.
    events : sequence of Event
    begins : datetime or None
        When the recording began, where that is known.
    """
    decision = Decision.of(settings)
    first, *others = (ScoreLine(label, scores, decision.threshold_of(label)) for label, scores in smoothed.items())
    starts = np.arange(len(first.scores), dtype=np.int64) * grid.hop
    return plot_score_timeline(
        first.scores,
        (starts + grid.window // 2) / sample_rate,
        threshold=first.threshold,
        title=name,
        label=first.label,
        others=others,
        events=[
            Span(seconds(event.start, sample_rate), seconds(event.stop, sample_rate), event.label) for event in events
        ],
        begins=begins,
    )


def clock_of(result: RecordingResult) -> datetime | None:
    """Return when a recording began, where that is known."""
    utc = result.utc(0)
    return None if utc is None else datetime.fromisoformat(utc)
