"""Transcode: turn one recording of a job into FLAC pieces, or store the reason why that is impossible.

Owns :func:`transcode_task`, the step of the workflow. The pieces are made by
:mod:`anemonefish.audio.transcoding.transcoder`.
"""

from __future__ import annotations

from collections.abc import Callable

from anemonefish.audio.transcoding.transcoder import transcode
from anemonefish.errors import AnemonefishError, Failure
from anemonefish.jobs.job import Job
from anemonefish.jobs.plan import TranscodeTask

__all__ = ["transcode_task"]


def transcode_task(job: Job, task: TranscodeTask, out_of_time: Callable[[], bool] = lambda: False) -> Failure | None:
    """Transcode a recording of a job.

    Parameters
    ----------
    job : Job
    task : TranscodeTask
    out_of_time : callable
        As of :func:`~anemonefish.audio.transcoding.transcoder.transcode`.

    Returns
    -------
    Failure or None
        Why the recording cannot be transcoded. It is also stored, so that the other recordings of the job continue.

    Raises
    ------
    AnemonefishError
        An error after which a retry may succeed.
    """
    try:
        transcode(task.uri, task.version, task.path, job.store, task.prefix, out_of_time)
    except AnemonefishError as error:
        if error.retryable:
            raise
        failure = Failure.of(error)
        job.write_transcode_failure(task, failure)
        return failure
    return None
