"""Make the noise of a scene: sea, waves, snapping shrimp, rustles, boats, rain and electronic hum.

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

from anemonefish.simulation.boats import Boat, draw_boats
from anemonefish.simulation.decibels import amplitude, power
from anemonefish.simulation.pulse_shapes import DAMPING
from anemonefish.simulation.random_streams import BOAT_LEAD_TILES, TILE_SECONDS, Stream, random_numbers
from anemonefish.simulation.scene_settings import SceneSettings
from anemonefish.simulation.waters import Water

__all__ = ["ReefNoise"]


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
            boat for tile in range(-BOAT_LEAD_TILES, n_tiles) for boat in draw_boats(self._seed, tile, self._settings)
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

    def _filtered(self, boats: list[Boat], tile: int) -> NDArray[np.float32]:
        """Return the filtered noises of a tile, followed by the ringing of the filters."""
        site, seconds = self._site, self._seconds(tile)
        swell = np.ones(self._length, np.float32)
        for depth, hz, phase in site.swell:
            swell += (depth * np.sin(2 * np.pi * hz * seconds + phase)).astype(np.float32)
        inputs = [
            (self._white(tile, Stream.AMBIENT) * site.water.swing(seconds), site.ambient),
            (self._white(tile, Stream.FLOW) * swell, site.flow),
            (self._snaps(tile), site.snaps),
            (self._rustles(tile), site.rustles),
        ]
        passing = [boat for boat in boats if boat.start < seconds[-1] and boat.stop > seconds[0]]
        if passing:
            envelope = np.zeros(self._length)
            for boat in passing:
                envelope += site.engine_rms * boat.loudness(seconds) * boat.blade_modulation(seconds)
            engine = self._white(tile, Stream.ENGINE)
            inputs.append((engine * envelope.astype(np.float32), site.engine))
            cavitation = np.zeros(self._length)
            for boat in passing:
                cavitation += site.engine_rms * boat.loudness(seconds) * boat.cavitation(seconds)
            if cavitation.any():
                inputs.append((engine * cavitation.astype(np.float32), site.cavitation))
        if site.rain is not None:
            inputs.append((self._rain(tile), site.rain))
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

    def _rain(self, tile: int) -> NDArray[np.float32]:
        """Return the noise of rain: a steady part, and drops near the hydrophone (INFERRED)."""
        rng = random_numbers(self._seed, tile, Stream.RAIN)
        noise = rng.standard_normal(self._length, dtype=np.float32)
        n_drops = rng.poisson(self._site.water.drops_per_second * TILE_SECONDS)
        drops = rng.standard_exponential(n_drops) * self._sample_rate**0.5 * rng.choice([-0.3, 0.3], n_drops)
        np.add.at(noise, rng.integers(0, self._length, n_drops), drops.astype(np.float32))
        return noise

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

    def _add_sinusoids(self, samples: NDArray[np.float32], boats: list[Boat], tile: int) -> None:
        """Add electronic hum and the harmonics of boats to a tile."""
        seconds = self._seconds(tile)
        for peak, hz, phase in self._site.hum:
            samples += (peak * np.sin(2 * np.pi * hz * seconds + phase)).astype(np.float32)
        for boat in boats:
            if boat.start < seconds[-1] and boat.stop > seconds[0]:
                loudness = boat.loudness(seconds) * self._site.engine_rms
                samples += (loudness * boat.harmonics(seconds)).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """What stays the same through a scene: filters, levels and rates.

    Attributes
    ----------
    n_taps, n_fft : int
        Length of the filters, and of the transform of a tile with their ringing.
    steady : ndarray, shape (n_taps // 2 + 1,)
        Power spectrum of the steady noise, per sample.
    ambient, flow, snaps, engine, cavitation, rustles : ndarray, shape (n_fft // 2 + 1,), complex64
        Frequency responses of the filters.
    rain : ndarray or None
        The filter of rain; None on a dry day.
    water : Water
        What makes this water differ from others.
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
    cavitation: NDArray[np.complex64]
    rustles: NDArray[np.complex64]
    rain: NDArray[np.complex64] | None
    water: Water
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
    colour = np.interp(octaves, np.arange(20), power(rng.uniform(-settings.colour_db, settings.colour_db, 20)))
    water = Water.of(seed, settings)
    ambient_rms = amplitude(rng.uniform(*settings.ambient_dbfs))
    ambient = _scaled(water.spectrum((sea + crackle) * colour, hz) * audible, ambient_rms)
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
    hum_peak = ambient_rms * amplitude(rng.uniform(*settings.hum_db))
    has_hum = rng.random() < settings.hum_chance
    hum = tuple(
        (hum_peak / n, n * mains, rng.uniform(0, 2 * np.pi)) for n in range(1, settings.hum_harmonics + 1) if has_hum
    )
    return _Site(
        n_taps=n_taps,
        n_fft=n_fft,
        steady=steady,
        ambient=_response(ambient, n_taps, n_fft),
        flow=_response(flow, n_taps, n_fft),
        snaps=_response(snap, n_taps, n_fft),
        engine=_response(engine, n_taps, n_fft),
        cavitation=_response(_band(hz, 300.0, 8000.0), n_taps, n_fft),  # INFERRED
        rustles=_response(rustle, n_taps, n_fft),
        rain=None if water.rain_db is None else _response(_rain_spectrum(hz, ambient, water.rain_db), n_taps, n_fft),
        water=water,
        snaps_per_second=rng.uniform(*settings.snaps_per_minute) / 60,
        rustles_per_second=rng.uniform(*settings.rustles_per_minute) / 60,
        snap_peak=ambient_rms * amplitude(rng.uniform(*settings.snap_db)),
        engine_rms=float(boat_rms),
        swell=swell,
        hum=hum,
    )


def _rain_spectrum(hz: NDArray[np.float64], ambient: NDArray[np.float64], level_db: float) -> NDArray[np.float64]:
    """Return the spectrum of rain: flat from 1 to 15 kHz, some dB over the ambient noise at 1-5 kHz (INFERRED)."""
    rain = _band(hz, 1000.0, 15000.0)
    inside = (hz >= 1000) & (hz <= 5000)
    return np.asarray(rain * (ambient[inside].sum() / rain[inside].sum()) * power(level_db))


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
