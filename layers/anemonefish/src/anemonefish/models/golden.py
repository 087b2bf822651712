"""The golden example: a few windows of audio with the scores the training stack gave.

``golden.npz`` holds windows as mono audio (``samples``), Keras's scores of them (``scores``) and their ``sample_rate``.
A worker scores them before its first window, to check that this engine on this processor gives the same scores.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from anemonefish.errors import InvalidBundle, ParityError
from anemonefish.models.bundle import GOLDEN, TOLERANCE, ModelSpec
from anemonefish.models.engine import Model
from anemonefish.profiles.reference import reference_spectrograms

__all__ = ["TOLERANCE", "Golden", "check_golden", "check_preprocessing"]


@dataclass(frozen=True, slots=True)
class Golden:
    """Windows and the scores that belong to them.

    Attributes
    ----------
    samples : ndarray, shape (n_windows, window), float32 or float64
    scores : ndarray, shape (n_windows, n_classes), float32
    sample_rate : int
    """

    samples: NDArray[Any]
    scores: NDArray[np.float32]
    sample_rate: int

    def to_bytes(self) -> bytes:
        """Return the content of ``golden.npz``."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, samples=self.samples, scores=self.scores, sample_rate=self.sample_rate)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Self:
        """Read ``golden.npz``; raise :class:`InvalidBundle` when it is not one."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                return cls(arrays["samples"], arrays["scores"], int(arrays["sample_rate"]))
        except Exception as error:  # numpy and zipfile have errors of many kinds for a damaged archive
            raise InvalidBundle(f"{where}: {GOLDEN} cannot be read ({error}); publish the model again") from None


def check_golden(model: Model, golden: Golden, tolerance: float = TOLERANCE) -> float:
    """Score the golden windows from audio on and compare.

    Parameters
    ----------
    model : Model
    golden : Golden
    tolerance : float
        Largest difference allowed; more than the default only where the bundle says how much.

    Returns
    -------
    float
        The largest difference of a score.

    Raises
    ------
    ParityError
        It is above the tolerance, or the shapes differ.
    """
    spectrograms = model.spec.profile.spectrograms(golden.samples, golden.sample_rate)
    scores = model.scores(spectrograms)
    if scores.shape != golden.scores.shape or not len(scores):
        raise ParityError(f"{model.spec.title}: {GOLDEN} does not hold scores of this model's shape")
    difference = float(np.abs(scores - golden.scores).max())
    if not difference <= tolerance:
        raise ParityError(
            f"{model.spec.title}: scores differ from the training stack's by {difference:.2e}, more than "
            f"{tolerance:.0e}; do not serve this bundle on this machine"
            + (f": run it by LiteRT ({model.spec.name}@{model.spec.version}+litert)" if model.engine == "ncnn" else "")
            + ", publish the model again"
        )
    return difference


def check_preprocessing(spec: ModelSpec, golden: Golden) -> None:
    """Make the golden windows' spectrograms by librosa and matplotlib too, where those are installed, and compare.

    Raises
    ------
    ParityError
        A value differs, by however little.
    """
    ours = spec.profile.spectrograms(golden.samples, golden.sample_rate)
    theirs = reference_spectrograms(spec.profile, golden.samples, golden.sample_rate)
    if not np.array_equal(ours, theirs):
        difference = float(np.abs(ours - theirs).max())
        raise ParityError(
            f"{spec.title}: its spectrograms differ from librosa's by up to {difference:.2e}; do not serve it with "
            f"these versions of numpy, librosa and matplotlib, install those of requirements/"
        )
