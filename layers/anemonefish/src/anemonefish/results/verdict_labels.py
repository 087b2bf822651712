"""Export verdicts as labels, in a CSV that ``train`` and ``evaluate`` read.

A label says what a stretch of a recording is: the class that was heard, ``no`` where the class is absent, ``unsure``
where nobody knows. A call that was heard somewhere in a segment of seconds says little about each window, so without a
mark such a segment is ``unsure`` too: training on it would teach silence as a call.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from anemonefish.csv_cells import write_rows
from anemonefish.results.review_units import SEGMENT
from anemonefish.results.verdicts import NO, OTHER, UNSURE, YES, Verdict, agreed
from anemonefish.sample_times import format_seconds
from anemonefish.stores.folder import atomic_file

__all__ = ["LABELS_CSV", "is_unmarked", "label_of", "write_labels"]

LABELS_CSV = "review-labels.csv"

_COLUMNS = ("recording", "start_time", "end_time", "class", "verdict", "reviewer")


def label_of(row: Verdict) -> str:
    """Return the name of the label that a verdict becomes: a class, ``no``, ``unsure``, or empty if nobody judged."""
    if is_unmarked(row):
        return UNSURE
    if row.verdict == YES:
        return row.label
    return row.verdict.removeprefix(OTHER)


def is_unmarked(row: Verdict) -> bool:
    """Say whether a sound was heard somewhere in a segment, and nobody marked where."""
    heard = row.verdict == YES or row.verdict.startswith(OTHER)
    return heard and row.kind == SEGMENT and row.mark_start_s is None


def write_labels(path: Path, rows: Iterable[Verdict]) -> int:
    """Write the labels of all units that were judged, and return their number.

    Parameters
    ----------
    path : Path
    rows : iterable of Verdict
        Where reviewers differ, the label is ``unsure``. A mark of the reviewer is the interval of a sound; without one
        it is the unit. A unit of several reviews has the label of the last one.
    """
    judged = (row for row in agreed(rows) if row.is_judged)
    last = {row.clip: row for row in sorted(judged, key=lambda row: row.judged_at)}
    labelled = sorted(last.values(), key=lambda row: (row.recording, row.start_sample, row.clip))
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, [_COLUMNS, *map(_cells, labelled)])
    return len(labelled)


def _cells(row: Verdict) -> tuple[str, ...]:
    start, stop = (format_seconds(sample, row.sample_rate) for sample in (row.start_sample, row.stop_sample))
    if row.mark_start_s is not None and row.mark_stop_s is not None and row.verdict not in {NO, UNSURE}:
        start, stop = f"{row.mark_start_s:.6f}", f"{row.mark_stop_s:.6f}"
    return row.recording, start, stop, label_of(row), row.verdict, row.reviewer
