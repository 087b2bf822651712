"""The bodies and answers of ``/executions/{id}/review`` and ``/verdicts``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from anemonefish.service.api.schemas.shared_schemas import Moment, RequestBody, take_whole

__all__ = [
    "MOST_PUT",
    "ReviewOut",
    "ReviewUnitOut",
    "StoredOut",
    "VerdictBody",
    "VerdictFileOut",
    "VerdictIn",
    "VerdictOut",
    "VerdictPage",
]

MOST_PUT = 500
"""Most verdicts in one request."""

Kind = Literal["event", "segment"]
Sample = Annotated[int, Field(ge=0, le=10**12), BeforeValidator(take_whole)]
_VERDICT = "yes, no, unsure, or other: with the class that was heard"


class ReviewUnitOut(BaseModel):
    """A stretch to judge."""

    clip: str = Field(description="Its name in the review")
    recording: int
    name: str
    start_sample: int = Field(description="At `sample_rate`; stop_sample is the one after the last")
    stop_sample: int
    start_time: float
    end_time: float
    sample_rate: int = Field(description="Of the analysis")
    kind: Kind
    score: float = Field(description="The highest smoothed score; do not show it to the reviewer")
    stratum: str
    stratum_size: int = Field(description="Stretches with such a score in all results")
    drawn: int = Field(description="How many of them are in the sample")


class ReviewOut(BaseModel):
    """A sample of the results, in an order that says nothing about the scores."""

    review: str = Field(description="Identifies the draw; a larger one with the same seed has the same")
    model: str
    target_class: str
    seed: int
    stretches: int = Field(description="How many the sample was drawn from")
    units: list[ReviewUnitOut]


class VerdictIn(RequestBody):
    """A verdict on a stretch."""

    recording: Annotated[int, Field(ge=0, le=999), BeforeValidator(take_whole)]
    start_sample: Sample = Field(description="At the sample rate of the analysis")
    stop_sample: Sample
    class_: str = Field(alias="class", max_length=64, description="The class that was looked for")
    verdict: str | None = Field(max_length=100, description=f"{_VERDICT}; null deletes the verdict")
    calls: Annotated[int, Field(ge=1, le=9999), BeforeValidator(take_whole)] | None = None
    mark_start_sample: Sample | None = Field(None, description="Where the sound begins")
    mark_stop_sample: Sample | None = None
    kind: Kind | None = Field(None, description="Of a unit of the review")


class VerdictBody(RequestBody):
    """Verdicts of one reviewer."""

    reviewer: str = Field(max_length=200, description="Name of the person who judged")
    verdicts: list[VerdictIn] = Field(min_length=1, max_length=MOST_PUT)


class StoredOut(BaseModel):
    """How many verdicts were stored."""

    stored: int = Field(description="Verdicts of the request, also those that delete")
    total: int = Field(description="Verdicts that this reviewer has on the execution now")


class VerdictOut(BaseModel):
    """A stored verdict."""

    recording: int
    name: str
    start_sample: int
    stop_sample: int
    sample_rate: int
    start_time: float
    end_time: float
    class_: str = Field(alias="class")
    verdict: str = Field(description=_VERDICT)
    calls: int | None
    mark_start_sample: int | None
    mark_stop_sample: int | None
    kind: Kind | None
    reviewer: str
    judged_at: Moment


class VerdictPage(BaseModel):
    """A page of verdicts."""

    verdicts: list[VerdictOut]
    next: str | None = Field(description="Path of the next page")


class VerdictFileOut(BaseModel):
    """A link to a file that was made of the verdicts."""

    name: str
    url: str
    expires_at: Moment
    verdict_count: int
    left_out: int = Field(description="Verdicts on stretches that are not in the sample, so not in verdicts.csv")
