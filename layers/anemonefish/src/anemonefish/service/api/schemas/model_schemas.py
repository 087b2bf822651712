"""The answers of ``/models``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

__all__ = [
    "Catalog",
    "CatalogEntry",
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
    multi_label: bool = Field(description="Whether classes have independent scores, so that several can be high")
    variants: dict[str, dict[str, Any]]
