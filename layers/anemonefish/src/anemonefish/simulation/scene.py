"""Simulated reefs: anemonefish calls, the sounds one confuses them with, and noise, with exact labels.

Owns what the reference network is trained on and what tests and demonstrations listen to where no recording
may be published. A scene is drawn in two steps. First the sounds of every tile of ten seconds are drawn from
a seed of the tile; that list is the labels. Then the samples are made tile by tile: every noise is a drive
(white noise, swell, snaps) through a filter, and the sounds of the list are added where they overlap the tile.

Promises: the same seed, length, rate and settings give the same samples on one machine, whatever the block
size; a longer scene begins like a shorter one of the same seed; nothing is cut at a border of tiles; memory
is a few tiles, so a day can be written. Never claims to be a reef: levels, spectra and the spacing of calls
are partly our inference, and say so where they stand.

Sources of the constants, by the tags used below:

P07  Parmentier et al. 2007, Science 316:1006 (*Amphiprion clarkii*)
P09  Parmentier et al. 2009, J Exp Biol 212:2023; Colleye et al. 2011 (frequency against body length)
C12  Colleye & Parmentier 2012, PLoS ONE 7:e49179 (aggressive and submissive sounds)
POM  the literature on damselfish sounds: *Plectroglyphidodon*, *Dascyllus*, *Pomacentrus*
T14  Tricas & Boyle 2014 (Hawaiian reef fish)
REEF reef soundscape surveys: shrimp, boats, other fish
OUR  our inference; nothing was measured
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import soundfile
from numpy.typing import NDArray

from anemonefish.errors import InvalidSettings

__all__ = [
    "MINIMUM_RATE",
    "Label",
    "Scene",
    "SceneSettings",
    "Sound",
    "dominant_hz",
    "pulse_seconds",
    "scene",
    "write_scene",
]

ANEMONEFISH = "anemonefish"
BIOLOGICAL = "biological"

_TILE_SECONDS = 10
MINIMUM_RATE = 8000  # Hz; the calls reach about 1.3 kHz, and no model of this house works below
_BOAT_LEAD = 16  # tiles before the scene in which a boat heard at its beginning may have started
_DAMPING = 4.0  # OUR: nepers by which a pulse decays over its duration, -35 dB
_FULL_SCALE = 32768
_RF64_FROM = (1 << 32) - (1 << 16)  # bytes of samples; a plain WAV header cannot hold 2**32

# Streams of random numbers of one tile: adding calls to a scene never changes its noise.
_CALLS, _OTHERS, _BOATS, _AMBIENT, _FLOW, _SNAPS, _RUSTLES, _ENGINE, _SITE = range(9)


@dataclass(frozen=True, slots=True)
class Label:
    """What a perfect annotator would draw.

    Attributes
    ----------
    start, stop : int
        First sample of the call, and the first one after it.
    label : str
        ``anemonefish`` or ``biological``.
    low_hz, high_hz : float
        Band in which the call lies, to -10 dB of its peaks.
    """

    start: int
    stop: int
    label: str
    low_hz: float
    high_hz: float


@dataclass(frozen=True, slots=True)
class Sound:
    """One call as it will be rendered: a train of pulses.

    Attributes
    ----------
    start, stop : int
        Half-open interval of samples.
    label : str
        The class.
    voice : str
        Who calls.
    frequency_hz, partial_hz : float
        Dominant frequency of the pulses, and a weaker second peak.
    pulse, period : int
        Duration of a pulse and distance between the onsets of two, in samples.
    n_pulses : int
    tonal : bool
        A tone with a soft beginning and end instead of a damped sinusoid.
    low_hz, high_hz : float
        Band, to -10 dB.
    snr_db : float
        Mean power of the pulses over the power of the scene's steady noise in the band.
    key : int
        Seed of what varies from pulse to pulse.
    """

    start: int
    stop: int
    label: str
    voice: str
    frequency_hz: float
    partial_hz: float
    pulse: int
    period: int
    n_pulses: int
    tonal: bool
    low_hz: float
    high_hz: float
    snr_db: float
    key: int


@dataclass(frozen=True, slots=True)
class _Voice:
    """A confuser: ranges to draw from; ``period`` is in durations of a pulse (OUR throughout)."""

    name: str
    hz: tuple[float, float]
    pulses: tuple[int, int]
    pulse_ms: tuple[float, float]
    period: tuple[float, float]
    tonal: bool = False


_VOICES = (
    _Voice("Plectroglyphidodon lacrymatus pops", (100, 1000), (2, 5), (50, 62), (1.5, 3.0)),  # POM: 56 ms
    _Voice("Dascyllus aruanus pop", (680, 1300), (1, 1), (5.7, 7.7), (1.0, 1.0)),  # POM: 6.7 ms
    _Voice("Dascyllus aruanus chirp", (3400, 4100), (12, 42), (0.6, 1.27), (2.0, 6.0)),  # POM
    _Voice("Dascyllus albisella chirp", (300, 900), (3, 11), (5.0, 9.0), (2.5, 6.0)),  # POM: count; rest OUR
    _Voice("Pomacentrus amboinensis", (550, 775), (2, 3), (41, 67), (1.2, 2.0), tonal=True),  # POM: 54 +- 13 ms
    _Voice("Hawaiian reef fish", (100, 300), (1, 8), (10, 100), (1.2, 5.0)),  # T14; count OUR
    _Voice("bigeye pop", (385, 425), (1, 1), (7.0, 8.8), (1.0, 1.0)),  # REEF: 7.9 ms at 405 Hz
    _Voice("gurnard knock", (450, 550), (1, 2), (6.0, 10.0), (2.0, 8.0)),  # REEF: count, 500 Hz; rest OUR
    _Voice("gurnard grunt", (450, 550), (4, 8), (6.0, 10.0), (1.2, 8.0)),  # REEF: count, 500 Hz; rest OUR
    _Voice("gurnard growl", (450, 550), (10, 40), (6.0, 10.0), (1.2, 12.0)),  # REEF: count, 500 Hz; rest OUR
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSettings:
    """What a scene is drawn from; pairs are the limits of a uniform draw.

    Attributes
    ----------
    calls_per_minute, biological_per_minute : float
        Mean numbers of labelled sounds.
    calls_per_bout : (int, int)
        Calls of one charge or chase, 0.25-0.6 s from the end of one to the next (OUR).
    snr_db : (float, float)
        See :attr:`Sound.snr_db`; one draw per bout. Below about 5 dB a person starts to miss calls.
    body_mm : (float, float)
        Body length of the anemonefish (P09).
    ambient_dbfs : (float, float)
        Level of the ambient noise in the file. Reefs have 106-129 dB re 1 uPa (REEF); the gain is OUR.
    recorder_dbfs : (float, float)
        White self-noise of the recorder (OUR).
    flow_db : (float, float)
        Flow and waves, below about 100 Hz, over the ambient noise (OUR).
    hum_chance : float
        Share of scenes with electronic hum (OUR).
    snaps_per_minute : (float, float)
        Near snapping shrimp (REEF: 100-2000).
    snap_db : (float, float)
        Peak of the weakest near snap over the ambient noise (OUR; its range holds the 3-6 dB of the night).
    rustles_per_minute : (float, float)
        Bursts of noise of 3 ms to 2 s: grazing, gravel, something touching the hydrophone (OUR, after
        listening to a rocky reef).
    boat_fraction : float
        Share of the time with a boat (REEF: 6-12 %).
    boat_db : (float, float)
        A boat at its nearest over the ambient noise at 100-1000 Hz (REEF: more than 7 dB).

    Raises
    ------
    InvalidSettings
        A value is negative where it cannot be, or a pair is not ordered.
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
        for name in ("hum_chance", "boat_fraction"):
            if getattr(self, name) > 1:
                raise InvalidSettings(f"{name} must be at most 1, not {getattr(self, name)!r}")


@dataclass(frozen=True)
class Scene:
    """A drawn scene; made by :func:`scene`. Its samples are made when asked for.

    Attributes
    ----------
    sample_rate : int
        Samples per second.
    n_samples : int
        Length.
    seed : int
    settings : SceneSettings
    sounds : tuple of Sound
        Every labelled sound, in order of its start.
    """

    sample_rate: int
    n_samples: int
    seed: int
    settings: SceneSettings
    sounds: tuple[Sound, ...]

    @cached_property
    def labels(self) -> tuple[Label, ...]:
        """The labels, in order of their start; each lies wholly inside the scene."""
        return tuple(Label(s.start, s.stop, s.label, s.low_hz, s.high_hz) for s in self.sounds)

    def blocks(self, block_samples: int) -> Iterator[NDArray[np.float32]]:
        """Yield the samples in blocks of ``block_samples``; the last may be shorter.

        Yields
        ------
        ndarray, shape (block_samples,), float32
            Within [-1, 1).

        Raises
        ------
        ValueError
            ``block_samples`` is below 1.
        """
        if block_samples < 1:
            raise ValueError(f"block_samples must be at least 1, not {block_samples}")
        kept: list[NDArray[np.float32]] = []
        n_kept = 0
        for tile in _tiles(self):
            kept.append(tile)
            n_kept += len(tile)
            if n_kept >= block_samples:
                held = np.concatenate(kept)
                whole = n_kept - n_kept % block_samples
                yield from held[:whole].reshape(-1, block_samples)
                kept, n_kept = [held[whole:].copy()], n_kept - whole
        if n_kept:
            yield np.concatenate(kept)


def scene(seconds: float, seed: int, sample_rate: int = 48000, settings: SceneSettings | None = None) -> Scene:
    """Draw a scene.

    Parameters
    ----------
    seconds : float
        Length; turned into ``int(seconds * sample_rate)`` samples.
    seed : int
        At least 0.
    sample_rate : int
        Samples per second, at least 8000. Voices that reach above 0.45 of it stay out.
    settings : SceneSettings, optional
        What to draw from; the defaults unless given.

    Raises
    ------
    InvalidSettings
        A length, seed or rate that makes no scene.
    """
    if not seconds > 0:
        raise InvalidSettings(f"a scene must last more than 0 seconds, not {seconds!r}")
    if seed < 0:
        raise InvalidSettings(f"a seed must be at least 0, not {seed!r}")
    if sample_rate < MINIMUM_RATE:
        raise InvalidSettings(f"a scene needs a sample rate of at least {MINIMUM_RATE} Hz, not {sample_rate!r}")
    settings = settings or SceneSettings()
    n_samples = int(seconds * sample_rate)
    tiles = range(-(-n_samples // (_TILE_SECONDS * sample_rate)))
    drawn = [sound for tile in tiles for sound in _draw_sounds(seed, tile, sample_rate, settings)]
    inside = sorted((s for s in drawn if s.stop <= n_samples), key=lambda s: (s.start, s.stop, s.key))
    return Scene(sample_rate, n_samples, seed, settings, tuple(inside))


def write_scene(scene: Scene, wav_path: str | os.PathLike[str]) -> None:
    """Write a scene as 16-bit PCM WAV, or as RF64 where WAV's 4 GB do not suffice, block by block."""
    container = "RF64" if 2 * scene.n_samples >= _RF64_FROM else "WAV"
    with soundfile.SoundFile(
        wav_path, "w", samplerate=scene.sample_rate, channels=1, format=container, subtype="PCM_16"
    ) as file:
        for block in scene.blocks(scene.sample_rate):
            file.write(np.rint(block * np.float32(_FULL_SCALE - 1)).astype(np.int16))


def dominant_hz(body_mm: float) -> float:
    """Return the dominant frequency of an anemonefish: ``900 (L / 55 mm) ** -1.03`` Hz.

    A fit through 900 Hz at 55 mm and 370 Hz at 130 mm (P09); one slope for all species.
    """
    return float(900.0 * (body_mm / 55.0) ** -1.03)


def pulse_seconds(body_mm: float) -> float:
    """Return the duration of a pulse: 26 ms (P07) at 80 mm, growing in proportion to the body.

    That it grows is P09. That it does so in proportion, and 80 mm for the fish of P07 (the length whose
    frequency, 612 Hz, lies in the middle of their 450-800 Hz), are OUR.
    """
    return 0.026 * body_mm / 80.0


# ------------------------------------------------------------------------------------------- drawing


def _rng(seed: int, tile: int, stream: int) -> np.random.Generator:
    return np.random.default_rng((seed, tile + _BOAT_LEAD, stream))


def _draw_sounds(seed: int, tile: int, sample_rate: int, settings: SceneSettings) -> list[Sound]:
    """Draw the sounds that start a bout in a tile."""
    minutes = _TILE_SECONDS / 60
    rng = _rng(seed, tile, _CALLS)
    per_bout = sum(settings.calls_per_bout) / 2
    sounds: list[Sound] = []
    for _ in range(rng.poisson(settings.calls_per_minute * minutes / per_bout)):
        sounds += _draw_anemonefish(rng, tile, sample_rate, settings)
    rng = _rng(seed, tile, _OTHERS)
    voices = [voice for voice in _VOICES if voice.hz[1] < 0.45 * sample_rate]
    per_bout = 1.5  # OUR: one or two calls in a row, so that a row of calls is no mark of anemonefish
    for _ in range(rng.poisson(settings.biological_per_minute * minutes / per_bout)):
        sounds += _draw_other(rng, tile, sample_rate, settings, voices[rng.integers(len(voices))])
    return sounds


def _draw_anemonefish(rng: np.random.Generator, tile: int, sample_rate: int, settings: SceneSettings) -> list[Sound]:
    """Draw the calls of one fish in one charge, chase or submission."""
    body = rng.uniform(*settings.body_mm)
    # C12: submissive sounds are shorter and higher; how often and by how much is OUR.
    submissive = rng.random() < 0.25
    frequency = dominant_hz(body) * (1.1 if submissive else 1.0) * rng.lognormal(0, 0.03)
    pulse = pulse_seconds(body) * (0.75 if submissive else 1.0) * rng.lognormal(0, 0.08)
    # P07: 35 ms from pulse to pulse of 26 ms, a factor of 1.35; between species the period varies most.
    period = pulse * rng.uniform(1.2, 2.2)
    snr_db = rng.uniform(*settings.snr_db)
    start = (tile + rng.random()) * _TILE_SECONDS * sample_rate
    sounds = []
    for _ in range(rng.integers(settings.calls_per_bout[0], settings.calls_per_bout[1] + 1)):
        sound = _sound(
            rng,
            start=int(start),
            sample_rate=sample_rate,
            label=ANEMONEFISH,
            voice="Amphiprion, submissive" if submissive else "Amphiprion, aggressive",
            frequency=frequency * rng.lognormal(0, 0.01),
            # P07: energy at 450-800 Hz about a peak near 610: a second, weaker peak on either side.
            partial=frequency * rng.uniform(0.75, 1.3),
            pulse=pulse,
            period=period,
            # 1-8 pulses; the mean of 2.8 makes a train of 26 and 35 ms last the 89 ms of the mean chirp.
            n_pulses=min(8, 1 + int(rng.poisson(1.8))),
            tonal=False,
            snr_db=snr_db,
        )
        sounds.append(sound)
        start = sound.stop + rng.uniform(0.25, 0.6) * sample_rate
    return sounds


def _draw_other(
    rng: np.random.Generator, tile: int, sample_rate: int, settings: SceneSettings, voice: _Voice
) -> list[Sound]:
    """Draw one or two calls of a confuser."""
    frequency = rng.uniform(*voice.hz)
    pulse = rng.uniform(*voice.pulse_ms) / 1000
    period = pulse * rng.uniform(*voice.period)
    snr_db = rng.uniform(*settings.snr_db)
    start = (tile + rng.random()) * _TILE_SECONDS * sample_rate
    sounds = []
    for _ in range(rng.integers(1, 3)):
        sound = _sound(
            rng,
            start=int(start),
            sample_rate=sample_rate,
            label=BIOLOGICAL,
            voice=voice.name,
            frequency=frequency * rng.lognormal(0, 0.01),
            partial=frequency if voice.tonal else frequency * rng.uniform(0.9, 1.1),
            pulse=pulse,
            period=period,
            n_pulses=int(rng.integers(voice.pulses[0], voice.pulses[1] + 1)),
            tonal=voice.tonal,
            snr_db=snr_db,
        )
        sounds.append(sound)
        start = sound.stop + rng.uniform(0.25, 0.6) * sample_rate
    return sounds


def _sound(
    rng: np.random.Generator,
    *,
    start: int,
    sample_rate: int,
    label: str,
    voice: str,
    frequency: float,
    partial: float,
    pulse: float,
    period: float,
    n_pulses: int,
    tonal: bool,
    snr_db: float,
) -> Sound:
    """Turn seconds into samples and work out where the sound ends and which band it fills."""
    pulse_samples, period_samples = round(pulse * sample_rate), round(period * sample_rate)
    # -10 dB of a damped sinusoid lies 3 half-widths from its peak; of a Hann-shaped tone, 1.3 / duration.
    reach = 1.3 / pulse if tonal else 3 * _DAMPING / (2 * np.pi * pulse)
    return Sound(
        start=start,
        stop=start + (n_pulses - 1) * period_samples + pulse_samples,
        label=label,
        voice=voice,
        frequency_hz=frequency,
        partial_hz=partial,
        pulse=pulse_samples,
        period=period_samples,
        n_pulses=n_pulses,
        tonal=tonal,
        low_hz=max(0.0, min(frequency, partial) - reach),
        high_hz=min(sample_rate / 2, max(frequency, partial) + reach),
        snr_db=snr_db,
        key=int(rng.integers(1 << 62)),
    )


@dataclass(frozen=True, slots=True)
class _Boat:
    """A boat passing: seconds, level over the ambient band, blade rate and a seed for its lines."""

    start: float
    stop: float
    level_db: float
    blade_hz: float
    key: int


def _draw_boats(seed: int, tile: int, settings: SceneSettings) -> list[_Boat]:
    """Draw the boats that come into hearing during a tile."""
    rng = _rng(seed, tile, _BOATS)
    shortest, longest = 30.0, 150.0  # OUR; the longest is within _BOAT_LEAD tiles
    boats = []
    for _ in range(rng.poisson(settings.boat_fraction * _TILE_SECONDS / ((shortest + longest) / 2))):
        start = (tile + rng.random()) * _TILE_SECONDS
        boats.append(
            _Boat(
                start=start,
                stop=start + rng.uniform(shortest, longest),
                level_db=rng.uniform(*settings.boat_db),
                blade_hz=rng.uniform(8.0, 60.0),  # OUR: shaft of some hundred revolutions, 3-5 blades
                key=int(rng.integers(1 << 62)),
            )
        )
    return boats


# ------------------------------------------------------------------------------------------- noise


@dataclass(frozen=True, slots=True)
class _Site:
    """What stays the same through a scene: filters, levels, rates.

    Spectra are per sample of white noise with variance 1, shape (n_taps // 2 + 1,); responses are those
    filters at the length of a tile's transform, shape (n_fft // 2 + 1,), complex64.
    """

    n_taps: int
    n_fft: int
    steady: NDArray[np.float64]
    ambient: NDArray[np.complex64]
    flow: NDArray[np.complex64]
    snaps: NDArray[np.complex64]
    engine: NDArray[np.complex64]
    rustles: NDArray[np.complex64]
    snaps_per_second: float
    rustles_per_second: float
    snap_peak: float
    engine_rms: float
    swell: tuple[tuple[float, float, float], ...]
    hum: tuple[tuple[float, float, float], ...]

    def noise_power(self, low_hz: float, high_hz: float, sample_rate: int) -> float:
        """Return the mean power of the steady noise in a band."""
        hz = np.fft.rfftfreq(self.n_taps, 1 / sample_rate)
        inside = (hz >= low_hz) & (hz <= high_hz)
        return float(self.steady[inside].sum() * 2 / self.n_taps)


def _make_site(seed: int, sample_rate: int, settings: SceneSettings) -> _Site:
    rng = _rng(seed, 0, _SITE)
    n_taps = 1 << (sample_rate // 6).bit_length()  # 0.17-0.33 s: resolves the slope of flow noise
    n_fft = 1 << (_TILE_SECONDS * sample_rate + n_taps - 1).bit_length()
    hz = np.arange(n_taps // 2 + 1).astype(np.float64) * sample_rate / n_taps
    hz[0] = hz[1] / 2
    audible = hz**4 / (hz**4 + 10.0**4)  # OUR: a hydrophone's high-pass at 10 Hz

    # Ambient: falling with frequency, the far shrimp as a hump at 2-15 kHz (REEF), a site's own colour (OUR).
    sea = 1 / (1 + (hz / 100) ** rng.uniform(1.0, 2.0))
    crackle = _hump(hz, 2000.0, 15000.0) * np.interp(500.0, hz, sea) * _power(rng.uniform(-20, 3))
    octaves = np.log2(hz / hz[1])
    colour = np.interp(octaves, np.arange(20), _power(rng.uniform(-4, 4, 20)))
    ambient_rms = _amplitude(rng.uniform(*settings.ambient_dbfs))
    ambient = _scaled((sea + crackle) * colour * audible, ambient_rms)
    ambient += _power(rng.uniform(*settings.recorder_dbfs))

    flow = audible * (1 + (hz / 30) ** 2) ** -1.5  # OUR: falls by 9 dB an octave above 30 Hz
    flow = _scaled(flow, ambient_rms * _amplitude(rng.uniform(*settings.flow_db)))
    # Swell: two slow waves that beat, periods of 5-15 s (OUR); their mean square is 1 + (0.5**2 + 0.3**2) / 2.
    swell = tuple((depth, 1 / rng.uniform(5, 15), rng.uniform(0, 2 * np.pi)) for depth in (0.5, 0.3))
    steady = ambient + flow * (1 + sum(depth**2 for depth, _, _ in swell) / 2)

    # A snap: 3-8 us, less than a sample; broad at 2-15 kHz and flat to 24 kHz (REEF), 20 dB down below (OUR).
    snap = _hump(hz, 2000.0, 15000.0) + 0.1 + 0.01 / (1 + (300 / hz) ** 4)
    snap *= (hz > 200) / snap.max()
    engine = _hump(hz, 100.0, 1000.0)
    in_band = (hz >= 100) & (hz <= 1000)
    boat_rms = np.sqrt(ambient[in_band].sum() / engine[in_band].sum())
    low = 100 * 8 ** rng.random()
    rustle = _hump(hz, low, low * 2 ** rng.uniform(1, 4))
    rustle *= (ambient * rustle).sum() / np.square(rustle).sum()  # as strong as the ambient noise in its band

    mains = rng.choice([50.0, 60.0])
    loud = ambient_rms * _amplitude(rng.uniform(-20, 0))
    has_hum = rng.random() < settings.hum_chance
    hum = tuple((loud / n, n * mains, rng.uniform(0, 2 * np.pi)) for n in (1, 2, 3, 4, 5, 6, 7) if has_hum)
    return _Site(
        n_taps=n_taps,
        n_fft=n_fft,
        steady=steady,
        ambient=_response(ambient, n_taps, n_fft),
        flow=_response(flow, n_taps, n_fft),
        snaps=_response(snap, n_taps, n_fft),
        engine=_response(engine, n_taps, n_fft),
        rustles=_response(rustle, n_taps, n_fft),
        snaps_per_second=rng.uniform(*settings.snaps_per_minute) / 60,
        rustles_per_second=rng.uniform(*settings.rustles_per_minute) / 60,
        snap_peak=ambient_rms * _amplitude(rng.uniform(*settings.snap_db)),
        engine_rms=float(boat_rms),
        swell=swell,
        hum=hum,
    )


def _hump(hz: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Return a power spectrum that is 1 between two frequencies and falls by 12 dB an octave outside."""
    spectrum: NDArray[np.float64] = 1 / ((1 + (low / hz) ** 4) * (1 + (hz / high) ** 4))
    return spectrum


def _power(db: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10.0 ** (np.asarray(db) / 10))


def _amplitude(db: float) -> float:
    return float(10.0 ** (db / 20))


def _scaled(spectrum: NDArray[np.float64], rms: float) -> NDArray[np.float64]:
    """Scale a power spectrum so that white noise of variance 1 comes out with ``rms``."""
    return np.asarray(spectrum * (rms**2 / spectrum.mean()))


def _response(spectrum: NDArray[np.float64], n_taps: int, n_fft: int) -> NDArray[np.complex64]:
    """Make a linear-phase filter with the power spectrum, at the length of a tile's transform."""
    taps = np.roll(np.fft.irfft(np.sqrt(spectrum), n_taps), n_taps // 2) * np.hanning(n_taps)
    return np.fft.rfft(taps, n_fft).astype(np.complex64)


# ------------------------------------------------------------------------------------------- rendering


def _tiles(scene: Scene) -> Iterator[NDArray[np.float32]]:
    """Yield the scene in tiles of ten seconds, the last cut to its length."""
    site = _make_site(scene.seed, scene.sample_rate, scene.settings)
    length = _TILE_SECONDS * scene.sample_rate
    n_tiles = -(-scene.n_samples // length)
    boats = [boat for t in range(-_BOAT_LEAD, n_tiles) for boat in _draw_boats(scene.seed, t, scene.settings)]
    starts = [sound.start for sound in scene.sounds]
    longest = max((sound.stop - sound.start for sound in scene.sounds), default=0)
    # The tile before the first gives the filters their past, so that a scene does not fade in.
    rung_out = _filtered(scene, site, boats, -1)[length : length + site.n_taps]
    for tile in range(n_tiles):
        filtered = _filtered(scene, site, boats, tile)
        filtered[: site.n_taps] += rung_out
        rung_out = filtered[length : length + site.n_taps].copy()
        samples = filtered[:length]
        begin = tile * length
        _add_lines(samples, site, boats, begin, scene.sample_rate)
        near = slice(bisect_left(starts, begin - longest), bisect_left(starts, begin + length))
        for sound in scene.sounds[near]:
            _add_sound(samples, sound, site, begin, scene.sample_rate)
        np.clip(samples, -1, 1 - 1 / _FULL_SCALE, out=samples)
        yield samples[: scene.n_samples - begin].copy()


def _filtered(scene: Scene, site: _Site, boats: list[_Boat], tile: int) -> NDArray[np.float32]:
    """Return a tile of every noise that is a drive through a filter, with its ringing out behind it."""
    length = _TILE_SECONDS * scene.sample_rate
    seconds = (tile * length + np.arange(length)) / scene.sample_rate
    swell = np.ones(length, np.float32)
    for depth, hz, phase in site.swell:
        swell += (depth * np.sin(2 * np.pi * hz * seconds + phase)).astype(np.float32)
    drives = [
        (_white(scene.seed, tile, _AMBIENT, length), site.ambient),
        (_white(scene.seed, tile, _FLOW, length) * swell, site.flow),
        (_snap_drive(scene.seed, tile, length, scene.sample_rate, site), site.snaps),
        (_rustle_drive(scene.seed, tile, length, scene.sample_rate, site), site.rustles),
    ]
    passing = [boat for boat in boats if boat.start < seconds[-1] and boat.stop > seconds[0]]
    if passing:
        rush = np.zeros(length)
        for boat in passing:
            rush += site.engine_rms * _loudness(boat, seconds) * _beat(boat, seconds)
        drives.append((_white(scene.seed, tile, _ENGINE, length) * rush.astype(np.float32), site.engine))
    total = np.zeros(site.n_fft // 2 + 1, np.complex64)
    for drive, response in drives:
        total += np.fft.rfft(drive, site.n_fft) * response
    return np.fft.irfft(total, site.n_fft).astype(np.float32, copy=False)


def _white(seed: int, tile: int, stream: int, length: int) -> NDArray[np.float32]:
    return _rng(seed, tile, stream).standard_normal(length, dtype=np.float32)


def _snap_drive(seed: int, tile: int, length: int, sample_rate: int, site: _Site) -> NDArray[np.float32]:
    """Return impulses: snaps, each with an echo from the surface."""
    rng = _rng(seed, tile, _SNAPS)
    n_snaps = rng.poisson(site.snaps_per_second * _TILE_SECONDS)
    where = rng.integers(0, length, n_snaps)
    # OUR: shrimp all around, so the loud ones are few: a power law, cut 40 dB above the weakest.
    peaks = site.snap_peak * np.minimum(rng.random(n_snaps) ** -0.5, 100.0) * rng.choice([-1.0, 1.0], n_snaps)
    echo_at = where + (rng.uniform(0.001, 0.02, n_snaps) * sample_rate).astype(np.int64)
    echoes = -peaks * rng.uniform(0.2, 0.8, n_snaps)
    drive = np.zeros(length, np.float32)
    np.add.at(drive, where, peaks.astype(np.float32))
    np.add.at(drive, np.minimum(echo_at, length - 1), echoes.astype(np.float32))
    return drive


def _rustle_drive(seed: int, tile: int, length: int, sample_rate: int, site: _Site) -> NDArray[np.float32]:
    """Return bursts of white noise: short ones fade like a knock, long ones swell and fade (OUR)."""
    rng = _rng(seed, tile, _RUSTLES)
    drive = np.zeros(length, np.float32)
    for _ in range(rng.poisson(site.rustles_per_second * _TILE_SECONDS)):
        seconds = 0.003 * (2.0 / 0.003) ** rng.random()
        burst = rng.standard_normal(round(seconds * sample_rate), dtype=np.float32)
        if seconds < 0.1:
            burst *= np.exp(np.linspace(0, -_DAMPING, len(burst), dtype=np.float32))
        else:
            burst *= np.hanning(len(burst)).astype(np.float32)
        begin = rng.integers(0, length - len(burst))  # it ends before its tile does
        drive[begin : begin + len(burst)] += burst * np.float32(_amplitude(rng.uniform(3, 25)))
    return drive


def _loudness(boat: _Boat, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a boat's amplitude over its passing: 0 outside, its level through the middle half."""
    part = np.clip((seconds - boat.start) / (boat.stop - boat.start), 0, 1)
    rise = np.clip(4 * np.minimum(part, 1 - part), 0, 1)
    return np.asarray(_amplitude(boat.level_db) * np.sin(np.pi / 2 * rise) ** 2)


def _beat(boat: _Boat, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the blades' modulation of the rush; half deep (OUR)."""
    return np.asarray(1 + 0.5 * np.sin(2 * np.pi * boat.blade_hz * seconds))


def _add_lines(samples: NDArray[np.float32], site: _Site, boats: list[_Boat], begin: int, sample_rate: int) -> None:
    """Add mains hum and the harmonics of boats."""
    seconds = (begin + np.arange(len(samples))) / sample_rate
    for peak, hz, phase in site.hum:
        samples += (peak * np.sin(2 * np.pi * hz * seconds + phase)).astype(np.float32)
    for boat in boats:
        if boat.start >= seconds[-1] or boat.stop <= seconds[0]:
            continue
        rng = np.random.default_rng(boat.key)
        loudness = _loudness(boat, seconds) * site.engine_rms
        turn = np.exp(2j * np.pi * boat.blade_hz * seconds)
        wave = turn.copy()
        lines = np.zeros(len(samples))
        for number in range(1, 17):  # OUR: 16 harmonics of random strength, falling with their number
            weight = rng.uniform(0, 1) / number * np.exp(2j * np.pi * rng.random())
            lines += (weight * wave).real
            wave *= turn
        samples += (loudness * lines).astype(np.float32)


def _add_sound(samples: NDArray[np.float32], sound: Sound, site: _Site, begin: int, sample_rate: int) -> None:
    """Add the part of a sound that lies in the tile that begins at sample ``begin``."""
    first, last = max(sound.start, begin), min(sound.stop, begin + len(samples))
    if first >= last:
        return
    noise = site.noise_power(sound.low_hz, sound.high_hz, sample_rate)
    wave = _render(sound, sample_rate) * np.sqrt(noise * _amplitude(sound.snr_db) ** 2)
    samples[first - begin : last - begin] += wave[first - sound.start : last - sound.start].astype(np.float32)


def _render(sound: Sound, sample_rate: int) -> NDArray[np.float64]:
    """Return a sound, shape (stop - start,), with mean power 1 over the time of its pulses."""
    rng = np.random.default_rng(sound.key)
    partial = 0.0 if sound.tonal else _amplitude(rng.uniform(-12, -5))  # OUR: clearly below the peak
    seconds = np.arange(sound.pulse) / sample_rate
    # A damped sinusoid with a sharp onset is a fair pulse of teeth closing (OUR).
    shape = np.hanning(sound.pulse) if sound.tonal else np.exp(-_DAMPING * np.arange(sound.pulse) / sound.pulse)
    wave = np.zeros(sound.stop - sound.start)
    for number in range(sound.n_pulses):
        onset = number * sound.period
        if 0 < number < sound.n_pulses - 1:  # inner pulses are a little early or late (OUR)
            onset += round(rng.uniform(-0.05, 0.05) * sound.period)
        turns = 2 * np.pi * seconds * rng.lognormal(0, 0.01)
        tone = np.sin(turns * sound.frequency_hz) + partial * np.sin(turns * sound.partial_hz)
        wave[onset : onset + sound.pulse] += rng.uniform(0.7, 1.0) * shape * tone
    power = np.square(wave).sum() / (sound.n_pulses * sound.pulse)
    return np.asarray(wave / np.sqrt(power))
