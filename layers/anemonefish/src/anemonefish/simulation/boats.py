"""Draw the boats that pass a scene: the noise of their engine and propeller, as amplitudes through time.

The tags name the source of each constant:

REEF      reef soundscape surveys: shrimp, boats, other fish
INFERRED  our inference; not measured
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anemonefish.simulation.decibels import amplitude
from anemonefish.simulation.random_streams import TILE_SECONDS, Stream, random_numbers
from anemonefish.simulation.scene_settings import SceneSettings

__all__ = ["Boat", "draw_boats"]

_BOAT_SECONDS = (30.0, 150.0)  # INFERRED; the longest passage fits into BOAT_LEAD_TILES
_BOAT_HARMONICS = 16  # INFERRED: of random strength, falling with their number
_HIGHEST_LINE = 1500.0  # INFERRED; Hz


@dataclass(frozen=True, slots=True, kw_only=True)
class Boat:
    """A boat that passes.

    Attributes
    ----------
    start, stop : float
        When it is audible, in seconds from the start of the scene.
    level_db : float
        Its level at its closest over the ambient noise.
    blade_hz : float
        Blades per second.
    seed : int
        Seed of its harmonics.
    line_hz : float
        Distance between the lines of its engine; 0 without lines.
    line_db : float
        Level of the strongest line over that of the boat.
    cavitation_db : float
        Level of its cavitation over that of the boat; -inf without.
    """

    start: float
    stop: float
    level_db: float
    blade_hz: float
    seed: int
    line_hz: float = 0.0
    line_db: float = 0.0
    cavitation_db: float = -np.inf

    def loudness(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the amplitude while it passes: 0 outside, constant through the middle half."""
        part = np.clip((seconds - self.start) / (self.stop - self.start), 0, 1)
        rise = np.clip(4 * np.minimum(part, 1 - part), 0, 1)
        return np.asarray(amplitude(self.level_db) * np.sin(np.pi / 2 * rise) ** 2)

    def blade_modulation(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how the blades modulate the noise of the boat: by half (INFERRED)."""
        return np.asarray(1 + 0.5 * np.sin(2 * np.pi * self.blade_hz * seconds))

    def harmonics(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of its harmonics, before its loudness."""
        rng = np.random.default_rng(self.seed)
        fundamental = np.exp(2j * np.pi * self.blade_hz * seconds)
        wave = fundamental.copy()
        total = np.zeros(len(seconds))
        for number in range(1, _BOAT_HARMONICS + 1):
            weight = rng.uniform(0, 1) / number * np.exp(2j * np.pi * rng.random())
            total += (weight * wave).real
            wave *= fundamental
        if self.line_hz:
            for number in range(1, int(_HIGHEST_LINE / self.line_hz) + 1):
                level = amplitude(self.line_db - rng.uniform(0, 20))
                total += level * np.sin(2 * np.pi * (number * self.line_hz * seconds + rng.random()))
        return total

    def cavitation(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the amplitude of its cavitation, before its loudness: bubbles that collapse with every blade."""
        wave = 0.5 + 0.5 * np.sin(2 * np.pi * self.blade_hz * seconds)
        return np.asarray(amplitude(self.cavitation_db) * wave**3)


def draw_boats(seed: int, tile: int, settings: SceneSettings) -> list[Boat]:
    """Draw the boats that become audible during a tile."""
    rng = random_numbers(seed, tile, Stream.BOATS)
    shortest, longest = _BOAT_SECONDS
    boats = []
    for _ in range(rng.poisson(settings.boat_fraction * TILE_SECONDS / ((shortest + longest) / 2))):
        start = (tile + rng.random()) * TILE_SECONDS
        boat = Boat(
            start=start,
            stop=start + rng.uniform(shortest, longest),
            level_db=rng.uniform(*settings.boat_db),
            blade_hz=rng.uniform(8.0, 60.0),  # INFERRED: some hundred revolutions a minute, 3-5 blades
            seed=int(rng.integers(1 << 62)),
        )
        boats.append(_with_details(boat, settings))
    return boats


def _with_details(boat: Boat, settings: SceneSettings) -> Boat:
    """Give a boat the lines of an engine and cavitation, as often as the settings say (all ranges INFERRED)."""
    rng = np.random.default_rng((boat.seed, Stream.BOAT_DETAILS))
    if rng.random() >= settings.boat_detail_share:
        return boat
    return replace(
        boat,
        line_hz=rng.uniform(20.0, 250.0) if rng.random() < 0.7 else 0.0,
        line_db=rng.uniform(-15, 6),
        cavitation_db=rng.uniform(-10, 10) if rng.random() < 0.7 else -np.inf,
    )
