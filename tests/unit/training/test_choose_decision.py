"""Thresholds for a wanted precision, and figures with intervals by recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anemonefish.evaluation.matching import Counts
from anemonefish.training.audio_cache import CachedAudio
from anemonefish.training.choose_decision import ThresholdCounts, choose_decision, choose_threshold
from anemonefish.training.held_out import figures_of
from anemonefish.training.scored_recordings import ScoredRecording
from anemonefish.windows import WindowGrid
from tests.unit.training.conftest import RATE, labelled


def scored(name: str, *calls: tuple[float, float, float], only_labelled: bool = False) -> ScoredRecording:
    """Return a recording of a minute with labels of (start, stop, score of its windows); without a label from 50 s."""
    grid = WindowGrid(60 * RATE, int(0.4 * RATE), RATE // 10)
    scores = np.full((grid.n_windows, 1), 0.01, np.float32)
    for start, stop, score in calls:
        first, last = round((start - 0.3) * 10), round(stop * 10)
        scores[max(0, first) : last, 0] = score
    labels = [(start, stop, 0) for start, stop, _ in calls if start < 50]
    recording = labelled(name, *labels)
    return ScoredRecording(recording, CachedAudio(Path("none"), 60 * RATE, RATE), grid, scores, only_labelled)


def test_threshold_is_the_one_with_most_calls_at_the_precision() -> None:
    calls = [(5 * index, 5 * index + 0.2, 0.3 + 0.05 * index) for index in range(10)]
    chosen = choose_decision([scored("a.wav", *calls, (55, 55.2, 0.4))], 1, 0, 0.99)
    assert 0.4 <= chosen.decision.threshold < 0.45
    assert chosen.thresholds[0].reached
    assert chosen.thresholds[0].at.calls == Counts(10, 7, 7, 7, 7)
    looser = choose_decision([scored("a.wav", *calls, (55, 55.2, 0.4))], 1, 0, 0.9)
    assert looser.thresholds[0].at.calls.labels_found == 10


def test_precision_that_cannot_be_reached_is_said() -> None:
    false = [(50 + index, 50.2 + index, 0.9) for index in range(1, 9, 2)]
    chosen = choose_decision([scored("a.wav", (5, 5.2, 0.8), *false)], 1, 0, 0.9)
    assert not chosen.thresholds[0].reached


def test_one_event_over_everything_is_not_chosen() -> None:
    """At a low threshold everything is one event, whose precision is 1."""
    everything = ThresholdCounts(0.02, Counts(20, 1, 1, 20, 1), Counts(8, 1, 1, 8, 1))
    calls = ThresholdCounts(0.6, Counts(20, 9, 9, 18, 9), Counts(8, 9, 7, 8, 9))
    assert choose_threshold([everything, calls], 0.9).threshold == 0.6


def test_events_between_labels_do_not_count_where_nobody_listened() -> None:
    everywhere = scored("a.wav", (5, 5.2, 0.9), (55, 55.2, 0.9))
    labelled_only = scored("a.wav", (5, 5.2, 0.9), (55, 55.2, 0.9), only_labelled=True)
    decision = choose_decision([everywhere], 1, 0, 0.5).decision
    assert len(everywhere.events(0, decision)) == 2
    assert len(labelled_only.events(0, decision)) == 1


def test_median_is_not_chosen_where_it_loses_lone_calls() -> None:
    """A call whose score is high in one window only survives no median."""
    each = scored("a.wav", (10, 10.2, 0.9), (30, 30.2, 0.9))
    each.scores[:] = 0.01
    each.scores[[98, 299], 0] = 0.9
    assert choose_decision([each], 1, 0, 0.9).decision.median_windows == 1


def test_intervals_are_by_recording() -> None:
    good = [scored(f"{index}.wav", (5, 5.2, 0.9), (10, 10.2, 0.9)) for index in range(6)]
    decided = choose_decision(good, 1, 0, 0.9)
    (same,) = figures_of(good, ["call"], decided)
    assert (same.recall.value, same.recall.high) == (1.0, 1.0)
    bad = [scored(f"bad{index}.wav", (5, 5.2, 0.01), (10, 10.2, 0.01)) for index in range(2)]
    (mixed,) = figures_of([*good, *bad], ["call"], decided)
    assert mixed.recall.value == 0.75
    assert mixed.recall.low is not None
    assert mixed.recall.high is not None
    assert mixed.recall.low < 0.75 < mixed.recall.high
    assert (mixed.precision.value, mixed.summary.false_per_hour.value) == (1.0, 0.0)


def test_too_few_recordings_have_no_interval() -> None:
    two = [scored(f"{index}.wav", (5, 5.2, 0.9)) for index in range(2)]
    (figures,) = figures_of(two, ["call"], choose_decision(two, 1, 0, 0.9))
    assert figures.recall.words() == "1.00"


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
def test_chosen_precision_is_at_least_the_wanted_one(wanted: float) -> None:
    rng = np.random.default_rng(4)
    calls = [(2 * index, 2 * index + 0.2, float(rng.uniform(0.3, 1))) for index in range(24)]
    false = [(50 + index, 50.2 + index, float(rng.uniform(0, 0.8))) for index in range(1, 9)]
    chosen = choose_decision([scored("a.wav", *calls, *false)], 1, 0, wanted).thresholds[0]
    assert chosen.reached
    assert float(chosen.at.calls.precision or 0) >= wanted
