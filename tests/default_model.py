"""The model that a request without a model gets. Tests take its numbers from its spec, so another may become it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from anemonefish.models.bundle import ModelSpec
from anemonefish.models.repository import ModelRepository
from anemonefish.stores import open_store

__all__ = ["DEFAULT", "OTHER_DECISION", "OTHER_THRESHOLD", "lab_settings", "window_count"]


def _spec() -> ModelSpec:
    models = ModelRepository(open_store(str(Path(__file__).parents[1] / "models")))
    return models.spec(models.pin("reef"))


DEFAULT = _spec()
"""What the default model says of itself."""

OTHER_THRESHOLD = 0.5 if DEFAULT.decision.threshold > 0.7 else 0.9
"""A threshold far from the model's own."""

OTHER_DECISION: dict[str, float] = {
    "threshold": 0.98,
    "median_windows": 1,
    "min_duration_seconds": 0.5,
    "min_gap_seconds": 1,
}
"""Settings with which the busy reefs of these tests have more than one event, and another number than with those of
any version of ``reef``."""


def window_count(seconds: int, spec: ModelSpec = DEFAULT) -> int:
    """Return how many windows of a model lie in so many seconds of sound."""
    window, hop = (Fraction(str(each)) for each in (spec.profile.window_seconds, spec.profile.hop_seconds))
    return int((seconds - window) // hop) + 1


def lab_settings(spec: ModelSpec = DEFAULT) -> dict[str, float]:
    """Return a model's own settings under the names of the lab's front end."""
    return {
        "confidence_threshold": spec.decision.threshold,
        "smoothing_window": spec.decision.median_windows,
        "min_event_duration": spec.decision.min_duration_seconds,
        "window_duration": spec.profile.window_seconds,
        "stride_duration": spec.profile.hop_seconds,
    }
