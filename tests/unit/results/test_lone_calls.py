"""Which lone calls can become events: the formula against simulated scores of a network without mistakes."""

from __future__ import annotations

import runpy
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.models.bundle import ModelSpec
from anemonefish.models.decision import Decision
from anemonefish.models.repository import ModelRepository
from anemonefish.results.events import find_events, smooth
from anemonefish.results.lone_calls import LoneCalls, lone_call_lines
from anemonefish.settings import Settings
from anemonefish.stores import open_store
from anemonefish.windows import WindowGrid
from tests.reference_models import LAB_MODEL

RATE = 1_000
DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def spec() -> ModelSpec:
    repository = ModelRepository(open_store("models"))
    return repository.spec(repository.pin(LAB_MODEL))


def is_found(start: int, length: int, window: int, hop: int, decision: Decision) -> bool:
    """Score a recording with one call as a network without mistakes does, and look for an event."""
    grid = WindowGrid(start + length + 20 * (window + hop), window, hop)
    begins = np.arange(grid.n_windows) * hop
    inside = np.minimum(begins + window, start + length) - np.maximum(begins, start)
    scores = (2 * inside >= min(length, RATE // 5)).astype(np.float32)[:, np.newaxis]
    smoothed = smooth(scores, decision.median_windows)[:, 0]
    return bool(find_events(smoothed, grid, RATE, "anemonefish", decision))


@given(
    st.integers(5, 700),
    st.integers(200, 500),
    st.integers(50, 200),
    st.sampled_from([1, 3, 5, 7]),
    st.sampled_from([0, 0.2, 0.7]),
)
def test_the_chance_is_the_share_of_positions_at_which_a_call_is_found(
    length: int, window: int, hop: int, median: int, shortest: float
) -> None:
    decision = Decision(median_windows=median, min_duration_seconds=shortest)
    calls = LoneCalls.of(window / RATE, hop / RATE, decision)
    # A call may begin anywhere between two windows; 20 windows before it keep the start of the recording away.
    found = [is_found(20 * hop + phase, length, window, hop, decision) for phase in range(hop)]
    chance = calls.chance(length / RATE)
    # Whole samples count a window at each end of a closed interval, and half of an odd length is rounded up.
    assert abs(Fraction(sum(found), hop) - chance) <= Fraction(2, hop)
    if length <= calls.never * RATE:
        assert chance == 0
    if length >= calls.always * RATE:
        assert chance == 1
        assert all(found)


def test_lone_calls_of_the_labs_settings() -> None:
    lab = LoneCalls.of(0.4, 0.2, Decision())
    assert (lab.windows_needed, lab.never, lab.always) == (3, Fraction(1, 5), Fraction(2, 5))
    assert lab.chance(0.3) == Fraction(1, 2)
    assert LoneCalls.of(0.4, 0.1, Decision()).always == 0
    assert LoneCalls.of(1.0, 0.4, Decision()).chance(0.05) == Fraction(1, 2)


def test_the_line_names_a_setting_that_loses_nothing(spec: ModelSpec) -> None:
    cannot, hint = lone_call_lines(spec, Settings())
    assert cannot.startswith("window 0.4 s, hop 0.2 s, median 5: lone calls of up to 200 ms are lost, and some")
    assert "some lone calls of up to 400 ms are lost" in cannot
    assert hint.startswith("--set median_windows=3 ")
    assert list(lone_call_lines(spec, Settings(median_windows=3))) == []
    assert list(lone_call_lines(replace(spec, decision=Decision(median_windows=3)), Settings())) == []


def test_nothing_is_recommended_where_no_median_helps(spec: ModelSpec) -> None:
    lines = list(lone_call_lines(spec, Settings(hop_seconds=0.5, median_windows=1)))
    assert len(lines) == 1
    assert "median 1: some lone calls of up to 300 ms are lost" in lines[0]


def test_the_table_of_the_page_is_computed() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    made = runpy.run_path(str(DOCS / "make_lone_calls_table.py"))["page_with_table"](page)
    assert made == page, "run docs/make_lone_calls_table.py"
