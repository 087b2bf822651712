"""The window grid against its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.windows import WindowGrid, WindowRange, samples_from_seconds

grids = st.builds(WindowGrid, n_samples=st.integers(0, 5_000), window=st.integers(1, 300), hop=st.integers(1, 300))


@given(grids)
def test_windows_are_those_that_lie_wholly_inside(grid: WindowGrid) -> None:
    inside = [i for i in range(grid.n_samples + 1) if i * grid.hop + grid.window <= grid.n_samples]
    assert grid.n_windows == len(inside)


@given(grids, st.integers(1, 50))
def test_ranges_cover_every_window_once(grid: WindowGrid, size: int) -> None:
    ranges = list(grid.split(size))
    covered = [index for windows in ranges for index in range(windows.start, windows.stop)]
    assert covered == list(range(grid.n_windows))
    assert all(0 < len(windows) <= size for windows in ranges)


@given(grids.filter(lambda grid: grid.n_windows > 0), st.data())
def test_a_range_needs_exactly_the_samples_of_its_windows(grid: WindowGrid, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, grid.n_windows - 1))
    stop = data.draw(st.integers(start + 1, grid.n_windows))
    first, last = grid.samples_of(WindowRange(start, stop))
    assert first == start * grid.hop
    assert last == (stop - 1) * grid.hop + grid.window <= grid.n_samples


@pytest.mark.parametrize(
    ("seconds", "rate", "expected"),
    [(0.4, 48_000, 19_200), (0.2, 44_100, 8_820), (0.4, 22_050, 8_820), (0.29, 100, 28)],
)
def test_seconds_are_cut_as_in_training(seconds: float, rate: int, expected: int) -> None:
    # 0.29 * 100 is 28.999999999999996 in binary: the training code cuts it, and so do we.
    assert samples_from_seconds(seconds, rate) == expected == int(seconds * rate)


def test_a_recording_shorter_than_a_window_has_none() -> None:
    assert WindowGrid(19_199, 19_200, 9_600).n_windows == 0
    assert WindowGrid(19_200, 19_200, 9_600).n_windows == 1
    assert list(WindowGrid(0, 19_200, 9_600).split(10)) == []


@pytest.mark.parametrize("arguments", [(-1, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_an_impossible_grid_is_refused(arguments: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="a grid needs"):
        WindowGrid(*arguments)
