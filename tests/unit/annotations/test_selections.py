"""The frequency band of a selection lies within what its recording holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from anemonefish.annotations.selections import within_nyquist


@given(st.floats(-100, 50_000), st.floats(0.1, 50_000), st.integers(1, 400_000))
def test_band_is_limited_to_the_spectrum_of_the_recording(low: float, width: float, rate: int) -> None:
    lowest, highest = within_nyquist((low, low + width), rate)
    assert 0 <= lowest < highest <= rate / 2
    if low >= 0 and low + width <= rate / 2:
        assert (lowest, highest) == (low, low + width)


def test_band_above_the_nyquist_frequency_becomes_the_whole_spectrum() -> None:
    assert within_nyquist((1_500, 6_000), 2_000) == (0, 1_000)
