"""The answers of ``/executions/{id}/results``, ``/files`` and ``/decisions``, and the lab's JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from anemonefish.notes import CODES
from anemonefish.service.api.schemas.shared_schemas import FileLink, Moment, Reason
from anemonefish.settings import Format

__all__ = [
    "AllFilesOut",
    "CalibrationOut",
    "DecidedSettings",
    "EventOut",
    "FileOut",
    "FilesOut",
    "Metadata",
    "NoteOut",
    "Prediction",
    "PredictionOut",
    "RecordingOutcome",
    "RecordingStatus",
    "ResultEvent",
    "ResultsOut",
    "StoredFileOut",
]


_NOT_MEASURED = "null if the scores were stored without band levels, by an older version"


class Prediction(BaseModel):
    """One window in the lab's JSON; ``confidence`` and ``probabilities`` are scores."""

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
    calls: int | None = Field(description=f"How many calls lie in the event; {_NOT_MEASURED}")
    level_db: float | None = Field(description="Level of its loudest 20 ms in the band, dB re full scale")
    snr_db: float | None = Field(description="This level less the median level around the event, dB")
    peak_hz: float | None = Field(description="Peak frequency of its calls")
    level_db_re_1upa: float | None = Field(
        description="The level in dB re 1 uPa; null without the setting `full_scale_db`"
    )
    start_sample: int
    end_sample: int
    start_utc: str | None = Field(description="null if the start time of the recording is unknown")
    probability: float | None = Field(
        None, description="Probability that the event is right; only where the scores are calibrated"
    )


class NoteOut(BaseModel):
    """A note about a recording."""

    code: str = Field(description=f"One of {', '.join(CODES)}")
    message: str
    numbers: dict[str, int | float | str]


RecordingStatus = Annotated[
    Literal["done", "partial", "failed"], Field(description="partial: part of the recorded sound could not be analysed")
]


class CalibrationOut(BaseModel):
    """The calibration of scores that gave events their probability (docs/probability.md)."""

    id: str
    site: str | None
    verdicts: int = Field(description="Verdicts that it was fitted to")
    judged_at: str = Field(description="When the last verdict was given, in UTC")
    intercept: float
    slope: float


class Metadata(BaseModel):
    """Metadata of a result. Of each pair of names use the longer one; the other is kept for older front ends."""

    audio_duration: float
    audio_duration_seconds: float
    processing_time: float | None
    processing_time_seconds: float | None
    model_version: str
    model_card: str = Field(
        description="Line of the model's card: whether it is fit for science, and why",
        examples=["fit for science: no (trained on simulated scenes only)"],
    )
    num_predictions: int
    total_windows: int
    num_events: int
    total_events: int
    num_calls: int | None = Field(description=f"Calls in the events; {_NOT_MEASURED}")
    level_band_hz: list[float] = Field(description="Lowest and highest frequency in which levels are measured")
    target_class: str | list[str] = Field(description="A list if there are several")
    confidence_threshold: float | dict[str, float] = Field(description="An object by class if there are several")
    status: RecordingStatus
    notes: list[NoteOut]
    calibration: CalibrationOut | None = Field(None, description="Where the scores are calibrated: by what")
    variant_agreement: dict[str, Any] | None = Field(
        None,
        description="If a variant of the model was requested: its agreement with the network as it was trained",
    )


class PredictionOut(BaseModel):
    """The lab's JSON."""

    predictions: list[Prediction]
    events: list[EventOut]
    metadata: Metadata


class ResultEvent(EventOut):
    """An event of an execution; with the setting ``review`` it has links to its clip and spectrogram."""

    clip: FileLink | None = None
    picture: FileLink | None = None


class RecordingOutcome(BaseModel):
    """Outcome of one recording."""

    recording: int
    name: str
    windows: int | None
    events: int | None
    calls: int | None
    error: Reason | None
    status: RecordingStatus
    notes: list[NoteOut]


class DecidedSettings(BaseModel):
    """The settings that turned scores into events: those of the request, and the model's where it names none."""

    target_class: str | list[str]
    threshold: float | dict[str, float]
    median_windows: int
    min_duration_seconds: float
    min_gap_seconds: float
    full_scale_db: float | None


class ResultsOut(BaseModel):
    """The results of one recording of an execution: the lab's JSON with additional fields."""

    predictions: list[Prediction]
    events: list[ResultEvent]
    metadata: Metadata
    execution: str
    decision: str | None
    recording: int
    settings: DecidedSettings
    predictions_url: str | None = Field(
        description="Link to all predictions as a file, if they are too many for this answer"
    )
    predictions_error: Reason | None = Field(description="Why there is no link: the file is in the archive")
    recordings: list[RecordingOutcome]


class FileOut(BaseModel):
    """A link to a file."""

    format: Format
    filename: str
    url: str
    expires_at: Moment


class StoredFileOut(BaseModel):
    """A file of an execution."""

    name: str = Field(description="With its folders, as a laptop would write it")
    url: str | None = Field(description="null if the file is in the archive")
    size: int = Field(description="In bytes")


class AllFilesOut(BaseModel):
    """A page of all files; the links are valid until ``expires_at``."""

    files: list[StoredFileOut]
    next: str | None = Field(description="Path of the next page")
    expires_at: Moment


class FilesOut(BaseModel):
    """Job-level files, and the outcomes of the recordings; the links are valid until ``expires_at``."""

    files: list[FileLink]
    expires_at: Moment
    recordings: list[RecordingOutcome]
