"""Turn sample indices into times: whole microseconds, seconds, and seconds as text.

Every file, answer and UTC time of the package takes its times from here, so that one sample has one time everywhere.
Times are rounded to the nearest microsecond by integer arithmetic; no error of a floating-point sum can appear in them.
"""

from __future__ import annotations

__all__ = ["MICROSECONDS", "format_seconds", "microseconds_of", "seconds"]

MICROSECONDS = 1_000_000
"""Microseconds per second."""


def microseconds_of(samples: int, sample_rate: int) -> int:
    """Return a sample index as microseconds, rounded to the nearest whole number; halves are rounded up."""
    return (2 * samples * MICROSECONDS + sample_rate) // (2 * sample_rate)


def seconds(samples: int, sample_rate: int) -> float:
    """Return a sample index as seconds: the float nearest to the value with six decimals.

    Examples
    --------
    >>> seconds(29_121_600, 48_000)
    606.7
    """
    return microseconds_of(samples, sample_rate) / MICROSECONDS


def format_seconds(samples: int, sample_rate: int) -> str:
    """Return a sample index as seconds with six decimals.

    Examples
    --------
    >>> format_seconds(29_121_600, 48_000)
    '606.700000'
    """
    whole, rest = divmod(microseconds_of(samples, sample_rate), MICROSECONDS)
    return f"{whole}.{rest:06d}"
