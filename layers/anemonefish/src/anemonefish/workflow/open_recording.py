"""Open a recording of any format outside a job: one that is not sample-accurately seekable is transcoded first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from numpy.typing import DTypeLike

from anemonefish.audio.reader import open_audio
from anemonefish.audio.samples import Samples
from anemonefish.errors import InexactRecording
from anemonefish.jobs.plan import RangeTask, TranscodeTask
from anemonefish.stores import open_source
from anemonefish.stores.temporary import temporary_folder
from anemonefish.windows import WindowGrid, WindowRange
from anemonefish.workflow.local import shared_job
from anemonefish.workflow.score import open_range
from anemonefish.workflow.transcode import transcode_task

__all__ = ["opened_recording"]


@contextmanager
def opened_recording(uri: str, *, channel: int | None = None, dtype: DTypeLike = "float32") -> Iterator[Samples]:
    """Open a recording at its own sample rate.

    Parameters
    ----------
    uri : str
        Path or ``s3://bucket/key``.
    channel : int, optional
        Counted from 1; the mean of all unless given.
    dtype : {"float32", "float64"}

    Raises
    ------
    RecordingError
        The recording cannot be read.
    """
    try:
        audio = open_audio(uri, channel=channel, dtype=dtype)
    except InexactRecording:
        with _transcoded(uri, channel, dtype) as samples:
            yield samples
        return
    with audio:
        yield audio


@contextmanager
def _transcoded(uri: str, channel: int | None, dtype: DTypeLike) -> Iterator[Samples]:
    source = open_source(uri)
    version = source.version
    source.close()
    with temporary_folder() as folder:
        job = shared_job(str(folder))
        pieces = job.pieces_prefix(uri, version)
        failure = transcode_task(job, TranscodeTask(uri=uri, version=version, path=uri, prefix=pieces))
        if failure is not None:
            raise failure.to_error()
        task = RangeTask(
            identity="all",
            uri=uri,
            version=version,
            path=uri,
            pieces=pieces,
            channel=channel,
            sample_rate=0,
            grid=WindowGrid(0, 1, 1),
            windows=WindowRange(0, 0),
        )
        with open_range(job, task, dtype) as audio:
            yield audio
