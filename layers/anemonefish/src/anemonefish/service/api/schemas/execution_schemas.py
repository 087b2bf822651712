"""The bodies and answers of ``/executions`` and ``/usage``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field

from anemonefish.execution_states import STATES
from anemonefish.jobs.request import DEFAULT_MODEL
from anemonefish.service.api.schemas.settings_schemas import SettingsBody
from anemonefish.service.api.schemas.shared_schemas import (
    MODEL_REFERENCE,
    UPLOAD_ID,
    Moment,
    PinnedModel,
    Reason,
    RequestBody,
)

__all__ = [
    "MOST_UPLOADS",
    "Assumptions",
    "ExecutionBody",
    "ExecutionOut",
    "ExecutionPage",
    "ExecutionSummary",
    "JobsUsage",
    "QueueOut",
    "Quote",
    "QuoteOut",
    "QuotedRecording",
    "RecordingState",
    "RestoreOut",
    "ReviewOut",
    "Status",
    "StorageUsage",
    "UsageOut",
]

MOST_UPLOADS = 1_000
"""Largest number of recordings in one request; each is looked up before the answer."""


class ExecutionBody(RequestBody):
    """Recordings to analyse."""

    recordings: list[Annotated[str, Field(pattern=UPLOAD_ID)]] = Field(
        min_length=1, max_length=MOST_UPLOADS, description="Ids of complete uploads"
    )
    model: str = Field(
        DEFAULT_MODEL,
        pattern=MODEL_REFERENCE,
        description=f"name, name@alias or name@version; +variant for another arithmetic; {DEFAULT_MODEL} unless given",
    )
    settings: SettingsBody = SettingsBody()
    webhook: str | None = Field(
        None,
        max_length=2048,
        description="https URL to call at the end",
        # Narrower than what is taken, so that whatever fits it is taken.
        json_schema_extra={"pattern": r"^https://[a-z][a-z0-9]{1,30}\.(org|com|net|edu)/[a-z0-9/]{0,200}$"},
    )


class RecordingState(BaseModel):
    """Progress of one recording."""

    recording: int
    name: str
    ranges_done: int
    ranges_total: int | None
    error: Reason | None


if TYPE_CHECKING:
    Status = str
else:
    Status = Literal[STATES]  # a type checker takes literals only; pydantic reads the tuple


class ExecutionSummary(BaseModel):
    """An execution in a list."""

    id: str
    status: Status
    status_url: str
    model: PinnedModel
    recordings: int
    created_at: Moment
    finished_at: Moment | None
    error: Reason | None


class ExecutionPage(BaseModel):
    """A page of executions, newest first."""

    executions: list[ExecutionSummary]
    next: str | None


class ReviewOut(BaseModel):
    """State of the clips and plots that the setting ``review`` requests; they are made after the results."""

    status: Literal["PENDING", "SUCCEEDED", "FAILED"]
    clips: int
    left_out: int = Field(description="Number of events without a clip, because there are too many")
    pictures: int
    error: Reason | None


class QueueOut(BaseModel):
    """Why an accepted execution does not run yet."""

    position: int = Field(ge=1, description="Place among all executions that wait; 1 starts next")
    message: str


class RestoreOut(BaseModel):
    """A request for archived results."""

    tier: Literal["standard", "bulk"]
    requested_at: Moment
    ready_by: Moment = Field(description="When all files can be downloaded at the latest")
    kept_until: Moment = Field(description="Until when they can be downloaded at least")
    files: int = Field(description="Number of files in the archive")
    files_left: int = Field(description="Files for which there was no time; restore again to continue")


class ExecutionOut(BaseModel):
    """An execution."""

    id: str
    status: Status
    status_url: str
    results_url: str | None
    attempt: int
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    expected_end: Moment | None
    queue: QueueOut | None = Field(description="null unless it is PENDING and waits for workers of other executions")
    model: PinnedModel
    settings: dict[str, Any]
    ranges_done: int
    ranges_total: int | None = Field(description="null until the job is planned")
    recordings: list[RecordingState]
    review: ReviewOut | None = Field(description="null unless settings.review requests it and the job succeeded")
    restore: RestoreOut | None = Field(description="null until archived results were asked for")
    error: Reason | None


class Assumptions(BaseModel):
    """Assumptions of a quote."""

    basis: str = Field(description="Source of the constants below")
    seconds_per_window: float
    seconds_per_range: float
    seconds_per_job: float
    architecture: str
    memory_mb: int
    max_concurrency: int
    starts_per_second: float
    prices: str
    seconds_per_opening: float = Field(description="Time to open one more recording")
    seconds_per_report: float = Field(description="Time to report a recording, besides its windows and requests")
    plan_memory_mb: int
    report_memory_mb: int
    aggregate_memory_mb: int


class LongestFunction(BaseModel):
    """The function of a job that is expected to run longest."""

    function: Literal["plan", "score", "report", "aggregate"]
    seconds: float


class Price(BaseModel):
    """The expected cost of a job by its items, in USD."""

    plan_usd: float
    score_usd: float
    report_usd: float
    aggregate_usd: float
    requests_usd: float = Field(description="Requests to S3")
    transitions_usd: float = Field(description="Transitions of Step Functions")


class Storage(BaseModel):
    """What a job leaves in S3: results and scores."""

    bytes: int
    usd_per_month: float = Field(description="Price in S3 Standard; not part of expected_usd")


class Quote(BaseModel):
    """Expected size, duration and cost of a job."""

    recordings: int
    ranges: int
    windows: int
    audio_seconds: float
    expected_seconds: float
    expected_usd: float = Field(description="Functions, requests and transitions; storage is not part of it")
    assumptions: Assumptions
    workers: int = Field(description="Calls of the function that scores")
    report_workers: int = Field(description="Calls of the function that reports")
    longest_function: LongestFunction
    price: Price
    storage: Storage


class QuotedRecording(BaseModel):
    """A recording of a plan."""

    name: str
    sample_rate: int | None
    duration_seconds: float | None
    windows: int | None
    ranges: int
    error: Reason | None


class QuoteOut(BaseModel):
    """The plan of a job that is not started."""

    model: PinnedModel
    quote: Quote
    recordings: list[QuotedRecording]


class JobsUsage(BaseModel):
    """Number of executions that have not ended, and its limit."""

    used: int
    limit: int | None


class StorageUsage(BaseModel):
    """Bytes of announced and stored uploads, and their limit."""

    used: int
    limit: int | None


class UsageOut(BaseModel):
    """Usage and limits of the key; null means no limit."""

    jobs: JobsUsage
    stored_bytes: StorageUsage
    job_usd_limit: float | None = Field(description="Largest expected cost of one job in USD")
