"""Fitting a network: what it learns, when it stops, and how it continues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anemonefish.training.fit import EpochFigures, FitHistory, FittedNetwork, average_precision, fit_network
from anemonefish.training.keras_setup import prepare_keras
from anemonefish.training.network import make_network
from anemonefish.training.window_examples import WindowPool
from tests.unit.training.conftest import INPUT, QUICK, labelled

pytestmark = pytest.mark.slow

CALLS = tuple((second, second + 0.2, 0) for second in range(2, 18, 2))
OPTIONS = replace(QUICK, epochs=4)


def silent(done: int, total: int) -> None:
    pass


@pytest.fixture
def fit(make_pool: Callable[..., WindowPool], tmp_path: Path) -> Callable[..., FittedNetwork]:
    def run(
        folder: str, progress: Callable[[int, int], None] = silent, *, alone: bool = False, epochs: int | None = None
    ) -> FittedNetwork:
        prepare_keras(1, 1)
        training = make_pool(labelled("a.wav", *CALLS, seconds=20.0), options=OPTIONS)
        held_out = None if alone else make_pool(labelled("b.wav", *CALLS, seconds=20.0), options=OPTIONS)
        network = make_network(INPUT.shape, 1)
        return fit_network(network, training, held_out, OPTIONS, tmp_path / folder, progress, epochs=epochs)

    return run


def test_interrupted_training_continues_and_gives_the_same_weights(fit: Callable[..., FittedNetwork]) -> None:
    whole = fit("whole")
    steps = [0]

    def interrupt(done: int, total: int) -> None:
        steps[0] = done
        if done > total * 0.8:  # in the fourth epoch, after hard negatives were found
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit("parts", interrupt)
    continued = fit("parts")
    assert (whole.history.resumed, continued.history.resumed) == (0, 3)
    assert continued.history.epochs == whole.history.epochs
    for epoch in (1, 3):
        for one, other in zip(whole.after(epoch).get_weights(), continued.after(epoch).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_training_without_held_out_windows_ends_after_the_epochs_that_were_asked_for(
    fit: Callable[..., FittedNetwork],
) -> None:
    """Its learning rate falls as in the longer schedule, so that it is like the networks of the folds."""
    few, all_of_them = fit("few", alone=True, epochs=2), fit("whole", alone=True)
    assert [each.epoch for each in few.history.epochs] == [0, 1]
    assert few.history.epochs == all_of_them.history.epochs[:2]
    assert few.history.epochs[0].held_out_precision is None


def test_training_stops_when_the_average_precision_no_longer_rises() -> None:
    history = FitHistory([EpochFigures(0, 1, 0.7), EpochFigures(1, 1, 0.6), EpochFigures(2, 1, 0.7)])
    assert history.has_stalled(2)
    assert not history.has_stalled(3)
    assert not FitHistory().has_stalled(1)
    assert not FitHistory([EpochFigures(0, 1, None), EpochFigures(1, 1, None)]).has_stalled(1)


def test_weights_are_averaged(fit: Callable[..., FittedNetwork], tmp_path: Path) -> None:
    """What is kept after an epoch differs from the weights of its last step."""
    kept = fit("one", alone=True, epochs=1).after(0).get_weights()[0]
    with np.load(tmp_path / "one" / "checkpoint.npz") as saved:
        last = saved["state0"]  # the kernel of the first convolution
    assert kept.shape == last.shape
    assert np.abs(kept - last).max() > 1e-4


def test_average_precision_depends_on_the_order_and_on_what_windows_stand_for() -> None:
    scores, targets = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, -1, 1], np.int8)
    assert average_precision(scores, targets, np.ones(4, np.float32)) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(scores, targets, np.array([1, 3, 1, 1], np.float32)) == pytest.approx((1 + 2 / 5) / 2)
    assert average_precision(scores**2, targets, np.ones(4, np.float32)) == pytest.approx((1 + 2 / 3) / 2)
