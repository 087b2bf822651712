"""What a recorder does to a scene: its gain, and the constant that it adds. What exceeds full scale is clipped.

Both are drawn once per scene from the ranges of the settings, which name their sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anemonefish.simulation.decibels import amplitude
from anemonefish.simulation.random_streams import Stream, random_numbers
from anemonefish.simulation.scene_settings import SceneSettings

__all__ = ["Recorder"]


@dataclass(frozen=True, slots=True)
class Recorder:
    """A recorder.

    Attributes
    ----------
    gain : float
        Factor of the amplitude.
    offset : float
        Constant, of full scale.
    """

    gain: float
    offset: float

    @classmethod
    def of(cls, seed: int, settings: SceneSettings) -> Self:
        """Draw the recorder of a scene."""
        rng = random_numbers(seed, 0, Stream.RECORDER)
        return cls(amplitude(rng.uniform(*settings.gain_db)), float(rng.uniform(*settings.offset)))

    def record(self, samples: NDArray[np.float32]) -> None:
        """Change samples as the recorder does, in place; they are not clipped yet."""
        if self.gain != 1.0:
            samples *= np.float32(self.gain)
        if self.offset:
            samples += np.float32(self.offset)
