"""Average precision is compared with an example and with the area below the curve."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from anemonefish.evaluation.curves import Point, average_precision
from anemonefish.evaluation.matching import Counts


def points_of(*pairs: tuple[int, int, int]) -> list[Point]:
    """Return points with these numbers of labels, events and matches."""
    return [Point(0.1 * n, Counts(labels, events, matched)) for n, (labels, events, matched) in enumerate(pairs)]


def test_average_precision_of_an_example_calculated_by_hand() -> None:
    # Recalls 1/4, 2/4, 3/4 with precisions 1, 2/4, 3/5: interpolated 1, 3/5, 3/5.
    points = points_of((4, 5, 3), (4, 4, 2), (4, 1, 1), (4, 0, 0))
    assert average_precision(points) == Fraction(1, 4) * 1 + Fraction(1, 4) * Fraction(3, 5) * 2


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), min_size=1, max_size=8))
def test_average_precision_is_the_area_below_the_interpolated_curve(pairs: list[tuple[int, int]]) -> None:
    points = points_of(*((10, max(events, matched), matched) for events, matched in pairs))
    area = average_precision(points)
    strips = []
    for strip in range(10):  # recalls are tenths, so the curve is constant in each strip
        wanted = Fraction(strip + 1, 10)
        strips.append(
            max((p.counts.precision or 0 for p in points if p.counts.recall >= wanted), default=Fraction(0))  # type: ignore[operator]
        )
    assert area == sum(strips, Fraction(0)) / 10
    assert area == average_precision(reversed(points))


def test_average_precision_without_labels_or_events() -> None:
    assert average_precision(points_of((0, 5, 0))) is None
    assert average_precision(points_of((5, 0, 0))) == 0
    assert average_precision([]) is None
