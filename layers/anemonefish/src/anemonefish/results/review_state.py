"""The review files of a job: whether its clips and plots are finished, and which event has which clip and plot.

The review runs after the results and stores two documents among the job's files: ``review.json``, the state, and
``reviewed.json``, the events that have a clip. The workflow writes both, and the API reads both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass

from anemonefish.canonical import dump_json
from anemonefish.errors import Failure
from anemonefish.jobs.job import Job

__all__ = [
    "REVIEW_FAILED",
    "REVIEW_PENDING",
    "REVIEW_SUCCEEDED",
    "ReviewState",
    "ReviewedEvent",
    "read_review_state",
    "read_reviewed_events",
    "write_review_state",
    "write_reviewed_events",
]

REVIEW_PENDING, REVIEW_SUCCEEDED, REVIEW_FAILED = "PENDING", "SUCCEEDED", "FAILED"


@dataclass(frozen=True, slots=True)
class ReviewState:
    """How far the clips and plots of a job are.

    Attributes
    ----------
    status : {"PENDING", "SUCCEEDED", "FAILED"}
    clips, left_out, pictures : int
        Numbers of clips, of events above the limit of clips, and of plots.
    failure : Failure or None
        Why they could not be made.
    """

    status: str
    _: KW_ONLY
    clips: int = 0
    left_out: int = 0
    pictures: int = 0
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedEvent:
    """An event that has a clip.

    Attributes
    ----------
    recording : str
        Its name among the results.
    start, stop : int
        Samples of the analysis.
    label : str
    clip : str
        Name of the clip among the results.
    picture : str or None
        Name of the clip's spectrogram among the results.
    """

    recording: str
    start: int
    stop: int
    label: str
    clip: str
    picture: str | None


def write_review_state(job: Job, state: ReviewState) -> None:
    """Write ``review.json``."""
    job.store.write(job.review_key, dump_json(asdict(state)))


def read_review_state(job: Job, *, overdue: bool) -> ReviewState:
    """Return how far the clips and plots of a job are; the job itself has succeeded.

    Parameters
    ----------
    overdue : bool
        Whether the time limit of the review has passed. A review that is still pending then has failed.
    """
    try:
        document = json.loads(job.store.read(job.review_key))
    except FileNotFoundError:
        state = ReviewState(REVIEW_PENDING)
        # Older versions stored clips and plots, but no review.json.
        if overdue and (keys := list(job.store.keys(job.result_key("review/")))):
            clips, pictures = (sum(key.endswith(suffix) for key in keys) for suffix in (".flac", ".png"))
            return ReviewState(REVIEW_SUCCEEDED, clips=clips, pictures=pictures)
    else:
        failure = document.pop("failure")
        state = ReviewState(**document, failure=failure and Failure(**failure))
    if overdue and state.status == REVIEW_PENDING:
        message = "clips and pictures were not finished in their time; resume does not make them, start the job again"
        return ReviewState(REVIEW_FAILED, failure=Failure("RangeFailed", message))
    return state


def write_reviewed_events(job: Job, events: Sequence[ReviewedEvent]) -> None:
    """Write ``reviewed.json``."""
    job.store.write(job.reviewed_key, dump_json([asdict(event) for event in events]))


def read_reviewed_events(job: Job) -> list[ReviewedEvent]:
    """Return the events that have a clip; none while the review has not finished."""
    try:
        return [ReviewedEvent(**event) for event in json.loads(job.store.read(job.reviewed_key))]
    except FileNotFoundError:
        return []
