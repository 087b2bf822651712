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

SHAPE = (4, 3)
SCORES = np.full(SHAPE, 0.5, np.float32)


@given(arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32)))
def test_scores_are_exact_after_writing_and_reading(scores: NDArray[np.float32]) -> None:
    read, observed = part_from_bytes(part_to_bytes(scores, Observed()), SHAPE, "key")
    assert read.tobytes() == scores.tobytes()
    assert observed == Observed()


def test_part_of_an_older_version_has_no_observations() -> None:
    buffer = io.BytesIO()
    np.save(buffer, SCORES)
    scores, observed = part_from_bytes(buffer.getvalue(), SHAPE, "key")
    assert scores.tobytes() == SCORES.tobytes()
    assert observed == Observed()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "key is not a stored array"),
        (b"scores", "key is not a stored array"),
        (part_to_bytes(SCORES, Observed())[:-20], "key is not a stored array"),
        (part_to_bytes(SCORES[:2], Observed()), "key holds float32 of shape"),
        (part_to_bytes(SCORES * np.nan, Observed()), "needs finite float32"),
    ],
)
def test_damaged_part_is_an_error_that_names_its_key(content: bytes, message: str) -> None:
    with pytest.raises(DamagedPart, match=message):
        part_from_bytes(content, SHAPE, "key")
