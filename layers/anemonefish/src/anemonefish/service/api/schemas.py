"""The shapes of requests and answers; the OpenAPI document is made of them.

Limits repeat those of the domain, so that a client can know them beforehand; the domain checks all the same.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from anemonefish.jobs.request import DEFAULT_MODEL, MOST_CLIP_BYTES
from anemonefish.notes import CODES
from anemonefish.service.uploads import FILENAME, LONGEST_FILENAME, MOST_BYTES

__all__ = [
    "AUDIO_FIELDS",
    "ENCODED_FIELDS",
    "Catalog",
    "ClipBody",
    "ClipConfig",
    "CompleteBody",
    "DecisionBody",
    "ErrorOut",
    "ExecutionBody",
    "ExecutionOut",
    "ExecutionPage",
    "FileOut",
    "Health",
    "LabConfig",
    "LabPredictionOut",
    "ModelOut",
    "PartPage",
    "Prediction",
    "PredictionOut",
    "QuoteOut",
    "ResultsOut",
    "UploadBody",
    "UploadOut",
    "UsageOut",
]

UPLOAD_ID = r"^u-[a-z2-7]{26}$"
EXECUTION_ID = r"^e-[a-z2-7]{26}$"
DECISION_ID = r"^d-[0-9a-f]{16}$"
MODEL_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
MODEL_REFERENCE = r"^[a-z0-9][a-z0-9._-]{0,63}(@[a-z0-9][a-z0-9._-]{0,63})?(\+[a-z0-9]{1,16})?$"


def _whole(value: Any) -> Any:
    """Take ``5.0`` for 5, as JSON does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# The limits come before the validator, or pydantic writes them into the document under names of its own.
Size = Annotated[int, Field(ge=1, le=MOST_BYTES), BeforeValidator(_whole)]
PartNumber = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_whole)]
Workers = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_whole)]
Channel = Annotated[int, Field(ge=1, le=1024, description="Counted from 1"), BeforeValidator(_whole)]
Median = Annotated[int, Field(ge=1, le=99, json_schema_extra={"enum": [*range(1, 100, 2)]}), BeforeValidator(_whole)]
Moment = Annotated[str, Field(description="ISO 8601, UTC", examples=["2026-11-23T10:00:00.000Z"])]
Format = Literal["json", "csv", "scores", "raven", "audacity", "classes", "kaleidoscope", "longterm", "parquet"]

AUDIO_FIELDS = ("audio_file", "audio")
"""Names of a clip in a form."""

ENCODED_FIELDS = ("audio_data", "audio_base64", "audio_file")
"""Names of a clip in JSON."""

CLIP_LIMIT = (
    f"Up to {MOST_CLIP_BYTES / 1e6:g} MB ({MOST_CLIP_BYTES} bytes); a larger one is uploaded (POST /uploads) and "
    f"analysed by an execution."
)

MOST_UPLOADS = 1_000
"""Recordings of one order: each is looked up before the answer."""


class _Body(BaseModel):
    """Something a client sends: a name that does not exist is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Detail(BaseModel):
    """One field that is wrong, and why."""

    field: str
    message: str


class ErrorOut(BaseModel):
    """Every error."""

    error: str = Field(description="Name of the error", examples=["InvalidSettings"])
    message: str = Field(description="What is wrong, where, and the mend")
    details: list[Detail] | None = None
    request_id: str = Field(description="To ask us about")


# --- uploads -----------------------------------------------------------------------------------------------------


class UploadBody(_Body):
    """A file to upload."""

    filename: str = Field(
        max_length=LONGEST_FILENAME,
        description="Name of the file, without folders",
        json_schema_extra={"pattern": FILENAME},
        examples=["20230210_000001_LL_B55_M_R.wav"],
    )
    size: Size = Field(description="Length in bytes")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="SHA-256 of the file, hexadecimal")


class PutLink(BaseModel):
    """Where to PUT the whole file, and with which headers."""

    url: str
    headers: dict[str, str]


class Part(BaseModel):
    """Where to PUT one part; ``etag`` once it has arrived."""

    number: int
    size: int
    url: str
    etag: str | None


class PartPage(BaseModel):
    """Some of the parts."""

    parts: list[Part]
    next: str | None = Field(description="Path of the next page")


class Multipart(PartPage):
    """How the file is cut, and the first parts."""

    part_size: int
    part_count: int


class UploadOut(BaseModel):
    """An upload."""

    id: str
    filename: str
    size: int
    status: Literal["OPEN", "COMPLETE"]
    created_at: Moment
    expires_at: Moment = Field(description="Complete it, or once it is complete use it, before this moment")
    sha256: str | None
    sha256_checked: bool = Field(description="Whether S3 compares the hash; it does for a single PUT")
    put: PutLink | None = None
    multipart: Multipart | None = None


class SentPart(_Body):
    """A part as its sender knows it."""

    number: PartNumber
    etag: str = Field(min_length=1, max_length=100)


class CompleteBody(_Body):
    """Tags of the parts, to compare; without them what has arrived counts."""

    parts: list[SentPart] | None = Field(None, max_length=10_000)


# --- executions --------------------------------------------------------------------------------------------------


class DecisionBody(_Body):
    """Settings that turn scores into events."""

    target_class: str | None = Field(None, min_length=1, max_length=64, description="Class whose events are found")
    threshold: float | None = Field(None, ge=0, lt=1, description="Smoothed score above which a window counts")
    median_windows: Median | None = Field(None, description="Kernel of the median filter, an odd number of windows")
    min_duration_seconds: float | None = Field(None, ge=0, le=3600)
    min_gap_seconds: float | None = Field(None, ge=0, le=3600)

    def changes(self) -> dict[str, Any]:
        """Return what the client has set."""
        return self.model_dump(exclude_none=True)


class AnalysisBody(DecisionBody):
    """Settings of one recording."""

    window_seconds: float | None = Field(None, ge=0.001, le=60)
    hop_seconds: float | None = Field(None, ge=0.001, le=60)
    channel: Channel | None = None
    resample: bool | None = None
    damaged: Literal["keep", "refuse"] | None = Field(
        None, description="A recording that ends early or is damaged: analyse what is left, or refuse it"
    )
    time_zone: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="UTC, an offset, or a name such as Australia/Brisbane",
        # Narrower than what is taken, so that whatever fits it is taken.
        json_schema_extra={"pattern": r"^(UTC|[+-](0[0-9]|1[0-3]):[0-5][0-9])$"},
    )
    name_pattern: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="How file names tell the time: a pattern of docs/time.md by its name, or like %Y%m%d_%H%M%S",
        json_schema_extra={"pattern": r"^(iso|date_time|separated|soundtrap|short_date|compact)$"},
    )
    start: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="When the only recording begins: ISO 8601 with an offset, 2019-09-20T10:42:48+10:00",
        # Narrower than what is taken, so that whatever fits it is taken.
        json_schema_extra={
            "pattern": r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T[01][0-9]:[0-5][0-9]:[0-5][0-9]Z$"
        },
    )


class SettingsBody(AnalysisBody):
    """Everything a client can set; docs/settings.md explains each."""

    formats: list[Format] | None = Field(None, min_length=1, max_length=20)
    review: list[Literal["clips", "pictures"]] | None = Field(None, max_length=2, description="Made after the results")
    target_seconds: float | None = Field(None, gt=0, le=86_400)
    max_concurrency: Workers | None = None
    max_range_seconds: float | None = Field(None, ge=1, le=86_400)


class ExecutionBody(_Body):
    """Recordings to analyse."""

    recordings: list[Annotated[str, Field(pattern=UPLOAD_ID)]] = Field(
        min_length=1, max_length=MOST_UPLOADS, description="Ids of complete uploads"
    )
    model: str = Field(
        DEFAULT_MODEL,
        pattern=MODEL_REFERENCE,
        description=f"name, name@alias or name@version; +variant for other arithmetic; {DEFAULT_MODEL} unless given",
    )
    settings: SettingsBody = SettingsBody()
    webhook: str | None = Field(
        None,
        max_length=2048,
        description="https URL to call at the end",
        # Narrower than what is taken, so that whatever fits it is taken.
        json_schema_extra={"pattern": r"^https://[a-z][a-z0-9]{1,30}\.(org|com|net|edu)/[a-z0-9/]{0,200}$"},
    )


class ClipConfig(AnalysisBody):
    """What a clip is analysed with."""

    model: str = Field(DEFAULT_MODEL, pattern=MODEL_REFERENCE, description=f"{DEFAULT_MODEL} unless given")


class LabConfig(ClipConfig):
    """What a clip is analysed with, by the names here or by those of the lab; one setting has one of them."""

    confidence_threshold: float | None = Field(None, ge=0, lt=1, description="The lab's name of threshold")
    smoothing_window: Median | None = Field(None, description="The lab's name of median_windows, an odd number")
    min_event_duration: float | None = Field(None, ge=0, le=3600, description="The lab's name of min_duration_seconds")
    min_gap_duration: float | None = Field(None, ge=0, le=3600, description="The lab's name of min_gap_seconds")
    window_duration: float | None = Field(None, ge=0.001, le=60, description="The lab's name of window_seconds")
    stride_duration: float | None = Field(None, ge=0.001, le=60, description="The lab's name of hop_seconds")


class ClipBody(LabConfig):
    """A clip as the lab's newest front end sends it."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [name]} for name in ENCODED_FIELDS]},
    )

    audio_data: str | None = Field(
        None,
        description=f"The audio file in base64, of either alphabet, also as a data: URL. {CLIP_LIMIT}",
        json_schema_extra={"contentEncoding": "base64"},
    )
    audio_base64: str | None = Field(None, description="Another name of audio_data")
    audio_file: str | None = Field(None, description="Another name of audio_data")
    filename: str | None = Field(None, description="Name of the file: it may tell when the recording began")
    config: LabConfig | None = Field(None, description="Settings by name, as in the form")
    settings: LabConfig | None = Field(None, description="Another name of config")


class PinnedModel(BaseModel):
    """Exactly one model."""

    name: str
    version: str
    hash: str
    engine: Literal["litert", "keras", "ncnn"] = Field("litert", description="What runs the network")
    variant: str | None = Field(None, description="The other arithmetic that was asked for, as name+variant")


class Reason(BaseModel):
    """Why something failed."""

    error: str
    message: str


class RecordingState(BaseModel):
    """How far one recording is."""

    recording: int
    name: str
    ranges_done: int
    ranges_total: int | None
    error: Reason | None


Status = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]


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
    """Some of the executions, newest first."""

    executions: list[ExecutionSummary]
    next: str | None


class ReviewOut(BaseModel):
    """How the clips and pictures stand that the setting ``review`` asks for; they are made after the results."""

    status: Literal["PENDING", "SUCCEEDED", "FAILED"]
    clips: int
    left_out: int = Field(description="Events that have no clip, because there are too many")
    pictures: int
    error: Reason | None


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
    model: PinnedModel
    settings: dict[str, Any]
    ranges_done: int
    ranges_total: int | None = Field(description="null until the plan is made")
    recordings: list[RecordingState]
    review: ReviewOut | None = Field(description="null unless settings.review asks for it and the job succeeded")
    error: Reason | None


class Assumptions(BaseModel):
    """What a quote rests on."""

    basis: str = Field(description="Where the constants below come from")
    seconds_per_window: float
    seconds_per_range: float
    seconds_per_job: float
    architecture: str
    memory_mb: int
    max_concurrency: int
    starts_per_second: float
    prices: str


class Quote(BaseModel):
    """What a job is expected to take."""

    recordings: int
    ranges: int
    windows: int
    audio_seconds: float
    expected_seconds: float
    expected_usd: float
    assumptions: Assumptions


class QuotedRecording(BaseModel):
    """One recording of a plan."""

    name: str
    sample_rate: int | None
    duration_seconds: float | None
    windows: int | None
    ranges: int
    error: Reason | None


class QuoteOut(BaseModel):
    """The plan of a job that was not started."""

    model: PinnedModel
    quote: Quote
    recordings: list[QuotedRecording]


# --- results -----------------------------------------------------------------------------------------------------


class Prediction(BaseModel):
    """One window, as the lab's front end knows it. ``confidence`` and ``probabilities`` are scores."""

    timestamp: str
    start_time: float
    end_time: float
    class_: str = Field(alias="class")
    confidence: float
    probabilities: dict[str, float]


class EventOut(BaseModel):
    """One event."""

    start_time: float
    end_time: float
    duration: float
    class_: str = Field(alias="class")
    mean_confidence: float
    max_confidence: float
    num_windows: int
    start_sample: int
    end_sample: int
    start_utc: str | None = Field(description="null while nobody has said when the recording began")


class NoteOut(BaseModel):
    """What a user should know about a recording."""

    code: str = Field(description=f"One of {', '.join(CODES)}")
    message: str
    numbers: dict[str, int | float | str]


RecordingStatus = Annotated[
    Literal["done", "partial", "failed"], Field(description="partial: recorded sound is missing from the analysis")
]


class Metadata(BaseModel):
    """About a result. Of each pair of names the longer is the one to use; the other is kept for older front ends."""

    audio_duration: float
    audio_duration_seconds: float
    processing_time: float | None
    processing_time_seconds: float | None
    model_version: str
    num_predictions: int
    total_windows: int
    num_events: int
    total_events: int
    target_class: str
    confidence_threshold: float
    status: RecordingStatus
    notes: list[NoteOut]
    variant_agreement: dict[str, Any] | None = Field(
        None,
        description="Where a variant of the model was asked for: how far it agrees with the network as it was trained",
    )


class PredictionOut(BaseModel):
    """The lab's JSON."""

    predictions: list[Prediction]
    events: list[EventOut]
    metadata: Metadata


class FileLink(BaseModel):
    """A file by its name among the results."""

    name: str
    url: str


class ResultEvent(EventOut):
    """An event of an execution; with the setting ``review``, where its clip and its spectrogram are."""

    clip: FileLink | None = None
    picture: FileLink | None = None


class LabPredictionOut(PredictionOut):
    """The answer to a clip that came as base64: what the lab's newest front end reads, beside the lab's JSON."""

    json_: PredictionOut = Field(alias="json", description="predictions, events and metadata again")
    audacity: str = Field(
        description="Label track: runs of windows with the same highest raw score, noise left out",
        examples=["1.200000\t2.000000\tanemonefish\n"],
    )
    raw: list[Prediction] = Field(description="predictions again")


class RecordingOutcome(BaseModel):
    """What became of one recording."""

    recording: int
    name: str
    windows: int | None
    events: int | None
    error: Reason | None
    status: RecordingStatus
    notes: list[NoteOut]


class ResultsOut(BaseModel):
    """The results of one recording of an execution: the lab's JSON and more."""

    predictions: list[Prediction]
    events: list[ResultEvent]
    metadata: Metadata
    execution: str
    decision: str | None
    recording: int
    predictions_url: str | None = Field(description="All predictions as a file, where they are too many to be here")
    recordings: list[RecordingOutcome]


class FileOut(BaseModel):
    """A link to a file."""

    format: Format
    filename: str
    url: str
    expires_at: Moment


class FilesOut(BaseModel):
    """What tells of the whole job; links hold until ``expires_at``."""

    files: list[FileLink]
    expires_at: Moment


# --- models ------------------------------------------------------------------------------------------------------


class CatalogEntry(BaseModel):
    """A model with its versions."""

    name: str
    versions: list[str]
    aliases: dict[str, str]


class Catalog(BaseModel):
    """All models."""

    models: list[CatalogEntry]


class ModelOut(BaseModel):
    """A model without its weights."""

    name: str
    version: str
    hash: str
    description: str
    license: str
    classes: list[str]
    target_class: str
    sample_rate: int | None
    window_seconds: float
    hop_seconds: float
    profile: dict[str, Any]
    training: dict[str, Any]
    parity: dict[str, Any]
    engine: Literal["litert", "keras", "ncnn"]
    multi_label: bool = Field(description="Whether each class has a score by itself, several of them high")
    variants: dict[str, dict[str, Any]]


class JobsUsage(BaseModel):
    """Executions that have not ended."""

    used: int
    limit: int | None


class StorageUsage(BaseModel):
    """Bytes of uploads that are announced or kept."""

    used: int
    limit: int | None


class UsageOut(BaseModel):
    """What the key uses, and what it may; a limit of null is none."""

    jobs: JobsUsage
    stored_bytes: StorageUsage
    job_usd_limit: float | None = Field(description="USD that one job may be expected to cost")


class Health(BaseModel):
    """Whether the API answers."""

    status: Literal["ok"]
    version: str
