"""Smoothing is compared with scipy, and events with a direct implementation of the lab's rules."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from anemonefish.models.decision import LAB_DECISION, Decision
from anemonefish.results import events
from anemonefish.results.events import find_class_runs, find_events, smooth
from anemonefish.windows import WindowGrid

CLASSES = ("noise", "anemonefish", "biological")
scores_3 = arrays(
    np.float32, st.tuples(st.integers(0, 60), st.just(3)), elements=st.floats(0, 1, width=32).map(np.float32)
)


def load(**overrides: float) -> Decision:
    return Decision.from_dict({**LAB_DECISION.to_dict(), **overrides})


@pytest.mark.filterwarnings("ignore:kernel_size exceeds volume extent")  # scipy then pads with zeros too
@given(scores_3, st.sampled_from([1, 3, 5, 7, 51]))
def test_smoothing_equals_scipys_median_filter(scores: NDArray[np.float32], kernel: int) -> None:
    smoothed = smooth(scores, kernel)
    assert smoothed.dtype == np.float32
    for column in range(3):
        if len(scores):
            np.testing.assert_array_equal(smoothed[:, column], scipy.signal.medfilt(scores[:, column], kernel))


def test_blocks_of_the_median_filter_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(1).random((1_000, 3), np.float32)
    whole = {kernel: smooth(scores, kernel) for kernel in (3, 5, 99)}
    for size in (1, 7, 999, 1_000, 1_001):
        monkeypatch.setattr(events, "_BLOCK_WINDOWS", size)
        for kernel, expected in whole.items():
            np.testing.assert_array_equal(smooth(scores, kernel), expected)


def literal_events(
    scores: NDArray[np.float32], grid: WindowGrid, rate: int, decision: Decision
) -> list[tuple[int, int, int]]:
    """Apply the lab's rules window by window, with times in exact microseconds."""
    found: list[list[int]] = []
    run: list[int] = []
    for index, score in enumerate([*scores.tolist(), -1.0]):
        if score > decision.threshold:
            run.append(index)
        elif run:
            start, stop = run[0] * grid.hop, run[-1] * grid.hop + grid.window
            if (stop - start) * 1_000_000 >= round(decision.min_duration_seconds * 1e6) * rate:
                found.append([start, stop, len(run)])
            run = []
    merged: list[list[int]] = []
    for event in found:
        if merged and (event[0] - merged[-1][1]) * 1_000_000 < round(decision.min_gap_seconds * 1e6) * rate:
            merged[-1][1], merged[-1][2] = event[1], merged[-1][2] + event[2]
        else:
            merged.append(event)
    return [(start, stop, count) for start, stop, count in merged]


@given(
    arrays(np.float32, st.integers(0, 80), elements=st.sampled_from([0.0, 0.2, 0.5, 0.51, 0.9, 1.0]).map(np.float32)),
    st.sampled_from([(400, 200), (1000, 400), (100, 100), (100, 350)]),
    st.sampled_from([0.0, 0.2, 0.5, 1.1]),
    st.sampled_from([0.0, 0.1, 0.25, 2.0]),
)
def test_events_follow_the_labs_rules(
    scores: NDArray[np.float32], cut: tuple[int, int], duration: float, gap: float
) -> None:
    window, hop = cut
    grid = WindowGrid(max(0, len(scores) - 1) * hop + (window if len(scores) else 0), window, hop)
    decision = load(min_duration_seconds=duration, min_gap_seconds=gap)
    events = find_events(scores, grid, 1_000, "anemonefish", decision)
    assert [(event.start, event.stop, event.n_windows) for event in events] == literal_events(
        scores, grid, 1_000, decision
    )
    for event in events:
        assert decision.threshold < event.mean_score <= event.max_score <= 1


def test_score_equal_to_the_threshold_is_not_above_it() -> None:
    grid = WindowGrid(48_000, 19_200, 9_600)
    at = np.full(grid.n_windows, 0.7, np.float32)  # as float32 this is slightly below the 0.7 of the setting
    assert find_events(at, grid, 48_000, "anemonefish", load(threshold=0.7)) == ()
    assert len(find_events(at, grid, 48_000, "anemonefish", load(threshold=0.6999))) == 1


def test_mean_and_maximum_are_over_the_windows_above_the_threshold() -> None:
    grid = WindowGrid(19_200 + 6 * 9_600, 19_200, 9_600)
    scores = np.array([0.6, 0.8, 0.1, 0.7, 0.2, 0.2, 0.2], np.float32)
    (event,) = find_events(scores, grid, 48_000, "anemonefish", load())
    assert (event.start, event.stop, event.n_windows) == (0, 3 * 9_600 + 19_200, 3)
    np.testing.assert_allclose([event.mean_score, event.max_score], [0.7, 0.8], atol=1e-7)


@given(scores_3)
def test_class_runs_are_runs_of_the_class_with_the_highest_score(scores: NDArray[np.float32]) -> None:
    grid = WindowGrid(max(0, len(scores) - 1) * 200 + (400 if len(scores) else 0), 400, 200)
    runs = find_class_runs(scores, grid, CLASSES, "noise", LAB_DECISION)
    covered = {}
    for run in runs:
        for index in range(run.start // 200, run.start // 200 + run.n_windows):
            covered[index] = run.label
        assert run.stop == (run.start // 200 + run.n_windows - 1) * 200 + 400  # the end of the last window
    expected = {i: CLASSES[k] for i, k in enumerate(scores.argmax(axis=1)) if CLASSES[k] != "noise"}
    assert covered == expected
    for first, second in pairwise(runs):
        assert first.label != second.label or second.start > first.start + first.n_windows * 200


def test_single_class_has_runs_above_the_threshold() -> None:
    grid = WindowGrid(400 + 4 * 200, 400, 200)
    scores = np.array([[0.9], [0.8], [0.1], [0.7], [0.2]], np.float32)
    runs = find_class_runs(scores, grid, ("anemonefish",), "noise", LAB_DECISION)
    assert [(run.start, run.stop, run.label) for run in runs] == [(0, 600, "anemonefish"), (600, 1000, "anemonefish")]
