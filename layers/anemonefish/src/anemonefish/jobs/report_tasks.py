"""Report tasks: which recordings of a plan one worker writes the reports of.

A long recording has a worker of its own. Consecutive short recordings share one, so ten thousand of a minute each need
a hundred workers. How recordings are put together changes time and cost, never a result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

from anemonefish.errors import InvalidRequest, short_repr

__all__ = ["MOST_RECORDINGS_TOGETHER", "MOST_WINDOWS_TOGETHER", "ReportTask", "report_tasks"]

MOST_RECORDINGS_TOGETHER = 100
MOST_WINDOWS_TOGETHER = 300_000
"""Limits of the recordings that share a worker: about ten seconds for a hundred recordings of a minute, and 18 seconds
for sixteen of an hour. A worker that is lost repeats no more than this, and starting it takes a small part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTask:
    """The recordings of one worker, as numbers of recordings in the plan.

    Attributes
    ----------
    start, stop : int
        The first recording, and the one after the last.
    """

    start: int
    stop: int

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read a line of ``reports.jsonl``; raise :class:`InvalidRequest` if it is not valid."""
        fields = document if isinstance(document, dict) else {}
        start, stop = fields.get("start"), fields.get("stop")
        if type(start) is not int or type(stop) is not int or not 0 <= start < stop:
            raise InvalidRequest(f"{short_repr(document)} names no recordings of a plan; it comes from reports.jsonl")
        return cls(start=start, stop=stop)

    def to_line(self) -> str:
        """Return the line of ``reports.jsonl``."""
        return json.dumps(asdict(self), separators=(",", ":")) + "\n"


def report_tasks(windows: Iterable[int | None]) -> Iterator[ReportTask]:
    """Yield the tasks of a job, in order.

    Parameters
    ----------
    windows : iterable of (int or None)
        Windows of each recording of the plan; None for one that cannot be analysed, which needs no report.
    """
    start = stop = together = 0
    for number, count in enumerate(windows):
        if count is None:
            continue
        full = number - start >= MOST_RECORDINGS_TOGETHER or together + count > MOST_WINDOWS_TOGETHER
        if full and stop > start:
            yield ReportTask(start=start, stop=stop)
        if full or stop == start:
            start, together = number, 0
        stop, together = number + 1, together + count
    if stop > start:
        yield ReportTask(start=start, stop=stop)
