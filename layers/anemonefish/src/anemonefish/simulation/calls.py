"""Draw and render the labelled sounds of a scene: calls of anemonefish, and of animals that are confused with them.

Every call is a train of pulses. :func:`draw_sounds` draws the sounds of a tile from its random numbers, and
:func:`render` turns one of them into samples.

The tags name the source of each constant:

P07       Parmentier et al. 2007, Science 316:1006 (*Amphiprion clarkii*)
P09       Parmentier et al. 2009, J Exp Biol 212:2023; Colleye et al. 2011 (frequency against body length)
C12       Colleye & Parmentier 2012, PLoS ONE 7:e49179 (aggressive and submissive sounds)
POM       the literature on damselfish sounds: *Plectroglyphidodon*, *Dascyllus*, *Pomacentrus*
T14       Tricas & Boyle 2014 (Hawaiian reef fish)
REEF      reef soundscape surveys: shrimp, boats, other fish
INFERRED  our inference; not measured
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anemonefish.simulation.decibels import amplitude
from anemonefish.simulation.pulse_shapes import (
    DAMPING,
    FISH_DAMPING,
    OTHER_DAMPING,
    PLAIN,
    PulseShape,
    draw_shape,
    longest_period,
    varied_seconds,
)
from anemonefish.simulation.random_streams import TILE_SECONDS, Stream, random_numbers
from anemonefish.simulation.scene_settings import SceneSettings

__all__ = [
    "ANEMONEFISH",
    "BIOLOGICAL",
    "DRUM",
    "VOICES",
    "Sound",
    "dominant_hz",
    "draw_sounds",
    "pulse_seconds",
    "render",
]

ANEMONEFISH = "anemonefish"
BIOLOGICAL = "biological"

_HIGHEST_VOICE = 0.45  # of the sample rate; voices that reach higher are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """One call, as it will be rendered: a train of pulses.

    Attributes
    ----------
    start, stop : int
        Half-open interval of samples.
    label : str
        The class: ``anemonefish`` or ``biological``.
    voice : str
        The animal and the kind of call.
    frequency_hz, partial_hz : float
        Dominant frequency of the pulses, and a weaker second peak.
    pulse, period : int
        Duration of a pulse and distance between the onsets of two, in samples.
    n_pulses : int
    tonal : bool
        Whether a pulse is a tone with a soft beginning and end, instead of a damped sinusoid.
    low_hz, high_hz : float
        The band between the points 10 dB below the peaks.
    snr_db : float
        Mean power of the pulses over the power of the scene's steady noise in the band.
    seed : int
        Seed of what varies from pulse to pulse.
    shape : PulseShape
        Onset, damping, modes and reflections; reflections reach beyond ``stop``.
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
    seed: int
    shape: PulseShape = PLAIN

    def end(self, sample_rate: int) -> int:
        """Return the sample after the last one that its reflections reach."""
        return self.stop + self.shape.tail(sample_rate)


@dataclass(frozen=True, slots=True)
class Voice:
    """An animal whose calls are confused with those of anemonefish, by the ranges that its calls are drawn from.

    Attributes
    ----------
    name : str
    hz : (float, float)
        Dominant frequency.
    pulses : (int, int)
        Pulses per call.
    pulse_ms : (float, float)
        Duration of a pulse.
    period : (float, float)
        From onset to onset, in durations of a pulse (INFERRED throughout).
    tonal : bool
        See :class:`Sound`.
    """

    name: str
    hz: tuple[float, float]
    pulses: tuple[int, int]
    pulse_ms: tuple[float, float]
    period: tuple[float, float]
    tonal: bool = False


VOICES = (
    Voice("Plectroglyphidodon lacrymatus pops", (100, 1000), (2, 5), (50, 62), (1.5, 3.0)),  # POM: 56 ms
    Voice("Dascyllus aruanus pop", (680, 1300), (1, 1), (5.7, 7.7), (1.0, 1.0)),  # POM: 6.7 ms
    Voice("Dascyllus aruanus chirp", (3400, 4100), (12, 42), (0.6, 1.27), (2.0, 6.0)),  # POM
    Voice("Dascyllus albisella chirp", (300, 900), (3, 11), (5.0, 9.0), (2.5, 6.0)),  # POM: count; rest INFERRED
    Voice("Pomacentrus amboinensis", (550, 775), (2, 3), (41, 67), (1.2, 2.0), tonal=True),  # POM: 54 +- 13 ms
    Voice("Hawaiian reef fish", (100, 300), (1, 8), (10, 100), (1.2, 5.0)),  # T14; count INFERRED
    Voice("bigeye pop", (385, 425), (1, 1), (7.0, 8.8), (1.0, 1.0)),  # REEF: 7.9 ms at 405 Hz
    Voice("gurnard knock", (450, 550), (1, 2), (6.0, 10.0), (2.0, 8.0)),  # REEF: count, 500 Hz; rest INFERRED
    Voice("gurnard grunt", (450, 550), (4, 8), (6.0, 10.0), (1.2, 8.0)),  # REEF: count, 500 Hz; rest INFERRED
    Voice("gurnard growl", (450, 550), (10, 40), (6.0, 10.0), (1.2, 12.0)),  # REEF: count, 500 Hz; rest INFERRED
)
"""The animals of the class ``biological``."""

DRUM = Voice("drumming fish", (60, 300), (5, 40), (8, 40), (1.1, 3.0))  # INFERRED: trains of low pulses
"""Fish that drum with their swim bladder; also ``biological``."""


def dominant_hz(body_mm: float) -> float:
    """Return the dominant frequency of an anemonefish: ``900 (L / 55 mm) ** -1.03`` Hz.

    A fit through 900 Hz at 55 mm and 370 Hz at 130 mm (P09); one slope for all species.
    """
    return float(900.0 * (body_mm / 55.0) ** -1.03)


def pulse_seconds(body_mm: float) -> float:
    """Return the duration of a pulse: 26 ms (P07) at 80 mm, in proportion to the body.

    P09 measured that it grows with the body. INFERRED are that it grows in proportion, and the 80 mm for the fish of
    P07: at this length the frequency, 612 Hz, lies in the middle of their 450-800 Hz.
    """
    return 0.026 * body_mm / 80.0


def draw_sounds(seed: int, tile: int, sample_rate: int, settings: SceneSettings) -> list[Sound]:
    """Draw the sounds of all bouts that begin in a tile."""
    minutes = TILE_SECONDS / 60
    rng = random_numbers(seed, tile, Stream.CALLS)
    calls_per_bout = sum(settings.calls_per_bout) / 2
    sounds: list[Sound] = []
    for number in range(rng.poisson(settings.calls_per_minute * minutes / calls_per_bout)):
        bout = _draw_anemonefish(rng, tile, sample_rate, settings)
        sounds += _varied(bout, number, sample_rate, settings)
    rng = random_numbers(seed, tile, Stream.OTHERS)
    voices = [voice for voice in VOICES if voice.hz[1] < _HIGHEST_VOICE * sample_rate]
    calls_per_bout = 1.5  # INFERRED: one or two calls in a row, so that several in a row do not reveal anemonefish
    for number in range(rng.poisson(settings.biological_per_minute * minutes / calls_per_bout)):
        calls = _draw_other(rng, tile, sample_rate, settings, voices[rng.integers(len(voices))])
        sounds += _varied(calls, number, sample_rate, settings)
    rng = random_numbers(seed, tile, Stream.DRUMS)
    for number in range(rng.poisson(settings.drums_per_minute * minutes / calls_per_bout)):
        calls = _draw_other(rng, tile, sample_rate, settings, DRUM)
        sounds += _varied(calls, number, sample_rate, settings)
    return sounds


def _varied(bout: list[Sound], number: int, sample_rate: int, settings: SceneSettings) -> list[Sound]:
    """Shorten a bout to one call, and vary its pulses, as often as the settings say.

    The draws have random numbers of their own, so that they do not change where any other sound lies.
    """
    rng = np.random.default_rng((bout[0].seed, number, Stream.SHAPES))
    if rng.random() < settings.lone_share:
        bout = bout[:1]
    if rng.random() >= settings.varied_share:
        return bout
    shape = draw_shape(rng, FISH_DAMPING if bout[0].label == ANEMONEFISH else OTHER_DAMPING)
    pulse = period = None
    if bout[0].label == ANEMONEFISH:
        pulse = varied_seconds(rng, bout[0].pulse / sample_rate)
        period = rng.uniform(1.1 * pulse, longest_period(pulse))
    later = 0
    varied = []
    for sound in bout:
        changed = _reshaped(sound, shape, pulse, period, sample_rate)
        moved = replace(changed, start=changed.start + later, stop=changed.stop + later)
        later += (changed.stop - changed.start) - (sound.stop - sound.start)
        varied.append(moved)
    return varied


def _reshaped(sound: Sound, shape: PulseShape, pulse: float | None, period: float | None, sample_rate: int) -> Sound:
    """Return a call with pulses of another shape and, where given, another duration and rhythm."""
    n_pulse = sound.pulse if pulse is None else round(pulse * sample_rate)
    n_period = sound.period if period is None else round(period * sample_rate)
    partial = sound.frequency_hz if shape.modes else sound.partial_hz
    band = _band_of(sound.frequency_hz, partial, n_pulse / sample_rate, shape.damping, sound.tonal, sample_rate)
    return replace(
        sound,
        stop=sound.start + (sound.n_pulses - 1) * n_period + n_pulse,
        pulse=n_pulse,
        period=n_period,
        partial_hz=partial,
        low_hz=band[0],
        high_hz=band[1],
        shape=shape,
    )


def _draw_anemonefish(rng: np.random.Generator, tile: int, sample_rate: int, settings: SceneSettings) -> list[Sound]:
    """Draw the calls of one fish in one charge, chase or submission."""
    body = rng.uniform(*settings.body_mm)
    # C12: submissive sounds are shorter and higher; how often and by how much is INFERRED.
    submissive = rng.random() < 0.25
    frequency = dominant_hz(body) * (1.1 if submissive else 1.0) * rng.lognormal(0, 0.03)
    pulse = pulse_seconds(body) * (0.75 if submissive else 1.0) * rng.lognormal(0, 0.08)
    # P07: 35 ms from pulse to pulse of 26 ms, a factor of 1.35; between species the period varies most.
    period = pulse * rng.uniform(1.2, 2.2)
    snr_db = rng.uniform(*settings.snr_db)
    start = (tile + rng.random()) * TILE_SECONDS * sample_rate
    sounds = []
    for _ in range(rng.integers(settings.calls_per_bout[0], settings.calls_per_bout[1] + 1)):
        sound = _sound(
            rng,
            start=int(start),
            sample_rate=sample_rate,
            label=ANEMONEFISH,
            voice="Amphiprion, submissive" if submissive else "Amphiprion, aggressive",
            frequency=frequency * rng.lognormal(0, 0.01),
            # P07: energy at 450-800 Hz around a peak near 610: a second, weaker peak on either side.
            partial=frequency * rng.uniform(0.75, 1.3),
            pulse=pulse,
            period=period,
            # 1-8 pulses; with a mean of 2.8, trains of 26 and 35 ms last 89 ms on average, as the chirps of P07.
            n_pulses=min(8, 1 + int(rng.poisson(1.8))),
            tonal=False,
            snr_db=snr_db,
        )
        sounds.append(sound)
        start = sound.stop + rng.uniform(0.25, 0.6) * sample_rate
    return sounds


def _draw_other(
    rng: np.random.Generator, tile: int, sample_rate: int, settings: SceneSettings, voice: Voice
) -> list[Sound]:
    """Draw one or two calls of another animal."""
    frequency = rng.uniform(*voice.hz)
    pulse = rng.uniform(*voice.pulse_ms) / 1000
    period = pulse * rng.uniform(*voice.period)
    snr_db = rng.uniform(*settings.snr_db)
    start = (tile + rng.random()) * TILE_SECONDS * sample_rate
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
    """Turn seconds into samples, and compute the end and the band of the sound."""
    pulse_samples, period_samples = round(pulse * sample_rate), round(period * sample_rate)
    low_hz, high_hz = _band_of(frequency, partial, pulse, DAMPING, tonal, sample_rate)
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
        low_hz=low_hz,
        high_hz=high_hz,
        snr_db=snr_db,
        seed=int(rng.integers(1 << 62)),
    )


def _band_of(
    frequency: float, partial: float, pulse: float, damping: float, tonal: bool, sample_rate: int
) -> tuple[float, float]:
    """Return the band between the points 10 dB below the peaks.

    They lie 3 half-widths from the peak of a damped sinusoid, and 1.3 / duration from that of a tone with a Hann
    window.
    """
    half_band = 1.3 / pulse if tonal else 3 * damping / (2 * np.pi * pulse)
    return max(0.0, min(frequency, partial) - half_band), min(sample_rate / 2, max(frequency, partial) + half_band)


def render(sound: Sound, sample_rate: int) -> NDArray[np.float64]:
    """Return the samples of a sound, shape (end - start,), with mean power 1 over the duration of its pulses.

    Reflections come on top of that power.
    """
    rng = np.random.default_rng(sound.seed)
    shape = sound.shape
    partial = 0.0 if sound.tonal else amplitude(rng.uniform(-12, -5))  # INFERRED: clearly below the peak
    if shape.modes:
        partial = 0.0
    seconds = np.arange(sound.pulse) / sample_rate
    # A damped sinusoid with a sharp onset resembles the pulse of closing teeth (INFERRED).
    envelope = np.hanning(sound.pulse) if sound.tonal else shape.envelope(sound.pulse, shape.damping)
    modes = [(each, shape.envelope(sound.pulse, each.damping) * each.level) for each in shape.modes if not sound.tonal]
    wave = np.zeros(sound.stop - sound.start)
    for number in range(sound.n_pulses):
        onset = number * sound.period
        if 0 < number < sound.n_pulses - 1:  # inner pulses are a little early or late (INFERRED)
            onset += round(rng.uniform(-shape.jitter, shape.jitter) * sound.period)
        phase = 2 * np.pi * seconds * rng.lognormal(0, 0.01)
        tone = envelope * (np.sin(phase * sound.frequency_hz) + partial * np.sin(phase * sound.partial_hz))
        for mode, decay in modes:
            tone += decay * np.sin(phase * sound.frequency_hz * mode.ratio)
        wave[onset : onset + sound.pulse] += rng.uniform(shape.loudness, 1.0) * tone
    power = np.square(wave).sum() / (sound.n_pulses * sound.pulse)
    return _reflected(np.asarray(wave / np.sqrt(power)), shape, sample_rate)


def _reflected(wave: NDArray[np.float64], shape: PulseShape, sample_rate: int) -> NDArray[np.float64]:
    """Add the reflections of a call."""
    if not shape.reflections:
        return wave
    heard = np.pad(wave, (0, shape.tail(sample_rate)))
    for reflection in shape.reflections:
        delay = round(reflection.seconds * sample_rate)
        heard[delay : delay + len(wave)] += reflection.level * wave
    return heard
