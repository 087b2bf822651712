"""Vary windows of sound, so that a network learns the calls and not the recorder.

Each window gets another gain, often the noise of another recording, and sometimes an offset. With two classes or more,
some windows get a call of another window, because calls overlap. The shift in time is that of the window's start
(:mod:`.window_examples`). A quiet window never becomes a call by this, and the noise stays below the call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Augmentation", "mixed_targets"]

_SILENCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How windows are varied; ranges are of uniform distributions (our choice; nothing was measured).

    Attributes
    ----------
    gain_db : (float, float)
        Level of a window.
    noise_chance : float
        Share of the windows that get the noise of another.
    noise_db : (float, float)
        Level of this noise, relative to the level of the window.
    offset_chance, offset : float
        Share of the windows with an offset, and its most; recorders have up to 0.013 of full scale.
    overlap_chance : float
        Share of the windows that get a call of another window.
    """

    gain_db: tuple[float, float] = (-12.0, 12.0)
    noise_chance: float = 0.5
    noise_db: tuple[float, float] = (-20.0, -3.0)
    offset_chance: float = 0.3
    offset: float = 0.03
    overlap_chance: float = 0.15

    def apply(
        self,
        windows: NDArray[np.float64],
        noises: NDArray[np.float64] | None,
        others: NDArray[np.float64] | None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Return varied windows.

        Parameters
        ----------
        windows : ndarray, shape (n, window)
        noises : ndarray, shape (n, window), or None
            Noise to mix in, for a share of the windows; None where there is none.
        others : ndarray, shape (n, window), or None
            Sound to add at its own level; rows of zeros where nothing is added.
        rng : Generator
        """
        n = len(windows)
        varied = windows.copy()
        if others is not None:
            varied += others
        if noises is not None:
            levels = _level(varied) / np.maximum(_level(noises), _SILENCE)
            gains = _from_db(rng.uniform(*self.noise_db, n)) * levels
            gains[rng.random(n) >= self.noise_chance] = 0
            varied += gains[:, np.newaxis] * noises
        varied *= _from_db(rng.uniform(*self.gain_db, n))[:, np.newaxis]
        offsets = rng.uniform(-self.offset, self.offset, n)
        offsets[rng.random(n) >= self.offset_chance] = 0
        return varied + offsets[:, np.newaxis]


def mixed_targets(own: NDArray[np.int8], added: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return what a window holds after the sound of another was added: what either holds, and doubt of either.

    Examples
    --------
    >>> mixed_targets(np.array([[1, 0, 0]], np.int8), np.array([[0, -1, 0]], np.int8)).tolist()
    [[1, -1, 0]]
    """
    return np.where((own == 1) | (added == 1), 1, np.minimum(own, added)).astype(np.int8)


def _level(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of each window: its level without its offset."""
    level: NDArray[np.float64] = windows.std(axis=1)
    return level


def _from_db(decibels: NDArray[np.float64]) -> NDArray[np.float64]:
    factor: NDArray[np.float64] = 10 ** (decibels / 20)
    return factor
