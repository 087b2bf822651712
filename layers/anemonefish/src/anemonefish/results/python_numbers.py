"""Turn long arrays into Python's numbers, which are rounded and formatted several times as fast as numpy's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["python_numbers"]

_ROWS_AT_ONCE = 4096
"""Rows that are turned at once, so that memory does not grow with the recording."""


def python_numbers(array: NDArray[np.generic]) -> Iterator[Any]:
    """Yield each row of an array as Python's numbers: a list, or one number of a one-dimensional array.

    Examples
    --------
    >>> list(python_numbers(np.array([[0.5, 1.0], [0.25, 0.0]], np.float32)))
    [[0.5, 1.0], [0.25, 0.0]]
    """
    for first in range(0, len(array), _ROWS_AT_ONCE):
        yield from array[first : first + _ROWS_AT_ONCE].tolist()
