"""The answers of ``/executions/{id}/recordings/{n}/clip`` and ``/spectrogram``."""

from __future__ import annotations

from pydantic import BaseModel, Field

from anemonefish.service.api.schemas.shared_schemas import Moment

__all__ = ["ClipOut", "SpectrogramOut"]


class ClipOut(BaseModel):
    """A link to a stretch of a recording."""

    name: str
    url: str
    expires_at: Moment
    sample_rate: int = Field(description="Of the recording")
    channels: int
    start_sample: int = Field(description="At the sample rate of the recording; stop_sample is the one after the last")
    stop_sample: int


class SpectrogramOut(ClipOut):
    """A link to the spectrogram of a stretch; time runs over the whole width."""

    low_hz: float = Field(description="Frequency at the lower edge")
    high_hz: float = Field(description="Frequency at the upper edge")
