"""Parse the numbers of label files: times become whole microseconds, frequencies become fractions.

Decimal text is converted by integer arithmetic, so a time is exact to the microsecond. Text that is not a number of
seconds (a decimal comma, a clock time, a missing value) is refused with a message that says what to write instead.
"""

from __future__ import annotations

import re
from fractions import Fraction

from anemonefish.sample_times import MICROSECONDS

__all__ = [
    "NUMBER",
    "checked_interval",
    "is_missing",
    "looks_like_a_number",
    "microseconds_from_text",
    "number_from_text",
]

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
"""A number with a decimal point, as programs print it."""

_LATEST = 10**10 * MICROSECONDS  # 300 years: a later time is a typing error, or an attack with large exponents
_PLAIN = re.compile(r"(\d{1,10})(?:\.(\d{0,6}))?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?[\d.]*\d,\d+", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,4}):(\d{1,2}(?:\.\d+)?)", re.ASCII)
_MISSING = frozenset({"", "na", "nan", "<na>", "n/a", "#n/a", "null"})
"""How pandas, R and Excel write that a value is missing."""


def is_missing(text: str) -> bool:
    """Say whether a cell is empty, or has one of the words for a missing value."""
    return text.lower() in _MISSING


def looks_like_a_number(cell: str) -> bool:
    """Say whether a cell is meant as a number, with a decimal point or a decimal comma."""
    return bool(NUMBER.fullmatch(cell.strip()) or _DECIMAL_COMMA.fullmatch(cell.strip()))


def microseconds_from_text(text: str) -> int:
    """Turn decimal seconds into whole microseconds, rounded to the nearest; halves are rounded up.

    Raises
    ------
    ValueError
        The text is not a decimal number, or the time is more than 300 years long.

    Examples
    --------
    >>> microseconds_from_text("5.3500000000000005")
    5350000
    """
    if plain := _PLAIN.fullmatch(text):  # nearly all times match, and a Fraction takes ten times as long
        whole, decimals = plain.groups(default="")
        return int(whole + decimals.ljust(6, "0"))
    value = number_from_text(text) * MICROSECONDS
    if abs(value) > _LATEST:
        raise ValueError(f"{text!r} is longer than any recording")
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def number_from_text(text: str) -> Fraction:
    """Return a decimal number exactly.

    Raises
    ------
    ValueError
        The text is not a decimal number; the message says what to write instead.
    """
    text = text.strip()
    if not text:
        raise ValueError("the value is missing")
    if is_missing(text) or text.lower() == "none":
        raise ValueError(f"the value is missing ({text}); write it, or delete the line")
    if _DECIMAL_COMMA.fullmatch(text):
        raise ValueError(f"{text!r} has a decimal comma; write the file with decimal points")
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, rest = clock.groups()
        value = int(hours or 0) * 3600 + int(minutes) * 60 + Fraction(rest)
        raise ValueError(f"{text!r} is not a number of seconds but a clock time; write {float(value):.10g}")
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number of seconds; write one such as 6.9, without unit")
    return Fraction(text)


def checked_interval(start: int, stop: int, as_written: str) -> tuple[int, int]:
    """Return the start and the stop of a label.

    Raises
    ------
    ValueError
        The label begins before its recording, or ends before it begins.
    """
    if start < 0:
        raise ValueError(f"a label cannot begin before its recording ({as_written})")
    if stop < start:
        raise ValueError(f"the end lies before the start ({as_written})")
    return start, stop
