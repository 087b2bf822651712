"""Scenes for measuring models: of the simulator, with other seeds than training, and of a second synthesis.

A suite is a list of scenes of one kind. Its samples are those of a recorder of 48 kHz, quantised to 16 bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from unseen import KINDS, unseen_scene

from anemonefish.simulation.calls import ANEMONEFISH
from anemonefish.simulation.scene import scene
from anemonefish.simulation.scene_settings import VARIED, SceneSettings

__all__ = ["LONE", "OFFSET", "SAMPLE_RATE", "SUITES", "Call", "Suite", "SuiteScene", "quantised"]

SAMPLE_RATE = 48_000
FIRST_SEED = 900_000
"""Training and validation scenes of :mod:`scenes` have seeds below 400,000."""

OFFSET = 0.02
"""Of full scale; 0.013 was seen in a recorder."""

QUIET = SceneSettings(calls_per_minute=0, biological_per_minute=0)
LONE = replace(QUIET, calls_per_minute=6, calls_per_bout=(1, 1))
STRANGE = replace(VARIED, calls_per_minute=0, biological_per_minute=0)
"""Varied waters and recorders; see :data:`~anemonefish.simulation.scene_settings.VARIED`."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an anemonefish in samples, and its level in dB over the noise of its band."""

    start: int
    stop: int
    snr_db: float


@dataclass(frozen=True, slots=True)
class SuiteScene:
    """The samples of a scene at 48 kHz, and the calls in it in the order of their starts."""

    samples: NDArray[np.float64]
    calls: tuple[Call, ...]


def quantised(samples: NDArray[np.floating], offset: float = 0.0) -> NDArray[np.float64]:
    """Return samples with the offset of a recorder, as a file of 16 bits holds them."""
    return np.asarray(np.rint(np.clip(samples.astype(np.float64) + offset, -1, 1) * 32767) / 32768)


@dataclass(frozen=True, slots=True)
class Suite:
    """Scenes of one kind.

    Attributes
    ----------
    name : str
    first_seed : int
        Scene *i* has the seed ``first_seed + i``.
    source : SceneSettings or str
        What the simulator draws from, or a kind of the second synthesis.
    offset : float
        Added by the recorder.
    bouts : bool
        Whether calls lie in bouts, so that they are counted by bout as well.
    detailed : bool
        Whether calls are listed by duration and level.
    """

    name: str
    first_seed: int
    source: SceneSettings | str
    offset: float = 0.0
    bouts: bool = False
    detailed: bool = False

    @classmethod
    def unseen(cls, kind: str, offset: float = 0.0) -> Self:
        """Return the suite of a kind of the second synthesis."""
        name = f"unseen: {kind}" + (f", offset {offset:g}" if offset else "")
        return cls(name, 0, kind, offset, bouts=kind == "bouts", detailed=kind == "lone calls" and not offset)

    def scene(self, index: int, seconds: float) -> SuiteScene:
        """Make a scene."""
        seed = self.first_seed + index
        if isinstance(self.source, str):
            made = unseen_scene(self.source, seed, seconds, SAMPLE_RATE)
            calls = tuple(Call(call.start, call.stop, call.snr_db) for call in made.calls)
            return SuiteScene(quantised(made.samples, self.offset), calls)
        drawn = scene(seconds, seed, SAMPLE_RATE, self.source)
        samples = np.concatenate(list(drawn.blocks(SAMPLE_RATE)))
        calls = tuple(
            Call(sound.start, sound.stop, sound.snr_db) for sound in drawn.sounds if sound.label == ANEMONEFISH
        )
        return SuiteScene(quantised(samples, self.offset), calls)


SUITES = (
    Suite("lone calls", FIRST_SEED, LONE, detailed=True),
    Suite(f"lone calls, offset {OFFSET:g}", FIRST_SEED, LONE, OFFSET),
    Suite("lone calls, varied", FIRST_SEED + 5_000, replace(STRANGE, calls_per_minute=6, lone_share=1.0)),
    Suite("bouts", FIRST_SEED + 10_000, SceneSettings(), bouts=True),
    Suite("other animals only", FIRST_SEED + 20_000, replace(QUIET, biological_per_minute=30)),
    Suite("boats only", FIRST_SEED + 30_000, replace(QUIET, boat_fraction=1.0, boat_detail_share=0.5)),
    Suite("drums only", FIRST_SEED + 50_000, replace(QUIET, drums_per_minute=10)),
    Suite("rain only", FIRST_SEED + 60_000, replace(QUIET, rain_chance=1.0)),
    Suite("empty", FIRST_SEED + 40_000, QUIET),
    *(Suite.unseen(kind) for kind in KINDS),
    Suite.unseen("lone calls", OFFSET),
)
