"""The reference model that tests name where what they expect belongs to one model; others follow the default."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.stores.folder import LocalStore

LAB_MODEL = "reef@1.1.0"
"""With the lab's profile and settings: 0.4 s every 0.2 s at 48 kHz, threshold 0.5, a median of 5 windows."""


def spec_of(reference: str = "reef") -> ModelSpec:
    """Return what is known of a reference model that ships, by default of the one that ``reef`` means."""
    models = ModelRepository(LocalStore(Path(__file__).parents[1] / "models"))
    return models.spec(models.pin(reference))


def n_windows(seconds: float, spec: ModelSpec) -> int:
    """Return how many of a model's windows lie wholly inside a recording, in exact arithmetic."""
    window, hop, length = (
        Fraction(str(value)) for value in (spec.profile.window_seconds, spec.profile.hop_seconds, seconds)
    )
    return max(0, (length - window) // hop + 1)
