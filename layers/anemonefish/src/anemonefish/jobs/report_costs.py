"""Costs of the reports of a job: the workers that write them, and the function that joins their outcomes.

The workers do not depend on how the job is cut for scoring, except that each reads the parts of its recordings.
docs/cost.md explains every constant.
"""

from __future__ import annotations

from collections.abc import Sequence

from anemonefish.jobs.report_tasks import report_tasks

__all__ = [
    "AGGREGATE_MEMORY_MB",
    "REPORT_DISK_MB",
    "REPORT_MEMORY_MB",
    "SECONDS_PER_REPORT",
    "ReportCost",
    "join_seconds",
]

REPORT_MEMORY_MB = 1769
AGGREGATE_MEMORY_MB = 1769
"""Memory of the functions Report and Aggregate, as in template.yaml: one vCPU."""

REPORT_DISK_MB = 4096
"""Temporary disk of the function Report, as in template.yaml."""

_SECONDS_PER_WORKER = 2.0
"""Cold start of a report worker, and reading its share of the plan. This is an estimate."""

SECONDS_PER_REPORT = 0.02
"""Deciding and writing one recording besides its windows: 7 ms were measured, and Lambda takes three times as long."""

_SECONDS_PER_WINDOW_WRITTEN = 60e-6
"""Smoothing and writing one window in every format: 16 to 21 us were measured over 24 h, and Lambda takes three times
as long."""

_SECONDS_PER_REQUEST = 0.03
"""Time of one small request to S3 from a function in the same region."""

_SECONDS_PER_OUTCOME = 0.0015
"""Joining the outcome of one recording: 0.44 ms were measured over 10,000, and Lambda takes three times as long."""

_REPORTS_AT_ONCE = 4
_REQUESTS_AT_ONCE = 16
"""Recordings that a worker reports at the same time, and parts or outcomes that are read at the same time."""

_REQUESTS_PER_RECORDING = 3
"""The outcome is looked for and written, and one part is read."""


class ReportCost:
    """Time of the report workers of one job.

    Parameters
    ----------
    counts : sequence of int
        Windows of each recording.
    formats : int
        Number of report formats.
    """

    def __init__(self, counts: Sequence[int], formats: int) -> None:
        requests = (formats + _REQUESTS_PER_RECORDING) * _SECONDS_PER_REQUEST / _REPORTS_AT_ONCE
        self._per_recording = SECONDS_PER_REPORT + requests
        self._windows = sum(counts)
        loads = [(task.stop - task.start, sum(counts[task.start : task.stop])) for task in report_tasks(counts)]
        self.workers = len(loads)
        self._recordings, self._most_windows = max(
            loads, default=(0, 0), key=lambda load: self._load_seconds(load[0], load[1])
        )
        self._all = self._load_seconds(len(counts), self._windows) + self.workers * _SECONDS_PER_WORKER
        self._recordings_of_all = len(counts)

    def longest(self, ranges: int) -> float:
        """Return the time of the worker that takes longest, when all recordings have this many ranges."""
        if not self.workers:
            return 0.0
        share = self._most_windows / self._windows if self._windows else 0.0
        own = self._load_seconds(self._recordings, self._most_windows)
        return _SECONDS_PER_WORKER + own + share * self._more_parts(ranges)

    def of_all(self, ranges: int) -> float:
        """Return the time of all workers together."""
        return self._all + self._more_parts(ranges)

    def _load_seconds(self, recordings: int, windows: int) -> float:
        return recordings * self._per_recording + windows * _SECONDS_PER_WINDOW_WRITTEN

    def _more_parts(self, ranges: int) -> float:
        """Return the time to read the parts after the first one of each recording."""
        return max(0, ranges - self._recordings_of_all) * _SECONDS_PER_REQUEST / _REQUESTS_AT_ONCE


def join_seconds(recordings: int) -> float:
    """Return the time to read and to join the outcomes of this many recordings."""
    return recordings * (_SECONDS_PER_OUTCOME + _SECONDS_PER_REQUEST / _REQUESTS_AT_ONCE)
