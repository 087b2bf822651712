"""Vary the pulses of a call: their onset, damping, modes, rhythm and reflections.

A network that has heard one kind of pulse only, finds no other. The plain pulse of :mod:`.calls` is a damped sinusoid
with a sharp onset; a varied one may rise slowly, ring in several modes that decay at their own speed, and reach the
hydrophone by way of the surface and the bottom as well.

The tags name the source of each constant:

ISSUE     the range that the reference model is asked to bear: periods to 110 ms, 2-3 modes a pulse, softer onsets
INFERRED  our inference; not measured
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anemonefish.simulation.decibels import amplitude

__all__ = [
    "DAMPING",
    "FISH_DAMPING",
    "OTHER_DAMPING",
    "PLAIN",
    "Mode",
    "PulseShape",
    "Reflection",
    "draw_shape",
    "longest_period",
    "varied_seconds",
]

DAMPING = 4.0  # INFERRED: a pulse decays by this many nepers over its duration, -35 dB

_LONGEST_PERIOD = 0.110  # ISSUE; seconds
_PULSE_SECONDS = (0.012, 0.046)
"""Shortest and longest varied pulse: a tenth beyond those of the smallest and the largest fish of :mod:`.calls`
(INFERRED)."""

_SECONDS_SPREAD = 0.12  # INFERRED: the logarithm of the duration of a pulse varies by this between fish of one length

FISH_DAMPING = (3.2, 5.0)
"""Damping of varied pulses of anemonefish (INFERRED). With 16 cycles a pulse at every body length they ring with a
quality factor of 8-18, which tells them from most animals that are confused with them."""

OTHER_DAMPING = (3.6, 4.4)
"""Damping of varied pulses of other animals (INFERRED): narrow, because the literature gives the duration of each."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A resonance beside the dominant one.

    Attributes
    ----------
    ratio : float
        Its frequency, in dominant frequencies.
    level : float
        Its amplitude, in amplitudes of the dominant one.
    damping : float
        Nepers by which it decays over the duration of a pulse.
    """

    ratio: float
    level: float
    damping: float


@dataclass(frozen=True, slots=True)
class Reflection:
    """A later arrival of the whole call, from the surface (turned over) or the bottom.

    Attributes
    ----------
    seconds : float
        Delay.
    level : float
        Amplitude, negative where it is turned over.
    """

    seconds: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseShape:
    """How the pulses of a call are shaped.

    Attributes
    ----------
    onset : float
        Share of a pulse during which it rises.
    damping : float
        Nepers by which the dominant mode decays over the duration of a pulse.
    jitter : float
        Largest deviation of the onset of an inner pulse, in periods.
    loudness : float
        Amplitude of the weakest pulse of a call, in amplitudes of the loudest.
    modes : tuple of Mode
    reflections : tuple of Reflection
    """

    onset: float = 0.0
    damping: float = DAMPING
    jitter: float = 0.05  # INFERRED
    loudness: float = 0.7  # INFERRED
    modes: tuple[Mode, ...] = ()
    reflections: tuple[Reflection, ...] = ()

    def envelope(self, n_samples: int, damping: float) -> NDArray[np.float64]:
        """Return the amplitude through a pulse that decays by ``damping`` nepers."""
        part = np.arange(n_samples) / n_samples
        decay = np.exp(-damping * part)
        if self.onset:
            decay *= np.sin(np.pi / 2 * np.minimum(part / self.onset, 1)) ** 2
        return np.asarray(decay)

    def tail(self, sample_rate: int) -> int:
        """Return how many samples after its end a call is still heard by reflections."""
        return round(max((each.seconds for each in self.reflections), default=0.0) * sample_rate)


PLAIN = PulseShape()
"""A damped sinusoid with a sharp onset."""


def draw_shape(rng: np.random.Generator, damping_range: tuple[float, float]) -> PulseShape:
    """Draw the shape of the pulses of one animal at one place (all ranges but those of ISSUE are INFERRED)."""
    damping = rng.uniform(*damping_range)
    modes = tuple(
        Mode(rng.uniform(0.55, 2.4), amplitude(rng.uniform(-18, -2)), damping * rng.uniform(0.8, 2.0))
        for _ in range(rng.integers(0, 3))  # ISSUE: with the dominant one, up to three
    )
    reflections = tuple(
        Reflection(0.0005 * 60 ** rng.random(), sign * amplitude(rng.uniform(-20, -3)))  # 0.5 to 30 ms
        for sign in (-1.0, 1.0)[: rng.integers(0, 3)]
    )
    return PulseShape(
        onset=float(rng.choice([0.0, 1.0]) * rng.uniform(0.02, 0.3)),
        damping=damping,
        jitter=rng.uniform(0.0, 0.15),
        loudness=rng.uniform(0.3, 0.9),
        modes=modes,
        reflections=reflections,
    )


def varied_seconds(rng: np.random.Generator, pulse: float) -> float:
    """Return a duration around the one that a fish's length suggests, within the range of all fish."""
    return float(np.clip(pulse * rng.lognormal(0, _SECONDS_SPREAD), *_PULSE_SECONDS))


def longest_period(pulse: float) -> float:
    """Return the longest period of pulses of ``pulse`` seconds."""
    return max(_LONGEST_PERIOD, 1.2 * pulse)
