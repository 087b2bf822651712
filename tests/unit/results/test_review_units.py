"""Units cover a recording once; a draw has the promised number of each stratum and depends on the seed alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from anemonefish.errors import InvalidRequest
from anemonefish.results.events import smooth
from anemonefish.results.read import ScoredRecording, find_results, read_result
from anemonefish.results.recording_result import RecordingResult
from anemonefish.results.review_units import EVENT, SCORE_EDGES, SEGMENT, ReviewUnit, draw_units, review_units
from tests.decided_results import random_scores, write_formats


@pytest.fixture
def scored(results: Path) -> list[ScoredRecording]:
    return [read_result(path) for path in find_results(results).values()]


def test_units_cover_a_recording_once_and_events_are_those_of_the_results(scored: list[ScoredRecording]) -> None:
    for recording in scored:
        units = review_units(recording)
        assert (units[0].start, units[-1].stop) == (0, recording.grid.n_samples)
        assert all(one.stop == other.start for one, other in pairwise(units))
        smoothed = smooth(recording.scores, recording.decision.median_windows)
        events = recording.events(smoothed, "anemonefish", recording.decision.threshold)
        assert [(unit.start, unit.stop, unit.score) for unit in units if unit.kind == EVENT] == [
            (event.start, event.stop, round(event.max_score, 6)) for event in events
        ]
        lengths = [unit.seconds for unit in units if unit.kind == SEGMENT]
        assert max(lengths) < Fraction(9, 2)


def test_score_of_a_segment_is_the_highest_of_the_windows_whose_middle_lies_in_it(
    scored: list[ScoredRecording],
) -> None:
    recording = scored[0]
    column = smooth(recording.scores, recording.decision.median_windows)[:, 1]
    grid = recording.grid
    compared = 0
    for unit in review_units(recording):
        middles = [index * grid.hop + grid.window / 2 for index in range(grid.n_windows)]
        inside = [column[index] for index, middle in enumerate(middles) if unit.start <= middle < unit.stop]
        if unit.kind == SEGMENT and inside:
            assert unit.score == round(float(max(inside)), 6)
            compared += 1
    assert compared > 10


def test_gap_without_the_middle_of_a_window_takes_the_windows_that_overlap_it(
    make_result: Callable[..., RecordingResult], tmp_path: Path
) -> None:
    target = np.full(40, 0.2, np.float32)
    target[1:20] = 0.9  # the event begins at 0.2 s, where the first window has its middle
    scores = np.stack([1 - target, target, np.zeros(40, np.float32)], axis=1)
    write_formats(tmp_path, make_result("edge.wav", scores, median_windows=1), "parquet")
    (path,) = find_results(tmp_path).values()
    first, second, *_ = review_units(read_result(path))
    assert (first.kind, first.start, first.stop, first.score) == (SEGMENT, 0, 9_600, 0.2)
    assert (second.kind, second.start) == (EVENT, 9_600)


def unit(number: int, score: float, kind: str = SEGMENT) -> ReviewUnit:
    return ReviewUnit(
        recording="a.wav",
        start=number * 100,
        stop=number * 100 + 50,
        sample_rate=100,
        label="x",
        kind=kind,
        score=score,
    )


@pytest.mark.parametrize(
    ("score", "stratum"),
    [(0.0, "event 0-0.01"), (0.01, "event 0.01-0.1"), (0.99, "event 0.99-1"), (1.0, "event 0.99-1")],
)
def test_score_at_an_edge_belongs_to_the_stratum_above(score: float, stratum: str) -> None:
    assert unit(0, score, EVENT).stratum == stratum


def many(seed: int = 0) -> list[ReviewUnit]:
    rng = np.random.default_rng(seed)
    middles = [(low + high) / 2 for low, high in pairwise(SCORE_EDGES)]
    quiet = [unit(number, 0.001) for number in range(400)]
    others = [unit(1000 + number, float(rng.choice(middles)), EVENT) for number in range(100)]
    return [*quiet, *others, unit(5000, 0.4)]


def test_draw_has_the_asked_number_and_at_least_two_of_each_stratum() -> None:
    units = many()
    sizes = Counter(each.stratum for each in units)
    drawn = draw_units(units, 60, seed=1)
    counts = Counter(each.unit.stratum for each in drawn)
    assert len({each.unit.clip for each in drawn}) == len(drawn) == 60
    assert counts.keys() == sizes.keys()
    assert all(counts[name] >= min(2, size) for name, size in sizes.items())
    assert {(each.unit.stratum, each.stratum_size, each.drawn) for each in drawn} == {
        (name, sizes[name], counts[name]) for name in sizes
    }
    assert max(counts, key=lambda name: counts[name]) == "segment 0-0.01"  # most calls could be missed there
    lengths = {each.unit.stratum: each.stratum_seconds for each in drawn}
    assert lengths == {name: Fraction(size, 2) for name, size in sizes.items()}


def test_draw_depends_on_the_seed_and_not_on_the_order_of_the_units() -> None:
    units = many()
    drawn = draw_units(units, 50, seed=1)
    assert draw_units(reversed(units), 50, seed=1) == drawn
    assert draw_units(units, 50, seed=2) != drawn


def test_larger_draw_with_the_same_seed_contains_the_smaller_one() -> None:
    units = many()
    smaller, larger = ({each.unit for each in draw_units(units, clips, seed=7)} for clips in (40, 90))
    assert smaller < larger


def test_each_unit_of_a_stratum_is_drawn_equally_often() -> None:
    units = [unit(number, 0.001) for number in range(10)]
    seeds = 2_000
    counts = Counter(each.unit.start for seed in range(seeds) for each in draw_units(units, 3, seed))
    expected = seeds * 3 / 10
    # Five standard deviations of a binomial count.
    assert all(abs(counts[each.start] - expected) < 5 * (expected * 0.7) ** 0.5 for each in units)


def test_draw_of_more_units_than_there_are_takes_all() -> None:
    assert len(draw_units(many(), 10_000, seed=0)) == 501


def test_draw_that_is_too_small_says_the_least_number() -> None:
    with pytest.raises(InvalidRequest, match=r"ask for at least 19$"):
        draw_units(many(), 10, seed=0)


def test_results_without_a_window_have_nothing_to_review(
    make_result: Callable[..., RecordingResult], tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequest, match="no window was scored"):
        draw_units([], 10, seed=0)
    write_formats(tmp_path, make_result("short.wav", random_scores(0)[:1]), "parquet")
    (path,) = find_results(tmp_path).values()
    (only,) = review_units(read_result(path))
    assert (only.start, only.stop) == (0, 19_200)
