"""Reef scenes by a second synthesis, for measuring only: no training uses them.

The scenes of :mod:`anemonefish.simulation` have trained the reference network, so they cannot say what it finds in
calls and water that it does not know. Here everything is made otherwise. A call is a train of soft clicks through a
bank of resonators and a random echo filter; its level is measured from its own spectrum. Water is coloured by a random
autoregressive filter, its level wanders, and snaps are bursts of noise. The other animals have the ranges of the
literature, as those of :mod:`anemonefish.simulation.calls`.

All ranges are inferred, and wide on purpose. Scenes are deterministic: a kind and a seed give the same samples on one
machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["KINDS", "UnseenCall", "UnseenScene", "unseen_scene"]

KINDS = ("lone calls", "bouts", "other animals", "boats", "drums", "rain", "empty")
"""What a scene holds beside water, snaps and rustles."""

_AHEAD = 8192  # samples of a call's room for echoes
_LEVELS_DB = (6.0, 32.0)
_CALLS_PER_MINUTE = 6
_OTHERS_PER_MINUTE = 30

Samples = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class UnseenCall:
    """A call of an anemonefish: its samples, and its level over the noise of its own band."""

    start: int
    stop: int
    snr_db: float


@dataclass(frozen=True, slots=True)
class UnseenScene:
    """Samples at a rate, full scale 1, and the calls in them in the order of their starts."""

    samples: Samples
    sample_rate: int
    calls: tuple[UnseenCall, ...]


def unseen_scene(kind: str, seed: int, seconds: float, sample_rate: int = 48_000) -> UnseenScene:
    """Make a scene of a kind of :data:`KINDS`."""
    rng = np.random.default_rng((seed, KINDS.index(kind)))
    n_samples = int(seconds * sample_rate)
    maker = _Maker(rng, n_samples, sample_rate, _water(rng, n_samples, sample_rate))
    calls = _add_calls(maker, kind, seconds)
    if kind == "other animals":
        for _ in range(rng.poisson(_OTHERS_PER_MINUTE * seconds / 60)):
            _add_other(maker)
    if kind == "drums":
        for _ in range(rng.poisson(6 * seconds / 60)):
            maker.add(_drum(rng, sample_rate), rng.uniform(*_LEVELS_DB))
    if kind == "boats":
        maker.samples += maker.level * _boat(rng, n_samples, sample_rate)
    if kind == "rain":
        maker.samples += maker.level * _rain(rng, n_samples, sample_rate)
    loudest = np.abs(maker.samples).max()
    peak = 10 ** (rng.uniform(-30, 0) / 20)
    return UnseenScene(maker.samples * (peak / loudest), sample_rate, tuple(sorted(calls, key=lambda call: call.start)))


@dataclass
class _Maker:
    """A scene while sounds are added."""

    rng: np.random.Generator
    n_samples: int
    sample_rate: int
    samples: Samples

    def __post_init__(self) -> None:
        self.noise = np.abs(np.fft.rfft(self.samples)) ** 2 / self.n_samples**2 * 2
        self.hz = np.fft.rfftfreq(self.n_samples, 1 / self.sample_rate)
        self.level = float(np.sqrt(self.noise[(self.hz >= 100) & (self.hz <= 1000)].sum()))

    def scale(self, wave: Samples, active: float, snr_db: float) -> Samples:
        """Return a sound that is ``snr_db`` over the noise in the band within 10 dB of its spectrum's peak.

        Its power is the mean over the ``active`` seconds in which it sounds.
        """
        n_fft = 1 << (len(wave) - 1).bit_length()
        power = np.abs(np.fft.rfft(wave, n_fft)) ** 2
        hz = np.fft.rfftfreq(n_fft, 1 / self.sample_rate)
        smooth = np.convolve(power, np.ones(5) / 5, "same")
        loud = hz[smooth > smooth.max() / 10]
        low, high = loud[0], max(loud[-1], loud[0] + 30)
        energy = power[(hz >= low) & (hz <= high)].sum() / n_fft * 2
        noise = self.noise[(self.hz >= low) & (self.hz <= high)].sum()
        wanted = noise * 10 ** (snr_db / 10) * active * self.sample_rate
        return np.asarray(wave * np.sqrt(wanted / energy))

    def add(self, sound: tuple[Samples, float], snr_db: float, at: int | None = None) -> int:
        """Add a sound, at a random place unless one is given, and return where it begins."""
        wave, active = sound
        wave = self.scale(wave, active, snr_db)[: self.n_samples]
        start = int(self.rng.integers(0, self.n_samples - len(wave) + 1)) if at is None else at
        room = min(len(wave), self.n_samples - start)
        self.samples[start : start + room] += wave[:room]
        return start


# ------------------------------------------------------------------------------------------- calls


def _add_calls(maker: _Maker, kind: str, seconds: float) -> list[UnseenCall]:
    """Add lone calls, or bouts of two to six, and return them."""
    if kind not in ("lone calls", "bouts"):
        return []
    rng, calls = maker.rng, []
    n_bouts = rng.poisson(_CALLS_PER_MINUTE * seconds / 60 / (1 if kind == "lone calls" else 2))
    # Bouts begin in slots of their own, so that lone calls are alone.
    slots = rng.permutation(int(seconds / 5))[:n_bouts]
    for slot in slots:
        start = int((slot * 5 + rng.uniform(0.1, 1.5)) * maker.sample_rate)
        fish, snr_db = _Fish.drawn(rng), rng.uniform(*_LEVELS_DB)
        for _ in range(1 if kind == "lone calls" else rng.integers(2, 5)):
            wave, active, length = fish.call(rng, maker.sample_rate)
            if start + length > maker.n_samples:
                break
            maker.add((wave, active), snr_db, start)
            calls.append(UnseenCall(start, start + length, snr_db))
            start += length + int(rng.uniform(0.25, 0.6) * maker.sample_rate)
    return calls


@dataclass(frozen=True, slots=True)
class _Fish:
    """A fish: resonances, how fast they decay, and the rhythm of its pulses."""

    resonances: tuple[tuple[float, float, float], ...]  # Hz, quality factor, level
    period: float
    mean_pulses: float
    click: float  # seconds
    clicks: int
    echoes: tuple[tuple[float, float], ...]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> _Fish:
        first = rng.uniform(370, 900)
        others = tuple(
            (first * ratio, rng.uniform(5, 14), rng.uniform(0.1, 0.6))
            for ratio in (rng.uniform(0.6, 0.85), rng.uniform(1.3, 2.2))[: rng.integers(1, 3)]
        )
        return cls(
            resonances=((first, rng.uniform(7, 18), 1.0), *others),
            period=0.032 * (0.110 / 0.032) ** rng.random(),
            mean_pulses=rng.uniform(1.0, 3.5),
            click=rng.uniform(0.0003, 0.004),
            clicks=int(rng.integers(1, 4)),
            echoes=tuple((rng.uniform(0.0007, 0.02), rng.uniform(-0.6, 0.6)) for _ in range(rng.integers(0, 4))),
        )

    def call(self, rng: np.random.Generator, sample_rate: int) -> tuple[Samples, float, int]:
        """Return the samples of a call with its echoes, the seconds in which it sounds, and its length."""
        n_pulses = min(8, 1 + rng.poisson(self.mean_pulses - 1))
        decay = 4 * max(quality / (np.pi * hz) for hz, quality, _ in self.resonances[:1])  # to -35 dB
        onsets = [number * self.period * rng.uniform(0.97, 1.03) for number in range(n_pulses)]
        length = int((onsets[-1] + decay + self.click) * sample_rate)
        drive = np.zeros(length + _AHEAD)
        for onset in onsets:
            loudness = rng.uniform(0.5, 1.0)
            for _ in range(self.clicks):
                at = int((onset + rng.uniform(0, 0.0015) * (self.clicks > 1)) * sample_rate)
                click = np.hanning(max(3, int(self.click * sample_rate)))
                drive[at : at + len(click)] += loudness * rng.uniform(0.4, 1.0) * click / click.sum()
        return _through(drive, self.resonances, self.echoes, sample_rate), n_pulses * decay, length


def _through(
    drive: Samples,
    resonances: tuple[tuple[float, float, float], ...],
    echoes: tuple[tuple[float, float], ...],
    sample_rate: int,
) -> Samples:
    """Return a signal after a bank of two-pole resonators and echoes."""
    n_fft = 2 << (len(drive) - 1).bit_length()
    hz = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    spectrum = np.fft.rfft(drive, n_fft)
    bank = sum(
        level * (1j * hz * own / quality) / (own**2 - hz**2 + 1j * hz * own / quality)
        for own, quality, level in resonances
    )
    room = 1 + sum(level * np.exp(-2j * np.pi * hz * delay) for delay, level in echoes)
    return np.asarray(np.fft.irfft(spectrum * bank * room, n_fft)[: len(drive)])


# ------------------------------------------------------------------------------------------- confusers


def _pulses(
    rng: np.random.Generator,
    sample_rate: int,
    count: int,
    period: float,
    pulse: Callable[[Samples], Samples],
    long: float,
) -> tuple[Samples, float]:
    """Return a train of pulses, each a function of the seconds since its onset, and the seconds in which it sounds."""
    length = int(((count - 1) * period * 1.1 + long) * sample_rate) + 1
    wave = np.zeros(length)
    own = pulse(np.arange(int(long * sample_rate)) / sample_rate)
    for number in range(count):
        at = int(number * period * rng.uniform(0.95, 1.05) * sample_rate)
        room = min(len(own), length - at)
        wave[at : at + room] += rng.uniform(0.5, 1) * own[:room]
    return wave, count * long


def _ringing(hz: float, seconds: float) -> Callable[[Samples], Samples]:
    """Return a tone that rises within a twentieth of its duration and decays by 35 dB within the rest."""
    rise = seconds / 20
    return lambda t: np.minimum(t / rise, 1) * np.exp(-4 * t / seconds) * np.sin(2 * np.pi * hz * t)


def _swelling(hz: float, seconds: float) -> Callable[[Samples], Samples]:
    """Return a tone under a Gaussian."""
    return lambda t: np.exp(-((t / seconds - 0.5) ** 2) * 18) * np.sin(2 * np.pi * hz * t)


def _add_other(maker: _Maker) -> None:
    """Add one sound that is no anemonefish: an animal of the literature, a knock, a bubble or a rattle."""
    rng, rate = maker.rng, maker.sample_rate
    kind = rng.integers(10)
    if kind == 0:  # Plectroglyphidodon lacrymatus: 2-5 pops of 56 ms at 100-1000 Hz
        long = rng.uniform(0.052, 0.060)
        sound = _pulses(
            rng, rate, rng.integers(2, 6), long * rng.uniform(1.5, 3), _ringing(rng.uniform(100, 1000), long), long
        )
    elif kind == 1:  # Dascyllus aruanus: a pop of 6.7 ms at 680-1300 Hz
        sound = _pulses(rng, rate, 1, 0.01, _ringing(rng.uniform(680, 1300), 0.0067), 0.0067)
    elif kind == 2:  # Dascyllus: chirps of many short pulses
        sound = _pulses(
            rng, rate, rng.integers(12, 43), rng.uniform(0.003, 0.008), _ringing(rng.uniform(3400, 4100), 0.001), 0.001
        )
    elif kind == 3:  # Pomacentrus amboinensis: 2-3 tones of 54 ms at 550-775 Hz
        long = rng.uniform(0.041, 0.067)
        sound = _pulses(
            rng, rate, rng.integers(2, 4), long * rng.uniform(1.2, 2), _swelling(rng.uniform(550, 775), long), long
        )
    elif kind == 4:  # Hawaiian reef fish: pulses of 10-100 ms at 100-300 Hz
        long = rng.uniform(0.01, 0.1)
        sound = _pulses(
            rng, rate, rng.integers(1, 9), long * rng.uniform(1.2, 4), _ringing(rng.uniform(100, 300), long), long
        )
    elif kind == 5:  # bigeye: a pop of 7.9 ms at 405 Hz
        sound = _pulses(rng, rate, 1, 0.01, _ringing(rng.uniform(385, 425), 0.0079), 0.0079)
    elif kind == 6:  # gurnard: knocks, grunts, growls of pulses near 500 Hz
        long = rng.uniform(0.006, 0.010)
        count = int(rng.choice([1, 2, 5, 8, 20, 35]))
        sound = _pulses(rng, rate, count, long * rng.uniform(1.5, 8), _ringing(rng.uniform(450, 550), long), long)
    elif kind == 7:  # a knock of wood or metal: resonances above the calls
        drive = np.zeros(int(0.05 * rate))
        drive[:8] = 1
        modes = tuple((rng.uniform(900, 4000), rng.uniform(3, 12), rng.uniform(0.3, 1)) for _ in range(4))
        sound = _through(drive, modes, (), rate), 0.01
    elif kind == 8:  # a rattle of shells: clicks without a rhythm
        drive = np.zeros(int(rng.uniform(0.1, 0.8) * rate))
        drive[rng.integers(0, len(drive), 30)] = rng.uniform(0.1, 1, 30)
        sound = _through(drive, ((rng.uniform(1500, 4000), 3.0, 1.0),), (), rate), 0.1
    else:  # a bubble: one tone that rises a little while it decays
        hz, long = rng.uniform(1000, 3000), rng.uniform(0.01, 0.04)
        sound = _pulses(rng, rate, 1, 0.1, lambda t: np.exp(-4 * t / long) * np.sin(2 * np.pi * hz * t * (1 + t)), long)
    maker.add(sound, rng.uniform(*_LEVELS_DB))


def _drum(rng: np.random.Generator, sample_rate: int) -> tuple[Samples, float]:
    """Return a drumming fish: pulses at 20-80 Hz, each a few cycles of a low tone with overtones, for up to 2 s."""
    rate, hz, long = rng.uniform(20, 80), rng.uniform(60, 250), rng.uniform(0.3, 2.0)
    pulse = min(0.03, 1 / rate)
    overtones = rng.uniform(0, 0.5, 3)

    def shape(t: Samples) -> Samples:
        tone = np.sin(2 * np.pi * hz * t)
        for number, level in enumerate(overtones, 2):
            tone = tone + level / number * np.sin(2 * np.pi * hz * number * t)
        return np.asarray(np.exp(-3 * t / pulse) * tone)

    return _pulses(rng, sample_rate, int(long * rate), 1 / rate, shape, pulse)


def _boat(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Samples:
    """Return a boat: lines that drift, and noise that beats with the propeller; 1 is the level of the sea."""
    seconds = np.arange(n_samples) / sample_rate
    passing = np.exp(-(((seconds / seconds[-1] - rng.uniform(0.2, 0.8)) / 0.25) ** 2))
    shaft = rng.uniform(8, 40) * (1 + 0.02 * np.sin(2 * np.pi * seconds / rng.uniform(20, 60)))
    turns = 2 * np.pi * np.cumsum(shaft) / sample_rate
    wave = sum(rng.uniform(0, 1) / number**0.7 * np.sin(number * turns + rng.uniform(0, 6)) for number in range(1, 30))
    noise = _coloured(rng, n_samples, sample_rate, [(rng.uniform(200, 800), 0.9), (rng.uniform(1000, 4000), 0.8)])
    beat = 1 + rng.uniform(0.2, 0.9) * np.sin(rng.integers(1, 5) * turns)
    return np.asarray(passing * 10 ** (rng.uniform(6, 22) / 20) * (0.4 * wave + noise * beat))


def _rain(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Samples:
    """Return rain: noise that rises with frequency, in showers, and bubbles of drops."""
    hz = np.fft.rfftfreq(n_samples, 1 / sample_rate)
    spectrum = np.fft.rfft(rng.standard_normal(n_samples)) * np.minimum(hz / 2000, 3) ** rng.uniform(0.3, 1.5)
    noise = np.fft.irfft(spectrum, n_samples)
    shower = 1 + 0.5 * np.sin(2 * np.pi * np.arange(n_samples) / sample_rate / rng.uniform(5, 30))
    drops = np.zeros(n_samples)
    n_drops = rng.poisson(n_samples / sample_rate * rng.uniform(2, 60))
    bubble = np.arange(int(0.02 * sample_rate)) / sample_rate
    for at in rng.integers(0, n_samples - len(bubble), n_drops):
        ring = np.sin(2 * np.pi * rng.uniform(1200, 9000) * bubble) * np.exp(-bubble / rng.uniform(0.0005, 0.004))
        drops[at : at + len(bubble)] += rng.exponential(2.0) * ring
    return np.asarray(10 ** (rng.uniform(-6, 12) / 20) * shower * (noise / noise.std() + drops))


# ------------------------------------------------------------------------------------------- water


def _coloured(
    rng: np.random.Generator, n_samples: int, sample_rate: int, poles: list[tuple[float, float]], slope: float = 0.0
) -> Samples:
    """Return noise of standard deviation 1 by an autoregressive filter and a slope in powers of the frequency."""
    hz = np.fft.rfftfreq(n_samples, 1 / sample_rate)
    turn = np.exp(-2j * np.pi * hz / sample_rate)
    response = np.ones(len(hz), complex)
    for own, radius in poles:
        angle = 2 * np.pi * own / sample_rate
        response /= 1 - 2 * radius * np.cos(angle) * turn + radius**2 * turn**2
    response *= np.maximum(hz, 20.0) ** (slope / 2)
    response[hz < 5] = 0
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(n_samples)) * response, n_samples)
    return np.asarray(noise / noise.std())


def _water(rng: np.random.Generator, n_samples: int, sample_rate: int) -> Samples:
    """Return the sea: coloured noise whose level wanders, snaps, rustles, hum and flow."""
    seconds = np.arange(n_samples) / sample_rate
    poles = [(80 * 100 ** rng.random(), rng.uniform(0.6, 0.97)) for _ in range(rng.integers(1, 5))]
    sea = _coloured(rng, n_samples, sample_rate, poles, rng.uniform(-2.0, 0.3))
    knots = rng.uniform(-3, 3, max(3, int(seconds[-1] / 4)))
    sea *= 10 ** (np.interp(seconds, np.linspace(0, seconds[-1], len(knots)), knots) / 20)
    snaps = np.zeros(n_samples)
    n_burst = int(0.0005 * sample_rate)
    for at in rng.integers(0, n_samples - n_burst, rng.poisson(seconds[-1] * 10 ** rng.uniform(0.3, 1.6))):
        burst = rng.standard_normal(n_burst) * np.exp(-np.arange(n_burst) / n_burst * rng.uniform(2, 8))
        snaps[at : at + n_burst] += rng.pareto(1.5) * burst
    snaps *= rng.uniform(0.5, 4)
    rustles = np.zeros(n_samples)
    for _ in range(rng.poisson(seconds[-1] * rng.uniform(0, 0.4))):
        length = int(10 ** rng.uniform(-2, 0) * sample_rate)
        low = 10 ** rng.uniform(2, 3.3)
        burst = _coloured(rng, length, sample_rate, [(low, 0.8), (2 * low, 0.7)]) * np.hanning(length)
        at = rng.integers(0, n_samples - length)
        rustles[at : at + length] += 10 ** (rng.uniform(-10, 12) / 20) * burst
    mains = rng.choice([50.0, 60.0]) * (rng.random() < 0.4)
    hum = sum(rng.uniform(0, 0.3) / k * np.sin(2 * np.pi * k * mains * seconds + k) for k in range(1, 12))
    flow = _coloured(rng, n_samples, sample_rate, [], -4.0) * rng.uniform(0, 3)
    return np.asarray(sea + snaps + rustles + hum + flow)
