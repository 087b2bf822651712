"""Make the noise of a scene: sea, waves, snapping shrimp, rustles, boats and electronic hum.

Each noise is an input signal (white noise, or impulses) that passes through a filter; hum and the harmonics of boats
are sums of sinusoids. The filters and levels belong to the site and stay the same through a scene. Noise is made tile
by tile, and what a filter still rings with at the end of a tile is added to the next one.

The tags name the source of each constant:

REEF      reef soundscape surveys: shrimp, boats, other fish
INFERRED  our inference; not measured
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anemonefish.simulation.calls import DAMPING
from anemonefish.simulation.decibels import amplitude, power
from anemonefish.simulation.random_streams import BOAT_LEAD_TILES, TILE_SECONDS, Stream, random_numbers
from anemonefish.simulation.scene_settings import SceneSettings

__all__ = ["ReefNoise"]

_BOAT_SECONDS = (30.0, 150.0)  # INFERRED; the longest passage fits into BOAT_LEAD_TILES
_BOAT_HARMONICS = 16  # INFERRED: of random strength, falling with their number


class ReefNoise:
    """The noise of one scene.

    Parameters
    ----------
    seed : int
    sample_rate : int
        Samples per second.
    settings : SceneSettings
    """

    def __init__(self, seed: int, sample_rate: int, settings: SceneSettings) -> None:
        self._seed, self._sample_rate, self._settings = seed, sample_rate, settings
        self._length = TILE_SECONDS * sample_rate
        self._site = _make_site(seed, sample_rate, settings)

    def power_in(self, low_hz: float, high_hz: float) -> float:
        """Return the mean power of the steady noise in a band."""
        hz = np.fft.rfftfreq(self._site.n_taps, 1 / self._sample_rate)
        inside = (hz >= low_hz) & (hz <= high_hz)
        return float(self._site.steady[inside].sum() * 2 / self._site.n_taps)

    def tiles(self, n_tiles: int) -> Iterator[NDArray[np.float32]]:
        """Yield the noise in tiles of ten seconds, shape (TILE_SECONDS * sample_rate,), float32."""
        boats = [
            boat for tile in range(-BOAT_LEAD_TILES, n_tiles) for boat in _draw_boats(self._seed, tile, self._settings)
        ]
        n_taps = self._site.n_taps
        # The filters ring with the tile before the first one, so that a scene does not fade in.
        ringing = self._filtered(boats, -1)[self._length : self._length + n_taps]
        for tile in range(n_tiles):
            filtered = self._filtered(boats, tile)
            filtered[:n_taps] += ringing
            ringing = filtered[self._length : self._length + n_taps].copy()
            samples = filtered[: self._length]
            self._add_sinusoids(samples, boats, tile)
            yield samples

    def _seconds(self, tile: int) -> NDArray[np.float64]:
        """Return the time of every sample of a tile."""
        return np.asarray((tile * self._length + np.arange(self._length)) / self._sample_rate)

    def _filtered(self, boats: list[_Boat], tile: int) -> NDArray[np.float32]:
        """Return the filtered noises of a tile, followed by the ringing of the filters."""
        site, seconds = self._site, self._seconds(tile)
        swell = np.ones(self._length, np.float32)
        for depth, hz, phase in site.swell:
            swell += (depth * np.sin(2 * np.pi * hz * seconds + phase)).astype(np.float32)
        inputs = [
            (self._white(tile, Stream.AMBIENT), site.ambient),
            (self._white(tile, Stream.FLOW) * swell, site.flow),
            (self._snaps(tile), site.snaps),
            (self._rustles(tile), site.rustles),
        ]
        passing = [boat for boat in boats if boat.start < seconds[-1] and boat.stop > seconds[0]]
        if passing:
            envelope = np.zeros(self._length)
            for boat in passing:
                envelope += site.engine_rms * boat.loudness(seconds) * boat.blade_modulation(seconds)
            inputs.append((self._white(tile, Stream.ENGINE) * envelope.astype(np.float32), site.engine))
        total = np.zeros(site.n_fft // 2 + 1, np.complex64)
        for signal, response in inputs:
            total += np.fft.rfft(signal, site.n_fft) * response
        return np.fft.irfft(total, site.n_fft).astype(np.float32, copy=False)

    def _white(self, tile: int, stream: Stream) -> NDArray[np.float32]:
        return random_numbers(self._seed, tile, stream).standard_normal(self._length, dtype=np.float32)

    def _snaps(self, tile: int) -> NDArray[np.float32]:
        """Return impulses: snaps of shrimp, each with an echo from the surface."""
        rng = random_numbers(self._seed, tile, Stream.SNAPS)
        n_snaps = rng.poisson(self._site.snaps_per_second * TILE_SECONDS)
        where = rng.integers(0, self._length, n_snaps)
        # INFERRED: shrimp on all sides, so loud ones are rare: a power law, cut 40 dB above the weakest.
        peaks = self._site.snap_peak * np.minimum(rng.random(n_snaps) ** -0.5, 100.0) * rng.choice([-1.0, 1.0], n_snaps)
        echo_at = where + (rng.uniform(0.001, 0.02, n_snaps) * self._sample_rate).astype(np.int64)
        echoes = -peaks * rng.uniform(0.2, 0.8, n_snaps)
        impulses = np.zeros(self._length, np.float32)
        np.add.at(impulses, where, peaks.astype(np.float32))
        np.add.at(impulses, np.minimum(echo_at, self._length - 1), echoes.astype(np.float32))
        return impulses

    def _rustles(self, tile: int) -> NDArray[np.float32]:
        """Return bursts of white noise: short ones decay like a knock, long ones rise and fall (INFERRED)."""
        rng = random_numbers(self._seed, tile, Stream.RUSTLES)
        bursts = np.zeros(self._length, np.float32)
        for _ in range(rng.poisson(self._site.rustles_per_second * TILE_SECONDS)):
            seconds = 0.003 * (2.0 / 0.003) ** rng.random()
            burst = rng.standard_normal(round(seconds * self._sample_rate), dtype=np.float32)
            if seconds < 0.1:
                burst *= np.exp(np.linspace(0, -DAMPING, len(burst), dtype=np.float32))
            else:
                burst *= np.hanning(len(burst)).astype(np.float32)
            begin = rng.integers(0, self._length - len(burst))  # a burst ends within its tile
            bursts[begin : begin + len(burst)] += burst * np.float32(amplitude(rng.uniform(3, 25)))
        return bursts

    def _add_sinusoids(self, samples: NDArray[np.float32], boats: list[_Boat], tile: int) -> None:
        """Add electronic hum and the harmonics of boats to a tile."""
        seconds = self._seconds(tile)
        for peak, hz, phase in self._site.hum:
            samples += (peak * np.sin(2 * np.pi * hz * seconds + phase)).astype(np.float32)
        for boat in boats:
            if boat.start < seconds[-1] and boat.stop > seconds[0]:
                loudness = boat.loudness(seconds) * self._site.engine_rms
                samples += (loudness * boat.harmonics(seconds)).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Boat:
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
    """

    start: float
    stop: float
    level_db: float
    blade_hz: float
    seed: int

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
        return total


def _draw_boats(seed: int, tile: int, settings: SceneSettings) -> list[_Boat]:
    """Draw the boats that become audible during a tile."""
    rng = random_numbers(seed, tile, Stream.BOATS)
    shortest, longest = _BOAT_SECONDS
    boats = []
    for _ in range(rng.poisson(settings.boat_fraction * TILE_SECONDS / ((shortest + longest) / 2))):
        start = (tile + rng.random()) * TILE_SECONDS
        boats.append(
            _Boat(
                start=start,
                stop=start + rng.uniform(shortest, longest),
                level_db=rng.uniform(*settings.boat_db),
                blade_hz=rng.uniform(8.0, 60.0),  # INFERRED: some hundred revolutions a minute, 3-5 blades
                seed=int(rng.integers(1 << 62)),
            )
        )
    return boats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """What stays the same through a scene: filters, levels and rates.

    Attributes
    ----------
    n_taps, n_fft : int
        Length of the filters, and of the transform of a tile with their ringing.
    steady : ndarray, shape (n_taps // 2 + 1,)
        Power spectrum of the steady noise, per sample.
    ambient, flow, snaps, engine, rustles : ndarray, shape (n_fft // 2 + 1,), complex64
        Frequency responses of the filters.
    snaps_per_second, rustles_per_second : float
    snap_peak : float
        Peak of the weakest snap.
    engine_rms : float
        Level of a boat of 0 dB.
    swell : tuple of (float, float, float)
        Depth, frequency and phase of slow waves.
    hum : tuple of (float, float, float)
        Peak, frequency and phase of the harmonics of electronic hum.
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


def _make_site(seed: int, sample_rate: int, settings: SceneSettings) -> _Site:
    rng = random_numbers(seed, 0, Stream.SITE)
    n_taps = 1 << (sample_rate // 6).bit_length()  # 0.17-0.33 s: resolves the slope of flow noise
    n_fft = 1 << (TILE_SECONDS * sample_rate + n_taps - 1).bit_length()
    hz = np.arange(n_taps // 2 + 1).astype(np.float64) * sample_rate / n_taps
    hz[0] = hz[1] / 2
    audible = hz**4 / (hz**4 + 10.0**4)  # INFERRED: a hydrophone's high-pass at 10 Hz

    # Ambient noise: falls with frequency, has distant shrimp at 2-15 kHz (REEF) and the colour of a site (INFERRED).
    sea = 1 / (1 + (hz / 100) ** rng.uniform(1.0, 2.0))
    crackle = _band(hz, 2000.0, 15000.0) * np.interp(500.0, hz, sea) * power(rng.uniform(-20, 3))
    octaves = np.log2(hz / hz[1])
    colour = np.interp(octaves, np.arange(20), power(rng.uniform(-4, 4, 20)))
    ambient_rms = amplitude(rng.uniform(*settings.ambient_dbfs))
    ambient = _scaled((sea + crackle) * colour * audible, ambient_rms)
    ambient += power(rng.uniform(*settings.recorder_dbfs))

    flow = audible * (1 + (hz / 30) ** 2) ** -1.5  # INFERRED: falls by 9 dB an octave above 30 Hz
    flow = _scaled(flow, ambient_rms * amplitude(rng.uniform(*settings.flow_db)))
    # Swell: two slow waves with periods of 5-15 s (INFERRED); their mean square is 1 + (0.5**2 + 0.3**2) / 2.
    swell = tuple((depth, 1 / rng.uniform(5, 15), rng.uniform(0, 2 * np.pi)) for depth in (0.5, 0.3))
    steady = ambient + flow * (1 + sum(depth**2 for depth, _, _ in swell) / 2)

    # A snap lasts 3-8 us, less than a sample: broad at 2-15 kHz and flat to 24 kHz (REEF), 20 dB lower below
    # (INFERRED).
    snap = _band(hz, 2000.0, 15000.0) + 0.1 + 0.01 / (1 + (300 / hz) ** 4)
    snap *= (hz > 200) / snap.max()
    engine = _band(hz, 100.0, 1000.0)
    in_band = (hz >= 100) & (hz <= 1000)
    boat_rms = np.sqrt(ambient[in_band].sum() / engine[in_band].sum())
    low = 100 * 8 ** rng.random()
    rustle = _band(hz, low, low * 2 ** rng.uniform(1, 4))
    rustle *= (ambient * rustle).sum() / np.square(rustle).sum()  # as strong as the ambient noise in its band

    mains = rng.choice([50.0, 60.0])
    hum_peak = ambient_rms * amplitude(rng.uniform(-20, 0))
    has_hum = rng.random() < settings.hum_chance
    hum = tuple((hum_peak / n, n * mains, rng.uniform(0, 2 * np.pi)) for n in (1, 2, 3, 4, 5, 6, 7) if has_hum)
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
        snap_peak=ambient_rms * amplitude(rng.uniform(*settings.snap_db)),
        engine_rms=float(boat_rms),
        swell=swell,
        hum=hum,
    )


def _band(hz: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Return a power spectrum that is 1 between two frequencies and falls by 12 dB an octave outside."""
    spectrum: NDArray[np.float64] = 1 / ((1 + (low / hz) ** 4) * (1 + (hz / high) ** 4))
    return spectrum


def _scaled(spectrum: NDArray[np.float64], rms: float) -> NDArray[np.float64]:
    """Scale a power spectrum so that filtered white noise of variance 1 has a level of ``rms``."""
    return np.asarray(spectrum * (rms**2 / spectrum.mean()))


def _response(spectrum: NDArray[np.float64], n_taps: int, n_fft: int) -> NDArray[np.complex64]:
    """Return the frequency response of a linear-phase filter with a power spectrum, at the length of a transform."""
    taps = np.roll(np.fft.irfft(np.sqrt(spectrum), n_taps), n_taps // 2) * np.hanning(n_taps)
    return np.fft.rfft(taps, n_fft).astype(np.complex64)
