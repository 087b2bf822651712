"""Options of an evaluation are checked."""

from __future__ import annotations

from fractions import Fraction

import pytest

from anemonefish.errors import InvalidSettings
from anemonefish.evaluation.evaluation_options import EvaluationOptions


@pytest.mark.parametrize(
    "options", [{"thresholds": [1.0]}, {"thresholds": [-0.1]}, {"unlabelled": "x"}, {"bout_seconds": Fraction(-1)}]
)
def test_option_out_of_range_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings):
        EvaluationOptions(**options)  # type: ignore[arg-type]
