"""Calibrations: how long the windows of a model take on one kind of worker, as ``anemonefish calibrate`` measured it.

A calibration is stored beside the versions of the model, because a published version never changes::

    {name}/calibrations/{version}-{engine}-{architecture}.json
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np

from anemonefish.canonical import dump_json
from anemonefish.errors import InvalidBundle
from anemonefish.models.repository import ModelRepository, PinnedModel
from anemonefish.settings import ARCHITECTURES

__all__ = ["Calibration", "Observation", "fit", "read_calibration", "write_calibration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How long a model takes on one kind of worker.

    Attributes
    ----------
    model, hash : str
        ``name@version``, with the variant if there is one, and the hash of the bundle.
    engine : {"litert", "keras", "ncnn"}
    architecture : {"arm64", "x86_64"}
    memory_mb : int
        Memory of the workers that were measured.
    seconds_per_window : float
        From audio to score, reading included.
    seconds_per_range : float
        Overhead of one call: start, headers, golden example, writing the part.
    calls, windows : int
        How many were measured.
    where : str
        The machine or the stack that was measured.
    measured_at : str
        ISO 8601, UTC.
    seconds_per_job : float or None
        Plan and aggregate; None where no whole job was measured.
    """

    model: str
    hash: str
    engine: str
    architecture: str
    memory_mb: int
    seconds_per_window: float
    seconds_per_range: float
    calls: int
    windows: int
    where: str
    measured_at: str
    seconds_per_job: float | None = None

    @classmethod
    def from_json(cls, data: bytes, uri: str) -> Self:
        """Read a calibration.

        Raises
        ------
        InvalidBundle
            The document is not a calibration; the message names ``uri``.
        """
        try:
            calibration = cls(**json.loads(data))
            durations = calibration.seconds_per_window, calibration.seconds_per_range
            if min(*durations, calibration.memory_mb) > 0 and calibration.architecture in ARCHITECTURES:
                return calibration
        except (ValueError, TypeError, RecursionError):
            pass
        raise InvalidBundle(f"{uri} is not a calibration; run anemonefish calibrate again, or delete it")


def read_calibration(models: ModelRepository, pinned: PinnedModel, architecture: str) -> Calibration | None:
    """Return the calibration of a model for a processor, or None if it was not measured.

    Raises
    ------
    InvalidBundle
        The file is damaged, or belongs to another bundle.
    """
    key = _key(pinned, architecture)
    uri = f"{models.store.uri}/{key}"
    try:
        calibration = Calibration.from_json(models.store.read(key), uri)
    except FileNotFoundError:
        return None
    if (calibration.hash, calibration.architecture) != (pinned.hash, architecture):
        raise InvalidBundle(f"{uri} is of another bundle or processor; run anemonefish calibrate again, or delete it")
    return calibration


def write_calibration(models: ModelRepository, pinned: PinnedModel, calibration: Calibration) -> str:
    """Store a calibration, in place of an earlier one, and return its URI."""
    key = _key(pinned, calibration.architecture)
    models.store.write(key, dump_json(asdict(calibration)))
    return f"{models.store.uri}/{key}"


def _key(pinned: PinnedModel, architecture: str) -> str:
    version = pinned.reference.partition("@")[2]
    return f"{pinned.name}/calibrations/{version}-{pinned.engine}-{architecture}.json"


@dataclass(frozen=True, slots=True)
class Observation:
    """The duration of one call: ``windows`` windows were scored in ``seconds``."""

    windows: int
    seconds: float


def fit(observations: Sequence[Observation]) -> tuple[float, float]:
    """Return seconds per window and seconds per call, from a line through calls of different lengths.

    Raises
    ------
    ValueError
        All calls have the same length, or longer calls took no longer.
    """
    windows = np.array([observation.windows for observation in observations], np.float64)
    seconds = np.array([observation.seconds for observation in observations])
    if np.ptp(windows) == 0:
        raise ValueError("calls of one length cannot tell the time of a window from the overhead of a call")
    slope, intercept = np.polyfit(windows, seconds, 1)
    if slope <= 0:
        raise ValueError("longer calls took no longer; measure more windows")
    return float(slope), max(float(intercept), 1e-3)
