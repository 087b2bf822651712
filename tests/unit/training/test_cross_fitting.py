"""Cross-fitting: who learns from which recordings, and who scores them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anemonefish.training.cross_fitting import cross_fit
from anemonefish.training.fit import EpochFigures, FitHistory


@dataclass
class Fit:
    """A training that remembers what it has heard. The second epoch is the best one."""

    heard: set[str]
    history = FitHistory([EpochFigures(0, 1, 0.5), EpochFigures(1, 1, 0.9), EpochFigures(2, 1, 0.6)])

    def after(self, epoch: int) -> tuple[set[str], int]:
        return self.heard, epoch


def test_each_recording_is_scored_by_a_network_that_has_not_heard_it() -> None:
    trainings = []

    def fit(name: str, training: Any, held_out: Any, *, epochs: int | None = None) -> Fit:
        trainings.append((set(training), held_out, epochs))
        return Fit(set(training))

    def score(network: Any, recordings: Sequence[str]) -> Any:
        return [(each, *network) for each in recordings]

    pool: Any = list
    done: Any = cross_fit([["a", "b"], ["c"], ["d"]], pool, pool, fit, score)
    assert [each for each, *_ in done.scored] == ["a", "b", "c", "d"]
    assert all(each not in heard and len(heard) >= 2 and epoch == 1 for each, heard, epoch in done.scored)
    assert trainings[-1] == ({"a", "b", "c", "d"}, None, 2)
    assert done.network == ({"a", "b", "c", "d"}, 1)
