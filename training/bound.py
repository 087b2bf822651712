"""How many unseen lone calls their frequency and decay would tell from other animals: ``python training/bound.py``.

An observer measures the frequency of a pulse without error, and its decay as well as noise allows: the Cramer-Rao bound
of the decay of a sinusoid of unknown amplitude is sqrt(2 N0 / E) of it, and a pulse at a mean level of 0 dB over the
noise within its points of -10 dB has E / N0 = 12 / pi. Calls and confusers have the ranges of :mod:`unseen`. Echoes,
snaps and rustles are left out, and so are confusers that are told by their onset or by frequencies above the calls: the
bound is too kind, so it says what is impossible, not what is possible.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DRAWS = 400_000
OTHERS_PER_HOUR = 30 * 60
LEAST_DB = 12.0

_BINS = 0.05, 0.1
"""Widths of the cells in which calls and confusers are counted, in logarithms of frequency and of decay."""

Values = NDArray[np.float64]


def cells(rng: np.random.Generator, hz: Values, decay: Values, pulses: Values, snr_db: Values) -> NDArray[np.int64]:
    """Return the cell of frequency and measured decay of each sound; ``decay`` is its time constant in seconds."""
    error = np.sqrt(2 / (10 ** (snr_db / 10) * 12 / np.pi * pulses))
    measured = np.log(decay) + error * rng.standard_normal(len(decay))
    return np.asarray(np.floor(np.log(hz) / _BINS[0]) * 10_000 + np.floor(measured / _BINS[1]), np.int64)


def calls(rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw lone calls of anemonefish."""
    hz, quality = rng.uniform(370, 900, DRAWS), rng.uniform(7, 18, DRAWS)
    pulses = np.minimum(8, 1 + rng.poisson(rng.uniform(0, 2.5, DRAWS))).astype(float)
    return cells(rng, hz, quality / np.pi / hz, pulses, rng.uniform(LEAST_DB, 32, DRAWS))


def others(rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw other animals: a tenth each of those with pulses like the calls', and half that are easy to tell."""
    hz, long, pulses = np.full(DRAWS, 5000.0), np.full(DRAWS, 0.004), np.ones(DRAWS)
    kind = rng.integers(10, size=DRAWS)
    ranges = (
        ((100, 1000), (0.052, 0.060), range(2, 6)),
        ((680, 1300), (0.0067, 0.0067), (1,)),
        ((100, 300), (0.01, 0.1), range(1, 9)),
        ((385, 425), (0.0079, 0.0079), (1,)),
        ((450, 550), (0.006, 0.010), (1, 2, 5, 8, 20, 35)),
    )
    for number, (frequencies, lengths, counts) in enumerate(ranges):
        own = kind == number
        hz[own] = rng.uniform(*frequencies, own.sum())
        long[own] = rng.uniform(*lengths, own.sum())
        pulses[own] = rng.choice(list(counts), own.sum())
    return cells(rng, hz, long / 4, pulses, rng.uniform(6, 32, DRAWS))


def main() -> None:
    """Learn which cells are calls from one half of the draws, and print what is found in the other half."""
    rng = np.random.default_rng(0)
    known_calls, known_others = calls(rng), others(rng)
    every, where = np.unique(np.concatenate((known_calls, known_others)), return_inverse=True)
    of_calls, of_others = (np.bincount(part, minlength=len(every)) for part in (where[:DRAWS], where[DRAWS:]))
    rank = np.argsort(np.argsort(-of_calls / (of_others + 0.5)))

    def ranks(sounds: NDArray[np.int64]) -> NDArray[np.int64]:
        nearest = np.searchsorted(every, sounds).clip(0, len(every) - 1)
        return np.sort(np.where(every[nearest] == sounds, rank[nearest], len(every)))

    new_calls, new_others = ranks(calls(rng)), ranks(others(rng))
    for per_hour in (3, 6, 12):
        last = new_others[int(per_hour / OTHERS_PER_HOUR * DRAWS)]
        print(f"at {per_hour} false events an hour: {(new_calls < last).mean():.2f} of the calls")


if __name__ == "__main__":
    main()
