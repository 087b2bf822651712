"""Refuse a job that could not end: each function of AWS Lambda has 15 minutes, an execution has a day."""

from __future__ import annotations

from anemonefish.errors import JobTooLong
from anemonefish.jobs.costs import JobCost
from anemonefish.jobs.cut import Layout
from anemonefish.jobs.report_costs import REPORT_DISK_MB

__all__ = ["EXECUTION_SECONDS", "FUNCTION_SECONDS", "check_times"]

FUNCTION_SECONDS = 900
"""Longest run of a function, as in template.yaml; AWS Lambda allows no more."""

EXECUTION_SECONDS = 86_400
"""Longest run of an execution, as in analyze.asl.json."""

_MENDS = {
    "plan": "start several jobs with fewer recordings each",
    "score": (
        "even the shortest range takes that long: use a faster model or variant, or give the workers more memory "
        "(ScoreMemory; up to 1,769 MB they become faster)"
    ),
    "report": "set a longer hop_seconds or fewer formats, or split the longest recording",
    "aggregate": "start several jobs with fewer recordings each",
}


def check_times(job: JobCost, layout: Layout) -> None:
    """Raise :class:`JobTooLong` if a function, or the whole job, is expected to take longer than AWS allows.

    A report that does not fit the disk of its worker is refused too: its recording is too long.

    Parameters
    ----------
    job : JobCost
    layout : Layout
        What the chosen cut comes to.
    """
    what = f"{job.recordings} recordings with {job.windows} windows"
    for function, seconds in job.functions(layout.ranges, layout.longest).items():
        if seconds > FUNCTION_SECONDS:
            raise JobTooLong(
                f"{what}: the function {function} is expected to take {seconds:.0f} s, and it may take "
                f"{FUNCTION_SECONDS} s; {_MENDS[function]}"
            )
    if job.largest_report > REPORT_DISK_MB << 20:
        raise JobTooLong(
            f"{what}: a report of the longest recording is expected to have {job.largest_report / 1e9:.1f} GB, and the "
            f"function report has a disk of {REPORT_DISK_MB} MB; set a longer hop_seconds, leave out the largest "
            f"format (json, then scores), or split the recording"
        )
    seconds = job.makespan(layout.workers, layout.ranges, layout.longest)
    if seconds > EXECUTION_SECONDS:
        raise JobTooLong(
            f"{what}: the job is expected to take {seconds / 3600:.0f} hours with {job.model.max_concurrency} workers "
            f"at once, and an execution may take {EXECUTION_SECONDS // 3600} hours; start several jobs with fewer "
            f"recordings each, set a longer hop_seconds, or raise max_concurrency"
        )
