"""What a network hears follows from the labels and the recordings."""

from __future__ import annotations

import pytest

from anemonefish.errors import InvalidSettings
from anemonefish.training.labelled_recordings import LabelledRecording, TimedLabel
from anemonefish.training.network_input import choose_input
from anemonefish.training.training_options import TrainingOptions
from tests.unit.training.conftest import labelled


def recording(rate: int, *edges: float) -> LabelledRecording:
    labels = tuple(TimedLabel(n, n + 1, 0, edge) for n, edge in enumerate(edges))
    return labelled("reef.wav", sample_rate=rate, labels=labels)


@pytest.mark.parametrize(
    ("rate", "edges", "expected", "top"),
    [
        (48_000, [], 16_000, 6_000),  # the band of the reference model
        (48_000, [900.0, 1_200.0], 16_000, 6_000),
        (48_000, [900.0, 1_200.0, 24_000.0], 16_000, 6_000),  # one box of the height of the window
        (96_000, [16_000.0, 18_000.0], 48_000, 21_250),
        (8_000, [900.0], 8_000, 3_600),
        (12_000, [], 12_000, 5_400),
    ],
)
def test_band_holds_the_boxes_at_the_lowest_rate(rate: int, edges: list[float], expected: int, top: float) -> None:
    heard = choose_input([recording(rate, *edges)], TrainingOptions())
    low, high = heard.profile.band(heard.sample_rate)
    assert heard.sample_rate == expected
    assert low == 50
    assert high == pytest.approx(top, abs=100)


def test_band_that_the_recordings_do_not_hold_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="hold nothing above 4000 Hz; choose a lower end with --band"):
        choose_input([recording(8_000)], TrainingOptions(band=(50, 5_000)))
