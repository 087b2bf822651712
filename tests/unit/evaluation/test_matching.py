"""Matching is compared with brute force and scipy, and the rule with its definition in docs/evaluate.md."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from anemonefish.errors import InvalidSettings
from anemonefish.evaluation.matching import Counts, MatchingRule, maximum_matching, merge_intervals

HALF = Fraction(1, 2)


intervals = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 15)).map(lambda pair: (pair[0], sum(pair))), max_size=6
).map(sorted)


rules = st.builds(
    MatchingRule, st.fractions(Fraction(1, 20), 1, max_denominator=20), st.sampled_from(["shorter", "iou"])
)


def by_brute_force(agreements: list[list[int]]) -> int:
    """Return the most pairs, from trying every choice of a label for every event."""
    if not agreements:
        return 0
    rest = by_brute_force(agreements[1:])
    for label in agreements[0]:
        without = [[other for other in options if other != label] for options in agreements[1:]]
        rest = max(rest, 1 + by_brute_force(without))
    return rest


@given(st.lists(st.lists(st.integers(0, 5), unique=True, max_size=4), max_size=6))
def test_matching_has_the_maximum_number_of_pairs(agreements: list[list[int]]) -> None:
    matched = maximum_matching(agreements, 6)
    pairs = [(event, label) for event, label in enumerate(matched) if label is not None]
    assert len({label for _, label in pairs}) == len(pairs)
    assert all(label in agreements[event] for event, label in pairs)
    assert len(pairs) == by_brute_force(agreements)


@given(st.integers(0, 10_000))
def test_large_matchings_have_as_many_pairs_as_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = rng.random((60, 50)) < rng.uniform(0.01, 0.1)
    matched = maximum_matching([np.flatnonzero(row).tolist() for row in edges], 50)
    expected = maximum_bipartite_matching(csr_array(edges.astype(np.int8)), perm_type="column")
    assert sum(label is not None for label in matched) == int((expected >= 0).sum())


def test_long_chain_of_overlaps_is_matched_without_recursion() -> None:
    length = 20_000
    chain = [[index, index + 1] for index in range(length)] + [[0]]
    matched = maximum_matching(chain, length + 1)
    assert sorted(label for label in matched if label is not None) == list(range(length + 1))


@given(intervals, intervals, rules)
def test_agreements_equal_a_comparison_of_every_pair(
    events: list[tuple[int, int]], labels: list[tuple[int, int]], rule: MatchingRule
) -> None:
    events = [event for event in events if event[0] < event[1]]
    expected = [[n for n, label in enumerate(labels) if agree_by_definition(event, label, rule)] for event in events]
    assert rule.agreements(events, labels) == expected


def agree_by_definition(event: tuple[int, int], label: tuple[int, int], rule: MatchingRule) -> bool:
    """Apply the rule of docs/evaluate.md by counting ticks."""
    here, there = set(range(*event)), set(range(*label))
    if not there:
        return rule.criterion == "shorter" and label[0] in here
    whole = min(len(here), len(there)) if rule.criterion == "shorter" else len(here | there)
    return bool(here & there) and Fraction(len(here & there), whole) >= rule.overlap


@given(intervals, intervals, rules)
def test_counts_are_consistent_with_each_other(
    events: list[tuple[int, int]], labels: list[tuple[int, int]], rule: MatchingRule
) -> None:
    events = [event for event in events if event[0] < event[1]]
    counts = Counts.of(events, labels, rule)
    assert counts.matched <= min(counts.labels_found, counts.events_right)
    assert counts.labels_found <= counts.labels == len(labels)
    assert counts.events_right <= counts.events == len(events)
    if counts.precision and counts.recall:
        assert counts.f1 == 2 * counts.precision * counts.recall / (counts.precision + counts.recall)


@pytest.mark.parametrize(
    ("label", "shorter", "iou"),
    [
        ((0, 100), True, True),
        ((50, 60), True, False),
        ((95, 105), True, False),
        ((96, 106), False, False),
        ((100, 110), False, False),
        ((0, 200), True, True),
        ((0, 201), True, False),
        ((50, 50), True, False),
        ((100, 100), False, False),
        ((0, 0), True, False),
    ],
)
def test_rule_at_its_limits(label: tuple[int, int], shorter: bool, iou: bool) -> None:
    assert MatchingRule(HALF, "shorter").agree((0, 100), label) is shorter
    assert MatchingRule(HALF, "iou").agree((0, 100), label) is iou


def test_one_event_over_several_labels_is_one_match() -> None:
    counts = Counts.of([(0, 100)], [(0, 10), (20, 30), (40, 50)], MatchingRule())
    assert (counts.matched, counts.missed, counts.false_positives) == (1, 2, 0)
    assert (counts.labels_found, counts.events_right) == (3, 1)


def test_matching_is_better_than_greedy() -> None:
    # A greedy matching would give the only label of the short event to the long one, which comes first.
    assert Counts.of([(0, 100), (10, 20)], [(10, 20), (50, 60)], MatchingRule()).matched == 2


@given(intervals, st.integers(0, 5))
def test_merged_intervals_are_at_least_a_gap_apart(labels: list[tuple[int, int]], gap: int) -> None:
    merged = merge_intervals(labels, Fraction(gap))
    assert all(later[0] - earlier[1] >= gap for earlier, later in pairwise(merged))
    covered = {tick for label in labels for tick in range(*label)}
    assert covered <= {tick for label in merged for tick in range(*label)}
    assert {start for start, _ in merged} <= {start for start, _ in labels}


@pytest.mark.parametrize(("overlap", "criterion"), [("0", "shorter"), ("1.01", "iou"), ("0.5", "dice"), ("-1", "iou")])
def test_rule_out_of_range_is_refused(overlap: str, criterion: str) -> None:
    with pytest.raises(InvalidSettings):
        MatchingRule(Fraction(overlap), criterion)


def test_brute_force_counts_the_pairs_of_small_examples() -> None:
    assert [by_brute_force([[0], [0, 1]]), by_brute_force([[0], [0]]), by_brute_force([])] == [2, 1, 0]
