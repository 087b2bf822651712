"""Fitting a network: what it learns, when it stops, and how it continues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anemonefish.training.fit import EpochFigures, FitHistory, fit_network
from anemonefish.training.keras_setup import prepare_keras
from anemonefish.training.separable_network import make_network
from anemonefish.training.window_examples import WindowPool
from tests.unit.training.conftest import INPUT, QUICK, labelled

CALLS = tuple((second, second + 0.2, 0) for second in range(2, 18, 2))
OPTIONS = replace(QUICK, epochs=4)


def silent(done: int, total: int) -> None:
    pass


@pytest.fixture
def fit(make_pool: Callable[..., WindowPool], tmp_path: Path) -> Callable[..., tuple[Any, FitHistory]]:
    def run(folder: str, progress: Callable[[int, int], None] = silent) -> tuple[Any, FitHistory]:
        prepare_keras(1, 1)
        training = make_pool(labelled("a.wav", *CALLS, seconds=20.0), options=OPTIONS)
        validation = make_pool(labelled("b.wav", *CALLS, seconds=20.0), options=OPTIONS)
        network = make_network(INPUT.shape, 1)
        return network, fit_network(network, training, validation, OPTIONS, tmp_path / folder, progress)

    return run


def test_interrupted_training_continues_and_gives_the_same_weights(fit: Callable[..., Any]) -> None:
    whole, history = fit("whole")
    steps = [0]

    def interrupt(done: int, total: int) -> None:
        steps[0] = done
        if done > total * 0.8:  # in the fourth epoch, after hard negatives were found
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit("parts", interrupt)
    continued, resumed = fit("parts")
    assert (history.resumed, resumed.resumed) == (0, 3)
    assert resumed.epochs == history.epochs
    for one, other in zip(whole.get_weights(), continued.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_stops_when_the_loss_no_longer_falls() -> None:
    history = FitHistory([EpochFigures(0, 1, 0.5), EpochFigures(1, 1, 0.6), EpochFigures(2, 1, 0.7)], best=0)
    assert history.has_stalled(2)
    assert not history.has_stalled(3)
    assert not FitHistory().has_stalled(1)
