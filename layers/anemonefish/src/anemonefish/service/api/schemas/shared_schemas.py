"""The parts that several requests and answers share: identifiers, whole numbers, times, errors, models and formats.

Limits repeat those of the domain, so that a client can read them in the OpenAPI document; the domain checks them again.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "DECISION_ID",
    "EXECUTION_ID",
    "MODEL_NAME",
    "MODEL_REFERENCE",
    "UPLOAD_ID",
    "Detail",
    "ErrorOut",
    "FileLink",
    "Health",
    "Moment",
    "PinnedModel",
    "Reason",
    "RequestBody",
    "take_whole",
]

UPLOAD_ID = r"^u-[a-z2-7]{26}$"
EXECUTION_ID = r"^e-[a-z2-7]{26}$"
DECISION_ID = r"^d-[0-9a-f]{16}$"
MODEL_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
MODEL_REFERENCE = r"^[a-z0-9][a-z0-9._-]{0,63}(@[a-z0-9][a-z0-9._-]{0,63})?(\+[a-z0-9]{1,16})?$"


def take_whole(value: Any) -> Any:
    """Return ``5.0`` as 5, because JSON has one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Moment = Annotated[str, Field(description="ISO 8601, UTC", examples=["2026-11-23T10:00:00.000Z"])]


class RequestBody(BaseModel):
    """The body of a request; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Detail(BaseModel):
    """An invalid field, and the reason."""

    field: str
    message: str


class ErrorOut(BaseModel):
    """An error."""

    error: str = Field(description="Name of the error", examples=["InvalidSettings"])
    message: str = Field(description="What is wrong, where, and how to correct it")
    details: list[Detail] | None = None
    request_id: str = Field(description="Id of the request, for questions to the operator")


class Reason(BaseModel):
    """The error of a recording or an execution."""

    error: str
    message: str


class PinnedModel(BaseModel):
    """A version of a model."""

    name: str
    version: str
    hash: str
    engine: Literal["litert", "keras", "ncnn"] = Field("litert", description="Engine that runs the network")
    variant: str | None = Field(None, description="Variant with another arithmetic, if requested as name+variant")


class FileLink(BaseModel):
    """A file by its name among the results."""

    name: str
    url: str


class Health(BaseModel):
    """Whether the API answers."""

    status: Literal["ok"]
    version: str
