"""Independent random numbers for each tile of a scene and for each kind of sound in it.

A scene is made in tiles of ten seconds. Each tile has one stream of random numbers for every kind of sound, so calls
never change the noise, and a longer scene begins like a shorter one of the same seed.
"""

from __future__ import annotations

from enum import IntEnum, auto

import numpy as np

__all__ = ["BOAT_LEAD_TILES", "TILE_SECONDS", "Stream", "random_numbers"]

TILE_SECONDS = 10
BOAT_LEAD_TILES = 16
"""Tiles before the scene in which a boat that is audible at its beginning may have started."""


class Stream(IntEnum):
    """The kinds of sound that have random numbers of their own."""

    CALLS = 0
    OTHERS = auto()
    BOATS = auto()
    AMBIENT = auto()
    FLOW = auto()
    SNAPS = auto()
    RUSTLES = auto()
    ENGINE = auto()
    SITE = auto()
    SHAPES = auto()
    RECORDER = auto()
    DRUMS = auto()
    BOAT_DETAILS = auto()
    WATER = auto()
    RAIN = auto()


def random_numbers(seed: int, tile: int, stream: Stream) -> np.random.Generator:
    """Return the random numbers of one kind of sound in one tile; tiles before the scene have negative numbers."""
    return np.random.default_rng((seed, tile + BOAT_LEAD_TILES, stream))
