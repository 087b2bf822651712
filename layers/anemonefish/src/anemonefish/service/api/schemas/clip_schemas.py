"""The bodies and answers of ``/predict`` and ``/inference/predict``: one clip, answered at once."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from anemonefish.jobs.request import DEFAULT_MODEL, MOST_CLIP_BYTES
from anemonefish.service.api.lab import SETTINGS
from anemonefish.service.api.schemas.result_schemas import Prediction, PredictionOut
from anemonefish.service.api.schemas.settings_schemas import AnalysisBody, with_settings
from anemonefish.service.api.schemas.shared_schemas import MODEL_REFERENCE

__all__ = [
    "AUDIO_FIELDS",
    "CLIP_LIMIT",
    "ENCODED_FIELDS",
    "ClipBody",
    "ClipConfig",
    "LabConfig",
    "LabPredictionOut",
]

AUDIO_FIELDS = ("audio_file", "audio")
"""Names of a clip in a form."""

ENCODED_FIELDS = ("audio_data", "audio_base64", "audio_file")
"""Names of a clip in JSON."""

CLIP_LIMIT = (
    f"Up to {MOST_CLIP_BYTES / 1e6:g} MB ({MOST_CLIP_BYTES} bytes); a larger one is uploaded (POST /uploads) and "
    f"analysed by an execution."
)


class ClipConfig(AnalysisBody):
    """Model and settings for a clip."""

    model: str = Field(DEFAULT_MODEL, pattern=MODEL_REFERENCE, description=f"{DEFAULT_MODEL} unless given")


@with_settings(SETTINGS, "The lab's name of {name}")
class LabConfig(ClipConfig):
    """Model and settings for a clip, by our names or the lab's; send each setting under one of its names."""


class ClipBody(LabConfig):
    """A clip in base64, as the lab's newest front end sends it."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [name]} for name in ENCODED_FIELDS]},
    )

    audio_data: str | None = Field(
        None,
        description=f"The audio file in base64, in either alphabet, or as a data: URL. {CLIP_LIMIT}",
        json_schema_extra={"contentEncoding": "base64"},
    )
    audio_base64: str | None = Field(None, description="Another name of audio_data")
    audio_file: str | None = Field(None, description="Another name of audio_data")
    filename: str | None = Field(
        None, description="Name of the file, from which the start time of the recording is read"
    )
    config: LabConfig | None = Field(None, description="Settings by name, as in the form")
    settings: LabConfig | None = Field(None, description="Another name of config")


class LabPredictionOut(PredictionOut):
    """The answer to a clip in base64: the lab's JSON, and the fields that the lab's newest front end reads."""

    json_: PredictionOut = Field(alias="json", description="predictions, events and metadata again")
    audacity: str = Field(
        description="Label track: consecutive windows with the same class of highest raw score, without noise",
        examples=["1.200000\t2.000000\tanemonefish\n"],
    )
    raw: list[Prediction] = Field(description="predictions again")
