"""The bodies and answers of ``/uploads``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from anemonefish.service.api.schemas.shared_schemas import Moment, RequestBody, take_whole
from anemonefish.service.upload_names import FILENAME, LONGEST_FILENAME
from anemonefish.service.upload_record import MOST_BYTES

__all__ = [
    "CompleteBody",
    "Multipart",
    "Part",
    "PartNumber",
    "PartPage",
    "PutLink",
    "SentPart",
    "Size",
    "UploadBody",
    "UploadOut",
    "UploadPage",
    "UploadSummary",
]

# The limits come before the validator, or pydantic writes them into the document under names of its own.
Size = Annotated[int, Field(ge=1, le=MOST_BYTES), BeforeValidator(take_whole)]
PartNumber = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(take_whole)]


class UploadBody(RequestBody):
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
    """Link and headers to PUT the whole file."""

    url: str
    headers: dict[str, str]


class Part(BaseModel):
    """Link to PUT one part; ``etag`` is set when the part has arrived."""

    number: int
    size: int
    url: str
    etag: str | None


class PartPage(BaseModel):
    """A page of parts."""

    parts: list[Part]
    next: str | None = Field(description="Path of the next page")


class Multipart(PartPage):
    """Size and number of the parts, and the first page of them."""

    part_size: int
    part_count: int


class UploadOut(BaseModel):
    """An upload."""

    id: str
    filename: str
    size: int
    status: Literal["OPEN", "COMPLETE"]
    created_at: Moment
    expires_at: Moment = Field(
        description="Time before which an open upload must be completed, and a complete one used"
    )
    sha256: str | None
    sha256_checked: bool = Field(description="Whether S3 compares the hash; it can for a single PUT only")
    put: PutLink | None = None
    multipart: Multipart | None = None


class UploadSummary(BaseModel):
    """An upload in the list."""

    id: str
    filename: str
    size: int
    status: Literal["OPEN", "COMPLETE", "EXPIRED"]
    created_at: Moment
    expires_at: Moment = Field(
        description="Time before which an open upload must be completed, and a complete one used"
    )
    sha256: str | None
    sha256_checked: bool = Field(description="Whether S3 compares the hash; it can for a single PUT only")


class UploadPage(BaseModel):
    """A page of uploads."""

    uploads: list[UploadSummary]
    next: str | None = Field(description="Path of the next page")


class SentPart(RequestBody):
    """A part that the client has sent."""

    number: PartNumber
    etag: str = Field(min_length=1, max_length=100)


class CompleteBody(RequestBody):
    """Tags of the parts, which are compared; without tags every part that has arrived is accepted."""

    parts: list[SentPart] | None = Field(None, max_length=10_000)
