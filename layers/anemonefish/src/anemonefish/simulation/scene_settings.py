"""The settings of a simulated scene: how many calls, snaps and boats it has, and how loud they are.

The defaults are those of a reef as far as surveys describe it. :data:`VARIED` has more variety, as training needs it: a
network that has heard one kind of calls and of water finds no others. The tags name the source of each value:

ISSUE     the range that the reference model is asked to bear
P09       Parmentier et al. 2009, J Exp Biol 212:2023; Colleye et al. 2011 (frequency against body length)
REEF      reef soundscape surveys: shrimp, boats, other fish
INFERRED  our inference; not measured
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from anemonefish.errors import InvalidSettings

__all__ = ["VARIED", "SceneSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSettings:
    """What a scene is drawn from; pairs are the limits of a uniform distribution.

    Attributes
    ----------
    calls_per_minute, biological_per_minute : float
        Mean numbers of labelled sounds.
    calls_per_bout : (int, int)
        Calls of one charge or chase, 0.25-0.6 s from the end of one to the next (INFERRED).
    snr_db : (float, float)
        See :attr:`anemonefish.simulation.calls.Sound.snr_db`; drawn once per bout. Below about 5 dB a person starts to
        miss calls.
    body_mm : (float, float)
        Body length of the anemonefish (P09).
    ambient_dbfs : (float, float)
        Level of the ambient noise in the file. Reefs have 106-129 dB re 1 uPa (REEF); the gain is INFERRED.
    recorder_dbfs : (float, float)
        White self-noise of the recorder (INFERRED).
    flow_db : (float, float)
        Flow and waves, below about 100 Hz, over the ambient noise (INFERRED).
    hum_chance : float
        Share of scenes with electronic hum (INFERRED).
    snaps_per_minute : (float, float)
        Snaps of shrimp near the hydrophone (REEF: 100-2000).
    snap_db : (float, float)
        Peak of the weakest near snap over the ambient noise (INFERRED; the range includes the 3-6 dB at night).
    rustles_per_minute : (float, float)
        Bursts of noise of 3 ms to 2 s: grazing, gravel, something touching the hydrophone (INFERRED from listening
        to a rocky reef).
    boat_fraction : float
        Share of the time with a boat (REEF: 6-12 %).
    boat_db : (float, float)
        Level of a boat at its closest over the ambient noise at 100-1000 Hz (REEF: more than 7 dB).
    lone_share : float
        Share of bouts that are a single call.
    varied_share : float
        Share of calls whose pulses vary in their period, onset, damping, modes and reflections
        (:mod:`anemonefish.simulation.pulse_shapes`).
    drums_per_minute : float
        Mean number of trains of low pulses, as fish drum with their swim bladder; they are labelled ``biological``.
    boat_detail_share : float
        Share of boats with the lines of an engine and with cavitation.
    rain_chance : float
        Share of scenes with rain.
    rain_db : (float, float)
        Level of rain over the ambient noise (INFERRED).
    colour_db : float
        Most by which the ambient noise of a site differs from the common slope, up or down, in each octave (INFERRED).
    slope_db : (float, float)
        Further slope of the ambient noise in dB per octave (INFERRED).
    measured_share : float
        Share of scenes whose ambient noise has the spectrum of a recording (:mod:`anemonefish.simulation.waters`).
    swing_db : float
        Most by which the level of the ambient noise rises and falls within seconds (INFERRED).
    hum_db : (float, float)
        Level of the first harmonic of hum over the ambient noise (INFERRED).
    hum_harmonics : int
        Number of harmonics of hum.
    offset : (float, float)
        Constant that the recorder adds, of full scale. 0.013 was seen in recorders.
    gain_db : (float, float)
        Gain of the recorder; what exceeds full scale is clipped.

    Raises
    ------
    InvalidSettings
        A value is out of range, or a pair is not in ascending order.
    """

    calls_per_minute: float = 12.0
    biological_per_minute: float = 10.0
    calls_per_bout: tuple[int, int] = (2, 6)
    snr_db: tuple[float, float] = (6.0, 30.0)
    body_mm: tuple[float, float] = (55.0, 130.0)
    ambient_dbfs: tuple[float, float] = (-60.0, -40.0)
    recorder_dbfs: tuple[float, float] = (-100.0, -80.0)
    flow_db: tuple[float, float] = (-10.0, 15.0)
    hum_chance: float = 0.25
    snaps_per_minute: tuple[float, float] = (100.0, 2000.0)
    snap_db: tuple[float, float] = (5.0, 25.0)
    rustles_per_minute: tuple[float, float] = (0.0, 40.0)
    boat_fraction: float = 0.09
    boat_db: tuple[float, float] = (7.0, 20.0)
    lone_share: float = 0.0
    varied_share: float = 0.0
    drums_per_minute: float = 0.0
    boat_detail_share: float = 0.0
    rain_chance: float = 0.0
    rain_db: tuple[float, float] = (0.0, 15.0)
    colour_db: float = 4.0
    slope_db: tuple[float, float] = (0.0, 0.0)
    measured_share: float = 0.0
    swing_db: float = 0.0
    hum_db: tuple[float, float] = (-20.0, 0.0)
    hum_harmonics: int = 7
    offset: tuple[float, float] = (0.0, 0.0)
    gain_db: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                if len(value) != 2 or not value[0] <= value[1]:
                    raise InvalidSettings(f"{field.name} must be a pair (least, most), not {value!r}")
            elif not value >= 0:
                raise InvalidSettings(f"{field.name} must be at least 0, not {value!r}")
        for name in ("calls_per_bout", "body_mm"):
            if getattr(self, name)[0] < 1:
                raise InvalidSettings(f"{name} must begin at 1 or above, not {getattr(self, name)!r}")
        for name in _SHARES:
            if getattr(self, name) > 1:
                raise InvalidSettings(f"{name} must be at most 1, not {getattr(self, name)!r}")


_SHARES = (
    "hum_chance",
    "boat_fraction",
    "lone_share",
    "varied_share",
    "boat_detail_share",
    "rain_chance",
    "measured_share",
)

VARIED = SceneSettings(
    lone_share=0.5,  # ISSUE: lone pops and chirps as often as bouts
    varied_share=0.75,
    drums_per_minute=2.0,  # INFERRED
    boat_detail_share=0.6,  # INFERRED
    rain_chance=0.12,  # INFERRED
    colour_db=7.0,
    slope_db=(-5.0, 5.0),
    measured_share=0.15,
    swing_db=3.0,
    hum_db=(-20.0, 15.0),
    hum_harmonics=16,  # to 960 Hz: through the whole band of the calls
    offset=(-0.03, 0.03),
    gain_db=(-10.0, 25.0),  # from a quiet file to a file in which snaps, boats and loud calls are clipped
)
"""Scenes of more variety than the defaults."""
