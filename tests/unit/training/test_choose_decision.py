"""Thresholds for a wanted precision, and figures with intervals by recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anemonefish.evaluation.matching import Counts
from anemonefish.training.audio_cache import CachedAudio
from anemonefish.training.choose_decision import (
    THRESHOLDS,
    Evidence,
    choose_decision,
    choose_threshold,
    lower_limits,
)
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


def counts_of(*rows: tuple[int, int]) -> np.ndarray:
    """Return counts of one recording with (events, matched) at each threshold; of 20 calls in 8 bouts."""
    table = [[[20, e, m, m, m], [8, min(e, 8), min(m, 8), min(m, 8), m]] for e, m in rows]
    return np.array([table])


def test_threshold_is_the_one_with_most_calls_at_the_precision() -> None:
    calls = [(5 * index, 5 * index + 0.2, 0.3 + 0.05 * index) for index in range(10)]
    chosen = choose_decision([scored("a.wav", *calls, (55, 55.2, 0.4))], ["call"], 0, 0.85)
    assert 0.4 <= chosen.decision.threshold < 0.45
    assert chosen.thresholds[0].evidence is Evidence.ENOUGH
    assert chosen.thresholds[0].at.calls == Counts(10, 7, 7, 7, 7)
    looser = choose_decision([scored("a.wav", *calls, (55, 55.2, 0.4))], ["call"], 0, 0.8)
    assert looser.thresholds[0].at.calls.labels_found == 10


def test_precision_that_cannot_be_reached_is_said() -> None:
    false = [(50 + index, 50.2 + index, 0.9) for index in range(1, 9, 2)]
    chosen = choose_decision([scored("a.wav", (5, 5.2, 0.8), *false)], ["call"], 0, 0.9)
    assert chosen.thresholds[0].evidence is Evidence.MISSED


def test_few_events_raise_the_threshold_and_say_that_they_are_few() -> None:
    """Four of four events right do not show a precision of 0.9; twenty do."""
    few = [scored("a.wav", *((10 * n, 10 * n + 0.2, 0.6) for n in range(4)), (45, 45.2, 0.4))]
    many = [
        scored(f"{r}.wav", *((10 * n, 10 * n + 0.2, 0.6) for n in range(4)), *([(45, 45.2, 0.4)] * (r == 0)))
        for r in range(5)
    ]
    (own,) = choose_decision(few, ["call"], 0, 0.9).thresholds
    assert (own.evidence, own.is_doubtful) == (Evidence.LITTLE, True)
    (own,) = choose_decision(many, ["call"], 0, 0.9).thresholds
    assert (own.evidence, own.is_doubtful) == (Evidence.ENOUGH, False)


def test_lower_limit_counts_recordings_and_not_events_where_they_differ() -> None:
    """The same 36 of 40 events are worth less where one recording has all false ones."""
    alike = np.concatenate([counts_of((10, 9))] * 4)
    unlike = np.concatenate([*[counts_of((10, 10))] * 3, counts_of((10, 6))])
    assert alike.sum(axis=0)[0, 0, 1] == unlike.sum(axis=0)[0, 0, 1] == 40
    assert lower_limits(unlike)[0] == pytest.approx(0.78469, abs=1e-5)
    assert lower_limits(alike)[0] == pytest.approx(0.85286, abs=1e-5)
    assert lower_limits(counts_of((0, 0)))[0] == 0
    assert lower_limits(counts_of((4, 4)))[0] == pytest.approx(1 / (1 + 0.8416**2 / 4))


def test_expected_precision_is_of_recordings_that_did_not_choose() -> None:
    """One recording has false events of 0.5; the others would have chosen a threshold below."""
    clean = [scored(f"{r}.wav", *((5 * n, 5 * n + 0.2, 0.4 + 0.1 * (n % 5)) for n in range(9))) for r in range(6)]
    noisy = scored("noisy.wav", (5, 5.2, 0.9), *((51 + 2 * n, 51.2 + 2 * n, 0.5) for n in range(4)))
    (chosen,) = choose_decision([*clean, noisy], ["call"], 0, 0.9).thresholds
    assert chosen.expected.recordings["noisy.wav"].calls.false_positives == 4
    assert chosen.precision.value is not None
    assert chosen.precision.value < float(chosen.at.calls.precision or 0)
    assert chosen.precision.low is not None


def test_every_class_has_its_threshold_in_the_decision() -> None:
    scores = {"grunt": 0.8, "pop": 0.4}
    both = scored("a.wav", *((5 * n, 5 * n + 0.2, 0.8) for n in range(9)), (51, 51.2, 0.7))
    faint = scored("a.wav", *((5 * n, 5 * n + 0.2, 0.4) for n in range(9)), (51, 51.2, 0.2))
    labels = both.recording.labels
    recording = replace(both.recording, labels=(*labels, *(replace(label, meaning=1) for label in labels)))
    joined = replace(both, recording=recording, scores=np.concatenate((both.scores, faint.scores), axis=1))
    decided = choose_decision([joined], list(scores), 0, 0.9)
    assert 0.7 <= decided.decision.threshold_of("grunt") <= 0.8
    assert 0.2 <= decided.decision.threshold_of("pop") <= 0.4
    assert decided.decision.threshold == decided.of(0).threshold_of("grunt")
    assert decided.of(1).threshold == decided.decision.threshold_of("pop")


def test_one_event_over_everything_is_not_chosen() -> None:
    """At a low threshold each recording is one event, which is right; at the others the precision is too low."""
    everything = [[20, 1, 1, 20, 1], [8, 1, 1, 8, 1]]
    useful = [[20, 10, 8, 18, 8], [8, 8, 7, 7, 8]]
    counts = np.array([[everything] * 20 + [useful] * (len(THRESHOLDS) - 20)] * 10)
    place, evidence = choose_threshold(counts, 0.9)
    assert (place >= 20, evidence) == (True, Evidence.MISSED)
    place, evidence = choose_threshold(counts, 0.7)
    assert (place >= 20, evidence) == (True, Evidence.ENOUGH)


def test_events_between_labels_do_not_count_where_nobody_listened() -> None:
    everywhere = scored("a.wav", (5, 5.2, 0.9), (55, 55.2, 0.9))
    labelled_only = scored("a.wav", (5, 5.2, 0.9), (55, 55.2, 0.9), only_labelled=True)
    decision = choose_decision([everywhere], ["call"], 0, 0.5).decision
    assert len(everywhere.events(0, decision)) == 2
    assert len(labelled_only.events(0, decision)) == 1


def test_median_is_not_chosen_where_it_loses_lone_calls() -> None:
    """A call whose score is high in one window only survives no median."""
    each = scored("a.wav", (10, 10.2, 0.9), (30, 30.2, 0.9))
    each.scores[:] = 0.01
    each.scores[[98, 299], 0] = 0.9
    assert choose_decision([each], ["call"], 0, 0.9).decision.median_windows == 1


def test_intervals_are_by_recording() -> None:
    good = [scored(f"{index}.wav", (5, 5.2, 0.9), (10, 10.2, 0.9)) for index in range(6)]
    decided = choose_decision(good, ["call"], 0, 0.9)
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
    (figures,) = figures_of(two, ["call"], choose_decision(two, ["call"], 0, 0.9))
    assert figures.recall.words() == "1.00"


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.95])
def test_chosen_precision_is_at_least_the_wanted_one(wanted: float) -> None:
    rng = np.random.default_rng(4)
    calls = [(2 * index, 2 * index + 0.2, float(rng.uniform(0.3, 1))) for index in range(24)]
    false = [(50 + index, 50.2 + index, float(rng.uniform(0, 0.8))) for index in range(1, 9)]
    chosen = choose_decision([scored("a.wav", *calls, *false)], ["call"], 0, wanted).thresholds[0]
    assert chosen.evidence > Evidence.MISSED
    assert float(chosen.at.calls.precision or 0) >= wanted
