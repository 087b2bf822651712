"""Turn decibels into ratios of power and of amplitude."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["amplitude", "power"]


def power(db: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ratio of powers."""
    return np.asarray(10.0 ** (np.asarray(db) / 10))


def amplitude(db: float) -> float:
    """Return the ratio of amplitudes."""
    return float(10.0 ** (db / 20))
