"""Times in label files are read exactly, to the microsecond."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anemonefish.annotations.label_numbers import microseconds_from_text


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=12))
def test_decimal_text_becomes_the_nearest_microsecond(value: Decimal) -> None:
    exact = Fraction(value) * 1_000_000
    assert abs(microseconds_from_text(str(value)) - exact) <= Fraction(1, 2)


@given(st.integers(0, 10**15))
def test_text_with_microseconds_is_exact(micro: int) -> None:
    assert microseconds_from_text(f"{micro // 10**6}.{micro % 10**6:06d}") == micro


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5.3500000000000005", 5_350_000), ("1e-05", 10), (" 2 ", 2_000_000), (".5", 500_000), ("3.", 3_000_000),
     ("0.0000005", 1), ("0.00000049", 0), ("0.1", 100_000), ("-1", -1_000_000)],
)  # fmt: skip
def test_numbers_are_read_as_programs_print_them(text: str, expected: int) -> None:
    assert microseconds_from_text(text) == expected


@pytest.mark.parametrize("text", ["", "nan", "inf", "1,5", "1.234,5", "0x10", "1_000", "one", "1e999", "٣", "1 2"])
def test_text_that_is_not_a_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"number|comma|missing|longer"):
        microseconds_from_text(text)
