"""The answers of ``/models``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

__all__ = [
    "Catalog",
    "CatalogEntry",
    "DecisionOut",
    "MeasuredFigureOut",
    "ModelCardOut",
    "ModelOut",
]


class CatalogEntry(BaseModel):
    """A model with its versions."""

    name: str
    versions: list[str]
    aliases: dict[str, str]


class Catalog(BaseModel):
    """All models."""

    models: list[CatalogEntry]


class MeasuredFigureOut(BaseModel):
    """One measured figure of a model."""

    what: str
    value: float
    interval: list[float] | None = Field(description="Lowest and highest plausible value (90 %); null if not stated")
    measured_on: str = Field(description="The scenes or recordings that it was measured on")
    command: str = Field(description="Command that prints the figure again; empty if there is none")


class ModelCardOut(BaseModel):
    """What a model has heard, how well it was measured, and whether it is fit for science."""

    fit_for_science: bool | None = Field(description="null if its publisher did not state it")
    why: str
    heard: list[str]
    not_heard: list[str]
    measured: list[MeasuredFigureOut]
    line: str = Field(description="The line of the card that every result carries")


class DecisionOut(BaseModel):
    """The settings that find events if a request names none: the model's own, or the lab's."""

    threshold: float | dict[str, float] = Field(description="By class if they differ; `*` is every other class")
    median_windows: int
    min_duration_seconds: float
    min_gap_seconds: float


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
    decision: DecisionOut
    sites: list[str] = Field(description="Sites with a calibration of scores, for the setting `site`")
    profile: dict[str, Any]
    card: ModelCardOut
    training: dict[str, Any]
    parity: dict[str, Any]
    engine: Literal["litert", "keras", "ncnn"]
    multi_label: bool = Field(description="Whether classes have independent scores, so that several can be high")
    variants: dict[str, dict[str, Any]]
