"""Events measured in band levels: level, background, peak frequency, and the number of calls."""

from __future__ import annotations

import numpy as np
import pytest

from anemonefish.profiles.band_levels import BandLevels, first_cell_sample
from anemonefish.results.event_levels import level_re_1upa, total_calls, with_levels
from anemonefish.results.events import Event
from anemonefish.windows import WindowGrid

RATE = 1000
GRID = WindowGrid(60 * RATE, 400, 200)
CELLS = 10
QUIET = -80.0


def _event(start: float, stop: float, label: str = "anemonefish") -> Event:
    return Event(
        start=int(start * RATE), stop=int(stop * RATE), label=label, mean_score=0.8, max_score=0.9, n_windows=3
    )


def _levels(*bursts: tuple[float, float, float], quiet: float = QUIET, grid: WindowGrid = GRID) -> BandLevels:
    """Return levels with bursts of (start, stop, dB)."""
    decibels = np.full(grid.n_windows * CELLS, quiet)
    times = (first_cell_sample(grid) + np.arange(len(decibels)) * grid.hop / CELLS) / RATE
    for start, stop, level in bursts:
        decibels[(times >= start) & (times < stop)] = level
    codes = np.rint((decibels + 127.5) * 2).astype(np.uint8).reshape(-1, CELLS)
    hertz = np.full(grid.n_windows, 300.0)
    return BandLevels(codes, BandLevels.peak_codes(hertz, RATE))


def _measure(levels: BandLevels, *events: Event) -> list[Event]:
    return list(with_levels(events, levels, GRID, RATE))


def test_level_signal_to_noise_ratio_and_frequency_of_an_event() -> None:
    (event,) = _measure(_levels((10.4, 10.5, -50.0)), _event(10, 11))
    assert (event.calls, event.level_db, event.snr_db) == (1, -50.0, 30.0)
    assert event.peak_hz == pytest.approx(300.0, abs=0.1)


@pytest.mark.parametrize(("gap", "calls"), [(0.1, 1), (0.18, 1), (0.24, 2), (0.5, 2)])
def test_bursts_that_follow_within_a_fifth_of_a_second_are_pulses_of_one_call(gap: float, calls: int) -> None:
    levels = _levels((10.3, 10.36, -50.0), (10.36 + gap, 10.42 + gap, -54.0))
    assert _measure(levels, _event(10, 11.4))[0].calls == calls


def test_bursts_that_are_much_quieter_than_the_loudest_are_not_calls() -> None:
    assert _measure(_levels((10.3, 10.4, -40.0), (10.8, 10.9, -70.0)), _event(10, 11.4))[0].calls == 1
    assert _measure(_levels((10.3, 10.4, -40.0), (10.8, 10.9, -58.0)), _event(10, 11.4))[0].calls == 2


def test_an_event_without_a_burst_has_one_call() -> None:
    (event,) = _measure(_levels(), _event(10, 11))
    assert (event.calls, event.snr_db) == (1, 0.0)


def test_background_leaves_out_other_events_and_what_is_far_away() -> None:
    levels = _levels((0, 9, -30.0), (20, 28, -40.0), (29.2, 29.3, -50.0), (31, 39, -40.0))
    events = _event(20, 28), _event(29, 30), _event(31, 39, "biological")
    assert _measure(levels, *events)[1].snr_db == 30.0


def test_background_is_unknown_where_everything_is_an_event() -> None:
    (event,) = _measure(_levels((30, 30.1, -50.0)), _event(0, 60))
    assert (event.snr_db, event.level_db, event.calls) == (None, -50.0, 1)


def test_background_of_a_busy_stretch_is_taken_from_further_away() -> None:
    levels = _levels((0, 48, -60.0), (24, 24.1, -40.0))
    events = [_event(start, start + 0.99) for start in range(48)]
    assert _measure(levels, *events)[24].snr_db == 40.0


def test_events_without_levels_are_unchanged_and_their_calls_are_unknown() -> None:
    events = (_event(10, 11), _event(20, 21))
    assert with_levels(events, None, GRID, RATE) == events
    assert total_calls(events) is None
    assert total_calls(()) == 0
    assert total_calls(_measure(_levels(), *events)) == 2


def test_windows_with_gaps_between_them_have_cells_of_their_own() -> None:
    grid = WindowGrid(60 * RATE, 400, 1000)
    levels = _levels(grid=grid)
    levels.codes[7, 4] = 200
    event = _event(7, 7.4)
    (measured,) = with_levels([event], levels, grid, RATE)
    assert measured.level_db == -27.5


def test_level_re_one_micropascal_needs_the_calibration_of_the_recorder() -> None:
    (event,) = _measure(_levels((10.4, 10.5, -50.0)), _event(10, 11))
    assert level_re_1upa(event, 176.4) == 126.4
    assert level_re_1upa(event, None) is None
    assert level_re_1upa(_event(10, 11), 176.4) is None
