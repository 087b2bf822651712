"""The reference model: the version that a test names where its numbers belong to one version, and the default.

Other tests take their numbers from the spec of the default, so that another version may become it.
"""

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


DEFAULT = spec_of()
"""What the default says of itself."""

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


def n_windows(seconds: float, spec: ModelSpec = DEFAULT) -> int:
    """Return how many of a model's windows lie wholly inside a recording, in exact arithmetic."""
    window, hop, length = (
        Fraction(str(value)) for value in (spec.profile.window_seconds, spec.profile.hop_seconds, seconds)
    )
    return max(0, (length - window) // hop + 1)


def lab_settings(spec: ModelSpec = DEFAULT) -> dict[str, float]:
    """Return a model's own settings under the names of the lab's front end."""
    return {
        "confidence_threshold": spec.decision.threshold,
        "smoothing_window": spec.decision.median_windows,
        "min_event_duration": spec.decision.min_duration_seconds,
        "window_duration": spec.profile.window_seconds,
        "stride_duration": spec.profile.hop_seconds,
    }
