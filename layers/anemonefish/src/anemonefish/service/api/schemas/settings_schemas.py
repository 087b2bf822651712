"""The settings that a request may change, with their limits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from anemonefish.service.api.schemas.shared_schemas import Format, RequestBody, take_whole

__all__ = [
    "AnalysisBody",
    "Channel",
    "DecisionBody",
    "Median",
    "SettingsBody",
    "Workers",
]

Workers = Annotated[int, Field(ge=1, le=10_000), BeforeValidator(take_whole)]
Channel = Annotated[int, Field(ge=1, le=1024, description="Counted from 1"), BeforeValidator(take_whole)]
Median = Annotated[
    int, Field(ge=1, le=99, json_schema_extra={"enum": [*range(1, 100, 2)]}), BeforeValidator(take_whole)
]


class DecisionBody(RequestBody):
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
