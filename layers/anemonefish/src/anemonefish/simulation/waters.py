"""Draw what makes the water of one scene differ from others: its spectrum, its unrest and rain.

The tags name the source of each constant:

FSF       median spectrum of two recordings of a rocky reef, of FishSound Finder (Xavier Mouy, BSD-3-Clause)
OSE       median spectrum of five recordings of OSEkit (ENSTA and Lab-STICC, MIT)
INFERRED  our inference; not measured
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from anemonefish.simulation.decibels import power
from anemonefish.simulation.random_streams import Stream, random_numbers
from anemonefish.simulation.scene_settings import SceneSettings

__all__ = ["MEASURED_DB", "Water"]

_OCTAVES_HZ = (31.5, 63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)

MEASURED_DB = (
    (4.0, 0.0, 9.0, 4.0, 0.0, -5.0, -8.0, -9.0, -11.0),  # FSF
    (15.0, 11.0, 5.0, 1.0, 0.0, -0.5, -2.5, -3.0, -4.0),  # OSE
)
"""Power per Hz in the octaves from 31.5 Hz to 8 kHz, in dB relative to that at 500 Hz, rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Water:
    """The water of a scene.

    Attributes
    ----------
    slope_db : float
        Further slope of the ambient noise, in dB per octave.
    measured_db : tuple of float or None
        Spectrum of a recording that replaces the common one, see :data:`MEASURED_DB`.
    swings : tuple of (float, float, float)
        Depth in dB, frequency and phase of slow changes of the level.
    rain_db : float or None
        Level of rain over the ambient noise; None on a dry day.
    drops_per_second : float
        Drops near the hydrophone.
    """

    slope_db: float
    measured_db: tuple[float, ...] | None
    swings: tuple[tuple[float, float, float], ...]
    rain_db: float | None
    drops_per_second: float

    @classmethod
    def of(cls, seed: int, settings: SceneSettings) -> Self:
        """Draw the water of a scene."""
        rng = random_numbers(seed, 0, Stream.WATER)
        slope_db = float(rng.uniform(*settings.slope_db))
        template = MEASURED_DB[rng.integers(len(MEASURED_DB))]
        measured = rng.random() < settings.measured_share
        depth = rng.uniform(0, settings.swing_db)
        rain_db = float(rng.uniform(*settings.rain_db))
        rains = rng.random() < settings.rain_chance
        return cls(
            slope_db=slope_db,
            measured_db=template if measured else None,
            # INFERRED: three waves with periods of 0.7-20 s.
            swings=tuple((depth / 3, 1 / (0.7 * 28 ** rng.random()), rng.uniform(0, 2 * np.pi)) for _ in range(3)),
            rain_db=rain_db if rains else None,
            drops_per_second=float(5 * 40 ** rng.random()),  # INFERRED: 5-200
        )

    def spectrum(self, common: NDArray[np.float64], hz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the power spectrum of the ambient noise.

        Parameters
        ----------
        common : ndarray
            The spectrum that a site has without this water.
        hz : ndarray
            Its frequencies, above 0.
        """
        if self.measured_db is not None:
            octaves = np.log2(np.asarray(_OCTAVES_HZ))
            common = power(np.interp(np.log2(hz), octaves, np.asarray(self.measured_db)))
        if not self.slope_db:
            return common
        return np.asarray(common * power(self.slope_db * np.log2(np.maximum(hz, 50.0) / 500.0)))

    def swing(self, seconds: NDArray[np.float64]) -> NDArray[np.float32] | np.float32:
        """Return the factor by which the amplitude of the ambient noise rises and falls."""
        if not any(depth for depth, _, _ in self.swings):
            return np.float32(1)
        level_db = sum(depth * np.sin(2 * np.pi * hz * seconds + phase) for depth, hz, phase in self.swings)
        return np.sqrt(power(level_db)).astype(np.float32)
