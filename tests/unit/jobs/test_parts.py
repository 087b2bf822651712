"""A part holds exact scores; damaged content is reported with its key."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from anemonefish.audio.health import Observed
from anemonefish.errors import DamagedPart
from anemonefish.jobs.parts import part_from_bytes, part_to_bytes
from anemonefish.profiles.band_levels import BandLevels

SHAPE = (4, 3)
SCORES = np.full(SHAPE, 0.5, np.float32)
LEVELS = BandLevels(np.arange(40, dtype=np.uint8).reshape(4, 10), np.array([0, 1, 256, 40_000], np.uint16))
FEWER_LEVELS = BandLevels(LEVELS.codes[:2], LEVELS.peaks[:2])
WHOLE = part_to_bytes(SCORES, Observed(), LEVELS)


@given(arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)))
def test_scores_are_exact_after_writing_and_reading(scores: NDArray[np.float32]) -> None:
    part = part_from_bytes(part_to_bytes(scores, Observed(), LEVELS), SHAPE, "key")
    assert part.scores.tobytes() == scores.tobytes()
    assert part.observed == Observed()
    assert part.levels is not None
    np.testing.assert_array_equal(part.levels.codes, LEVELS.codes)
    np.testing.assert_array_equal(part.levels.peaks, LEVELS.peaks)


def test_part_of_an_older_version_has_no_levels() -> None:
    part = part_from_bytes(part_to_bytes(SCORES, Observed()), SHAPE, "key")
    assert (part.observed, part.levels) == (Observed(), None)


def test_part_of_an_older_version_has_no_observations() -> None:
    buffer = io.BytesIO()
    np.save(buffer, SCORES)
    part = part_from_bytes(buffer.getvalue(), SHAPE, "key")
    assert part.scores.tobytes() == SCORES.tobytes()
    assert (part.observed, part.levels) == (Observed(), None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "key is not a stored array"),
        (b"scores", "key is not a stored array"),
        (part_to_bytes(SCORES, Observed())[:-20], "key is not a stored array"),
        (part_to_bytes(SCORES[:2], Observed()), "key holds float32 of shape"),
        (WHOLE[:-1], "key is not a stored array"),
        (WHOLE + b"0", "key is not a stored array"),
        (part_to_bytes(SCORES, Observed(), FEWER_LEVELS), "key is not a stored array"),
        (part_to_bytes(SCORES, Observed()) + b"levels", "key is not a stored array"),
        (part_to_bytes(SCORES * np.nan, Observed()), "needs finite float32"),
    ],
)
def test_damaged_part_is_an_error_that_names_its_key(content: bytes, message: str) -> None:
    with pytest.raises(DamagedPart, match=message):
        part_from_bytes(content, SHAPE, "key")
