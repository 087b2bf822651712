"""Sample indices become times without rounding errors."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from anemonefish.sample_times import format_seconds, microseconds_of, seconds


@given(st.integers(0, 10**12), st.integers(1, 1_000_000))
def test_seconds_are_printed_to_the_nearest_microsecond(samples: int, rate: int) -> None:
    printed = format_seconds(samples, rate)
    whole, _, decimals = printed.partition(".")
    assert len(decimals) == 6
    assert abs(Fraction(printed) - Fraction(samples, rate)) <= Fraction(1, 2_000_000)
    assert float(printed) == seconds(samples, rate)
    assert whole == str(int(whole))


def test_half_a_microsecond_is_rounded_up() -> None:
    assert microseconds_of(1, 2_000_000) == 1


def test_printed_seconds_have_no_floating_point_noise() -> None:
    assert format_seconds(29_121_600, 48_000) == "606.700000"
    assert repr(seconds(29_121_600, 48_000)) == "606.7"
