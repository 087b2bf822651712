"""The windows of an epoch: balanced, shifted, varied, the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from anemonefish.training.augmentation import Augmentation, mixed_targets
from anemonefish.training.label_meanings import NEGATIVE
from anemonefish.training.window_examples import WindowPool
from anemonefish.training.window_rule import window_targets
from tests.unit.training.conftest import QUICK, RATE, labelled

MakePool = Callable[..., WindowPool]
CALLS = tuple((second, second + 0.2, 0) for second in range(2, 18, 2))


@pytest.fixture
def pool(make_pool: MakePool) -> WindowPool:
    rare = ((5.0, 5.2, 1),)
    return make_pool(
        labelled("a.wav", *CALLS, seconds=20.0),
        labelled("b.wav", *CALLS, *rare, (9, 9.4, NEGATIVE), seconds=20.0),
        classes=2,
    )


def test_windows_lie_on_the_grid(pool: WindowPool) -> None:
    assert len(pool.targets) == 2 * ((20 * RATE - pool.window) // pool.hop + 1)
    assert pool.counts() == [16 * 5, 5]
    assert not set(pool.positive) & set(pool.negative)


def test_epoch_hears_the_rare_class_as_often(pool: WindowPool) -> None:
    pool.options = replace(QUICK, epoch_windows=(1000, 1000))
    holds = (pool.epoch(0).targets == 1).sum(axis=0)
    assert 0.6 < holds[0] / holds[1] < 1.6


def test_shifted_windows_are_judged_where_they_are(pool: WindowPool) -> None:
    epoch = pool.epoch(0)
    assert (epoch.start % pool.hop != 0).any()
    for number in range(2):
        rows = np.flatnonzero(epoch.recording == number)
        rows = rows[np.argsort(epoch.start[rows], kind="stable")]
        expected, _ = window_targets(epoch.start[rows], pool.window, RATE, pool.recordings[number].labels, 2)
        np.testing.assert_array_equal(epoch.targets[rows], expected)


def test_same_epoch_is_the_same_and_the_next_is_another(pool: WindowPool) -> None:
    first, again, second = (list(pool.batches(number)) for number in (0, 0, 1))
    assert all((a == b).all() and (c == d).all() for (a, c), (b, d) in zip(first, again, strict=True))
    assert not all((a == b).all() for (a, _), (b, _) in zip(first, second, strict=True) if a.shape == b.shape)


def test_hard_negatives_are_the_windows_that_were_scored_highest(pool: WindowPool) -> None:
    loud = []

    def score(spectrograms: np.ndarray) -> np.ndarray:
        scores = spectrograms.mean(axis=(1, 2, 3))
        loud.extend(scores.tolist())
        return np.stack((scores, np.zeros_like(scores)), axis=1).astype(np.float32)

    pool.find_hard(score, 0)
    assert pool.hard is not None
    order = pool.negative[np.argsort(-np.array(loud), kind="stable")]
    assert pool.hard.tolist() == order[: len(pool.hard)].tolist()
    assert (pool.targets[pool.hard] != 1).all()


def test_labels_of_other_sounds_are_heard_in_every_epoch(pool: WindowPool) -> None:
    epoch = pool.epoch(0)
    inside = (epoch.recording == 1) & (abs(epoch.start / RATE - 9) < 0.3)
    assert inside.sum() >= 10


def test_ignored_stretches_are_never_heard(make_pool: MakePool) -> None:
    options = replace(QUICK, stretches="ignore")
    made = make_pool(labelled("a.wav", *CALLS, (9, 9.4, NEGATIVE), seconds=20.0), options=options)
    assert len(made.negative) > 0
    starts = made.epoch(0).start / RATE
    assert all(
        any(start < stop and begin < start + 0.4 for begin, stop, _ in (*CALLS, (9, 9.4, 0))) for start in starts
    )


def test_recording_that_was_declared_empty_is_negative_where_stretches_are_ignored(make_pool: MakePool) -> None:
    made = make_pool(labelled("a.wav", seconds=5.0, label_file=""), options=replace(QUICK, stretches="ignore"))
    assert len(made.negative) == len(made.targets)


def test_held_out_windows_are_not_varied_and_stand_for_all(pool: WindowPool) -> None:
    fixed, again = pool.fixed(50), pool.fixed(50)
    assert fixed.spectrograms.shape == (50, *pool.input.shape)
    np.testing.assert_array_equal(fixed.spectrograms, again.spectrograms)
    holds = (fixed.targets == 1).any(axis=1)
    assert holds.sum() == min(25, len(pool.positive))
    assert fixed.counts[holds].sum() == pytest.approx(len(pool.positive))
    assert fixed.counts[~holds].sum() == pytest.approx(len(pool.negative))


def test_noise_stays_below_the_call_and_offsets_are_added() -> None:
    rng = np.random.default_rng(0)
    windows, noises = 0.1 * rng.standard_normal((200, 400)), rng.standard_normal((200, 400))
    plain = Augmentation(gain_db=(0, 0), noise_chance=1, offset_chance=0)
    added = plain.apply(windows, noises, None, np.random.default_rng(1)) - windows
    ratio = added.std(axis=1) / windows.std(axis=1)
    assert ratio.min() >= 10 ** (-20 / 20) * 0.99
    assert ratio.max() <= 10 ** (-3 / 20) * 1.01
    shifted = Augmentation(gain_db=(0, 0), offset_chance=1).apply(windows, None, None, np.random.default_rng(1))
    offsets = (shifted - windows).mean(axis=1)
    assert abs(offsets).max() <= 0.03
    assert len(np.unique(offsets.round(6))) == 200


def test_sound_of_another_window_adds_its_classes() -> None:
    own, added = np.array([[1, 0, -1, 0]], np.int8), np.array([[0, 1, 0, -1]], np.int8)
    assert mixed_targets(own, added).tolist() == [[1, 1, -1, -1]]
